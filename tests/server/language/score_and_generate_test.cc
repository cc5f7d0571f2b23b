// SPDX-License-Identifier: Apache-2.0
// Score, Generate and GenerateStream of heed.v1.LanguageModelingService without sessions.
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/language/language_server.h"

namespace heed {
namespace {

using grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using ScoreAndGenerateTest = LanguageServerTest;

TEST_P(ScoreAndGenerateTest, ScoresAreThoseOfEachText) {
  Start();
  const v1::ScoreResponse response = Called(&Stub::Score, ScoreRequest({"a b a", "x1 x1 y2", ""}));
  EXPECT_EQ(response.model(), "books");
  EXPECT_EQ(response.model_version(), 1);
  ASSERT_EQ(response.scores_size(), 3);
  const v1::TextScore& first = response.scores(0);
  EXPECT_EQ(first.log_probability(), -3);  // "b" is new, "a" is not, and nothing stood before the first
  EXPECT_EQ(first.tokens(), 2);
  EXPECT_EQ(first.words(), 3);
  EXPECT_EQ(first.bytes(), 5);
  EXPECT_DOUBLE_EQ(first.perplexity(), std::exp(1.5));
  EXPECT_DOUBLE_EQ(first.bits_per_byte(), 3 / std::log(2) / 5);
  EXPECT_FALSE(first.is_greedy());
  EXPECT_EQ(first.token_scores_size(), 0);
  EXPECT_FALSE(first.has_attention());
  const v1::TextScore& second = response.scores(1);
  EXPECT_EQ(second.log_probability(), -6);
  EXPECT_EQ(second.unknown_tokens(), 2);
  EXPECT_THAT(second.unknown_words(), ElementsAre("x1", "y2"));
  EXPECT_EQ(response.scores(2).tokens(), 0);
  EXPECT_EQ(response.scores(2).perplexity(), 0);
}

TEST_P(ScoreAndGenerateTest, TokensHaveOffsetsRanksAlternativesAndAttention) {
  Start();
  v1::ScoreRequest request = ScoreRequest({"b  a"});
  request.mutable_items(0)->set_context("a");
  request.mutable_options()->set_top_k(2);
  request.mutable_options()->set_return_attention(true);
  const v1::TextScore score = Called(&Stub::Score, request).scores(0);
  EXPECT_EQ(score.log_probability(), -3);
  ASSERT_EQ(score.token_scores_size(), 2);
  const v1::TokenScore& last = score.token_scores(1);
  EXPECT_EQ(last.token(), "a");
  EXPECT_EQ(last.start(), 3);
  EXPECT_EQ(last.end(), 4);
  EXPECT_EQ(last.log_probability(), -1);
  EXPECT_EQ(last.rank(), 1);
  ASSERT_EQ(last.top_size(), 2);
  EXPECT_EQ(last.top(1).token(), "b");
  EXPECT_EQ(last.top(1).log_probability(), -2);
  EXPECT_EQ(score.attention().row_count(), 2);
  EXPECT_EQ(score.attention().column_count(), 4);
  EXPECT_THAT(score.attention().column_tokens(), ElementsAre("a", "b", "a"));
}

TEST_P(ScoreAndGenerateTest, FirstTokenHasAProbabilityBehindAnEndOfText) {
  Start();
  v1::ScoreRequest request = ScoreRequest({"a"});
  request.mutable_options()->set_return_tokens(true);
  const v1::TextScore nothing = Called(&Stub::Score, request).scores(0);
  EXPECT_EQ(nothing.tokens(), 0);
  EXPECT_FALSE(nothing.token_scores(0).has_log_probability());
  EXPECT_EQ(nothing.token_scores(0).rank(), 0);
  request.mutable_options()->set_begin(v1::ScoreOptions::BEGIN_END_OF_TEXT);
  const v1::TextScore behind = Called(&Stub::Score, request).scores(0);
  EXPECT_EQ(behind.tokens(), 1);
  EXPECT_EQ(behind.token_scores(0).log_probability(), -2);
}

TEST_P(ScoreAndGenerateTest, IdsStandInPlaceOfAText) {
  Start();
  v1::ScoreRequest request;
  for (const int id : {3, 5, 3}) request.add_items()->mutable_tokens()->add_ids(id);
  for (const int id : {3, 5, 3}) request.mutable_items(0)->mutable_tokens()->add_ids(id);
  EXPECT_EQ(Called(&Stub::Score, request).scores(0).log_probability(), -1 - 2 - 1);
}

TEST_P(ScoreAndGenerateTest, BadScoresNameTheField) {
  Start();
  const auto error = [&](const v1::ScoreRequest& request) { return ErrorOf(&Stub::Score, request, kInvalid); };
  EXPECT_EQ(error(v1::ScoreRequest()), "items: is empty, at least one");
  v1::ScoreRequest request = ScoreRequest({"a", "b"});
  request.add_items()->set_context("c");
  EXPECT_EQ(error(request), "items[2]: has neither text nor tokens");
  request.mutable_items(2)->mutable_tokens()->add_ids(1);
  request.mutable_items(2)->mutable_tokens()->add_ids(1000);
  EXPECT_EQ(error(request), "items[2].tokens.ids[1]: 1000, must be 0 to 99");
  request = ScoreRequest({"a"});
  request.mutable_options()->set_top_k(101);
  EXPECT_EQ(error(request), "options.top_k: 101, must be 0 to 100");
  request.mutable_options()->set_top_k(0);
  request.mutable_options()->set_segment_tokens(0);
  EXPECT_EQ(error(request), "options.segment_tokens: 0, must be at least 1");
  request.mutable_options()->clear_segment_tokens();
  request.mutable_options()->set_order(static_cast<v1::ScoreOptions::Order>(7));
  EXPECT_EQ(error(request), "options.order: 7, known are 0 to 2");
  request.mutable_options()->clear_order();
  request.mutable_options()->mutable_text()->set_tokenization(static_cast<v1::TextOptions::Tokenization>(9));
  EXPECT_EQ(error(request), "options.text.tokenization: 9, known are 0 to 2");
  request = ScoreRequest({"a"});
  request.set_expected_version(3);
  EXPECT_EQ(error(request), "expected_version: 3, but there is no session");
  request = ScoreRequest({"a"});
  request.set_model("stories");
  EXPECT_EQ(error(request), "model: \"stories\" is a question-answerer, not a language-model");
}

TEST_P(ScoreAndGenerateTest, WhatTheModelCannotDoIsUnimplemented) {
  SetModel({.uses = {.classify = true}});
  Start();
  EXPECT_THAT(ErrorOf(&Stub::Score, ScoreRequest({"a"}), StatusCode::UNIMPLEMENTED),
              StartsWith("model 'books' cannot score texts"));
  EXPECT_THAT(ErrorOf(&Stub::Generate, GenerateRequest("a"), StatusCode::UNIMPLEMENTED),
              StartsWith("model 'books' cannot generate texts"));
  EXPECT_THAT(ErrorOf(&Stub::OpenTextSession, v1::OpenTextSessionRequest(), StatusCode::UNIMPLEMENTED),
              StartsWith("model 'books' cannot keep a memory"));
}

TEST_P(ScoreAndGenerateTest, MoreItemsThanTheQueueTakesAreInvalid) {
  options_.max_queued_tasks = 2;
  Start();
  EXPECT_EQ(ErrorOf(&Stub::Score, ScoreRequest({"a", "b", "c"}), kInvalid), "items: 3 in one request, at most 2");
}

TEST_P(ScoreAndGenerateTest, AnswerThatIsTooLargeIsRefusedBeforeTheWork) {
  options_.max_response_bytes = 1024;
  Start();
  std::string text;
  for (int i = 0; i < 100; ++i) text += "word ";
  v1::ScoreRequest request = ScoreRequest({text});
  Called(&Stub::Score, request);
  request.mutable_options()->set_return_tokens(true);
  books_->gate().Hold();  // no step is needed
  EXPECT_THAT(ErrorOf(&Stub::Score, request, StatusCode::RESOURCE_EXHAUSTED), HasSubstr("--max_response_bytes=1024"));
}

TEST_P(ScoreAndGenerateTest, RequestsShareTheSteps) {
  Start();
  std::string text;
  for (int i = 0; i < 40; ++i) text += "word ";  // five steps
  books_->gate().Hold();
  auto first = Begin(&Stub::Score, ScoreRequest({text}));
  books_->gate().WaitUntilHeld();
  auto second = Begin(&Stub::Score, ScoreRequest({text}));
  WaitForMetric("heed_queued_requests{model=\"books\"} 1");
  books_->gate().Allow(6);
  first->thread.join();
  second->thread.join();
  books_->gate().Release();
  EXPECT_TRUE(first->status.ok() && second->status.ok());
  EXPECT_EQ(first->response.scores(0).log_probability(), second->response.scores(0).log_probability());
}

TEST_P(ScoreAndGenerateTest, FailedTextFailsItsRequest) {
  Start();
  EXPECT_THAT(ErrorOf(&Stub::Score, ScoreRequest({"a", "b fail"}), StatusCode::INTERNAL), HasSubstr("told to fail"));
}

TEST_P(ScoreAndGenerateTest, CancelledScoreEnds) {
  Start();
  books_->gate().Hold();
  std::string text;
  for (int i = 0; i < 1'000'000; ++i) text += "word ";  // 125,000 steps
  auto score = Begin(&Stub::Score, ScoreRequest({text}));
  books_->gate().WaitUntilHeld();
  score->context.TryCancel();
  score->thread.join();
  EXPECT_EQ(score->status.error_code(), StatusCode::CANCELLED);
  books_->gate().Release();
  WaitForMetric("heed_cancellations_total{model=\"books\",reason=\"client\"} 1");
}

TEST_P(ScoreAndGenerateTest, TextsAreGenerated) {
  Start();
  v1::GenerateResponse response = Called(&Stub::Generate, GenerateRequest("to be or 7", 5));
  ASSERT_EQ(response.texts_size(), 1);
  EXPECT_EQ(response.texts(0).text(), "to be or 7 to");
  EXPECT_EQ(response.texts(0).finish_reason(), v1::TEXT_FINISH_REASON_LENGTH);
  EXPECT_EQ(response.texts(0).token_count(), 5);
  EXPECT_EQ(response.texts(0).log_probability(), -5);
  EXPECT_EQ(response.texts(0).tokens_size(), 0);
  EXPECT_EQ(response.prompt_token_count(), 4);
  EXPECT_THAT(response.unknown_words(), ElementsAre("7"));
  EXPECT_FALSE(response.has_session());
  EXPECT_EQ(response.model(), "books");
  EXPECT_EQ(response.model_version(), 1);

  v1::GenerateRequest request = GenerateRequest("a b end c", 10);
  request.mutable_options()->set_top_k_alternatives(1);
  response = Called(&Stub::Generate, request);
  EXPECT_EQ(response.texts(0).text(), "a b");
  EXPECT_EQ(response.texts(0).finish_reason(), v1::TEXT_FINISH_REASON_EOS);
  ASSERT_EQ(response.texts(0).tokens_size(), 3);
  EXPECT_EQ(response.texts(0).tokens(1).start(), 2);
  EXPECT_EQ(response.texts(0).tokens(1).top(0).token(), "a");
  request.mutable_options()->set_stop_at_end(false);
  request.mutable_options()->add_stop("zzz");
  request.mutable_options()->add_stop(" c");
  response = Called(&Stub::Generate, request);
  EXPECT_EQ(response.texts(0).text(), "a b end");
  EXPECT_EQ(response.texts(0).finish_reason(), v1::TEXT_FINISH_REASON_STOP);
  EXPECT_EQ(response.texts(0).stop(), " c");
}

TEST_P(ScoreAndGenerateTest, DrawsAndHypothesesAreSeveralTexts) {
  Start();
  v1::GenerateRequest request = GenerateRequest("a b c", 2);
  request.mutable_options()->mutable_sampling()->set_seed(1);
  request.mutable_options()->set_n(2);
  v1::GenerateResponse response = Called(&Stub::Generate, request);
  ASSERT_EQ(response.texts_size(), 2);
  EXPECT_EQ(response.texts(0).text(), "b c");
  EXPECT_EQ(response.texts(1).text(), "c a");
  request.mutable_options()->clear_sampling();
  EXPECT_EQ(ErrorOf(&Stub::Generate, request, kInvalid),
            "options.n: 2, must be 1 to options.beam_size, 1, without sampling");
  request.mutable_options()->set_beam_size(3);
  response = Called(&Stub::Generate, request);
  ASSERT_EQ(response.texts_size(), 2);
  EXPECT_EQ(response.texts(1).text(), "a b#1");
}

TEST_P(ScoreAndGenerateTest, BadGenerationsNameTheField) {
  Start();
  const auto error = [&](const v1::GenerateRequest& request) { return ErrorOf(&Stub::Generate, request, kInvalid); };
  EXPECT_EQ(error(GenerateRequest("")), "prompt: is empty, and nothing was read before it");
  EXPECT_EQ(error(GenerateRequest("a", 0)), "options.max_tokens: 0, must be at least 1");
  v1::GenerateRequest request = GenerateRequest("a");
  request.mutable_options()->set_beam_size(33);
  EXPECT_EQ(error(request), "options.beam_size: 33, must be 1 to 32");
  request = GenerateRequest("a");
  request.mutable_options()->add_stop("");
  EXPECT_EQ(error(request), "options.stop[0]: is empty");
  request.mutable_options()->set_stop(0, std::string(300, 'a'));
  EXPECT_EQ(error(request), "options.stop[0]: has 300 bytes, at most 256");
  for (int i = 0; i < 16; ++i) request.mutable_options()->add_stop("a");
  EXPECT_EQ(error(request), "options.stop: 17 texts, at most 16");
  request = GenerateRequest("a");
  request.mutable_options()->set_greedy(true);
  request.mutable_options()->mutable_sampling();
  EXPECT_EQ(error(request), "options.greedy: is true, but options.sampling is there");
  request.mutable_options()->set_greedy(false);
  request.mutable_options()->set_n(33);
  EXPECT_EQ(error(request), "options.n: 33, must be 1 to 32");
  request = GenerateRequest("a");
  request.set_commit(true);
  EXPECT_EQ(error(request), "commit: is true, but there is no session");
  request.set_commit(false);
  request.set_request_id("one");
  EXPECT_EQ(error(request), "request_id: names a change, but commit is false");
  request.set_request_id(std::string(129, 'a'));
  EXPECT_EQ(error(request), "request_id: has 129 bytes, at most 128");
}

class GenerationStream {
 public:
  GenerationStream(v1::LanguageModelingService::Stub& stub, const v1::GenerateStreamRequest& request)
      : stream_(stub.GenerateStream(&context, request)) {}
  // All deltas; the result is result.
  std::vector<std::string> ReadAll() {
    std::vector<std::string> deltas;
    for (v1::GenerateStreamResponse event; stream_->Read(&event);) {
      EXPECT_FALSE(has_result);
      if (event.has_result()) {
        has_result = true;
        result = event.result();
      } else {
        deltas.push_back(event.delta());
      }
    }
    status = stream_->Finish();
    return deltas;
  }
  grpc::ClientContext context;
  v1::GenerateResponse result;
  bool has_result = false;
  grpc::Status status;

