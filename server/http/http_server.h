// SPDX-License-Identifier: Apache-2.0
// An asynchronous server of HTTP/1.1: connections, heads, bodies, limits, TLS, CORS. What is answered is its handlers'.
//
// libmicrohttpd is known to http_server.cc alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "server/http/http_connections.h"
#include "server/http/http_handler.h"
#include "server/network/listening_sockets.h"
#include "server/security/certificates.h"
#include "server/telemetry/metrics.h"

namespace heed {

struct HttpServerOptions {
  std::string name = "http";  // in the log and in the label `port` of the metrics: "http", "metrics"
  int threads = 2;            // that read, write and call handlers
  HttpConnectionLimits connections;
  bool limit_loopback = false;  // whether max_per_origin also holds for loopback addresses
  // Of one body, as it comes and inflated. A larger one is 413.
  int64_t max_body_bytes = 16 << 20;
  // Of all bodies that came and are still held, and of the answers that wait. A body beyond it is 503, with
  // Retry-After.
  int64_t max_bytes = 256 << 20;
  // Of the pieces of one stream that its client has not taken. Beyond it the client is cut off.
  int64_t max_waiting_bytes = 4 << 20;
  // A stream of server-sent events that is silent for so long gets a comment.
  Clock::duration heartbeat = std::chrono::seconds(15);
  // CrossOrigin::ParseOrigins; empty: no page of another origin may read an answer.
  std::vector<std::string> cors_origins;
  // Runs the work of a body of so many bytes: at once, or on another thread (Preparation::Run), while the handlers
  // live. Null: at once.
  std::function<absl::Status(int64_t bytes, std::function<void()> work)> run_large;
};

// Threads: one accepts, `threads` read, write and call the handlers, and one watches for clients that leave. None waits
// for a call: a connection whose request is being served takes no thread. A connection that is slower than
// HttpConnectionLimits allow is closed, so is one to make room for a new one: whoever sends or reads slowly, or opens
// many connections, keeps nobody else from an answer. A client that closes its side while it waits has left.
//
// Heads of requests have at most 16 KiB. Bodies may be chunked, and in gzip or deflate (Content-Encoding). A request
// that is refused before its body has come is answered at once if it asked first (Expect: 100-continue), else behind
// its body, which is thrown away as it comes. Thread-safe.
class HttpServer {
 public:
  // Answers those who connect to `sockets` with `handlers`, which outlive it, as does the rest. `certificates`: null:
  // plain text; a new handshake takes the newest. UNAVAILABLE: the library cannot be started.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Serve(ListeningSockets sockets, HttpServerOptions options,
                                                           CertificateFiles* certificates,
                                                           std::vector<HttpHandler*> handlers, Metrics& metrics);
  // Closes its connections, without waiting for anybody. No handler is called afterwards, nor a callback of an
  // exchange.
  virtual ~HttpServer() = default;
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  virtual int port() const = 0;  // 0: of a Unix socket
  virtual const std::string& address() const = 0;

  // Every answer from now on ends its connection (Connection: close). Requests are served as before, so that handlers
  // say why they refuse.
  virtual void Drain() = 0;
  // Takes no more connections, closes those that wait for a request, and returns once no request is under way, at most
  // at `latest`. Once.
  virtual void WaitUntilIdle(TimePoint latest) = 0;

  static std::string LibraryVersion();

 protected:
  HttpServer() = default;
};

}  // namespace heed
