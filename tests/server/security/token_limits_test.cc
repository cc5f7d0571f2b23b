// SPDX-License-Identifier: Apache-2.0
// Limits of tokens: in their file, and through the whole server with fake models, on every front.
#include "server/security/token_limits.h"

#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/dynamic_message.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "heed/v1/language_modeling.grpc.pb.h"
#include "heed/v1/models.grpc.pb.h"
#include "heed/v1/questions.grpc.pb.h"
#include "heed/v1/translation.grpc.pb.h"
#include "inference.grpc.pb.h"
#include "nlohmann/json.hpp"
#include "server/messages/message_check.h"
#include "server/security/authorization.h"
#include "server/security/tokens.h"
#include "server/server.h"
#include "tests/support/fake_language_model.h"
#include "tests/support/fake_question_answerer.h"
#include "tests/support/fake_translator.h"
#include "tests/support/http_connection.h"
#include "tests/support/metric_samples.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kAnn = "ann-token-0123456789";
const std::string kBob = "bob-token-0123456789";
const std::string kCarl = "carl-token-0123456789";

std::string ProblemOf(const std::string& text) {
  const absl::StatusOr<Tokens> tokens = Tokens::Parse(text);
  EXPECT_EQ(tokens.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(tokens.status().message());
}
std::string LineOf(const std::string& limits) { return absl::StrCat("ann ", kAnn, " infer ", limits); }

TEST(TokenLimitsTest, StandBehindTheRightsInAnyOrder) {
  const auto tokens = Tokens::Parse(
      absl::StrCat(LineOf("models=en-de,gat-* requests_per_minute=600\tcharacters_per_minute=200000 # a day's work"),
                   "\nbob ", kBob, " infer"));
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  const TokenLimits& limits = tokens->Find(kAnn)->limits;
  EXPECT_EQ(limits.requests_per_minute, 600);
  EXPECT_EQ(limits.characters_per_minute, 200'000);
  EXPECT_EQ(limits.models.ToString(), "en-de,gat-*");
  EXPECT_EQ(tokens->Find(kBob)->limits, TokenLimits());
}

TEST(TokenLimitsTest, WhatIsNoLimitMakesTheLineWrong) {
  const std::string unknown =
      "line 1: a word behind the rights is none of requests_per_minute=N, characters_per_minute=N and "
      "models=NAME,NAME*";
  for (const char* word : {"requests=5", "requests_per_minute", "=5", "manage", "Models=a"}) {
    EXPECT_EQ(ProblemOf(LineOf(word)), unknown) << word;
  }
  EXPECT_THAT(ProblemOf(absl::StrCat("a not-a-short-word infer ", kAnn)), Not(HasSubstr(kAnn)));
  for (const char* value : {"", "0", "-1", "1.5", "many", "1000000000001"}) {
    EXPECT_THAT(ProblemOf(LineOf(absl::StrCat("requests_per_minute=", value))),
                HasSubstr("line 1: requests_per_minute is no whole number from 1 to 1000000000000"))
        << value;
  }
  EXPECT_EQ(ProblemOf(LineOf("models=a models=b")), "line 1: models is given twice");
  EXPECT_EQ(ProblemOf(LineOf("models=a,,b")), "line 1: models: a name is empty");
  EXPECT_EQ(ProblemOf(LineOf("models=a*b")), "line 1: models: a name has a * before its end");
}

TEST(TokenLimitsTest, ATokenIsWhatHeadersCanCarry) {
  EXPECT_EQ(ProblemOf("ann p\xc3\xa4ssw\xc3\xb6rtp\xc3\xa4ssw\xc3\xb6rt infer"),
            "line 1: the token has bytes that are no visible ASCII characters, which headers cannot carry");
}

TEST(TokenLimitsTest, LinesOfOneHolderAgree) {
  const auto with = [](const std::string& one, const std::string& other) {
    return absl::StrCat("\nann ", kAnn, " infer ", one, "\nann ", kBob, " infer,manage ", other);
  };
  EXPECT_TRUE(Tokens::Parse(with("models=a requests_per_minute=5", "requests_per_minute=5 models=a")).ok());
  EXPECT_EQ(ProblemOf(with("requests_per_minute=5", "requests_per_minute=6")),
            "line 3: ann has requests_per_minute=6, but line 2 says requests_per_minute=5");
  EXPECT_EQ(ProblemOf(with("characters_per_minute=5", "")),
            "line 3: ann has no characters_per_minute, but line 2 says characters_per_minute=5");
  EXPECT_EQ(ProblemOf(with("models=a", "models=b,c*")), "line 3: ann has models=b,c*, but line 2 says models=a");
}

// How long the status asks to wait.
double RetrySecondsOf(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::RetryInfo info;
  if (!details.ParseFromString(status.error_details()) || details.details().empty() ||
      !details.details(details.details_size() - 1).UnpackTo(&info)) {
    return 0;
  }
  return static_cast<double>(info.retry_delay().seconds()) + info.retry_delay().nanos() * 1e-9;
}

// Models: translators "en-de", "en-fr" and "fr-de", "books" (language) and "stories" (questions).
class TokenLimitsServerTest : public ::testing::Test {
 protected:
  TokenLimitsServerTest() {
    for (const char* name : {"en-de", "en-fr", "fr-de", "books", "stories"}) {
      std::filesystem::create_directories(root_.path() / "models" / name);
      root_.Write(absl::StrCat("models/", name, "/config.json"), "{}");
    }
    options_.models = root_.File("models");
    options_.listen = "127.0.0.1:0";
    options_.http_listen = "127.0.0.1:0";
    options_.metrics_listen = "";
    options_.management = true;
    options_.threads = 1;
    options_.tokens = root_.File("tokens");
  }
  ~TokenLimitsServerTest() override {
    channel_ = nullptr;
    server_ = nullptr;
  }

  static absl::StatusOr<std::shared_ptr<const Model>> Load(const std::string& name) {
    if (name == "books") return std::make_shared<FakeLanguageModel>(name, "a-fingerprint");
    if (name == "stories") return std::make_shared<FakeQuestionAnswerer>(name);
    auto translator = std::make_shared<FakeTranslator>(name);
    translator->set_language_pairs({{name.substr(0, 2), name.substr(3), ""}});
    return translator;
  }
  // `limits`: of ann. Bob has none.
  void Start(const std::string& limits) {
    root_.Write("tokens", absl::StrCat("ann ", kAnn, " infer,manage ", limits, "\nbob ", kBob, " infer,manage\n"));
    auto server =
        Server::Start(options_, [](const std::string&, const std::string& name, Precision) { return Load(name); });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    server_->WaitUntilLoaded();
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials());
  }

  template <typename Request, typename Response, typename Stub>
  grpc::Status Call(const std::unique_ptr<Stub>& stub,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response& response, const std::string& token = kAnn) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + token);
    return (stub.get()->*method)(&context, request, &response);
  }
  grpc::Status Translate(const std::string& text, const std::string& model = "en-de", const std::string& token = kAnn) {
    v1::TranslateRequest request;
    v1::TranslateResponse response;
    request.add_texts(text);
    request.set_model(model);
    return Call(v1::TranslationService::NewStub(channel_), &v1::TranslationService::Stub::Translate, request, response,
                token);
  }
  // Any method, with one message.
  grpc::Status CallWith(const std::string& path, const std::string& message, const std::string& token = kAnn) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + token);
    context.AddMetadata("triton_grpc_error", "true");  // of ModelStreamInfer: errors end the stream
    const grpc::Slice slice(message);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    std::promise<grpc::Status> done;
    stub.UnaryCall(&context, path, grpc::StubOptions(), &request, &response,
                   [&](grpc::Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  }
  ReceivedAnswer Post(const std::string& path, const std::string& json, const std::string& headers = "") {
    HttpConnection connection(server_->http_port());
    connection.Post(path, json, headers);
    return connection.Read();
  }
  bool HasMetric(const std::string& line) { return HasSample(server_->metrics().Text(), line); }

  const TemporaryDirectory root_;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

// Every method of ours and of the Open Inference Protocol.
void ForEachMethod(const std::function<void(const std::string& path, const Descriptor& request)>& visit) {
  for (const char* name : {"heed.v1.GraphService", "heed.v1.LanguageModelingService", "heed.v1.ModelService",
                           "heed.v1.QuestionAnsweringService", "heed.v1.SequenceService", "heed.v1.TranslationService",
                           "inference.GRPCInferenceService"}) {
    const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    ASSERT_NE(service, nullptr) << name;
    for (int i = 0; i < service->method_count(); ++i) {
      visit(absl::StrCat("/", name, "/", service->method(i)->name()), *service->method(i)->input_type());
    }
  }
}

TEST_F(TokenLimitsServerTest, EachMethodThatInfersCountsAsARequest) {
  Start("requests_per_minute=1");
  ASSERT_TRUE(Translate("a").ok());
  int methods = 0;
  ForEachMethod([&](const std::string& path, const Descriptor&) {
    const grpc::Status status = CallWith(path, "");
    if (RightOf(path) == Right::kInfer) {
      ++methods;
      EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED) << path << ": " << status.error_message();
      EXPECT_THAT(status.error_message(), HasSubstr("ann may send requests_per_minute=1")) << path;
      EXPECT_GT(RetrySecondsOf(status), 0) << path;
      EXPECT_LE(RetrySecondsOf(status), 60) << path;
    } else {
      EXPECT_NE(status.error_code(), StatusCode::RESOURCE_EXHAUSTED) << path;
    }
    EXPECT_NE(CallWith(path, "", kBob).error_code(), StatusCode::RESOURCE_EXHAUSTED) << path << ", of another holder";
  });
  EXPECT_GE(methods, 25);
  EXPECT_TRUE(HasMetric(absl::StrCat("heed_rejections_total{model=\"\",reason=\"token_limit\"} ", methods, "\n")));
  EXPECT_TRUE(HasMetric("heed_token_requests_total{holder=\"ann\"} 1\n"));
  EXPECT_TRUE(HasMetric("heed_token_characters_total{holder=\"ann\"} 1\n"));
}

