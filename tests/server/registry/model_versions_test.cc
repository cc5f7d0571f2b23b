// SPDX-License-Identifier: Apache-2.0
// Versions of models in the registry: what is served, what a load changes, and what is kept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/registry/registry.h"
#include "tests/support/fake_question_answerer.h"
#include "tests/support/recording_observer.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Model directories whose config.json holds the fingerprint of what is loaded from them; "broken" fails.
class ModelVersions : public testing::Test {
 protected:
  void Write(const std::string& name, int version, const std::string& content) {
    Fill(root_.path() / name / absl::StrCat(version), content);
  }
  void Fill(const std::filesystem::path& directory, const std::string& content) {
    std::filesystem::create_directories(directory);
    std::ofstream(directory / "config.json") << content;
  }
  void Remove(const std::string& name, int version) {
    std::filesystem::remove_all(root_.path() / name / absl::StrCat(version));
  }

  void Open(const std::string& policies = "latest:1") {
    observer_.on_change = [this](const ModelStatus& status) {
      heard_.push_back(absl::StrCat(status.name, ":", status.version, status.model != nullptr ? " serves" : " rests",
                                    status.reason.ok() ? "" : " failed"));
    };
    RegistryOptions options;
    options.policies = *VersionPolicies::Parse(policies);
    options.session_pin = std::chrono::hours(1);
    registry_ = *Registry::Open(
        root_.path().string(),
        [this](const std::string& path, const std::string& name,
               Precision) -> absl::StatusOr<std::shared_ptr<const Model>> {
          if (during_load_) during_load_();
          std::stringstream content;
          content << std::ifstream(path + "/config.json").rdbuf();
          if (content.str() == "broken") return absl::InvalidArgumentError(path + "/config.json: is broken");
          return std::make_shared<FakeQuestionAnswerer>(name, content.str());
        },
        std::move(options));
    registry_->LoadAll(observer_);
  }
  absl::Status Load(const std::string& name, const std::vector<int64_t>& versions = {}) {
    heard_.clear();
    return registry_->Load(name, versions, observer_);
  }

  // Of the version that a request gets; the error's message if there is none.
  std::string Served(const std::string& name = "m", const std::string& version = "") {
    const auto served = registry_->FindVersion(name, version);
    if (!served.ok()) return std::string(served.status().message());
    return absl::StrCat(served->version, ":", served->model->spec().fingerprint);
  }
  std::vector<std::string> States() {
    std::vector<std::string> states;
    for (const ModelStatus& status : registry_->List()) {
      static const std::map<ModelState, std::string> kNames = {{ModelState::kLoading, "loading"},
                                                               {ModelState::kReady, "ready"},
                                                               {ModelState::kUnavailable, "unavailable"},
                                                               {ModelState::kUnloaded, "unloaded"}};
      states.push_back(absl::StrCat(status.version, " ", kNames.at(status.state), status.is_default ? " default" : ""));
    }
    return states;
  }

  TemporaryDirectory root_;
  std::function<void()> during_load_;
  RecordingObserver observer_;
  std::unique_ptr<Registry> registry_;
  std::vector<std::string> heard_;
};

TEST_F(ModelVersions, LatestServesAndOthersRest) {
  Write("m", 1, "one");
  Write("m", 2, "two");
  Write("m", 10, "ten");
  std::filesystem::create_directories(root_.path() / "m" / "11");  // no config.json
  Fill(root_.path() / "m" / "old", "x");                           // no number
  Open();
  EXPECT_THAT(States(), ElementsAre("1 unloaded", "2 unloaded", "10 ready default"));
  EXPECT_EQ(Served(), "10:ten");
  EXPECT_EQ(Served("m", "10"), "10:ten");
  EXPECT_EQ(Served("m", "2"), "model: \"m\" version 2 is not loaded");
  EXPECT_EQ(Served("m", "3"), "model_version: \"m\" has no version 3; these are there: 1, 2, 10");
  EXPECT_THAT(Served("m", "x"), HasSubstr("model_version: \"x\" is no version"));
  EXPECT_THAT(heard_, ElementsAre("m:10 serves"));
}

