// SPDX-License-Identifier: Apache-2.0
// LibreTranslate's API over HTTP, for its clients as they are.
//
//   POST /translate           q, source, target, format, alternatives, api_key
//   POST /detect              q, api_key
//   GET  /languages           without a key, as there
//   GET  /frontend/settings   without a key
//   GET  /health              without a key
//   GET  /spec                redirects to /openapi.json
//   POST /suggest, /translate_file   403: not served
//
// Bodies are JSON, forms or multipart. Where the server has tokens, api_key is one, if there is no Authorization.
// Errors are {"error": "..."}: 400 for what is wrong with a request, 403 for the key, 413, 429 with Retry-After, 500,
// 503, 504.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/gateway/method_calls.h"
#include "server/http/http_handler.h"
#include "server/scheduling/preparation.h"

namespace heed {

// Thread-safe.
class LibreTranslateHandler final : public HttpHandler {
 public:
  // `calls` and `preparation` outlive it; it outlives what preparation runs. `asks_for_keys`: the server has tokens.
  LibreTranslateHandler(const MethodCalls& calls, Preparation& preparation, bool asks_for_keys)
      : calls_(calls), preparation_(preparation), asks_for_keys_(asks_for_keys) {}

  std::vector<std::string> MethodsOf(absl::string_view path) const override;
  std::vector<std::string> Paths() const override;
  std::optional<HttpAnswer> Refuse(const HttpRequest& head) const override;
  void Serve(std::shared_ptr<HttpExchange> exchange) override;
  HttpAnswer ErrorOf(unsigned status, absl::string_view code, absl::string_view message) const override;

 private:
  void ServeFields(const std::shared_ptr<HttpExchange>& exchange) const;

  const MethodCalls& calls_;
  Preparation& preparation_;
  const bool asks_for_keys_;
};

}  // namespace heed
