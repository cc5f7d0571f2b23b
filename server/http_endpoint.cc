#include "server/http_endpoint.h"

#include <microhttpd.h>
#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace heed {
namespace {

constexpr unsigned kMostConnections = 64;
constexpr unsigned kMostIdleSeconds = 10;
constexpr size_t kMostBytesOfAConnection = 16 << 10;

MHD_Result Send(MHD_Connection* connection, HttpAnswer answer, const char* allow = nullptr) {
  MHD_Response* response =
      MHD_create_response_from_buffer(answer.body.size(), answer.body.data(), MHD_RESPMEM_MUST_COPY);
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.content_type.c_str());
  if (allow != nullptr) MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
  const MHD_Result sent = MHD_queue_response(connection, answer.status, response);
  MHD_destroy_response(response);
  return sent;
}

// MHD_AccessHandlerCallback: called when a request's head has come, and again, for a GET at once, when its body has.
MHD_Result Answer(void* endpoint, MHD_Connection* connection, const char* path, const char* method, const char*,
                  const char*, size_t*, void** state) {
  const std::string_view name = method;
  if (name != MHD_HTTP_METHOD_GET && name != MHD_HTTP_METHOD_HEAD) {
    return Send(connection, {MHD_HTTP_METHOD_NOT_ALLOWED, "this endpoint has GET alone\n"}, "GET, HEAD");
  }
  if (*state == nullptr) {
    *state = endpoint;  // anything: the head was seen
    return MHD_YES;
  }
  const HttpEndpoint::Pages& pages = static_cast<const HttpEndpoint*>(endpoint)->pages();
  const auto page = pages.find(path);
  if (page != pages.end()) return Send(connection, page->second());
  std::string known = "there is no such page; there are:";
  for (const auto& [other, make] : pages) absl::StrAppend(&known, " ", other);
  return Send(connection, {MHD_HTTP_NOT_FOUND, known + "\n"});
}

struct FreeAddresses {
  void operator()(addrinfo* addresses) const { freeaddrinfo(addresses); }
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpEndpoint>> HttpEndpoint::Listen(const std::string& address, Pages pages) {
  auto failed = [&](absl::string_view reason) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, " for HTTP: ", reason));
  };
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return failed("it names no port, as in 127.0.0.1:8002");
  absl::string_view host = absl::string_view(address).substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(host.empty() ? nullptr : std::string(host).c_str(), address.c_str() + colon + 1, &hints, &found);
  if (error != 0) return failed(gai_strerror(error));
  const std::unique_ptr<addrinfo, FreeAddresses> addresses(found);

  std::unique_ptr<HttpEndpoint> endpoint(new HttpEndpoint(std::move(pages)));
  const unsigned family = found->ai_family == AF_INET6 ? MHD_USE_IPv6 : MHD_NO_FLAG;
  errno = 0;
  endpoint->daemon_ = MHD_start_daemon(
      MHD_USE_AUTO_INTERNAL_THREAD | family, 0, nullptr, nullptr, Answer, endpoint.get(), MHD_OPTION_SOCK_ADDR,
      found->ai_addr, MHD_OPTION_CONNECTION_LIMIT, kMostConnections, MHD_OPTION_CONNECTION_TIMEOUT, kMostIdleSeconds,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, kMostBytesOfAConnection, MHD_OPTION_END);
  if (endpoint->daemon_ == nullptr) return failed(errno == 0 ? "unknown reason" : std::strerror(errno));
  return endpoint;
}

HttpEndpoint::~HttpEndpoint() {
  if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
}

std::string HttpEndpoint::LibraryVersion() { return MHD_get_version(); }

int HttpEndpoint::port() const { return MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_BIND_PORT)->port; }

}  // namespace heed
