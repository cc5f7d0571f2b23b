// SPDX-License-Identifier: Apache-2.0
// The store of graphs as its own callers see it: its queue, its memory, its files, models that come and go.
#include "server/graphs/graph_store.h"

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_graph_classifier.h"
#include "tests/support/metric_samples.h"
#include "tests/support/recording_observer.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

class GraphStoreTest : public ::testing::Test {
 protected:
  GraphStoreTest() {
    std::filesystem::create_directories(root_.path() / "models/nodes");
    root_.Write("models/nodes/config.json", "{}");
    registry_ = *Registry::Open(root_.File("models"),
                                [this](const std::string&, const std::string&, Precision) { return nodes_; });
    registry_->LoadAll(observer_);
  }
  ~GraphStoreTest() override { nodes_->Release(); }

  void Open() { store_ = *GraphStore::Open(options_, *registry_, scheduler_, metrics_); }
  // Done that keeps what it is told.
  struct Answer {
    Mutex mutex;
    CondVar changed;
    std::optional<absl::StatusOr<StoredGraphState>> state GUARDED_BY(mutex);

    GraphStore::Done done() {
      return [this](const absl::StatusOr<StoredGraphState>& told) {
        MutexLock lock(mutex);
        state = told;
        changed.NotifyAll();
      };
    }
    absl::StatusOr<StoredGraphState> Wait() {
      MutexLock lock(mutex);
      while (!state) changed.Wait(mutex);
      return *state;
    }
    bool told() {
      MutexLock lock(mutex);
      return state.has_value();
    }
  };
  absl::Status StartPut(const std::string& name, Answer& answer) {
    NewGraph graph;
    graph.name = name;
    graph.precompute = *store_->FindModels({"nodes"});
    graph.arrays.features.rows = 2;
    graph.arrays.features.width = 2;
    graph.arrays.features.values = {1, 2, 3, 4};
    graph.room = std::make_unique<GraphRoom>(*store_);
    EXPECT_TRUE(graph.room->Add(graph.arrays).ok());
    return store_->Put(std::move(graph), answer.done());
  }
  void Put(const std::string& name) {
    Answer answer;
    ASSERT_TRUE(StartPut(name, answer).ok());
    ASSERT_TRUE(answer.Wait().ok());
  }

  TemporaryDirectory root_;
  GraphStoreOptions options_;
  std::shared_ptr<FakeGraphClassifier> nodes_ = std::make_shared<FakeGraphClassifier>("nodes");
  Metrics metrics_;
  RecordingObserver observer_;
  std::unique_ptr<Registry> registry_;
  Scheduler scheduler_{{}, metrics_};
  std::unique_ptr<GraphStore> store_;
};

TEST_F(GraphStoreTest, FullQueueRefusesChanges) {
  options_.max_queued_changes = 1;
  Open();
  nodes_->Hold();
  Answer first, second, third;
  ASSERT_TRUE(StartPut("a", first).ok());
  nodes_->WaitUntilHeld();
  ASSERT_TRUE(StartPut("b", second).ok());
  const absl::Status refused = StartPut("c", third);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.message(), "the queue is full: 1 changes of stored graphs wait");
  nodes_->Release();
  EXPECT_TRUE(first.Wait().ok());
  EXPECT_TRUE(second.Wait().ok());
}

