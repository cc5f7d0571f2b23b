// SPDX-License-Identifier: Apache-2.0
#include "server/network/http_endpoint.h"

#include <microhttpd.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/telemetry/log.h"

namespace heed {
namespace {

constexpr size_t kMaxBytesOfAConnection = 16 << 10;

// libmicrohttpd 0.9.75 waits for itself for ever once its own limit is reached. It never is: of max_connections and as
// many that have to go.
constexpr unsigned kBeyondReach = 4;

MHD_Result Send(MHD_Connection* connection, HttpAnswer answer, const char* allow = nullptr) {
  MHD_Response* response =
      MHD_create_response_from_buffer(answer.body.size(), answer.body.data(), MHD_RESPMEM_MUST_COPY);
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.content_type.c_str());
  if (allow != nullptr) MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
  const MHD_Result sent = MHD_queue_response(connection, answer.status, response);
  MHD_destroy_response(response);
  return sent;
}

int DescriptorOf(MHD_Connection* connection) {
  return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

}  // namespace

struct HttpEndpoint::Calls {
  // MHD_AccessHandlerCallback: called when a request's head has come, and again, for a GET at once, when its body has.
  static MHD_Result Answer(void* endpoint, MHD_Connection* connection, const char* path, const char* method,
                           const char*, const char*, size_t*, void** state) {
    const std::string_view name = method;
    if (name != MHD_HTTP_METHOD_GET && name != MHD_HTTP_METHOD_HEAD) {
      return Send(connection, {MHD_HTTP_METHOD_NOT_ALLOWED, "this endpoint has GET alone\n"}, "GET, HEAD");
    }
    if (*state == nullptr) {
      *state = endpoint;  // anything: the head was seen
      return MHD_YES;
    }
    const Pages& pages = static_cast<const HttpEndpoint*>(endpoint)->pages_;
    const auto page = pages.find(path);
    if (page != pages.end()) return Send(connection, page->second());
    std::string known = "there is no such page; there are:";
    for (const auto& [other, make] : pages) absl::StrAppend(&known, " ", other);
    return Send(connection, {MHD_HTTP_NOT_FOUND, known + "\n"});
  }

  // MHD_RequestCompletedCallback.
  static void Completed(void* endpoint, MHD_Connection* connection, void**, MHD_RequestTerminationCode) {
    auto& self = *static_cast<HttpEndpoint*>(endpoint);
    MutexLock lock(self.mutex_);
    self.connections_.Answered(DescriptorOf(connection), Clock::now());
  }

  // MHD_NotifyConnectionCallback: before the descriptor is closed.
  static void Notify(void* endpoint, MHD_Connection* connection, void**, MHD_ConnectionNotificationCode code) {
    if (code != MHD_CONNECTION_NOTIFY_CLOSED) return;
    auto& self = *static_cast<HttpEndpoint*>(endpoint);
    MutexLock lock(self.mutex_);
    self.connections_.Remove(DescriptorOf(connection));
    self.has_room_.NotifyOne();
  }
};

HttpEndpoint::HttpEndpoint(ListeningSockets sockets, const HttpConnectionLimits& limits, Pages pages)
    : pages_(std::move(pages)),
      connections_(limits),
      listener_(std::move(sockets), {[this](int, int connection, const SocketAddress& peer) { Take(connection, peer); },
                                     [this](const absl::Status& status) { OnAccepting(status); },
                                     [this](TimePoint now) { CloseOverdue(now); }}) {}

absl::StatusOr<std::unique_ptr<HttpEndpoint>> HttpEndpoint::Serve(ListeningSockets sockets,
                                                                  const HttpConnectionLimits& limits, Pages pages) {
  std::unique_ptr<HttpEndpoint> endpoint(new HttpEndpoint(std::move(sockets), limits, std::move(pages)));
  HEED_RETURN_IF_ERROR(endpoint->StartDaemon(limits));
  endpoint->listener_.Start();
  return endpoint;
}

absl::Status HttpEndpoint::StartDaemon(const HttpConnectionLimits& limits) {
  errno = 0;
  daemon_ = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC, 0, nullptr, nullptr,
                             Calls::Answer, this, MHD_OPTION_NOTIFY_COMPLETED, Calls::Completed, this,
                             MHD_OPTION_NOTIFY_CONNECTION, Calls::Notify, this, MHD_OPTION_CONNECTION_LIMIT,
                             static_cast<unsigned>(kBeyondReach * limits.max_connections),
                             MHD_OPTION_CONNECTION_MEMORY_LIMIT, kMaxBytesOfAConnection, MHD_OPTION_END);
  if (daemon_ != nullptr) return absl::OkStatus();
  return absl::UnavailableError(errno == 0 ? "libmicrohttpd does not start" : std::strerror(errno));
}

HttpEndpoint::~HttpEndpoint() {
  listener_.Stop();
  if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
}

void HttpEndpoint::Take(int connection, const SocketAddress& peer) {
  {
    MutexLock lock(mutex_);
    // Others wait in the kernel's queue meanwhile. The library's thread never waits for this one.
    while (connections_.IsCrowded()) has_room_.Wait(mutex_);
    for (const int other : connections_.Add(connection, peer.Origin(), Clock::now())) shutdown(other, SHUT_RDWR);
  }
  // Closes the connection if it fails.
  if (MHD_add_connection(daemon_, connection, peer.get(), peer.size) == MHD_YES) return;
  MutexLock lock(mutex_);
  connections_.Remove(connection);
}

void HttpEndpoint::OnAccepting(const absl::Status& status) {
  if (!status.ok()) LogWarn("metrics", {{"problem", status.message()}});
}

void HttpEndpoint::CloseOverdue(TimePoint now) {
  MutexLock lock(mutex_);
  for (const int connection : connections_.Overdue(now)) shutdown(connection, SHUT_RDWR);
}

std::string HttpEndpoint::LibraryVersion() { return MHD_get_version(); }

}  // namespace heed
