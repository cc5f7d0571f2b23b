// SPDX-License-Identifier: Apache-2.0
// Requests that name languages: which models translate their texts, one after the other, and what comes of markup and
// of phrases on the way; and sentences that are computed once. Over a real socket, with translators that are fakes.
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/channel.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "heed/v1/translation.grpc.pb.h"
#include "server/server.h"
#include "tests/support/fake_translator.h"
#include "tests/support/metric_samples.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TranslationRoutesTest : public ::testing::Test {
 protected:
  ~TranslationRoutesTest() override {
    for (const auto& [name, model] : models_) model->Release();
    stub_.reset();
    server_.reset();
  }

  void Add(const std::string& source, const std::string& target) {
    const std::string name = absl::StrCat(source, "-", target);
    std::filesystem::create_directories(root_.path() / "models" / name);
    root_.Write(absl::StrCat("models/", name, "/config.json"), "{}");
    models_[name] = std::make_shared<FakeTranslator>(name);
    models_[name]->set_language_pairs({{source, target, ""}});
  }

  void Start() {
    options_.models = root_.File("models");
    options_.listen = "127.0.0.1:0";
    options_.metrics_listen = "";
    options_.threads = 1;
    auto server = Server::Start(options_, [this](const std::string&, const std::string& name, Precision) {
      return std::shared_ptr<const Model>(models_.at(name));
    });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    server_->WaitUntilLoaded();
    stub_ = v1::TranslationService::NewStub(
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials()));
  }

  static v1::TranslateRequest RequestOf(const std::vector<std::string>& texts, const std::string& source,
                                        const std::string& target) {
    v1::TranslateRequest request;
    for (const std::string& text : texts) request.add_texts(text);
    request.set_source_language(source);
    request.set_target_language(target);
    return request;
  }
  grpc::Status Translate(const v1::TranslateRequest& request, v1::TranslateResponse& response) {
    grpc::ClientContext context;
    return stub_->Translate(&context, request, &response);
  }
  v1::TranslateResponse Translated(const v1::TranslateRequest& request) {
    v1::TranslateResponse response;
    const grpc::Status status = Translate(request, response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  // Started on a thread of its own; `context` cancels it.
  std::future<grpc::Status> TranslateBeside(const v1::TranslateRequest& request, v1::TranslateResponse& response,
                                            grpc::ClientContext& context) {
    return std::async(std::launch::async,
                      [this, request, &response, &context] { return stub_->Translate(&context, request, &response); });
  }
  static std::vector<std::string> RouteOf(const v1::TranslatedText& text) {
    std::vector<std::string> route;
    for (const v1::TranslationLeg& leg : text.route()) {
      route.push_back(absl::StrCat(leg.model(), " ", leg.source_language(), ">", leg.target_language()));
    }
    return route;
  }
  bool HasMetric(const std::string& line) { return HasSample(server_->metrics().Text(), line); }
  void WaitForMetric(const std::string& line) {
    while (!HasMetric(line)) std::this_thread::yield();
  }

  const TemporaryDirectory root_;
  ServerOptions options_;
  std::map<std::string, std::shared_ptr<FakeTranslator>> models_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::TranslationService::Stub> stub_;
};

TEST_F(TranslationRoutesTest, LanguagesChooseTheModel) {
  Add("en", "de");
  Add("en", "fr");
  Start();
  const v1::TranslateResponse response = Translated(RequestOf({"a dog"}, "en", "fr"));
  EXPECT_EQ(response.model(), "en-fr");
  EXPECT_EQ(response.translations(0).text(), "A DOG");
  EXPECT_EQ(response.translations(0).source_language(), "en");
  EXPECT_THAT(RouteOf(response.translations(0)), ElementsAre("en-fr en>fr"));
  EXPECT_THAT(models_["en-de"]->batch_sizes(), IsEmpty());
}

TEST_F(TranslationRoutesTest, WithoutADirectModelTwoTranslateOneAfterTheOther) {
  Add("de", "en");
  Add("en", "fr");
  Start();
  const v1::TranslateResponse response = Translated(RequestOf({"ein Hund. eine Katze.\n", " "}, "de", "fr"));
  EXPECT_EQ(response.model(), "en-fr");
  EXPECT_EQ(response.translations(0).text(), "EIN HUND. EINE KATZE.\n");
  EXPECT_EQ(response.translations(1).text(), "");
  EXPECT_THAT(RouteOf(response.translations(0)), ElementsAre("de-en de>en", "en-fr en>fr"));
  EXPECT_FALSE(models_["de-en"]->batch_sizes().empty());
  EXPECT_FALSE(models_["en-fr"]->batch_sizes().empty());
}

TEST_F(TranslationRoutesTest, AFailureOfEitherModelIsTheRequests) {
  Add("de", "en");
  Add("en", "fr");
  Start();
  v1::TranslateResponse response;
  EXPECT_EQ(Translate(RequestOf({"fail"}, "de", "fr"), response).error_code(), StatusCode::INTERNAL);
}

TEST_F(TranslationRoutesTest, LanguagesWithoutAWayAreNamed) {
  Add("en", "de");
  Start();
  v1::TranslateResponse response;
  const grpc::Status status = Translate(RequestOf({"a"}, "de", "fr"), response);
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), testing::AllOf(HasSubstr("de"), HasSubstr("fr"), HasSubstr("target_language")));
  v1::TranslateRequest request = RequestOf({"a"}, "de", "en");
  request.set_model("en-de");
  EXPECT_EQ(Translate(request, response).error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(TranslationRoutesTest, EachTextGoesTheWayOfItsOwnLanguage) {
  Add("en", "fr");
  Add("de", "en");
  Start();
  const v1::TranslateResponse response =
      Translated(RequestOf({"This is a sentence that is written in English.",
                            "Dieser Satz ist ganz und gar in deutscher Sprache geschrieben.",
                            "Cette phrase est écrite en français, sans aucun doute.", "42"},
                           "auto", "fr"));
  EXPECT_THAT(RouteOf(response.translations(0)), ElementsAre("en-fr en>fr"));
  EXPECT_THAT(RouteOf(response.translations(1)), ElementsAre("de-en de>en", "en-fr en>fr"));
  EXPECT_THAT(RouteOf(response.translations(2)), IsEmpty());
  EXPECT_EQ(response.translations(2).text(), "Cette phrase est écrite en français, sans aucun doute.");
  EXPECT_EQ(response.translations(2).source_language(), "fr");
  EXPECT_EQ(response.translations(1).source_language(), "de");
  EXPECT_GT(response.translations(1).detection_confidence(), 0.5);
  EXPECT_EQ(response.translations(3).text(), "42");
}

TEST_F(TranslationRoutesTest, MarkupComesBackOnEveryWay) {
  Add("de", "en");
  Add("en", "fr");
  Start();
  for (const char* target : {"en", "fr"}) {
    v1::TranslateRequest request =
        RequestOf({"<p>zwei <b>hunde</b> spielen.</p><p>im <code>schnee</code> &amp; regen</p>"}, "de", target);
    request.set_format(v1::TEXT_FORMAT_HTML);
    EXPECT_EQ(Translated(request).translations(0).text(),
              "<p>ZWEI <b>HUNDE</b> SPIELEN.</p><p>IM <code>schnee</code> &amp; REGEN</p>");
  }
  v1::TranslateRequest broken = RequestOf({"a", "<p>a</b>"}, "de", "en");
  broken.set_format(v1::TEXT_FORMAT_XML);
  v1::TranslateResponse response;
  const grpc::Status status = Translate(broken, response);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("texts[1]"));
}

