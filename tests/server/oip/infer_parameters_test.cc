// SPDX-License-Identifier: Apache-2.0
#include "server/oip/infer_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"
#include "heed/v1/translation.pb.h"

namespace heed {
namespace {

using testing::HasSubstr;

// Names, and values as text: "int64_param: 3".
InferParameters Parameters(const std::vector<std::pair<std::string, std::string>>& all) {
  InferParameters parameters;
  for (const auto& [name, value] : all) {
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(value, &parameters[name])) << value;
  }
  return parameters;
}

// What the public clients set by themselves (KServe's, Triton's), and MLServer's hints.
TEST(ReadParameters, HintsChangeNothingAndReachNoModel) {
  const auto read = ReadParameters(Parameters({{"binary_data_output", "bool_param: true"},
                                               {"binary_data_size", "int64_param: 17"},
                                               {"content_type", "string_param: 'np'"},
                                               {"headers", "string_param: 'x-a: 1'"},
                                               {"sequence_id", "int64_param: 0"},
                                               {"sequence_start", "bool_param: false"},
                                               {"sequence_end", "bool_param: false"},
                                               {"priority", "uint64_param: 0"},
                                               {"timeout", "int64_param: 0"}}));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->model.empty());
  EXPECT_EQ(read->priority, std::nullopt);
  EXPECT_EQ(read->timeout, std::nullopt);
  EXPECT_FALSE(read->enable_empty_final_response);
  for (const char* nothing : {"string_param: ''", "string_param: '0'", "uint64_param: 0", ""}) {
    EXPECT_TRUE(ReadParameters(Parameters({{"sequence_id", nothing}})).ok()) << nothing;
  }
}

TEST(ReadParameters, OwnOnesAreTakenAndTheOthersAreTheModels) {
  const auto read = ReadParameters(Parameters({{"priority", "uint64_param: 1"},
                                               {"timeout", "int64_param: 2500"},
                                               {"triton_enable_empty_final_response", "bool_param: true"},
                                               {"beam_size", "int64_param: 4"},
                                               {"anything", "string_param: 'x'"}}));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->priority, Priority::kHigh);
  EXPECT_EQ(read->timeout, std::chrono::microseconds(2500));
  EXPECT_TRUE(read->enable_empty_final_response);
  EXPECT_EQ(read->model.size(), 2u);
  EXPECT_EQ(read->model.at("beam_size").int64_param(), 4);
}

TEST(ReadParameters, WhatWouldChangeTheAnswerIsRefusedByItsOwnName) {
  using Case = std::pair<std::vector<std::pair<std::string, std::string>>, std::string>;
  const std::vector<Case> cases = {
      // As Triton's client sends infer(sequence_id=7, sequence_start=True).
      {{{"sequence_end", "bool_param: false"},
        {"sequence_id", "int64_param: 7"},
        {"sequence_start", "bool_param: true"}},
       "parameters: \"sequence_id\" is 7: requests of a sequence are not served here: "
       "heed.v1.QuestionAnsweringService"},
      {{{"sequence_id", "string_param: 'mine'"}}, "parameters: \"sequence_id\" is \"mine\": requests of a sequence"},
      {{{"sequence_id", "uint64_param: 18446744073709551615"}}, "\"sequence_id\" is 18446744073709551615: requests"},
      {{{"sequence_start", "bool_param: true"}}, "parameters: \"sequence_start\" is true: requests of a sequence"},
      {{{"sequence_end", "bool_param: true"}}, "parameters: \"sequence_end\" is true: requests of a sequence"},
      {{{"content_type", "string_param: 'base64'"}}, "\"content_type\" is \"base64\": elements are not decoded"},
      {{{"triton_enable_empty_final_response", "int64_param: 1"}},
       "\"triton_enable_empty_final_response\" is 1, must be true or false"},
      {{{"timeout", "int64_param: -1"}}, "\"timeout\" is -1, must be at least 0 microseconds"},
      {{{"priority", "int64_param: 4"}}, "parameters: \"priority\""},
  };
  for (const auto& [parameters, message] : cases) {
    const auto read = ReadParameters(Parameters(parameters));
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument) << message;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(message));
  }
}

TEST(CheckTensorParameters, HintsAreIgnored) {
  const InferParameters hints = Parameters({{"binary_data", "bool_param: true"},
                                            {"binary_data_size", "int64_param: 17"},
                                            {"content_type", "string_param: 'str'"},
                                            {"headers", "string_param: ''"}});
  EXPECT_TRUE(CheckInputParameters(hints).ok());
  EXPECT_TRUE(CheckOutputParameters(hints).ok());
  EXPECT_TRUE(CheckOutputParameters(Parameters({{"classification", "int64_param: 0"}})).ok());
}

