// SPDX-License-Identifier: Apache-2.0
// End to end: the whole server in this process, over a real socket, with a translator that is a fake.
#include "server/server.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "heed/v1/models.grpc.pb.h"
#include "heed/v1/translation.grpc.pb.h"
#include "tests/support/fake_translator.h"
#include "tests/support/metric_samples.h"
#include "tests/support/stream_request.h"

namespace heed {
namespace {

using grpc::StatusCode;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A latch that a test opens.
class Gate {
 public:
  void Open() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_.NotifyAll();
  }
  void Wait() {
    MutexLock lock(mutex_);
    while (!open_) changed_.Wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool open_ GUARDED_BY(mutex_) = false;
};

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    root_ = std::filesystem::path(::testing::TempDir()) /
            absl::StrCat("server_", ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
    AddModel("fake");
    options_.models = root_.string();
    options_.listen = "127.0.0.1:0";
    options_.metrics_listen = "";
    options_.threads = 1;
  }
  ~ServerTest() override {
    model_->Release();
    load_.Open();
    server_.reset();
    std::filesystem::remove_all(root_);
  }

  void AddModel(const std::string& name) {
    std::filesystem::create_directories(root_ / name);
    std::ofstream(root_ / name / "config.json") << "{}";
  }

  // Starts the server. The model "slow" loads when load_ is opened, "broken" fails.
  void Start(bool wait_until_loaded = true) {
    auto server = Server::Start(
        options_,
        [this](const std::string& path, const std::string&, Precision) -> absl::StatusOr<std::shared_ptr<const Model>> {
          const std::string name = std::filesystem::path(path).filename().string();
          if (name == "broken") return absl::InvalidArgumentError("config.json: is broken");
          if (name == "slow") {
            load_.Wait();
            return std::make_shared<FakeTranslator>("slow");
          }
          return model_;
        });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    if (wait_until_loaded) server_->WaitUntilLoaded();
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials());
    translation_ = v1::TranslationService::NewStub(channel_);
    models_ = v1::ModelService::NewStub(channel_);
    health_ = grpc::health::v1::Health::NewStub(channel_);
  }

  static v1::TranslateRequest Request(const std::vector<std::string>& texts) {
    v1::TranslateRequest request;
    request.mutable_texts()->Assign(texts.begin(), texts.end());
    return request;
  }
  grpc::Status Translate(const v1::TranslateRequest& request, v1::TranslateResponse* response) {
    grpc::ClientContext context;
    return translation_->Translate(&context, request, response);
  }
  grpc::Status StatusOf(const v1::TranslateRequest& request) {
    v1::TranslateResponse response;
    return Translate(request, &response);
  }
  // SERVICE_UNKNOWN for NOT_FOUND.
  HealthCheckResponse::ServingStatus Health(const std::string& service) {
    grpc::ClientContext context;
    HealthCheckRequest request;
    HealthCheckResponse response;
    request.set_service(service);
    const grpc::Status status = health_->Check(&context, request, &response);
    if (status.error_code() == StatusCode::NOT_FOUND) return HealthCheckResponse::SERVICE_UNKNOWN;
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.status();
  }
  // A request that runs on a thread of its own.
  struct Pending {
    grpc::ClientContext context;
    v1::TranslateRequest request;
    v1::TranslateResponse response;
    grpc::Status status;
    std::thread thread;
  };
  std::unique_ptr<Pending> Begin(const std::vector<std::string>& texts) {
    auto pending = std::make_unique<Pending>();
    pending->request = Request(texts);
    pending->thread = std::thread(
        [this, p = pending.get()] { p->status = translation_->Translate(&p->context, p->request, &p->response); });
    return pending;
  }
  // In milliseconds: that of the metadata, and that of google.rpc.RetryInfo; 0: there is none.
  static std::pair<int, int> RetryDelays(const grpc::ClientContext& context, const grpc::Status& status) {
    const auto& metadata = context.GetServerTrailingMetadata();
    const auto pushback = metadata.find("grpc-retry-pushback-ms");
    const int first =
        pushback == metadata.end() ? 0 : std::stoi(std::string(pushback->second.data(), pushback->second.size()));
    google::rpc::Status details;
    EXPECT_TRUE(details.ParseFromString(status.error_details()));
    if (details.details().empty()) return {first, 0};
    EXPECT_EQ(details.code(), status.error_code());
    EXPECT_EQ(details.message(), status.error_message());
    google::rpc::RetryInfo info;
    EXPECT_TRUE(details.details(0).UnpackTo(&info)) << details.details(0).type_url();
    return {first, static_cast<int>(info.retry_delay().seconds() * 1000 + info.retry_delay().nanos() / 1'000'000)};
  }
  bool HasMetric(const std::string& line) { return HasSample(server_->metrics().Text(), line); }
  // One request runs, at a step that is held, and one waits: there is room for no more.
  std::pair<std::unique_ptr<Pending>, std::unique_ptr<Pending>> StartWithAFullQueue() {
    options_.max_queued_requests = 1;
    options_.max_running_tasks = 1;
    Start();
    model_->Hold();
    auto running = Begin({"a"});
    model_->WaitUntilHeld();
    auto queued = Begin({"b"});
    WaitForMetric("heed_queued_requests{model=\"fake\"} 1");
    return {std::move(running), std::move(queued)};
  }
  // Until the server, which another thread shuts down, refuses new requests.
  std::vector<std::unique_ptr<Pending>> BeginUntilRefused() {
    std::vector<std::unique_ptr<Pending>> begun;
    while (!HasMetric("reason=\"draining\"}")) {
      begun.push_back(Begin({"b"}));
      std::this_thread::yield();
    }
    return begun;
  }
  // Waits until the metrics hold `line`.
  void WaitForMetric(const std::string& line) {
    while (!HasMetric(line)) std::this_thread::yield();
  }

