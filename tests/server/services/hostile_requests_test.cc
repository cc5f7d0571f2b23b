// SPDX-License-Identifier: Apache-2.0
// What somebody careless or hostile sends: bytes that are no message, messages that inflate, requests that take long to
// prepare, answers without end, models that throw. One request fails, by name; the server goes on.
#include <atomic>
#include <future>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "heed/v1/questions.grpc.pb.h"
#include "inference.grpc.pb.h"
#include "tests/server/services/translation_server.h"

namespace heed {
namespace {

using grpc::StatusCode;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Of a text that is prepared on a thread of its own.
constexpr size_t kLarge = 100'000;

// A translator that does, beside what FakeTranslator does, what a text tells it to. A large text makes Start wait:
// until the server says that the caller has gone if it begins with "g", for ReleaseStart otherwise. "throw" makes Start
// throw, "bad_alloc" a step.
class UnrulyTranslator : public FakeTranslator {
 public:
  using Translator::Start;
  absl::StatusOr<StartedTranslation> Start(absl::Span<const SourceText> texts, const TranslateOptions& options,
                                           const StartLimits& limits) const override {
    if (!texts.empty() && texts[0].text.size() >= kLarge) {
      if (texts[0].text[0] == 'g') return WaitUntilGone(limits);
      released_.wait();
    }
    if (!texts.empty() && texts[0].text == "throw") throw std::runtime_error("as it was told");
    return FakeTranslator::Start(texts, options, limits);
  }
  void Step(absl::Span<Task* const> tasks, Context& context) const override {
    for (Task* task : tasks) {
      if (static_cast<TranslationTask*>(task)->source() == "bad_alloc") throw std::bad_alloc();
    }
    FakeTranslator::Step(tasks, context);
  }
  void ReleaseStart() { release_.set_value(); }

 private:
  static absl::Status WaitUntilGone(const StartLimits& limits) {
    while (true) {
      if (absl::Status status = limits.Check(); !status.ok()) return status;
      std::this_thread::yield();
    }
  }

  std::promise<void> release_;
  const std::shared_future<void> released_ = release_.get_future().share();
};

class HostileRequestsTest : public TranslationServerTest {
 protected:
  HostileRequestsTest() {
    model_ = unruly_;
    options_.management = true;
  }

  // What a client that knows no types sends: one message, whatever its bytes.
  grpc::Status Send(const std::string& path, const std::string& bytes,
                    grpc_compression_algorithm compression = GRPC_COMPRESS_NONE) {
    grpc::GenericStub stub(Connect());
    grpc::ClientContext context;
    context.set_compression_algorithm(compression);
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    std::promise<grpc::Status> done;
    stub.UnaryCall(&context, path, {}, &request, &response, [&](grpc::Status status) { done.set_value(status); });
    return done.get_future().get();
  }

  const std::shared_ptr<UnrulyTranslator> unruly_ = std::make_shared<UnrulyTranslator>();
};

TEST_F(HostileRequestsTest, EveryMethodSaysWhyBytesAreNoMessage) {
  Start();
  const auto& pool = *google::protobuf::DescriptorPool::generated_pool();
  int methods = 0;
  for (const char* name :
       {"grpc.health.v1.Health", "heed.v1.ModelService", "heed.v1.TranslationService", "heed.v1.SequenceService",
        "heed.v1.QuestionAnsweringService", "heed.v1.LanguageModelingService", "heed.v1.GraphService",
        "inference.GRPCInferenceService"}) {
    const google::protobuf::ServiceDescriptor& service = *pool.FindServiceByName(name);
    for (int i = 0; i < service.method_count(); ++i) {
      const std::string path = absl::StrCat("/", name, "/", service.method(i)->name());
      const grpc::Status status = Send(path, "\x12\x7fgarbage");
      EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT) << path << " " << status.error_message();
      EXPECT_THAT(status.error_message(), HasSubstr("has a length of 127 bytes, but 7 are left")) << path;
      ++methods;
    }
  }
  EXPECT_GE(methods, 50);
  EXPECT_TRUE(HasMetric(
      "heed_requests_total{code=\"INVALID_ARGUMENT\",method=\"heed.v1.TranslationService/Translate\",model=\"\"} 1"))
      << server_->metrics().Text();
  EXPECT_TRUE(Translate(Connect()).ok());
}

TEST_F(HostileRequestsTest, ATextThatIsNotUtf8IsNamed) {
  Start();
  for (const char* method : {"Translate", "TranslateStream"}) {
    const grpc::Status status = Send(absl::StrCat("/heed.v1.TranslationService/", method),
                                     "\x0a\x04"
                                     "fake"
                                     "\x12\x06"
                                     "A caf\xe9");
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(status.error_message(), "texts[0] is not UTF-8 at byte 5 of 6");
  }
  const grpc::Status fact = Send("/heed.v1.QuestionAnsweringService/Tell", "\x12\x02\xc3\x28");
  EXPECT_EQ(fact.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(fact.error_message(), HasSubstr("is not UTF-8 at byte 0 of 2"));
}

TEST_F(HostileRequestsTest, AMessageOfAStreamIsNamedByItsPlace) {
  Start();
  const auto stub = v1::QuestionAnsweringService::NewStub(Connect());
  const grpc::Status status = Send("/heed.v1.QuestionAnsweringService/Chat", "\x12\x7fgarbage");
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), StartsWith("message 0: "));
}

