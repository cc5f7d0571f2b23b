// SPDX-License-Identifier: Apache-2.0
// A text of any length in pieces.
#pragma once

#include <cstdint>
#include <istream>
#include <string>

#include "absl/status/status.h"

namespace heed::client {

// Cuts between characters. Holds one piece at a time. Borrows the stream. Not thread-safe.
class TextPieces {
 public:
  // Small, so that a slow model answers often.
  static constexpr size_t kPieceBytes = 8 << 10;

  // `name` is for errors.
  TextPieces(std::istream& in, std::string name) : in_(in), name_(std::move(name)) {}

  // The next piece, not empty. False: there is none; status() says why.
  bool Next(std::string& piece);
  // OK at the end of the text. INVALID_ARGUMENT: it is compressed, not UTF-8, or cannot be read, and where.
  const absl::Status& status() const { return status_; }

 private:
  std::istream& in_;
  const std::string name_;
  std::string rest_;  // the first bytes of a character that was cut
  int64_t bytes_ = 0;
  absl::Status status_;
};

}  // namespace heed::client
