// SPDX-License-Identifier: Apache-2.0
#include "server/sessions/deadline_stream.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/status_macros.h"

namespace heed {
namespace {

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
};
using Endpoints = std::vector<Endpoint>;

absl::StatusOr<Endpoints> LookUp(const std::string& host, int port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(host.c_str(), absl::StrCat(port).c_str(), &hints, &list);
  if (error != 0) return absl::UnavailableError(absl::StrCat(host, ": ", gai_strerror(error)));
  Endpoints endpoints;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    Endpoint& endpoint = endpoints.emplace_back();
    std::memcpy(&endpoint.address, one->ai_addr, one->ai_addrlen);
    endpoint.size = one->ai_addrlen;
  }
  freeaddrinfo(list);
  return endpoints;
}

// A look-up that its asker may have given up.
struct Resolution {
  Mutex mutex;
  CondVar changed;
  std::optional<absl::StatusOr<Endpoints>> result GUARDED_BY(mutex);
};

// getaddrinfo has no deadline, so it runs on a thread of its own, which ends when the resolver gives up.
absl::StatusOr<Endpoints> Resolve(const std::string& host, int port, TimePoint deadline) {
  if (absl::StatusOr<Endpoints> numeric = LookUp(host, port, AI_NUMERICHOST); numeric.ok()) return numeric;
  const auto resolution = std::make_shared<Resolution>();
  std::thread([resolution, host, port] {
    absl::StatusOr<Endpoints> found = LookUp(host, port, 0);
    MutexLock lock(resolution->mutex);
    resolution->result = std::move(found);
    resolution->changed.NotifyAll();
  }).detach();
  MutexLock lock(resolution->mutex);
  while (!resolution->result) {
    if (Clock::now() >= deadline) return absl::UnavailableError(absl::StrCat(host, ": its name is not found in time"));
    resolution->changed.WaitUntil(resolution->mutex, deadline);
  }
  return *resolution->result;
}

absl::Status Await(int socket, short events, TimePoint deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd file{socket, events, 0};
    const int ready = poll(&file, 1, static_cast<int>(std::clamp<int64_t>(left.count(), 0, 1'000'000)));
    if (ready > 0) return absl::OkStatus();
    if (ready == 0) return absl::UnavailableError("does not answer in time");
    if (errno != EINTR) return absl::UnavailableError(std::strerror(errno));
  }
}

absl::StatusOr<int> ConnectTo(const Endpoint& endpoint, TimePoint deadline) {
  const int socket = ::socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return absl::UnavailableError(std::strerror(errno));
  absl::Status status;
  if (connect(socket, reinterpret_cast<const sockaddr*>(&endpoint.address), endpoint.size) != 0) {
    status = errno == EINPROGRESS ? Await(socket, POLLOUT, deadline) : absl::UnavailableError(std::strerror(errno));
    int error = 0;
    socklen_t size = sizeof(error);
    if (status.ok() && (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)) {
      status = absl::UnavailableError(std::strerror(error != 0 ? error : errno));
    }
  }
  if (!status.ok()) {
    close(socket);
    return status;
  }
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return socket;
}

std::string TlsError() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  if (error == 0) return "the peer has closed the connection";
  if (ERR_SYSTEM_ERROR(error)) return std::strerror(ERR_GET_REASON(error));
  const char* const reason = ERR_reason_error_string(error);
  return reason != nullptr ? reason : absl::StrCat("error ", error);
}

}  // namespace

void DeadlineStream::FreeContext::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }
void DeadlineStream::FreeSsl::operator()(ssl_st* ssl) const { SSL_free(ssl); }

absl::StatusOr<std::unique_ptr<DeadlineStream>> DeadlineStream::Connect(const std::string& host, int port,
                                                                        const StreamTls* tls, TimePoint deadline) {
  HEED_ASSIGN_OR_RETURN(const Endpoints endpoints, Resolve(host, port, deadline));
  absl::Status last = absl::UnavailableError(absl::StrCat(host, ": has no address"));
  for (const Endpoint& endpoint : endpoints) {
    const absl::StatusOr<int> socket = ConnectTo(endpoint, deadline);
    if (!socket.ok()) {
      last = socket.status();
      continue;
    }
    std::unique_ptr<DeadlineStream> stream(new DeadlineStream(*socket));
    if (tls != nullptr) HEED_RETURN_IF_ERROR(stream->ShakeHands(host, *tls, deadline));
    return stream;
  }
  return last;
}

