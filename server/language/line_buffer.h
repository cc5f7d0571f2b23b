// SPDX-License-Identifier: Apache-2.0
// A text that comes in pieces, cut where it can be read part by part.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed {

// Holds what has come and is not a part yet: at most one piece and kMaxPartBytes. A part is at least kLeastPartBytes of
// whole lines, but for the last one. Where a line is longer than kMaxPartBytes a part ends behind its last white space;
// if it has none, between two characters. Not thread-safe.
class LineBuffer {
 public:
  static constexpr size_t kLeastPartBytes = 4 << 10;
  static constexpr size_t kMaxPartBytes = 64 << 10;

  // `whole_lines`: a line is never cut: a longer one is an error.
  explicit LineBuffer(bool whole_lines) : whole_lines_(whole_lines) {}

  // Valid UTF-8.
  void Add(absl::string_view piece) { text_.append(piece.data(), piece.size()); }
  // No more pieces come.
  void End() { ended_ = true; }
  bool ended() const { return ended_; }
  bool empty() const { return text_.empty(); }

  // Takes the next part off the front. Nothing: more has to come first, or all was taken. INVALID_ARGUMENT, about the
  // field `text`: a line is too long to be read whole.
  absl::StatusOr<std::optional<std::string>> Take();

 private:
  const bool whole_lines_;
  bool ended_ = false;
  std::string text_;
};

}  // namespace heed
