// SPDX-License-Identifier: Apache-2.0
// TLS, mutual TLS and certificates that change while the server runs; the files' own errors.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/security/certificates.h"
#include "tests/server/services/translation_server.h"
#include "tests/support/certificate_authority.h"
#include "tests/support/tcp_connection.h"

namespace heed {
namespace {

using grpc::StatusCode;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class TlsTest : public TranslationServerTest {
 protected:
  TlsTest() {
    Install(authority_.Issue());
    options_.tls_cert = root_.File("cert.pem");
    options_.tls_key = root_.File("key.pem");
    options_.tls_reload_s = 0;  // each handshake looks
  }

  void Install(const TestCertificate& certificate) {
    root_.Write("cert.pem", certificate.certificate);
    root_.Write("key.pem", certificate.key);
  }
  void AskClients(const CertificateAuthority& authority) {
    root_.Write("client_ca.pem", authority.certificate());
    options_.tls_client_ca = root_.File("client_ca.pem");
  }
  // Over a new connection. `client`: what the client shows; empty: nothing.
  grpc::Status TranslateBy(const CertificateAuthority& trusted, const TestCertificate& client = {}) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = trusted.certificate();
    options.pem_cert_chain = client.certificate;
    options.pem_private_key = client.key;
    return Translate(Connect(grpc::SslCredentials(options)));
  }

