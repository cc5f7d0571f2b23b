// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_exchange.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"

namespace heed {

absl::string_view HttpRequest::Header(absl::string_view name) const {
  const auto found = headers.find(std::string(name));
  return found == headers.end() ? absl::string_view() : found->second;
}

const std::string* HttpRequest::Query(absl::string_view name) const {
  const auto found = std::find_if(query.begin(), query.end(), [name](const auto& pair) { return pair.first == name; });
  return found == query.end() ? nullptr : &found->second;
}

std::string HttpRequest::ContentType() const {
  const absl::string_view value = Header("content-type");
  return absl::AsciiStrToLower(absl::StripAsciiWhitespace(value.substr(0, value.find(';'))));
}

HttpAnswer JsonError(unsigned status, absl::string_view code, absl::string_view message) {
  const std::string text(message);
  const nlohmann::ordered_json error = {{"code", std::string(code)}, {"message", text}, {"error", text}};
  return {status, error.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace), "application/json", {}};
}

}  // namespace heed
