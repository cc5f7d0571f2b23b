// SPDX-License-Identifier: Apache-2.0
// Language models by the Open Inference Protocol.
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "inference.grpc.pb.h"
#include "tests/support/fake_language_model.h"
#include "tests/support/session_server.h"

namespace heed {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

constexpr grpc::StatusCode kInvalid = grpc::StatusCode::INVALID_ARGUMENT;

class InferenceLanguageTest : public SessionServerTest<inference::GRPCInferenceService> {
 protected:
  InferenceLanguageTest() { AddModel("books"); }
  absl::StatusOr<std::shared_ptr<const Model>> Load(const std::string& name) override {
    return std::make_shared<FakeLanguageModel>(name, "print", FakeLanguageOptions{uses_});
  }
  void StartWith(LanguageModelUses uses) {
    uses_ = uses;
    Start();
  }

  static void AddTexts(ModelInferRequest& request, const std::string& name, const std::vector<std::string>& texts) {
    auto& input = *request.add_inputs();
    input.set_name(name);
    input.set_datatype("BYTES");
    input.add_shape(static_cast<int64_t>(texts.size()));
    for (const std::string& text : texts) input.mutable_contents()->add_bytes_contents(text);
  }
  static ModelInferRequest Texts(const std::vector<std::string>& texts) {
    ModelInferRequest request;
    request.set_model_name("books");
    AddTexts(request, "text", texts);
    return request;
  }
  ModelInferResponse Infer(const ModelInferRequest& request) { return Called(&Stub::ModelInfer, request); }

  static const std::string& Raw(const ModelInferResponse& response, const std::string& output) {
    static const std::string kNone;
    for (int i = 0; i < response.outputs_size(); ++i) {
      if (response.outputs(i).name() == output) return response.raw_output_contents(i);
    }
    ADD_FAILURE() << "no output " << output;
    return kNone;
  }
  template <typename T>
  static std::vector<T> Numbers(const ModelInferResponse& response, const std::string& output) {
    const std::string& raw = Raw(response, output);
    std::vector<T> numbers(raw.size() / sizeof(T));
    std::memcpy(numbers.data(), raw.data(), raw.size());
    return numbers;
  }
  static std::vector<std::string> Strings(const ModelInferResponse& response, const std::string& output) {
    std::vector<std::string> strings;
    const std::string& raw = Raw(response, output);
    for (size_t at = 0; at + sizeof(uint32_t) <= raw.size();) {
      uint32_t size = 0;
      std::memcpy(&size, raw.data() + at, sizeof(size));
      strings.push_back(raw.substr(at + sizeof(size), size));
      at += sizeof(size) + size;
    }
    return strings;
  }
  std::vector<std::string> OutputNames() {
    inference::ModelMetadataRequest request;
    request.set_name("books");
    std::vector<std::string> names;
    const inference::ModelMetadataResponse response = Called(&Stub::ModelMetadata, request);
    for (const auto& output : response.outputs()) names.push_back(output.name());
    return names;
  }

