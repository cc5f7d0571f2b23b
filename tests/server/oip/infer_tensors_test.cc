// SPDX-License-Identifier: Apache-2.0
#include "server/oip/infer_tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "google/protobuf/text_format.h"

namespace heed {
namespace {

using inference::InferParameter;
using inference::ModelInferRequest;
using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<TensorSpec>& Specs() {
  static const auto& specs = *new std::vector<TensorSpec>{
      {"words", TensorType::kBytes, {kAnySize}, false, ""},
      {"x", TensorType::kFp32, {kAnySize, 3}, true, ""},
      {"index", TensorType::kInt64, {2, kAnySize}, true, ""},
  };
  return specs;
}

ModelInferRequest Parse(const std::string& text) {
  ModelInferRequest request;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request)) << text;
  return request;
}

template <typename T>
std::string Raw(const std::vector<T>& numbers) {
  return std::string(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(T));
}

std::string RawStrings(const std::vector<std::string>& strings) {
  std::string raw;
  for (const std::string& one : strings) raw += Raw<uint32_t>({static_cast<uint32_t>(one.size())}) + one;
  return raw;
}

constexpr char kWords[] =
    "inputs { name: 'words' datatype: 'BYTES' shape: 2 contents { bytes_contents: ['a', 'b c'] } }";

TEST(InputTensors, TypedContentsAreRead) {
  const auto inputs = InputTensors::Read(
      Parse(std::string(kWords) +
            "inputs { name: 'index' datatype: 'INT64' shape: [2, 2] contents { int64_contents: [1, 2, 3, -4] } }"
            "inputs { name: 'x' datatype: 'FP32' shape: [1, 3] contents { fp32_contents: [0.5, -1, 2] } }"),
      Specs());
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  EXPECT_THAT(inputs->strings("words"), ElementsAre("a", "b c"));
  EXPECT_THAT(inputs->shape("index"), ElementsAre(2, 2));
  EXPECT_THAT(inputs->integers("index"), ElementsAre(1, 2, 3, -4));
  EXPECT_THAT(inputs->floats("x"), ElementsAre(0.5f, -1.0f, 2.0f));
}