TEST_F(TranslationRoutesTest, PhrasesStayOnEveryWay) {
  Add("de", "en");
  Add("en", "fr");
  Start();
  for (const char* target : {"en", "fr"}) {
    v1::TranslateRequest request = RequestOf({"der hund frisst {name} bei Heed"}, "de", target);
    v1::GlossaryEntry& entry = *request.add_glossary();
    entry.set_source("hund");
    entry.set_target("le chien");
    request.mutable_do_not_translate()->set_placeholders(true);
    request.mutable_do_not_translate()->add_phrases("Heed");
    EXPECT_EQ(Translated(request).translations(0).text(), "DER le chien FRISST {name} BEI Heed");
  }
}

TEST_F(TranslationRoutesTest, AlternativesAreWholeTexts) {
  Add("en", "de");
  Start();
  v1::TranslateRequest request = RequestOf({"<b>a dog.</b> a cat."}, "en", "de");
  request.set_format(v1::TEXT_FORMAT_HTML);
  request.mutable_options()->set_beam_size(4);
  request.mutable_options()->set_n_best(3);
  const v1::TranslateResponse response = Translated(request);
  ASSERT_EQ(response.translations(0).alternatives_size(), 2);
  EXPECT_THAT(response.translations(0).alternatives(1), testing::AllOf(HasSubstr("<b>A DOG."), HasSubstr("A CAT.#2")));
}

