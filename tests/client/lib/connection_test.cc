// SPDX-License-Identifier: Apache-2.0
// How `heed` reaches a server and says who it is: TLS, certificates, tokens.
#include <stdlib.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/lib/channel.h"
#include "client/lib/peer_probe.h"
#include "gmock/gmock.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "heed/v1/models.grpc.pb.h"
#include "tests/client/fake_metrics.h"
#include "tests/client/heed_run.h"
#include "tests/support/certificate_authority.h"
#include "tests/support/temporary_directory.h"

namespace heed::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kToken = "token-0123456789-abcdef";

// A server that lists no models and notes what each call said of itself.
class ListeningServer : public v1::ModelService::Service {
 public:
  explicit ListeningServer(const std::shared_ptr<grpc::ServerCredentials>& credentials,
                           const std::string& address = "127.0.0.1:0") {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, credentials, &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~ListeningServer() override { server_->Shutdown(std::chrono::system_clock::now()); }

  grpc::Status ListModels(grpc::ServerContext* context, const v1::ListModelsRequest*,
                          v1::ListModelsResponse*) override {
    const std::lock_guard lock(mutex_);
    ++calls_;
    for (const char* header : {"authorization", "heed-priority"}) {
      const auto [begin, end] = context->client_metadata().equal_range(header);
      for (auto it = begin; it != end; ++it) seen_.emplace_back(it->second.data(), it->second.size());
    }
    if (refuses_) return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "this server asks for a token");
    return grpc::Status::OK;
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  int calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  std::string flag() const { return absl::StrCat("--server=127.0.0.1:", port_); }
  std::vector<std::string> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  void Refuse() { refuses_ = true; }  // before it is called

 private:
  int port_ = 0;
  bool refuses_ = false;
  int calls_ = 0;  // guarded by mutex_
  mutable std::mutex mutex_;
  std::vector<std::string> seen_;
  std::unique_ptr<grpc::Server> server_;
};

class ConnectionTest : public ::testing::Test {
 protected:
  ConnectionTest() { Unset(); }
  ~ConnectionTest() override { Unset(); }

  static void Unset() {
    for (const char* variable : {"HEED_TOKEN", "HEED_TOKEN_FILE", "HEED_SERVER"}) unsetenv(variable);
  }

  std::string File(const std::string& name, const std::string& text) {
    root_.Write(name, text);
    return root_.File(name);
  }
  // What `heed models` says to wrong arguments.
  static std::string ErrorOf(std::vector<std::string> flags) {
    flags.insert(flags.begin(), "models");
    const HeedRun run = RunHeedWith(flags);
    EXPECT_EQ(run.code, kExitUsage) << run.err;
    EXPECT_THAT(run.err, Not(HasSubstr(kToken)));
    return run.err;
  }

