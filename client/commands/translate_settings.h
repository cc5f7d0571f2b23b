// SPDX-License-Identifier: Apache-2.0
// What `heed translate` was asked for.
#pragma once

#include <string>

#include "client/cli/command_line.h"
#include "client/commands/document_flags.h"
#include "client/commands/translate_flags.h"

namespace heed::client {

struct TranslateSettings {
  ServerFlags server;
  TranslateFlags options;
  DocumentFlags document;
  std::string model;
  bool stream = false;
  bool attention = false;
  bool tokens = false;
  bool json = false;
  int in_flight = 64;
  std::string file;  // empty or "-": standard input
};

}  // namespace heed::client
