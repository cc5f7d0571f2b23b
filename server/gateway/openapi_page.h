// SPDX-License-Identifier: Apache-2.0
// GET /openapi.json: what this server serves over HTTP, for people, and for programs that make clients.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/http/http_handler.h"

namespace heed {

// Everybody may read it. Constant after construction.
class OpenApiPage final : public HttpHandler {
 public:
  // `services`: as of OpenApi (openapi.h), which this calls.
  explicit OpenApiPage(const std::vector<std::string>& services);

  std::vector<std::string> MethodsOf(absl::string_view path) const override;
  std::vector<std::string> Paths() const override;
  void Serve(std::shared_ptr<HttpExchange> exchange) override;

 private:
  const std::string json_;
  const std::string gzip_;
};

}  // namespace heed
