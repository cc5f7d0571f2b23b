// SPDX-License-Identifier: Apache-2.0
#include "client/top/terminal_screen.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "base/mutex.h"

namespace heed::client {
namespace {

constexpr char kEnter[] = "\x1b[?1049h\x1b[?25l\x1b[2J";
constexpr char kLeave[] = "\x1b[?25h\x1b[?1049l";

// What RestoreTerminal() does: set by the screen that there is.
struct Borrowed {
  Mutex mutex;
  int output GUARDED_BY(mutex) = -1;           // -1: no screen
  int input GUARDED_BY(mutex) = -1;            // -1: no keys
  termios before GUARDED_BY(mutex) = {};       // of `input`
  struct sigaction resized GUARDED_BY(mutex);  // what SIGWINCH did before
};

Borrowed& TheBorrowed() {
  static Borrowed borrowed;
  return borrowed;
}

bool HasKeys() {
  Borrowed& borrowed = TheBorrowed();
  const MutexLock lock(borrowed.mutex);
  return borrowed.input >= 0;
}

bool WriteAll(int descriptor, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t written = write(descriptor, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    data += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

// Its only purpose is to end a poll().
void OnResize(int) {}

}  // namespace

TerminalScreen::TerminalScreen(int input, int output) : input_(input), output_(output) { Enter(); }

TerminalScreen::~TerminalScreen() { RestoreTerminal(); }

void TerminalScreen::Enter() {
  Borrowed& borrowed = TheBorrowed();
  const MutexLock lock(borrowed.mutex);
  borrowed.output = output_;
  borrowed.input = -1;
  if (tcgetattr(input_, &borrowed.before) == 0) {
    borrowed.input = input_;
    termios keys = borrowed.before;
    keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    keys.c_cc[VMIN] = 0;
    keys.c_cc[VTIME] = 0;
    keys.c_cc[VSUSP] = _POSIX_VDISABLE;
    tcsetattr(input_, TCSADRAIN, &keys);
  }
  struct sigaction resized = {};
  resized.sa_handler = OnResize;  // without SA_RESTART
  sigaction(SIGWINCH, &resized, &borrowed.resized);
  gone_ = !WriteAll(output_, kEnter, sizeof(kEnter) - 1);
}

void RestoreTerminal() {
  Borrowed& borrowed = TheBorrowed();
  const MutexLock lock(borrowed.mutex);
  if (borrowed.output < 0) return;
  WriteAll(borrowed.output, kLeave, sizeof(kLeave) - 1);
  if (borrowed.input >= 0) tcsetattr(borrowed.input, TCSADRAIN, &borrowed.before);
  sigaction(SIGWINCH, &borrowed.resized, nullptr);
  borrowed.output = -1;
}

ScreenSize TerminalScreen::size() const {
  winsize size = {};
  if (ioctl(output_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {.width = size.ws_col, .height = size.ws_row};
}

bool TerminalScreen::Draw(const std::string& lines) {
  std::string text = "\x1b[H";
  for (const char letter : lines) {
    // What stood on the line's rest goes; in raw output a line's end needs its return, too.
    if (letter == '\n') text += "\x1b[K\r";
    text += letter;
  }
  text += "\x1b[K\x1b[J";
  gone_ = gone_ || !WriteAll(output_, text.data(), text.size());
  return !gone_;
}

KeyPress TerminalScreen::ReadKey(std::chrono::milliseconds limit) {
  const bool keys = HasKeys();
  pollfd wait = {.fd = keys ? input_ : -1, .events = POLLIN, .revents = 0};
  if (poll(&wait, 1, static_cast<int>(limit.count())) <= 0) return {};
  char first = 0;
  if (read(input_, &first, 1) <= 0) {
    gone_ = true;
    return {};
  }
  if (first == '\x1a') return {.key = Key::kSuspend};
  if (first != '\x1b') return {.key = Key::kCharacter, .character = first};
  // An arrow is ESC [ A or ESC O A, which come together.
  std::array<char, 2> rest = {};
  for (char& letter : rest) {
    if (poll(&wait, 1, 0) <= 0 || read(input_, &letter, 1) <= 0) return {};
  }
  if (rest[0] != '[' && rest[0] != 'O') return {};
  return {.key = rest[1] == 'A' ? Key::kUp : rest[1] == 'B' ? Key::kDown : Key::kNone};
}

void TerminalScreen::Suspend() {
  RestoreTerminal();
  kill(0, SIGTSTP);  // the whole foreground job, as the terminal does
  Enter();
}

}  // namespace heed::client
