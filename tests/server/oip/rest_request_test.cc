// SPDX-License-Identifier: Apache-2.0
#include "server/oip/rest_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

using inference::ModelInferRequest;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

template <typename T>
std::string RequestBytes(const std::vector<T>& numbers) {
  return std::string(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(T));
}

std::string RequestTexts(const std::vector<std::string>& texts) {
  std::string raw;
  for (const std::string& one : texts) raw += RequestBytes<uint32_t>({static_cast<uint32_t>(one.size())}) + one;
  return raw;
}

RestRequest ReadRest(const std::string& json, const std::string& bytes = "") {
  absl::StatusOr<RestRequest> request = ReadRestRequest(json + bytes, static_cast<int64_t>(json.size()), {});
  EXPECT_TRUE(request.ok()) << request.status() << "\n" << json;
  return request.ok() ? *std::move(request) : RestRequest();
}

// Of an input with this shape, datatype and data, whatever their order: the same bytes, or the same message.
absl::StatusOr<std::string> RestElements(const std::string& datatype, const std::string& shape,
                                         const std::string& data) {
  const std::string before = absl::StrCat(R"({"inputs":[{"name":"x","shape":)", shape, R"(,"datatype":")", datatype,
                                          R"(","data":)", data, "}]}");
  const std::string behind = absl::StrCat(R"({"inputs":[{"data":)", data, R"(,"datatype":")", datatype, R"(","shape":)",
                                          shape, R"(,"name":"x"}]})");
  const absl::StatusOr<RestRequest> first = ReadRestRequest(before, std::nullopt, {});
  const absl::StatusOr<RestRequest> second = ReadRestRequest(behind, std::nullopt, {});
  EXPECT_EQ(first.ok(), second.ok());
  if (!first.ok()) return first.status();
  EXPECT_EQ(first->message.raw_input_contents(0), second->message.raw_input_contents(0));
  EXPECT_EQ(second->message.inputs(0).name(), "x");
  EXPECT_EQ(first->message.inputs(0).datatype(), datatype);
  return first->message.raw_input_contents(0);
}

std::string RestError(const std::string& json, const std::string& bytes = "", RestRequestLimits limits = {}) {
  const absl::StatusOr<RestRequest> request = ReadRestRequest(json + bytes, static_cast<int64_t>(json.size()), limits);
  return request.ok() ? "OK" : std::string(request.status().message());
}

std::string RestElementsError(const std::string& datatype, const std::string& shape, const std::string& data) {
  const absl::StatusOr<std::string> elements = RestElements(datatype, shape, data);
  return elements.ok() ? "OK" : std::string(elements.status().message());
}

TEST(RestRequest, ElementsOfEachDatatypeAreRead) {
  EXPECT_EQ(*RestElements("BOOL", "[2]", "[true, false]"), RequestBytes<uint8_t>({1, 0}));
  EXPECT_EQ(*RestElements("INT8", "[2]", "[-128, 127]"), RequestBytes<int8_t>({-128, 127}));
  EXPECT_EQ(*RestElements("INT16", "[1]", "[-32768]"), RequestBytes<int16_t>({-32768}));
  EXPECT_EQ(*RestElements("INT32", "[1]", "[-2147483648]"),
            RequestBytes<int32_t>({std::numeric_limits<int32_t>::min()}));
  EXPECT_EQ(*RestElements("INT64", "[2]", "[-9223372036854775808, 9223372036854775807]"),
            RequestBytes<int64_t>({std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()}));
  EXPECT_EQ(*RestElements("UINT8", "[1]", "[255]"), RequestBytes<uint8_t>({255}));
  EXPECT_EQ(*RestElements("UINT16", "[1]", "[65535]"), RequestBytes<uint16_t>({65535}));
  EXPECT_EQ(*RestElements("UINT32", "[1]", "[4294967295]"), RequestBytes<uint32_t>({4294967295u}));
  EXPECT_EQ(*RestElements("UINT64", "[1]", "[18446744073709551615]"),
            RequestBytes<uint64_t>({std::numeric_limits<uint64_t>::max()}));
  EXPECT_EQ(*RestElements("FP32", "[5]", R"([0.1, -2, 7, "Infinity", "-Infinity"])"),
            RequestBytes<float>(
                {0.1f, -2, 7, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}));
  EXPECT_EQ(*RestElements("FP64", "[2]", "[0.1, 1e300]"), RequestBytes<double>({0.1, 1e300}));
  EXPECT_EQ(*RestElements("BYTES", "[3]", R"(["a", "", "sch\u00f6n \"x\""])"), RequestTexts({"a", "", "schön \"x\""}));
}

