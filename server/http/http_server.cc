// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_server.h"

#include <microhttpd.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "server/http/byte_budget.h"
#include "server/http/client_watch.h"
#include "server/http/cross_origin.h"
#include "server/http/http_target.h"
#include "server/http/http_transaction.h"
#include "server/http/tls_credentials.h"
#include "server/messages/message_inflation.h"
#include "server/network/listener.h"
#include "server/telemetry/log.h"

namespace heed {
namespace {

constexpr size_t kMaxBytesOfAConnection = 16 << 10;

// libmicrohttpd 0.9.75 waits for itself for ever once its own limit is reached. It never is: of max_connections and as
// many that have to go.
constexpr unsigned kBeyondReach = 4;

// A larger answer is given to the library piece by piece, so that it is seen how fast its client takes it.
constexpr uint64_t kMaxWholeAnswer = 64 << 10;
constexpr size_t kBlockBytes = 32 << 10;

// A body that is refused is thrown away up to so many times what a body may have; then its connection is closed.
constexpr int64_t kMaxThrownAway = 4;

constexpr char kRetrySeconds[] = "1";

std::string PeerText(const SocketAddress& peer) {
  switch (peer.storage.ss_family) {
    case AF_INET:
      return absl::StrCat("ipv4:", peer.Text());
    case AF_INET6:
      return absl::StrCat("ipv6:", peer.Text());
    default:
      return peer.Text();
  }
}

std::string_view ClassOf(unsigned status) {
  static constexpr std::string_view kClasses[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
  return kClasses[std::clamp(status / 100, 1U, 5U) - 1];
}

bool HasBody(const HttpRequest& request) {
  return !request.Header("transfer-encoding").empty() ||
         (!request.Header("content-length").empty() && request.Header("content-length") != "0");
}

// What the library leaves to us: a head that says two things about its body could be read in two ways by a proxy and
// by us. Not OK: its connection is not to be used for another request.
absl::Status CheckFraming(const HttpRequest& head, bool is_http_1_0) {
  for (const auto& [name, value] : head.headers) {
    if (name.find_first_of(" \t") != std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat("the name of the header \"", name, "\" has a blank"));
    }
  }
  const auto encoding = head.headers.find("transfer-encoding");
  const auto length = head.headers.find("content-length");
  if (encoding != head.headers.end()) {
    if (!absl::EqualsIgnoreCase(encoding->second, "chunked")) {
      return absl::InvalidArgumentError(
          absl::StrCat("Transfer-Encoding: ", encoding->second, ": only chunked is known"));
    }
    if (length != head.headers.end()) {
      return absl::InvalidArgumentError("the head has both Content-Length and Transfer-Encoding");
    }
    if (is_http_1_0) return absl::InvalidArgumentError("HTTP/1.0 has no Transfer-Encoding");
  }
  if (length != head.headers.end() &&
      (length->second.empty() || !std::all_of(length->second.begin(), length->second.end(), absl::ascii_isdigit))) {
    return absl::InvalidArgumentError(absl::StrCat("Content-Length: ", length->second, ": is not one number"));
  }
  return absl::OkStatus();
}

MHD_Result AddRequestHeader(void* to, MHD_ValueKind, const char* name, const char* value) {
  auto& headers = *static_cast<std::map<std::string, std::string>*>(to);
  const auto [header, added] = headers.try_emplace(absl::AsciiStrToLower(name), value == nullptr ? "" : value);
  if (!added && value != nullptr) absl::StrAppend(&header->second, ", ", value);
  return MHD_YES;
}

class Exchange final : public HttpExchange {
 public:
  Exchange(HttpRequest request, std::shared_ptr<HttpTransaction> transaction, std::unique_ptr<ByteShare> body_share)
      : HttpExchange(std::move(request)), transaction_(std::move(transaction)), body_share_(std::move(body_share)) {}
  ~Exchange() override { transaction_->LetGo(); }

  std::string TakeBody() override {
    body_share_ = nullptr;
    return std::exchange(request_.body, {});
  }
  void Answer(HttpAnswer answer) override { transaction_->Answer(std::move(answer)); }
  void BeginStream(HttpAnswer head) override { transaction_->BeginStream(std::move(head)); }
  bool Send(std::string piece, std::function<void()> taken) override {
    return transaction_->Send(std::move(piece), std::move(taken));
  }
  void End() override { transaction_->End(); }
  void Abort() override { transaction_->Abort(); }
  void OnGone(std::function<void()> gone) override { transaction_->OnGone(std::move(gone)); }
  bool gone() const override { return transaction_->gone(); }

