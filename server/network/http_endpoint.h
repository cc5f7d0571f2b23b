// SPDX-License-Identifier: Apache-2.0
// Pages over HTTP/1.1 for those who watch the server: a scraper, probes, a person. Apart from gRPC's port, threads and
// limits.
//
// libmicrohttpd is known to http_endpoint.cc alone.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "server/network/http_connections.h"
#include "server/network/listener.h"

struct MHD_Daemon;
struct MHD_Connection;

namespace heed {

struct HttpAnswer {
  unsigned status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
};

// Two threads: one accepts, one reads, writes and calls the pages: none of them may block. A connection that has no
// answer after max_exchange is closed, so is one to make room for a new one (HttpConnections): whoever sends slowly, or
// opens many connections, keeps nobody else from an answer. Heads of requests have at most 16 KiB. Only GET and HEAD:
// other methods are 405, other paths 404.
class HttpEndpoint {
 public:
  // By path, as "/metrics".
  using Pages = std::map<std::string, std::function<HttpAnswer()>>;

  // Answers those who connect to `sockets`. UNAVAILABLE: the library cannot be started.
  static absl::StatusOr<std::unique_ptr<HttpEndpoint>> Serve(ListeningSockets sockets,
                                                             const HttpConnectionLimits& limits, Pages pages);
  // Closes its connections, without waiting for anybody.
  ~HttpEndpoint();
  HttpEndpoint(const HttpEndpoint&) = delete;
  HttpEndpoint& operator=(const HttpEndpoint&) = delete;

  int port() const { return listener_.sockets().port(); }
  const std::string& address() const { return listener_.sockets().address(); }
  static std::string LibraryVersion();

 private:
  struct Calls;  // the library's calls back

  HttpEndpoint(ListeningSockets sockets, const HttpConnectionLimits& limits, Pages pages);
  absl::Status StartDaemon(const HttpConnectionLimits& limits);
  void Take(int connection, const SocketAddress& peer) EXCLUDES(mutex_);
  void OnAccepting(const absl::Status& status);
  void CloseOverdue(TimePoint now) EXCLUDES(mutex_);

  const Pages pages_;
  MHD_Daemon* daemon_ = nullptr;  // constant after Serve

  Mutex mutex_;
  CondVar has_room_;
  // A descriptor leaves it before the library closes it: those that are in it may be shut down while this is locked.
  HttpConnections connections_ GUARDED_BY(mutex_);

  Listener listener_;  // the last: its thread uses the others
};

}  // namespace heed
