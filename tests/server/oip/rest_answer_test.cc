// SPDX-License-Identifier: Apache-2.0
#include "server/oip/rest_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "google/protobuf/text_format.h"
#include "nlohmann/json.hpp"

namespace heed {
namespace {

using inference::ModelInferResponse;
using testing::HasSubstr;

template <typename T>
std::string AnswerBytes(const std::vector<T>& numbers) {
  return std::string(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(T));
}

template <typename Message>
Message ParseText(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

void AddOutput(ModelInferResponse& response, const std::string& name, const std::string& datatype,
               const std::vector<int64_t>& shape, const std::string& raw) {
  ModelInferResponse::InferOutputTensor& output = *response.add_outputs();
  output.set_name(name);
  output.set_datatype(datatype);
  output.mutable_shape()->Assign(shape.begin(), shape.end());
  response.add_raw_output_contents(raw);
}

std::string DataOf(const std::string& datatype, const std::string& raw) {
  ModelInferResponse response;
  AddOutput(response, "y", datatype, {1}, raw);
  const absl::StatusOr<RestAnswer> answer = WriteRestAnswer(response, {});
  if (!answer.ok()) return std::string(answer.status().message());
  EXPECT_FALSE(answer->json_bytes);
  const size_t begin = answer->body.find("\"data\":") + 7;
  EXPECT_TRUE(nlohmann::json::accept(answer->body)) << answer->body;
  return answer->body.substr(begin, answer->body.size() - begin - 3);
}

TEST(RestAnswer, ElementsOfEachDatatypeAreWritten) {
  EXPECT_EQ(DataOf("BOOL", AnswerBytes<uint8_t>({1, 0})), "[true,false]");
  EXPECT_EQ(DataOf("INT8", AnswerBytes<int8_t>({-128})), "[-128]");
  EXPECT_EQ(DataOf("UINT8", AnswerBytes<uint8_t>({255})), "[255]");
  EXPECT_EQ(DataOf("INT16", AnswerBytes<int16_t>({-3, 4})), "[-3,4]");
  EXPECT_EQ(DataOf("UINT16", AnswerBytes<uint16_t>({65535})), "[65535]");
  EXPECT_EQ(DataOf("INT32", AnswerBytes<int32_t>({-7})), "[-7]");
  EXPECT_EQ(DataOf("UINT32", AnswerBytes<uint32_t>({7})), "[7]");
  EXPECT_EQ(DataOf("INT64", AnswerBytes<int64_t>({std::numeric_limits<int64_t>::min()})), "[-9223372036854775808]");
  EXPECT_EQ(DataOf("UINT64", AnswerBytes<uint64_t>({std::numeric_limits<uint64_t>::max()})), "[18446744073709551615]");
  EXPECT_EQ(DataOf("FP32", AnswerBytes<float>({0.1f, 1, 1e-20f, std::numeric_limits<float>::quiet_NaN(),
                                               std::numeric_limits<float>::infinity(),
                                               -std::numeric_limits<float>::infinity()})),
            R"([0.1,1,1e-20,"NaN","Infinity","-Infinity"])");
  EXPECT_EQ(DataOf("FP64", AnswerBytes<double>({0.1, 1e300, -0.0, 0})), "[0.1,1e+300,-0.0,0]");
  EXPECT_EQ(DataOf("BYTES", AnswerBytes<uint32_t>({2}) + "a\"" + AnswerBytes<uint32_t>({3}) + "\x01ü" +
                                AnswerBytes<uint32_t>({0})),
            R"(["a\"","\u0001ü",""])");
  EXPECT_EQ(DataOf("BYTES", ""), "[]");
}

TEST(RestAnswer, WhatHasNoFormInJsonIsNamed) {
  EXPECT_EQ(DataOf("BYTES", AnswerBytes<uint32_t>({1}) + "a" + AnswerBytes<uint32_t>({1}) + "\xff"),
            "output \"y\": element 1 is not UTF-8 and has no form in JSON; ask for the output with the parameter "
            "binary_data");
  EXPECT_THAT(DataOf("FP16", "ab"), HasSubstr("has no form in JSON"));
}

TEST(RestAnswer, OutputsComeAsBytesWhereTheyAreAskedFor) {
  auto response = ParseText<ModelInferResponse>(
      "model_name: 'm' model_version: '3' id: '7' parameters { key: 'b' value { "
      "bool_param: true } } parameters { key: 'a' value { string_param: 'x' } }");
  AddOutput(response, "p", "FP32", {2, 1}, AnswerBytes<float>({0.5f, 2}));
  AddOutput(response, "q", "BYTES", {1}, AnswerBytes<uint32_t>({1}) + "z");
  AddOutput(response, "r", "FP32", {0}, "");
  const absl::StatusOr<RestAnswer> answer = WriteRestAnswer(response, {.binary = true, .each = {{"q", false}}});
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_TRUE(answer->json_bytes);
  EXPECT_EQ(answer->body.substr(*answer->json_bytes), AnswerBytes<float>({0.5f, 2}));
  EXPECT_EQ(answer->body.substr(0, *answer->json_bytes),
            R"({"id":"7","model_name":"m","model_version":"3","parameters":{"a":"x","b":true},"outputs":[)"
            R"({"name":"p","datatype":"FP32","shape":[2,1],"parameters":{"binary_data_size":8}},)"
            R"({"name":"q","datatype":"BYTES","shape":[1],"data":["z"]},)"
            R"({"name":"r","datatype":"FP32","shape":[0],"parameters":{"binary_data_size":0}}]})");
}

TEST(RestAnswer, MessagesHaveAllFieldsWithTheirOwnNames) {
  EXPECT_EQ(
      WriteRestMessage(ParseText<inference::ModelStatisticsResponse>(
          "model_stats { name: 'm' inference_count: 18446744073709551615 inference_stats { success { ns: 5 } } }")),
      R"({"model_stats":[{"name":"m","version":"","last_inference":0,"inference_count":18446744073709551615,)"
      R"("execution_count":0,"inference_stats":{"success":{"count":0,"ns":5}},"batch_stats":[]}]})");
  EXPECT_EQ(WriteRestMessage(ParseText<inference::ModelConfig>(
                "name: 'm' version_policy { specific { versions: 2 } } input { name: 'x' data_type: TYPE_STRING dims: "
                "-1 } parameters { key: 'b' value { string_value: '2' } } parameters { key: 'a' value { } }")),
            R"({"name":"m","platform":"","version_policy":{"specific":{"versions":[2]}},"max_batch_size":0,)"
            R"("input":[{"name":"x","data_type":"TYPE_STRING","dims":[-1],"optional":false}],"output":[],)"
            R"("parameters":{"a":{"string_value":""},"b":{"string_value":"2"}},"backend":""})");
  EXPECT_EQ(WriteRestError("no \"x\" \xff\n"), "{\"error\":\"no \\\"x\\\" \xEF\xBF\xBD\\n\"}");
}

}  // namespace
}  // namespace heed