TEST_F(GraphStoreTest, DrainCountsTheChangesThatStillWait) {
  Open();
  nodes_->Hold();
  Answer first, second, third;
  ASSERT_TRUE(StartPut("a", first).ok());
  nodes_->WaitUntilHeld();
  ASSERT_TRUE(StartPut("b", second).ok());
  EXPECT_EQ(store_->Drain(Clock::now()), 1);
  EXPECT_EQ(StartPut("c", third).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(store_->refused_by_drain(), 1);
  nodes_->Release();
  EXPECT_EQ(store_->Drain(Clock::now() + std::chrono::hours(1)), 0);
  EXPECT_TRUE(first.Wait().ok());
  EXPECT_TRUE(second.Wait().ok());
}

TEST_F(GraphStoreTest, StopRefusesTheChangesThatWait) {
  options_.max_queued_changes = 2;
  Open();
  nodes_->Hold();
  Answer first, second, third, refused;
  ASSERT_TRUE(StartPut("a", first).ok());
  nodes_->WaitUntilHeld();
  ASSERT_TRUE(StartPut("b", second).ok());
  ASSERT_TRUE(StartPut("c", third).ok());
  std::thread stop([this] { store_->Stop(); });
  // The queue is full until Stop has begun.
  while (StartPut("d", refused).code() == absl::StatusCode::kResourceExhausted) std::this_thread::yield();
  EXPECT_EQ(StartPut("d", refused).code(), absl::StatusCode::kUnavailable);
  // The change under way ends with its job, however late.
  nodes_->Release();
  stop.join();
  EXPECT_TRUE(first.Wait().ok());
  EXPECT_EQ(second.Wait().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(third.Wait().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(store_->Find("a").ok()) << "what was stored stays until the store is gone";
  EXPECT_EQ(store_->Find("b").status().code(), absl::StatusCode::kNotFound);
}

// Without gRPC, whose locks the thread sanitizer cannot see: everything that the store's threads share.
TEST_F(GraphStoreTest, QueriesGoOnWhileGraphsChangeAndAreSaved) {
  options_.directory = root_.File("graphs");
  options_.save_interval = Clock::duration::zero();
  Open();
  ASSERT_TRUE(store_->Restore());
  Put("g");
  class Asked : public JobObserver {
   public:
    void OnTaskOutput(int, Task& task) override {
      const GraphAnswer& answer = static_cast<const GraphQueryTask&>(task).answer();
      EXPECT_TRUE(answer.precomputed);
      classes_ = {answer.nodes.size(), static_cast<size_t>(answer.probabilities[0] > 0.5f)};
    }
    void OnJobDone(const absl::Status& status, const JobTimes&) override {
      MutexLock lock(mutex_);
      EXPECT_TRUE(status.ok()) << status;
      done_ = true;
      changed_.NotifyAll();
    }
    // How many nodes, and whether the first of them has no in-edges, modulo 3.
    std::pair<size_t, size_t> Wait() {
      MutexLock lock(mutex_);
      while (!done_) changed_.Wait(mutex_);
      return classes_;
    }

   private:
    std::pair<size_t, size_t> classes_;
    Mutex mutex_;
    CondVar changed_;
    bool done_ GUARDED_BY(mutex_) = false;
  };
  std::atomic<bool> stop{false};
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        const auto version = store_->Find("g");
        if (!version.ok()) {
          EXPECT_EQ(version.status().code(), absl::StatusCode::kNotFound) << version.status();
          continue;
        }
        GraphQuery query;
        query.graph = (*version)->graph;
        query.outputs = (*version)->OutputsOf(nodes_.get());
        query.stored = true;
        query.all = true;
        auto job = std::make_shared<Job>();
        job->model = nodes_;
        job->tasks.push_back(*nodes_->Start(std::move(query)));
        Asked asked;
        job->observer = &asked;
        ASSERT_TRUE(scheduler_.Submit(job).ok());
        const auto [nodes, none] = asked.Wait();
        EXPECT_EQ(nodes, 2u);
        EXPECT_EQ(none, ((*version)->version - 1) % 3 == 0 ? 1u : 0u);
        EXPECT_TRUE(store_->List().ok());
        ++answered;
      }
    });
  }
  // Each version has one edge 1 -> 0 more than the one before.
  for (int round = 0; round < 100 || answered < 100; ++round) {
    Answer answer;
    GraphUpdate update;
    update.add_edges.emplace_back(1, 0);
    ASSERT_TRUE(store_->Update("g", std::nullopt, std::move(update), answer.done()).ok());
    ASSERT_TRUE(answer.Wait().ok());
    if (round % 10 != 9) continue;
    Answer deleted;
    ASSERT_TRUE(store_->Delete("g", std::nullopt, deleted.done()).ok());
    ASSERT_TRUE(deleted.Wait().ok());
    Put("g");
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST_F(GraphStoreTest, ModelPrecomputesBeforeItTakesOver) {
  Open();
  Put("a");
  Put("b");
  const auto old = nodes_;
  const auto next = std::make_shared<FakeGraphClassifier>("nodes");
  next->Hold();
  Answer done;
  ASSERT_TRUE(store_
                  ->Precompute(next,
                               [&](const absl::Status& status) {
                                 done.done()(status.ok() ? absl::StatusOr<StoredGraphState>(StoredGraphState())
                                                         : status);
                               })
                  .ok());
  next->WaitUntilHeld();
  EXPECT_NE((*store_->Find("a"))->OutputsOf(old.get()), nullptr) << "the old model's serve until all are there";
  EXPECT_EQ((*store_->Find("a"))->OutputsOf(next.get()), nullptr);
  next->Release();
  ASSERT_TRUE(done.Wait().ok());
  for (const char* name : {"a", "b"}) {
    const auto version = *store_->Find(name);
    EXPECT_EQ(version->version, 1);
    EXPECT_NE(version->OutputsOf(next.get()), nullptr);
    EXPECT_EQ(version->OutputsOf(old.get()), nullptr);
  }
}

TEST_F(GraphStoreTest, ModelThatServesNoMoreTakesItsOutputsAlong) {
  Open();
  ASSERT_TRUE(store_->Restore());
  Put("g");
  const int64_t before = store_->Describe("g")->version->bytes();
  ASSERT_TRUE(registry_->Unload("nodes", observer_).ok());
  ASSERT_TRUE(store_->Forget("nodes").ok());
  const auto update = [&] {
    Answer answer;
    GraphUpdate change;
    change.add_edges = {{0, 1}};
    EXPECT_TRUE(store_->Update("g", std::nullopt, std::move(change), answer.done()).ok());
    return answer.Wait();
  };
  absl::StatusOr<StoredGraphState> state = update();  // after it
  ASSERT_TRUE(state.ok()) << state.status();
  const Precomputed& forgotten = *state->version->Find("nodes");
  EXPECT_EQ(forgotten.outputs, nullptr);
  EXPECT_EQ(forgotten.model, nullptr);
  EXPECT_EQ(forgotten.unavailable.code(), absl::StatusCode::kUnavailable);
  EXPECT_LT(state->version->graph->bytes(), before);

  ASSERT_TRUE(registry_->Load("nodes", {}, observer_).ok());
  Answer answer;
  GraphUpdate change;
  change.remove_edges = {{0, 1}};
  ASSERT_TRUE(store_->Update("g", std::nullopt, std::move(change), answer.done()).ok());
  state = answer.Wait();
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_NE(state->version->Find("nodes")->outputs, nullptr);
}

// It was found before that, with the graph's first part.
TEST_F(GraphStoreTest, ModelThatWasReplacedWhileAGraphCameIsNotKept) {
  Open();
  ASSERT_TRUE(store_->Restore());
  const std::shared_ptr<FakeGraphClassifier> old = nodes_;
  NewGraph graph;
  graph.name = "g";
  graph.precompute = *store_->FindModels({"nodes"});
  graph.arrays.features.rows = 2;
  graph.arrays.features.width = 2;
  graph.arrays.features.values = {1, 2, 3, 4};
  graph.room = std::make_unique<GraphRoom>(*store_);
  nodes_ = std::make_shared<FakeGraphClassifier>("nodes");
  ASSERT_TRUE(registry_->Load("nodes", {}, observer_).ok());
  Answer answer;
  ASSERT_TRUE(store_->Put(std::move(graph), answer.done()).ok());
  const absl::StatusOr<StoredGraphState> state = answer.Wait();
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->version->Find("nodes")->model, nodes_);
}