  // Puts the inflated body in place. Before it is served.
  void SetBody(std::string body) {
    body_share_->Force(static_cast<int64_t>(body.capacity()));
    request_.body = std::move(body);
  }

 private:
  const std::shared_ptr<HttpTransaction> transaction_;
  std::unique_ptr<ByteShare> body_share_;
};

class MicroHttpServer;

// One connection, from when it was accepted until it is closed.
struct Connection {
  MicroHttpServer* server;
  int descriptor;
  uint64_t id;
  SocketAddress peer;
  std::shared_ptr<void> tls;  // what its TLS session uses
  // Guarded by the server.
  std::shared_ptr<HttpTransaction> transaction;  // of the request that is being served
  bool left = false;                             // its client has closed its side
};

// One request, on the library's thread.
struct Request {
  std::string target;
  bool head_seen = false;
  bool served = false;
  HttpRequest request;
  std::vector<std::string> methods;  // that its path takes
  HttpHandler* handler = nullptr;
  std::optional<HttpAnswer> refusal;
  bool close = false;  // the connection is not to be used again
  bool is_http_1_0 = false;
  bool asks_for_options = false;  // OPTIONS, and a handler does not take it itself
  int64_t received_bytes = 0;
  std::unique_ptr<ByteShare> body_share;
  std::string origin;
  std::shared_ptr<HttpTransaction> transaction;
  unsigned status = 0;  // of the answer that was given to the library
};

class MicroHttpServer final : public HttpServer {
 public:
  MicroHttpServer(ListeningSockets sockets, HttpServerOptions options, CertificateFiles* certificates,
                  std::vector<HttpHandler*> handlers, Metrics& metrics)
      : options_(std::move(options)),
        handlers_(std::move(handlers)),
        metrics_(metrics),
        cross_origin_(options_.cors_origins),
        budget_(std::make_shared<ByteBudget>(options_.max_bytes)),
        tls_(certificates == nullptr ? nullptr : std::make_unique<TlsCredentials>(*certificates)),
        connections_(options_.connections),
        watch_([this](uint64_t id) { OnLeft(id); }),
        listener_(std::move(sockets),
                  {[this](int, int connection, const SocketAddress& peer) { Take(connection, peer); },
                   [this](const absl::Status& status) { OnAccepting(status); }, [this](TimePoint now) { Tick(now); }}) {
    if (certificates != nullptr) first_certificates_ = certificates->Get(Clock::now());
  }
  ~MicroHttpServer() override;

  absl::Status Start();

  int port() const override { return port_; }
  const std::string& address() const override { return address_; }
  void Drain() override { draining_ = true; }
  void WaitUntilIdle(TimePoint latest) override;

 private:
  // The library's calls back.
  static void* BeginRequest(void* server, const char* target, MHD_Connection* connection);
  static MHD_Result Access(void* server, MHD_Connection* connection, const char* path, const char* method,
                           const char* version, const char* upload, size_t* upload_size, void** state);
  static void Completed(void* server, MHD_Connection* connection, void** state, MHD_RequestTerminationCode code);
  static void Notify(void* server, MHD_Connection* connection, void** state, MHD_ConnectionNotificationCode code);

  void Take(int connection, const SocketAddress& peer) EXCLUDES(mutex_);
  void OnAccepting(const absl::Status& status);
  void Tick(TimePoint now) EXCLUDES(mutex_);
  void OnLeft(uint64_t id) EXCLUDES(mutex_);
  void Close(const std::vector<int>& descriptors, std::string_view reason) REQUIRES(mutex_);

