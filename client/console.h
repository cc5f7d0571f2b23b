// What a command sees of the world outside.
#pragma once

#include <cstdint>
#include <istream>
#include <ostream>
#include <stop_token>

namespace heed::client {

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
};

}  // namespace heed::client
