// SPDX-License-Identifier: Apache-2.0
#include "server/security/credentials.h"

#include <google/protobuf/descriptor.h>

#include <functional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/excerpt.h"
#include "grpc/grpc.h"
#include "grpc/grpc_security.h"
#include "grpcpp/impl/codegen/server_callback_handlers.h"

namespace heed {
namespace {

absl::string_view View(const grpc_slice& slice) {
  return {reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)), GRPC_SLICE_LENGTH(slice)};
}

// A refusal of Authorization::Check, whose message may hold a path of any length. It has no details.
grpc::Status ToGrpcStatus(const absl::Status& status) {
  constexpr size_t kLongestMessage = 1536;
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()), Excerpt(status.message(), kLongestMessage));
}

// grpc_auth_metadata_processor's: the headers of each call, before it reaches its method. The
// header stays, for those who ask whose limits the call's messages count for (server/rpc/checked_messages.h).
void CheckCall(void* state, grpc_auth_context*, const grpc_metadata* metadata, size_t count,
               grpc_process_auth_metadata_done_cb done, void* user_data) {
  absl::string_view path;
  std::optional<absl::string_view> authorization;
  for (size_t i = 0; i < count; ++i) {
    const absl::string_view key = View(metadata[i].key);
    if (key == ":path") {
      path = View(metadata[i].value);
    } else if (key == "authorization") {
      authorization = View(metadata[i].value);
    }
  }
  const grpc::Status status =
      ToGrpcStatus(static_cast<const Authorization*>(state)->Check(path, authorization, Clock::now()));
  done(user_data, nullptr, 0, nullptr, 0, static_cast<grpc_status_code>(status.error_code()),
       status.ok() ? nullptr : status.error_message().c_str());
}

// grpc_ssl_server_certificate_config_callback: asked at each handshake.
grpc_ssl_certificate_config_reload_status TakeCertificates(void* files, grpc_ssl_server_certificate_config** config) {
  const std::unique_ptr<Certificates> fresh = static_cast<CertificateFiles*>(files)->TakeNew(Clock::now());
  if (fresh == nullptr) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  const grpc_ssl_pem_key_cert_pair pair{fresh->key.c_str(), fresh->certificate.c_str()};
  // gRPC insists on authorities, even where no client is asked for a certificate.
  const std::string& authorities = fresh->client_ca.empty() ? fresh->certificate : fresh->client_ca;
  *config = grpc_ssl_server_certificate_config_create(authorities.c_str(), &pair, 1);
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

grpc_server_credentials* MakeCore(CertificateFiles* certificates) {
  if (certificates == nullptr) return grpc_insecure_server_credentials_create();
  return grpc_ssl_server_credentials_create_with_options(
      grpc_ssl_server_credentials_create_options_using_config_fetcher(
          certificates->asks_clients() ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                       : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
          TakeCertificates, certificates));
}

// gRPC's C core, since C++ lacks two things of it in 1.51: a processor of the headers where there is no TLS, and TLS
// whose certificates change by themselves and as a pair. (FileWatcherCertificateProvider takes a key and a certificate
// that do not belong together, and then no handshake succeeds any more.)
class PortCredentials final : public grpc::ServerCredentials {
 public:
  PortCredentials(const Authorization& authorization, CertificateFiles* certificates)
      : credentials_(MakeCore(certificates)) {
    if (!authorization.asks_for_tokens()) return;
    grpc_server_credentials_set_auth_metadata_processor(
        credentials_, {CheckCall, [](void*) {}, const_cast<Authorization*>(&authorization)});
  }
  ~PortCredentials() override { grpc_server_credentials_release(credentials_); }

  // The processor is ours.
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  grpc_server_credentials* const credentials_;
};

// What a service lets its own generated classes alone do: to take a method's messages as they are.
struct MethodAccess : grpc::Service {
  using grpc::Service::MarkMethodRawCallback;
};

// Ends a stream of messages before any is read.
class RefusedStream final : public grpc::ServerReadReactor<grpc::ByteBuffer> {
 public:
  explicit RefusedStream(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

// No method that manages streams its answers.
grpc::internal::MethodHandler* MakeRefusal(std::function<grpc::Status()> refuse, bool client_streams) {
  if (client_streams) {
    return new grpc::internal::CallbackClientStreamingHandler<grpc::ByteBuffer, grpc::ByteBuffer>(
        [refuse](grpc::CallbackServerContext*, grpc::ByteBuffer*) { return new RefusedStream(refuse()); });
  }
  return new grpc::internal::CallbackUnaryHandler<grpc::ByteBuffer, grpc::ByteBuffer>(
      [refuse](grpc::CallbackServerContext* context, const grpc::ByteBuffer*, grpc::ByteBuffer*) {
        grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
        reactor->Finish(refuse());
        return reactor;
      });
}

}  // namespace

void RefuseManagement(const Authorization& authorization, const char* name, grpc::Service& service) {
  if (authorization.asks_for_tokens() || authorization.management()) return;
  const auto* descriptor = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
  for (int i = 0; i < descriptor->method_count(); ++i) {
    const std::string path = absl::StrCat("/", name, "/", descriptor->method(i)->name());
    if (RightOf(path) != Right::kManage) continue;
    auto refuse = [&authorization, path] {
      return ToGrpcStatus(authorization.Check(path, std::nullopt, Clock::now()));
    };
    (service.*&MethodAccess::MarkMethodRawCallback)(i, MakeRefusal(refuse, descriptor->method(i)->client_streaming()));
  }
}

std::shared_ptr<grpc::ServerCredentials> MakeCredentials(const Authorization& authorization,
                                                         CertificateFiles* certificates) {
  return std::make_shared<PortCredentials>(authorization, certificates);
}

}  // namespace heed