TEST_F(TokenLimitsServerTest, TheClientHearsWhenThereIsRoom) {
  Start("requests_per_minute=600 characters_per_minute=600");
  ASSERT_TRUE(Translate(std::string(600, 'a')).ok());
  const grpc::Status status = Translate(std::string(300, 'a'));
  ASSERT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("ann may send characters_per_minute=600"));
  EXPECT_GT(RetrySecondsOf(status), 0);
  EXPECT_LE(RetrySecondsOf(status), 30);
  EXPECT_TRUE(Translate("", "en-de").ok()) << "which has no characters";
}

TEST_F(TokenLimitsServerTest, ARequestThatNeverFitsIsInvalid) {
  Start("characters_per_minute=10");
  const grpc::Status status = Translate("elf Zeichen");
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("11 characters"));
  EXPECT_THAT(status.error_message(), HasSubstr("characters_per_minute=10"));
  EXPECT_TRUE(Translate("zehn Zeich").ok()) << "nothing was taken";
}

TEST_F(TokenLimitsServerTest, TextsOfTheOpenInferenceProtocolCountToo) {
  Start("characters_per_minute=10");
  for (const bool raw : {false, true}) {
    inference::ModelInferRequest request;
    inference::ModelInferResponse response;
    request.set_model_name("en-de");
    auto& input = *request.add_inputs();
    input.set_name("text");
    input.set_datatype("BYTES");
    input.add_shape(1);
    const std::string text = "elf Zeichen";
    if (raw) {
      request.add_raw_input_contents(std::string("\x0b\0\0\0", 4) + text);
    } else {
      input.mutable_contents()->add_bytes_contents(text);
    }
    const grpc::Status status = Call(inference::GRPCInferenceService::NewStub(channel_),
                                     &inference::GRPCInferenceService::Stub::ModelInfer, request, response);
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr("11 characters"));
  }
}