TEST_F(HostileRequestsTest, CompressedMessagesAreInflatedUpToTheLimit) {
  options_.max_message_bytes = 1 << 20;
  Start();
  v1::TranslateRequest request;
  request.add_texts("two dogs");
  for (const auto compression : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    // gRPC sends what compression does not shorten as it is.
    request.set_texts(0, "two dogs" + std::string(2000, ' '));
    EXPECT_TRUE(Send("/heed.v1.TranslationService/Translate", request.SerializeAsString(), compression).ok());
    const grpc::Status bomb =
        Send("/heed.v1.QuestionAnsweringService/ImportSession", std::string(20 << 20, '\0'), compression);
    EXPECT_EQ(bomb.error_code(), StatusCode::RESOURCE_EXHAUSTED) << bomb.error_message();
    EXPECT_THAT(bomb.error_message(), HasSubstr("inflates to more than --max_message_bytes=1048576"));
    // A stream's messages, too.
    const grpc::Status part = Send("/heed.v1.GraphService/PutGraph", std::string(20 << 20, '\0'), compression);
    EXPECT_EQ(part.error_code(), StatusCode::RESOURCE_EXHAUSTED) << part.error_message();
  }
}

TEST_F(HostileRequestsTest, NobodyWaitsForALargeRequestToBePrepared) {
  Start();
  const auto channel = Connect();
  auto large = std::async(std::launch::async, [&] { return Translate(Connect(), "", std::string(kLarge, 'a')); });
  WaitForMetric("heed_requests_in_flight{method=\"heed.v1.TranslationService/Translate\"} 1");
  EXPECT_TRUE(Translate(channel).ok());
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckResponse health;
  EXPECT_TRUE(grpc::health::v1::Health::NewStub(channel)->Check(&context, {}, &health).ok());
  unruly_->ReleaseStart();
  EXPECT_TRUE(large.get().ok());
}

TEST_F(HostileRequestsTest, ALargeRequestWhoseCallerHasGoneIsNotPrepared) {
  Start();
  grpc::ClientContext context;
  std::thread caller([&] {
    v1::TranslateRequest request;
    request.add_texts(std::string(kLarge, 'g'));
    v1::TranslateResponse response;
    EXPECT_EQ(v1::TranslationService::NewStub(Connect())->Translate(&context, request, &response).error_code(),
              StatusCode::CANCELLED);
  });
  WaitForMetric("heed_requests_in_flight{method=\"heed.v1.TranslationService/Translate\"} 1");
  context.TryCancel();
  caller.join();
  WaitForMetric("heed_requests_in_flight{method=\"heed.v1.TranslationService/Translate\"} 0");
  EXPECT_TRUE(HasMetric(
      "heed_requests_total{code=\"CANCELLED\",method=\"heed.v1.TranslationService/Translate\",model=\"fake\"} 1"))
      << server_->metrics().Text();
  EXPECT_TRUE(model_->batch_sizes().empty());
}

TEST_F(HostileRequestsTest, AnswersBeyondTheLimitAreRefusedBeforeTheyAreComputed) {
  options_.max_response_bytes = 1000;
  Start();
  v1::TranslateRequest request;
  std::string words;
  for (int i = 0; i < 20; ++i) words += "word ";
  request.add_texts(words);
  request.mutable_options()->set_return_attention(true);
  v1::TranslateResponse response;
  grpc::ClientContext context;
  const grpc::Status status = v1::TranslationService::NewStub(Connect())->Translate(&context, request, &response);
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), AllOf(HasSubstr("1600 bytes"), HasSubstr("--max_response_bytes=1000")));
  EXPECT_EQ(context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 0u) << "no other try changes it";
  EXPECT_TRUE(model_->batch_sizes().empty());
  EXPECT_TRUE(HasMetric("heed_rejections_total{model=\"fake\",reason=\"answer_too_large\"} 1"));
}

TEST_F(HostileRequestsTest, AnswersThatGrowBeyondTheLimitEndTheirRequestAlone) {
  options_.max_response_bytes = 1000;
  Start();
  const auto channel = Connect();
  EXPECT_TRUE(Translate(channel, "", std::string(900, 'a')).ok());
  const grpc::Status status = Translate(channel, "", std::string(1001, 'a'));
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("--max_response_bytes=1000"));
  EXPECT_TRUE(Translate(channel).ok());
}

TEST_F(HostileRequestsTest, AModelThatThrowsFailsTheRequestAlone) {
  Start();
  const auto channel = Connect();
  const grpc::Status memory = Translate(channel, "", "bad_alloc");
  EXPECT_EQ(memory.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(memory.error_message(), "the server has no memory for this request");
  const grpc::Status thrown = Translate(channel, "", "throw");
  EXPECT_EQ(thrown.error_code(), StatusCode::INTERNAL);
  EXPECT_THAT(thrown.error_message(), HasSubstr("as it was told"));
  EXPECT_TRUE(Translate(channel).ok());
}

TEST_F(HostileRequestsTest, ANameThatNoDirectoryCanHaveIsLookedForNowhere) {
  Start();
  const grpc::Status status =
      Send("/heed.v1.ModelService/LoadModel", absl::StrCat("\x0a\x80\x20", std::string(4096, 'm')));
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("is not the name of a directory"));
}

TEST_F(HostileRequestsTest, TooManyTextsAreRefusedByTheirNumber) {
  options_.max_queued_tasks = 3;
  Start();
  v1::TranslateRequest request;
  for (int i = 0; i < 4; ++i) request.add_texts("");
  v1::TranslateResponse response;
  grpc::ClientContext context;
  const grpc::Status status = v1::TranslationService::NewStub(Connect())->Translate(&context, request, &response);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "texts: 4 texts in one request, at most 3");
}

}  // namespace
}  // namespace heed
