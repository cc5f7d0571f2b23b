#include "client/channel.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "grpcpp/support/client_interceptor.h"

namespace heed::client {
namespace {

using grpc::experimental::ClientInterceptorFactoryInterface;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;

// Adds the token to a call's headers. gRPC's own call credentials exist over TLS alone.
class AddToken : public Interceptor {
 public:
  explicit AddToken(const std::string& header) : header_(header) {}
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->insert({"authorization", header_});
    }
    methods->Proceed();
  }

 private:
  const std::string& header_;
};

class AddTokenFactory : public ClientInterceptorFactoryInterface {
 public:
  explicit AddTokenFactory(const std::string& token) : header_(absl::StrCat("Bearer ", token)) {}
  Interceptor* CreateClientInterceptor(grpc::experimental::ClientRpcInfo*) override { return new AddToken(header_); }

 private:
  const std::string header_;
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

}  // namespace

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
  if (!security.token.empty()) interceptors.push_back(std::make_unique<AddTokenFactory>(security.token));
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
  return absl::StrCat(StatusCodeName(status.error_code()), ": ", status.error_message());
}

}  // namespace heed::client
