// SPDX-License-Identifier: Apache-2.0
// Models that change while the server serves: heed.v1.ModelService Load and Unload, over gRPC.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/create_channel.h"
#include "heed/v1/models.grpc.pb.h"
#include "heed/v1/questions.grpc.pb.h"
#include "heed/v1/translation.grpc.pb.h"
#include "server/server.h"
#include "tests/support/fake_question_answerer.h"
#include "tests/support/fake_translator.h"
#include "tests/support/metric_samples.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using grpc::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

// "tr" is a translator, "qa" answers questions with the content of its config.json as fingerprint; a version whose
// config.json says "broken" fails to load.
class ModelChanges : public testing::Test {
 protected:
  void SetUp() override {
    Write("tr", 1, "one");
    Write("qa", 1, "one");
    ServerOptions options;
    options.models = root_.path().string();
    options.listen = "127.0.0.1:0";
    options.metrics_listen = "";
    options.management = true;
    options.threads = 2;
    options.session_pin_s = pin_s_;
    options.model_precision = "tr=int8";
    auto server = Server::Start(options,
                                [this](const std::string& path, const std::string& name,
                                       Precision precision) -> absl::StatusOr<std::shared_ptr<const Model>> {
                                  std::string content;
                                  std::getline(std::ifstream(path + "/config.json"), content);
                                  if (content == "broken") return absl::InvalidArgumentError("config.json: is broken");
                                  if (name == "qa") return std::make_shared<FakeQuestionAnswerer>(name, content);
                                  auto model = std::make_shared<FakeTranslator>(name, precision);
                                  if (hold_next_) model->Hold();
                                  last_ = model;
                                  return model;
                                });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    server_->WaitUntilLoaded();
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials());
    models_ = v1::ModelService::NewStub(channel_);
    translation_ = v1::TranslationService::NewStub(channel_);
    questions_ = v1::QuestionAnsweringService::NewStub(channel_);
  }

  void Write(const std::string& name, int version, const std::string& content) {
    const auto directory = root_.path() / name / absl::StrCat(version);
    std::filesystem::create_directories(directory);
    std::ofstream(directory / "config.json") << content << "\n";
  }
  grpc::Status Load(const std::string& name, const std::vector<int64_t>& versions = {}) {
    grpc::ClientContext context;
    v1::LoadModelRequest request;
    request.set_model(name);
    request.mutable_versions()->Assign(versions.begin(), versions.end());
    loaded_.Clear();
    return models_->LoadModel(&context, request, &loaded_);
  }
  grpc::Status Unload(const std::string& name) {
    grpc::ClientContext context;
    v1::UnloadModelRequest request;
    request.set_model(name);
    v1::UnloadModelResponse response;
    return models_->UnloadModel(&context, request, &response);
  }
  grpc::Status Translate(const std::string& text, int64_t version = 0, const std::string& model = "tr") {
    grpc::ClientContext context;
    v1::TranslateRequest request;
    request.set_model(model);
    request.set_model_version(version);
    request.add_texts(text);
    return translation_->Translate(&context, request, &translated_);
  }
  std::string Open(int64_t version = 0) {
    grpc::ClientContext context;
    v1::OpenSessionRequest request;
    request.set_model("qa");
    request.set_model_version(version);
    v1::OpenSessionResponse response;
    EXPECT_TRUE(questions_->OpenSession(&context, request, &response).ok());
    EXPECT_EQ(response.session().model_version(), version == 0 ? 1 : version);
    return response.session().name();
  }
  grpc::Status Tell(const std::string& session) {
    grpc::ClientContext context;
    v1::TellRequest request;
    request.set_session(session);
    request.add_facts("it rains");
    return questions_->Tell(&context, request, &told_);
  }
  grpc::health::v1::HealthCheckResponse::ServingStatus Health(const std::string& service) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    grpc::health::v1::HealthCheckResponse response;
    EXPECT_TRUE(grpc::health::v1::Health::NewStub(channel_)->Check(&context, request, &response).ok());
    return response.status();
  }
  bool HasMetric(const std::string& line) { return HasSample(server_->metrics().Text(), line); }

  TemporaryDirectory root_;
  double pin_s_ = 600;
  bool hold_next_ = false;  // the loader's thread's, between Load's beginning and end
  std::shared_ptr<FakeTranslator> last_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ModelService::Stub> models_;
  std::unique_ptr<v1::TranslationService::Stub> translation_;
  std::unique_ptr<v1::QuestionAnsweringService::Stub> questions_;
  v1::LoadModelResponse loaded_;
  v1::TranslateResponse translated_;
  v1::TellResponse told_;
};

