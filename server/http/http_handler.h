// SPDX-License-Identifier: Apache-2.0
// Who answers requests over HTTP: each API is one handler, and a server asks its handlers in their order.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/http/http_exchange.h"

namespace heed {

// Called on the server's I/O threads, several at a time: no method blocks or computes for long. What takes longer than
// some 0.1 ms (a large body) belongs on another thread (server/scheduling/preparation.h).
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;

  // The methods that `path` takes, as "GET" and "POST": they become the header Allow. Empty: the path is not this
  // handler's. HEAD comes with GET; OPTIONS and preflights are the server's own. The first handler that takes the
  // method at the path serves it; if none does and some take others, the answer is 405.
  virtual std::vector<std::string> MethodsOf(absl::string_view path) const = 0;

  // The paths, as the answer 404 lists them: "/v1/models/{name}".
  virtual std::vector<std::string> Paths() const = 0;

  // Called when the head of a request has come, before any of its body was read: an answer refuses the request
  // (no token, no such right). `head.body` is empty.
  virtual std::optional<HttpAnswer> Refuse(const HttpRequest& head) const {
    (void)head;
    return std::nullopt;
  }

  // The whole request has come. The handler keeps the exchange until it has answered.
  virtual void Serve(std::shared_ptr<HttpExchange> exchange) = 0;

  // The form of an error that the server brings about for a path of this handler (405, 413, 415, 503).
  virtual HttpAnswer ErrorOf(unsigned status, absl::string_view code, absl::string_view message) const {
    return JsonError(status, code, message);
  }
};

}  // namespace heed
