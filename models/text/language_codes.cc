// SPDX-License-Identifier: Apache-2.0
#include "models/text/language_codes.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/code_points.h"
#include "base/status_macros.h"

namespace heed {
namespace {

constexpr size_t kLongestUnknownCode = 16;  // between its marks
constexpr size_t kLongestCode = 64;         // of those that a model has

bool EndsLine(UChar32 c) { return c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029; }

bool IsCodeCharacter(char byte) {
  return absl::ascii_isalnum(static_cast<unsigned char>(byte)) || byte == '_' || byte == '-';
}

// The length of what looks like a code at the beginning of text: ">>deu<<"; 0 if nothing does.
size_t CodeLength(absl::string_view text) {
  if (!absl::StartsWith(text, ">>")) return 0;
  size_t end = 2;
  while (end < text.size() && end - 2 < kLongestCode && IsCodeCharacter(text[end])) ++end;
  return end > 2 && absl::StartsWith(text.substr(end), "<<") ? end + 2 : 0;
}

// The code with which text begins, or nothing if it begins with text. `begins` says so in an error.
absl::StatusOr<absl::string_view> ReadCode(absl::string_view text, const std::vector<std::string>& codes,
                                           absl::string_view begins) {
  const absl::string_view code = text.substr(0, CodeLength(text));
  if (code.empty() || std::binary_search(codes.begin(), codes.end(), code)) return code;
  const UChar32 next = CodePointAt(text, static_cast<int32_t>(code.size()));
  const bool ends = next < 0 || IsInvisible(next) || u_isalnum(next);
  if (code.size() > kLongestUnknownCode + 4 || !ends) return absl::string_view();
  return absl::InvalidArgumentError(
      absl::StrCat(begins, " ", code, ", but this model's languages are ", absl::StrJoin(codes, " ")));
}

// The end of the invisible characters at the beginning of text, which a line break ends if `within_line`.
size_t SkipInvisible(absl::string_view text, bool within_line) {
  for (int32_t i = 0, before = 0; i < static_cast<int32_t>(text.size()); before = i) {
    const UChar32 c = NextCodePoint(text, i);
    if (!IsInvisible(c) || (within_line && EndsLine(c))) return static_cast<size_t>(before);
  }
  return text.size();
}

// The end of the white space behind a code.
size_t SkipSpaceWithinLine(absl::string_view text) {
  for (int32_t i = 0, before = 0; i < static_cast<int32_t>(text.size()); before = i) {
    const UChar32 c = NextCodePoint(text, i);
    if (!IsSpace(c) || EndsLine(c)) return static_cast<size_t>(before);
  }
  return text.size();
}

size_t LineEnd(absl::string_view text) {
  for (int32_t i = 0; i < static_cast<int32_t>(text.size());) {
    const UChar32 c = NextCodePoint(text, i);
    if (!EndsLine(c)) continue;
    const size_t end = static_cast<size_t>(i);
    return c == '\r' && absl::StartsWith(text.substr(end), "\n") ? end + 1 : end;
  }
  return text.size();
}

}  // namespace

absl::StatusOr<std::vector<LanguageStretch>> SplitAtLanguageCodes(absl::string_view text,
                                                                  const std::vector<std::string>& codes) {
  std::vector<LanguageStretch> stretches;
  LanguageStretch of_text;  // what holds for lines without a code
  if (codes.empty() || text.find(">>") == absl::string_view::npos) {
    of_text.body = text;
    return std::vector<LanguageStretch>{of_text};
  }
  size_t begin = 0;  // of the present stretch's body
  const auto end_body = [&](size_t end) { stretches.back().body = text.substr(begin, end - begin); };
  size_t line = 0;
  while (line < text.size()) {
    // The text's own code may be behind blank lines.
    const size_t at = line + SkipInvisible(text.substr(line), /*within_line=*/line > 0);
    HEED_ASSIGN_OR_RETURN(const absl::string_view code,
                          ReadCode(text.substr(at), codes, line == 0 ? "begins with" : "has a line that begins with"));
    size_t behind = at;
    if (!code.empty()) {
      behind += code.size();
      behind += SkipSpaceWithinLine(text.substr(behind));
      if (line > 0) end_body(line);
      stretches.push_back({text.substr(line, at - line), code, text.substr(at, behind - at), {}});
      if (line == 0) of_text = {{}, code, stretches.back().prefix, {}};
      begin = behind;
    } else if (line == 0) {
      stretches.push_back(of_text);
    } else if (stretches.back().code != of_text.code) {
      end_body(line);
      stretches.push_back(of_text);
      begin = line;
    }
    line = behind + LineEnd(text.substr(behind));
  }
  end_body(text.size());
  return stretches;
}

}  // namespace heed