TEST_F(ModelChanges, TheServerIsReadyWhileAModelServes) {
  using grpc::health::v1::HealthCheckResponse;
  EXPECT_EQ(Health(""), HealthCheckResponse::SERVING);
  EXPECT_TRUE(HasMetric("heed_ready 1"));
  ASSERT_TRUE(Unload("tr").ok());
  EXPECT_EQ(Health(""), HealthCheckResponse::SERVING) << "the other one serves";
  ASSERT_TRUE(Unload("qa").ok());
  EXPECT_EQ(Health(""), HealthCheckResponse::NOT_SERVING);
  EXPECT_TRUE(HasMetric("heed_ready 0"));
  Write("tr", 1, "broken");
  EXPECT_FALSE(Load("tr").ok());
  EXPECT_EQ(Health(""), HealthCheckResponse::NOT_SERVING);
  Write("tr", 1, "mended");
  EXPECT_TRUE(Load("tr").ok()) << "it can be managed all the while";
  EXPECT_EQ(Health(""), HealthCheckResponse::SERVING);
  EXPECT_TRUE(HasMetric("heed_ready 1"));
}

TEST_F(ModelChanges, LoadAnswersWithTheVersions) {
  Write("tr", 2, "two");
  ASSERT_TRUE(Load("tr").ok());
  ASSERT_EQ(loaded_.versions_size(), 2);
  EXPECT_EQ(loaded_.versions(0).version(), 1);
  EXPECT_EQ(loaded_.versions(0).state(), v1::MODEL_STATE_UNLOADED);
  EXPECT_EQ(loaded_.versions(1).version(), 2);
  EXPECT_EQ(loaded_.versions(1).state(), v1::MODEL_STATE_READY);
  EXPECT_TRUE(loaded_.versions(1).is_default());
  EXPECT_TRUE(HasMetric("heed_model_version{model=\"tr\"} 2"));
  EXPECT_TRUE(HasMetric("heed_model_loads_total{model=\"tr\",outcome=\"ok\"} 2"));
  EXPECT_TRUE(HasMetric("heed_model_loads_total{model=\"tr\",outcome=\"failed\"} 0"))
      << "so that the first is an increase";
  EXPECT_TRUE(HasMetric("heed_queued_tasks{model=\"tr\"} 0"));
}

// The field and the description of google.rpc.BadRequest in the status's details.
std::pair<std::string, std::string> ViolationOf(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::BadRequest bad_request;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.details_size(), 1);
  if (details.details_size() != 1 || !details.details(0).UnpackTo(&bad_request)) return {};
  EXPECT_EQ(bad_request.field_violations_size(), 1);
  return {bad_request.field_violations(0).field(), bad_request.field_violations(0).description()};
}

TEST_F(ModelChanges, ARequestNamesAVersionAndTheAnswerSaysIt) {
  Write("tr", 2, "two");
  ASSERT_TRUE(Load("tr", {1, 2}).ok());
  ASSERT_TRUE(Translate("a").ok());
  EXPECT_EQ(translated_.model(), "tr");
  EXPECT_EQ(translated_.model_version(), 2) << "the highest is the default";
  for (const int64_t version : {1, 2}) {
    ASSERT_TRUE(Translate("a", version).ok());
    EXPECT_EQ(translated_.model_version(), version);
  }
  ASSERT_TRUE(Unload("qa").ok());
  ASSERT_TRUE(Load("qa").ok());
  ASSERT_TRUE(Translate("a", 0, "").ok());
  EXPECT_EQ(translated_.model_version(), 2);
  EXPECT_EQ(Translate("a", 3).error_code(), StatusCode::NOT_FOUND);
  EXPECT_THAT(Translate("a", 3).error_message(), HasSubstr("has no version 3; these are there: 1, 2"));

  const grpc::Status nameless = Translate("a", 1, "");
  EXPECT_EQ(nameless.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ViolationOf(nameless), std::pair(std::string("model_version"), std::string("1, but model is empty")));
  EXPECT_EQ(ViolationOf(Translate("a", -1)).first, "model_version");
  EXPECT_EQ(ViolationOf(Translate("a", 0, "qa")).first, "model") << "it is of another kind";
}