  std::filesystem::path root_;
  ServerOptions options_;
  Gate load_;
  std::shared_ptr<FakeTranslator> model_ = std::make_shared<FakeTranslator>();
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::TranslationService::Stub> translation_;
  std::unique_ptr<v1::ModelService::Stub> models_;
  std::unique_ptr<grpc::health::v1::Health::Stub> health_;
};

TEST_F(ServerTest, TranslatesTextsInOrderAndKeepsTheirSpacing) {
  Start();
  v1::TranslateResponse response;
  const grpc::Status status = Translate(Request({"one two.  three!\n", "", "  \t", " four"}), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.model(), "fake");
  ASSERT_EQ(response.translations_size(), 4);
  EXPECT_EQ(response.translations(0).text(), "ONE TWO.  THREE!\n");
  EXPECT_EQ(response.translations(1).text(), "");
  EXPECT_EQ(response.translations(2).text(), "");
  EXPECT_EQ(response.translations(3).text(), " FOUR");
  EXPECT_EQ(response.translations(0).source_token_count(), 5);  // 3 words and 2 ends
  EXPECT_EQ(response.translations(0).target_token_count(), 5);
  EXPECT_EQ(response.translations(0).score(), -3);
  EXPECT_EQ(response.translations(0).finish_reason(), v1::TRANSLATION_FINISH_REASON_EOS);
  EXPECT_EQ(response.translations(0).sentences_size(), 0);
}

TEST_F(ServerTest, FinishReasonIsTheWorstOfTheSentences) {
  Start();
  v1::TranslateResponse response;
  ASSERT_TRUE(Translate(Request({"a. long b. c.", "a. long. loop b. c."}), &response).ok());
  EXPECT_EQ(response.translations(0).finish_reason(), v1::TRANSLATION_FINISH_REASON_LENGTH);
  v1::TranslateRequest request = Request({"a. loop b. long c."});
  ASSERT_TRUE(Translate(request, &response).ok());
  EXPECT_EQ(response.translations(0).finish_reason(), v1::TRANSLATION_FINISH_REASON_LOOP);
}

TEST_F(ServerTest, SentencesComeOnRequestWithOneHypothesis) {
  Start();
  v1::TranslateRequest request = Request({"a b. c"});
  request.mutable_options()->set_return_sentences(true);
  v1::TranslateResponse response;
  ASSERT_TRUE(Translate(request, &response).ok());
  ASSERT_EQ(response.translations(0).sentences_size(), 2);
  const v1::TranslatedSentence& sentence = response.translations(0).sentences(0);
  EXPECT_EQ(sentence.source(), "a b.");
  ASSERT_EQ(sentence.hypotheses_size(), 1);
  EXPECT_EQ(sentence.hypotheses(0).text(), "A B.");
  EXPECT_EQ(sentence.hypotheses(0).tokens_size(), 0);
}

TEST_F(ServerTest, NBestTokensAndAttentionComeOnRequest) {
  Start();
  v1::TranslateRequest request = Request({"a b. c"});
  request.mutable_options()->set_beam_size(3);
  request.mutable_options()->set_n_best(2);
  v1::TranslateResponse response;
  ASSERT_TRUE(Translate(request, &response).ok());
  ASSERT_EQ(response.translations(0).sentences_size(), 2);
  const v1::TranslatedSentence& sentence = response.translations(0).sentences(0);
  EXPECT_EQ(sentence.source(), "a b.");
  ASSERT_EQ(sentence.hypotheses_size(), 2);
  EXPECT_EQ(sentence.hypotheses(0).text(), "A B.");
  EXPECT_EQ(sentence.hypotheses(1).text(), "A B.#1");
  EXPECT_EQ(sentence.hypotheses(0).tokens_size(), 0);
  EXPECT_EQ(sentence.hypotheses(0).token_count(), 3);
  EXPECT_EQ(response.translations(0).sentences(1).separator(), " ");

  request.mutable_options()->set_return_attention(true);
  ASSERT_TRUE(Translate(request, &response).ok());
  const v1::TranslationHypothesis& hypothesis = response.translations(0).sentences(0).hypotheses(0);
  EXPECT_THAT(hypothesis.tokens(), ElementsAre("A", "B.", "</s>"));
  EXPECT_EQ(hypothesis.attention().row_count(), 3);
  EXPECT_EQ(hypothesis.attention().column_count(), 3);
  EXPECT_EQ(hypothesis.attention().weights_size(), 9);
}

