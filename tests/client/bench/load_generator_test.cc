// SPDX-License-Identifier: Apache-2.0
#include "client/bench/load_generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>

#include "client/bench/bench_sentences.h"
#include "client/lib/channel.h"
#include "tests/client/fake_server.h"

namespace heed::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::ElementsAre;

TEST(Percentile, IsTheNearestRank) {
  std::vector<double> hundred;
  for (int i = 1; i <= 100; ++i) hundred.push_back(i);
  EXPECT_EQ(Percentile(hundred, 50), 50);
  EXPECT_EQ(Percentile(hundred, 99), 99);
  EXPECT_EQ(Percentile(hundred, 100), 100);
  EXPECT_EQ(Percentile({1, 2, 3}, 50), 2);
  EXPECT_EQ(Percentile({1, 2, 3, 4}, 50), 2);
  EXPECT_EQ(Percentile({1, 2, 3}, 99), 3);
  EXPECT_EQ(Percentile({7}, 1), 7);
  EXPECT_EQ(Percentile({}, 50), 0);
}

TEST(PoissonArrivals, GapsHaveTheMeanAndSpreadOfAPoissonProcess) {
  PoissonArrivals arrivals(200, 1);
  std::vector<double> gaps;
  double last = 0;
  for (int i = 0; i < 20000; ++i) {
    const double next = std::chrono::duration<double>(arrivals.next()).count();
    gaps.push_back(next - last);
    last = next;
    ASSERT_TRUE(arrivals.TakeDue(arrivals.next()));
  }
  double mean = 0;
  for (const double gap : gaps) mean += gap / static_cast<double>(gaps.size());
  double variance = 0;
  for (const double gap : gaps) variance += (gap - mean) * (gap - mean) / static_cast<double>(gaps.size());
  // The mean of n exponential gaps has a relative standard deviation of 1/sqrt(n) = 0.7 %, their variance of about 2 %.
  EXPECT_NEAR(mean, 1.0 / 200, 0.035 / 200);
  EXPECT_NEAR(variance, mean * mean, 0.1 * mean * mean);
}

TEST(PoissonArrivals, ScheduleDoesNotWaitForALateReader) {
  PoissonArrivals prompt(100, 7);
  PoissonArrivals late(100, 7);
  std::vector<nanoseconds> due;
  while (prompt.next() <= seconds(1)) {
    due.push_back(prompt.next());
    ASSERT_TRUE(prompt.TakeDue(prompt.next()));
  }
  ASSERT_FALSE(late.TakeDue(due.front() - nanoseconds(1)));
  for (const nanoseconds time : due) {
    EXPECT_EQ(late.next(), time);
    EXPECT_TRUE(late.TakeDue(seconds(1)));
  }
  EXPECT_FALSE(late.TakeDue(seconds(1)));
}

AnswerCounts Answer(int source_tokens, int target_tokens) {
  return {.items = 1, .source_tokens = source_tokens, .target_tokens = target_tokens};
}

TEST(LoadRecorder, ClosedLoopCountsWhatFinishesInTheWindow) {
  LoadRecorder recorder(seconds(1), seconds(2), false);
  recorder.Record(milliseconds(500), milliseconds(999), grpc::Status::OK, Answer(1, 1));
  recorder.Record(milliseconds(900), milliseconds(1000), grpc::Status::OK, Answer(3, 4));
  recorder.Record(milliseconds(2500), milliseconds(2540), grpc::Status::OK, Answer(5, 6));
  recorder.Record(milliseconds(2500), milliseconds(3000), grpc::Status::OK, Answer(7, 8));
  const LoadReport report = recorder.TakeReport();
  EXPECT_EQ(report.requests, 2);
  EXPECT_EQ(report.counts.source_tokens, 8);
  EXPECT_EQ(report.counts.target_tokens, 10);
  EXPECT_EQ(report.seconds, 2);
  EXPECT_THAT(report.latencies_ms, ElementsAre(40, 100));
}

TEST(LoadRecorder, OpenLoopMeasuresWhatWasDueInTheWindowHoweverLateItFinishes) {
  LoadRecorder recorder(seconds(1), seconds(2), true);
  recorder.Record(milliseconds(900), milliseconds(1000), grpc::Status::OK, Answer(3, 4));
  recorder.Record(milliseconds(2500), milliseconds(9000), grpc::Status::OK, Answer(7, 8));
  recorder.Record(milliseconds(2600), milliseconds(9000), grpc::Status(grpc::StatusCode::INTERNAL, "x"), {});
  recorder.Record(milliseconds(3100), milliseconds(3200), grpc::Status(grpc::StatusCode::INTERNAL, "y"), {});
  const LoadReport report = recorder.TakeReport();
  EXPECT_EQ(report.requests, 1);
  EXPECT_THAT(report.latencies_ms, ElementsAre(6500));
  EXPECT_EQ(report.errors, 1);
  EXPECT_EQ(report.first_error.error_message(), "x");
}

TEST(LoadRecorder, RefusalsHaveLatenciesOfTheirOwn) {
  LoadRecorder recorder(seconds(0), seconds(2), true);
  const grpc::Status refused(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
  recorder.Record(milliseconds(10), milliseconds(15), refused, {});
  recorder.Record(milliseconds(20), milliseconds(21), refused, {});
  recorder.Record(milliseconds(30), milliseconds(530), grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "late"), {});
  recorder.Record(milliseconds(40), milliseconds(90), grpc::Status::OK, {});
  recorder.Record(milliseconds(2500), milliseconds(2501), refused, {});
  const LoadReport report = recorder.TakeReport();
  EXPECT_EQ(report.errors, 3);
  EXPECT_EQ(report.expired, 1);
  EXPECT_THAT(report.refusals_ms, ElementsAre(1, 5));
  EXPECT_THAT(report.latencies_ms, ElementsAre(50));
}