TEST_F(GraphStoreTest, ModelThatDoesNotFitAnyMoreLeavesTheGraphServed) {
  Open();
  Put("a");
  const auto next = std::make_shared<FakeGraphClassifier>("nodes");
  next->set_precompute_error(absl::InvalidArgumentError("features: width 2, the model's is 3"));
  Answer done;
  ASSERT_TRUE(store_->Precompute(next, [&](const absl::Status&) { done.done()(StoredGraphState()); }).ok());
  ASSERT_TRUE(done.Wait().ok());
  const auto version = *store_->Find("a");
  EXPECT_EQ(version->OutputsOf(next.get()), nullptr);
  EXPECT_EQ(version->precomputed.front().unavailable.message(), "features: width 2, the model's is 3");
}

TEST_F(GraphStoreTest, UpdateTriesAgainForOutputsThatAreMissing) {
  Open();
  Put("a");
  const int64_t bytes = (*store_->Find("a"))->bytes();
  const auto next = std::make_shared<FakeGraphClassifier>("nodes");
  next->set_precompute_error(absl::ResourceExhaustedError("not now"));
  Answer done;
  ASSERT_TRUE(store_->Precompute(next, [&](const absl::Status&) { done.done()(StoredGraphState()); }).ok());
  ASSERT_TRUE(done.Wait().ok());
  auto update = [this] {
    Answer answer;
    GraphUpdate change;
    change.add_edges.emplace_back(1, 0);
    EXPECT_TRUE(store_->Update("a", std::nullopt, std::move(change), answer.done()).ok());
    return (*answer.Wait()).version;
  };
  EXPECT_EQ(update()->precomputed.front().unavailable.message(), "not now");
  next->set_precompute_error(absl::OkStatus());
  const auto version = update();
  EXPECT_EQ(version->version, 3);
  EXPECT_TRUE(version->precomputed.front().unavailable.ok());
  ASSERT_NE(version->OutputsOf(next.get()), nullptr);
  EXPECT_EQ(version->OutputsOf(next.get())->rows_computed(), 2);
  EXPECT_GT(version->bytes(), bytes);
}