  MHD_Result OnHead(Connection& connection, MHD_Connection* handle, const char* method, Request& request);
  MHD_Result OnBody(Connection& connection, Request& request, const char* upload, size_t& upload_size);
  MHD_Result OnWhole(Connection& connection, MHD_Connection* handle, Request& request);
  void ReadHead(MHD_Connection* handle, const Connection& connection, const char* method, Request& request);
  // Finds the handler, and whether the request is refused before its body is read.
  void Route(Request& request);
  void Refuse(Request& request, unsigned status, absl::string_view code, absl::string_view message);
  void Serve(Connection& connection, MHD_Connection* handle, Request& request);
  void CallHandler(HttpHandler& handler, HttpRequest request, std::shared_ptr<HttpTransaction> transaction,
                   std::unique_ptr<ByteShare> body_share);
  HttpAnswer AnswerOptions(const Request& request) const;
  MHD_Result Queue(Connection& connection, MHD_Connection* handle, Request& request, HttpAnswer answer,
                   std::optional<uint64_t> size, bool read_later);
  MHD_Result QueueWhole(Connection& connection, MHD_Connection* handle, Request& request, HttpAnswer answer);

  struct Reading {
    MicroHttpServer* server;
    int descriptor;
    std::shared_ptr<HttpTransaction> transaction;
  };
  static ssize_t Read(void* reading, uint64_t position, char* buffer, size_t size);

  static Connection& ConnectionOf(MHD_Connection* handle) {
    return *static_cast<Connection*>(
        MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context);
  }
  static int DescriptorOf(MHD_Connection* handle) {
    return MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
  }

  const HttpServerOptions options_;
  const std::vector<HttpHandler*> handlers_;
  Metrics& metrics_;
  const CrossOrigin cross_origin_;
  const std::shared_ptr<ByteBudget> budget_;
  const std::unique_ptr<TlsCredentials> tls_;  // null: plain text
  std::shared_ptr<const Certificates> first_certificates_;
  std::vector<MHD_Daemon*> daemons_;  // constant after Start; one thread each
  int port_ = 0;
  std::string address_;
  std::atomic<bool> draining_ = false;

  Mutex mutex_;
  CondVar has_room_;
  CondVar is_idle_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool closes_rest_ GUARDED_BY(mutex_) = false;  // connections that wait for a request, from WaitUntilIdle on
  // A descriptor leaves it before the library closes it: those that are in it may be shut down while this is locked.
  HttpConnections connections_ GUARDED_BY(mutex_);
  std::unordered_map<uint64_t, std::shared_ptr<Connection>> open_ GUARDED_BY(mutex_);  // by id
  std::unordered_map<int, std::shared_ptr<Connection>> arriving_
      GUARDED_BY(mutex_);  // given to the library, by descriptor
  int64_t serving_ GUARDED_BY(mutex_) = 0;
  uint64_t last_id_ GUARDED_BY(mutex_) = 0;
  size_t next_daemon_ = 0;  // of the listener's thread

  ClientWatch watch_;
  Listener listener_;  // the last: its thread uses the others
};

absl::Status MicroHttpServer::Start() {
  port_ = listener_.sockets().port();
  address_ = listener_.sockets().address();
  unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;
  std::vector<MHD_OptionItem> tls;
  if (tls_ != nullptr) {
    flags |= MHD_USE_TLS;
    // The first ones: each handshake takes the newest instead (TlsCredentials).
    tls.push_back({MHD_OPTION_HTTPS_MEM_CERT, 0, const_cast<char*>(first_certificates_->certificate.c_str())});
    tls.push_back({MHD_OPTION_HTTPS_MEM_KEY, 0, const_cast<char*>(first_certificates_->key.c_str())});
    tls.push_back({MHD_OPTION_HTTPS_PRIORITIES, 0, const_cast<char*>(kTlsPriorities)});
  }
  tls.push_back({MHD_OPTION_END, 0, nullptr});
  for (int i = 0; i < options_.threads; ++i) {
    errno = 0;
    MHD_Daemon* const daemon = MHD_start_daemon(
        flags, 0, nullptr, nullptr, Access, this, MHD_OPTION_URI_LOG_CALLBACK, BeginRequest, this,
        MHD_OPTION_NOTIFY_COMPLETED, Completed, this, MHD_OPTION_NOTIFY_CONNECTION, Notify, this,
        MHD_OPTION_CONNECTION_LIMIT, static_cast<unsigned>(kBeyondReach * options_.connections.max_connections),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, kMaxBytesOfAConnection, MHD_OPTION_ARRAY, tls.data(), MHD_OPTION_END);
    if (daemon == nullptr) {
      return absl::UnavailableError(errno == 0 ? "libmicrohttpd does not start" : std::strerror(errno));
    }
    daemons_.push_back(daemon);
  }
  metrics_.Set(Metric::kHttpConnections, {options_.name}, 0);
  listener_.Start();
  return absl::OkStatus();
}

MicroHttpServer::~MicroHttpServer() {
  listener_.Stop();
  std::vector<std::shared_ptr<HttpTransaction>> transactions;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& [id, connection] : open_) {
      if (connection->transaction != nullptr) transactions.push_back(connection->transaction);
    }
  }
  // The library cannot stop while a connection is suspended: from here on none is.
  for (const auto& transaction : transactions) transaction->ClientLeft();
  for (MHD_Daemon* daemon : daemons_) MHD_stop_daemon(daemon);
}

