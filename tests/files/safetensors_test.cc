// SPDX-License-Identifier: Apache-2.0
#include "files/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "files/safetensors_writer.h"
#include "files/tensor_values.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using testing::HasSubstr;

std::string FileOf(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

std::string Floats(std::initializer_list<float> values) {
  std::string bytes(values.size() * 4, '\0');
  std::memcpy(bytes.data(), values.begin(), bytes.size());
  return bytes;
}

class Safetensors : public testing::Test {
 protected:
  absl::StatusOr<SafetensorsFile> Open(const std::string& bytes) {
    directory_.Write("model.safetensors", bytes);
    return SafetensorsFile::Open(directory_.File("model.safetensors"));
  }
  void ExpectRefused(const std::string& bytes, const std::string& message) {
    const auto file = Open(bytes);
    ASSERT_FALSE(file.ok());
    EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(file.status().message()),
                testing::AllOf(HasSubstr("model.safetensors"), HasSubstr(message)));
  }

  TemporaryDirectory directory_;
};

TEST_F(Safetensors, ReadsTensorsOfEachFloatType) {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2],"data_offsets":[12,16]},)"
      R"("h":{"dtype":"F16","shape":[2],"data_offsets":[8,12]},"f":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}})";
  const auto file = Open(FileOf(header, Floats({1.5f, -2.0f}) + std::string("\x00\x3c\x00\xc0\x80\x3f\x00\xc0", 8)));
  ASSERT_TRUE(file.ok()) << file.status();
  for (const char* name : {"f", "h", "b"}) {
    const StoredTensor* tensor = file->Find(name);
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(tensor->size(), 2);
    EXPECT_EQ(tensor->ValueAt(1), -2.0f) << name;
  }
  EXPECT_EQ(file->Find("nothing"), nullptr);
}

TEST_F(Safetensors, ReadsTensorsWithoutValues) {
  EXPECT_TRUE(Open(FileOf(R"({"e":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]}})", "")).ok());
  EXPECT_TRUE(Open(FileOf(R"({"e":{"dtype":"F32","shape":[90000,0],"data_offsets":[0,0]}})", "")).ok());
}

TEST_F(Safetensors, ReadsIndicesOfBothTypesAndMetadata) {
  const std::string header =
      R"({"__metadata__":{"format":"pt","version":"7"},"s":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},)"
      R"("l":{"dtype":"I64","shape":[1],"data_offsets":[4,12]}})";
  const auto file = Open(FileOf(header, std::string("\xfe\xff\xff\xff\x01\x00\x00\x00\x01\x00\x00\x00", 12)));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->Find("s")->IndexAt(0), -2);
  EXPECT_EQ(file->Find("l")->IndexAt(0), (int64_t{1} << 32) + 1);
  EXPECT_THAT(file->metadata(), testing::ElementsAre(testing::Pair("format", "pt"), testing::Pair("version", "7")));
}

TEST_F(Safetensors, SaysThatAFileIsMissing) {
  const auto file = SafetensorsFile::Open(directory_.File("nothing"));
  EXPECT_EQ(file.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(file.status().message()), HasSubstr("nothing"));
}

