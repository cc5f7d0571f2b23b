// SPDX-License-Identifier: Apache-2.0
// Pages for those who watch the server: a scraper, probes, a person.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/http/http_handler.h"

namespace heed {

class HttpPages final : public HttpHandler {
 public:
  // By path, as "/metrics". None may block.
  using Pages = std::map<std::string, std::function<HttpAnswer()>>;

  explicit HttpPages(Pages pages);

  std::vector<std::string> MethodsOf(absl::string_view path) const override;
  std::vector<std::string> Paths() const override;
  void Serve(std::shared_ptr<HttpExchange> exchange) override;

 private:
  const Pages pages_;
};

}  // namespace heed