void MicroHttpServer::WaitUntilIdle(TimePoint latest) {
  Drain();
  listener_.Stop();
  MutexLock lock(mutex_);
  closes_rest_ = true;
  Close(connections_.Waiting(), "drained");
  while (serving_ > 0 && Clock::now() < latest) is_idle_.WaitUntil(mutex_, latest);
}

// --- Connections.

void MicroHttpServer::Take(int connection, const SocketAddress& peer) {
  uint64_t id = 0;
  {
    MutexLock lock(mutex_);
    // Others wait in the kernel's queue meanwhile. The library's threads never wait for this one.
    while (connections_.IsCrowded()) has_room_.Wait(mutex_);
    const bool limit_origin = !peer.is_unix() && (options_.limit_loopback || !peer.IsLoopback());
    Close(connections_.Add(connection, peer.Origin(), limit_origin, Clock::now()), "crowded");
    id = ++last_id_;
    if (const auto before = arriving_.find(connection); before != arriving_.end()) open_.erase(before->second->id);
    auto arrived = std::make_shared<Connection>(Connection{this, connection, id, peer, nullptr, nullptr, false});
    arriving_[connection] = arrived;
    open_[id] = std::move(arrived);
    metrics_.Set(Metric::kHttpConnections, {options_.name}, static_cast<double>(connections_.size()));
  }
  watch_.Watch(connection, id);
  MHD_Daemon* const daemon = daemons_[next_daemon_++ % daemons_.size()];
  // Closes the connection if it fails.
  if (MHD_add_connection(daemon, connection, peer.get(), peer.size) == MHD_YES) return;
  MutexLock lock(mutex_);
  connections_.Remove(connection);
  arriving_.erase(connection);
  open_.erase(id);
}

void MicroHttpServer::Notify(void* server, MHD_Connection* handle, void** state, MHD_ConnectionNotificationCode code) {
  auto& self = *static_cast<MicroHttpServer*>(server);
  const int descriptor = DescriptorOf(handle);
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    std::shared_ptr<Connection> connection;
    {
      MutexLock lock(self.mutex_);
      const auto found = self.arriving_.find(descriptor);
      connection = std::move(found->second);
      self.arriving_.erase(found);
    }
    if (self.tls_ != nullptr) {
      const auto* const info = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_GNUTLS_SESSION);
      if (info != nullptr) connection->tls = self.tls_->Apply(info->tls_session);
      // The library would go on with certificates of its own, and ask no client for one.
      if (connection->tls == nullptr) shutdown(descriptor, SHUT_RDWR);
    }
    *state = connection.get();
    return;
  }
  std::shared_ptr<Connection> last;  // destroyed without the lock
  MutexLock lock(self.mutex_);
  self.connections_.Remove(descriptor);
  self.has_room_.NotifyOne();
  if (*state != nullptr) {
    const auto found = self.open_.find(static_cast<Connection*>(*state)->id);
    last = std::move(found->second);
    self.open_.erase(found);
  }
  self.metrics_.Set(Metric::kHttpConnections, {self.options_.name}, static_cast<double>(self.connections_.size()));
}

void MicroHttpServer::Close(const std::vector<int>& descriptors, std::string_view reason) {
  for (const int descriptor : descriptors) shutdown(descriptor, SHUT_RDWR);
  if (descriptors.empty()) return;
  metrics_.Add(Metric::kHttpClosedConnections, {options_.name, reason}, static_cast<double>(descriptors.size()));
}

