// SPDX-License-Identifier: Apache-2.0
#include "server/security/authorization.h"

#include <atomic>
#include <filesystem>
#include <future>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/empty.pb.h"
#include "google/protobuf/unknown_field_set.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "heed/v1/graphs.grpc.pb.h"
#include "tests/server/services/translation_server.h"

namespace heed {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kReader = "reader-token-0123456789";
const std::string kKeeper = "keeper-token-0123456789";
const std::string kOwner = "owner-token-0123456789";
const std::string kFile = absl::StrCat("# who uses this server\nreader ", kReader, " infer\n\nkeeper\t", kKeeper,
                                       "  manage   # at night\r\nowner ", kOwner, " infer,manage");

std::string ErrorOf(const std::string& text) {
  const absl::StatusOr<Tokens> tokens = Tokens::Parse(text);
  EXPECT_EQ(tokens.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(tokens.status().message());
}

TEST(TokensTest, LinesAreNamesTokensAndRights) {
  const absl::StatusOr<Tokens> tokens = Tokens::Parse(kFile);
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  EXPECT_EQ(tokens->size(), 3u);
  ASSERT_NE(tokens->Find(kReader), nullptr);
  EXPECT_EQ(tokens->Find(kReader)->name, "reader");
  EXPECT_TRUE(tokens->Find(kReader)->infer);
  EXPECT_FALSE(tokens->Find(kReader)->manage);
  EXPECT_FALSE(tokens->Find(kKeeper)->infer);
  EXPECT_TRUE(tokens->Find(kKeeper)->manage);
  EXPECT_TRUE(tokens->Find(kOwner)->infer && tokens->Find(kOwner)->manage);
  for (const std::string& other : {std::string(), kReader + "0", kReader.substr(1), std::string("reader"),
                                   kReader.substr(0, kReader.size() - 1), std::string(100'000, 'x')}) {
    EXPECT_EQ(tokens->Find(other), nullptr) << other;
  }
}

TEST(TokensTest, ANameMayHaveAnOldAndANewToken) {
  const absl::StatusOr<Tokens> tokens = Tokens::Parse(absl::StrCat("a ", kReader, " infer\na ", kKeeper, " infer\n"));
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  EXPECT_EQ(tokens->Find(kReader)->name, "a");
  EXPECT_EQ(tokens->Find(kKeeper)->name, "a");
}

TEST(TokensTest, WrongLinesAreNamedByTheirNumberAndNeverRepeated) {
  EXPECT_EQ(ErrorOf(""), "holds no token");
  EXPECT_EQ(ErrorOf("# none\n"), "holds no token");
  EXPECT_EQ(ErrorOf("a " + kReader), "line 1: has 2 words, not the 3 of NAME TOKEN RIGHTS");
  EXPECT_EQ(ErrorOf("a " + kReader + " infer, manage"), "line 1: the rights are not infer, manage or infer,manage");
  EXPECT_EQ(ErrorOf("\n\na short infer"), "line 3: the token has 5 characters, at least 16");
  for (const char* rights : {"read", "infer,", "infer,admin", "Infer"}) {
    EXPECT_EQ(ErrorOf(absl::StrCat("a ", kReader, " ", rights)),
              "line 1: the rights are not infer, manage or infer,manage");
  }
  EXPECT_THAT(ErrorOf(absl::StrCat("a not-a-short-word ", kReader)), Not(HasSubstr(kReader)));
  EXPECT_EQ(ErrorOf(absl::StrCat("a ", kReader, " infer\nb ", kReader, " infer")),
            "line 2: the token stands in an earlier line, too");
}

class TokenFileTest : public ::testing::Test {
 protected:
  void Write(const std::string& text) { root_.Write("tokens", text); }
  std::unique_ptr<TokenFile> Open() {
    absl::StatusOr<std::unique_ptr<TokenFile>> file = TokenFile::Open(root_.File("tokens"), now_);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }

  const TemporaryDirectory root_;
  TimePoint now_ = TimePoint(std::chrono::hours(1));
};

TEST_F(TokenFileTest, IsReadAgainASecondAfterItWasLookedAt) {
  Write("a " + kReader + " infer\n");
  const auto file = Open();
  Write("a " + kKeeper + " infer\n");
  EXPECT_NE(file->Get(now_ + std::chrono::milliseconds(999))->Find(kReader), nullptr);
  const auto later = file->Get(now_ + std::chrono::milliseconds(1000));
  EXPECT_EQ(later->Find(kReader), nullptr);
  EXPECT_NE(later->Find(kKeeper), nullptr);
}

TEST_F(TokenFileTest, AFileThatIsWrongOrGoneChangesNothingUntilItIsMended) {
  Write("a " + kReader + " infer\n");
  const auto file = Open();
  Write("a " + kKeeper + " everything\n");
  EXPECT_NE(file->Get(now_ += std::chrono::seconds(1))->Find(kReader), nullptr);
  std::filesystem::remove(root_.File("tokens"));
  EXPECT_NE(file->Get(now_ += std::chrono::seconds(1))->Find(kReader), nullptr);
  Write("a " + kKeeper + " manage\n");
  const auto mended = file->Get(now_ += std::chrono::seconds(1));
  EXPECT_EQ(mended->Find(kReader), nullptr);
  EXPECT_TRUE(mended->Find(kKeeper)->manage);
}

TEST_F(TokenFileTest, ManyThreadsAskWhileTheFileChanges) {
  Write("a " + kReader + " infer\n");
  const auto file = Open();
  std::atomic<int64_t> seconds = 0;
  std::atomic<bool> ended = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!ended) {
        const auto tokens = file->Get(now_ + std::chrono::seconds(++seconds));
        EXPECT_NE(tokens->Find(kReader) != nullptr, tokens->Find(kKeeper) != nullptr) << "the one or the other";
      }
    });
  }
  for (int i = 0; i < 200; ++i) Write(absl::StrCat("a ", i % 2 == 0 ? kKeeper : kReader, " infer\n"));
  ended = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_NE(file->Get(now_ + std::chrono::hours(1 << 20))->Find(kReader), nullptr);
}

