#include "engine/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "engine/weights.h"
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
  ExpectRefused(FileOf(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                       R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                       data + "1234"),
                "overlap");
  ExpectRefused(FileOf(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                       R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
                       data + "1234"),
                "belong to no tensor");
}

TEST_F(Safetensors, ScopesNameTheTensorAndBothShapes) {
  const std::string header = R"({"layer.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("layer.ids":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}})";
  const auto file = Open(FileOf(header, Floats({1, 2, 3, 4})));
  ASSERT_TRUE(file.ok()) << file.status();
  const WeightScope layer = WeightScope(*file).Scope("layer");
  EXPECT_TRUE(layer.Has("weight"));
  ASSERT_TRUE(layer.Get("weight", {2}).ok());
  EXPECT_EQ(ReadFloats(**layer.Get("weight", {2})), (std::vector<float>{1, 2}));
  EXPECT_THAT(std::string(layer.Get("weight", {3, 1}).status().message()),
              testing::AllOf(HasSubstr("'layer.weight'"), HasSubstr("[2]"), HasSubstr("[3, 1]")));
  EXPECT_THAT(std::string(layer.Get("bias", {2}).status().message()),
              testing::AllOf(HasSubstr("'layer.bias'"), HasSubstr("missing")));
  EXPECT_THAT(std::string(layer.Get("ids", {1}).status().message()), HasSubstr("dtype I64"));
}

}  // namespace
}  // namespace heed