TEST(RestRequest, ElementsAreFlatOrNestedAsTheShapeSays) {
  const std::string six = RequestBytes<int64_t>({1, 2, 3, 4, 5, 6});
  EXPECT_EQ(*RestElements("INT64", "[2, 3]", "[1, 2, 3, 4, 5, 6]"), six);
  EXPECT_EQ(*RestElements("INT64", "[2, 3]", "[[1, 2, 3], [4, 5, 6]]"), six);
  EXPECT_EQ(*RestElements("INT64", "[1, 6, 1]", "[[[1], [2], [3], [4], [5], [6]]]"), six);
  EXPECT_EQ(*RestElements("INT64", "[]", "[7]"), RequestBytes<int64_t>({7}));
  EXPECT_THAT(*RestElements("INT64", "[0]", "[]"), IsEmpty());
  EXPECT_THAT(*RestElements("INT64", "[2, 0]", "[[], []]"), IsEmpty());
  EXPECT_THAT(*RestElements("INT64", "[0, 1000000000]", "[]"), IsEmpty());
}

TEST(RestRequest, ElementsThatAreNotWhatTheShapeSaysAreNamed) {
  EXPECT_EQ(RestElementsError("INT64", "[2, 2]", "[1, 2, 3]"),
            "inputs[0] \"x\": data: has 3 elements, but the shape [2, 2] says 4");
  EXPECT_THAT(RestElementsError("INT64", "[2]", "[1, 2, 3]"),
              HasSubstr("data: has more than 2 elements, as the shape [2]"));
  EXPECT_THAT(RestElementsError("INT64", "[2, 2]", "[[1, 2], [3]]"),
              HasSubstr("has a list with 1 entries at dimension 1, but the shape is [2, 2]"));
  EXPECT_THAT(RestElementsError("INT64", "[2, 2]", "[[1, 2], [3, 4], [5, 6]]"),
              HasSubstr("has a list with at least 3 entries at dimension 0"));
  EXPECT_THAT(RestElementsError("INT64", "[2]", "[[1], [2]]"), HasSubstr("has more than 1 lists in each other"));
  EXPECT_THAT(RestElementsError("INT64", "[2, 1]", "[1, [2]]"), HasSubstr("has a list behind 1 elements"));
  EXPECT_THAT(RestElementsError("INT64", "[1, 2]", "[[1, 2], 3]"),
              HasSubstr("is in 1 lists, but the shape [1, 2] has 2"));
  EXPECT_THAT(RestElementsError("INT64", "[4611686018427387904, 4]", "[1]"), HasSubstr("more elements than 2^62"));
  EXPECT_THAT(RestElementsError("INT64", "[4611686018427387904]", "[1]"), HasSubstr("has 1 elements, but the shape"));
  EXPECT_THAT(RestElementsError("INT64", "[-1]", "[1]"),
              HasSubstr("shape[0]: is -1, must be a whole number from 0 to"));
  EXPECT_THAT(RestElementsError("INT64", "[1.5]", "[1]"), HasSubstr("shape[0]: is 1.5"));
  EXPECT_THAT(RestElementsError("INT64",
                                absl::StrCat("[1", std::string(80, ' '),
                                             ",1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
                                             "1,1,1,1,1,1,1,1,1,1,1]"),
                                "[1]"),
              HasSubstr("shape: has more than 32 dimensions"));
}