  const CertificateAuthority authority_{"authority"};
  const CertificateAuthority other_{"other authority"};
};

TEST_F(TlsTest, AClientThatTrustsTheAuthorityIsServed) {
  Start();
  const grpc::Status status = TranslateBy(authority_);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(TlsTest, PlainTextIsNotServed) {
  Start();
  EXPECT_EQ(Translate(Connect()).error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, ClientsRefuseWhatIsNotTheServersRightCertificate) {
  Start();
  EXPECT_EQ(TranslateBy(other_).error_code(), StatusCode::UNAVAILABLE) << "another authority";
  Install(authority_.Issue({.host = "elsewhere.example"}));
  EXPECT_EQ(TranslateBy(authority_).error_code(), StatusCode::UNAVAILABLE) << "another host";
  Install(authority_.Issue({.valid_from_s = -7200, .valid_to_s = -3600}));
  EXPECT_EQ(TranslateBy(authority_).error_code(), StatusCode::UNAVAILABLE) << "expired";
  Install(authority_.Issue());
  EXPECT_TRUE(TranslateBy(authority_).ok());
}

TEST_F(TlsTest, ClientsMustShowACertificateOfTheirAuthority) {
  AskClients(other_);
  Start();
  EXPECT_TRUE(TranslateBy(authority_, other_.Issue({.host = "client"})).ok());
  EXPECT_EQ(TranslateBy(authority_).error_code(), StatusCode::UNAVAILABLE) << "none";
  EXPECT_EQ(TranslateBy(authority_, authority_.Issue()).error_code(), StatusCode::UNAVAILABLE) << "another authority's";
  const CertificateAuthority namesake("other authority");
  EXPECT_EQ(TranslateBy(authority_, namesake.Issue()).error_code(), StatusCode::UNAVAILABLE)
      << "the name is not enough";
  EXPECT_EQ(TranslateBy(authority_, other_.Issue({.valid_from_s = -7200, .valid_to_s = -3600})).error_code(),
            StatusCode::UNAVAILABLE)
      << "expired";
}

TEST_F(TlsTest, NewConnectionsMeetTheNewCertificate) {
  Start();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = authority_.certificate();
  const auto before = Connect(grpc::SslCredentials(options));
  ASSERT_TRUE(Translate(before).ok());
  Install(other_.Issue());
  EXPECT_TRUE(TranslateBy(other_).ok());
  EXPECT_EQ(TranslateBy(authority_).error_code(), StatusCode::UNAVAILABLE);
  EXPECT_TRUE(Translate(before).ok()) << "a connection that is there stays";
}

TEST_F(TlsTest, AClientWhoseAuthorityWasRemovedIsRefusedAfterTheReload) {
  const CertificateAuthority removed("removed authority");
  AskClients(removed);
  Start();
  const TestCertificate client = removed.Issue({.host = "client"});
  ASSERT_TRUE(TranslateBy(authority_, client).ok());
  AskClients(other_);
  EXPECT_EQ(TranslateBy(authority_, client).error_code(), StatusCode::UNAVAILABLE);
  EXPECT_TRUE(TranslateBy(authority_, other_.Issue({.host = "client"})).ok());
}

TEST_F(TlsTest, WrongFilesAtTheReloadKeepTheOldOnes) {
  AskClients(other_);
  Start();
  const TestCertificate client = other_.Issue({.host = "client"});
  const std::string key = root_.Read("key.pem");
  const std::string client_ca = root_.Read("client_ca.pem");
  root_.Write("key.pem", authority_.Issue().key);
  EXPECT_TRUE(TranslateBy(authority_, client).ok()) << "another certificate's key";
  root_.Write("key.pem", "");
  EXPECT_TRUE(TranslateBy(authority_, client).ok()) << "no key";
  std::filesystem::remove(options_.tls_key);
  EXPECT_TRUE(TranslateBy(authority_, client).ok()) << "no file";
  root_.Write("key.pem", key);
  root_.Write("client_ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  EXPECT_TRUE(TranslateBy(authority_, client).ok()) << "a damaged authority";
  EXPECT_EQ(TranslateBy(authority_).error_code(), StatusCode::UNAVAILABLE) << "clients are asked all the while";
  root_.Write("client_ca.pem", client_ca);
  Install(other_.Issue());
  EXPECT_TRUE(TranslateBy(other_, client).ok()) << "mended";
}

TEST_F(TlsTest, TokensAreAskedForBehindTheCertificate) {
  root_.Write("tokens", "reader reader-token-0123456789 infer\n");
  options_.tokens = root_.File("tokens");
  Start();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = authority_.certificate();
  const auto channel = Connect(grpc::SslCredentials(options));
  EXPECT_EQ(Translate(channel).error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(Translate(channel, "Bearer reader-token-0123456789").ok());
}

TEST_F(TlsTest, ConnectionsThatNeverShakeHandsCountAndLaterLeaveRoom) {
  options_.max_connections = 4;
  Start();
  {
    std::vector<std::unique_ptr<TcpConnection>> idle;
    for (int i = 0; i < 4; ++i) idle.push_back(std::make_unique<TcpConnection>(server_->port()));
    WaitForMetric("heed_accepting 0");
    EXPECT_EQ(TranslateBy(authority_).error_code(), StatusCode::UNAVAILABLE);
  }
  WaitForMetric("heed_accepting 1");
  const grpc::Status status = TranslateBy(authority_);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(TlsTest, AUnixSocketIsServed) {
  root_.Write("tokens", "reader reader-token-0123456789 infer\n");
  options_.tokens = root_.File("tokens");
  options_.listen = "unix:" + root_.File("socket");
  Start();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = authority_.certificate();
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride("127.0.0.1");
  const auto channel = grpc::CreateCustomChannel(options_.listen, grpc::SslCredentials(options), arguments);
  const grpc::Status status = Translate(channel, "Bearer reader-token-0123456789");
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(Translate(channel).error_code(), StatusCode::UNAUTHENTICATED);
}

TEST_F(TlsTest, FilesAreLookedAtAgainAfterTheInterval) {
  const TimePoint start(std::chrono::hours(1));
  auto files = CertificateFiles::Open({options_.tls_cert, options_.tls_key, ""}, std::chrono::seconds(60), start);
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_NE((*files)->TakeNew(start), nullptr) << "the first time always";
  EXPECT_EQ((*files)->TakeNew(start), nullptr);
  Install(other_.Issue());
  EXPECT_EQ((*files)->TakeNew(start + std::chrono::milliseconds(59'999)), nullptr);
  const auto fresh = (*files)->TakeNew(start + std::chrono::seconds(60));
  ASSERT_NE(fresh, nullptr);
  EXPECT_EQ(fresh->certificate, root_.Read("cert.pem"));
  EXPECT_EQ((*files)->TakeNew(start + std::chrono::seconds(120)), nullptr) << "nothing has changed";
}

TEST_F(TlsTest, FilesThatAreWrongAtTheStartAreErrorsThatNameThem) {
  const CertificatePaths paths{options_.tls_cert, options_.tls_key, root_.File("client_ca.pem")};
  auto error_of = [&] {
    const absl::StatusOr<Certificates> read = ReadCertificates(paths);
    EXPECT_FALSE(read.ok());
    return std::string(read.status().message());
  };
  EXPECT_EQ(error_of(), absl::StrCat("--tls_client_ca=", paths.client_ca, ": cannot be read"));
  root_.Write("client_ca.pem", "nothing\n");
  EXPECT_EQ(error_of(), absl::StrCat("--tls_client_ca=", paths.client_ca, ": holds no certificate in PEM"));
  root_.Write("client_ca.pem", other_.certificate() + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  EXPECT_THAT(error_of(), HasSubstr("client_ca.pem: certificate 2 cannot be read"));
  root_.Write("client_ca.pem", other_.certificate() + authority_.certificate());
  EXPECT_TRUE(ReadCertificates(paths).ok());

  const TestCertificate right = authority_.Issue(), wrong = authority_.Issue();
  root_.Write("cert.pem", right.certificate);
  root_.Write("key.pem", wrong.key);
  EXPECT_THAT(error_of(),
              AllOf(HasSubstr(absl::StrCat("--tls_key=", paths.key)),
                    HasSubstr(absl::StrCat("is not the key of the certificate in --tls_cert=", paths.certificate)),
                    Not(HasSubstr("BEGIN"))));
  root_.Write("key.pem", right.certificate);
  EXPECT_THAT(error_of(), HasSubstr("key.pem: holds no private key in PEM"));
  root_.Write("cert.pem", right.key);
  EXPECT_THAT(error_of(), HasSubstr("cert.pem: holds no certificate in PEM"));
  std::filesystem::remove(paths.certificate);
  EXPECT_EQ(error_of(), absl::StrCat("--tls_cert=", paths.certificate, ": cannot be read"));
}

TEST_F(TlsTest, TheServerDoesNotStartWithThem) {
  root_.Write("key.pem", authority_.Issue().key);
  const absl::Status status = TryToStart();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is not the key of the certificate"));
}

}  // namespace
}  // namespace heed