TEST_F(ModelChanges, ASessionIsOpenedWithAVersion) {
  Write("qa", 2, "two");
  ASSERT_TRUE(Load("qa", {1, 2}).ok());
  const std::string session = Open(/*version=*/1 + 1);
  ASSERT_TRUE(Tell(session).ok());
  EXPECT_EQ(told_.session().model_version(), 2);
  grpc::ClientContext context;
  v1::AnswerRequest request;
  request.set_model("qa");
  request.set_model_version(1);
  request.add_questions()->set_text("what");
  v1::AnswerResponse response;
  ASSERT_TRUE(questions_->Answer(&context, request, &response).ok());
  EXPECT_EQ(response.model(), "qa");
  EXPECT_EQ(response.model_version(), 1);
}

TEST_F(ModelChanges, ModelsTellTheirPrecision) {
  grpc::ClientContext context;
  v1::ListModelsResponse list;
  ASSERT_TRUE(models_->ListModels(&context, {}, &list).ok());
  ASSERT_EQ(list.models_size(), 2);
  EXPECT_EQ(list.models(0).precision(), v1::PRECISION_F32);
  EXPECT_EQ(list.models(1).precision(), v1::PRECISION_INT8);
  EXPECT_EQ(list.models(1).kernel(), KernelName(Precision::kInt8));
  Write("tr", 2, "two");
  ASSERT_TRUE(Load("tr", {2}).ok());
  EXPECT_EQ(loaded_.versions(0).precision(), v1::PRECISION_UNSPECIFIED);  // unloaded
  EXPECT_EQ(loaded_.versions(1).precision(), v1::PRECISION_INT8);
}

TEST_F(ModelChanges, TheListComesInPages) {
  Write("tr", 2, "two");
  ASSERT_TRUE(Load("tr").ok());
  v1::ListModelsRequest request;
  request.set_page_size(1);
  std::vector<std::pair<std::string, int64_t>> listed;
  do {
    grpc::ClientContext context;
    v1::ListModelsResponse page;
    ASSERT_TRUE(models_->ListModels(&context, request, &page).ok());
    ASSERT_EQ(page.models_size(), 1);
    listed.emplace_back(page.models(0).name(), page.models(0).version());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(listed, ElementsAre(std::pair("qa", 1), std::pair("tr", 1), std::pair("tr", 2)));

  request.set_page_token("xyz");
  v1::ListModelsResponse page;
  grpc::ClientContext wrong;
  EXPECT_EQ(ViolationOf(models_->ListModels(&wrong, request, &page)).first, "page_token");
  request.clear_page_token();
  request.set_page_size(-1);
  grpc::ClientContext negative;
  EXPECT_EQ(ViolationOf(models_->ListModels(&negative, request, &page)).first, "page_size");
  while (!HasMetric("heed_requests_total{code=\"OK\",method=\"heed.v1.ModelService/ListModels\",model=\"\"} 3")) {
    std::this_thread::yield();
  }
}

TEST_F(ModelChanges, ErrorsNameModelVersionAndReason) {
  EXPECT_EQ(Load("none").error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(Load("../tr").error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(Load("tr", {0}).error_message(), HasSubstr("versions[0]: 0, must be at least 1"));
  EXPECT_THAT(Load("tr", {5}).error_message(), HasSubstr("version 5 is not there; these are: 1"));
  EXPECT_EQ(Unload("none").error_code(), StatusCode::NOT_FOUND);
  Write("tr", 2, "broken");
  const grpc::Status failed = Load("tr");
  EXPECT_EQ(failed.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(failed.error_message(), HasSubstr("\"tr\" version 2 failed to load: config.json: is broken"));
  EXPECT_TRUE(Translate("a").ok());
  EXPECT_EQ(Health("tr"), grpc::health::v1::HealthCheckResponse::SERVING);
  EXPECT_TRUE(HasMetric("heed_model_loads_total{model=\"tr\",outcome=\"failed\"} 1"));
}

TEST_F(ModelChanges, RequestEndsOnTheVersionThatItBeganWith) {
  hold_next_ = true;
  Write("tr", 2, "two");
  ASSERT_TRUE(Load("tr").ok());
  const std::shared_ptr<FakeTranslator> old = last_;
  grpc::Status status;
  std::thread request([&] { status = Translate("one two three"); });
  old->WaitUntilHeld();
  hold_next_ = false;
  Write("tr", 3, "three");
  ASSERT_TRUE(Load("tr").ok());
  EXPECT_NE(last_, old);
  old->Release();
  request.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(old->batch_sizes().size(), 3u);
  EXPECT_TRUE(Translate("a").ok());
  EXPECT_EQ(old->batch_sizes().size(), 3u);
}

TEST_F(ModelChanges, UnloadedModelIsNotServingUntilLoaded) {
  ASSERT_TRUE(Unload("tr").ok());
  const grpc::Status status = Translate("a");
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("\"tr\" is not loaded"));
  EXPECT_EQ(Health("tr"), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Health(""), grpc::health::v1::HealthCheckResponse::SERVING);
  EXPECT_TRUE(HasMetric("heed_model_ready{model=\"tr\"} 0"));
  // Counted, once the call is over for the server too, under the name that was asked for.
  while (!HasMetric(
      "heed_requests_total{code=\"UNAVAILABLE\",method=\"heed.v1.TranslationService/Translate\",model=\"tr\"} 1")) {
    std::this_thread::yield();
  }
  ASSERT_TRUE(Load("tr").ok());
  EXPECT_TRUE(Translate("a").ok());
  EXPECT_EQ(Health("tr"), grpc::health::v1::HealthCheckResponse::SERVING);
}

TEST_F(ModelChanges, NoCallFailsWhileModelsAreReplaced) {
  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0;
  const auto count = [&answered](const grpc::Status& status) {
    EXPECT_TRUE(status.ok()) << status.error_code() << ": " << status.error_message();
    ++answered;
  };
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      while (!stop) count(Translate("one two. three"));
    });
  }
  callers.emplace_back([&] {
    std::string session;
    for (int told = 0; !stop; ++told) {
      if (told % 100 == 0) session = Open();  // however long this takes, no session gets too long
      count(Tell(session));
    }
  });
  for (int round = 0; round < 20; ++round) {
    Write("tr", 2 + round, round % 4 == 3 ? "broken" : "good");
    EXPECT_EQ(Load("tr").ok(), round % 4 != 3);
    EXPECT_TRUE(Load("qa").ok());
  }
  EXPECT_TRUE(Load("tr", {1}).ok());  // back to the first
  stop = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_GT(answered, 0);
}