TEST(CheckTensorParameters, WhatWouldChangeTheAnswerIsRefusedByItsOwnName) {
  // As Triton's clients set them.
  const InferParameters shared = Parameters({{"shared_memory_byte_size", "int64_param: 64"},
                                             {"shared_memory_offset", "int64_param: 8"},
                                             {"shared_memory_region", "string_param: 'mine'"}});
  EXPECT_EQ(CheckInputParameters(shared).message(),
            "parameters: \"shared_memory_region\" is \"mine\": shared memory is not served: send the elements in "
            "raw_input_contents or contents");
  EXPECT_EQ(CheckOutputParameters(shared).message(),
            "parameters: \"shared_memory_region\" is \"mine\": shared memory is not served: the elements come in "
            "raw_output_contents");
  EXPECT_THAT(std::string(CheckOutputParameters(Parameters({{"classification", "int64_param: 3"}})).message()),
              HasSubstr("\"classification\" is 3: is not served: a model's classes are outputs of their own"));
  EXPECT_THAT(std::string(CheckInputParameters(Parameters({{"content_type", "string_param: 'Base64'"}})).message()),
              HasSubstr("\"content_type\" is \"Base64\""));
  // What means something elsewhere is not known here.
  for (const char* name : {"classification", "sequence_id", "priority", "beam_size"}) {
    EXPECT_EQ(CheckInputParameters(Parameters({{name, "int64_param: 1"}})).message(),
              absl::StrCat("parameters: \"", name,
                           "\" is not known; these are ignored: binary_data, "
                           "binary_data_output, binary_data_size, content_type, headers"));
  }
}

absl::Status Set(const std::string& name, const std::string& parameter, v1::TranslateOptions& options) {
  InferParameters parameters;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(parameter, &parameters[name]));
  return SetOptionsFrom(parameters, options);
}

TEST(SetOptionsFrom, EveryTypeIsSetAlsoFromText) {
  v1::TranslateOptions options;
  EXPECT_TRUE(Set("beam_size", "int64_param: 3", options).ok());
  EXPECT_TRUE(Set("n_best", "uint64_param: 2", options).ok());
  EXPECT_TRUE(Set("max_tokens", "string_param: '17'", options).ok());
  EXPECT_TRUE(Set("length_penalty", "double_param: 0.5", options).ok());
  EXPECT_TRUE(Set("temperature", "string_param: '0.25'", options).ok());
  EXPECT_TRUE(Set("top_p", "int64_param: 1", options).ok());
  EXPECT_TRUE(Set("seed", "string_param: '18446744073709551615'", options).ok());
  EXPECT_TRUE(Set("stop_loops", "bool_param: false", options).ok());
  EXPECT_TRUE(Set("return_tokens", "string_param: 'true'", options).ok());
  EXPECT_TRUE(Set("target_prefix", "string_param: 'Der'", options).ok());
  EXPECT_TRUE(Set("early_stopping", "string_param: 'never'", options).ok());
  EXPECT_EQ(options.beam_size(), 3);
  EXPECT_EQ(options.n_best(), 2);
  EXPECT_EQ(options.max_tokens(), 17);
  EXPECT_EQ(options.length_penalty(), 0.5f);
  EXPECT_EQ(options.sampling().temperature(), 0.25f);
  EXPECT_EQ(options.sampling().top_p(), 1.0f);
  EXPECT_EQ(options.sampling().seed(), std::numeric_limits<uint64_t>::max());
  EXPECT_TRUE(options.has_stop_loops());
  EXPECT_FALSE(options.stop_loops());
  EXPECT_TRUE(options.return_tokens());
  EXPECT_EQ(options.target_prefix(), "Der");
  EXPECT_EQ(options.early_stopping(), v1::TranslateOptions::EARLY_STOPPING_NEVER);
}

TEST(SetOptionsFrom, WrongParametersSayWhatTheyAreAndMustBe) {
  const std::vector<std::array<std::string, 3>> cases = {
      {"beams", "int64_param: 3",
       "parameters: \"beams\" is not known; known are: priority, timeout, triton_enable_empty_final_response, "
       "beam_size, length_penalty"},
      {"sampling", "int64_param: 3", "\"sampling\" is not known"},
      {"beam_size", "double_param: 1.5", "\"beam_size\" is 1.5, must be a whole number from -2147483648 to 2147483647"},
      {"beam_size", "int64_param: 3000000000", "\"beam_size\" is 3000000000, must be a whole number from"},
      {"beam_size", "uint64_param: 18446744073709551615", "must be a whole number from"},
      {"beam_size", "string_param: 'x'", "\"beam_size\" is \"x\", must be"},
      {"beam_size", "", "\"beam_size\" is not set, must be"},
      {"seed", "int64_param: -1", "\"seed\" is -1, must be a whole number from 0 to 18446744073709551615"},
      {"length_penalty", "bool_param: true", "\"length_penalty\" is true, must be a number"},
      {"stop_loops", "int64_param: 1", "\"stop_loops\" is 1, must be true or false"},
      {"target_prefix", "int64_param: 1", "\"target_prefix\" is 1, must be text"},
      {"early_stopping", "string_param: 'soon'",
       "\"early_stopping\" is \"soon\", must be one of heuristic, first, never"},
  };
  for (const auto& [name, parameter, message] : cases) {
    v1::TranslateOptions options;
    const absl::Status status = Set(name, parameter, options);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  }
}

TEST(DescribeOptions, NamesThemAndTheirTypes) {
  const std::string text = DescribeOptions(*v1::TranslateOptions::descriptor());
  EXPECT_THAT(text, HasSubstr("beam_size: integer, length_penalty: number, early_stopping: heuristic|first|never"));
  EXPECT_THAT(text, HasSubstr("temperature: number"));
}

}  // namespace
}  // namespace heed
