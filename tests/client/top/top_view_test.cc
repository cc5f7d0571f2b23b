// SPDX-License-Identifier: Apache-2.0
#include "client/top/top_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/client/fake_metrics.h"

namespace heed::client {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class TopViewTest : public testing::Test {
 protected:
  // Reads what `metrics` has `after` so long.
  void Read(const FakeMetrics& metrics, int after) { ReadEach({metrics.Text()}, after); }
  // An empty page is no answer. Each page comes `apart` after the one before it.
  void ReadEach(const std::vector<std::string>& pages, int after, int apart = 0) {
    if (!monitor_) {
      std::vector<std::string> addresses;
      for (size_t i = 0; i < pages.size(); ++i) addresses.push_back(absl::StrCat("server:", i + 1));
      monitor_.emplace(std::move(addresses), now_);
    }
    now_ += seconds(after);
    std::vector<TopReading> readings;
    for (const std::string& page : pages) {
      const TopMonitor::TimePoint time = now_ + seconds(apart) * readings.size();
      readings.push_back({page.empty() ? absl::UnavailableError("gone") : MetricsPage::Parse(page), time});
    }
    monitor_->Add(std::move(readings));
  }
  TopView View() const { return monitor_->View(now_, 5000); }
  TopModel Model(const std::string& name) const {
    for (const TopModel& model : View().models) {
      if (model.name == name) return model;
    }
    ADD_FAILURE() << "no model " << name;
    return {};
  }

