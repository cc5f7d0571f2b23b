// SPDX-License-Identifier: Apache-2.0
#include "server/language/line_buffer.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "base/invalid_argument.h"

namespace heed {
namespace {

bool IsWithinCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

absl::StatusOr<std::optional<std::string>> LineBuffer::Take() {
  if (text_.empty() || (!ended_ && text_.size() < kLeastPartBytes)) return std::nullopt;
  size_t end = text_.size();
  if (!ended_ || end > kMaxPartBytes) {
    // As many whole lines as a part may have.
    const size_t most = std::min(end, kMaxPartBytes);
    end = text_.rfind('\n', most - 1) + 1;
    if (end == 0 && most < kMaxPartBytes) return std::nullopt;
    if (end == 0 && whole_lines_) {
      return InvalidField("text", "has a line of more than ", kMaxPartBytes,
                          " bytes, which append_line_end does not let be cut");
    }
    if (end == 0) {
      end = most;
      while (end > 0 && !absl::ascii_isspace(static_cast<unsigned char>(text_[end - 1]))) --end;
    }
    if (end == 0) {
      end = most;
      while (end > 1 && end < text_.size() && IsWithinCharacter(text_[end])) --end;
    }
  }
  std::optional<std::string> part = text_.substr(0, end);
  text_.erase(0, end);
  return part;
}

}  // namespace heed
