// The program `heed`: signals and streams around RunHeed().
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "client/commands.h"
#include "client/console.h"
#include "client/exit_code.h"
#include "client/interruptible_input.h"
#include "client/terminal_screen.h"

namespace {

// The first interrupt (Ctrl-C, SIGTERM) asks the command to end, the second one ends the program at once.
void WatchInterrupts(std::stop_source stop) {
  sigset_t interrupts;
  sigemptyset(&interrupts);
  sigaddset(&interrupts, SIGINT);
  sigaddset(&interrupts, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &interrupts, nullptr);  // before other threads start and inherit it
  std::thread([interrupts, stop]() mutable {
    int signal = 0;
    while (sigwait(&interrupts, &signal) == 0) {
      if (stop.request_stop()) continue;
      heed::client::RestoreTerminal();
      _exit(heed::client::kExitInterrupted);
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

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that left is seen as a failed write
  std::ios::sync_with_stdio(false);
  std::stop_source stop;
  WatchInterrupts(stop);
  heed::client::InterruptibleInput input(STDIN_FILENO, stop.get_token());
  std::istream in(&input);
  heed::client::Console console{.in = in,
                                .out = std::cout,
                                .err = std::cerr,
                                .in_is_terminal = isatty(STDIN_FILENO) == 1,
                                .out_is_terminal = isatty(STDOUT_FILENO) == 1,
                                .err_is_terminal = isatty(STDERR_FILENO) == 1,
                                .columns = TerminalColumns(),
                                .in_bytes = input.size(),
                                .stop = stop.get_token()};
  return heed::client::RunHeed(std::vector<std::string>(argv + std::min(argc, 1), argv + argc), console);
}
