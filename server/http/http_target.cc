// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_target.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "base/utf8.h"

namespace heed {
namespace {

int HexDigit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  const char lower = absl::ascii_tolower(static_cast<unsigned char>(digit));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

absl::StatusOr<std::string> Unescape(absl::string_view text, bool plus_is_space) {
  std::string result;
  result.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      result += ' ';
    } else if (text[i] == '%') {
      const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
      if (high < 0 || low < 0 || (high == 0 && low == 0)) {
        return InvalidArgument("\"", text.substr(i, 3), "\" is no escape of a character");
      }
      result += static_cast<char>(16 * high + low);
      i += 2;
    } else {
      result += text[i];
    }
  }
  if (FirstInvalidUtf8(result)) return InvalidArgument("a text in it is no UTF-8");
  return result;
}

}  // namespace

absl::StatusOr<HttpTarget> ParseTarget(absl::string_view text) {
  HttpTarget target;
  const size_t question = text.find('?');
  absl::string_view path = text.substr(0, question);
  // The form for proxies: http://host:port/path.
  if (absl::StartsWith(path, "http://") || absl::StartsWith(path, "https://")) {
    path.remove_prefix(path.find("//") + 2);
    path = path.find('/') == path.npos ? "/" : path.substr(path.find('/'));
  }
  if (path != "*" && !absl::StartsWith(path, "/")) return InvalidArgument("the target does not begin with /");
  HEED_ASSIGN_OR_RETURN(target.path, Unescape(path, false));
  if (question != text.npos) {
    HEED_ASSIGN_OR_RETURN(target.query, ParseForm(text.substr(question + 1)));
  }
  return target;
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseForm(absl::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const absl::string_view pair : absl::StrSplit(text, '&', absl::SkipEmpty())) {
    const size_t equals = pair.find('=');
    HEED_ASSIGN_OR_RETURN(std::string name, Unescape(pair.substr(0, equals), true));
    std::string value;
    if (equals != pair.npos) {
      HEED_ASSIGN_OR_RETURN(value, Unescape(pair.substr(equals + 1), true));
    }
    pairs.emplace_back(std::move(name), std::move(value));
  }
  return pairs;
}

}  // namespace heed
