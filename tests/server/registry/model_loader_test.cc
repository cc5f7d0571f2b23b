// SPDX-License-Identifier: Apache-2.0
#include "server/registry/model_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <latch>
#include <string>

#include "tests/support/fake_translator.h"
#include "tests/support/recording_observer.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using testing::HasSubstr;

class ModelLoaderTest : public testing::Test {
 protected:
  ModelLoaderTest() {
    Write("m", "1");
    registry_ = *Registry::Open(
        root_.path().string(),
        [this](const std::string&, const std::string& name, Precision) -> absl::StatusOr<std::shared_ptr<const Model>> {
          niceness_ = getpriority(PRIO_PROCESS, 0);
          if (hold_ != nullptr) {
            held_->count_down();
            hold_->wait();
          }
          return std::make_shared<FakeTranslator>(name);
        });
  }

  void Write(const std::string& name, const std::string& version) {
    std::filesystem::create_directories(root_.path() / name / version);
    std::ofstream(root_.path() / name / version / "config.json") << "{}";
  }
  void Start(ModelLoaderOptions options = {}) {
    loader_ = std::make_unique<ModelLoader>(options, *registry_, observer_);
    std::promise<void> loaded;
    loader_->Start([&] { loaded.set_value(); });
    loaded.get_future().wait();
  }
  std::future<absl::Status> Load(const std::string& name) {
    auto done = std::make_shared<std::promise<absl::Status>>();
    loader_->Load(name, {}, [done](const absl::Status& status) { done->set_value(status); });
    return done->get_future();
  }

  TemporaryDirectory root_;
  std::atomic<int> niceness_ = 0;
  std::unique_ptr<std::latch> held_, hold_;
  RecordingObserver observer_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<ModelLoader> loader_;
};

TEST_F(ModelLoaderTest, LoadsAllFirstAtNormalPriorityAndLaterOnesAtALowOne) {
  const int own = getpriority(PRIO_PROCESS, 0);
  Start();
  EXPECT_TRUE(registry_->Find("m").ok());
  EXPECT_EQ(niceness_, own);
  EXPECT_TRUE(Load("m").get().ok());
  EXPECT_GT(niceness_, own);
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), own);  // of the thread alone
}

TEST_F(ModelLoaderTest, ChangesAreCarriedOutInTurn) {
  Start();
  Write("n", "1");
  std::promise<absl::Status> unloaded;
  std::future<absl::Status> loaded = Load("n");
  loader_->Unload("m", [&](const absl::Status& status) {
    EXPECT_TRUE(registry_->Find("n").ok());
    unloaded.set_value(status);
  });
  EXPECT_TRUE(loaded.get().ok());
  EXPECT_TRUE(unloaded.get_future().get().ok());
  EXPECT_FALSE(registry_->Find("m").ok());
  EXPECT_EQ(Load("none").get().code(), absl::StatusCode::kNotFound);
}

TEST_F(ModelLoaderTest, TooManyChangesAreRefused) {
  Start({.max_queued_changes = 1});
  held_ = std::make_unique<std::latch>(1);
  hold_ = std::make_unique<std::latch>(1);
  std::future<absl::Status> first = Load("m");
  held_->wait();
  std::future<absl::Status> second = Load("none");
  const absl::Status third = Load("m").get();
  EXPECT_EQ(third.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(third.message()), HasSubstr("1 changes of models wait"));
  hold_->count_down();
  EXPECT_TRUE(first.get().ok());
  EXPECT_EQ(second.get().code(), absl::StatusCode::kNotFound);
}

TEST_F(ModelLoaderTest, StopRefusesWhatWaitsAndWhatComes) {
  Start();
  held_ = std::make_unique<std::latch>(1);
  hold_ = std::make_unique<std::latch>(1);
  std::future<absl::Status> first = Load("m");
  held_->wait();
  std::future<absl::Status> second = Load("m");
  loader_->Stop();
  EXPECT_EQ(second.get().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Load("m").get().code(), absl::StatusCode::kUnavailable);
  hold_->count_down();
  EXPECT_TRUE(first.get().ok());  // it was under way
  loader_->Join();
}

TEST_F(ModelLoaderTest, PollingFindsNewVersions) {
  std::latch changed(1);
  std::atomic<bool> told = false;
  observer_.on_change = [&](const ModelStatus& status) {
    if (status.version == 2 && !told.exchange(true)) changed.count_down();
  };
  Start({.poll_interval = std::chrono::milliseconds(1)});
  std::filesystem::create_directories(root_.path() / "m" / "2");
  std::ofstream(root_.path() / "m" / "2" / "config.json") << "{}";
  changed.wait();
  EXPECT_EQ(registry_->FindVersion("m", "")->version, 2);
}

}  // namespace
}  // namespace heed
