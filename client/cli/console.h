// SPDX-License-Identifier: Apache-2.0
// What a command sees of the world outside.
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <ostream>
#include <stop_token>

namespace heed {
struct CommandPage;
}

namespace heed::client {

class LineEditor;

// Borrows everything.
struct Console {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  int columns = 100;      // width of the terminal
  int64_t in_bytes = -1;  // how much there is to read; -1: unknown
  std::stop_token stop;   // the user's interrupt; ends reading from `in` too
  // Whether whoever read `out` has gone, as `head` does. May be empty: not known.
  std::function<bool()> out_closed;
  LineEditor* editor = nullptr;  // of what a person types into `in`; none: lines come as the terminal gives them
  CommandPage* page = nullptr;   // if set, a command only describes itself there
};

}  // namespace heed::client
