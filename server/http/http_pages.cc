// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_pages.h"

#include <utility>

namespace heed {

HttpPages::HttpPages(Pages pages) : pages_(std::move(pages)) {}

std::vector<std::string> HttpPages::MethodsOf(absl::string_view path) const {
  if (pages_.count(std::string(path)) == 0) return {};
  return {"GET"};
}

std::vector<std::string> HttpPages::Paths() const {
  std::vector<std::string> paths;
  for (const auto& [path, page] : pages_) paths.push_back(path);
  return paths;
}

void HttpPages::Serve(std::shared_ptr<HttpExchange> exchange) {
  exchange->Answer(pages_.at(exchange->request().path)());
}

}  // namespace heed
