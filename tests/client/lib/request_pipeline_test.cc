// SPDX-License-Identifier: Apache-2.0
#include "client/lib/request_pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <set>

#include "client/lib/channel.h"
#include "tests/client/fake_server.h"

namespace heed::client {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using TranslationPipeline = RequestPipeline<v1::TranslateRequest>;

PipelineOptions Quick(int in_flight) {
  PipelineOptions options;
  options.in_flight = in_flight;
  options.retry.first_delay = milliseconds(1);
  options.retry.max_delay = milliseconds(4);
  return options;
}

v1::TranslateRequest Request(const std::string& text) {
  v1::TranslateRequest request;
  request.add_texts(text);
  return request;
}

// Runs `texts` through a pipeline; the translations in the order of delivery, codes for failures.
std::vector<std::string> RunAll(const FakeServer& server, const PipelineOptions& options,
                                const std::vector<std::string>& texts) {
  std::vector<std::string> results;
  int64_t next = 0;
  TranslationPipeline pipeline(MakeChannel(server.address()), options, [&](TranslationPipeline::Result result) {
    EXPECT_EQ(result.index, next++);
    results.push_back(result.status.ok() ? result.response.translations(0).text()
                                         : StatusCodeName(result.status.error_code()));
  });
  for (const std::string& text : texts) EXPECT_TRUE(pipeline.Submit(Request(text)));
  pipeline.Finish();
  return results;
}

TEST(RequestPipeline, DeliversInOrderWhateverTheOrderOfAnswers) {
  // Text i is answered only when text i + 1 of the same four was.
  std::mutex mutex;
  std::condition_variable changed;
  std::set<int> answered;
  FakeServer server([&](const std::string& text, int) {
    const int number = std::stoi(text);
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return number % 4 == 3 || answered.contains(number + 1); });
    answered.insert(number);
    changed.notify_all();
    return grpc::Status::OK;
  });
  std::vector<std::string> texts;
  std::vector<std::string> expected;
  for (int i = 0; i < 40; ++i) {
    texts.push_back(std::to_string(i));
    expected.push_back(absl::StrCat("[", i, "]"));
  }
  EXPECT_EQ(RunAll(server, Quick(8), texts), expected);
}

TEST(RequestPipeline, NeverMoreInFlightThanAllowed) {
  FakeServer server;
  std::vector<std::string> texts(300, "text");
  EXPECT_EQ(RunAll(server, Quick(5), texts).size(), texts.size());
  EXPECT_LE(server.max_running(), 5);
}

TEST(RequestPipeline, UsesAllItMayHaveInFlight) {
  FakeServer* running = nullptr;
  FakeServer server([&](const std::string&, int) {
    running->WaitForRunning(6);
    return grpc::Status::OK;
  });
  running = &server;
  EXPECT_EQ(RunAll(server, Quick(6), std::vector<std::string>(6, "text")).size(), 6u);
}

TEST(RequestPipeline, SlowFirstRequestDoesNotHoldUpTheOthersUntilTheWindowIsFull) {
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  std::atomic<int> others = 0;
  FakeServer server([&](const std::string& text, int) {
    if (text == "slow") released.wait();
    // The window is 10: the slow one and nine others can be on their way or done.
    if (text == "fast" && ++others == 9) release.set_value();
    return grpc::Status::OK;
  });
  PipelineOptions options = Quick(2);
  options.undelivered = 10;
  std::vector<std::string> texts(30, "fast");
  texts[0] = "slow";
  const std::vector<std::string> results = RunAll(server, options, texts);
  ASSERT_EQ(results.size(), 30u);
  EXPECT_EQ(results[0], "[slow]");
}

TEST(RequestPipeline, FullQueueAndMissingServerLoseNothing) {
  FakeServer server([](const std::string& text, int attempt) {
    const int failures = std::stoi(text) % 4;
    if (attempt > failures) return grpc::Status::OK;
    return attempt % 2 == 1 ? QueueFull() : grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting");
  });
  std::vector<std::string> texts;
  std::vector<std::string> expected;
  for (int i = 0; i < 100; ++i) {
    texts.push_back(std::to_string(i));
    expected.push_back(absl::StrCat("[", i, "]"));
  }
  EXPECT_EQ(RunAll(server, Quick(16), texts), expected);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(server.attempts(std::to_string(i)), i % 4 + 1);
}

TEST(RequestPipeline, AnAnswerLetsAWaitingRequestTryAtOnce) {
  // "first" is answered once "again" waits, with a delay that the test would not live to see.
  std::promise<void> waits;
  std::shared_future<void> waiting = waits.get_future().share();
  FakeServer server([&](const std::string& text, int attempt) {
    if (text == "again" && attempt == 1) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "not now");
    waiting.wait();
    return grpc::Status::OK;
  });
  PipelineOptions options = Quick(2);
  options.retry.first_delay = options.retry.max_delay = std::chrono::hours(1);
  options.on_outage = [&](const grpc::Status&) { waits.set_value(); };
  EXPECT_THAT(RunAll(server, options, {"first", "again"}), ElementsAre("[first]", "[again]"));
}

