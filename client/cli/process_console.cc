// SPDX-License-Identifier: Apache-2.0
#include "client/cli/process_console.h"

#include <langinfo.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <optional>
#include <stop_token>
#include <thread>

#include "client/cli/exit_code.h"
#include "client/cli/interruptible_input.h"
#include "client/cli/line_editor.h"
#include "client/lib/grpc_log.h"

namespace heed::client {
namespace {

// The first interrupt (Ctrl-C, SIGTERM) asks the command to end, the second one ends the program at once.
void WatchInterrupts(std::stop_source stop, void (*before_exit)()) {
  sigset_t interrupts;
  sigemptyset(&interrupts);
  sigaddset(&interrupts, SIGINT);
  sigaddset(&interrupts, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &interrupts, nullptr);  // before other threads start and inherit it
  std::thread([interrupts, stop, before_exit]() mutable {
    int signal = 0;
    while (sigwait(&interrupts, &signal) == 0) {
      if (stop.request_stop()) continue;
      if (before_exit != nullptr) before_exit();
      _exit(kExitInterrupted);
    }
  }).detach();
}

int TerminalColumns() {
  winsize size = {};
  for (const int descriptor : {STDOUT_FILENO, STDERR_FILENO}) {
    if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  }
  return 100;
}

// Whoever read the pipe that standard output is has gone.
bool OutputClosed() {
  pollfd out = {STDOUT_FILENO, 0, 0};
  return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

// Terminals speak UTF-8, whatever the locale says of messages and numbers.
void UseUtf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

// A person at a terminal that can move its cursor.
bool CanEdit(bool in_is_terminal, bool err_is_terminal) {
  const char* const terminal = std::getenv("TERM");
  return in_is_terminal && err_is_terminal && terminal != nullptr && *terminal != '\0' &&
         std::strcmp(terminal, "dumb") != 0;
}

}  // namespace

int RunInProcess(int argc, char** argv, CommandFunction command, void (*before_exit)()) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that left is seen as a failed write
  UseUtf8();
  SilenceGrpcLog();
  std::ios::sync_with_stdio(false);
  std::stop_source stop;
  WatchInterrupts(stop, before_exit);
  InterruptibleInput input(STDIN_FILENO, stop.get_token());
  std::istream in(&input);
  Console console{.in = in,
                  .out = std::cout,
                  .err = std::cerr,
                  .in_is_terminal = isatty(STDIN_FILENO) == 1,
                  .out_is_terminal = isatty(STDOUT_FILENO) == 1,
                  .err_is_terminal = isatty(STDERR_FILENO) == 1,
                  .columns = TerminalColumns(),
                  .in_bytes = input.size(),
                  .stop = stop.get_token(),
                  .out_closed = OutputClosed};
  std::optional<LineEditor> editor;
  if (CanEdit(console.in_is_terminal, console.err_is_terminal)) {
    console.editor = &editor.emplace(STDIN_FILENO, stderr, stop.get_token());
  }
  return command(std::vector<std::string>(argv + std::min(argc, 1), argv + argc), console);
}

}  // namespace heed::client
