// SPDX-License-Identifier: Apache-2.0
// A terminal as a screen to draw on and keys to read.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace heed::client {

struct ScreenSize {
  int width = 80;
  int height = 24;
};

enum class Key { kNone, kCharacter, kUp, kDown, kSuspend };

struct KeyPress {
  Key key = Key::kNone;
  char character = 0;  // of kCharacter
};

// While it lives, the terminal shows a screen of its own without a cursor, keys come one by one and unseen, and Ctrl-Z
// is a key; afterwards all is as before. One at a time; one thread. Borrows the descriptors. Interrupts are not its
// business: who lets one end the program without destroying it calls RestoreTerminal() before.
class TerminalScreen {
 public:
  // `input` may be another thing than a terminal: then there are no keys.
  TerminalScreen(int input, int output);
  ~TerminalScreen();
  TerminalScreen(const TerminalScreen&) = delete;
  TerminalScreen& operator=(const TerminalScreen&) = delete;

  ScreenSize size() const;
  // Shows `lines`, one below the other from the top, and nothing else. False: the terminal is gone.
  bool Draw(const std::string& lines);
  // The next key; kNone after `limit`, or at once when the terminal's size changed.
  KeyPress ReadKey(std::chrono::milliseconds limit);
  // Gives the terminal back and stops the program, as Ctrl-Z does; returns when it goes on.
  void Suspend();
  // Nothing can be read or written any more.
  bool gone() const { return gone_; }

 private:
  void Enter();

  const int input_;
  const int output_;
  bool gone_ = false;
};

// Gives the terminal back if a TerminalScreen has it. From any thread.
void RestoreTerminal();

}  // namespace heed::client
