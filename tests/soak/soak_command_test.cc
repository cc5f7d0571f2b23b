// SPDX-License-Identifier: Apache-2.0
// heed-soak against a server that fails as it is told to. With the real one: tests/soak/.
#include "tests/soak/soak_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "client/cli/exit_code.h"
#include "tests/client/fake_metrics.h"
#include "tests/client/fake_server.h"
#include "tests/client/heed_run.h"

namespace heed::client {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::SizeIs;

class SoakCommandTest : public testing::Test {
 protected:
  void Begin(FakeServer::Behavior behavior = [](const std::string&, int) { return grpc::Status::OK; }) {
    server_.emplace(std::move(behavior));
    server_->ClearModels();
    server_->AddModel("en-de", v1::MODEL_STATE_READY).set_is_default(true);
    server_->AddModel("broken", v1::MODEL_STATE_UNAVAILABLE);
    v1::TranslateStreamResponse delta;
    delta.set_delta("Hal");
    v1::TranslateStreamResponse more;
    more.set_delta("lo");
    server_->SetEvents({delta, more});
  }
  HeedRun Run(std::vector<std::string> flags) {
    flags.insert(flags.begin(), {server_->flag(), "--warmup=0"});
    return RunCommandWith(SoakCommand, flags);
  }
  // A page for each reading: so much memory, of the process that started then.
  static std::vector<std::string> Pages(const std::vector<std::pair<double, double>>& mib_and_start) {
    std::vector<std::string> pages;
    for (const auto& [mib, start] : mib_and_start) {
      FakeMetrics metrics(start);
      metrics.Set("process_resident_memory_bytes", mib * (1 << 20));
      pages.push_back(metrics.Text());
    }
    return pages;
  }