TEST_F(TokenFileTest, AFileThatIsWrongAtTheStartIsAnErrorThatNamesIt) {
  const auto missing = TokenFile::Open(root_.File("none"), now_);
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("none: cannot be read"));
  Write("a b c\n");
  const auto wrong = TokenFile::Open(root_.File("tokens"), now_);
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(wrong.status().message()), HasSubstr("tokens: line 1: the token has 1 characters"));
}

// The server with three tokens.
class AuthorizationTest : public TranslationServerTest {
 protected:
  AuthorizationTest() {
    root_.Write("tokens", kFile);
    options_.tokens = root_.File("tokens");
  }

  // Calls whatever method, with an empty message.
  static grpc::Status Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& path,
                           const std::string& authorization = "") {
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    if (!authorization.empty()) context.AddMetadata("authorization", authorization);
    const grpc::ByteBuffer request(nullptr, 0);
    grpc::ByteBuffer response;
    std::promise<grpc::Status> done;
    stub.UnaryCall(&context, path, grpc::StubOptions(), &request, &response,
                   [&](grpc::Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  }

  // The paths of all methods of all services that the server registered, as its reflection tells.
  static std::vector<std::string> MethodsOf(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + kReader);
    const grpc::Slice list_services("\x3a\x00", 2);  // ServerReflectionRequest{list_services: ""}
    const grpc::ByteBuffer request(&list_services, 1);
    grpc::ByteBuffer response;
    std::promise<grpc::Status> done;
    stub.UnaryCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", grpc::StubOptions(),
                   &request, &response, [&](grpc::Status status) { done.set_value(std::move(status)); });
    const grpc::Status status = done.get_future().get();
    EXPECT_TRUE(status.ok()) << status.error_message();
    grpc::Slice bytes;
    EXPECT_TRUE(response.DumpToSingleSlice(&bytes).ok());
    // ServerReflectionResponse{list_services_response = 6: {repeated service = 1: {name = 1}}}
    std::vector<std::string> paths;
    for (const std::string& list : Texts(std::string(reinterpret_cast<const char*>(bytes.begin()), bytes.size()), 6)) {
      for (const std::string& service : Texts(list, 1)) {
        for (const std::string& name : Texts(service, 1)) {
          const auto* descriptor = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
          EXPECT_NE(descriptor, nullptr) << name;
          for (int i = 0; descriptor != nullptr && i < descriptor->method_count(); ++i) {
            paths.push_back(absl::StrCat("/", name, "/", descriptor->method(i)->name()));
          }
        }
      }
    }
    return paths;
  }

 private:
  // The length-delimited fields of a message of unknown type.
  static std::vector<std::string> Texts(const std::string& bytes, int number) {
    google::protobuf::Empty message;
    EXPECT_TRUE(message.ParseFromString(bytes));
    const google::protobuf::UnknownFieldSet& fields = message.GetReflection()->GetUnknownFields(message);
    std::vector<std::string> texts;
    for (int i = 0; i < fields.field_count(); ++i) {
      const google::protobuf::UnknownField& field = fields.field(i);
      if (field.number() == number) texts.push_back(field.length_delimited());
    }
    return texts;
  }
};

