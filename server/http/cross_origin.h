// SPDX-License-Identifier: Apache-2.0
// Which pages of other origins a browser lets read the answers (CORS).
//
// Source: Fetch, https://fetch.spec.whatwg.org/#http-cors-protocol
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/http/http_exchange.h"

namespace heed {

class CrossOrigin {
 public:
  // `origins`: "https://example.com", "http://localhost:3000"; "*": every one. Tokens travel in a header, not in
  // cookies, so credentials are never allowed.
  explicit CrossOrigin(std::vector<std::string> origins) : origins_(std::move(origins)) {}

  // INVALID_ARGUMENT: "https://example.com/" is no origin: SCHEME://HOST[:PORT].
  static absl::StatusOr<std::vector<std::string>> ParseOrigins(absl::string_view text);

  bool is_on() const { return !origins_.empty(); }
  // Whether OPTIONS asks for leave to make another request.
  static bool IsPreflight(const HttpRequest& request);
  // What answers it, for a path that takes `methods`.
  HttpAnswer AnswerPreflight(const HttpRequest& request, const std::vector<std::string>& methods) const;
  // The headers of every other answer.
  void AddHeaders(const HttpRequest& request, HttpAnswer& answer) const { Add(request.Header("origin"), answer); }
  // For the origin that a request named; empty: none.
  void Add(absl::string_view origin, HttpAnswer& answer) const;

 private:
  bool Allows(absl::string_view origin) const;

  const std::vector<std::string> origins_;
};

}  // namespace heed
