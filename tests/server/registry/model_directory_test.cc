// SPDX-License-Identifier: Apache-2.0
#include "server/registry/model_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ModelDirectoryTest : public testing::Test {
 protected:
  fs::path root() const { return directory_.path() / "root"; }
  void Write(const std::string& file, const std::string& content = "{}") {
    fs::create_directories((root() / file).parent_path());
    directory_.Write("root/" + file, content);
  }
  // A repository of Hugging Face's cache, its snapshot's files links into blobs.
  void Cache(const std::string& repository, const std::string& revision, const std::string& file = "config.json") {
    Write(repository + "/blobs/" + revision + file);
    Write(repository + "/refs/main", revision);
    fs::create_directories(root() / repository / "snapshots" / revision);
    fs::create_symlink("../../blobs/" + revision + file, root() / repository / "snapshots" / revision / file);
  }
  std::map<std::string, FoundVersions, std::less<>> Find(const std::string& path) {
    auto found = ModelDirectory(path).Find();
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? *std::move(found) : std::map<std::string, FoundVersions, std::less<>>();
  }
  // "name/version" of all, and "!" behind those that cannot be loaded.
  std::vector<std::string> Names(const std::string& path) {
    std::vector<std::string> names;
    for (const auto& [name, versions] : Find(path)) {
      for (const auto& [version, found] : versions) {
        names.push_back(name + "/" + std::to_string(version) + (found.status.ok() ? "" : "!"));
      }
    }
    return names;
  }
  std::string Reason(const std::string& name, int64_t version = 1) {
    return std::string(Find(root().string())[name].at(version).status.message());
  }

  TemporaryDirectory directory_;
};

TEST_F(ModelDirectoryTest, FindsModelsAndVersions) {
  Write("en-de/config.json");
  Write("qa/1/config.json");
  Write("qa/12/config.json");
  Write("qa/next/config.json");
  Write(".git/config.json");
  Write("lost+found/config.json");
  Write("README.md");
  Write("empty/notes.txt");
  EXPECT_THAT(Names(root().string()), ElementsAre("en-de/1", "qa/1", "qa/12"));
  EXPECT_EQ(Find(root().string())["qa"].at(12).path, (root() / "qa/12").string());
}

// KServe's mount: the directory is the model.
TEST_F(ModelDirectoryTest, ADirectoryThatIsAModelIsTheOnlyOne) {
  Write("models/config.json");
  Write("models/checkpoint-500/config.json");
  fs::create_directory(root() / "x");
  const std::string path = (root() / "models").string();
  for (const std::string& given : {path, path + "/", path + "/.", path + "//", (root() / "x/../models").string()}) {
    EXPECT_THAT(Names(given), ElementsAre("models/1")) << given;
  }
  const fs::path before = fs::current_path();
  fs::current_path(path);
  EXPECT_THAT(Names("."), ElementsAre("models/1"));
  EXPECT_THAT(Names("./"), ElementsAre("models/1"));
  fs::current_path(before);
  fs::create_directory_symlink("models", root() / "current");
  EXPECT_THAT(Names((root() / "current").string()), ElementsAre("current/1"));
}

TEST_F(ModelDirectoryTest, ACacheServesWhatRefsMainNames) {
  Cache("models--Helsinki-NLP--opus-mt-en-de", "0123abc");
  Cache("models--gpt2", "f00");
  Cache("models--org--data-only", "d00d", "data.bin");
  Write("models--Helsinki-NLP--opus-mt-en-de/snapshots/old/config.json");
  Write("datasets--org--set/refs/main", "0");
  Write(".locks/models--x/config.json");
  Write("version.txt", "1");
  EXPECT_THAT(Names(root().string()), ElementsAre("gpt2/1", "opus-mt-en-de/1"));
  const fs::path repository = root() / "models--Helsinki-NLP--opus-mt-en-de";
  EXPECT_EQ(Find(root().string())["opus-mt-en-de"].at(1).path, (repository / "snapshots/0123abc").string());
  // One repository, or its snapshot, is that model.
  EXPECT_THAT(Names(repository.string()), ElementsAre("opus-mt-en-de/1"));
  EXPECT_THAT(Names((repository / "snapshots/0123abc/").string()), ElementsAre("opus-mt-en-de/1"));
  // A new download is found.
  Cache("models--Helsinki-NLP--opus-mt-en-de", "4567");
  EXPECT_EQ(Find(root().string())["opus-mt-en-de"].at(1).path, (repository / "snapshots/4567").string());
}

TEST_F(ModelDirectoryTest, EqualNamesOfACacheKeepTheirOrganization) {
  Cache("models--a--m", "1a");
  Cache("models--b--m", "1b");
  Cache("models--a--n", "1c");
  Write("n/config.json");
  EXPECT_THAT(Names(root().string()), ElementsAre("a--m/1", "a--n/1", "b--m/1", "n/1"));
}

