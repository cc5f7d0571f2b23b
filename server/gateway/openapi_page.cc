// SPDX-License-Identifier: Apache-2.0
#include "server/gateway/openapi_page.h"

#include <utility>

#include "server/gateway/accepted_encoding.h"
#include "server/gateway/openapi.h"

namespace heed {
namespace {

constexpr char kOpenApiPath[] = "/openapi.json";

}  // namespace

OpenApiPage::OpenApiPage(const std::vector<std::string>& services)
    : json_(OpenApi(services).dump()), gzip_(DeflateMessage(json_, MessageCompression::kGzip)) {}

std::vector<std::string> OpenApiPage::MethodsOf(absl::string_view path) const {
  if (path == kOpenApiPath) return {"GET"};
  return {};
}

std::vector<std::string> OpenApiPage::Paths() const { return {kOpenApiPath}; }

void OpenApiPage::Serve(std::shared_ptr<HttpExchange> exchange) {
  const bool gzip = AcceptedEncoding(exchange->request()) == MessageCompression::kGzip;
  HttpAnswer answer{200, gzip ? gzip_ : json_, "application/json", {{"Vary", "Accept-Encoding"}}};
  if (gzip) answer.headers.emplace_back("Content-Encoding", "gzip");
  exchange->Answer(std::move(answer));
}

}  // namespace heed