TEST_F(TranslationRoutesTest, MarkupCountsInTheAnswerBeforeItIsMade) {
  options_.max_response_bytes = 100'000;
  Add("en", "de");
  Start();
  v1::TranslateRequest request = RequestOf({"<!--" + std::string(40'000, 'x') + "--><p>a dog.</p>"}, "en", "de");
  request.set_format(v1::TEXT_FORMAT_HTML);
  EXPECT_THAT(Translated(request).translations(0).text(), testing::EndsWith("<p>A DOG.</p>"));
  request.mutable_options()->set_beam_size(4);
  request.mutable_options()->set_n_best(4);
  v1::TranslateResponse response;
  EXPECT_EQ(Translate(request, response).error_code(), StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(TranslationRoutesTest, AStreamHasTheSentencesOfTheLastModel) {
  Add("de", "en");
  Add("en", "fr");
  Start();
  v1::TranslateStreamRequest request;
  request.add_texts("Das ist ein Satz. Und noch ein zweiter.");
  request.add_texts("Ceci est une phrase écrite en français.");
  request.set_source_language("auto");
  request.set_target_language("fr");
  grpc::ClientContext context;
  const auto stream = stub_->TranslateStream(&context, request);
  std::map<std::pair<int, int>, std::string> sentences;
  for (v1::TranslateStreamResponse event; stream->Read(&event);) {
    if (!event.has_sentence()) continue;
    sentences[{event.text_index(), event.sentence_index()}] = event.sentence().hypotheses(0).text();
    EXPECT_EQ(event.model(), event.text_index() == 0 ? "en-fr" : "");
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(sentences.size(), 3u);
  EXPECT_EQ((sentences[{0, 1}]), "UND NOCH EIN ZWEITER.");
  EXPECT_EQ((sentences[{1, 0}]), "Ceci est une phrase écrite en français.");
}

class TranslationCacheTest : public TranslationRoutesTest {
 protected:
  TranslationCacheTest() {
    options_.translation_cache_bytes = 1 << 20;
    Add("en", "de");
    model_ = models_["en-de"].get();
  }
  size_t Steps() const { return model_->batch_sizes().size(); }

  FakeTranslator* model_;
};

TEST_F(TranslationCacheTest, TheSameSentenceIsComputedOnce) {
  Start();
  v1::TranslateRequest request = RequestOf({"a dog. a cat. a dog.", "a dog."}, "en", "de");
  v1::TranslateResponse first = Translated(request);
  EXPECT_EQ(first.translations(0).text(), "A DOG. A CAT. A DOG.");
  EXPECT_EQ(first.translations(1).text(), "A DOG.");
  EXPECT_EQ(model_->batch_sizes(), std::vector<int>({2, 2}));
  EXPECT_EQ(Translated(request).SerializeAsString(), first.SerializeAsString());
  EXPECT_EQ(Steps(), 2u);
  request.mutable_options()->set_beam_size(2);
  Translated(request);
  EXPECT_GT(Steps(), 2u);
}

TEST_F(TranslationCacheTest, ARequestWaitsForTheSentenceThatAnotherComputes) {
  Start();
  model_->Hold();
  const v1::TranslateRequest request = RequestOf({"a dog."}, "en", "de");
  v1::TranslateResponse first, second;
  grpc::ClientContext first_context, second_context;
  auto first_call = TranslateBeside(request, first, first_context);
  model_->WaitUntilHeld();
  auto second_call = TranslateBeside(request, second, second_context);
  WaitForMetric("outcome=\"shared\"} 1");
  model_->Release();
  EXPECT_TRUE(first_call.get().ok());
  EXPECT_TRUE(second_call.get().ok());
  EXPECT_EQ(first.translations(0).text(), "A DOG.");
  EXPECT_EQ(second.SerializeAsString(), first.SerializeAsString());
  EXPECT_EQ(model_->batch_sizes(), std::vector<int>({1, 1}));
}

TEST_F(TranslationCacheTest, WhenTheFirstRequestLeavesTheNextComputes) {
  Start();
  model_->Hold();
  const v1::TranslateRequest request = RequestOf({"a dog."}, "en", "de");
  v1::TranslateResponse first, second;
  grpc::ClientContext first_context, second_context;
  auto first_call = TranslateBeside(request, first, first_context);
  model_->WaitUntilHeld();
  auto second_call = TranslateBeside(request, second, second_context);
  WaitForMetric("outcome=\"shared\"} 1");
  first_context.TryCancel();
  EXPECT_EQ(first_call.get().error_code(), StatusCode::CANCELLED);
  model_->Release();
  EXPECT_TRUE(second_call.get().ok());
  EXPECT_EQ(second.translations(0).text(), "A DOG.");
}

TEST_F(TranslationCacheTest, ARequestThatWaitsEndsWithItsDeadline) {
  Start();
  model_->Hold();
  const v1::TranslateRequest request = RequestOf({"a dog."}, "en", "de");
  v1::TranslateResponse first, second;
  grpc::ClientContext first_context, second_context;
  auto first_call = TranslateBeside(request, first, first_context);
  model_->WaitUntilHeld();
  second_context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
  EXPECT_EQ(TranslateBeside(request, second, second_context).get().error_code(), StatusCode::DEADLINE_EXCEEDED);
  model_->Release();
  EXPECT_TRUE(first_call.get().ok());
  EXPECT_EQ(Translated(request).translations(0).text(), "A DOG.");
}

TEST_F(TranslationCacheTest, APrefixIsOfTheFirstSentenceThatNeedsTheModel) {
  Start();
  v1::TranslateRequest request = RequestOf({"--. a dog."}, "en", "de");
  request.mutable_options()->set_target_prefix("ZWEI");
  EXPECT_EQ(Translated(request).translations(0).text(), "--. ZWEI A DOG.");
  EXPECT_EQ(Translated(RequestOf({"a dog."}, "en", "de")).translations(0).text(), "A DOG.");
}

TEST_F(TranslationCacheTest, RepeatedSentencesCountInTheAnswer) {
  options_.max_response_bytes = 10'000;
  Start();
  v1::TranslateRequest request = RequestOf({}, "en", "de");
  for (int i = 0; i < 300; ++i) request.add_texts("a dog that is repeated for as long as it takes, and more.");
  v1::TranslateResponse response;
  EXPECT_EQ(Translate(request, response).error_code(), StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(TranslationCacheTest, AFailureIsNotKept) {
  Start();
  v1::TranslateResponse response;
  EXPECT_EQ(Translate(RequestOf({"fail"}, "en", "de"), response).error_code(), StatusCode::INTERNAL);
  EXPECT_EQ(Translate(RequestOf({"fail"}, "en", "de"), response).error_code(), StatusCode::INTERNAL);
  EXPECT_EQ(Steps(), 2u);
}

}  // namespace
}  // namespace heed