void MicroHttpServer::OnAccepting(const absl::Status& status) {
  if (!status.ok()) LogWarn(options_.name, {{"problem", status.message()}});
}

void MicroHttpServer::Tick(TimePoint now) {
  std::vector<std::shared_ptr<HttpTransaction>> transactions;
  {
    MutexLock lock(mutex_);
    Close(connections_.Overdue(now), "slow");
    for (const auto& [id, connection] : open_) {
      if (connection->transaction != nullptr) transactions.push_back(connection->transaction);
    }
  }
  for (const auto& transaction : transactions) transaction->KeepAlive(now, options_.heartbeat);
}

void MicroHttpServer::OnLeft(uint64_t id) {
  std::shared_ptr<HttpTransaction> transaction;
  {
    MutexLock lock(mutex_);
    const auto found = open_.find(id);
    if (found == open_.end()) return;
    found->second->left = true;  // it may have sent a request before
    transaction = found->second->transaction;
  }
  if (transaction != nullptr) transaction->ClientLeft();
}

// --- Requests.

void* MicroHttpServer::BeginRequest(void*, const char* target, MHD_Connection*) {
  auto* const request = new Request();  // Completed deletes it
  request->target = target;
  return request;
}

MHD_Result MicroHttpServer::Access(void* server, MHD_Connection* handle, const char*, const char* method,
                                   const char* version, const char* upload, size_t* upload_size, void** state) {
  auto& self = *static_cast<MicroHttpServer*>(server);
  auto& request = *static_cast<Request*>(*state);
  Connection& connection = ConnectionOf(handle);
  if (!request.head_seen) {
    request.is_http_1_0 = absl::string_view(version) == MHD_HTTP_VERSION_1_0;
    return self.OnHead(connection, handle, method, request);
  }
  if (*upload_size > 0) return self.OnBody(connection, request, upload, *upload_size);
  return self.OnWhole(connection, handle, request);
}

void MicroHttpServer::ReadHead(MHD_Connection* handle, const Connection& connection, const char* method,
                               Request& request) {
  HttpRequest& head = request.request;
  head.method = absl::EqualsIgnoreCase(method, MHD_HTTP_METHOD_HEAD) ? MHD_HTTP_METHOD_GET : method;
  MHD_get_connection_values(handle, MHD_HEADER_KIND, AddRequestHeader, &head.headers);
  head.peer = PeerText(connection.peer);
  head.encrypted = tls_ != nullptr;
  request.origin = std::string(head.Header("origin"));
}

void MicroHttpServer::Refuse(Request& request, unsigned status, absl::string_view code, absl::string_view message) {
  if (request.refusal) return;
  request.refusal =
      request.handler == nullptr ? JsonError(status, code, message) : request.handler->ErrorOf(status, code, message);
}