  const TemporaryDirectory root_;
};

TEST_F(ConnectionTest, LoopbackIsWhatStaysOnThisMachine) {
  for (const char* address : {"127.0.0.1:1", "127.8.9.1:50051", "localhost:1", "[::1]:1", "unix:/run/heed"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
  for (const char* address : {"127.evil.example:1", "localhost.example:1", "10.0.0.1:1", "[::2]:1", "heed:50051",
                              "0.0.0.0:1", "dns:///localhost:1", ""}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

TEST_F(ConnectionTest, ATokenIsSentFromAFileOrTheEnvironment) {
  ListeningServer server(grpc::InsecureServerCredentials());
  EXPECT_EQ(RunHeedWith({"models", server.flag()}).code, kExitOk);
  EXPECT_THAT(server.seen(), ElementsAre());
  setenv("HEED_TOKEN", (kToken + "-environment").c_str(), 1);
  EXPECT_EQ(RunHeedWith({"models", server.flag()}).code, kExitOk);
  EXPECT_THAT(server.seen(), ElementsAre("Bearer " + kToken + "-environment"));
  EXPECT_EQ(RunHeedWith({"models", server.flag(), "--token_file=" + File("token", " " + kToken + "\n")}).code, kExitOk);
  EXPECT_THAT(server.seen(), ElementsAre("Bearer " + kToken + "-environment", "Bearer " + kToken));
}

TEST_F(ConnectionTest, TheEnvironmentHoldsDefaultsOfServerAndTokenFile) {
  ListeningServer server(grpc::InsecureServerCredentials());
  setenv("HEED_SERVER", server.address().c_str(), 1);
  EXPECT_EQ(RunHeedWith({"models"}).code, kExitOk);
  setenv("HEED_TOKEN_FILE", File("token", kToken).c_str(), 1);
  EXPECT_EQ(RunHeedWith({"models"}).code, kExitOk);
  EXPECT_EQ(RunHeedWith({"models", "--token_file=" + File("other", kToken + "-other")}).code, kExitOk);
  EXPECT_THAT(server.seen(), ElementsAre("Bearer " + kToken, "Bearer " + kToken + "-other"));
  EXPECT_EQ(server.calls(), 3);
}

TEST_F(ConnectionTest, APriorityIsSentWithEveryCall) {
  ListeningServer server(grpc::InsecureServerCredentials());
  for (const char* command : {"translate", "chat"}) {
    RunHeedWith({command, server.flag(), "--priority=1"});  // asks for the models, of which there are none
  }
  EXPECT_THAT(server.seen(), ElementsAre("1", "1"));
  EXPECT_THAT(RunHeedWith({"translate", "--priority=4"}).err,
              HasSubstr("--priority=4: must be a whole number from 1 to 3"));
}

TEST_F(ConnectionTest, ARefusalSaysHowToGiveAToken) {
  ListeningServer server(grpc::InsecureServerCredentials());
  server.Refuse();
  const HeedRun run = RunHeedWith({"models", server.flag()});
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_THAT(run.err,
              AllOf(HasSubstr("UNAUTHENTICATED: this server asks for a token"), HasSubstr("--token_file=FILE")));
}

TEST_F(ConnectionTest, ATokenTravelsInPlainTextToThisMachineAlone) {
  const std::string token = "--token_file=" + File("token", kToken);
  EXPECT_THAT(ErrorOf({"--server=192.0.2.1:1", token}),
              AllOf(HasSubstr(token + ": the token would travel to --server=192.0.2.1:1 in plain text"),
                    HasSubstr("--tls"), HasSubstr("--insecure_token")));
  setenv("HEED_TOKEN", kToken.c_str(), 1);
  EXPECT_THAT(ErrorOf({"--server=192.0.2.1:1"}), HasSubstr("HEED_TOKEN: the token would travel to"));
  ServerFlags server{.address = "192.0.2.1:1"};
  EXPECT_FALSE(server.Security().ok());
  server.insecure_token = true;
  ASSERT_TRUE(server.Security().ok());
  EXPECT_EQ(server.Security()->token, kToken);
  server = {.address = "192.0.2.1:1", .tls = true};
  ASSERT_TRUE(server.Security().ok());
  EXPECT_EQ(server.Security()->token, kToken);
}

TEST_F(ConnectionTest, FilesThatAreWrongAreNamed) {
  EXPECT_THAT(ErrorOf({"--token_file=/none"}), HasSubstr("--token_file=/none: cannot be read"));
  const std::string blank = "--token_file=" + File("blank", " \n");
  EXPECT_THAT(ErrorOf({blank}), HasSubstr(blank + ": holds no token"));
  const std::string two = "--token_file=" + File("two", "name " + kToken);
  EXPECT_THAT(ErrorOf({two}), HasSubstr(two + ": holds more than one word"));
  EXPECT_THAT(ErrorOf({"--tls", "--tls_ca=/none"}), HasSubstr("--tls_ca=/none: cannot be read"));
  EXPECT_THAT(ErrorOf({"--tls_ca=/none"}), HasSubstr("--tls_ca=/none: is of no use without --tls"));
  EXPECT_THAT(ErrorOf({"--tls_cert=/none", "--tls_key=/none"}),
              HasSubstr("--tls_cert=/none: is of no use without --tls"));
  EXPECT_THAT(ErrorOf({"--tls", "--tls_cert=/none"}), HasSubstr("one is of no use without the other"));
}

TEST_F(ConnectionTest, TlsShowsACertificateAndSendsTheToken) {
  const CertificateAuthority authority("authority"), clients("clients");
  const TestCertificate own = authority.Issue();
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = clients.certificate();
  options.pem_key_cert_pairs = {{own.key, own.certificate}};
  ListeningServer server(grpc::SslServerCredentials(options));

  const TestCertificate client = clients.Issue({.host = "client"});
  const std::vector<std::string> flags = {"models",
                                          server.flag(),
                                          "--deadline=10",
                                          "--tls",
                                          "--tls_ca=" + File("ca.pem", authority.certificate()),
                                          "--tls_cert=" + File("cert.pem", client.certificate),
                                          "--tls_key=" + File("key.pem", client.key),
                                          "--token_file=" + File("token", kToken)};
  const HeedRun run = RunHeedWith(flags);
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_THAT(server.seen(), ElementsAre("Bearer " + kToken));
  // Each of what is missing here is what the server, or the client, insists on.
  EXPECT_EQ(RunHeedWith({flags.begin(), flags.begin() + 5}).code, kExitUnavailable) << "no certificate";
  EXPECT_EQ(RunHeedWith({flags.begin(), flags.begin() + 4}).code, kExitUnavailable) << "an unknown authority";
  EXPECT_EQ(RunHeedWith({flags.begin(), flags.begin() + 3}).code, kExitUnavailable) << "plain text";
  EXPECT_EQ(server.seen().size(), 1u);
}

// The message, of a call that finds no server that it understands.
std::string Unconnected(std::vector<std::string> flags) {
  flags.insert(flags.begin(), {"models", "--deadline=10", "--connect_timeout=0"});
  const HeedRun run = RunHeedWith(flags);
  EXPECT_EQ(run.code, kExitUnavailable) << run.err;
  return run.err;
}

TEST_F(ConnectionTest, WhatListensIsNamedIfItIsNotUnderstood) {
  const CertificateAuthority authority("authority"), other("other");
  const TestCertificate own = authority.Issue();
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs = {{own.key, own.certificate}};
  ListeningServer encrypted(grpc::SslServerCredentials(options));
  ListeningServer plain(grpc::InsecureServerCredentials());
  const std::string ca = "--tls_ca=" + File("ca.pem", authority.certificate());
  EXPECT_EQ(ProbePeer(encrypted.address(), std::chrono::seconds(10)), Peer::kTls);
  EXPECT_EQ(ProbePeer(plain.address(), std::chrono::seconds(10)), Peer::kHttp2);

  EXPECT_THAT(Unconnected({encrypted.flag()}), HasSubstr(encrypted.address() + " speaks TLS: add --tls ("));
  EXPECT_THAT(Unconnected({plain.flag(), "--tls", ca}),
              HasSubstr(plain.address() + " speaks no TLS: leave out --tls ("));
  EXPECT_THAT(Unconnected({encrypted.flag(), "--tls", "--tls_ca=" + File("other.pem", other.certificate())}),
              AllOf(HasSubstr("the TLS handshake with the server"), HasSubstr("certificate verify failed"),
                    HasSubstr("--tls_ca=FILE,")));
  EXPECT_THAT(Unconnected({encrypted.flag(), "--tls"}),
              HasSubstr("--tls_ca=FILE (not given: those that this system trusts)"));
  EXPECT_EQ(RunHeedWith({"models", encrypted.flag(), "--tls", ca}).code, kExitOk);
}

TEST_F(ConnectionTest, AServerOfPagesIsNoGrpcServer) {
  FakeMetricsServer pages({""});
  EXPECT_EQ(ProbePeer(pages.address(), std::chrono::seconds(10)), Peer::kOther);
  EXPECT_THAT(Unconnected({"--server=" + pages.address()}), HasSubstr("does not answer as a gRPC server does"));
}

std::string GoneAddress() { return ListeningServer(grpc::InsecureServerCredentials()).address(); }

TEST_F(ConnectionTest, NobodyIsNobody) {
  const std::string gone = GoneAddress();
  EXPECT_EQ(ProbePeer(gone, std::chrono::seconds(10)), Peer::kNobody);
  EXPECT_FALSE(MayListen(gone, std::chrono::seconds(10)));
  EXPECT_FALSE(MayListen("unix:" + File("none", "") + ".socket", std::chrono::seconds(10)));
  EXPECT_TRUE(MayListen(gone + "," + gone, std::chrono::seconds(10))) << "a list is gRPC's to try";
  EXPECT_EQ(ProbePeer(gone + "," + gone, std::chrono::seconds(10)), Peer::kUnknown);
}

TEST_F(ConnectionTest, AServerThatStartsIsWaitedFor) {
  const std::string gone = GoneAddress();
  std::optional<ListeningServer> server;
  std::ostringstream out;
  // Starts the server when the first message says that it is waited for.
  class StartOnMessage : public std::stringbuf {
   public:
    explicit StartOnMessage(std::function<void()> start) : start_(std::move(start)) {}

   protected:
    int sync() override {
      if (start_) std::exchange(start_, nullptr)();
      return 0;
    }

   private:
    std::function<void()> start_;
  };
  StartOnMessage messages([&] { server.emplace(grpc::InsecureServerCredentials(), gone); });
  std::ostream err(&messages);
  std::istringstream in;
  Console console{.in = in, .out = out, .err = err};
  EXPECT_EQ(RunHeed({"models", "--server=" + gone, "--connect_timeout=60"}, console), kExitOk) << messages.str();
  EXPECT_EQ(messages.str(), absl::StrCat("heed: waiting for the server at ", gone,
                                         " (nothing listens there yet)\nheed: the server has no models\n"));
  EXPECT_EQ(server->calls(), 1);
}

TEST(BalancedChannel, ServersOfAListGetCallsInTurnAndAMissingOneNone) {
  ListeningServer first(grpc::InsecureServerCredentials()), second(grpc::InsecureServerCredentials());
  std::string missing;
  {
    const ListeningServer gone(grpc::InsecureServerCredentials());
    missing = gone.address();
  }
  const auto channel =
      MakeChannel(absl::StrCat(first.address(), ",", missing, ",localhost:", second.address().substr(10)));
  const auto stub = v1::ModelService::NewStub(channel);
  while (first.calls() == 0 || second.calls() == 0) {  // until both are connected
    grpc::ClientContext context;
    v1::ListModelsResponse response;
    ASSERT_TRUE(stub->ListModels(&context, {}, &response).ok());
  }
  const int before = first.calls(), others = second.calls();
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    v1::ListModelsResponse response;
    ASSERT_TRUE(stub->ListModels(&context, {}, &response).ok());
  }
  EXPECT_EQ(first.calls(), before + 10);
  EXPECT_EQ(second.calls(), others + 10);
}

TEST(BalancedChannel, ListIsOfThisMachineIfAllOfItIs) {
  EXPECT_TRUE(IsLoopback("127.0.0.1:1,localhost:2"));
  EXPECT_FALSE(IsLoopback("127.0.0.1:1,10.0.0.1:2"));
}

}  // namespace
}  // namespace heed::client