TEST_F(TokenLimitsServerTest, EveryMessageOfAStreamCounts) {
  Start("requests_per_minute=3");
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer " + kAnn);
  const auto stub = v1::QuestionAnsweringService::NewStub(channel_);
  auto chat = stub->Chat(&context);
  v1::ChatRequest message;
  v1::ChatResponse answer;
  message.mutable_open_session();
  ASSERT_TRUE(chat->Write(message) && chat->Read(&answer));
  for (int i = 0; i < 2; ++i) {
    message.set_fact("Mary went home");
    ASSERT_TRUE(chat->Write(message) && chat->Read(&answer));
    EXPECT_TRUE(answer.has_told());
  }
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(chat->Write(message) && chat->Read(&answer)) << "the conversation goes on";
    EXPECT_EQ(answer.refusal().code(), StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_THAT(answer.refusal().message(), HasSubstr("ann may send requests_per_minute=3"));
  }
  chat->WritesDone();
  EXPECT_TRUE(chat->Finish().ok());
}

// One text for en-de.
inference::ModelInferRequest InferRequest(const std::string& text) {
  inference::ModelInferRequest request;
  request.set_model_name("en-de");
  auto& input = *request.add_inputs();
  input.set_name("text");
  input.set_datatype("BYTES");
  input.add_shape(1);
  input.mutable_contents()->add_bytes_contents(text);
  return request;
}