TEST_F(ModelChanges, CallsOfAModelThatComesAndGoesAreAnsweredOrUnavailable) {
  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0, unavailable = 0, others = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      while (!stop) {
        const grpc::Status status = Translate("one two. three");
        (status.ok() ? answered : status.error_code() == StatusCode::UNAVAILABLE ? unavailable : others) += 1;
      }
    });
  }
  for (int round = 0; round < 10 || answered == 0 || unavailable == 0; ++round) {
    EXPECT_TRUE(Unload("tr").ok());
    EXPECT_TRUE(Load("tr").ok());
  }
  stop = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(others, 0);
  EXPECT_TRUE(Translate("a").ok());
}

TEST_F(ModelChanges, SessionGoesOnWithTheSameWeightsAndForAWhileWithOld) {
  const std::string session = Open();
  Write("qa", 2, "one");
  ASSERT_TRUE(Load("qa").ok());
  EXPECT_TRUE(Tell(session).ok());
  Write("qa", 3, "other");
  ASSERT_TRUE(Load("qa").ok());
  EXPECT_EQ(told_.session().model_version(), 2) << "the version that has the session's weights now";
  EXPECT_TRUE(Tell(session).ok());  // with version 2, which is kept
  EXPECT_EQ(told_.session().model_version(), 0) << "none serves";
  ASSERT_TRUE(Unload("qa").ok());
  EXPECT_EQ(Tell(session).error_code(), StatusCode::UNAVAILABLE);
  ASSERT_TRUE(Load("qa", {2}).ok());
  EXPECT_TRUE(Tell(session).ok());
}

class ModelChangesWithoutPins : public ModelChanges {
 protected:
  ModelChangesWithoutPins() { pin_s_ = 0; }
};

TEST_F(ModelChangesWithoutPins, SessionOfReplacedWeightsIsFailedPrecondition) {
  const std::string session = Open();
  Write("qa", 2, "other");
  ASSERT_TRUE(Load("qa").ok());
  const grpc::Status status = Tell(session);
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("other"));
}

}  // namespace
}  // namespace heed
