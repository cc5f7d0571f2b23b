// Pages over HTTP/1.1 for those who watch the server: a scraper, probes, a person. Apart from gRPC's port, thread and
// limits.
//
// libmicrohttpd is known to http_endpoint.cc alone.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

struct MHD_Daemon;

namespace heed {

struct HttpAnswer {
  unsigned status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
};

// One thread, which reads, writes and calls the pages: none of them may block. At most 64 connections, others wait or
// are closed; heads of requests of at most 16 KiB; what is idle for 10 s is closed. GET and HEAD alone: other methods
// are 405, other paths 404.
class HttpEndpoint {
 public:
  // By path, as "/metrics".
  using Pages = std::map<std::string, std::function<HttpAnswer()>>;

  // Listens on `address` (host:port; port 0 picks a free one). UNAVAILABLE: it cannot be listened on.
  static absl::StatusOr<std::unique_ptr<HttpEndpoint>> Listen(const std::string& address, Pages pages);
  // Closes its connections, without waiting for anybody.
  ~HttpEndpoint();
  HttpEndpoint(const HttpEndpoint&) = delete;
  HttpEndpoint& operator=(const HttpEndpoint&) = delete;

  int port() const;
  static std::string LibraryVersion();
  const Pages& pages() const { return pages_; }

 private:
  explicit HttpEndpoint(Pages pages) : pages_(std::move(pages)) {}

  const Pages pages_;
  MHD_Daemon* daemon_ = nullptr;  // constant after Listen
};

}  // namespace heed