TEST(RestRequest, ElementsOfTheWrongKindAreNamed) {
  EXPECT_EQ(RestElementsError("INT8", "[2]", "[1, 300]"),
            "inputs[0] \"x\": data[1]: is 300, must be a whole number from -128 to 127");
  EXPECT_THAT(RestElementsError("INT64", "[1]", "[1.0]"), HasSubstr("data[0]: is 1, must be a whole number"));
  EXPECT_THAT(RestElementsError("UINT64", "[1]", "[-1]"),
              HasSubstr("data[0]: is -1, must be a whole number from 0 to"));
  EXPECT_THAT(RestElementsError("INT64", "[1]", "[1e30]"), HasSubstr("is 1e+30"));
  EXPECT_THAT(RestElementsError("FP32", "[1]", "[1e300]"), HasSubstr("is 1e+300, which is beyond"));
  EXPECT_THAT(RestElementsError("FP32", "[1]", R"(["1"])"), HasSubstr("is \"1\", must be a number, \"NaN\""));
  EXPECT_THAT(RestElementsError("BOOL", "[1]", "[1]"), HasSubstr("is 1, must be true or false"));
  EXPECT_THAT(RestElementsError("BYTES", "[1]", "[1]"), HasSubstr("is 1, must be text"));
  EXPECT_THAT(RestElementsError("BYTES", "[1]", "[null]"), HasSubstr("is null, must be text"));
  EXPECT_THAT(RestElementsError("BYTES", "[1]", "[{}]"), HasSubstr("data: has an object"));
  EXPECT_THAT(RestElementsError("FP16", "[1]", "[1]"),
              HasSubstr("elements of FP16 have no form in JSON; send them as bytes"));
  EXPECT_THAT(RestElementsError("STRING", "[1]", R"(["a"])"),
              HasSubstr("datatype: is \"STRING\", must be one of BOOL, INT8"));
}

TEST(RestRequest, IdParametersAndOutputsAreRead) {
  const RestRequest request = ReadRest(R"({"id":"7","model_name":"other","model_version":null,
    "parameters":{"a":true,"b":-3,"c":18446744073709551615,"d":0.5,"e":"text","f":null,"headers":{"x":["y"]},
                  "binary_data_output":true},
    "inputs":[{"name":"x","shape":[1],"datatype":"INT64","data":[1],"parameters":{"content_type":"np"}}],
    "outputs":[{"name":"p","parameters":{"binary_data":false}},{"name":"q"}]})");
  const auto& parameters = request.message.parameters();
  EXPECT_EQ(request.message.id(), "7");
  EXPECT_THAT(request.message.model_name(), IsEmpty());
  EXPECT_TRUE(parameters.at("a").bool_param());
  EXPECT_EQ(parameters.at("b").int64_param(), -3);
  EXPECT_EQ(parameters.at("c").uint64_param(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(parameters.at("d").double_param(), 0.5);
  EXPECT_EQ(parameters.at("e").string_param(), "text");
  EXPECT_EQ(parameters.count("f") + parameters.count("headers"), 0u);
  EXPECT_EQ(request.message.inputs(0).parameters().at("content_type").string_param(), "np");
  ASSERT_EQ(request.message.outputs_size(), 2);
  EXPECT_EQ(request.message.outputs(1).name(), "q");
  EXPECT_FALSE(request.outputs.IsBinary("p"));
  EXPECT_TRUE(request.outputs.IsBinary("q"));
  EXPECT_FALSE(ReadRest("{}").outputs.IsBinary("q"));
}

TEST(RestRequest, BytesBehindTheJsonAreTheInputs) {
  const RestRequest request =
      ReadRest(R"({"inputs":[{"name":"a","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}},
                         {"name":"b","shape":[1],"datatype":"INT64","data":[5]},
                         {"name":"c","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":11}},
                         {"name":"d","shape":[0],"datatype":"FP16","parameters":{"binary_data_size":0},"data":null}]})",
               RequestBytes<float>({0.5f, 2}) + RequestTexts({"x\xff", "y"}));
  EXPECT_THAT(
      request.message.raw_input_contents(),
      ElementsAre(RequestBytes<float>({0.5f, 2}), RequestBytes<int64_t>({5}), RequestTexts({"x\xff", "y"}), ""));
}