TEST(InputTensors, RawContentsAreReadInTheOrderOfTheInputs) {
  ModelInferRequest request = Parse(
      "inputs { name: 'x' datatype: 'FP32' shape: [2, 3] }"
      "inputs { name: 'words' datatype: 'BYTES' shape: 3 }");
  request.add_raw_input_contents(Raw<float>({1, 2, 3, 4, 5, 6}));
  request.add_raw_input_contents(RawStrings({"", "two", std::string("\0\xff", 2)}));
  const auto inputs = InputTensors::Read(request, Specs());
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  EXPECT_THAT(inputs->floats("x"), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(inputs->strings("words"), ElementsAre("", "two", std::string("\0\xff", 2)));
  EXPECT_FALSE(inputs->Has("index"));
}

TEST(InputTensors, EmptyTensorsNeedNoContents) {
  const auto inputs = InputTensors::Read(Parse("inputs { name: 'words' datatype: 'BYTES' shape: 0 }"
                                               "inputs { name: 'x' datatype: 'FP32' shape: [0, 3] }"),
                                         Specs());
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  EXPECT_TRUE(inputs->strings("words").empty());
  EXPECT_TRUE(inputs->floats("x").empty());
}

TEST(InputTensors, BadRequestsNameTheFieldAndBothValues) {
  struct Case {
    std::string request;
    std::vector<std::string> raw;
    std::string message;
  };
  const std::string words_raw = "inputs { name: 'words' datatype: 'BYTES' shape: 2 }";
  const std::vector<Case> cases = {
      {"", {}, "inputs: \"words\" (BYTES [-1]) is missing"},
      {std::string(kWords) + kWords, {}, "inputs[1] \"words\": is there twice"},
      {"inputs { name: 'word' }", {}, "inputs[0] \"word\": the model has no such input; it has: words, x, index"},
      {"inputs { name: 'words' datatype: 'FP32' shape: 1 }", {}, "datatype: is \"FP32\", must be BYTES"},
      {"inputs { name: 'words' shape: 1 }", {}, "datatype: is \"\", must be BYTES"},
      {"inputs { name: 'words' datatype: 'BYTES' }", {}, "shape: is [], must be [-1], -1: any"},
      {"inputs { name: 'words' datatype: 'BYTES' shape: [1, 1] }", {}, "shape: is [1, 1], must be [-1]"},
      {"inputs { name: 'words' datatype: 'BYTES' shape: -1 }", {}, "shape: is [-1], must be [-1]"},
      {"inputs { name: 'x' datatype: 'FP32' shape: [2, 4] }", {}, "inputs[0] \"x\": shape: is [2, 4], must be [-1, 3]"},
      {"inputs { name: 'index' datatype: 'INT64' shape: [3, 1] }", {}, "shape: is [3, 1], must be [2, -1]"},
      {"inputs { name: 'x' datatype: 'FP32' shape: [4611686018427387904, 3] }", {}, "more elements than 2^62"},
      {"inputs { name: 'x' datatype: 'FP32' shape: [1000000000000, 3] }",
       {},
       "contents.fp32_contents: has 0 elements, but the shape says 3000000000000"},
      {"inputs { name: 'words' datatype: 'BYTES' shape: 3 contents { bytes_contents: ['a'] } }",
       {},
       "contents.bytes_contents: has 1 elements, but the shape says 3"},
      {"inputs { name: 'words' datatype: 'BYTES' shape: 1 contents { int_contents: 4 } }",
       {},
       "contents: int_contents is filled, but elements of BYTES belong into bytes_contents"},
      {"inputs { name: 'words' datatype: 'BYTES' shape: 1 contents { bytes_contents: 'a' fp64_contents: 1 } }",
       {},
       "contents: fp64_contents is filled"},
      {"inputs { name: 'words' datatype: 'BYTES' shape: 1 parameters { key: 'shared_memory_region' value { "
       "string_param: 'mine' } } }",
       {},
       "parameters: \"shared_memory_region\" is \"mine\": shared memory is not served"},
      {words_raw, {RawStrings({"a", "b"}), ""}, "raw_input_contents: has 2 entries, but there are 1 inputs"},
      {kWords, {RawStrings({"a", "b"})}, "contents: must not be there beside raw_input_contents"},
      {words_raw, {RawStrings({"a"})}, "raw_input_contents: holds 1 elements, but the shape says 2"},
      {words_raw, {RawStrings({"a", "b", "c"})}, "raw_input_contents: 5 bytes are left after 2 elements"},
      {words_raw, {RawStrings({"a"}) + "xy"}, "element 1: 2 bytes are left for its length of 4"},
      {words_raw,
       {RawStrings({"a"}) + Raw<uint32_t>({0xffffffff}) + "xyz"},
       "element 1: has a length of 4294967295, but 3 bytes are left"},
      {"inputs { name: 'x' datatype: 'FP32' shape: [1, 3] }",
       {"12345678"},
       "raw_input_contents: has 8 bytes, but 3 elements of 4 bytes are 12"},
      {"inputs { name: 'index' datatype: 'INT64' shape: [2, 2305843009213693951] }", {"12345678"}, "has 8 bytes, but"},
  };
  for (const Case& one : cases) {
    ModelInferRequest request = Parse(one.request);
    for (const std::string& raw : one.raw) request.add_raw_input_contents(raw);
    const auto inputs = InputTensors::Read(request, Specs());
    EXPECT_EQ(inputs.status().code(), absl::StatusCode::kInvalidArgument) << one.message;
    EXPECT_THAT(std::string(inputs.status().message()), HasSubstr(one.message));
  }
}

TEST(InputTensors, RandomRequestsAreReadOrRefused) {
  std::mt19937 random(1);
  const auto pick = [&](int count) { return static_cast<int>(random() % static_cast<unsigned>(count)); };
  int read = 0;
  for (int round = 0; round < 20000; ++round) {
    ModelInferRequest request;
    for (int i = 0, inputs = 1 + pick(3); i < inputs; ++i) {
      auto& input = *request.add_inputs();
      input.set_name(std::vector<std::string>{"words", "x", "index"}[static_cast<size_t>(pick(3))]);
      input.set_datatype(std::vector<std::string>{"BYTES", "FP32", "INT64"}[static_cast<size_t>(pick(3))]);
      for (int j = 0, rank = 1 + pick(2); j < rank; ++j)
        input.add_shape(pick(10) == 0 ? int64_t{1} << pick(63) : pick(4));
      std::string raw(static_cast<size_t>(pick(40)), '\0');
      for (char& byte : raw) byte = static_cast<char>(pick(4) == 0 ? pick(256) : 0);
      request.add_raw_input_contents(raw);
    }
    const auto inputs = InputTensors::Read(request, Specs());
    read += inputs.ok();
    EXPECT_TRUE(inputs.ok() || !inputs.status().message().empty());
  }
  EXPECT_GT(read, 0);
}

const std::vector<TensorSpec>& OutputSpecs() {
  static const auto& specs = *new std::vector<TensorSpec>{
      {"answer", TensorType::kBytes, {kAnySize}, false, ""},
      {"score", TensorType::kFp32, {kAnySize}, false, ""},
      {"details", TensorType::kBytes, {kAnySize}, true, ""},
  };
  return specs;
}

TEST(OutputTensors, ComeInTheOrderOfTheRequestAndAlwaysRaw) {
  auto outputs = OutputTensors::Choose(Parse("outputs { name: 'details' } outputs { name: 'answer' }"), OutputSpecs());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_FALSE(outputs->Wants("score"));
  outputs->Set("answer", {2}, std::vector<std::string>{"a", ""});
  outputs->Set("score", {2}, std::vector<float>{1, 2});
  outputs->Set("details", {0}, std::vector<std::string>{});
  inference::ModelInferResponse response;
  outputs->MoveTo(response);
  ASSERT_EQ(response.outputs_size(), 2);
  ASSERT_EQ(response.raw_output_contents_size(), 2);
  EXPECT_EQ(response.outputs(0).name(), "details");
  EXPECT_EQ(response.raw_output_contents(0), "");
  EXPECT_EQ(response.outputs(1).name(), "answer");
  EXPECT_EQ(response.outputs(1).datatype(), "BYTES");
  EXPECT_THAT(response.outputs(1).shape(), ElementsAre(2));
  EXPECT_EQ(response.raw_output_contents(1), RawStrings({"a", ""}));
  EXPECT_FALSE(response.outputs(1).has_contents());
}

TEST(OutputTensors, WithoutNamesAllButThoseOnRequest) {
  const auto outputs = OutputTensors::Choose({}, OutputSpecs());
  EXPECT_TRUE(outputs->Wants("answer"));
  EXPECT_TRUE(outputs->Wants("score"));
  EXPECT_FALSE(outputs->Wants("details"));
}

TEST(OutputTensors, WrongNamesAreTold) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"outputs { name: 'x' }", "outputs[0] \"x\": the model has no such output; it has: answer, score, details"},
      {"outputs { name: 'score' } outputs { name: 'score' }", "outputs[1] \"score\": is named twice"},
      {"outputs { name: 'score' parameters { key: 'classification' value { int64_param: 1 } } }",
       "outputs[0] \"score\": parameters: \"classification\" is 1: is not served"},
  };
  for (const auto& [request, message] : cases) {
    const auto outputs = OutputTensors::Choose(Parse(request), OutputSpecs());
    EXPECT_EQ(outputs.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(std::string(outputs.status().message()).substr(0, message.size()), message);
  }
}

}  // namespace
}  // namespace heed
