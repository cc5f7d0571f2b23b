// SPDX-License-Identifier: Apache-2.0
// FillIn, ClassifyTexts, TagTexts, AnswerFromText and EmbedTexts of heed.v1.LanguageModelingService.
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/language/language_server.h"

namespace heed {
namespace {

using grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::StartsWith;

using TextHeadsTest = LanguageServerTest;

const char kLongText[] = "a b c d e f g h i j k l m n o p q r s t u";  // 21 tokens, one more than the fake reads

TEST_P(TextHeadsTest, GapsAreFilled) {
  Start();
  v1::FillInRequest request;
  request.add_texts()->set_text("the <mask> of <mask>");
  request.mutable_texts(0)->set_pieces(2);
  v1::FillInRequest::Text& text = *request.add_texts();
  text.set_text("the word of it");
  v1::FillInRequest::Gap& gap = *text.add_gaps();
  gap.set_start(4);
  gap.set_end(8);
  for (const char* candidate : {"cat", "big dog"}) gap.add_candidates(candidate);
  request.set_top_k(2);
  const v1::FillInResponse response = Called(&Stub::FillIn, request);
  ASSERT_EQ(response.texts_size(), 2);
  EXPECT_EQ(response.texts(0).filled_text(), "the p1 p2 of p1 p2");
  EXPECT_EQ(response.texts(0).log_probability(), -4);
  ASSERT_EQ(response.texts(0).gaps_size(), 2);
  ASSERT_EQ(response.texts(0).gaps(1).top_size(), 2);
  EXPECT_EQ(response.texts(0).gaps(1).top(1).text(), "q1 q2");
  EXPECT_THAT(response.texts(0).gaps(1).top(1).tokens(), ElementsAre("q1", "q2"));
  EXPECT_EQ(response.texts(1).filled_text(), "the cat of it");
  EXPECT_EQ(response.texts(1).gaps(0).top(1).text(), "big dog");
  EXPECT_EQ(response.texts(1).gaps(0).top(1).log_probability(), -3);
  EXPECT_EQ(response.model(), "books");
}

TEST_P(TextHeadsTest, BadGapsNameTheField) {
  Start();
  const auto error = [&](const v1::FillInRequest& request) { return ErrorOf(&Stub::FillIn, request, kInvalid); };
  v1::FillInRequest request;
  EXPECT_EQ(error(request), "texts: is empty, at least one");
  v1::FillInRequest::Text& text = *request.add_texts();
  text.set_text("no gap");
  EXPECT_EQ(error(request), "texts[0]: has no gaps, and its text has no \"<mask>\"");
  request.set_marker("___");
  EXPECT_EQ(error(request), "texts[0]: has no gaps, and its text has no \"___\"");
  text.set_text("an \xC3\xA4 word");
  text.add_gaps()->set_start(4);
  text.mutable_gaps(0)->set_end(5);
  EXPECT_EQ(error(request), "texts[0].gaps[0].start: 4, is within a character of the text");
  text.mutable_gaps(0)->set_start(3);
  EXPECT_EQ(Called(&Stub::FillIn, request).texts(0).filled_text(), "an p1 word");
}

TEST_P(TextHeadsTest, MoreBadGapsNameTheField) {
  Start();
  const auto error = [&](const v1::FillInRequest& request) { return ErrorOf(&Stub::FillIn, request, kInvalid); };
  v1::FillInRequest request;
  v1::FillInRequest::Text& text = *request.add_texts();
  text.set_text("a word");
  text.add_gaps()->set_start(2);
  text.mutable_gaps(0)->set_end(9);
  EXPECT_EQ(error(request), "texts[0].gaps[0].end: 9, must be 2 to 6");
  text.mutable_gaps(0)->set_end(6);
  text.add_gaps()->set_start(5);
  EXPECT_EQ(error(request), "texts[0].gaps[1].start: 5, must be 6 to 6");
  text.mutable_gaps()->RemoveLast();
  text.mutable_gaps(0)->set_pieces(17);
  EXPECT_EQ(error(request), "texts[0].gaps[0].pieces: 17, must be 1 to 16");
  text.mutable_gaps(0)->set_pieces(1);
  text.mutable_gaps(0)->add_candidates("x");
  EXPECT_EQ(error(request), "texts[0].gaps[0].pieces: 1, but there are candidates");
  text.mutable_gaps(0)->clear_pieces();
  text.add_candidates("y");
  EXPECT_EQ(error(request), "texts[0]: has candidates or pieces for gaps at markers, but its gaps are given");
  text.clear_candidates();
  request.set_top_k(0);
  EXPECT_EQ(error(request), "top_k: 0, must be 1 to 100");
  request.set_top_k(1);
  request.set_order(static_cast<v1::FillInRequest::Order>(9));
  EXPECT_EQ(error(request), "order: 9, known are 0 to 3");
}

TEST_P(TextHeadsTest, TextsAreClassified) {
  Start();
  v1::ClassifyTextsRequest request;
  request.add_items()->set_text("one two three");
  request.add_items()->set_text("one");
  request.mutable_items(1)->set_pair("two three four");
  v1::ClassifyTextsRequest::Item& choice = *request.add_items();
  choice.set_text("one");
  for (const char* text : {"a", "the longest", "bb"}) choice.add_choices(text);
  v1::ClassifyTextsResponse response = Called(&Stub::ClassifyTexts, request);
  ASSERT_EQ(response.items_size(), 3);
  ASSERT_EQ(response.items(0).labels_size(), 1);
  EXPECT_EQ(response.items(0).labels(0).label(), "odd");
  EXPECT_EQ(response.items(0).labels(0).score(), 0.75f);
  EXPECT_EQ(response.items(0).token_count(), 3);
  EXPECT_EQ(response.items(1).labels(0).label(), "even");
  EXPECT_EQ(response.items(2).labels(0).label(), "1");
  request.set_top_k(0);
  request.set_return_attention(true);
  response = Called(&Stub::ClassifyTexts, request);
  EXPECT_EQ(response.items(0).labels_size(), 2);
  EXPECT_THAT(response.items(0).attention().column_tokens(), ElementsAre("one", "two", "three"));
}

TEST_P(TextHeadsTest, OverlongTextsAreRefusedOrCut) {
  Start();
  v1::ClassifyTextsRequest request;
  request.add_items()->set_text("one");
  request.add_items()->set_text(kLongText);
  EXPECT_EQ(ErrorOf(&Stub::ClassifyTexts, request, kInvalid), "items[1].text: has 21 tokens, at most 20");
  request.set_overlong(v1::OVERLONG_TEXT_TRUNCATE);
  v1::ClassifyTextsResponse response = Called(&Stub::ClassifyTexts, request);
  EXPECT_FALSE(response.items(0).truncated());
  EXPECT_TRUE(response.items(1).truncated());
  EXPECT_EQ(response.items(1).token_count(), 20);
  request.set_max_tokens(0);
  EXPECT_EQ(ErrorOf(&Stub::ClassifyTexts, request, kInvalid), "max_tokens: 0, must be at least 1");
  request.set_max_tokens(2);
  EXPECT_EQ(Called(&Stub::ClassifyTexts, request).items(1).token_count(), 2);
  request.set_overlong(static_cast<v1::OverlongText>(9));
  EXPECT_EQ(ErrorOf(&Stub::ClassifyTexts, request, kInvalid), "overlong: 9, known are 0 to 3");
  request.clear_overlong();
  request.set_function(static_cast<v1::ClassifyTextsRequest::Function>(9));
  EXPECT_EQ(ErrorOf(&Stub::ClassifyTexts, request, kInvalid), "function: 9, known are 0 to 3");
  request.clear_function();
  request.mutable_items(1)->set_pair("a");
  request.mutable_items(1)->add_choices("b");
  EXPECT_EQ(ErrorOf(&Stub::ClassifyTexts, request, kInvalid), "items[1]: has a pair and choices");
  request.clear_items();
  EXPECT_EQ(ErrorOf(&Stub::ClassifyTexts, request, kInvalid), "items: is empty, at least one");
}

TEST_P(TextHeadsTest, WordsAreTagged) {
  Start();
  v1::TagTextsRequest request;
  request.add_texts("with Ada there");
  const v1::TagTextsResponse response = Called(&Stub::TagTexts, request);
  ASSERT_EQ(response.texts_size(), 1);
  ASSERT_EQ(response.texts(0).words_size(), 3);
  EXPECT_EQ(response.texts(0).words(1).word(), "Ada");
  EXPECT_EQ(response.texts(0).words(1).label(), "NAME");
  EXPECT_EQ(response.texts(0).words(1).score(), 0.75f);
  EXPECT_EQ(response.texts(0).words(1).start(), 5);
  EXPECT_EQ(response.texts(0).words(1).end(), 8);
  EXPECT_EQ(response.texts(0).token_count(), 3);
  request.add_texts(kLongText);
  EXPECT_EQ(ErrorOf(&Stub::TagTexts, request, kInvalid), "texts[1]: has 21 tokens, at most 20");
}

TEST_P(TextHeadsTest, AnswersComeFromTheText) {
  Start();
  v1::AnswerFromTextRequest request;
  request.set_context("the cat saw a cat and the dog");
  request.add_questions("where is the cat");
  request.add_questions("and a bird");
  request.set_top_k(2);
  const v1::AnswerFromTextResponse response = Called(&Stub::AnswerFromText, request);
  ASSERT_EQ(response.questions_size(), 2);
  ASSERT_EQ(response.questions(0).answers_size(), 2);
  EXPECT_EQ(response.questions(0).answers(1).text(), "cat");
  EXPECT_EQ(response.questions(0).answers(1).start(), 14);
  EXPECT_EQ(response.questions(0).answers(1).end(), 17);
  EXPECT_EQ(response.questions(0).answers(1).score(), 0.25f);
  EXPECT_EQ(response.questions(0).no_answer_score(), 0.125f);
  EXPECT_EQ(response.questions(1).answers_size(), 0);
  request.set_overlong(v1::OVERLONG_TEXT_REFUSE);
  request.set_context(kLongText);
  EXPECT_EQ(ErrorOf(&Stub::AnswerFromText, request, kInvalid), "context: has 21 tokens, at most 20");
  request.set_max_answer_tokens(0);
  EXPECT_EQ(ErrorOf(&Stub::AnswerFromText, request, kInvalid), "max_answer_tokens: 0, must be 1 to 1000");
  request.clear_questions();
  EXPECT_EQ(ErrorOf(&Stub::AnswerFromText, request, kInvalid), "questions: is empty, at least one");
}

TEST_P(TextHeadsTest, ManyQuestionsAboutALongContextAreInvalid) {
  Start();
  v1::AnswerFromTextRequest request;
  request.set_context(std::string(1 << 20, 'a'));
  for (int i = 0; i < 65; ++i) request.add_questions("what");
  EXPECT_EQ(ErrorOf(&Stub::AnswerFromText, request, kInvalid),
            "context: has 1048576 bytes, and 65 texts use it: together 68157440 bytes, at most 67108864");
}

TEST_P(TextHeadsTest, TextsHaveVectors) {
  Start();
  v1::EmbedTextsRequest request;
  request.add_texts("a bc");
  v1::EmbedTextsResponse response = Called(&Stub::EmbedTexts, request);
  EXPECT_EQ(response.texts(0).width(), 2);
  EXPECT_THAT(response.texts(0).values(), ElementsAre(2, 4));
  EXPECT_EQ(response.texts(0).token_count(), 2);
  request.set_pooling(v1::EmbedTextsRequest::POOLING_TOKENS);
  response = Called(&Stub::EmbedTexts, request);
  EXPECT_THAT(response.texts(0).values(), ElementsAre(1, 1, 1, 2));
  ASSERT_EQ(response.texts(0).tokens_size(), 2);
  EXPECT_EQ(response.texts(0).tokens(1).token(), "bc");
  EXPECT_EQ(response.texts(0).tokens(1).start(), 2);
  request.set_pooling(static_cast<v1::EmbedTextsRequest::Pooling>(9));
  EXPECT_EQ(ErrorOf(&Stub::EmbedTexts, request, kInvalid), "pooling: 9, known are 0 to 4");
}

TEST_P(TextHeadsTest, WhatTheModelHasNoHeadForIsUnimplemented) {
  SetModel({.uses = {.score = true}});
  Start();
  v1::FillInRequest fill;
  fill.add_texts()->set_text("<mask>");
  EXPECT_THAT(ErrorOf(&Stub::FillIn, fill, StatusCode::UNIMPLEMENTED), StartsWith("model 'books' cannot fill in gaps"));
  v1::ClassifyTextsRequest classify;
  classify.add_items()->set_text("a");
  EXPECT_THAT(ErrorOf(&Stub::ClassifyTexts, classify, StatusCode::UNIMPLEMENTED),
              StartsWith("model 'books' cannot classify texts"));
  v1::TagTextsRequest tag;
  tag.add_texts("a");
  EXPECT_THAT(ErrorOf(&Stub::TagTexts, tag, StatusCode::UNIMPLEMENTED), StartsWith("model 'books' cannot tag words"));
  v1::AnswerFromTextRequest answer;
  answer.add_questions("a");
  EXPECT_THAT(ErrorOf(&Stub::AnswerFromText, answer, StatusCode::UNIMPLEMENTED),
              StartsWith("model 'books' cannot find answers in texts"));
}

INSTANTIATE_TEST_SUITE_P(Sessions, TextHeadsTest, ::testing::Values(Sessions::kInMemory),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace heed
