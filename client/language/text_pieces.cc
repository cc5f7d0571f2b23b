// SPDX-License-Identifier: Apache-2.0
#include "client/language/text_pieces.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "base/utf8.h"
#include "client/cli/command_input.h"

namespace heed::client {
namespace {

// Bytes at the end of `text` that begin a character and do not finish it.
size_t UnfinishedBytes(const std::string& text) {
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xc0) == 0x80) continue;
    const size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

}  // namespace

bool TextPieces::Next(std::string& piece) {
  if (!status_.ok()) return false;
  piece = std::move(rest_);
  rest_.clear();
  const size_t kept = piece.size();
  piece.resize(kPieceBytes);
  in_.read(piece.data() + kept, static_cast<std::streamsize>(kPieceBytes - kept));
  const auto count = static_cast<size_t>(in_.gcount());
  piece.resize(kept + count);
  if (in_.bad()) {
    status_ = absl::InvalidArgumentError(absl::StrCat("cannot read ", name_, " after byte ", bytes_));
    return false;
  }
  if (bytes_ == 0) status_ = CheckNotCompressed(piece, name_, "heed read");
  if (count > 0) {
    const size_t cut = UnfinishedBytes(piece);
    rest_ = piece.substr(piece.size() - cut);
    piece.resize(piece.size() - cut);
  }
  if (const std::optional<size_t> invalid = FirstInvalidUtf8(piece); status_.ok() && invalid) {
    status_ = absl::InvalidArgumentError(
        absl::StrCat(name_, ": not UTF-8 at byte ", bytes_ + static_cast<int64_t>(*invalid) + 1));
  }
  bytes_ += static_cast<int64_t>(piece.size());
  return status_.ok() && !piece.empty();
}

}  // namespace heed::client