DeadlineStream::~DeadlineStream() { close(socket_); }

absl::Status DeadlineStream::ShakeHands(const std::string& host, const StreamTls& tls, TimePoint deadline) {
  ERR_clear_error();
  context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  const bool trusts = tls.ca_file.empty()
                          ? SSL_CTX_set_default_verify_paths(context_.get()) == 1
                          : SSL_CTX_load_verify_locations(context_.get(), tls.ca_file.c_str(), nullptr) == 1;
  if (!trusts) return absl::InvalidArgumentError(absl::StrCat(tls.ca_file, ": ", TlsError()));
  if (!tls.certificate_file.empty() &&
      (SSL_CTX_use_certificate_chain_file(context_.get(), tls.certificate_file.c_str()) != 1 ||
       SSL_CTX_use_PrivateKey_file(context_.get(), tls.key_file.c_str(), SSL_FILETYPE_PEM) != 1)) {
    return absl::InvalidArgumentError(absl::StrCat(tls.certificate_file, ", ", tls.key_file, ": ", TlsError()));
  }
  ssl_.reset(SSL_new(context_.get()));
  X509_VERIFY_PARAM* const peer = SSL_get0_param(ssl_.get());
  in6_addr address{};
  const bool is_address =
      inet_pton(AF_INET, host.c_str(), &address) == 1 || inet_pton(AF_INET6, host.c_str(), &address) == 1;
  if (is_address) {
    X509_VERIFY_PARAM_set1_ip_asc(peer, host.c_str());
  } else {
    X509_VERIFY_PARAM_set1_host(peer, host.c_str(), 0);
    SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
  }
  SSL_set_fd(ssl_.get(), socket_);
  for (int result = SSL_connect(ssl_.get()); result != 1; result = SSL_connect(ssl_.get())) {
    const long verified = SSL_get_verify_result(ssl_.get());
    if (verified != X509_V_OK) {
      return absl::UnavailableError(
          absl::StrCat("TLS: the server's certificate: ", X509_verify_cert_error_string(verified)));
    }
    HEED_RETURN_IF_ERROR(AwaitTls(result, deadline));
  }
  return absl::OkStatus();
}

absl::Status DeadlineStream::AwaitTls(int result, TimePoint deadline) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Await(socket_, POLLIN, deadline);
    case SSL_ERROR_WANT_WRITE:
      return Await(socket_, POLLOUT, deadline);
    case SSL_ERROR_ZERO_RETURN:
      return absl::UnavailableError("the peer has closed the connection");
    default:
      return absl::UnavailableError(absl::StrCat("TLS: ", TlsError()));
  }
}

absl::Status DeadlineStream::Write(absl::string_view bytes, TimePoint deadline) {
  while (!bytes.empty()) {
    if (ssl_ != nullptr) {
      ERR_clear_error();
      size_t sent = 0;
      const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &sent);
      if (result == 1) {
        bytes.remove_prefix(sent);
      } else {
        HEED_RETURN_IF_ERROR(AwaitTls(result, deadline));
      }
      continue;
    }
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno == EAGAIN) {
      HEED_RETURN_IF_ERROR(Await(socket_, POLLOUT, deadline));
    } else if (errno != EINTR) {
      return absl::UnavailableError(std::strerror(errno));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> DeadlineStream::Read(absl::Span<char> buffer, TimePoint deadline) {
  while (true) {
    if (ssl_ != nullptr) {
      ERR_clear_error();
      size_t received = 0;
      const int result = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &received);
      if (result == 1) return received;
      HEED_RETURN_IF_ERROR(AwaitTls(result, deadline));
      continue;
    }
    const ssize_t received = recv(socket_, buffer.data(), buffer.size(), 0);
    if (received > 0) return static_cast<size_t>(received);
    if (received == 0) return absl::UnavailableError("the peer has closed the connection");
    if (errno == EAGAIN) {
      HEED_RETURN_IF_ERROR(Await(socket_, POLLIN, deadline));
    } else if (errno != EINTR) {
      return absl::UnavailableError(std::strerror(errno));
    }
  }
}

}  // namespace heed