LoadOptions Load(const FakeServer& server) {
  LoadOptions options;
  options.channels = {MakeChannel(server.address(), {}, true), MakeChannel(server.address(), {}, true)};
  options.send = SendUnaryCalls<v1::TranslateRequest>(
      options.channels,
      [](size_t number) {
        static const std::array<const char*, 3> kTexts = {"one", "two", "three"};
        v1::TranslateRequest request;
        request.add_texts(kTexts.at(number % kTexts.size()));
        return request;
      },
      [](const v1::TranslateResponse& response) {
        return AnswerCounts{.items = response.translations_size(),
                            .source_tokens = response.translations(0).source_token_count(),
                            .target_tokens = response.translations(0).target_token_count()};
      });
  options.duration = seconds(1000);  // tests stop before
  return options;
}

TEST(ClosedLoop, KeepsSoManyInFlightAndNoMore) {
  std::mutex mutex;
  std::condition_variable changed;
  int arrived = 0;
  std::stop_source stop;
  // The first three calls wait for each other, so the loop has to have three of them on their way.
  FakeServer server([&](const std::string&, int) {
    std::unique_lock lock(mutex);
    ++arrived;
    changed.notify_all();
    changed.wait(lock, [&] { return arrived >= 3; });
    if (arrived == 30) stop.request_stop();
    return grpc::Status::OK;
  });
  LoadOptions options = Load(server);
  options.stop = stop.get_token();
  const LoadReport report = RunClosedLoop(options, 3);
  EXPECT_GE(report.requests, 27);  // each of the three sends only after its answer
  EXPECT_EQ(report.errors, 0);
  EXPECT_EQ(report.counts.items, report.requests);
  EXPECT_EQ(report.counts.source_tokens, 3 * report.requests);
  EXPECT_EQ(report.counts.target_tokens, 4 * report.requests);
  EXPECT_EQ(report.latencies_ms.size(), static_cast<size_t>(report.requests));
  EXPECT_EQ(server.max_running(), 3);
  for (const char* text : {"one", "two", "three"}) EXPECT_GT(server.attempts(text), 0) << text;
}

TEST(ClosedLoop, RefusalsAreErrors) {
  std::atomic<int> arrived = 0;
  std::stop_source stop;
  FakeServer server([&](const std::string&, int) {
    if (++arrived == 10) stop.request_stop();
    return QueueFull();
  });
  LoadOptions options = Load(server);
  options.stop = stop.get_token();
  const LoadReport report = RunClosedLoop(options, 2);
  EXPECT_EQ(report.requests, 0);
  EXPECT_GE(report.errors, 8);
  EXPECT_FALSE(report.unavailable);
}

TEST(ClosedLoop, EndsWhenTheServerIsGone) {
  LoadOptions options;
  {
    FakeServer server;
    options = Load(server);
  }
  const LoadReport report = RunClosedLoop(options, 2);
  EXPECT_TRUE(report.unavailable);
  EXPECT_EQ(report.first_error.error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(ClosedLoop, AServerThatGoesDuringTheWarmUpIsTold) {
  FakeServer server([](const std::string&, int) { return grpc::Status(grpc::StatusCode::UNAVAILABLE, "draining"); });
  LoadOptions options = Load(server);
  options.warmup = seconds(1000);
  LoadReport report = RunClosedLoop(options, 2);
  EXPECT_TRUE(report.unavailable);
  EXPECT_EQ(report.first_error.error_message(), "draining");
  report = RunOpenLoop(options, 1000, 1);
  EXPECT_TRUE(report.unavailable);
  EXPECT_EQ(report.first_error.error_message(), "draining");
}

TEST(ClosedLoop, EndsWhenStopped) {
  FakeServer server;
  LoadOptions options = Load(server);
  std::stop_source stop;
  options.stop = stop.get_token();
  stop.request_stop();
  EXPECT_FALSE(RunClosedLoop(options, 2).unavailable);
}

TEST(OpenLoop, SendsWithoutWaitingForAnswers) {
  // As many as will be due; the first ones are answered only when the last one is there.
  PoissonArrivals arrivals(200, 1);
  int due = 0;
  while (arrivals.TakeDue(milliseconds(200) - nanoseconds(1))) ++due;
  std::mutex mutex;
  std::condition_variable changed;
  int arrived = 0;
  FakeServer server([&](const std::string&, int) {
    std::unique_lock lock(mutex);
    ++arrived;
    changed.notify_all();
    changed.wait(lock, [&] { return arrived >= due; });
    return grpc::Status::OK;
  });
  LoadOptions options = Load(server);
  options.duration = milliseconds(200);
  const LoadReport report = RunOpenLoop(options, 200, 1);
  EXPECT_EQ(report.errors, 0) << StatusText(report.first_error);
  EXPECT_EQ(report.latencies_ms.size(), static_cast<size_t>(due));
  EXPECT_EQ(server.max_running(), due);
}

TEST(BenchSentences, AreFortyOfTwoToTwentyWords) {
  const std::vector<std::string> sentences = BenchSentences();
  EXPECT_EQ(sentences.size(), 40u);
  for (const std::string& sentence : sentences) {
    const auto words = std::count(sentence.begin(), sentence.end(), ' ') + 1;
    EXPECT_GE(words, 2) << sentence;
    EXPECT_LE(words, 20) << sentence;
  }
}

}  // namespace
}  // namespace heed::client