TEST_F(ServerTest, AbsentOptionsAreTheModels) {
  TranslateOptions defaults;
  defaults.beam_size = 6;
  defaults.length_penalty = 0.5f;
  defaults.early_stopping = EarlyStopping::kFirst;
  model_->set_default_options(defaults);
  Start();
  ASSERT_TRUE(StatusOf(Request({"a"})).ok());
  EXPECT_EQ(model_->last_options().beam_size, 6);
  EXPECT_EQ(model_->last_options().length_penalty, 0.5f);
  EXPECT_EQ(model_->last_options().early_stopping, EarlyStopping::kFirst);
  EXPECT_TRUE(model_->last_options().scores);
  EXPECT_FALSE(model_->last_options().stream);

  v1::TranslateRequest request = Request({"a"});
  v1::TranslateOptions& options = *request.mutable_options();
  options.set_length_penalty(2);
  options.set_early_stopping(v1::TranslateOptions::EARLY_STOPPING_NEVER);
  options.set_max_tokens(7);
  options.set_target_prefix("pre");
  options.set_split_sentences(false);
  options.set_stop_loops(false);
  options.set_return_scores(false);
  options.mutable_sampling()->set_top_k(5);
  options.mutable_sampling()->set_seed(9);
  ASSERT_TRUE(StatusOf(request).ok());
  const TranslateOptions seen = model_->last_options();
  EXPECT_EQ(seen.beam_size, 1);  // sampling's
  EXPECT_TRUE(seen.sample);
  EXPECT_EQ(seen.sampling.top_k, 5);
  EXPECT_EQ(seen.sampling.seed, 9u);
  EXPECT_EQ(seen.sampling.top_p, 1);
  EXPECT_EQ(seen.length_penalty, 2);
  EXPECT_EQ(seen.early_stopping, EarlyStopping::kNever);
  EXPECT_EQ(seen.max_tokens, 7);
  EXPECT_EQ(seen.target_prefix, "pre");
  EXPECT_FALSE(seen.split_sentences);
  EXPECT_FALSE(seen.stop_loops);
  EXPECT_FALSE(seen.scores);
}

