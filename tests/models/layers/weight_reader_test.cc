// SPDX-License-Identifier: Apache-2.0
#include "models/layers/weight_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "files/safetensors.h"
#include "files/tensor_values.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using testing::ElementsAre;
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

class WeightReaderTest : public testing::Test {
 protected:
  absl::StatusOr<SafetensorsFile> Open(const std::string& bytes) {
    directory_.Write("model.safetensors", bytes);
    return SafetensorsFile::Open(directory_.File("model.safetensors"));
  }

  TemporaryDirectory directory_;
};

TEST_F(WeightReaderTest, ScopesNameTheTensorAndBothShapes) {
  const std::string header = R"({"layer.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("layer.ids":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}})";
  auto file = Open(FileOf(header, Floats({1, 2, 3, 4})));
  ASSERT_TRUE(file.ok()) << file.status();
  const Checkpoint checkpoint(*std::move(file));
  const WeightReader layer = WeightReader(checkpoint).Scope("layer");
  EXPECT_TRUE(layer.Has("weight"));
  ASSERT_TRUE(layer.Get("weight", {2}).ok());
  EXPECT_EQ(ReadFloats(**layer.Get("weight", {2})), (std::vector<float>{1, 2}));
  EXPECT_THAT(std::string(layer.Get("weight", {3, 1}).status().message()),
              testing::AllOf(HasSubstr("'layer.weight'"), HasSubstr("[2]"), HasSubstr("[3, 1]")));
  EXPECT_THAT(std::string(layer.Get("bias", {2}).status().message()),
              testing::AllOf(HasSubstr("'layer.bias'"), HasSubstr("missing")));
  EXPECT_THAT(std::string(layer.Get("ids", {1}).status().message()), HasSubstr("dtype I64"));
}

// Of every type, at every place: the check reads blocks of values at a time.
TEST_F(WeightReaderTest, ValuesThatAreNotFiniteAreRefusedWithTheirPlace) {
  struct Case {
    const char* dtype;
    size_t bytes;
    uint64_t one, bad;
    const char* shown;
  };
  const Case cases[] = {
      {"F32", 4, 0x3F800000, 0x7FC00000, "nan"},
      {"F32", 4, 0x3F800000, 0xFF800000, "-inf"},
      {"F16", 2, 0x3C00, 0x7C00, "inf"},
      {"F16", 2, 0x3C00, 0xFE01, "nan"},
      {"BF16", 2, 0x3F80, 0x7F80, "inf"},
      {"BF16", 2, 0x3F80, 0x7FC0, "nan"},
      {"F64", 8, 0x3FF0000000000000, 0x7FF0000000000000, "inf"},
      {"F64", 8, 0x3FF0000000000000, 0x7E37E43C8800759C, "inf"},  // 1e300, beyond a float
  };
  constexpr int64_t kRows = 3, kCols = 3001;
  for (const Case& one : cases) {
    const std::string size = std::to_string(kRows * kCols * static_cast<int64_t>(one.bytes));
    const std::string header =
        std::string(R"({"w":{"dtype":")") + one.dtype + R"(","shape":[3,3001],"data_offsets":[0,)" + size + "]}}";
    for (const int64_t at : {int64_t{0}, int64_t{4095}, int64_t{4096}, kRows * kCols - 1, int64_t{-1}}) {
      std::string data;
      for (int64_t i = 0; i < kRows * kCols; ++i) {
        data.append(reinterpret_cast<const char*>(i == at ? &one.bad : &one.one), one.bytes);
      }
      auto file = Open(FileOf(header, data));
      ASSERT_TRUE(file.ok()) << file.status();
      const Checkpoint checkpoint(*std::move(file));
      const absl::Status status = WeightReader(checkpoint).Get("w", {kRows, kCols}).status();
      if (at < 0) {
        EXPECT_TRUE(status.ok()) << one.dtype << status;
        continue;
      }
      const std::string place = " at [" + std::to_string(at / kCols) + ", " + std::to_string(at % kCols) + "]";
      EXPECT_THAT(std::string(status.message()),
                  testing::AllOf(HasSubstr("model.safetensors: tensor 'w'"), HasSubstr(one.shown), HasSubstr(place)))
          << one.dtype;
    }
  }
}

// Scopes share one account.
TEST_F(WeightReaderTest, ALayerTakesItsOutputsAndInputsInTheOrderGiven) {
  const std::string header = R"({"a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                             R"("a.bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]},)"
                             R"("b.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[32,56]},)"
                             R"("b.bias":{"dtype":"F32","shape":[2],"data_offsets":[56,64]}})";
  auto file = Open(FileOf(header, Floats({1, 2, 3, 4, 5, 6, 10, 20, -1, -2, -3, -4, -5, -6, 30, 40})));
  ASSERT_TRUE(file.ok()) << file.status();
  const Checkpoint checkpoint(*std::move(file));
  const WeightReader reader(checkpoint);
  Context context(1);
  const auto outputs_of = [&](const LinearOrder& order) {
    const auto layer = reader.ReadLinears({"a", "b"}, 2, 3, Activation::kNone, GemmBackend::kPacked, order);
    EXPECT_TRUE(layer.ok()) << layer.status();
    Matrix x(1, 3), y(1, 4);
    for (int i = 0; i < 3; ++i) x.row(0)[i] = i == 0 ? 100.0f : i == 1 ? 1000.0f : 10000.0f;
    layer->Apply(x.view(), y.view(), context);
    return std::vector<float>(y.row(0), y.row(0) + 4);
  };
  EXPECT_THAT(outputs_of({}), ElementsAre(32110, 65420, -32070, -65360));
  EXPECT_THAT(outputs_of({{1, 0}, {}}), ElementsAre(65420, 32110, -65360, -32070));
  EXPECT_THAT(outputs_of({{}, {2, 0, 1}}), ElementsAre(21310, 54620, -21270, -54560));
  EXPECT_THAT(outputs_of({{1, 0}, {2, 0, 1}}), ElementsAre(54620, 21310, -54560, -21270));
}

TEST_F(WeightReaderTest, CountsEachTensorOnceAndKnowsWhatNobodyRead) {
  const std::string header = R"({"a.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
                             R"("a.bias":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},)"
                             R"("b":{"dtype":"F32","shape":[1],"data_offsets":[16,20]}})";
  auto file = Open(FileOf(header, Floats({1, 2, 3, 4, 5})));
  ASSERT_TRUE(file.ok()) << file.status();
  const Checkpoint checkpoint(*std::move(file));
  const WeightReader root(checkpoint);
  ASSERT_TRUE(root.Scope("a").Read("weight", {-1, 1}).ok());
  ASSERT_TRUE(root.Read("a.weight", {2, 1}).ok());
  EXPECT_EQ(root.weights(), 2);
  EXPECT_THAT(root.Unread(), ElementsAre("a.bias", "b"));
  EXPECT_THAT(std::string(root.CheckAllRead().message()), HasSubstr("tensor 'a.bias' [2] belongs to nothing"));
  const auto layer = root.ReadLinears({"a"}, 2, 1, Activation::kNone, GemmBackend::kPacked);
  ASSERT_TRUE(layer.ok()) << layer.status();
  EXPECT_EQ(root.weights(), 2 + 4);
  EXPECT_EQ(root.resident_bytes(), layer->resident_bytes());
  EXPECT_EQ(*root.ReadOrZeros("c", {3}), (std::vector<float>{0, 0, 0}));
  root.Ignore("b");
  EXPECT_TRUE(root.CheckAllRead().ok());
}

}  // namespace
}  // namespace heed