void MicroHttpServer::Route(Request& request) {
  HttpRequest& head = request.request;
  if (const absl::Status framing = CheckFraming(head, request.is_http_1_0); !framing.ok()) {
    request.close = true;
    return Refuse(request, MHD_HTTP_BAD_REQUEST, "invalid_argument", framing.message());
  }
  absl::StatusOr<HttpTarget> target = ParseTarget(request.target);
  if (!target.ok()) {
    return Refuse(request, MHD_HTTP_BAD_REQUEST, "invalid_argument",
                  absl::StrCat("the target of the request: ", target.status().message()));
  }
  head.path = std::move(target->path);
  head.query = std::move(target->query);
  for (HttpHandler* handler : handlers_) {
    const std::vector<std::string> methods = handler->MethodsOf(head.path);
    if (methods.empty()) continue;
    if (request.handler == nullptr) request.handler = handler;
    for (const std::string& method : methods) {
      if (method == head.method) request.handler = handler;
      if (std::find(request.methods.begin(), request.methods.end(), method) == request.methods.end()) {
        request.methods.push_back(method);
      }
    }
    if (std::find(methods.begin(), methods.end(), head.method) != methods.end()) break;
  }
  const bool takes_get = std::find(request.methods.begin(), request.methods.end(), "GET") != request.methods.end();
  const bool takes_it = std::find(request.methods.begin(), request.methods.end(), head.method) != request.methods.end();
  if (takes_get) request.methods.push_back("HEAD");
  if (std::find(request.methods.begin(), request.methods.end(), "OPTIONS") == request.methods.end()) {
    request.methods.push_back("OPTIONS");
  }
  if (request.handler == nullptr && head.path != "*") {
    std::vector<std::string> paths;
    for (const HttpHandler* handler : handlers_) {
      for (std::string& path : handler->Paths()) paths.push_back(std::move(path));
    }
    std::sort(paths.begin(), paths.end());
    return Refuse(request, MHD_HTTP_NOT_FOUND, "unimplemented",
                  absl::StrCat("there is no ", head.path, "; there are: ", absl::StrJoin(paths, " ")));
  }
  request.asks_for_options = CrossOrigin::IsPreflight(head) || (head.method == "OPTIONS" && !takes_it);
  if (request.asks_for_options) return;
  if (!takes_it) {
    Refuse(request, MHD_HTTP_METHOD_NOT_ALLOWED, "unimplemented",
           absl::StrCat(head.path, " does not take ", head.method, ", but ", absl::StrJoin(request.methods, ", ")));
    request.refusal->headers.emplace_back("Allow", absl::StrJoin(request.methods, ", "));
    return;
  }
  request.refusal = request.handler->Refuse(head);
  const std::string encoding = absl::AsciiStrToLower(head.Header("content-encoding"));
  if (!encoding.empty() && encoding != "identity" && encoding != "gzip" && encoding != "deflate") {
    Refuse(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "invalid_argument",
           absl::StrCat("Content-Encoding: ", encoding, ": known are gzip, deflate and identity"));
  }
  int64_t length = 0;
  const absl::string_view said = head.Header("content-length");
  if (!said.empty() && (!absl::SimpleAtoi(said, &length) || length > options_.max_body_bytes)) {
    Refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "resource_exhausted",
           absl::StrCat("the body has ", said, " bytes, at most --max_message_bytes=", options_.max_body_bytes));
  }
}

MHD_Result MicroHttpServer::OnHead(Connection& connection, MHD_Connection* handle, const char* method,
                                   Request& request) {
  request.head_seen = true;
  {
    MutexLock lock(mutex_);
    connections_.Receiving(connection.descriptor, Clock::now());
    ++serving_;
  }
  request.body_share = std::make_unique<ByteShare>(budget_);
  ReadHead(handle, connection, method, request);
  Route(request);
  if (!request.refusal) return MHD_YES;
  // The client would send its body only if it were wanted, or what comes cannot be told from another request.
  const bool asks_first = absl::EqualsIgnoreCase(request.request.Header("expect"), "100-continue");
  if (request.close || (asks_first && HasBody(request.request))) {
    request.close = true;
    return QueueWhole(connection, handle, request, *std::move(request.refusal));
  }
  return MHD_YES;
}

MHD_Result MicroHttpServer::OnBody(Connection& connection, Request& request, const char* upload, size_t& upload_size) {
  const auto bytes = static_cast<int64_t>(upload_size);
  request.received_bytes += bytes;
  {
    MutexLock lock(mutex_);
    connections_.Moved(connection.descriptor, bytes);
  }
  std::string& body = request.request.body;
  if (!request.refusal) {
    if (request.received_bytes > options_.max_body_bytes) {
      Refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "resource_exhausted",
             absl::StrCat("the body has more than --max_message_bytes=", options_.max_body_bytes, " bytes"));
    } else {
      const size_t needed = body.size() + upload_size;
      const size_t capacity = needed <= body.capacity() ? body.capacity() : std::max(needed, 2 * body.capacity());
      if (request.body_share->Resize(static_cast<int64_t>(capacity))) {
        body.reserve(capacity);
        body.append(upload, upload_size);
      } else {
        Refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "resource_exhausted",
               absl::StrCat("the bodies of all requests have more than --max_http_bytes=", options_.max_bytes,
                            " bytes together"));
        request.refusal->headers.emplace_back("Retry-After", kRetrySeconds);
      }
    }
    if (request.refusal) {
      body = std::string();
      request.body_share->Force(0);
    }
  }
  upload_size = 0;
  return request.received_bytes <= kMaxThrownAway * options_.max_body_bytes ? MHD_YES : MHD_NO;
}