TEST_F(AuthorizationTest, EachMethodOfEachServiceHasARight) {
  Start();
  const std::vector<std::string> methods = MethodsOf(Connect());
  EXPECT_GE(methods.size(), 23u);
  for (const std::string& path : methods) EXPECT_TRUE(RightOf(path).has_value()) << path;
}

TEST_F(AuthorizationTest, EachMethodThatIsNotOpenIsRefusedWithoutAToken) {
  options_.management = true;
  Start();
  const auto channel = Connect();
  for (const std::string& path : MethodsOf(channel)) {
    if (RightOf(path) == Right::kOpen) continue;
    EXPECT_EQ(Call(channel, path).error_code(), grpc::StatusCode::UNAUTHENTICATED) << path;
    EXPECT_EQ(Call(channel, path, "Bearer wrong-0123456789-wrong").error_code(), grpc::StatusCode::UNAUTHENTICATED)
        << path;
  }
  // A method that nobody has is no way to learn which there are.
  EXPECT_EQ(Call(channel, "/heed.v1.ModelService/Nothing").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Call(channel, "/heed.v1.ModelService/Nothing", "Bearer " + kReader).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Call(channel, "/heed.v1.ModelService/Nothing", "Bearer " + kKeeper).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(AuthorizationTest, HealthIsOpen) {
  Start();
  EXPECT_TRUE(Call(Connect(), "/grpc.health.v1.Health/Check").ok());
}

TEST_F(AuthorizationTest, TokensGiveTheirHoldersTheirRights) {
  options_.management = true;
  Start();
  const auto channel = Connect();
  EXPECT_TRUE(Translate(channel, "Bearer " + kReader).ok());
  EXPECT_TRUE(Translate(channel, "bearer  " + kOwner).ok()) << "the scheme's case and spaces do not matter";
  EXPECT_TRUE(Call(channel, "/heed.v1.ModelService/ListModels", "Bearer " + kKeeper).ok());
  // With the right to manage it is the store that refuses what is asked for.
  const std::string remove = "/heed.v1.GraphService/DeleteGraph";
  EXPECT_EQ(Call(channel, remove, "Bearer " + kKeeper).error_code(), grpc::StatusCode::NOT_FOUND);

  const grpc::Status translate = Translate(channel, "Bearer " + kKeeper);
  EXPECT_EQ(translate.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(translate.error_message(),
            "/heed.v1.TranslationService/Translate: takes the right infer, which keeper lacks");
  const grpc::Status removed = Call(channel, remove, "Bearer " + kReader);
  EXPECT_EQ(removed.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(removed.error_message(), "/heed.v1.GraphService/DeleteGraph: takes the right manage, which reader lacks");
  EXPECT_TRUE(HasMetric("heed_rejections_total{model=\"\",reason=\"permission_denied\"} 2"));
}

TEST_F(AuthorizationTest, WhatIsNoTokenIsUnauthenticated) {
  Start();
  const auto channel = Connect();
  EXPECT_EQ(Translate(channel).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_THAT(Translate(channel).error_message(), HasSubstr("authorization: Bearer TOKEN"));
  for (const char* header : {"Bearer", "Bearer ", "Basic abc", "reader"}) {
    EXPECT_EQ(Translate(channel, header).error_code(), grpc::StatusCode::UNAUTHENTICATED) << header;
  }
  EXPECT_EQ(Translate(channel, kReader).error_code(), grpc::StatusCode::UNAUTHENTICATED) << "no scheme";
  const grpc::Status wrong = Translate(channel, "Bearer " + kReader + "x");
  EXPECT_EQ(wrong.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_THAT(wrong.error_message(), Not(HasSubstr(kReader)));
  EXPECT_TRUE(HasMetric("heed_rejections_total{model=\"\",reason=\"unauthenticated\"} 8"));
}

TEST_F(AuthorizationTest, ATokenTakenOutOfTheFileIsRefusedSoon) {
  Start();
  const auto channel = Connect();
  ASSERT_TRUE(Translate(channel, "Bearer " + kReader).ok());
  root_.Write("tokens", absl::StrCat("reader ", kKeeper, " infer\n"));
  while (Translate(channel, "Bearer " + kReader).ok()) std::this_thread::yield();
  EXPECT_TRUE(Translate(channel, "Bearer " + kKeeper).ok());
}

TEST_F(AuthorizationTest, AFileThatIsWrongIsAStartUpError) {
  root_.Write("tokens", "reader short infer\n");
  const absl::Status status = TryToStart();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(absl::StrCat("--tokens=", options_.tokens, ": line 1")), Not(HasSubstr("short"))));
}

TEST_F(AuthorizationTest, ManagementIsOffUnlessEnabledWhoeverAsks) {
  for (const bool tokens : {true, false}) {
    server_.reset();
    if (!tokens) options_.tokens.clear();
    Start();
    const auto channel = Connect();
    const std::string authorization = tokens ? "Bearer " + kOwner : "";
    int refused = 0;
    for (const std::string& path : MethodsOf(channel)) {
      if (RightOf(path) != Right::kManage) continue;
      ++refused;
      const grpc::Status status = Call(channel, path, authorization);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << path;
      EXPECT_EQ(status.error_message(),
                path + ": this server is not to be managed; it is if started with --management");
    }
    EXPECT_GE(refused, 3);
    EXPECT_TRUE(HasMetric(absl::StrCat("heed_rejections_total{model=\"\",reason=\"permission_denied\"} ", refused)));
    EXPECT_TRUE(Call(channel, "/heed.v1.GraphService/ListGraphs", authorization).ok());
    EXPECT_TRUE(Translate(channel, authorization).ok());
  }
}

TEST_F(AuthorizationTest, APutIsRefusedBeforeItsGraphIsSent) {
  for (const bool tokens : {true, false}) {
    server_.reset();
    if (!tokens) options_.tokens.clear();
    Start();
    grpc::ClientContext context;
    v1::PutGraphResponse response;
    auto writer = v1::GraphService::NewStub(Connect())->PutGraph(&context, &response);
    v1::PutGraphRequest message;
    message.mutable_part()->mutable_features()->mutable_values()->Resize(100'000, 1);
    while (writer->Write(message)) {  // without end, if nobody refused it
    }
    EXPECT_EQ(writer->Finish().error_code(),
              tokens ? grpc::StatusCode::UNAUTHENTICATED : grpc::StatusCode::PERMISSION_DENIED);
  }
}

TEST_F(AuthorizationTest, WithoutTokensNobodyIsAsked) {
  options_.tokens.clear();
  Start();
  const auto channel = Connect();
  EXPECT_TRUE(Translate(channel).ok());
  EXPECT_TRUE(Translate(channel, "Bearer whatever").ok());
  EXPECT_EQ(Call(channel, "/heed.v1.ModelService/Nothing").error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

}  // namespace
}  // namespace heed
