// SPDX-License-Identifier: Apache-2.0
#include "server/http/cross_origin.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/invalid_argument.h"

namespace heed {
namespace {

constexpr char kMaxPreflightAge[] = "7200";  // seconds; browsers cap it there

}  // namespace

absl::StatusOr<std::vector<std::string>> CrossOrigin::ParseOrigins(absl::string_view text) {
  std::vector<std::string> origins;
  for (const absl::string_view part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::string origin = absl::AsciiStrToLower(absl::StripAsciiWhitespace(part));
    const size_t scheme = origin.find("://");
    const bool is_origin = scheme != origin.npos && scheme > 0 && scheme + 3 < origin.size() &&
                           origin.find_first_of("/ ?#*", scheme + 3) == origin.npos;
    if (origin != "*" && !is_origin) {
      return InvalidArgument("\"", part, "\" is no origin, as in https://example.com or http://localhost:3000, nor *");
    }
    origins.push_back(origin);
  }
  return origins;
}

bool CrossOrigin::IsPreflight(const HttpRequest& request) {
  return request.method == "OPTIONS" && !request.Header("origin").empty() &&
         !request.Header("access-control-request-method").empty();
}

bool CrossOrigin::Allows(absl::string_view origin) const {
  const std::string lower = absl::AsciiStrToLower(origin);
  return std::any_of(origins_.begin(), origins_.end(),
                     [&](const std::string& allowed) { return allowed == "*" || allowed == lower; });
}

void CrossOrigin::Add(absl::string_view origin, HttpAnswer& answer) const {
  if (!is_on()) return;
  answer.headers.emplace_back("Vary", "Origin");
  if (origin.empty() || !Allows(origin)) return;
  answer.headers.emplace_back("Access-Control-Allow-Origin", std::string(origin));
  answer.headers.emplace_back("Access-Control-Expose-Headers", "*");
}

HttpAnswer CrossOrigin::AnswerPreflight(const HttpRequest& request, const std::vector<std::string>& methods) const {
  HttpAnswer answer{204, "", ""};
  const absl::string_view origin = request.Header("origin");
  if (!is_on() || !Allows(origin)) {
    return JsonError(403, "permission_denied",
                     absl::StrCat("pages of ", origin, " may not use this server (--http_cors_origins)"));
  }
  AddHeaders(request, answer);
  answer.headers.emplace_back("Access-Control-Allow-Methods", absl::StrJoin(methods, ", "));
  // Whichever it asks for: what a header may say is checked where it is read.
  if (const absl::string_view headers = request.Header("access-control-request-headers"); !headers.empty()) {
    answer.headers.emplace_back("Access-Control-Allow-Headers", std::string(headers));
  }
  answer.headers.emplace_back("Access-Control-Max-Age", kMaxPreflightAge);
  return answer;
}

}  // namespace heed
