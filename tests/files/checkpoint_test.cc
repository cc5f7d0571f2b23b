// SPDX-License-Identifier: Apache-2.0
#include "files/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "files/safetensors_writer.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class CheckpointTest : public testing::Test {
 protected:
  void WriteShard(const std::string& file, const std::vector<std::string>& names) {
    const std::vector<float> values = {1, 2};
    std::vector<TensorToWrite> tensors;
    for (const std::string& name : names) tensors.push_back({name, DType::kF32, {2}, {BytesOf(values)}});
    ASSERT_TRUE(WriteSafetensors(directory_.File(file), tensors, {}).ok());
  }
  void WriteIndex(const std::string& map) {
    directory_.Write("model.safetensors.index.json", R"({"metadata": {"total_size": 8}, "weight_map": )" + map + "}");
  }
  void CopyTorch(const std::string& fixture, const std::string& name) {
    std::filesystem::copy(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/torch-files/" + fixture,
                          directory_.File(name), std::filesystem::copy_options::overwrite_existing);
  }
  absl::StatusOr<Checkpoint> Open() { return Checkpoint::Open(directory_.path().string()); }
  std::string Error() { return Open().status().ToString(); }
  // The name of the file that the tensor is in.
  std::string Home(const Checkpoint& checkpoint, const std::string& tensor) {
    return std::filesystem::path(checkpoint.PathOf(tensor)).filename();
  }

  TemporaryDirectory directory_;
};

TEST_F(CheckpointTest, TakesTheFirstOfFourFiles) {
  EXPECT_THAT(Error(), AllOf(HasSubstr("NOT_FOUND"), HasSubstr("neither model.safetensors"),
                             HasSubstr("pytorch_model.bin.index.json")));
  CopyTorch("zip.bin", "pytorch_model-1.bin");
  directory_.Write("pytorch_model.bin.index.json",
                   R"({"weight_map": {"layer.weight": "pytorch_model-1.bin", "layer.bias": "pytorch_model-1.bin"}})");
  auto checkpoint = Open();
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(Home(*checkpoint, "layer.weight"), "pytorch_model-1.bin");
  EXPECT_EQ(Home(*checkpoint, "none"), "pytorch_model.bin.index.json");
  EXPECT_EQ(checkpoint->files().size(), 2u);

  CopyTorch("legacy.bin", "pytorch_model.bin");
  checkpoint = Open();
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(Home(*checkpoint, "layer.weight"), "pytorch_model.bin");

  WriteShard("a.safetensors", {"x"});
  WriteShard("b.safetensors", {"y", "z"});
  WriteIndex(R"({"x": "a.safetensors", "y": "b.safetensors", "z": "b.safetensors"})");
  checkpoint = Open();
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(Home(*checkpoint, "x"), "a.safetensors");
  EXPECT_EQ(Home(*checkpoint, "z"), "b.safetensors");
  ASSERT_NE(checkpoint->Find("z"), nullptr);
  EXPECT_EQ(checkpoint->Find("z")->ValueAt(1), 2);

  WriteShard("model.safetensors", {"whole"});
  checkpoint = Open();
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(Home(*checkpoint, "whole"), "model.safetensors");
  EXPECT_EQ(checkpoint->tensors().size(), 1u);
}

TEST_F(CheckpointTest, AnIndexAndItsShardsMustAgree) {
  WriteShard("a.safetensors", {"x"});
  WriteShard("b.safetensors", {"y"});
  WriteShard("both.safetensors", {"x", "y"});
  const auto expect = [&](const std::string& map, const std::string& what) {
    WriteIndex(map);
    EXPECT_THAT(Error(),
                AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("model.safetensors.index.json: "), HasSubstr(what)))
        << map;
  };
  expect(R"({"x": "a.safetensors", "y": "c.safetensors"})", "c.safetensors: No such file");
  expect(R"({"x": "a.safetensors", "y": "both.safetensors"})", "tensor 'x' is in ");
  expect(R"({"x": "a.safetensors", "y": "a.safetensors"})", "tensor 'y' is not in ");
  expect(R"({"x": "a.safetensors", "y": "b.safetensors", "z": "b.safetensors"})", "tensor 'z' is not in ");
  expect(R"({"x": "both.safetensors"})", "tensor 'y' of ");
  expect(R"({"x": "b.safetensors", "y": "a.safetensors"})", "tensor 'x' is said to be in ");
  for (const char* escaping :
       {"../a.safetensors", "/etc/passwd", "sub/a.safetensors", "..", "", "a.bin", "a.safetensors\\u0000"}) {
    expect(std::string(R"({"x": ")") + escaping + "\"}", "which is no *.safetensors file of this directory");
  }
  expect(R"({"x": 1})", "the file of tensor 'x' is not a string");
  expect("{}", "names no tensor");
  expect("[]", "has no object weight_map");
  directory_.Write("model.safetensors.index.json", "[1]");
  EXPECT_THAT(Error(), HasSubstr("has no object weight_map"));
  directory_.Write("model.safetensors.index.json", "{");
  EXPECT_THAT(Error(), HasSubstr("not valid JSON"));
}

TEST_F(CheckpointTest, GitLfsPointersSayWhatToDo) {
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 312087009\n";
  const auto is_pointer = [](const char* file) {
    return AllOf(HasSubstr(std::string(file) + ": is a git-lfs pointer"), HasSubstr("git lfs pull"));
  };
  directory_.Write("pytorch_model.bin", pointer);
  EXPECT_THAT(Error(), is_pointer("pytorch_model.bin"));
  directory_.Write("a.safetensors", pointer);
  WriteIndex(R"({"x": "a.safetensors"})");
  EXPECT_THAT(Error(), is_pointer("a.safetensors"));
  directory_.Write("model.safetensors.index.json", pointer);
  EXPECT_THAT(Error(), is_pointer("model.safetensors.index.json"));
  directory_.Write("model.safetensors", pointer);
  EXPECT_THAT(Error(), is_pointer("model.safetensors"));
}

// A link whose target is gone, as of a cache that was cleaned, is not passed over for another file.
TEST_F(CheckpointTest, ALinkThatLeadsNowhereIsSaid) {
  CopyTorch("zip.bin", "pytorch_model.bin");
  std::filesystem::create_symlink("../blobs/gone", directory_.path() / "model.safetensors");
  EXPECT_THAT(Error(), AllOf(HasSubstr("NOT_FOUND"), HasSubstr("model.safetensors: No such file")));
}

}  // namespace
}  // namespace heed