MHD_Result MicroHttpServer::OnWhole(Connection& connection, MHD_Connection* handle, Request& request) {
  if (request.refusal) return QueueWhole(connection, handle, request, *std::exchange(request.refusal, std::nullopt));
  if (request.asks_for_options) return QueueWhole(connection, handle, request, AnswerOptions(request));
  if (!request.served) {
    request.served = true;
    Serve(connection, handle, request);
    if (request.transaction == nullptr) return MHD_NO;
  }
  switch (request.transaction->Next()) {
    case HttpTransaction::Step::kWait:
      return MHD_YES;
    case HttpTransaction::Step::kClose:
      return MHD_NO;
    case HttpTransaction::Step::kAnswer:
      break;
  }
  HttpTransaction::Head head = request.transaction->TakeHead();
  return Queue(connection, handle, request, std::move(head.answer), head.size, /*read_later=*/true);
}

HttpAnswer MicroHttpServer::AnswerOptions(const Request& request) const {
  if (CrossOrigin::IsPreflight(request.request)) {
    return cross_origin_.AnswerPreflight(request.request, request.methods);
  }
  HttpAnswer answer{MHD_HTTP_NO_CONTENT, "", ""};
  answer.headers.emplace_back("Allow", absl::StrJoin(request.methods, ", "));
  return answer;
}

void MicroHttpServer::Serve(Connection& connection, MHD_Connection* handle, Request& request) {
  auto transaction = std::make_shared<HttpTransaction>(
      HttpTransaction::Connection{[handle] { MHD_suspend_connection(handle); },
                                  [handle] { MHD_resume_connection(handle); },
                                  [descriptor = connection.descriptor] { shutdown(descriptor, SHUT_RDWR); }},
      budget_, options_.max_waiting_bytes);
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    connection.transaction = transaction;
    connections_.Serving(connection.descriptor, Clock::now());
  }
  request.transaction = transaction;
  CallHandler(*request.handler, std::move(request.request), std::move(transaction), std::move(request.body_share));
  bool left = false;
  {
    MutexLock lock(mutex_);
    left = connection.left;
  }
  if (left) request.transaction->ClientLeft();  // before the request was there
}

void MicroHttpServer::CallHandler(HttpHandler& handler, HttpRequest request,
                                  std::shared_ptr<HttpTransaction> transaction, std::unique_ptr<ByteShare> body_share) {
  const std::string encoding = absl::AsciiStrToLower(request.Header("content-encoding"));
  auto exchange = std::make_shared<Exchange>(std::move(request), std::move(transaction), std::move(body_share));
  const std::string& body = exchange->request().body;
  if (body.empty() || (encoding != "gzip" && encoding != "deflate")) return handler.Serve(std::move(exchange));
  auto work = [&handler, exchange, gzip = encoding == "gzip", max_bytes = options_.max_body_bytes] {
    absl::StatusOr<std::string> inflated = InflateMessage(
        exchange->request().body, gzip ? MessageCompression::kGzip : MessageCompression::kDeflate, max_bytes);
    if (!inflated.ok()) {
      const bool too_large = absl::IsResourceExhausted(inflated.status());
      exchange->Answer(handler.ErrorOf(too_large ? MHD_HTTP_CONTENT_TOO_LARGE : MHD_HTTP_BAD_REQUEST,
                                       too_large ? "resource_exhausted" : "invalid_argument",
                                       inflated.status().message()));
      return;
    }
    exchange->SetBody(*std::move(inflated));
    handler.Serve(exchange);
  };
  if (options_.run_large == nullptr) return work();
  // By what it may come to: gzip makes at most a thousandth of a text, usually a fifth.
  constexpr int64_t kUsualRatio = 16;
  const absl::Status status = options_.run_large(kUsualRatio * static_cast<int64_t>(body.size()), std::move(work));
  if (status.ok()) return;
  HttpAnswer answer = handler.ErrorOf(MHD_HTTP_SERVICE_UNAVAILABLE, "resource_exhausted", status.message());
  answer.headers.emplace_back("Retry-After", kRetrySeconds);
  exchange->Answer(std::move(answer));
}

// --- Answers.