TEST(RequestPipeline, OutageIsToldOnce) {
  FakeServer server([](const std::string&, int attempt) {
    return attempt < 5 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting") : grpc::Status::OK;
  });
  PipelineOptions options = Quick(1);
  std::vector<std::string> outages;
  options.on_outage = [&](const grpc::Status& status) { outages.push_back(status.error_message()); };
  EXPECT_THAT(RunAll(server, options, {"a", "a"}), ElementsAre("[a]", "[a]"));
  EXPECT_THAT(outages, ElementsAre("restarting"));
}

TEST(RequestPipeline, FinalErrorsAreDeliveredInTheirPlace) {
  FakeServer server([](const std::string& text, int) {
    return text == "bad" ? grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no") : grpc::Status::OK;
  });
  EXPECT_THAT(RunAll(server, Quick(4), {"a", "bad", "b"}), ElementsAre("[a]", "INVALID_ARGUMENT", "[b]"));
  EXPECT_EQ(server.attempts("bad"), 1);
}

TEST(RequestPipeline, UnavailableIsFinalAfterAWhile) {
  FakeServer server([](const std::string&, int) { return grpc::Status(grpc::StatusCode::UNAVAILABLE, "x"); });
  PipelineOptions options = Quick(4);
  options.retry.unavailable_for = milliseconds(5);
  EXPECT_THAT(RunAll(server, options, {"a"}), ElementsAre("UNAVAILABLE"));
  EXPECT_GT(server.attempts("a"), 1);
}

TEST(RequestPipeline, NoTryBeyondTheDeadline) {
  FakeServer server([](const std::string&, int) { return QueueFull("full"); });
  PipelineOptions options = Quick(4);
  options.deadline = std::chrono::hours(1);
  options.retry.first_delay = options.retry.max_delay = std::chrono::hours(4);
  EXPECT_THAT(RunAll(server, options, {"a"}), ElementsAre("RESOURCE_EXHAUSTED"));
  EXPECT_EQ(server.attempts("a"), 1);
}

TEST(RequestPipeline, RejectedRequestsKeepTheirPlace) {
  FakeServer server;
  std::vector<std::string> results;
  TranslationPipeline pipeline(MakeChannel(server.address()), Quick(1), [&](TranslationPipeline::Result result) {
    results.push_back(result.status.ok() ? result.response.translations(0).text() : result.status.error_message());
  });
  EXPECT_TRUE(pipeline.Submit(Request("a")));
  EXPECT_TRUE(pipeline.Reject(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "broken")));
  EXPECT_TRUE(pipeline.Submit(Request("b")));
  pipeline.Finish();
  EXPECT_THAT(results, ElementsAre("[a]", "broken", "[b]"));
}

TEST(RequestPipeline, CancelEndsRunningCallsAndBackoffsAndRefusesMore) {
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  FakeServer server([&](const std::string& text, int) {
    if (text == "again") return QueueFull("full");
    released.wait();
    return grpc::Status::OK;
  });
  PipelineOptions options = Quick(2);
  options.retry.first_delay = std::chrono::hours(1);
  options.retry.max_delay = std::chrono::hours(1);
  int delivered = 0;
  TranslationPipeline pipeline(MakeChannel(server.address()), options,
                               [&](TranslationPipeline::Result) { ++delivered; });
  EXPECT_TRUE(pipeline.Submit(Request("again")));
  EXPECT_TRUE(pipeline.Submit(Request("hangs")));
  server.WaitForRunning(1);
  // Blocks for want of room until it is refused.
  auto blocked = std::async(std::launch::async, [&] { return pipeline.Submit(Request("more")); });
  pipeline.Cancel();
  EXPECT_FALSE(blocked.get());
  pipeline.Finish();
  EXPECT_EQ(delivered, 0);
  release.set_value();
}

TEST(RequestPipeline, CancelFromADeliveryDeliversNoMore) {
  FakeServer server;
  int delivered = 0;
  TranslationPipeline* running = nullptr;
  TranslationPipeline pipeline(MakeChannel(server.address()), Quick(4), [&](TranslationPipeline::Result) {
    ++delivered;
    running->Cancel();
  });
  running = &pipeline;
  while (pipeline.Submit(Request("text"))) {
  }
  pipeline.Finish();
  EXPECT_EQ(delivered, 1);
}

TEST(RequestPipeline, DestructorCancelsWhatIsNotFinished) {
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  FakeServer server([&](const std::string&, int) {
    released.wait();
    return grpc::Status::OK;
  });
  {
    TranslationPipeline pipeline(MakeChannel(server.address()), Quick(4), [](TranslationPipeline::Result) { FAIL(); });
    EXPECT_TRUE(pipeline.Submit(Request("text")));
    server.WaitForRunning(1);
  }
  release.set_value();
}

}  // namespace
}  // namespace heed::client
