// SPDX-License-Identifier: Apache-2.0
// Lines that a person edits on a terminal: keys that move and delete, earlier lines, search among them.
#pragma once

#include <cstddef>
#include <cstdio>
#include <memory>
#include <stop_token>
#include <streambuf>
#include <string>

namespace heed::client {

// A stream buffer of the lines that are typed on a terminal. The terminal is in its usual state between two reads. A
// stop request ends a read that waits and every later one, as if the input ended. Lines come as UTF-8; the process'
// LC_CTYPE has to be of UTF-8. One thread. Over libedit, whose keys are those of Emacs unless ~/.editrc says otherwise.
class LineEditor : public std::streambuf {
 public:
  // Reads the terminal `descriptor` and draws on `screen`; borrows both. The terminal is touched with the first read
  // only.
  LineEditor(int descriptor, std::FILE* screen, std::stop_token stop);
  ~LineEditor() override;  // writes the history
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  void SetPrompt(std::string prompt);
  // Earlier lines come from this file, and go there in the end: the last 1000, readable only for its owner, its
  // directories made where they are missing. Lines that begin with a blank are not kept. A file that cannot be read or
  // written is no error. Without this, lines are kept for as long as the editor lives.
  void KeepHistory(std::string path);

 protected:
  int_type underflow() override;

 private:
  struct Editor;

  const int descriptor_;
  std::FILE* const screen_;
  const std::stop_token stop_;
  std::string prompt_;
  std::string history_path_;
  std::string line_;
  std::unique_ptr<Editor> editor_;  // from the first read on
};

// Where the history `name` of this user is kept, as the XDG Base Directory Specification says:
// $XDG_STATE_HOME/heed/name, by default ~/.local/state/heed/name. Empty: nowhere, the user has no home.
std::string HistoryPath(const std::string& name);

}  // namespace heed::client