TEST_F(GraphStoreTest, FullQueueOfRequestsHoldsNoPrecomputationBack) {
  class Ignored : public JobObserver {
   public:
    void OnTaskOutput(int, Task&) override {}
    void OnJobDone(const absl::Status&, const JobTimes&) override {}
  } ignored;
  BatchLimits limits;
  limits.max_queued_jobs = 1;
  Scheduler scheduler({.limits = limits}, metrics_);
  store_ = *GraphStore::Open(options_, *registry_, scheduler, metrics_);
  Put("a");
  nodes_->Hold();
  auto submit = [&] {
    auto job = std::make_shared<Job>();
    job->model = nodes_;
    GraphQuery query;
    query.graph = (*store_->Find("a"))->graph;
    query.all = true;
    job->tasks.push_back(*nodes_->Start(std::move(query)));
    job->observer = &ignored;
    return scheduler.Submit(std::move(job));
  };
  ASSERT_TRUE(submit().ok());
  nodes_->WaitUntilHeld();
  ASSERT_TRUE(submit().ok());
  ASSERT_EQ(submit().code(), absl::StatusCode::kResourceExhausted);
  Answer answer;
  ASSERT_TRUE(StartPut("b", answer).ok());
  // Until its job waits beside the request, or it was refused.
  while (!answer.told() && !HasSample(metrics_.Text(), "heed_queued_requests{model=\"nodes\"} 2")) {
    std::this_thread::yield();
  }
  nodes_->Release();
  EXPECT_TRUE(answer.Wait().ok());
  store_.reset();
}

TEST_F(GraphStoreTest, VersionsGoWithNoLockHeld) {
  Open();
  std::atomic<int> gone{0};
  nodes_->set_on_outputs_gone([&] {
    EXPECT_TRUE(store_->List().ok());  // takes the store's lock
    ++gone;
  });
  Put("a");
  Put("a");
  EXPECT_EQ(gone, 1);
  Answer done;
  ASSERT_TRUE(store_->Precompute(nodes_, [&](const absl::Status&) { done.done()(StoredGraphState()); }).ok());
  ASSERT_TRUE(done.Wait().ok());
  EXPECT_EQ(gone, 2);
  {
    Answer deleted;
    ASSERT_TRUE(store_->Delete("a", std::nullopt, deleted.done()).ok());
    ASSERT_TRUE(deleted.Wait().ok());
  }
  while (gone < 3) std::this_thread::yield();  // who was told still had the last one
}

}  // namespace
}  // namespace heed