TEST_F(ModelVersions, FilesInTheModelsDirectoryItselfAreVersionOne) {
  Fill(root_.path() / "m", "flat");
  Open();
  EXPECT_EQ(Served(), "1:flat");
}

TEST_F(ModelVersions, ListedVersionsServeAndTheHighestIsTheDefault) {
  for (int version = 1; version <= 4; ++version) Write("m", version, absl::StrCat("v", version));
  Open("m=1+3");
  EXPECT_THAT(States(), ElementsAre("1 ready", "2 unloaded", "3 ready default", "4 unloaded"));
  EXPECT_EQ(Served("m", "1"), "1:v1");
}

TEST_F(ModelVersions, ListedVersionThatIsMissingIsTold) {
  Write("m", 1, "one");
  Open("m=2");
  EXPECT_THAT(Served(), HasSubstr("failed to load: model: \"m\": version 2 is not there; these are: 1"));
}

TEST_F(ModelVersions, NewVersionTakesOverOnlyWhenItHasLoaded) {
  Write("m", 1, "one");
  Open();
  Write("m", 2, "two");
  EXPECT_EQ(Served(), "1:one");
  during_load_ = [&] { EXPECT_EQ(Served(), "1:one"); };
  EXPECT_TRUE(Load("m").ok());
  EXPECT_EQ(Served(), "2:two");
  EXPECT_THAT(States(), ElementsAre("1 unloaded", "2 ready default"));
  EXPECT_THAT(heard_, ElementsAre("m:2 serves", "m:1 rests"));
}

TEST_F(ModelVersions, BadNewVersionLeavesTheOldOneServingAndSaysWhy) {
  Write("m", 1, "one");
  Open();
  Write("m", 2, "broken");
  const absl::Status status = Load("m");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("model: \"m\" version 2 failed to load: "));
  EXPECT_THAT(std::string(status.message()), HasSubstr("config.json: is broken"));
  EXPECT_EQ(Served(), "1:one");
  EXPECT_THAT(States(), ElementsAre("1 ready default", "2 unavailable"));
  EXPECT_THAT(Served("m", "2"), HasSubstr("config.json: is broken"));
  Write("m", 2, "two");
  EXPECT_TRUE(Load("m").ok());
  EXPECT_THAT(States(), ElementsAre("1 unloaded", "2 ready default"));
}

TEST_F(ModelVersions, VersionThatFailsItsCheckDoesNotServe) {
  Write("m", 1, "one");
  Open();
  Write("m", 2, "two");
  observer_.prepare = [](bool is_default) {
    return is_default ? absl::InternalError("answers NaN") : absl::OkStatus();
  };
  EXPECT_THAT(std::string(registry_->Load("m", {}, observer_).message()), HasSubstr("answers NaN"));
  EXPECT_EQ(Served(), "1:one");
}

TEST_F(ModelVersions, FilesLoadedAnewReplaceTheSameVersion) {
  Fill(root_.path() / "m", "before");
  Open();
  Fill(root_.path() / "m", "broken");
  EXPECT_FALSE(Load("m").ok());
  EXPECT_EQ(Served(), "1:before");
  EXPECT_EQ(registry_->List()[0].state, ModelState::kReady);
  EXPECT_THAT(std::string(registry_->List()[0].reason.message()), HasSubstr("is broken"));
  Fill(root_.path() / "m", "after");
  EXPECT_TRUE(Load("m").ok());
  EXPECT_EQ(Served(), "1:after");
  EXPECT_TRUE(registry_->List()[0].reason.ok());
}

TEST_F(ModelVersions, RollBackIsALoadOfTheOldVersion) {
  Write("m", 1, "one");
  Write("m", 2, "two");
  Open();
  EXPECT_TRUE(Load("m", {1}).ok());
  EXPECT_EQ(Served(), "1:one");
  EXPECT_THAT(heard_, ElementsAre("m:1 serves", "m:2 rests"));
  EXPECT_TRUE(Load("m").ok());
  EXPECT_EQ(Served(), "2:two");
}

