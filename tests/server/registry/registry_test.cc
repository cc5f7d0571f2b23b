// SPDX-License-Identifier: Apache-2.0
#include "server/registry/registry.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/probe.h"
#include "tests/support/fake_translator.h"
#include "tests/support/recording_observer.h"

namespace heed {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A model that is not a translator.
class OtherModel : public Model {
 public:
  const ModelSpec& spec() const override { return spec_; }
  ModelKind kind() const override { return ModelKind::kSequenceModel; }
  absl::Status Probe(Context&) const override { return absl::OkStatus(); }
  void Step(absl::Span<Task* const>, Context&) const override {}

 private:
  ModelSpec spec_;
};

class RegistryTest : public ::testing::Test {
 protected:
  RegistryTest() {
    root_ =
        std::filesystem::path(::testing::TempDir()) / ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  ~RegistryTest() override { std::filesystem::remove_all(root_); }

  void AddModel(const std::string& name) {
    std::filesystem::create_directories(root_ / name);
    std::ofstream(root_ / name / "config.json") << "{}";
  }
  // "broken" fails, "other" is of another kind, all else are translators.
  static absl::StatusOr<std::shared_ptr<const Model>> Load(const std::string&, const std::string& name, Precision) {
    if (name == "broken") return absl::InvalidArgumentError("config.json: is broken");
    if (name == "other") return std::make_shared<OtherModel>();
    return std::make_shared<FakeTranslator>(name);
  }
  void Open() {
    auto registry = Registry::Open(root_.string(), Load);
    ASSERT_TRUE(registry.ok()) << registry.status();
    registry_ = *std::move(registry);
  }
  void LoadAll() {
    observer_.on_change = [this](const ModelStatus& status) { heard_.push_back(status); };
    registry_->LoadAll(observer_);
  }
  absl::Status ErrorOf(const std::string& name) { return registry_->Find(name, ModelKind::kTranslator).status(); }

  std::filesystem::path root_;
  RecordingObserver observer_;
  std::unique_ptr<Registry> registry_;
  std::vector<ModelStatus> heard_;
};

TEST_F(RegistryTest, MissingDirectoryIsNotFound) {
  const auto registry = Registry::Open((root_ / "none").string(), Load);
  EXPECT_EQ(registry.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(registry.status().message()), HasSubstr("none: no such directory"));
}

TEST_F(RegistryTest, FileInsteadOfADirectoryIsInvalid) {
  std::ofstream(root_ / "file") << "x";
  EXPECT_EQ(Registry::Open((root_ / "file").string(), Load).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(RegistryTest, DirectoriesWithAConfigAreModels) {
  AddModel("b");
  AddModel("a");
  std::filesystem::create_directories(root_ / "recipes");
  std::ofstream(root_ / "README.md") << "x";
  Open();
  std::vector<std::string> names;
  for (const ModelStatus& status : registry_->List()) {
    names.push_back(status.name);
    EXPECT_EQ(status.state, ModelState::kLoading);
  }
  EXPECT_THAT(names, ElementsAre("a", "b"));
}

TEST_F(RegistryTest, BrokenModelIsUnavailableWithItsReasonAndOthersServe) {
  AddModel("broken");
  AddModel("good");
  Open();
  LoadAll();
  EXPECT_EQ(heard_.size(), 2u);
  EXPECT_EQ(registry_->List()[0].state, ModelState::kUnavailable);
  EXPECT_EQ(ErrorOf("broken").code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(ErrorOf("broken").message()), HasSubstr("config.json: is broken"));
  EXPECT_TRUE(ErrorOf("good").ok());
  EXPECT_TRUE(ErrorOf("").ok());  // the only translator
}

TEST_F(RegistryTest, ModelIsUnavailableWhileItLoads) {
  AddModel("good");
  Open();
  EXPECT_EQ(ErrorOf("good").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ErrorOf("").code(), absl::StatusCode::kUnavailable);
  LoadAll();
  EXPECT_TRUE(ErrorOf("good").ok());
}

TEST_F(RegistryTest, UnknownNameIsNotFound) {
  AddModel("good");
  Open();
  LoadAll();
  EXPECT_EQ(ErrorOf("bad").code(), absl::StatusCode::kNotFound);
}

TEST_F(RegistryTest, NoTranslatorIsNotFound) {
  AddModel("other");
  Open();
  LoadAll();
  EXPECT_EQ(ErrorOf("").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrorOf("other").code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(RegistryTest, EmptyNameAmongSeveralNamesThem) {
  AddModel("a");
  AddModel("b");
  Open();
  LoadAll();
  EXPECT_EQ(ErrorOf("").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(ErrorOf("").message()), HasSubstr("a, b"));
}

TEST_F(RegistryTest, HandleKeepsTheModelAlive) {
  AddModel("good");
  Open();
  LoadAll();
  const auto model = registry_->Find("good", ModelKind::kTranslator);
  heard_.clear();
  registry_.reset();
  EXPECT_EQ((*model)->spec().name, "good");
}

TEST_F(RegistryTest, StopsBetweenTwoModels) {
  AddModel("a");
  AddModel("b");
  Open();
  observer_.on_change = [this](const ModelStatus&) { registry_->Stop(); };
  registry_->LoadAll(observer_);
  EXPECT_EQ(registry_->List()[0].state, ModelState::kReady);
  EXPECT_EQ(registry_->List()[1].state, ModelState::kLoading);
}

TEST_F(RegistryTest, AModelThatCannotBeLookedIntoIsUnavailableWithItsReason) {
  AddModel("good");
  std::filesystem::create_symlink("/nowhere/at/all", root_ / "link");
  Open();
  LoadAll();
  EXPECT_TRUE(ErrorOf("good").ok());
  EXPECT_EQ(ErrorOf("link").code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(ErrorOf("link").message()), HasSubstr("is a link to /nowhere/at/all"));
  // Mended, it is found again.
  EXPECT_THAT(registry_->Changed(), ElementsAre());
  AddModel("elsewhere");
  std::filesystem::remove(root_ / "link");
  std::filesystem::create_symlink("elsewhere", root_ / "link");
  EXPECT_THAT(registry_->Changed(), ElementsAre("elsewhere", "link"));
}

// A cache's model, and the next snapshot of it: its files are of the same size and time, but another directory's.
TEST_F(RegistryTest, ANewSnapshotOfACacheIsAChange) {
  const auto download = [&](const std::string& revision) {
    const std::filesystem::path repository = root_ / "models--org--en-de";
    std::filesystem::create_directories(repository / "refs");
    std::filesystem::create_directories(repository / "snapshots" / revision);
    std::filesystem::create_hard_link(root_ / "blob", repository / "snapshots" / revision / "config.json");
    std::ofstream(repository / "refs" / "main") << revision << "\n";
  };
  std::ofstream(root_ / "blob") << "{}";
  download("0123");
  Open();
  LoadAll();
  EXPECT_TRUE(ErrorOf("en-de").ok());
  EXPECT_THAT(registry_->Changed(), ElementsAre());
  download("4567");
  EXPECT_THAT(registry_->Changed(), ElementsAre("en-de"));
}

TEST_F(RegistryTest, ADirectoryThatIsAModelServesIt) {
  std::ofstream(root_ / "config.json") << "{}";
  Open();
  LoadAll();
  EXPECT_TRUE(ErrorOf(root_.filename()).ok());
}

// As KServe mounts a model, whose callers know it by another name than its directory's.
TEST_F(RegistryTest, ADirectoryThatIsAModelServesItUnderTheNameThatIsAskedFor) {
  std::ofstream(root_ / "config.json") << "{}";
  auto registry = Registry::Open(root_.string(),
                                 [](const auto&, const auto&, Precision) { return std::make_shared<FakeTranslator>(); },
                                 {.model_name = "en-de"});
  ASSERT_TRUE(registry.ok()) << registry.status();
  ASSERT_EQ((*registry)->List().size(), 1u);
  EXPECT_EQ((*registry)->List()[0].name, "en-de");
}

TEST_F(RegistryTest, OnlyAModelItselfCanBeGivenAName) {
  const absl::Status status = Registry::Open(root_.string(), {}, {.model_name = "en-de"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("--model_name=en-de"));
}

// The real loader: models of two precisions beside each other, each of which keeps its own when it is loaded again, and
// one that comes later.
TEST_F(RegistryTest, EachModelHasItsPrecision) {
  const auto copy = [this](const std::string& name) {
    std::filesystem::copy(std::filesystem::path(HEED_SOURCE_DIR) / "tests/fixtures/marian-relu", root_ / name);
  };
  copy("exact");
  copy("reduced");
  RegistryOptions options;
  options.precisions = *ModelPrecisions::Parse("int8", "exact=f32,later=f32");
  auto registry = Registry::Open(root_.string(), LoadProbedModel, std::move(options));
  ASSERT_TRUE(registry.ok()) << registry.status();
  registry_ = *std::move(registry);
  LoadAll();
  const auto served = [this](const std::string& name) { return (*registry_->Find(name))->spec().precision; };
  EXPECT_EQ(served("exact"), Precision::kF32);
  EXPECT_EQ(served("reduced"), Precision::kInt8);
  const auto before = *registry_->Find("reduced");
  ASSERT_TRUE(registry_->Load("exact", {}, observer_).ok());
  ASSERT_TRUE(registry_->Reload("reduced", observer_).ok());
  EXPECT_NE(*registry_->Find("reduced"), before);
  EXPECT_EQ(served("exact"), Precision::kF32);
  EXPECT_EQ(served("reduced"), Precision::kInt8);
  copy("later");
  ASSERT_TRUE(registry_->Load("later", {}, observer_).ok());
  EXPECT_EQ(served("later"), Precision::kF32);
}

// The real loader: a version with one NaN in its first layer leaves the good one in place.
TEST_F(RegistryTest, AVersionWithNaNNeverReplacesAGoodOne) {
  for (const char* fixture : {"pyg-gat", "pyg-sparse-gat", "ntm-cell", "marian-swish"}) {
    const std::filesystem::path name = root_ / fixture;
    for (const char* version : {"1", "2"}) {
      std::filesystem::create_directories(name);
      std::filesystem::copy(std::filesystem::path(HEED_SOURCE_DIR) / "tests/fixtures" / fixture, name / version);
    }
    std::fstream weights(name / "2" / "model.safetensors", std::ios::binary | std::ios::in | std::ios::out);
    weights.seekp(-4, std::ios::end);
    weights.write("\xff\xff\xff\xff", 4);  // NaN, or two of them
  }
  auto registry = Registry::Open(root_.string(), LoadProbedModel, {.policies = *VersionPolicies::Parse("latest:1")});
  ASSERT_TRUE(registry.ok()) << registry.status();
  registry_ = *std::move(registry);
  for (const char* fixture : {"pyg-gat", "pyg-sparse-gat", "ntm-cell", "marian-swish"}) {
    ASSERT_TRUE(registry_->Load(fixture, {1}, observer_).ok());
    const absl::Status status = registry_->Load(fixture, {}, observer_);
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("model.safetensors: tensor '"), HasSubstr("is nan at [")))
        << fixture;
    const auto served = registry_->FindVersion(fixture, "");
    ASSERT_TRUE(served.ok()) << served.status();
    EXPECT_EQ(served->version, 1);
  }
}

}  // namespace
}  // namespace heed
