// SPDX-License-Identifier: Apache-2.0
// The program `heed`.
#include "client/cli/commands.h"
#include "client/cli/process_console.h"
#include "client/top/terminal_screen.h"

int main(int argc, char** argv) {
  return heed::client::RunInProcess(argc, argv, heed::client::RunHeed, heed::client::RestoreTerminal);
}
