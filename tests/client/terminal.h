// SPDX-License-Identifier: Apache-2.0
// A pseudo-terminal for the client's tests.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace heed::client {

// The program `heed` in a terminal of its own.
class Terminal {
 public:
  // `environment`: "NAME=value", beside the test's own.
  Terminal(const std::vector<std::string>& arguments, int width, int height,
           const std::vector<std::string>& environment = {}) {
    winsize size = {.ws_row = static_cast<unsigned short>(height), .ws_col = static_cast<unsigned short>(width)};
    EXPECT_EQ(openpty(&master_, &slave_, nullptr, nullptr, &size), 0);
    EXPECT_EQ(tcgetattr(slave_, &before_), 0);
    std::vector<std::string> words = {HEED_BINARY_DIR "/bin/heed"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      login_tty(dup(slave_));
      close(slave_);
      close(master_);
      for (const std::string& variable : environment) putenv(const_cast<char*>(variable.c_str()));
      execv(argv[0], argv.data());
      _exit(127);
    }
  }
  ~Terminal() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(master_);
    close(slave_);
  }

  // What was written, once it has `wanted` behind what was read before; fails after 20 s.
  std::string ReadUntil(const std::string& wanted) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    std::string text;
    while (text.find(wanted) == std::string::npos) {
      pollfd wait = {.fd = master_, .events = POLLIN, .revents = 0};
      char bytes[4096];
      const ssize_t count = poll(&wait, 1, 100) > 0 ? read(master_, bytes, sizeof(bytes)) : 0;
      if (count > 0) text.append(bytes, static_cast<size_t>(count));
      if (std::chrono::steady_clock::now() < end) continue;
      ADD_FAILURE() << "no '" << wanted << "' in: " << text;
      break;
    }
    return text;
  }
  // ReadUntil() for the prompt of a line editor, which takes the terminal a moment after it: keys that come in between
  // are echoed and edited by the terminal itself.
  void ReadPrompt(const std::string& prompt) {
    ReadUntil(prompt);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    termios now = {};
    while (tcgetattr(slave_, &now) == 0 && (now.c_lflag & ICANON) != 0) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "the editor does not take the terminal";
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  void Press(const std::string& keys) {
    EXPECT_EQ(write(master_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  void Resize(int width, int height) {
    winsize size = {.ws_row = static_cast<unsigned short>(height), .ws_col = static_cast<unsigned short>(width)};
    EXPECT_EQ(ioctl(master_, TIOCSWINSZ, &size), 0);
  }
  void Signal(int signal) const { kill(pid_, signal); }
  int WaitForExit() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }
  bool as_before() const {
    termios now = {};
    tcgetattr(slave_, &now);
    return now.c_lflag == before_.c_lflag && now.c_cc[VSUSP] == before_.c_cc[VSUSP] &&
           now.c_cc[VMIN] == before_.c_cc[VMIN];
  }

 private:
  int master_ = -1;
  int slave_ = -1;  // stays open, so that the terminal outlives the program
  termios before_ = {};
  pid_t pid_ = -1;
};

}  // namespace heed::client