  TopMonitor::TimePoint now_;
  std::optional<TopMonitor> monitor_;
};

TEST_F(TopViewTest, OnePageTellsWhatIsAndNotYetWhatHappens) {
  FakeMetrics metrics;
  metrics.AddModel("en-de");
  metrics.AddModel("broken", false);
  metrics.Serve("Translate", "en-de", 100, 0.002);
  Read(metrics, 0);
  const TopView view = View();
  ASSERT_THAT(view.servers, SizeIs(1));
  EXPECT_EQ(view.servers[0].trouble, "");
  EXPECT_EQ(view.servers[0].version, "1.2.3");
  EXPECT_EQ(view.servers[0].uptime, 4000);
  EXPECT_EQ(view.all.models, 2);
  EXPECT_EQ(view.all.models_ready, 1);
  EXPECT_EQ(view.all.in_flight, 4);
  EXPECT_EQ(view.all.memory, 64 << 20);
  EXPECT_EQ(view.all.sessions, 3);
  EXPECT_EQ(view.all.requests, std::nullopt);
  EXPECT_EQ(view.all.p50, std::nullopt);
  EXPECT_THAT(view.history, IsEmpty());
  EXPECT_EQ(Model("en-de").ready, 1);
  EXPECT_EQ(Model("en-de").requests, std::nullopt);
  EXPECT_EQ(Model("broken").ready, 0);
}

TEST_F(TopViewTest, TwoPagesTellRatesAndLatenciesOfTheTimeBetween) {
  FakeMetrics metrics;
  metrics.AddModel("en-de");
  metrics.AddModel("idle");
  metrics.AddLimits("en-de");
  metrics.Serve("Translate", "en-de", 1000, 4);  // long ago
  Read(metrics, 0);
  metrics.Serve("Translate", "en-de", 90, 0.002);
  metrics.Serve("Translate", "en-de", 10, 0.3, "DEADLINE_EXCEEDED");
  metrics.Step("en-de", 40, 128, 0.02);
  metrics.Observe("heed_batch_tasks", "model=\"en-de\"", {"1", "4", "16"}, 6, 40);
  metrics.Observe("heed_queue_seconds", "model=\"en-de\"", {"0.001", "0.01", "0.1"}, 0.005, 100);
  metrics.Add("heed_target_tokens_total{model=\"en-de\"}", 1200);
  metrics.Add("heed_rejections_total{model=\"en-de\",reason=\"queue_full\"}", 8);
  metrics.Add("heed_rejections_total{model=\"\",reason=\"unauthenticated\"}", 2);
  metrics.Add("heed_slow_requests_total{method=\"heed.v1.TranslationService/Translate\",model=\"en-de\"}", 3);
  metrics.Add("process_cpu_seconds_total", 3);
  metrics.Add("heed_cpu_throttled_seconds_total", 1);  // of two threads' 4 s
  metrics.Set("heed_queued_requests{model=\"en-de\"}", 7);
  Read(metrics, 2);

  const TopView view = View();
  EXPECT_EQ(view.all.requests, 50);
  EXPECT_EQ(view.all.errors, 5);
  EXPECT_EQ(view.all.rejected, 5);
  EXPECT_THAT(view.rejections, ElementsAre(Pair("queue_full", 4), Pair("unauthenticated", 1)));
  EXPECT_EQ(view.all.slow, 1.5);
  EXPECT_EQ(view.all.cores, 1.5);
  EXPECT_EQ(view.all.throttled, 0.25);
  EXPECT_EQ(view.all.memory_limit, 256 << 20);
  EXPECT_THAT(view.history, ElementsAre(50));

  const TopModel model = Model("en-de");
  EXPECT_EQ(model.requests, 50);
  EXPECT_EQ(model.errors, 5);
  EXPECT_EQ(model.rejected, 4);
  // Of 100 requests 90 are between 1 and 2.5 ms, 10 between 250 and 500 ms.
  EXPECT_NEAR(*model.p50, 0.001 + 0.0015 * 50 / 90, 1e-9);
  EXPECT_NEAR(*model.p95, 0.375, 1e-9);
  EXPECT_NEAR(*model.p99, 0.475, 1e-9);
  EXPECT_NEAR(*model.queue_p50, 0.0055, 1e-9);
  EXPECT_EQ(model.first_p50, std::nullopt);
  EXPECT_EQ(model.steps, 20);
  EXPECT_EQ(model.rows, 128);
  EXPECT_EQ(model.occupancy, 0.25);
  EXPECT_EQ(model.tasks, 6);
  EXPECT_NEAR(*model.busy, 0.4, 1e-9);
  EXPECT_EQ(model.queued, 7);
  EXPECT_EQ(model.max_queued, 1024);
  EXPECT_EQ(model.tokens, 600);
  EXPECT_EQ(model.nodes, std::nullopt);
  EXPECT_EQ(model.resident_bytes, 3 << 19);

  const TopModel idle = Model("idle");
  EXPECT_EQ(idle.requests, 0);
  EXPECT_EQ(idle.errors, 0);
  EXPECT_EQ(idle.p50, std::nullopt);
  EXPECT_EQ(idle.rows, std::nullopt);

  ASSERT_THAT(view.methods, SizeIs(1));
  EXPECT_EQ(view.methods[0].name, "Translate");
  EXPECT_EQ(view.methods[0].requests, 50);
  EXPECT_THAT(view.methods[0].codes, ElementsAre(Pair("OK", 45), Pair("DEADLINE_EXCEEDED", 5)));
}

TEST_F(TopViewTest, WhatAnOlderServerDoesNotTellIsAbsent) {
  FakeMetrics metrics;
  metrics.AddModel("en-de");
  Read(metrics, 0);
  metrics.Step("en-de", 40, 128, 0.02);
  metrics.Add("heed_rejections_total{reason=\"queue_full\"}", 8);  // without the model
  Read(metrics, 2);
  const TopModel model = Model("en-de");
  EXPECT_EQ(model.rows, 128);
  EXPECT_EQ(model.occupancy, std::nullopt);
  EXPECT_EQ(model.busy, std::nullopt);
  EXPECT_EQ(model.tasks, std::nullopt);
  EXPECT_EQ(model.max_queued, std::nullopt);
  EXPECT_EQ(View().all.throttled, std::nullopt);
  EXPECT_EQ(View().all.memory_limit, std::nullopt);
  EXPECT_EQ(View().all.slow, std::nullopt);
  EXPECT_THAT(View().rejections, ElementsAre(Pair("queue_full", 4)));
}

TEST_F(TopViewTest, AServerThatRestartsHasItsNewCountersCounted) {
  FakeMetrics metrics(1000);
  metrics.AddModel("en-de");
  metrics.Serve("Translate", "en-de", 1000, 4);
  Read(metrics, 0);
  FakeMetrics anew(1500);
  anew.AddModel("en-de");
  anew.Serve("Translate", "en-de", 20, 0.002);
  Read(anew, 2);
  EXPECT_EQ(View().all.requests, 10);
  EXPECT_EQ(View().servers[0].uptime, 3500);
  EXPECT_LT(*Model("en-de").p99, 0.0026);
}

TEST_F(TopViewTest, AModelMayComeAndGo) {
  FakeMetrics metrics;
  metrics.AddModel("old");
  metrics.Serve("Translate", "old", 5, 0.002);
  Read(metrics, 0);
  FakeMetrics without;
  without.AddModel("new");
  without.Serve("Translate", "new", 6, 0.002);
  Read(without, 2);
  ASSERT_THAT(View().models, SizeIs(1));
  EXPECT_EQ(View().models[0].name, "new");
  EXPECT_EQ(View().models[0].requests, 3);
}

TEST_F(TopViewTest, AServerThatIsGoneIsToldAndTakenUpAgain) {
  FakeMetrics metrics;
  metrics.AddModel("en-de");
  Read(metrics, 0);
  metrics.Serve("Translate", "en-de", 10, 0.002);
  Read(metrics, 2);
  ReadEach({""}, 2);
  ReadEach({""}, 3);
  EXPECT_FALSE(monitor_->answering());
  EXPECT_EQ(View().servers[0].trouble, "gone");
  EXPECT_EQ(View().servers[0].silent_seconds, 5);
  EXPECT_THAT(View().models, IsEmpty());
  EXPECT_EQ(View().all.requests, std::nullopt);
  EXPECT_THAT(View().history, SizeIs(1));
  // The same process: the rate is that of all the time since its last answer.
  metrics.Serve("Translate", "en-de", 60, 0.002);
  Read(metrics, 5);
  EXPECT_TRUE(monitor_->answering());
  EXPECT_EQ(View().all.requests, 6);
  EXPECT_EQ(View().servers[0].silent_seconds, 0);
}

TEST_F(TopViewTest, SeveralServersAreAddedUp) {
  FakeMetrics first;
  FakeMetrics second;
  for (FakeMetrics* metrics : {&first, &second}) {
    metrics->AddModel("en-de");
    metrics->AddLimits("en-de");
  }
  second.AddModel("other");
  ReadEach({first.Text(), second.Text(), ""}, 0);
  first.Serve("Translate", "en-de", 10, 0.002);
  first.Step("en-de", 10, 128, 0.1);
  second.Serve("Translate", "en-de", 30, 0.3);
  second.Step("en-de", 10, 128, 0.1);
  second.Set("heed_threads", 6);
  first.Add("heed_cpu_throttled_seconds_total", 2);
  second.Add("heed_cpu_throttled_seconds_total", 6);
  ReadEach({first.Text(), second.Text(), ""}, 2);
  const TopView view = View();
  EXPECT_EQ(view.servers[0].load.requests, 5);
  EXPECT_EQ(view.servers[1].load.requests, 15);
  EXPECT_EQ(view.servers[2].trouble, "gone");
  EXPECT_EQ(view.all.requests, 20);
  EXPECT_EQ(view.all.models, 3);  // of both
  EXPECT_EQ(view.all.models_ready, 3);
  EXPECT_EQ(view.all.threads, 8);
  EXPECT_EQ(view.servers[0].load.throttled, 0.5);
  EXPECT_EQ(view.all.throttled, 0.5);
  EXPECT_EQ(Model("en-de").ready, 2);
  EXPECT_EQ(Model("other").ready, 1);
  EXPECT_GT(*Model("en-de").p50, 0.25);
  EXPECT_EQ(Model("en-de").occupancy, 0.25);
  EXPECT_NEAR(*Model("en-de").busy, 0.25, 1e-9);  // of 2 and of 6 threads, each 2 for half of the time
}

TEST_F(TopViewTest, ServersHaveALimitOfMemoryOnlyIfEachHasOne) {
  FakeMetrics first;
  FakeMetrics second;
  first.Set("heed_memory_limit_bytes", 256 << 20);
  second.Set("heed_memory_limit_bytes", 128 << 20);
  ReadEach({first.Text(), second.Text()}, 0);
  EXPECT_EQ(View().all.memory_limit, 384 << 20);
  second.Set("heed_memory_limit_bytes", 0);
  ReadEach({first.Text(), second.Text()}, 1);
  EXPECT_EQ(View().all.memory_limit, std::nullopt);
  EXPECT_EQ(View().servers[0].load.memory_limit, 256 << 20);
  EXPECT_EQ(View().servers[1].load.memory_limit, std::nullopt);
}

TEST_F(TopViewTest, ARateIsOverTheTimeBetweenTheServersOwnPages) {
  FakeMetrics first;
  FakeMetrics second;
  ReadEach({first.Text(), second.Text()}, 0);
  first.Serve("Translate", "en-de", 10, 0.002);
  second.Serve("Translate", "en-de", 10, 0.002);
  ReadEach({first.Text(), second.Text()}, 2, 3);  // the second is slow to answer
  EXPECT_EQ(View().servers[0].load.requests, 5);
  EXPECT_EQ(View().servers[1].load.requests, 2);
  EXPECT_EQ(View().all.requests, 7);
}

TEST_F(TopViewTest, JsonHasEveryNumberAndNullForWhatIsNotKnown) {
  FakeMetrics metrics;
  metrics.AddModel("en-de");
  Read(metrics, 0);
  metrics.Serve("Translate", "en-de", 10, 0.002, "INTERNAL");
  Read(metrics, 2);
  const nlohmann::json json = nlohmann::json::parse(TopJson(View()).dump());
  EXPECT_EQ(json["servers"][0]["address"], "server:1");
  EXPECT_EQ(json["servers"][0]["requests_per_second"], 5);
  EXPECT_EQ(json["all"]["errors_per_second"], 5);
  EXPECT_EQ(json["models"][0]["model"], "en-de");
  EXPECT_TRUE(json["models"][0]["occupancy_share"].is_null());
  EXPECT_EQ(json["methods"][0]["codes_per_second"], nlohmann::json({{"INTERNAL", 5}}));
  ReadEach({""}, 2);
  EXPECT_EQ(TopJson(View())["servers"][0]["trouble"], "gone");
  EXPECT_EQ(TopJson(View())["servers"][0]["silent_seconds"], 2);
}

}  // namespace
}  // namespace heed::client