TEST_F(Safetensors, RefusesDamagedFiles) {
  const std::string good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const std::string data = Floats({1, 2});
  ASSERT_TRUE(Open(FileOf(good, data)).ok());
  ExpectRefused("", "too short");
  ExpectRefused("1234567", "too short");
  ExpectRefused(std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8) + good, "header's length");
  ExpectRefused(FileOf(good, data).substr(0, 20), "truncated");
  ExpectRefused(FileOf(good, data.substr(0, 7)), "not within");
  ExpectRefused(FileOf(good, data + "x"), "end at byte 8");
  ExpectRefused(FileOf("[1]", ""), "not a JSON object");
  ExpectRefused(FileOf("{\"a\":", ""), "not a JSON object");
  ExpectRefused(FileOf(R"({"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}})", data), "dtype 'F31'");
  ExpectRefused(FileOf(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", data), "needs 12");
  ExpectRefused(FileOf(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", data), "not a list of sizes");
  ExpectRefused(FileOf(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}})", data),
                "more bytes");
  ExpectRefused(FileOf(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", data), "not within");
  ExpectRefused(FileOf(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}})", data), "not [begin, end]");
  ExpectRefused(FileOf(R"({"a":{"dtype":"F32","shape":[2]}})", data), "data_offsets");
  ExpectRefused(FileOf(R"({"a":3})", data), "needs dtype");
  ExpectRefused(FileOf(R"({"__metadata__":3})", ""), "__metadata__ is not an object");
  ExpectRefused(FileOf(R"({"__metadata__":{"version":3}})", ""), "__metadata__: 'version' is not a string");
  ExpectRefused(FileOf(R"({"a":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}})", ""),
                "more bytes");
  ExpectRefused(FileOf(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                       R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                       data + "1234"),
                "overlap");
  ExpectRefused(FileOf(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                       R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
                       data + "1234"),
                "belong to no tensor");
}

TEST_F(Safetensors, WritesWhatItReads) {
  const std::string path = directory_.File("written.safetensors");
  const std::vector<int64_t> indices = {1, -2};
  const std::vector<float> values = {1.5f, 2.5f, -3.5f};
  const std::vector<float> more = {4.5f};
  const std::map<std::string, std::string> metadata = {{"name", "a \"quoted\" one"}, {"version", "3"}};
  const std::vector<TensorToWrite> tensors = {{"indices", DType::kI64, {2}, {BytesOf(indices)}},
                                              {"values", DType::kF32, {2, 2}, {BytesOf(values), BytesOf(more)}},
                                              {"none", DType::kF32, {0, 2}, {}}};
  ASSERT_TRUE(WriteSafetensors(path, tensors, metadata).ok());
  const auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->metadata(), metadata);
  EXPECT_EQ(file->tensors().size(), 3u);
  EXPECT_EQ(file->Find("indices")->IndexAt(1), -2);
  EXPECT_EQ(file->Find("values")->shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(ReadFloats(*file->Find("values")), (std::vector<float>{1.5f, 2.5f, -3.5f, 4.5f}));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file->Find("indices")->data) % 8, 0u);
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
}

TEST_F(Safetensors, WritingTakesTheOldFilesPlaceAndLeavesItWhereItFails) {
  const std::string path = directory_.File("written.safetensors");
  directory_.Write("written.safetensors", "old");
  directory_.Write("written.safetensors.partial", std::string(5000, 'x'));  // left by a crash
  ASSERT_TRUE(WriteSafetensors(path, {}, {{"version", "2"}}).ok());
  EXPECT_EQ(SafetensorsFile::Open(path)->metadata().at("version"), "2");

  const absl::Status nowhere = WriteSafetensors(directory_.File("no/such/file"), {}, {});
  EXPECT_EQ(nowhere.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(nowhere.message()), HasSubstr("no/such/file"));
  std::filesystem::create_directory(directory_.File("directory"));
  directory_.Write("directory/file", "");
  EXPECT_FALSE(WriteSafetensors(directory_.File("directory"), {}, {}).ok());
  EXPECT_FALSE(std::filesystem::exists(directory_.File("directory.partial")));
}

TEST_F(Safetensors, WritersOfOnePathWaitForEachOther) {
  const std::string path = directory_.File("written.safetensors");
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&path, writer] {
      const std::vector<float> values(static_cast<size_t>(1000 * (writer + 1)), static_cast<float>(writer));
      for (int i = 0; i < 10; ++i) {
        const TensorToWrite tensor = {"v", DType::kF32, {static_cast<int64_t>(values.size())}, {BytesOf(values)}};
        EXPECT_TRUE(WriteSafetensors(path, {tensor}, {}).ok());
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  const auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  const std::vector<float> values = ReadFloats(*file->Find("v"));
  EXPECT_EQ(values, std::vector<float>(1000 * (static_cast<size_t>(values[0]) + 1), values[0]));
}

}  // namespace
}  // namespace heed