TEST(RestRequest, BytesThatDoNotFitAreNamed) {
  const auto input = [](const std::string& size) {
    return R"({"inputs":[{"name":"a","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":)" + size + "}}]}";
  };
  EXPECT_EQ(RestError(input("8"), "1234567"),
            "inputs[0] \"a\": parameters: \"binary_data_size\" is 8, but 7 bytes are left behind the JSON");
  EXPECT_EQ(RestError(input("4"), "1234"),
            "inputs[0] \"a\": parameters: \"binary_data_size\" is 4, but the shape [2] says 2 elements of 4 bytes");
  EXPECT_THAT(RestError(input("8"), "123456789"),
              HasSubstr("has 1 bytes behind those of the inputs' binary_data_size"));
  EXPECT_THAT(RestError(input("-8")), HasSubstr("\"binary_data_size\" is -8, must be at least 0"));
  EXPECT_THAT(RestError(input("\"eight\"")), HasSubstr("\"binary_data_size\" is \"eight\", must be a whole number"));
  EXPECT_THAT(RestError(R"({"inputs":[{"name":"a","shape":[9223372036854775807],"datatype":"FP64",
                                   "parameters":{"binary_data_size":8}}]})",
                        "12345678"),
              HasSubstr("says more than 2^62 elements"));
  EXPECT_THAT(RestError(R"({"inputs":[{"name":"a","shape":[1],"datatype":"INT64","data":[1],
                                   "parameters":{"binary_data_size":8}}]})"),
              HasSubstr("has data and the parameter binary_data_size, must have one"));
  const std::string whole = input("8") + "12345678";
  EXPECT_EQ(ReadRestRequest(whole, static_cast<int64_t>(whole.size()) + 1, {}).status().message(),
            absl::StrCat("Inference-Header-Content-Length is ", whole.size() + 1, ", must be the JSON's bytes: 1 to ",
                         whole.size(), ", as the body has"));
  EXPECT_FALSE(ReadRestRequest(whole, -1, {}).ok());
  EXPECT_FALSE(ReadRestRequest(whole, 0, {}).ok());
}

TEST(RestRequest, SharedMemoryIsLeftToTheService) {
  const RestRequest request = ReadRest(R"({"inputs":[{"name":"a","shape":[1],"datatype":"BYTES",
      "parameters":{"shared_memory_region":"mine","shared_memory_byte_size":64}}]})");
  EXPECT_EQ(request.message.raw_input_contents_size(), 1);
}