TEST_F(ModelDirectoryTest, ABrokenCacheIsAnUnavailableModel) {
  Write("models--o--no-main/snapshots/1/config.json");
  EXPECT_THAT(Reason("no-main"), AllOf(HasSubstr("refs/main"), HasSubstr("cannot be read")));
  Cache("models--o--gone", "1a");
  fs::remove_all(root() / "models--o--gone/snapshots/1a");
  EXPECT_THAT(Reason("gone"), HasSubstr("snapshots/1a: is not there, but refs/main names it"));
  Cache("models--o--pruned", "1a");
  fs::remove_all(root() / "models--o--pruned/blobs");
  EXPECT_THAT(Reason("pruned"), HasSubstr("its blob is missing"));
  for (const char* escaping : {"../../other", "..", "", ".hidden", "a/b"}) {
    Cache("models--o--escaping", "1a");
    Write("models--o--escaping/refs/main", escaping);
    EXPECT_THAT(Reason("escaping"), HasSubstr("which is no snapshot's name")) << escaping;
    fs::remove_all(root() / "models--o--escaping");
  }
}

TEST_F(ModelDirectoryTest, WhatIsNearlyAModelSaysWhatIsWrong) {
  Write("weights-only/pytorch_model.bin");
  fs::create_directories(root());
  fs::create_symlink("/nowhere/at/all", root() / "link");
  fs::create_symlink("loop", root() / "loop");
  EXPECT_THAT(Names(root().string()), ElementsAre("link/1!", "loop/1!", "weights-only/1!"));
  EXPECT_THAT(Reason("weights-only"), HasSubstr("config.json: is missing beside pytorch_model.bin"));
  EXPECT_THAT(Reason("link"), HasSubstr("is a link to /nowhere/at/all, which is not there"));
}

// As another user than root, whom nothing is forbidden.
class UnreadableTest : public ModelDirectoryTest {
 protected:
  void SetUp() override {
    fs::permissions(directory_.path(), fs::perms::all);
    if (geteuid() == 0) {
      ASSERT_EQ(seteuid(65534), 0);
    }
  }
  void TearDown() override {
    for (const auto& path : locked_) fs::permissions(path, fs::perms::all);
    if (getuid() == 0) {
      ASSERT_EQ(seteuid(0), 0);
    }
  }
  void Lock(const std::string& path) {
    fs::permissions(root() / path, fs::perms::none);
    locked_.push_back(root() / path);
  }
  std::vector<fs::path> locked_;
};

TEST_F(UnreadableTest, AModelThatCannotBeReadIsUnavailableAndHarmsNoOther) {
  Write("good/config.json");
  Write("secret/config.json");
  Write("versions/1/config.json");
  Write("versions/2/config.json");
  Write("lost+found/x");
  Lock("secret");
  Lock("versions/2");
  Lock("lost+found");
  EXPECT_THAT(Names(root().string()), ElementsAre("good/1", "secret/1!", "versions/1", "versions/2!"));
  EXPECT_THAT(Reason("secret"), HasSubstr("secret/config.json: Permission denied"));
  EXPECT_THAT(Reason("versions", 2), HasSubstr("versions/2/config.json: Permission denied"));
}

TEST_F(UnreadableTest, ADirectoryOfModelsThatCannotBeReadIsAnError) {
  Write("sub/good/config.json");
  Lock("sub");
  EXPECT_THAT(std::string(ModelDirectory((root() / "sub").string()).Find().status().message()),
              AllOf(HasSubstr("--models="), HasSubstr("Permission denied")));
}

TEST_F(ModelDirectoryTest, WrongDirectoriesAreNamed) {
  EXPECT_EQ(ModelDirectory("/nowhere/at/all").Find().status().code(), absl::StatusCode::kNotFound);
  Write("file");
  EXPECT_THAT(std::string(ModelDirectory((root() / "file").string()).Find().status().message()),
              HasSubstr("not a directory"));
}

TEST_F(ModelDirectoryTest, WhyNoneSaysWhatWasLookedForAndWhereModelsAre) {
  Write("notes.txt");
  EXPECT_THAT(Names(root().string()), IsEmpty());
  EXPECT_THAT(ModelDirectory(root().string()).WhyNone(),
              AllOf(HasSubstr("NAME/config.json"), HasSubstr("models--ORG--NAME/refs/main")));
  Cache("hub/models--org--m", "1a");
  EXPECT_THAT(ModelDirectory(root().string()).WhyNone(),
              HasSubstr((root() / "hub").string() + " holds models: give it instead"));
}

}  // namespace
}  // namespace heed
