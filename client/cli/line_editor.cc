// SPDX-License-Identifier: Apache-2.0
#include "client/cli/line_editor.h"

#include <fcntl.h>
#include <histedit.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cwchar>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace heed::client {
namespace {

constexpr int kHistoryLines = 1000;
constexpr char kEndOfInput = '\x04';  // Ctrl-D; Linux keeps one that was typed in the terminal's usual state as '\0'

// Makes the directories above the file, readable only for this user. Returns false if one cannot be made.
bool MakeDirectories(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (mkdir(path.substr(0, slash).c_str(), 0700) != 0 && errno != EEXIST) return false;
  }
  return true;
}

void SaveHistory(History* history, const std::string& path) {
  if (!MakeDirectories(path)) return;
  // Beside the file that may be there, and then in its place: it is whole at any time, and never readable for others.
  const std::string partial = absl::StrCat(path, ".", getpid());
  const int descriptor = open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) return;
  std::FILE* const file = fdopen(descriptor, "w");
  HistEvent event;
  bool written = file != nullptr && ::history(history, &event, H_SAVE_FP, file) >= 0;
  written = (file != nullptr ? std::fclose(file) : close(descriptor)) == 0 && written;
  if (!written || std::rename(partial.c_str(), path.c_str()) != 0) std::remove(partial.c_str());
}

}  // namespace

struct LineEditor::Editor {
  Editor(LineEditor& owner, int descriptor, std::FILE* screen)
      : wake(eventfd(0, EFD_CLOEXEC)), in(fdopen(dup(descriptor), "r")), history(history_init()) {
    HistEvent event;
    ::history(history, &event, H_SETSIZE, kHistoryLines);
    ::history(history, &event, H_SETUNIQUE, 1);
    edit = el_init("heed", in, screen, screen);
    if (edit == nullptr) return;
    el_set(edit, EL_CLIENTDATA, &owner);
    el_set(edit, EL_PROMPT,
           static_cast<char* (*)(EditLine*)>([](EditLine* line) { return Owner(line).prompt_.data(); }));
    el_set(edit, EL_GETCFN, static_cast<int (*)(EditLine*, wchar_t*)>([](EditLine* line, wchar_t* character) {
             return Owner(line).editor_->ReadCharacter(Owner(line).descriptor_, character);
           }));
    el_set(edit, EL_EDITOR, "emacs");
    el_set(edit, EL_HIST, ::history, history);
    el_set(edit, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_set(edit, EL_BIND, "\\e[3~", "ed-delete-next-char", nullptr);  // Delete
    el_source(edit, nullptr);                                         // ~/.editrc
    on_stop.emplace(owner.stop_, WakeUp{wake});
  }
  ~Editor() {
    on_stop.reset();  // waits for a callback under way
    if (edit != nullptr) el_end(edit);
    history_end(history);
    if (in != nullptr) std::fclose(in);
    close(wake);
  }

  static LineEditor& Owner(EditLine* line) {
    LineEditor* owner = nullptr;
    el_get(line, EL_CLIENTDATA, &owner);
    return *owner;
  }

  // For the next line: what is there already was typed while the terminal was in its usual state.
  void BeginLine() { typed_ahead = true; }

  // 1 if there is a character, 0 if the input ended or the stop was requested, -1 with errno on an error.
  int ReadCharacter(int descriptor, wchar_t* character) {
    std::mbstate_t state = {};
    while (true) {
      pollfd waits[2] = {{descriptor, POLLIN, 0}, {wake, POLLIN, 0}};
      if (typed_ahead && poll(waits, 2, 0) == 0) typed_ahead = false;
      if (poll(waits, 2, -1) < 0 && errno != EINTR) return -1;
      if (waits[1].revents != 0) return 0;
      if (waits[0].revents == 0) continue;
      char byte = 0;
      const ssize_t count = read(descriptor, &byte, 1);
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (count <= 0) return static_cast<int>(count);
      if (byte == '\0' && typed_ahead) byte = kEndOfInput;
      const size_t used = std::mbrtowc(character, &byte, 1, &state);
      if (used == static_cast<size_t>(-2)) continue;  // a character of several bytes
      if (used == static_cast<size_t>(-1)) {
        state = {};  // no character at all: as if it was not typed
        continue;
      }
      return 1;
    }
  }

  struct WakeUp {
    int descriptor;
    void operator()() const {
      const uint64_t one = 1;
      [[maybe_unused]] const ssize_t written = write(descriptor, &one, sizeof(one));
    }
  };

  const int wake;  // becomes readable with the stop request
  std::FILE* const in;
  History* const history;
  EditLine* edit = nullptr;
  bool typed_ahead = false;
  std::optional<std::stop_callback<WakeUp>> on_stop;
};

LineEditor::LineEditor(int descriptor, std::FILE* screen, std::stop_token stop)
    : descriptor_(descriptor), screen_(screen), stop_(std::move(stop)) {}

LineEditor::~LineEditor() {
  if (editor_ && !history_path_.empty()) SaveHistory(editor_->history, history_path_);
}

void LineEditor::SetPrompt(std::string prompt) { prompt_ = std::move(prompt); }

void LineEditor::KeepHistory(std::string path) { history_path_ = std::move(path); }

LineEditor::int_type LineEditor::underflow() {
  HistEvent event;
  if (!editor_) {
    editor_ = std::make_unique<Editor>(*this, descriptor_, screen_);
    if (!history_path_.empty()) ::history(editor_->history, &event, H_LOAD, history_path_.c_str());
  }
  if (editor_->edit == nullptr || stop_.stop_requested()) return traits_type::eof();
  el_resize(editor_->edit);
  editor_->BeginLine();
  int size = 0;
  const char* const typed = el_gets(editor_->edit, &size);
  if (typed == nullptr || size <= 0) return traits_type::eof();
  line_ = typed;
  const size_t text = line_.find_last_not_of("\r\n");
  if (text != std::string::npos && line_[0] != ' ') {
    ::history(editor_->history, &event, H_ENTER, line_.substr(0, text + 1).c_str());
  }
  setg(line_.data(), line_.data(), line_.data() + line_.size());
  return traits_type::to_int_type(line_[0]);
}

std::string HistoryPath(const std::string& name) {
  const char* const state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && state[0] == '/') return absl::StrCat(state, "/heed/", name);
  const char* const home = std::getenv("HOME");
  if (home == nullptr || home[0] != '/') return "";
  return absl::StrCat(home, "/.local/state/heed/", name);
}

}  // namespace heed::client