TEST_F(TokenLimitsServerTest, AMessageWithoutRoomLosesNoAnswerToThoseBeforeIt) {
  Start("requests_per_minute=3");
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer " + kAnn);
  const auto stub = inference::GRPCInferenceService::NewStub(channel_);
  auto stream = stub->ModelStreamInfer(&context);
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(stream->Write(InferRequest("a")));
  stream->WritesDone();
  std::vector<std::string> errors;
  for (inference::ModelStreamInferResponse response; stream->Read(&response);) {
    if (response.infer_response().parameters().at("triton_final_response").bool_param()) {
      errors.push_back(response.error_message());
    }
  }
  const auto refused = HasSubstr("ann may send requests_per_minute=3");
  EXPECT_THAT(errors, ElementsAre("", "", "", refused, refused, refused));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(TokenLimitsServerTest, ARequestThatTheServerCannotServeIsGivenBack) {
  Start("requests_per_minute=3 characters_per_minute=3");
  v1::UnloadModelRequest unload;
  unload.set_model("en-de");
  v1::UnloadModelResponse unloaded;
  ASSERT_TRUE(
      Call(v1::ModelService::NewStub(channel_), &v1::ModelService::Stub::UnloadModel, unload, unloaded, kBob).ok());
  for (int i = 0; i < 5; ++i) {
    const grpc::Status status = Translate("abc");
    EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE) << status.error_message();
  }
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer " + kAnn);
  const auto stub = inference::GRPCInferenceService::NewStub(channel_);
  auto stream = stub->ModelStreamInfer(&context);
  for (int i = 0; i < 5; ++i) {
    inference::ModelStreamInferResponse response;
    ASSERT_TRUE(stream->Write(InferRequest("abc")) && stream->Read(&response));
    EXPECT_THAT(response.error_message(), Not(HasSubstr("requests_per_minute")));
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(Translate("abc", "en-fr").ok());
  EXPECT_EQ(Translate("abc", "en-fr").error_code(), StatusCode::RESOURCE_EXHAUSTED) << "what is served counts";
}

TEST_F(TokenLimitsServerTest, DeepLsListsCountNothing) {
  Start("requests_per_minute=1");
  ASSERT_TRUE(Translate("a").ok());
  for (const char* path : {"/v2/usage", "/v2/languages", "/v2/glossaries"}) {
    HttpConnection connection(server_->http_port());
    connection.Write(
        absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: a\r\nAuthorization: DeepL-Auth-Key ", kAnn, "\r\n\r\n"));
    EXPECT_EQ(connection.Read().status, 200) << path;
  }
  EXPECT_EQ(Post("/v2/translate", R"({"text":["a"],"target_lang":"DE"})",
                 absl::StrCat("Authorization: DeepL-Auth-Key ", kAnn, "\r\n"))
                .status,
            429);
}

// A message with the model's name in `field`, whichever message within it that is of.
bool SetModel(Message& message, const FieldDescriptor& field, const std::string& name) {
  const Descriptor& type = *message.GetDescriptor();
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  if (field.containing_type() == &type) {
    field.is_repeated() ? reflection.AddString(&message, &field, name) : reflection.SetString(&message, &field, name);
    return true;
  }
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->message_type() != field.containing_type() || type.field(i)->is_repeated()) continue;
    return SetModel(*reflection.MutableMessage(&message, type.field(i)), field, name);
  }
  return false;
}

