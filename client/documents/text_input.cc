// SPDX-License-Identifier: Apache-2.0
#include "client/documents/text_input.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "base/utf8.h"

namespace heed::client {

absl::Status TextInput::Error(int64_t line, absl::string_view message) const {
  return InvalidArgument(name_, ", line ", line, ": ", message);
}

absl::Status TextInput::Begin() {
  begun_ = true;
  constexpr absl::string_view kMark = "\xef\xbb\xbf";
  // Byte by byte, so that no more is waited for than what tells.
  const auto next_is = [this](int byte) { return in_.peek() == byte; };
  std::string& head = pending_;
  for (const char byte : kMark) {
    if (!next_is(static_cast<uint8_t>(byte))) break;
    head += static_cast<char>(in_.get());
  }
  if (head == kMark) std::swap(mark_, head);
  if (!mark_.empty() || !head.empty()) return absl::OkStatus();
  for (const absl::string_view magic : {"\xff\xfe", "\xfe\xff", "\x1f\x8b"}) {
    if (!next_is(static_cast<uint8_t>(magic[0]))) continue;
    head += static_cast<char>(in_.get());
    if (!next_is(static_cast<uint8_t>(magic[1]))) break;
    if (magic[0] == '\x1f')
      return InvalidArgument(name_, " is gzip-compressed: unpack it first, `gunzip -c FILE > NEW`");
    return InvalidArgument(name_, " is UTF-16, not UTF-8: convert it first, `iconv -f UTF-16 -t UTF-8 FILE > NEW`");
  }
  return absl::OkStatus();
}

absl::Status TextInput::CheckBytes(absl::string_view text, int64_t first_line) const {
  const size_t nul = text.find('\0');
  const std::optional<size_t> invalid = FirstInvalidUtf8(text);
  if (!invalid && nul == absl::string_view::npos) return absl::OkStatus();
  const size_t at = std::min(invalid.value_or(text.size()), nul);
  const absl::string_view before = text.substr(0, at);
  const int64_t line = first_line + std::count(before.begin(), before.end(), '\n');
  const size_t column = at - (before.rfind('\n') == absl::string_view::npos ? 0 : before.rfind('\n') + 1) + 1;
  if (at == nul) {
    return Error(line,
                 absl::StrCat("a NUL at byte ", column, ": this is no text, or it is UTF-16; convert that first, ",
                              "`iconv -f UTF-16LE -t UTF-8 FILE > NEW`"));
  }
  return Error(line, absl::StrCat("not UTF-8 at byte ", column, ": if the file is Latin-1, convert it first, ",
                                  "`iconv -f ISO-8859-1 -t UTF-8 FILE > NEW`"));
}

absl::StatusOr<std::optional<std::string>> TextInput::Line(size_t max_bytes) {
  if (!begun_) HEED_RETURN_IF_ERROR(Begin());
  std::string line = std::exchange(pending_, "");
  std::streambuf& buffer = *in_.rdbuf();
  try {
    for (int c = in_.good() ? buffer.sbumpc() : -1; c != std::char_traits<char>::eof(); c = buffer.sbumpc()) {
      line += static_cast<char>(c);
      if (c == '\n') break;
      if (line.size() > max_bytes) {
        return Error(line_ + 1, absl::StrCat("longer than ", max_bytes, " bytes"));
      }
    }
  } catch (const std::exception&) {
    return absl::DataLossError(absl::StrCat("cannot read ", name_, " after line ", line_));
  }
  if (line.empty()) return std::nullopt;
  ++line_;
  HEED_RETURN_IF_ERROR(CheckBytes(line, line_));
  return line;
}

absl::StatusOr<std::string> TextInput::Rest() {
  if (!begun_) HEED_RETURN_IF_ERROR(Begin());
  std::string text = std::exchange(pending_, "");
  std::string block(size_t{1} << 16, '\0');
  while (in_.read(block.data(), static_cast<std::streamsize>(block.size())) || in_.gcount() > 0) {
    text.append(block.data(), static_cast<size_t>(in_.gcount()));
    if (text.size() > kMaxDocumentBytes) {
      return InvalidArgument(name_, " is longer than ", kMaxDocumentBytes, " bytes: divide it into several files");
    }
  }
  if (in_.bad()) return absl::DataLossError(absl::StrCat("cannot read ", name_));
  HEED_RETURN_IF_ERROR(CheckBytes(text, line_ + 1));
  line_ += std::count(text.begin(), text.end(), '\n');
  return text;
}

absl::string_view WithoutLineEnd(absl::string_view line) {
  if (absl::EndsWith(line, "\n")) line.remove_suffix(1);
  if (absl::EndsWith(line, "\r")) line.remove_suffix(1);
  return line;
}

absl::string_view LineEnd(absl::string_view line) { return line.substr(WithoutLineEnd(line).size()); }

}  // namespace heed::client