  LanguageModelUses uses_;
};

TEST_P(InferenceLanguageTest, TextsAreScored) {
  StartWith({.score = true, .embed = true});
  EXPECT_THAT(OutputNames(), IsSupersetOf({"log_probability", "tokens", "perplexity"}));
  ModelInferRequest request = Texts({"a b a", "a"});
  const ModelInferResponse response = Infer(request);
  EXPECT_EQ(response.outputs_size(), 3);
  EXPECT_THAT(Numbers<float>(response, "log_probability"), ElementsAre(-3, 0));
  EXPECT_THAT(Numbers<int64_t>(response, "tokens"), ElementsAre(2, 0));
  request.add_outputs()->set_name("details");
  (*request.mutable_parameters())["top_k"].set_int64_param(1);
  (*request.mutable_parameters())["begin"].set_string_param("end_of_text");
  EXPECT_THAT(Strings(Infer(request), "details")[1], HasSubstr("\"log_probability\":-2"));
}

TEST_P(InferenceLanguageTest, TextsAreGeneratedOnRequest) {
  StartWith({.score = true, .embed = true});
  ModelInferRequest request = Texts({"a b c"});
  request.add_outputs()->set_name("generated_text");
  (*request.mutable_parameters())["max_tokens"].set_int64_param(4);
  (*request.mutable_parameters())["stop"].set_string_param(" c");
  EXPECT_THAT(Strings(Infer(request), "generated_text"), ElementsAre("a b"));
  (*request.mutable_parameters())["beam_size"].set_int64_param(40);
  EXPECT_EQ(ErrorOf(&Stub::ModelInfer, request, kInvalid), "parameters: beam_size: 40, must be 1 to 32");
  request.add_outputs()->set_name("tokens");
  EXPECT_EQ(ErrorOf(&Stub::ModelInfer, request, kInvalid),
            "outputs: \"generated_text\" and \"tokens\" need a request each");
}

TEST_P(InferenceLanguageTest, TextsAreClassifiedAndHaveVectors) {
  StartWith({.classify = true, .embed = true});
  ModelInferRequest request = Texts({"one two", "one"});
  AddTexts(request, "pair", {"three", "four"});
  ModelInferResponse response = Infer(request);
  EXPECT_THAT(Strings(response, "label"), ElementsAre("odd", "even"));
  EXPECT_THAT(Numbers<float>(response, "score"), ElementsAre(0.75f, 0.75f));
  request = Texts({"a bc"});
  request.add_outputs()->set_name("embedding");
  response = Infer(request);
  EXPECT_THAT(Numbers<float>(response, "embedding"), ElementsAre(2, 4));
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(1, 2));
}

TEST_P(InferenceLanguageTest, WordsAreTagged) {
  StartWith({.tag = true, .embed = false});
  EXPECT_THAT(Strings(Infer(Texts({"an Ada"})), "tags")[0], HasSubstr("\"label\":\"NAME\""));
}

TEST_P(InferenceLanguageTest, QuestionsAreAnswered) {
  StartWith({.answer_from_text = true, .embed = false});
  ModelInferRequest request = Texts({"the cat and a dog"});
  EXPECT_THAT(ErrorOf(&Stub::ModelInfer, request, kInvalid), HasSubstr("pair"));
  AddTexts(request, "pair", {"where is the dog"});
  EXPECT_THAT(Strings(Infer(request), "answer"), ElementsAre("dog"));
}

TEST_P(InferenceLanguageTest, BadRequestsNameTensorOrParameter) {
  StartWith({.classify = true, .embed = false});
  ModelInferRequest request = Texts({"a", "\xff"});
  EXPECT_EQ(ErrorOf(&Stub::ModelInfer, request, kInvalid),
            "inputs \"text\": element 1 is not UTF-8 from its byte 0 on");
  request = Texts({"a", "a b c d e f g h i j k l m n o p q r s t u"});
  EXPECT_EQ(ErrorOf(&Stub::ModelInfer, request, kInvalid), "inputs \"text\"[1]: has 21 tokens, at most 20");
  (*request.mutable_parameters())["overlong"].set_string_param("truncate");
  EXPECT_THAT(Strings(Infer(request), "label"), ElementsAre("odd", "even"));
  (*request.mutable_parameters())["beam_size"].set_int64_param(1);
  EXPECT_THAT(ErrorOf(&Stub::ModelInfer, request, kInvalid), HasSubstr("\"beam_size\" is not known; known are: "));
  request = Texts({"a"});
  AddTexts(request, "pair", {"a", "b"});
  EXPECT_EQ(ErrorOf(&Stub::ModelInfer, request, kInvalid),
            "inputs \"pair\": shape: is [2], must be that of \"text\", [1]");
}

INSTANTIATE_TEST_SUITE_P(Sessions, InferenceLanguageTest, ::testing::Values(Sessions::kInMemory),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace heed
