// SPDX-License-Identifier: Apache-2.0
// ModelStreamInfer of the Open Inference Protocol: order, words as they come, errors, limits and ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"
#include "inference.grpc.pb.h"
#include "tests/server/services/translation_server.h"

namespace heed {
namespace {

using grpc::StatusCode;
using inference::ModelInferRequest;
using inference::ModelStreamInferResponse;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

bool IsFinal(const ModelStreamInferResponse& response) {
  return response.infer_response().parameters().at("triton_final_response").bool_param();
}
std::vector<std::string> OutputNames(const ModelStreamInferResponse& response) {
  std::vector<std::string> names;
  for (const auto& output : response.infer_response().outputs()) names.push_back(output.name());
  return names;
}
// The raw contents of an output; none: there is no such output.
std::string RawOutput(const ModelStreamInferResponse& response, const std::string& name) {
  for (int i = 0; i < response.infer_response().outputs_size(); ++i) {
    if (response.infer_response().outputs(i).name() == name) return response.infer_response().raw_output_contents(i);
  }
  return "";
}
std::string Text(const ModelStreamInferResponse& response) {
  const std::string raw = RawOutput(response, "translation");
  return raw.empty() ? "" : raw.substr(4);
}
int64_t TextIndex(const ModelStreamInferResponse& response) {
  int64_t index = -1;
  const std::string raw = RawOutput(response, "text_index");
  EXPECT_EQ(raw.size(), sizeof(index));
  std::memcpy(&index, raw.data(), sizeof(index));
  return index;
}

class InferenceStreamTest : public TranslationServerTest {
 protected:
  using Stream = grpc::ClientReaderWriter<ModelInferRequest, ModelStreamInferResponse>;