TEST_F(TokenLimitsServerTest, NoMethodTakesAModelOfOthersOrSaysWhetherItExists) {
  Start("models=en-de,gat-*");
  google::protobuf::DynamicMessageFactory factory;
  std::set<std::string> paths;
  const auto try_field = [&](const std::string& path, const Descriptor& request, const FieldDescriptor& field) {
    if (!NamesModel(field)) return;
    for (const std::string model : {"en-fr", "none"}) {
      const std::unique_ptr<Message> message(factory.GetPrototype(&request)->New());
      ASSERT_TRUE(SetModel(*message, field, model)) << path;
      const grpc::Status status = CallWith(path, message->SerializeAsString());
      EXPECT_EQ(status.error_code(), StatusCode::PERMISSION_DENIED) << path << ": " << status.error_message();
      EXPECT_THAT(status.error_message(),
                  HasSubstr(absl::StrCat("model \"", model, "\": ann may use models=en-de,gat-*")))
          << path;
      EXPECT_NE(CallWith(path, message->SerializeAsString(), kBob).error_code(), StatusCode::PERMISSION_DENIED) << path;
      paths.insert(path);
    }
  };
  ForEachMethod([&](const std::string& path, const Descriptor& request) {
    for (int i = 0; i < request.field_count(); ++i) {
      const FieldDescriptor& field = *request.field(i);
      try_field(path, request, field);
      for (int j = 0; field.message_type() != nullptr && j < field.message_type()->field_count(); ++j) {
        try_field(path, request, *field.message_type()->field(j));
      }
    }
  });
  EXPECT_GE(paths.size(), 28u);
}

