// SPDX-License-Identifier: Apache-2.0
#include "client/cli/process_console.h"
#include "tests/soak/soak_command.h"

int main(int argc, char** argv) { return heed::client::RunInProcess(argc, argv, heed::client::SoakCommand); }