ssize_t MicroHttpServer::Read(void* state, uint64_t, char* buffer, size_t size) {
  const auto& reading = *static_cast<Reading*>(state);
  MicroHttpServer& self = *reading.server;
  const int64_t read = reading.transaction->Read(buffer, size);
  if (read == HttpTransaction::kEnd) return MHD_CONTENT_READER_END_OF_STREAM;
  if (read == HttpTransaction::kBroken) return MHD_CONTENT_READER_END_WITH_ERROR;
  MutexLock lock(self.mutex_);
  if (read == HttpTransaction::kWait) {
    self.connections_.Serving(reading.descriptor, Clock::now());
  } else {
    self.connections_.Sending(reading.descriptor, Clock::now());
    self.connections_.Moved(reading.descriptor, read);
  }
  return static_cast<ssize_t>(read);
}

MHD_Result MicroHttpServer::QueueWhole(Connection& connection, MHD_Connection* handle, Request& request,
                                       HttpAnswer answer) {
  const uint64_t size = answer.body.size();
  return Queue(connection, handle, request, std::move(answer), size, /*read_later=*/false);
}

MHD_Result MicroHttpServer::Queue(Connection& connection, MHD_Connection* handle, Request& request, HttpAnswer answer,
                                  std::optional<uint64_t> size, bool read_later) {
  MHD_Response* response = nullptr;
  if (read_later && (!size || *size > kMaxWholeAnswer)) {
    auto* const reading = new Reading{this, connection.descriptor, request.transaction};
    response = MHD_create_response_from_callback(size.value_or(MHD_SIZE_UNKNOWN), kBlockBytes, Read, reading,
                                                 [](void* made) { delete static_cast<Reading*>(made); });
    if (response == nullptr) delete reading;
  } else {
    std::string body = std::move(answer.body);
    if (read_later && *size > 0) {
      body.resize(*size);
      request.transaction->Read(body.data(), body.size());
    }
    response = MHD_create_response_from_buffer(body.size(), body.data(), MHD_RESPMEM_MUST_COPY);
  }
  if (response == nullptr) return MHD_NO;
  if (!answer.content_type.empty()) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.content_type.c_str());
  }
  if (!CrossOrigin::IsPreflight(request.request)) cross_origin_.Add(request.origin, answer);
  for (const auto& [name, value] : answer.headers) {
    MHD_add_response_header(response, name.c_str(), value.c_str());
  }
  if (draining_) request.close = true;
  if (request.close) MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  {
    MutexLock lock(mutex_);
    connections_.Sending(connection.descriptor, Clock::now());
  }
  request.status = answer.status;
  const MHD_Result queued = MHD_queue_response(handle, answer.status, response);
  MHD_destroy_response(response);
  return queued;
}

void MicroHttpServer::Completed(void* server, MHD_Connection* handle, void** state, MHD_RequestTerminationCode code) {
  auto& self = *static_cast<MicroHttpServer*>(server);
  const std::unique_ptr<Request> request(static_cast<Request*>(std::exchange(*state, nullptr)));
  if (request == nullptr) return;
  const bool whole = code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
  if (request->transaction != nullptr) request->transaction->Close(whole);
  if (request->head_seen) {
    self.metrics_.Add(Metric::kHttpRequests,
                      {self.options_.name, whole ? ClassOf(request->status) : std::string_view("cut_off")});
  }
  Connection& connection = ConnectionOf(handle);
  std::shared_ptr<HttpTransaction> last;  // destroyed without the lock
  MutexLock lock(self.mutex_);
  last = std::exchange(connection.transaction, nullptr);
  self.connections_.Answered(connection.descriptor, Clock::now());
  if (request->head_seen && --self.serving_ == 0) self.is_idle_.NotifyAll();
  // The answer is on its way already. A client that was not told may have sent another request: it is answered, too,
  // until the rest is closed.
  if (self.draining_ && (request->close || self.closes_rest_)) shutdown(connection.descriptor, SHUT_RDWR);
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Serve(ListeningSockets sockets, HttpServerOptions options,
                                                              CertificateFiles* certificates,
                                                              std::vector<HttpHandler*> handlers, Metrics& metrics) {
  auto server = std::make_unique<MicroHttpServer>(std::move(sockets), std::move(options), certificates,
                                                  std::move(handlers), metrics);
  HEED_RETURN_IF_ERROR(server->Start());
  return server;
}

std::string HttpServer::LibraryVersion() { return MHD_get_version(); }

}  // namespace heed
