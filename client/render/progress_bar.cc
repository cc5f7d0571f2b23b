// SPDX-License-Identifier: Apache-2.0
#include "client/render/progress_bar.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace heed::client {

std::string ProgressText(const Progress& progress, std::chrono::duration<double> elapsed, int columns) {
  const double seconds = std::max(elapsed.count(), 1e-3);
  std::string text = absl::StrFormat("%d %s  %.0f %s/s", progress.lines, progress.unit,
                                     static_cast<double>(progress.lines) / seconds, progress.unit);
  if (!progress.note.empty()) absl::StrAppend(&text, "  ", progress.note);
  if (progress.total_bytes > 0) {
    const double share =
        std::clamp(static_cast<double>(progress.bytes) / static_cast<double>(progress.total_bytes), 0.0, 1.0);
    if (share > 0) {
      const auto left = static_cast<int64_t>(seconds / share - seconds + 0.5);
      absl::StrAppendFormat(&text, "  %d:%02d left", left / 60, left % 60);
    }
    const std::string percent = absl::StrFormat("%3.0f%%", 100 * share);
    const int bar = std::min(40, columns - static_cast<int>(text.size() + percent.size()) - 6);
    if (bar >= 10) {
      const auto filled = static_cast<int>(share * bar);
      const std::string head = filled < bar ? ">" : "";
      text = absl::StrCat("[", std::string(static_cast<size_t>(filled), '='), head,
                          std::string(static_cast<size_t>(bar - filled) - head.size(), ' '), "] ", percent, "  ", text);
    } else {
      text = absl::StrCat(percent, "  ", text);
    }
  }
  return text.substr(0, static_cast<size_t>(std::max(1, columns)));
}

void ProgressBar::Update(const Progress& progress, TimePoint now) {
  using std::chrono_literals::operator""ms;
  if (out_ == nullptr || now - start_ < 1000ms || (drawn_ && now - last_draw_ < 100ms)) return;
  *out_ << "\r" << ProgressText(progress, now - start_, columns_ - 1) << "\x1b[K" << std::flush;
  last_draw_ = now;
  drawn_ = true;
}

void ProgressBar::Clear() {
  if (!drawn_) return;
  *out_ << "\r\x1b[K" << std::flush;
  drawn_ = false;
}

}  // namespace heed::client