  static ModelInferRequest Request(const std::vector<std::string>& texts, const std::string& id = "",
                                   const std::string& others = "") {
    ModelInferRequest request;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(others, &request)) << others;
    if (request.model_name().empty()) request.set_model_name("fake");
    request.set_id(id);
    auto& input = *request.add_inputs();
    input.set_name("text");
    input.set_datatype("BYTES");
    input.add_shape(static_cast<int64_t>(texts.size()));
    for (const std::string& text : texts) input.mutable_contents()->add_bytes_contents(text);
    return request;
  }
  std::unique_ptr<Stream> Open() {
    stub_ = inference::GRPCInferenceService::NewStub(Connect());
    return stub_->ModelStreamInfer(&context_);
  }
  static ModelStreamInferResponse Read(Stream& stream) {
    ModelStreamInferResponse response;
    EXPECT_TRUE(stream.Read(&response));
    return response;
  }
  // All that comes until the stream ends.
  static std::vector<ModelStreamInferResponse> ReadAll(Stream& stream) {
    std::vector<ModelStreamInferResponse> all;
    for (ModelStreamInferResponse response; stream.Read(&response);) all.push_back(response);
    return all;
  }

  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
  grpc::ClientContext context_;
};

TEST_F(InferenceStreamTest, WordsComeAsTheyAreTranslated) {
  Start();
  model_->Hold();
  const auto stream = Open();
  ASSERT_TRUE(stream->Write(Request({"one two three "}, "seven")));
  model_->WaitUntilHeld();
  model_->Allow(1);
  ModelStreamInferResponse response = Read(*stream);
  EXPECT_EQ(Text(response), "ONE");
  EXPECT_EQ(TextIndex(response), 0);
  EXPECT_THAT(OutputNames(response), ElementsAre("translation", "text_index"));
  EXPECT_EQ(response.infer_response().id(), "seven");
  EXPECT_EQ(response.infer_response().model_name(), "fake");
  EXPECT_EQ(response.infer_response().model_version(), "1");
  EXPECT_FALSE(IsFinal(response));
  model_->Allow(1);
  response = Read(*stream);
  EXPECT_EQ(Text(response), " TWO");
  EXPECT_FALSE(IsFinal(response));
  model_->Release();
  response = Read(*stream);
  EXPECT_EQ(Text(response), " THREE ");
  EXPECT_THAT(OutputNames(response),
              ElementsAre("translation", "score", "finish_reason", "source_tokens", "target_tokens", "text_index"));
  EXPECT_TRUE(IsFinal(response));
  stream->WritesDone();
  EXPECT_THAT(ReadAll(*stream), IsEmpty());
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(InferenceStreamTest, EmptyFinalResponseFollowsOnRequest) {
  Start();
  const auto stream = Open();
  ASSERT_TRUE(stream->Write(
      Request({"one"}, "a", "parameters { key: 'triton_enable_empty_final_response' value { bool_param: true } }")));
  ModelStreamInferResponse response = Read(*stream);
  EXPECT_EQ(Text(response), "ONE");
  EXPECT_FALSE(IsFinal(response));
  response = Read(*stream);
  EXPECT_THAT(OutputNames(response), IsEmpty());
  EXPECT_EQ(response.infer_response().id(), "a");
  EXPECT_TRUE(IsFinal(response));
}

// Sentences are translated side by side; their words come in the order of the text, and texts apart from each other.
TEST_F(InferenceStreamTest, PiecesMakeUpTheTexts) {
  Start();
  const std::vector<std::string> texts = {"a b c d e. f.  g h!", "", "  i? j k ", "loop"};
  const auto stream = Open();
  ASSERT_TRUE(stream->Write(Request(texts)));
  ASSERT_TRUE(stream->Write(Request(texts, "", "parameters { key: 'beam_size' value { int64_param: 2 } }")));
  stream->WritesDone();
  for (const bool greedy : {true, false}) {
    std::vector<std::string> got(texts.size());
    std::vector<int> ends(texts.size());
    int responses = 0;
    ModelStreamInferResponse response;
    do {
      response = Read(*stream);
      const auto text = static_cast<size_t>(TextIndex(response));
      got.at(text) += Text(response);
      ends.at(text) += !RawOutput(response, "score").empty();
      ++responses;
    } while (!IsFinal(response));
    EXPECT_THAT(got, ElementsAre("A B C D E. F.  G H!", "", "  I? J K ", "LOOP"));
    EXPECT_THAT(ends, ElementsAre(1, 1, 1, 1));
    EXPECT_GE(responses, greedy ? 5 : 4);
  }
  EXPECT_THAT(ReadAll(*stream), IsEmpty());
  EXPECT_TRUE(stream->Finish().ok());
}

// Who streams wants words as they are found, whatever the model's own search is.
TEST_F(InferenceStreamTest, SearchIsGreedyUnlessTheRequestSaysOtherwise) {
  TranslateOptions defaults;
  defaults.beam_size = 4;
  model_->set_default_options(defaults);
  Start();
  const auto stream = Open();
  const std::vector<std::pair<std::string, int>> cases = {
      {"", 1},
      {"parameters { key: 'beam_size' value { int64_param: 3 } }", 3},
      {"parameters { key: 'n_best' value { int64_param: 2 } }", 4}};
  for (const auto& [parameters, beam_size] : cases) {
    ASSERT_TRUE(stream->Write(Request({"one"}, "", parameters)));
    EXPECT_EQ(Text(Read(*stream)), "ONE");
    EXPECT_EQ(model_->last_options().beam_size, beam_size);
    EXPECT_EQ(model_->last_options().stream, beam_size == 1);
  }
}

TEST_F(InferenceStreamTest, OutputsThatAreNotNamedDoNotCome) {
  Start();
  const auto stream = Open();
  ASSERT_TRUE(stream->Write(Request({"one two"}, "", "outputs { name: 'finish_reason' }")));
  const ModelStreamInferResponse response = Read(*stream);
  EXPECT_THAT(OutputNames(response), ElementsAre("finish_reason"));
  EXPECT_TRUE(IsFinal(response));
}

TEST_F(InferenceStreamTest, NoTextsHaveOneEmptyAnswer) {
  Start();
  const auto stream = Open();
  ASSERT_TRUE(stream->Write(Request({}, "none")));
  const ModelStreamInferResponse response = Read(*stream);
  EXPECT_EQ(response.infer_response().id(), "none");
  EXPECT_EQ(response.infer_response().outputs(0).shape(0), 0);
  EXPECT_TRUE(IsFinal(response));
}

// Long ones before short ones.
TEST_F(InferenceStreamTest, RequestsAreAnsweredInOrder) {
  Start();
  const auto stream = Open();
  std::thread writer([&] {
    for (int i = 0; i < 60; ++i) {
      std::string text = "w";
      for (int word = 0; word < 7 * i % 11; ++word) absl::StrAppend(&text, " w");
      EXPECT_TRUE(stream->Write(Request({text}, absl::StrCat(i))));
    }
    stream->WritesDone();
  });
  int next = 0;
  std::string text;
  for (const ModelStreamInferResponse& response : ReadAll(*stream)) {
    EXPECT_EQ(response.error_message(), "");
    EXPECT_EQ(response.infer_response().id(), absl::StrCat(next));
    text += Text(response);
    if (!IsFinal(response)) continue;
    EXPECT_EQ(text.size(), static_cast<size_t>(2 * (7 * next % 11) + 1));
    text.clear();
    ++next;
  }
  writer.join();
  EXPECT_EQ(next, 60);
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(HasMetric(
      "heed_requests_total{code=\"OK\",method=\"inference.GRPCInferenceService/ModelStreamInfer\",model=\"fake\"} 60"));
}

TEST_F(InferenceStreamTest, AnErrorIsAnAnswerAndTheStreamGoesOn) {
  Start();
  const auto stream = Open();
  ASSERT_TRUE(stream->Write(Request({"one"}, "1")));
  ASSERT_TRUE(stream->Write(Request({"one"}, "2", "model_name: 'none'")));
  ASSERT_TRUE(stream->Write(Request({"one"}, "3", "parameters { key: 'beam' value { int64_param: 1 } }")));
  ASSERT_TRUE(stream->Write(Request({"one fail"}, "4")));
  ASSERT_TRUE(stream->Write(Request({"two"}, "5")));
  stream->WritesDone();
  EXPECT_EQ(Text(Read(*stream)), "ONE");
  const std::vector<std::pair<std::string, std::string>> errors = {
      {"2", "there is no \"none\""}, {"3", "parameters: \"beam\" is not known"}, {"4", "the fake was told to fail"}};
  for (const auto& [id, message] : errors) {
    ModelStreamInferResponse response;
    do {
      response = Read(*stream);
      EXPECT_EQ(response.infer_response().id(), id);
    } while (response.error_message().empty());
    EXPECT_THAT(response.error_message(), HasSubstr(message));
    EXPECT_TRUE(IsFinal(response));
    EXPECT_THAT(OutputNames(response), IsEmpty());
  }
  EXPECT_EQ(Text(Read(*stream)), "TWO");
  EXPECT_THAT(ReadAll(*stream), IsEmpty());
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(
      HasMetric("heed_requests_total{code=\"NOT_FOUND\",method=\"inference.GRPCInferenceService/"
                "ModelStreamInfer\",model=\"\"} 1"));
  EXPECT_TRUE(
      HasMetric("heed_requests_total{code=\"INTERNAL\",method=\"inference.GRPCInferenceService/"
                "ModelStreamInfer\",model=\"fake\"} 1"));
}

TEST_F(InferenceStreamTest, AnErrorEndsTheStreamOfWhoAsksForThat) {
  Start();
  context_.AddMetadata("triton_grpc_error", "true");
  const auto stream = Open();
  ASSERT_TRUE(stream->Write(Request({"one"}, "1")));
  ASSERT_TRUE(stream->Write(Request({"one"}, "2", "model_name: 'none'")));
  EXPECT_EQ(Text(Read(*stream)), "ONE");
  EXPECT_THAT(ReadAll(*stream), IsEmpty());
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("there is no \"none\""));
}

TEST_F(InferenceStreamTest, AStreamWithoutRequestsEndsWithOk) {
  Start();
  const auto stream = Open();
  stream->WritesDone();
  EXPECT_THAT(ReadAll(*stream), IsEmpty());
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(InferenceStreamTest, FewRequestsOfAStreamAreUnderWay) {
  Start();
  model_->Hold();
  const auto stream = Open();
  std::thread writer([&] {
    for (int i = 0; i < 40; ++i) EXPECT_TRUE(stream->Write(Request({"a b"}, absl::StrCat(i))));
    stream->WritesDone();
  });
  WaitForMetric("heed_requests_in_flight{method=\"inference.GRPCInferenceService/ModelStreamInfer\"} 16");
  model_->WaitUntilHeld();
  EXPECT_TRUE(HasMetric("heed_requests_in_flight{method=\"inference.GRPCInferenceService/ModelStreamInfer\"} 16"));
  model_->Release();
  int finals = 0;
  for (const ModelStreamInferResponse& response : ReadAll(*stream)) finals += IsFinal(response);
  writer.join();
  EXPECT_EQ(finals, 40);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(InferenceStreamTest, CancellingTheStreamCancelsItsRequests) {
  Start();
  model_->Hold();
  const auto stream = Open();
  std::string text;  // of more words than a stream takes without a reader
  for (int i = 0; i < 20'000; ++i) text += "a ";
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stream->Write(Request({text})));
  WaitForMetric("heed_requests_in_flight{method=\"inference.GRPCInferenceService/ModelStreamInfer\"} 3");
  model_->WaitUntilHeld();
  context_.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), StatusCode::CANCELLED);
  model_->Release();
  WaitForMetric(
      "heed_requests_total{code=\"CANCELLED\",method=\"inference.GRPCInferenceService/"
      "ModelStreamInfer\",model=\"fake\"} 3");
  WaitForMetric("heed_requests_in_flight{method=\"inference.GRPCInferenceService/ModelStreamInfer\"} 0");
}

TEST_F(InferenceStreamTest, TheStreamsDeadlineIsThatOfItsRequests) {
  Start();
  model_->Hold();
  context_.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  const auto stream = Open();
  ASSERT_TRUE(stream->Write(Request({"a b c d"})));
  EXPECT_EQ(stream->Finish().error_code(), StatusCode::DEADLINE_EXCEEDED);
  model_->Release();
  WaitForMetric("heed_requests_in_flight{method=\"inference.GRPCInferenceService/ModelStreamInfer\"} 0");
}

TEST_F(InferenceStreamTest, AReaderThatLagsIsCutOff) {
  options_.max_stream_events = 4;
  options_.max_reader_lag_s = 1;
  Start();
  const auto stream = Open();
  // More than a connection takes without a reader.
  ASSERT_TRUE(stream->Write(Request(std::vector<std::string>(12'000, std::string(1000, 'a') + " b"))));
  WaitForMetric(
      "heed_request_seconds_count{method=\"inference.GRPCInferenceService/ModelStreamInfer\",model=\"fake\"} 1");
  EXPECT_FALSE(HasMetric("heed_requests_total{code=\"OK\",method=\"inference.GRPCInferenceService/ModelStreamInfer\""));
  ReadAll(*stream);
  EXPECT_FALSE(stream->Finish().ok());
}

// Large answers that are ready, of which no job is left that could be parked.
TEST_F(InferenceStreamTest, AReaderThatTakesNoAnswerIsCutOff) {
  options_.max_reader_lag_s = 1;
  Start();
  const auto stream = Open();
  const ModelInferRequest request = Request({std::string(4 << 20, 'a')}, "", "outputs { name: 'details' }");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stream->Write(request));
  WaitForMetric(
      "heed_requests_total{code=\"OK\",method=\"inference.GRPCInferenceService/ModelStreamInfer\",model=\"fake\"} ");
  WaitForMetric("heed_requests_in_flight{method=\"inference.GRPCInferenceService/ModelStreamInfer\"} 0");
  ReadAll(*stream);
  EXPECT_FALSE(stream->Finish().ok());
}

TEST_F(InferenceStreamTest, WhatWasReadIsAnsweredWhenTheServerShutsDown) {
  Start();
  model_->Hold();
  const auto stream = Open();
  grpc::ClientContext idle_context;
  const auto idle = stub_->ModelStreamInfer(&idle_context);
  for (const char* id : {"1", "2"}) ASSERT_TRUE(stream->Write(Request({"a b"}, id)));
  WaitForMetric("heed_requests_in_flight{method=\"inference.GRPCInferenceService/ModelStreamInfer\"} 2");
  model_->WaitUntilHeld();
  std::thread shutdown([this] { server_->Shutdown(); });
  EXPECT_THAT(ReadAll(*idle), IsEmpty());
  EXPECT_EQ(idle->Finish().error_code(), StatusCode::UNAVAILABLE);
  model_->Release();
  std::vector<std::string> finals;
  for (const ModelStreamInferResponse& response : ReadAll(*stream)) {
    EXPECT_EQ(response.error_message(), "");
    if (IsFinal(response)) finals.push_back(response.infer_response().id());
  }
  EXPECT_THAT(finals, ElementsAre("1", "2"));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("shutting down"));
  shutdown.join();
}

}  // namespace
}  // namespace heed
