// SPDX-License-Identifier: Apache-2.0
// GET /: a page on which a person tries the models, in a browser. Its files are page/ of this repository.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/http/http_handler.h"

namespace heed {

// What the page cannot ask a service for.
struct PageServer {
  std::string version;
  int grpc_port = 0;  // 0: gRPC listens on no port
  bool tls = false;
  bool tokens = false;      // requests need one
  bool management = false;  // --management
};

// Everybody may read it: nothing of it is secret, and what it asks for has the rights of its reader's token. Browsers
// keep the files and ask whether they are still the same (If-None-Match). Constant after construction.
class PageHandler final : public HttpHandler {
 public:
  explicit PageHandler(const PageServer& server);

  std::vector<std::string> MethodsOf(absl::string_view path) const override;
  std::vector<std::string> Paths() const override;
  void Serve(std::shared_ptr<HttpExchange> exchange) override;

 private:
  struct File {
    std::string bytes;
    std::string gzip;
    std::string content_type;
    std::string tag;  // with its quotes; empty: browsers do not keep the file
  };

  void Add(absl::string_view name, absl::string_view bytes, std::string tag);

  std::map<std::string, File> files_;  // by path
};

}  // namespace heed