TEST_F(TokenLimitsServerTest, RoutesListsAndDefaultsKnowOnlyTheAllowedModels) {
  Start("models=en-fr,fr-de,books");
  const auto translation = v1::TranslationService::NewStub(channel_);
  v1::TranslateRequest request;
  request.add_texts("a dog");
  request.set_source_language("en");
  request.set_target_language("de");
  v1::TranslateResponse response;
  ASSERT_TRUE(Call(translation, &v1::TranslationService::Stub::Translate, request, response, kBob).ok());
  EXPECT_EQ(response.model(), "en-de");
  response.Clear();
  const grpc::Status status = Call(translation, &v1::TranslationService::Stub::Translate, request, response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.translations(0).route_size(), 2) << "by way of French";
  EXPECT_EQ(response.translations(0).route(0).model(), "en-fr");

  v1::ListLanguagesResponse languages;
  ASSERT_TRUE(
      Call(translation, &v1::TranslationService::Stub::ListLanguages, v1::ListLanguagesRequest(), languages).ok());
  for (const v1::LanguagePair& pair : languages.pairs()) {
    EXPECT_THAT(pair.models(), Not(::testing::Contains("en-de")));
  }
  v1::ListModelsResponse models;
  ASSERT_TRUE(
      Call(v1::ModelService::NewStub(channel_), &v1::ModelService::Stub::ListModels, v1::ListModelsRequest(), models)
          .ok());
  std::vector<std::string> names;
  for (const v1::ModelInfo& model : models.models()) names.push_back(model.name());
  EXPECT_THAT(names, ElementsAre("books", "en-fr", "fr-de"));
  v1::ListModelStatisticsResponse statistics;
  ASSERT_TRUE(Call(v1::ModelService::NewStub(channel_), &v1::ModelService::Stub::ListModelStatistics,
                   v1::ListModelStatisticsRequest(), statistics)
                  .ok());
  EXPECT_EQ(statistics.statistics_size(), 3);
  inference::RepositoryIndexResponse index;
  ASSERT_TRUE(Call(inference::GRPCInferenceService::NewStub(channel_),
                   &inference::GRPCInferenceService::Stub::RepositoryIndex, inference::RepositoryIndexRequest(), index)
                  .ok());
  EXPECT_EQ(index.models_size(), 3);

  // Nobody is named: the only one of its kind, of ann's two translators none.
  v1::TranslateRequest unnamed;
  unnamed.add_texts("a");
  const grpc::Status several = Call(translation, &v1::TranslationService::Stub::Translate, unnamed, response);
  EXPECT_EQ(several.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(several.error_message(), HasSubstr("there are 2 of kind translator: en-fr, fr-de"));
  v1::AnswerRequest question;
  question.add_facts("Mary went home");
  question.add_questions()->set_text("where is Mary");
  v1::AnswerResponse answer;
  EXPECT_EQ(Call(v1::QuestionAnsweringService::NewStub(channel_), &v1::QuestionAnsweringService::Stub::Answer, question,
                 answer)
                .error_code(),
            StatusCode::NOT_FOUND);
}

TEST_F(TokenLimitsServerTest, ASessionOfAModelOfOthersStaysClosed) {
  Start("models=en-de");
  const auto stub = v1::LanguageModelingService::NewStub(channel_);
  using Stub = v1::LanguageModelingService::Stub;
  v1::OpenTextSessionResponse opened;
  ASSERT_TRUE(Call(stub, &Stub::OpenTextSession, v1::OpenTextSessionRequest(), opened, kBob).ok());
  const std::string session = opened.session().name();
  v1::ExportTextSessionRequest exported;
  exported.set_session(session);
  v1::ExportTextSessionResponse data;
  ASSERT_TRUE(Call(stub, &Stub::ExportTextSession, exported, data, kBob).ok());

  const auto expect_denied = [](const grpc::Status& status) {
    EXPECT_EQ(status.error_code(), StatusCode::PERMISSION_DENIED) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr("model \"books\": ann may use models=en-de"));
  };
  v1::ReadTextRequest read;
  read.set_session(session);
  read.set_text("a b");
  v1::ReadTextResponse score;
  expect_denied(Call(stub, &Stub::ReadText, read, score));
  v1::ForkTextSessionRequest fork;
  fork.set_session(session);
  v1::ForkTextSessionResponse forked;
  expect_denied(Call(stub, &Stub::ForkTextSession, fork, forked));
  expect_denied(Call(stub, &Stub::ExportTextSession, exported, data));
  v1::CloseTextSessionRequest close;
  close.set_session(session);
  v1::CloseTextSessionResponse closed;
  expect_denied(Call(stub, &Stub::CloseTextSession, close, closed));
  v1::ImportTextSessionRequest import;
  import.set_data(data.data());
  v1::ImportTextSessionResponse imported;
  expect_denied(Call(stub, &Stub::ImportTextSession, import, imported));
  {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + kAnn);
    v1::GenerateStreamRequest generate;
    generate.set_session(session);
    generate.set_prompt("a");
    auto stream = stub->GenerateStream(&context, generate);
    v1::GenerateStreamResponse event;
    while (stream->Read(&event)) {
    }
    expect_denied(stream->Finish());
  }
  {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + kAnn);
    auto stream = stub->ReadTextStream(&context);
    v1::ReadTextStreamRequest first;
    first.set_session(session);
    first.set_text("a b\n");
    stream->Write(first);
    v1::ReadTextStreamResponse part;
    EXPECT_FALSE(stream->Read(&part));
    expect_denied(stream->Finish());
  }
}