 private:
  std::unique_ptr<grpc::ClientReader<v1::GenerateStreamResponse>> stream_;
};

TEST_P(ScoreAndGenerateTest, StreamHasTheTextAsItGrowsAndThenTheAnswer) {
  Start();
  v1::GenerateStreamRequest request;
  request.set_prompt("a b c");
  request.mutable_options()->set_max_tokens(4);
  GenerationStream stream(*stub_, request);
  EXPECT_THAT(stream.ReadAll(), ElementsAre("a", " b", " c", " a"));
  EXPECT_TRUE(stream.status.ok()) << stream.status.error_message();
  EXPECT_EQ(stream.result.texts(0).text(), "a b c a");
  EXPECT_EQ(stream.result.model(), "books");
  request.mutable_options()->set_beam_size(2);
  GenerationStream beam(*stub_, request);
  EXPECT_THAT(beam.ReadAll(), ElementsAre());
  EXPECT_EQ(beam.result.texts(0).text(), "a b c a");
  request.mutable_options()->set_beam_size(40);
  GenerationStream bad(*stub_, request);
  EXPECT_THAT(bad.ReadAll(), ElementsAre());
  EXPECT_EQ(bad.status.error_message(), "options.beam_size: 40, must be 1 to 32");
}

TEST_P(ScoreAndGenerateTest, CancelledStreamEnds) {
  Start();
  v1::GenerateStreamRequest request;
  request.set_prompt("a b c");
  request.mutable_options()->set_max_tokens(1'000'000);
  books_->gate().Hold();
  GenerationStream stream(*stub_, request);
  books_->gate().WaitUntilHeld();
  stream.context.TryCancel();
  stream.ReadAll();
  EXPECT_EQ(stream.status.error_code(), StatusCode::CANCELLED);
  books_->gate().Release();
  WaitForMetric("heed_requests_in_flight{method=\"heed.v1.LanguageModelingService/GenerateStream\"} 0");
}

TEST_P(ScoreAndGenerateTest, TokensAreCounted) {
  Start();
  Called(&Stub::Score, ScoreRequest({"a b c", "d"}));
  Called(&Stub::Generate, GenerateRequest("a b", 3));
  EXPECT_TRUE(HasMetric("heed_text_tokens_read_total{model=\"books\"} 4"));
  EXPECT_TRUE(HasMetric("heed_text_tokens_generated_total{model=\"books\"} 3"));
}

INSTANTIATE_TEST_SUITE_P(Sessions, ScoreAndGenerateTest, ::testing::Values(Sessions::kInMemory),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace heed