TEST(RestRequest, WhatIsNotOfTheFormIsNamed) {
  EXPECT_THAT(RestError("{"), HasSubstr("not valid JSON: at byte"));
  EXPECT_THAT(RestError("{}x"), HasSubstr("not valid JSON"));
  EXPECT_THAT(RestError("[]"), HasSubstr("the body is a list, must be an object"));
  EXPECT_THAT(RestError("7"), HasSubstr("the body is 7, must be an object"));
  EXPECT_THAT(RestError(R"({"id":"\xff"})"), HasSubstr("not valid JSON"));
  EXPECT_EQ(RestError(R"({"input":[]})"),
            "\"input\" is not known; known are: id, parameters, inputs, outputs, model_name, model_version");
  EXPECT_THAT(RestError(R"({"id":"a","id":"b"})"), HasSubstr("\"id\" is there twice"));
  EXPECT_EQ(RestError(R"({"id":7})"), "id: is 7, must be text");
  EXPECT_EQ(RestError(R"({"id":[]})"), "id: is a list, must be text");
  EXPECT_EQ(RestError(R"({"inputs":{}})"), "inputs: is an object, must be a list");
  EXPECT_EQ(RestError(R"({"parameters":[]})"), "parameters: is a list, must be an object");
  EXPECT_EQ(RestError(R"({"outputs":3})"), "outputs: is 3, must be a list");
  EXPECT_EQ(RestError(R"({"parameters":{"a":[1]}})"),
            "parameters: \"a\" is a list, must be text, a number, or true or false");
  EXPECT_EQ(RestError(R"({"inputs":[3]})"), "inputs[0]: is 3, must be an object");
  EXPECT_EQ(RestError(R"({"outputs":[[]]})"), "outputs[0]: is a list, must be an object");
  EXPECT_EQ(RestError(R"({"inputs":[{"name":"x","extra":1}]})"),
            "inputs[0] \"x\": \"extra\" is not known; known are: name, shape, datatype, parameters, data");
  EXPECT_EQ(RestError(R"({"outputs":[{"name":"p"},{"name":"q","data":[]}]})"),
            "outputs[1] \"q\": \"data\" is not known; known are: name, parameters");
  EXPECT_EQ(RestError(R"({"inputs":[{"name":1}]})"), "inputs[0]: name: is 1, must be text");
  EXPECT_EQ(RestError(R"({"inputs":[{"name":"x","shape":3}]})"), "inputs[0] \"x\": shape: is 3, must be a list");
  EXPECT_EQ(RestError(R"({"inputs":[{}]})"), "inputs[0]: name is missing");
  EXPECT_EQ(RestError(R"({"inputs":[{"name":"x","shape":[1],"data":[1]}]})"), "inputs[0] \"x\": datatype is missing");
  EXPECT_EQ(RestError(R"({"inputs":[{"name":"x","datatype":"BYTES","data":["a"]}]})"),
            "inputs[0] \"x\": shape is missing");
  EXPECT_EQ(RestError(R"({"inputs":[{"name":"x","datatype":"BYTES","shape":[1]}]})"),
            "inputs[0] \"x\": has neither data nor the parameter binary_data_size");
  EXPECT_EQ(RestError(R"({"outputs":[{"name":"p","parameters":{"binary_data":"yes"}}]})"),
            "outputs[0].parameters: \"binary_data\" is \"yes\", must be true or false");
  EXPECT_EQ(RestError(R"({"inputs":[{"name":"x","parameters":{"a":{}}}]})"),
            "inputs[0] \"x\": parameters: \"a\" is an object, must be text, a number, or true or false");
}

TEST(RestRequest, LevelsTensorsParametersAndBytesAreLimited) {
  const auto nested = [](const std::string& open, const std::string& close) {
    std::string json = "{\"model_name\":";
    for (int i = 0; i < 1'000'000; ++i) json += open;
    for (int i = 0; i < 1'000'000; ++i) json += close;
    return json + "}";
  };
  EXPECT_THAT(RestError(nested("[", "]")), HasSubstr("has more than 64 levels"));
  EXPECT_THAT(RestError(R"({"outputs":[{"name":"a"},{"name":"b"},{"name":"c"}]})", "", {.max_tensors = 2}),
              HasSubstr("more than 2 inputs and outputs"));
  EXPECT_THAT(RestError(R"({"parameters":{"a":1,"b":1,"c":1}})", "", {.max_parameters = 2}),
              HasSubstr("more than 2 parameters"));
  const std::string json = R"({"inputs":[{"name":"x","shape":[4],"datatype":"INT64","data":[1,2,3,4]}]})";
  EXPECT_EQ(RestError(json, "", {.max_bytes = 32}), "OK");
  EXPECT_THAT(RestError(json, "", {.max_bytes = 31}), HasSubstr("more than --max_message_bytes=31 bytes"));
  const std::string binary =
      R"({"inputs":[{"name":"x","shape":[4],"datatype":"INT8","parameters":{"binary_data_size":4}}]})";
  EXPECT_EQ(RestError(binary, "1234", {.max_bytes = 4}), "OK");
  EXPECT_EQ(ReadRestRequest(binary + "1234", static_cast<int64_t>(binary.size()), {.max_bytes = 3}).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace heed