TEST_F(ModelVersions, LoadOfWhatIsNotThereChangesNothing) {
  Write("m", 1, "one");
  Open();
  EXPECT_EQ(Load("m", {1, 7}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Load("n").code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(States(), ElementsAre("1 ready default"));
  EXPECT_THAT(heard_, IsEmpty());
}

TEST_F(ModelVersions, NamesLeadNowhereElse) {
  Write("m", 1, "one");
  Open();
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("../m"), std::string("m/1"), root_.File("m"),
        std::string(".hidden"), std::string("m\0x", 3)}) {
    EXPECT_EQ(Load(name).code(), absl::StatusCode::kInvalidArgument) << name;
  }
  EXPECT_THAT(States(), ElementsAre("1 ready default"));
}

TEST_F(ModelVersions, ModelThatCameAfterTheStartCanBeLoaded) {
  Open();
  Write("new", 3, "three");
  EXPECT_TRUE(Load("new").ok());
  EXPECT_EQ(Served("new"), "3:three");
}

TEST_F(ModelVersions, UnloadedModelIsUnavailableUntilItIsLoaded) {
  Write("m", 1, "one");
  Open();
  const auto held = *registry_->Find("m");
  EXPECT_TRUE(registry_->Unload("m", observer_).ok());
  EXPECT_EQ(registry_->Find("m").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Served(), "model: \"m\" is not loaded");
  EXPECT_EQ(held->spec().fingerprint, "one");  // a request's
  EXPECT_EQ(registry_->FindFingerprint("m", "one"), nullptr);
  EXPECT_EQ(registry_->Unload("n", observer_).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(Load("m").ok());
  EXPECT_EQ(Served(), "1:one");
}

TEST_F(ModelVersions, ReplacedWeightsStayForSessionsUntilTheirTimeIsOver) {
  Write("m", 1, "one");
  Open();
  Write("m", 2, "two");
  ASSERT_TRUE(Load("m").ok());
  const TimePoint now = Clock::now();
  EXPECT_EQ(registry_->FindFingerprint("m", "two")->spec().fingerprint, "two");
  ASSERT_NE(registry_->FindFingerprint("m", "one"), nullptr);
  EXPECT_EQ(registry_->FindFingerprint("m", "one")->spec().fingerprint, "one");
  Registry::Swept swept = registry_->Sweep(now);
  EXPECT_EQ(swept.held, 1);
  EXPECT_EQ(swept.destroyed, 0);
  swept = registry_->Sweep(now + std::chrono::hours(2));
  EXPECT_EQ(swept.held, 0);
  EXPECT_EQ(swept.destroyed, 1);
  EXPECT_EQ(registry_->FindFingerprint("m", "one"), nullptr);
}

TEST_F(ModelVersions, SameWeightsInANewVersionKeepNothing) {
  Write("m", 1, "same");
  Open();
  const std::weak_ptr<const Model> old = *registry_->Find("m");
  Write("m", 2, "same");
  ASSERT_TRUE(Load("m").ok());
  EXPECT_EQ(registry_->FindFingerprint("m", "same"), *registry_->Find("m"));
  EXPECT_EQ(registry_->Sweep(Clock::now()).destroyed, 1);
  EXPECT_TRUE(old.expired());
}

TEST_F(ModelVersions, WeightsThatComeAndGoAreKeptOnce) {
  Fill(root_.path() / "m", "0");
  Open();
  for (int round = 1; round <= 20; ++round) {
    Fill(root_.path() / "m", round % 2 == 0 ? "even" : "odd");
    ASSERT_TRUE(Load("m").ok());
    registry_->Sweep(Clock::now());
  }
  EXPECT_EQ(registry_->Sweep(Clock::now()).held, 2);  // "0" and "odd"; "even" serves
  EXPECT_NE(registry_->FindFingerprint("m", "odd"), nullptr);
}

TEST_F(ModelVersions, VersionThatIsOvertakenBeforeItWasLoadedIsNotLoading) {
  Write("m", 1, "one");
  registry_ = nullptr;
  RegistryOptions options;
  registry_ = *Registry::Open(
      root_.path().string(),
      [](const std::string&, const std::string&, Precision) -> absl::StatusOr<std::shared_ptr<const Model>> {
        return absl::InvalidArgumentError("half a copy");
      },
      options);
  Write("m", 2, "two");
  registry_->LoadAll(observer_);
  EXPECT_THAT(States(), ElementsAre("1 unloaded", "2 unavailable"));
}

TEST_F(ModelVersions, ReloadKeepsTheVersionsThatWereListed) {
  Write("m", 1, "one");
  Write("m", 2, "bad");
  Open();
  ASSERT_TRUE(Load("m", {1, 1}).ok());
  EXPECT_THAT(heard_, ElementsAre("m:1 serves", "m:2 rests"));  // once
  Write("m", 3, "three");
  ASSERT_TRUE(registry_->Reload("m", observer_).ok());
  EXPECT_EQ(Served(), "1:one");
  ASSERT_TRUE(Load("m").ok());
  EXPECT_EQ(Served(), "3:three");
}

TEST_F(ModelVersions, ReplacedModelIsHeldByRequestsAlone) {
  Fill(root_.path() / "m", "");  // no fingerprint
  Open();
  std::shared_ptr<const Model> request = *registry_->Find("m");
  ASSERT_TRUE(Load("m").ok());
  EXPECT_NE(*registry_->Find("m"), request);
  EXPECT_EQ(registry_->Sweep(Clock::now()).held, 1);
  request.reset();
  const Registry::Swept swept = registry_->Sweep(Clock::now());
  EXPECT_EQ(swept.held, 0);
  EXPECT_EQ(swept.destroyed, 1);
}

TEST_F(ModelVersions, ChangedDirectoriesAreFound) {
  Write("m", 1, "one");
  Write("n", 1, "one");
  Write("o", 1, "one");
  Open();
  EXPECT_THAT(registry_->Changed(), IsEmpty());
  Write("m", 2, "two");
  Write("n", 1, "other words");
  Write("p", 1, "one");
  ASSERT_TRUE(registry_->Unload("o", observer_).ok());
  Write("o", 2, "two");
  EXPECT_THAT(registry_->Changed(), ElementsAre("m", "n", "p"));
  for (const char* name : {"m", "n", "p"}) ASSERT_TRUE(Load(name).ok());
  EXPECT_THAT(registry_->Changed(), IsEmpty());
  Remove("m", 1);
  EXPECT_THAT(registry_->Changed(), ElementsAre("m"));
}

// For the thread sanitizer, too: it cannot see into gRPC.
TEST_F(ModelVersions, RequestsFindAModelAtAnyTimeWhileVersionsChange) {
  Write("m", 1, "one");
  Write("m", 2, "two");
  Write("other", 1, "one");
  Open();
  std::atomic<bool> stop = false;
  std::atomic<int> missed = 0, found = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      Context context(1);
      while (!stop) {
        const auto served = registry_->FindVersion("m", "");
        if (!served.ok()) {
          ++missed;
          continue;
        }
        const auto& model = static_cast<const QuestionAnswerer&>(*served->model);
        StoryRequest story;
        story.facts.emplace_back("it rains");
        const auto task = model.Start(std::move(story));
        Task* const tasks[] = {task->get()};
        model.Step(tasks, context);
        found += (*task)->finished();
        if (registry_->FindFingerprint("m", model.spec().fingerprint) == nullptr) ++missed;
        if (registry_->List().size() < 3) ++missed;
      }
    });
  }
  for (int round = 0; round < 30; ++round) {
    EXPECT_TRUE(Load("m", {1 + round % 2}).ok());
    Write("m", 3, "broken");
    EXPECT_FALSE(Load("m").ok());
    Remove("m", 3);
    EXPECT_TRUE(registry_->Unload("other", observer_).ok());
    EXPECT_TRUE(Load("other").ok());
    EXPECT_TRUE(Load("m", {1}).ok());
    registry_->Sweep(Clock::now());
  }
  stop = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(missed, 0);
  EXPECT_GT(found, 0);
}

TEST_F(ModelVersions, VersionThatServesOutlivesItsDirectoryUntilTheNextLoad) {
  Write("m", 1, "one");
  Write("m", 2, "two");
  Open("latest:2");
  Remove("m", 2);
  EXPECT_EQ(Served(), "2:two");
  EXPECT_TRUE(Load("m").ok());
  EXPECT_THAT(States(), ElementsAre("1 ready default"));
  EXPECT_THAT(heard_, ElementsAre("m:1 serves", "m:2 rests"));
}

}  // namespace
}  // namespace heed