TEST_F(ServerTest, BadOptionsAreInvalidAndSayWhy) {
  Start();
  v1::TranslateRequest request = Request({"a"});
  request.mutable_options()->set_beam_size(33);
  EXPECT_EQ(StatusOf(request).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(StatusOf(request).error_message(), HasSubstr("beam_size: 33"));
  request.mutable_options()->clear_beam_size();
  request.mutable_options()->set_early_stopping(static_cast<v1::TranslateOptions::EarlyStopping>(9));
  EXPECT_EQ(StatusOf(request).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(StatusOf(request).error_message(), HasSubstr("options.early_stopping: 9, known are 0 to 3"));
}

TEST_F(ServerTest, NoTextsGiveNoTranslations) {
  Start();
  v1::TranslateResponse response;
  EXPECT_TRUE(Translate(Request({}), &response).ok());
  EXPECT_EQ(response.translations_size(), 0);
  EXPECT_EQ(response.model(), "fake");
}

TEST_F(ServerTest, UnknownModelIsNotFound) {
  Start();
  v1::TranslateRequest request = Request({"a"});
  request.set_model("none");
  EXPECT_EQ(StatusOf(request).error_code(), StatusCode::NOT_FOUND);
  EXPECT_THAT(StatusOf(request).error_message(), HasSubstr("none"));
}

TEST_F(ServerTest, ModelErrorIsInternal) {
  Start();
  EXPECT_EQ(StatusOf(Request({"a fail"})).error_code(), StatusCode::INTERNAL);
}

TEST_F(ServerTest, MessageOverTheLimitIsResourceExhausted) {
  options_.max_message_bytes = 2000;
  Start();
  EXPECT_EQ(StatusOf(Request({std::string(3000, 'a')})).error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(StatusOf(Request({std::string(1000, 'a')})).ok());
}

TEST_F(ServerTest, GreedyStreamGivesTextAsItGrowsAndEachSentenceOnce) {
  Start();
  grpc::ClientContext context;
  auto reader = translation_->TranslateStream(&context, StreamRequestOf(Request({"a b. c d", "e"})));
  std::map<std::pair<int, int>, std::string> grown, finished;
  v1::TranslateStreamResponse event;
  int deltas = 0;
  while (reader->Read(&event)) {
    const std::pair<int, int> place(event.text_index(), event.sentence_index());
    EXPECT_EQ(event.sentence_count(), event.text_index() == 0 ? 2 : 1);
    EXPECT_FALSE(finished.contains(place)) << "the sentence is the last event about it";
    if (event.has_delta()) {
      grown[place] += event.delta();
      ++deltas;
    } else {
      finished[place] = event.sentence().hypotheses(0).text();
    }
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(deltas, 5);
  EXPECT_EQ(grown, finished);
  EXPECT_EQ((finished[{0, 1}]), "C D");
}

TEST_F(ServerTest, BeamStreamGivesSentencesAlone) {
  Start();
  v1::TranslateRequest request = Request({"a b. c d"});
  request.mutable_options()->set_beam_size(2);
  grpc::ClientContext context;
  auto reader = translation_->TranslateStream(&context, StreamRequestOf(request));
  v1::TranslateStreamResponse event;
  std::vector<std::string> sentences;
  while (reader->Read(&event)) {
    EXPECT_TRUE(event.has_sentence());
    sentences.push_back(event.sentence().hypotheses(0).text());
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_THAT(sentences, ElementsAre("A B.", "C D"));
}

TEST_F(ServerTest, StreamErrorsAreStatuses) {
  Start();
  v1::TranslateRequest request = Request({"a"});
  request.set_model("none");
  grpc::ClientContext context;
  auto reader = translation_->TranslateStream(&context, StreamRequestOf(request));
  v1::TranslateStreamResponse event;
  EXPECT_FALSE(reader->Read(&event));
  EXPECT_EQ(reader->Finish().error_code(), StatusCode::NOT_FOUND);
}

TEST_F(ServerTest, CancelledRequestStopsBetweenSteps) {
  Start();
  constexpr int kWords = 200'000;  // as many steps
  std::string text;
  for (int i = 0; i < kWords; ++i) text += "a ";
  model_->Hold();
  auto pending = Begin({text});
  model_->WaitUntilHeld();
  pending->context.TryCancel();
  pending->thread.join();
  EXPECT_EQ(pending->status.error_code(), StatusCode::CANCELLED);
  model_->Release();
  WaitForMetric("heed_requests_in_flight{method=\"heed.v1.TranslationService/Translate\"} 0");
  EXPECT_THAT(server_->metrics().Text(), HasSubstr("heed_cancellations_total{model=\"fake\",reason=\"client\"} 1"));
  EXPECT_LT(model_->batch_sizes().size(), static_cast<size_t>(kWords));
}

TEST_F(ServerTest, DeadlineStopsARequestBetweenSteps) {
  Start();
  constexpr int kWords = 100'000;  // as many steps
  std::string text;
  for (int i = 0; i < kWords; ++i) text += "a ";
  // On a busy machine the deadline may pass before the server has the request; then a longer one is tried. It passes in
  // a step that does not end before.
  for (int limit_ms = 200; !HasMetric("heed_cancellations_total{model=\"fake\",reason=\"deadline\"} 1");
       limit_ms *= 2) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(limit_ms));
    v1::TranslateResponse response;
    model_->Hold();
    ASSERT_EQ(translation_->Translate(&context, Request({text}), &response).error_code(),
              StatusCode::DEADLINE_EXCEEDED);
    model_->Release();
    if (HasMetric("heed_requests_in_flight{"))
      WaitForMetric("heed_requests_in_flight{method=\"heed.v1.TranslationService/Translate\"} 0");
  }
  EXPECT_LT(model_->batch_sizes().size(), static_cast<size_t>(kWords));
}

TEST_F(ServerTest, FullQueueIsResourceExhaustedWithARetryHint) {
  auto [running, queued] = StartWithAFullQueue();
  grpc::ClientContext context;
  v1::TranslateResponse response;
  const grpc::Status status = translation_->Translate(&context, Request({"c"}), &response);
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("queue is full"));
  const auto [delay_ms, same_ms] = RetryDelays(context, status);
  EXPECT_GE(delay_ms, 10);
  EXPECT_EQ(delay_ms, same_ms);
  model_->Release();
  running->thread.join();
  queued->thread.join();
  EXPECT_TRUE(running->status.ok());
  EXPECT_TRUE(queued->status.ok());
}

TEST_F(ServerTest, FullQueueRefusesBeforeTheRequestIsLookedInto) {
  auto [running, queued] = StartWithAFullQueue();
  v1::TranslateRequest request = Request({"c"});
  request.mutable_options()->set_early_stopping(static_cast<v1::TranslateOptions::EarlyStopping>(99));
  EXPECT_EQ(StatusOf(request).error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(server_->metrics().Text(), HasSubstr("heed_rejections_total{model=\"fake\",reason=\"queue_full\"} 1"));
  model_->Release();
  running->thread.join();
  queued->thread.join();
  EXPECT_EQ(StatusOf(request).error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServerTest, DeadlineThatTheQueueWouldMissIsRefusedAtOnce) {
  options_.max_running_tasks = 1;
  Start();
  model_->Hold();
  auto first = Begin({"a"});
  model_->WaitUntilHeld();
  std::vector<std::unique_ptr<Pending>> queued;
  for (int i = 0; i < 3; ++i) queued.push_back(Begin({"b"}));
  WaitForMetric("heed_queued_requests{model=\"fake\"} 3");
  model_->Allow(1);  // of one word, so that the next request begins
  WaitForMetric("heed_queued_requests{model=\"fake\"} 2");
  // From now on the queue stands still, so that what is expected grows. A request that is taken runs into its deadline.
  grpc::Status status;
  std::pair<int, int> delays;
  do {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
    v1::TranslateResponse response;
    status = translation_->Translate(&context, Request({"c"}), &response);
    delays = RetryDelays(context, status);
  } while (status.error_code() == StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("the expected wait is "));
  EXPECT_GE(delays.first, 10);
  EXPECT_EQ(delays.first, delays.second);
  EXPECT_TRUE(HasMetric("heed_rejections_total{model=\"fake\",reason=\"expected_wait\"} 1"));
  model_->Release();
  first->thread.join();
  for (auto& pending : queued) pending->thread.join();
}

TEST_F(ServerTest, PriorityOfTheMetadataIsTheJobs) {
  options_.max_running_tasks = 1;
  Start();
  model_->Hold();
  auto first = Begin({"a"});
  model_->WaitUntilHeld();
  auto begin_with = [&](const std::string& priority, int queued) {
    auto pending = std::make_unique<Pending>();
    pending->context.AddMetadata("heed-priority", priority);
    pending->request = Request({"x"});
    pending->thread = std::thread(
        [this, p = pending.get()] { p->status = translation_->Translate(&p->context, p->request, &p->response); });
    WaitForMetric(absl::StrCat("heed_queued_requests{model=\"fake\"} ", queued));
    return pending;
  };
  auto low = begin_with("3", 1);
  auto high = begin_with("1", 2);
  model_->Allow(2);  // of one word each
  model_->WaitUntilHeld();
  WaitForMetric("heed_requests_in_flight{method=\"heed.v1.TranslationService/Translate\"} 1");
  low->context.TryCancel();  // too late for a request that has ended
  high->thread.join();
  low->thread.join();
  first->thread.join();
  EXPECT_TRUE(high->status.ok()) << high->status.error_message();
  EXPECT_EQ(low->status.error_code(), StatusCode::CANCELLED);
}

TEST_F(ServerTest, PriorityThatDoesNotExistIsInvalid) {
  Start();
  for (const std::string priority : {"0", "4", "high"}) {
    grpc::ClientContext context;
    context.AddMetadata("heed-priority", priority);
    v1::TranslateResponse response;
    const grpc::Status status = translation_->Translate(&context, Request({"a"}), &response);
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(status.error_message(), "heed-priority: \"" + priority + "\", known are 1 (first) to 3 (last)");
  }
}

TEST_F(ServerTest, ModelThatLoadsIsUnavailableWithARetryHint) {
  AddModel("slow");
  AddModel("broken");
  Start(/*wait_until_loaded=*/false);
  v1::TranslateRequest request = Request({"a"});
  request.set_model("slow");
  grpc::ClientContext context;
  v1::TranslateResponse response;
  grpc::Status status = translation_->Translate(&context, request, &response);
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(RetryDelays(context, status), std::pair(100, 100));
  load_.Open();
  server_->WaitUntilLoaded();
  request.set_model("broken");
  grpc::ClientContext other;
  status = translation_->Translate(&other, request, &response);
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(RetryDelays(other, status), std::pair(0, 0)) << "no waiting mends it";
}

TEST_F(ServerTest, LimitsOfAModelHoldForItAlone) {
  options_.max_running_tasks = 1;
  ASSERT_TRUE(ParseCommandLine({"--model_limits=fake:max_queued_requests=1"}).ok());
  options_.model_limits = ParseCommandLine({"--model_limits=fake:max_queued_requests=1"})->options.model_limits;
  Start();
  model_->Hold();
  auto running = Begin({"a"});
  model_->WaitUntilHeld();
  auto queued = Begin({"b"});
  WaitForMetric("heed_queued_requests{model=\"fake\"} 1");
  const grpc::Status status = StatusOf(Request({"c"}));
  EXPECT_EQ(status.error_message(), "the queue is full: 1 requests wait, 1 more would exceed 1");
  model_->Release();
  running->thread.join();
  queued->thread.join();
}

TEST_F(ServerTest, SlowReaderParksItsOwnRequestAlone) {
  options_.max_stream_events = 4;
  Start();
  // Far more output than gRPC's windows take, and nobody reads.
  constexpr int kTexts = 5'000;
  grpc::ClientContext context;
  auto reader = translation_->TranslateStream(
      &context, StreamRequestOf(Request(std::vector<std::string>(kTexts, std::string(1000, 'a') + " b"))));
  // It comes to stand still with sentences under way: the only steps are those of other requests, which are served all
  // the while.
  auto running = [&] {
    return HasMetric("heed_running_tasks{model=\"fake\"}") && !HasMetric("heed_running_tasks{model=\"fake\"} 0\n");
  };
  WaitForMetric("heed_requests_in_flight{method=\"heed.v1.TranslationService/TranslateStream\"} 1");
  while (!running()) std::this_thread::yield();
  size_t steps = 0;
  do {
    steps = model_->batch_sizes().size();
    ASSERT_TRUE(StatusOf(Request({"x"})).ok());
  } while (model_->batch_sizes().size() > steps + 1);
  EXPECT_LT(steps, static_cast<size_t>(2 * kTexts));
  EXPECT_TRUE(running());
  // And it goes on to its end when it is read.
  v1::TranslateStreamResponse event;
  int sentences = 0;
  while (reader->Read(&event)) sentences += event.has_sentence();
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(sentences, kTexts);
}

TEST_F(ServerTest, ReaderThatLagsForTooLongIsCutOff) {
  options_.max_stream_events = 4;
  options_.max_reader_lag_s = 0.05;
  Start();
  grpc::ClientContext context;
  auto reader = translation_->TranslateStream(
      &context, StreamRequestOf(Request(std::vector<std::string>(5'000, std::string(1000, 'a') + " b"))));
  WaitForMetric("heed_cancellations_total{model=\"fake\",reason=\"reader_lagged\"} 1");
  v1::TranslateStreamResponse event;
  while (reader->Read(&event)) {
  }
  EXPECT_FALSE(reader->Finish().ok());
}

TEST_F(ServerTest, ListNamesEveryModelWithItsState) {
  AddModel("broken");
  AddModel("slow");
  Start(/*wait_until_loaded=*/false);
  auto list = [&] {
    grpc::ClientContext context;
    v1::ListModelsResponse response;
    EXPECT_TRUE(models_->ListModels(&context, {}, &response).ok());
    return response;
  };
  v1::ListModelsResponse response = list();
  ASSERT_EQ(response.models_size(), 3);
  EXPECT_EQ(response.models(2).name(), "slow");
  EXPECT_EQ(response.models(2).state(), v1::MODEL_STATE_LOADING);
  load_.Open();
  server_->WaitUntilLoaded();
  response = list();
  EXPECT_EQ(response.models(0).name(), "broken");
  EXPECT_EQ(response.models(0).state(), v1::MODEL_STATE_UNAVAILABLE);
  EXPECT_EQ(response.models(0).reason(), "config.json: is broken");
  EXPECT_EQ(response.models(1).state(), v1::MODEL_STATE_READY);
  EXPECT_EQ(response.models(1).kind(), v1::MODEL_KIND_TRANSLATOR);
  EXPECT_EQ(response.models(1).architecture(), "fake");
  EXPECT_EQ(response.models(1).source_language(), "en");
  EXPECT_EQ(response.models(1).weight_count(), 26);
  EXPECT_EQ(response.models(2).state(), v1::MODEL_STATE_READY);
}

TEST_F(ServerTest, HealthIsNotServingWhileModelsLoad) {
  AddModel("broken");
  AddModel("slow");
  Start(/*wait_until_loaded=*/false);
  grpc::ClientContext watch_context;
  HealthCheckRequest request;
  request.set_service("slow");
  auto watch = health_->Watch(&watch_context, request);
  HealthCheckResponse state;
  ASSERT_TRUE(watch->Read(&state));
  EXPECT_EQ(state.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Health(""), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Health("slow"), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Health("none"), HealthCheckResponse::SERVICE_UNKNOWN);
  v1::TranslateRequest translate = Request({"a"});
  translate.set_model("slow");
  EXPECT_EQ(StatusOf(translate).error_code(), StatusCode::UNAVAILABLE);

  load_.Open();
  ASSERT_TRUE(watch->Read(&state));
  EXPECT_EQ(state.status(), HealthCheckResponse::SERVING);
  server_->WaitUntilLoaded();
  EXPECT_EQ(Health(""), HealthCheckResponse::SERVING);
  EXPECT_EQ(Health("fake"), HealthCheckResponse::SERVING);
  EXPECT_EQ(Health("broken"), HealthCheckResponse::NOT_SERVING);
  EXPECT_TRUE(StatusOf(translate).ok());
  translate.set_model("broken");
  EXPECT_EQ(StatusOf(translate).error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(StatusOf(translate).error_message(), HasSubstr("config.json: is broken"));
  watch_context.TryCancel();
  watch->Finish();
}

TEST_F(ServerTest, HealthCallsAreCountedAsOthersAre) {
  Start();
  Health("");
  Health("none");
  WaitForMetric("heed_requests_total{code=\"OK\",method=\"grpc.health.v1.Health/Check\",model=\"\"} 1");
  WaitForMetric("heed_requests_total{code=\"NOT_FOUND\",method=\"grpc.health.v1.Health/Check\",model=\"\"} 1");
  grpc::ClientContext context;
  auto watch = health_->Watch(&context, HealthCheckRequest());
  HealthCheckResponse state;
  ASSERT_TRUE(watch->Read(&state));
  EXPECT_FALSE(HasMetric("heed_requests_in_flight{method=\"grpc.health.v1.Health/Watch\"}")) << "it may stay for hours";
  context.TryCancel();
  watch->Finish();
  WaitForMetric("heed_requests_total{code=\"CANCELLED\",method=\"grpc.health.v1.Health/Watch\",model=\"\"} 1");
}

TEST_F(ServerTest, HealthKnowsEachServiceByItsFullName) {
  AddModel("slow");
  Start(/*wait_until_loaded=*/false);
  grpc::ClientContext watch_context;
  HealthCheckRequest request;
  request.set_service("inference.GRPCInferenceService");
  auto watch = health_->Watch(&watch_context, request);
  HealthCheckResponse state;
  ASSERT_TRUE(watch->Read(&state));
  EXPECT_EQ(state.status(), HealthCheckResponse::NOT_SERVING);
  load_.Open();
  ASSERT_TRUE(watch->Read(&state));
  EXPECT_EQ(state.status(), HealthCheckResponse::SERVING);
  server_->WaitUntilLoaded();
  const std::vector<std::string> services = {"grpc.health.v1.Health",          "heed.v1.GraphService",
                                             "heed.v1.ModelService",           "heed.v1.SequenceService",
                                             "heed.v1.TranslationService",     "heed.v1.QuestionAnsweringService",
                                             "inference.GRPCInferenceService", "heed.v1.LanguageModelingService"};
  for (const std::string& service : services) EXPECT_EQ(Health(service), HealthCheckResponse::SERVING) << service;
  EXPECT_EQ(Health("heed.v1.None"), HealthCheckResponse::SERVICE_UNKNOWN);
  std::thread shutdown([this] { server_->Shutdown(); });
  ASSERT_TRUE(watch->Read(&state));
  EXPECT_EQ(state.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_FALSE(watch->Read(&state));
  EXPECT_EQ(watch->Finish().error_code(), StatusCode::UNAVAILABLE);
  shutdown.join();
}

TEST_F(ServerTest, AllModelsMayHaveToServe) {
  AddModel("broken");
  options_.ready_when = "all";
  Start();
  EXPECT_EQ(Health(""), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Health("fake"), HealthCheckResponse::SERVING);
  EXPECT_TRUE(StatusOf(Request({"a"})).ok()) << "it is served all the same";
}

TEST_F(ServerTest, WatchOfAnUnknownServiceStaysOpen) {
  Start();
  grpc::ClientContext context;
  HealthCheckRequest request;
  request.set_service("none");
  auto watch = health_->Watch(&context, request);
  HealthCheckResponse state;
  ASSERT_TRUE(watch->Read(&state));
  EXPECT_EQ(state.status(), HealthCheckResponse::SERVICE_UNKNOWN);
  context.TryCancel();
  EXPECT_EQ(watch->Finish().error_code(), StatusCode::CANCELLED);
}

TEST_F(ServerTest, ShutdownUnderLoadLosesNothingItAccepted) {
  Start();
  model_->Hold();
  grpc::ClientContext watch_context;
  auto watch = health_->Watch(&watch_context, HealthCheckRequest());
  HealthCheckResponse state;
  ASSERT_TRUE(watch->Read(&state));
  EXPECT_EQ(state.status(), HealthCheckResponse::SERVING);
  std::vector<std::unique_ptr<Pending>> pending;
  for (int i = 0; i < 20; ++i) pending.push_back(Begin({"a b c d", "e"}));
  WaitForMetric("heed_requests_in_flight{method=\"heed.v1.TranslationService/Translate\"} 20");
  grpc::ClientContext stream_context;
  auto stream = translation_->TranslateStream(&stream_context, StreamRequestOf(Request({"x y z"})));
  WaitForMetric("heed_requests_in_flight{method=\"heed.v1.TranslationService/TranslateStream\"} 1");
  model_->WaitUntilHeld();

  std::thread shutdown([this] { server_->Shutdown(); });
  ASSERT_TRUE(watch->Read(&state));
  EXPECT_EQ(state.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Health(""), HealthCheckResponse::NOT_SERVING);
  model_->Release();
  for (auto& request : pending) {
    request->thread.join();
    EXPECT_TRUE(request->status.ok()) << request->status.error_message();
    EXPECT_EQ(request->response.translations(0).text(), "A B C D");
  }
  v1::TranslateStreamResponse event;
  int sentences = 0;
  while (stream->Read(&event)) sentences += event.has_sentence();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(sentences, 1);
  EXPECT_FALSE(watch->Read(&state));
  EXPECT_EQ(watch->Finish().error_code(), StatusCode::UNAVAILABLE);
  shutdown.join();
  EXPECT_EQ(StatusOf(Request({"late"})).error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(ServerTest, DrainingServerRefusesWithUnavailable) {
  Start();
  model_->Hold();
  auto accepted = Begin({"a b"});
  model_->WaitUntilHeld();
  std::thread shutdown([this] { server_->Shutdown(); });
  auto others = BeginUntilRefused();
  model_->Release();
  accepted->thread.join();
  EXPECT_TRUE(accepted->status.ok());
  int refused = 0;
  for (auto& other : others) {
    other->thread.join();
    refused += other->status.error_code() == StatusCode::UNAVAILABLE;
    EXPECT_TRUE(other->status.ok() || other->status.error_code() == StatusCode::UNAVAILABLE);
  }
  EXPECT_GE(refused, 1);
  shutdown.join();
}

TEST_F(ServerTest, ShutdownCutsOffWhatOutlastsItsLimit) {
  options_.drain_timeout_s = 0;
  Start();
  model_->Hold();
  auto stuck = Begin({"a b c"});
  model_->WaitUntilHeld();
  std::thread shutdown([this] { server_->Shutdown(); });
  auto others = BeginUntilRefused();
  model_->Release();
  shutdown.join();
  stuck->thread.join();
  EXPECT_EQ(stuck->status.error_code(), StatusCode::UNAVAILABLE);
  for (auto& other : others) other->thread.join();
  EXPECT_THAT(server_->metrics().Text(), HasSubstr("heed_cancellations_total{model=\"fake\",reason=\"shutdown\"}"));
}

TEST_F(ServerTest, ReflectionNamesTheServices) {
  Start();
  grpc::GenericStub stub(channel_);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  auto call = stub.PrepareCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  auto finish_operation = [&] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  call->StartCall(nullptr);
  ASSERT_TRUE(finish_operation());
  grpc::Slice list_services("\x3a\x00", 2);  // ServerReflectionRequest{list_services: ""}
  call->Write(grpc::ByteBuffer(&list_services, 1), nullptr);
  ASSERT_TRUE(finish_operation());
  grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  ASSERT_TRUE(finish_operation());
  grpc::Slice bytes;
  ASSERT_TRUE(answer.DumpToSingleSlice(&bytes).ok());
  const std::string text(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
  EXPECT_THAT(text, HasSubstr("heed.v1.TranslationService"));
  EXPECT_THAT(text, HasSubstr("heed.v1.GraphService"));
  EXPECT_THAT(text, HasSubstr("heed.v1.ModelService"));
  EXPECT_THAT(text, HasSubstr("grpc.health.v1.Health"));
  context.TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  finish_operation();
}

TEST_F(ServerTest, TakenPortIsAnError) {
  Start();
  ServerOptions options = options_;
  options.listen = absl::StrCat("127.0.0.1:", server_->port());
  const auto second =
      Server::Start(options, [this](const std::string&, const std::string&, Precision) { return model_; });
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(options.listen));
}

TEST_F(ServerTest, MissingModelsDirectoryIsAnError) {
  options_.models = (root_ / "none").string();
  const auto server =
      Server::Start(options_, [this](const std::string&, const std::string&, Precision) { return model_; });
  EXPECT_EQ(server.status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ServerTest, RequestsAreCountedByMethodModelAndCode) {
  Start();
  EXPECT_TRUE(StatusOf(Request({"a b", "c"})).ok());
  v1::TranslateRequest request = Request({"a"});
  request.set_model("none");
  EXPECT_FALSE(StatusOf(request).ok());
  WaitForMetric("heed_requests_in_flight{method=\"heed.v1.TranslationService/Translate\"} 0");
  const std::string text = server_->metrics().Text();
  EXPECT_THAT(
      text,
      HasSubstr("heed_requests_total{code=\"OK\",method=\"heed.v1.TranslationService/Translate\",model=\"fake\"} 1"));
  EXPECT_THAT(
      text,
      HasSubstr(
          "heed_requests_total{code=\"NOT_FOUND\",method=\"heed.v1.TranslationService/Translate\",model=\"\"} 1"));
  EXPECT_THAT(text, HasSubstr("heed_source_tokens_total{model=\"fake\"} 5"));
  EXPECT_THAT(text, HasSubstr("heed_target_tokens_total{model=\"fake\"} 5"));
  EXPECT_THAT(
      text, HasSubstr("heed_request_seconds_count{method=\"heed.v1.TranslationService/Translate\",model=\"fake\"} 1"));
  EXPECT_THAT(text, HasSubstr("heed_model_ready{model=\"fake\"} 1"));
}

}  // namespace
}  // namespace heed