  std::optional<FakeServer> server_;
};

TEST_F(SoakCommandTest, CountsWhatWasAnsweredOfEachKind) {
  Begin();
  FakeMetricsServer metrics(Pages({{64, 1}}));
  const HeedRun run = Run({metrics.flag(), "--duration=1", "--json", "--concurrency=6"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  const nlohmann::json report = JsonLines(run.out).at(0);
  EXPECT_GT(report["requests"], 0);
  EXPECT_EQ(report["answers"], report["requests"]);
  EXPECT_EQ(report["failures"], 0);
  ASSERT_THAT(report["kinds"], SizeIs(3));
  EXPECT_EQ(report["kinds"][2]["request"], "stream");
  for (const nlohmann::json& kind : report["kinds"]) EXPECT_GT(kind["requests"], 0) << kind;
  EXPECT_EQ(report["memory"]["peak_bytes"], 64 << 20);
  EXPECT_EQ(report["memory"]["second_half_growth_bytes"], 0);
}

TEST_F(SoakCommandTest, TextNamesTheFiguresAndTheLimit) {
  Begin();
  FakeMetricsServer metrics(Pages({{64, 1}}));
  const HeedRun run = Run({metrics.flag(), "--duration=1"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("1 models, 3 kinds of requests, 16 in flight"), HasSubstr("\nen-de  stream "),
                             HasSubstr("failures 0\n"), HasSubstr("memory   start 64.0 MiB, peak 64.0 MiB"),
                             HasSubstr("growth   +0.00 MiB over the second half (+0.0 MiB/h); at most 8 MiB\n")));
}

TEST_F(SoakCommandTest, AnAnswerThatDiffersFromTheFirstOneIsAFailure) {
  Begin();
  const auto answers = std::make_shared<std::atomic<int>>(0);
  server_->SetEdit([answers](v1::TranslatedText& answer) {
    if (++*answers == 100) answer.set_score(answer.score() + 1e-6f);
  });
  const HeedRun run = Run({"--metrics=", "--duration=1", "--json"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_THAT(run.err, AllOf(HasSubstr("first failure: en-de, translate"), HasSubstr("made alone it was")));
  EXPECT_EQ(JsonLines(run.out).at(0)["failures_by_kind"], nlohmann::json({{"wrong answer", 1}}));
  EXPECT_FALSE(JsonLines(run.out).at(0).contains("memory"));
}

TEST_F(SoakCommandTest, ARefusalIsAFailureThatIsNotTriedAgain) {
  // Calls that the run has given up may still come when the test is over.
  const auto calls = std::make_shared<std::atomic<int>>(0);
  Begin([calls](const std::string&, int) {
    return ++*calls == 200 ? grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full") : grpc::Status::OK;
  });
  const HeedRun run = Run({"--metrics=", "--duration=1", "--json"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_THAT(run.err, HasSubstr("RESOURCE_EXHAUSTED: full"));
  EXPECT_EQ(JsonLines(run.out).at(0)["failures_by_kind"], nlohmann::json({{"RESOURCE_EXHAUSTED", 1}}));
}

TEST_F(SoakCommandTest, MemoryThatGrowsIsAFailure) {
  Begin();
  std::vector<std::pair<double, double>> pages;
  for (int i = 0; i < 30; ++i) pages.emplace_back(64 + 20 * i, 1);
  FakeMetricsServer metrics(Pages(pages));
  const HeedRun run = Run({metrics.flag(), "--duration=2"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_THAT(run.err, AllOf(HasSubstr("the server's memory grew by "), HasSubstr("more than --max_growth_mib=8")));
}

TEST_F(SoakCommandTest, MemoryThatIsNotReadInTheSecondHalfIsAFailure) {
  for (const char* const silence : {"", FakeMetricsServer::kHangs}) {
    Begin();
    std::vector<std::string> pages = Pages(std::vector<std::pair<double, double>>(8, {64, 1}));
    pages.emplace_back(silence);
    FakeMetricsServer metrics(pages);
    const HeedRun run = Run({metrics.flag(), "--duration=3"});
    EXPECT_EQ(run.code, kExitFailed);
    EXPECT_THAT(run.err, HasSubstr("memory could be read 0 times in the second half, which takes at least 5"));
  }
}

TEST_F(SoakCommandTest, AServerThatRestartsIsAFailure) {
  Begin();
  FakeMetricsServer metrics(Pages({{64, 1}, {64, 1}, {64, 2}}));
  const HeedRun run = Run({metrics.flag(), "--duration=2"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_THAT(run.err, HasSubstr("the server restarted meanwhile"));
}

TEST_F(SoakCommandTest, WhatIsMissingIsToldBeforeTheLoad) {
  Begin();
  EXPECT_EQ(Run({"--metrics=127.0.0.1:1", "--duration=1"}).code, kExitUnavailable);
  EXPECT_EQ(Run({"--metrics=nowhere"}).code, kExitUsage);
  EXPECT_EQ(Run({"--metrics=", "--models=missing"}).code, kExitUsage);
  const HeedRun broken = Run({"--metrics=", "--models=broken"});
  EXPECT_EQ(broken.code, kExitUnavailable);
  EXPECT_THAT(broken.err, HasSubstr("model 'broken' does not serve"));
  server_->AddModel("late", v1::MODEL_STATE_LOADING);
  const HeedRun late = Run({"--metrics="});
  EXPECT_EQ(late.code, kExitUnavailable);
  EXPECT_THAT(late.err, HasSubstr("model 'late' is loading still"));
}

TEST_F(SoakCommandTest, AnInterruptPrintsWhatWasSeen) {
  std::stop_source stop;
  const auto calls = std::make_shared<std::atomic<int>>(0);
  Begin([stop, calls](const std::string&, int) mutable {
    if (++*calls == 500) stop.request_stop();
    return grpc::Status::OK;
  });
  const HeedRun run =
      RunCommandWith(SoakCommand, {server_->flag(), "--metrics=", "--duration=1000"}, "", stop.get_token());
  EXPECT_EQ(run.code, kExitInterrupted);
  EXPECT_THAT(run.out, HasSubstr("requests "));
}

}  // namespace
}  // namespace heed::client
