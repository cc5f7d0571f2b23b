// SPDX-License-Identifier: Apache-2.0
#include "client/lib/channel.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/visible_text.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "grpcpp/support/client_interceptor.h"

namespace heed::client {
namespace {

using grpc::experimental::ClientInterceptorFactoryInterface;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;

// A header of every call.
using Header = std::pair<std::string, std::string>;

// Adds a header to a call. For the token, too: gRPC's own call credentials exist only over TLS.
class AddHeader : public Interceptor {
 public:
  explicit AddHeader(const Header& header) : header_(header) {}
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->insert(header_);
    }
    methods->Proceed();
  }

 private:
  const Header& header_;
};

class AddHeaderFactory : public ClientInterceptorFactoryInterface {
 public:
  explicit AddHeaderFactory(Header header) : header_(std::move(header)) {}
  Interceptor* CreateClientInterceptor(grpc::experimental::ClientRpcInfo*) override { return new AddHeader(header_); }

 private:
  const Header header_;
};

// Each call goes to the next server; one whose health is not SERVING gets none, and is watched until it is.
constexpr char kBalanced[] =
    R"({"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}})";

bool IsBalanced(const std::string& address) {
  return absl::StrContains(address, ',') || absl::StartsWith(address, "dns:");
}

// A list of servers as gRPC names it: literal IPv4 addresses, or IPv6 ones.
std::string Target(const std::string& address) {
  if (!absl::StrContains(address, ',')) return address;
  const std::string literal = absl::StrReplaceAll(address, {{"localhost:", "127.0.0.1:"}});
  return absl::StrCat(absl::StartsWith(literal, "[") ? "ipv6:" : "ipv4:", literal);
}

std::shared_ptr<grpc::ChannelCredentials> MakeCredentials(const ConnectionSecurity& security) {
  if (!security.tls) return grpc::InsecureChannelCredentials();
  return grpc::SslCredentials({security.authorities, security.key, security.certificate});
}

absl::Status CheckHostAndPort(absl::string_view address) {
  const size_t colon = address.rfind(':');
  const absl::string_view host = address.substr(0, colon);
  if (colon == address.npos || absl::EndsWith(host, ":") ||
      (absl::StartsWith(host, "[") && !absl::EndsWith(host, "]"))) {
    return absl::InvalidArgumentError(absl::StrCat("'", address, "' has no port, as in 127.0.0.1:50051"));
  }
  if (host.empty())
    return absl::InvalidArgumentError(absl::StrCat("'", address, "' has no host, as in 127.0.0.1:50051"));
  if (absl::StrContains(host, ':') && !absl::StartsWith(host, "[")) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", address, "': an IPv6 address stands in brackets, as in [::1]:50051"));
  }
  int port = 0;
  if (!absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", address, "': '", address.substr(colon + 1), "' is no port from 1 to 65535"));
  }
  if (std::any_of(host.begin(), host.end(),
                  [](char c) { return absl::ascii_isspace(c) || absl::ascii_iscntrl(c) || c == '/'; })) {
    return absl::InvalidArgumentError(absl::StrCat("'", address, "': '", host, "' is no host"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckAddress(const std::string& address) {
  if (address.empty()) return absl::InvalidArgumentError("is empty; it takes HOST:PORT, as in 127.0.0.1:50051");
  for (const absl::string_view scheme : {"http://", "https://", "grpc://", "grpcs://"}) {
    if (absl::StartsWith(address, scheme)) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", address, "' is a URL; it takes HOST:PORT, as in 127.0.0.1:50051, and --tls for TLS"));
    }
  }
  if (absl::StartsWith(address, "dns:")) {
    return CheckHostAndPort(absl::string_view(address).substr(std::max<size_t>(4, address.rfind('/') + 1)));
  }
  // Forms that gRPC knows besides.
  for (const absl::string_view scheme : {"unix:", "unix-abstract:", "ipv4:", "ipv6:"}) {
    if (absl::StartsWith(address, scheme) && address.size() > scheme.size()) return absl::OkStatus();
  }
  for (const absl::string_view server : absl::StrSplit(address, ',')) {
    if (absl::Status checked = CheckHostAndPort(server); !checked.ok()) return checked;
  }
  return absl::OkStatus();
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address, const ConnectionSecurity& security,
                                           bool own_connection) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  if (own_connection) arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  if (IsLoopback(address)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (IsBalanced(address)) arguments.SetServiceConfigJSON(kBalanced);
  std::vector<std::unique_ptr<ClientInterceptorFactoryInterface>> interceptors;
  const auto add_header = [&interceptors](const std::string& name, const std::string& value) {
    interceptors.push_back(std::make_unique<AddHeaderFactory>(Header(name, value)));
  };
  if (!security.token.empty()) add_header("authorization", absl::StrCat("Bearer ", security.token));
  if (security.priority != 0) add_header("heed-priority", absl::StrCat(security.priority));
  return grpc::experimental::CreateCustomChannelWithInterceptors(Target(address), MakeCredentials(security), arguments,
                                                                 std::move(interceptors));
}

bool IsLoopback(const std::string& address) {
  if (const std::vector<std::string> servers = absl::StrSplit(address, ','); servers.size() > 1) {
    return std::all_of(servers.begin(), servers.end(), IsLoopback);
  }
  if (absl::StartsWith(address, "unix:")) return true;
  const std::string host = address.substr(0, address.rfind(':'));
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return host == "localhost" || host == "[::1]";
}

std::string StatusCodeName(grpc::StatusCode code) {
  static constexpr std::array<const char*, 17> kNames = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  const auto index = static_cast<size_t>(code);
  return index < kNames.size() ? kNames[index] : absl::StrCat("code ", static_cast<int>(code));
}

std::string StatusText(const grpc::Status& status) {
  return absl::StrCat(StatusCodeName(status.error_code()), ": ", VisibleLine(status.error_message()));
}

}  // namespace heed::client