TEST_F(TokenLimitsServerTest, EachFrontOverHttpRefusesInItsOwnForm) {
  Start("requests_per_minute=1 models=en-de");
  const std::string bearer = "Authorization: Bearer " + kAnn + "\r\n";
  const std::string infer = R"({"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"data":["a"]}]})";
  // A model of others: before anything is taken.
  ReceivedAnswer answer = Post("/heed.v1.TranslationService/Translate", R"({"texts":["a"],"model":"en-fr"})", bearer);
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(nlohmann::json::parse(answer.body)["code"], "permission_denied");
  EXPECT_EQ(Post("/v2/models/en-fr/infer", infer, bearer).status, 403);

  EXPECT_EQ(Post("/translate", R"({"q":"a","source":"en","target":"de"})", bearer).status, 200);
  const auto expect_refused = [](const ReceivedAnswer& refused) {
    EXPECT_EQ(refused.status, 429) << refused.body;
    EXPECT_THAT(refused.body, HasSubstr("ann may send requests_per_minute=1"));
    EXPECT_TRUE(nlohmann::json::accept(refused.body)) << refused.body;
    const auto after = refused.headers.find("retry-after");
    ASSERT_NE(after, refused.headers.end());
    EXPECT_GT(std::stoi(after->second), 0);
    EXPECT_LE(std::stoi(after->second), 60);
  };
  expect_refused(Post("/heed.v1.TranslationService/Translate", R"({"texts":["a"]})", bearer));
  expect_refused(Post("/heed.v1.TranslationService/TranslateStream", R"({"texts":["a"]})", bearer));
  expect_refused(Post("/v2/models/en-de/infer", infer, bearer));
  expect_refused(Post("/translate", R"({"q":"a","source":"en","target":"de"})", bearer));
  expect_refused(Post("/translate", absl::StrCat(R"({"q":"a","source":"en","target":"de","api_key":")", kAnn, "\"}")));
  expect_refused(Post("/detect", R"({"q":"a"})", bearer));
  expect_refused(Post("/v2/translate", R"({"text":["a"],"target_lang":"DE"})",
                      absl::StrCat("Authorization: DeepL-Auth-Key ", kAnn, "\r\n")));
  EXPECT_EQ(
      Post("/translate", R"({"q":"a","source":"en","target":"de"})", "Authorization: Bearer " + kBob + "\r\n").status,
      200);
}

TEST_F(TokenLimitsServerTest, ARefusalOverHttpNeedsNoBody) {
  Start("requests_per_minute=1");
  ASSERT_TRUE(Translate("a").ok());
  HttpConnection connection(server_->http_port());
  connection.Write(absl::StrCat("POST /heed.v1.TranslationService/Translate HTTP/1.1\r\nHost: a\r\nContent-Type: ",
                                "application/json\r\nAuthorization: Bearer ", kAnn,
                                "\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n"));
  EXPECT_EQ(connection.Read().status, 429);
}

TEST_F(TokenLimitsServerTest, WhatIsUsedGoesOnWhenTheFileChanges) {
  Start("requests_per_minute=2");
  ASSERT_TRUE(Translate("a").ok());
  ASSERT_TRUE(Translate("a").ok());
  // Another token of the same holder, and then the file is a new one.
  root_.Write("tokens", absl::StrCat("ann ", kAnn, " infer requests_per_minute=2\nann ", kCarl,
                                     " infer requests_per_minute=2\n"));
  while (Translate("a", "en-de", kCarl).error_code() == StatusCode::UNAUTHENTICATED) std::this_thread::yield();
  EXPECT_EQ(Translate("a", "en-de", kCarl).error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Translate("a").error_code(), StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace heed
