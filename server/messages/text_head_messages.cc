// SPDX-License-Identifier: Apache-2.0
#include "server/messages/text_head_messages.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "server/messages/text_fields.h"

namespace heed {
namespace {

constexpr char kDefaultMarker[] = "<mask>";
constexpr int64_t kMaxGaps = 1000;
constexpr int64_t kMaxCandidates = 1000;  // of one gap
constexpr int64_t kMaxGapPieces = 16;
constexpr int64_t kMaxAnswers = 100;  // of one question
constexpr int64_t kMaxAnswerTokens = 1000;
// A context is copied for each of the texts that it stands before, or that are asked about it.
constexpr int64_t kMaxContextBytes = 64 << 20;

absl::Status CheckContext(absl::string_view field, const std::string& context, int64_t texts) {
  const int64_t bytes = static_cast<int64_t>(context.size()) * texts;
  if (bytes <= kMaxContextBytes) return absl::OkStatus();
  return InvalidField(field, "has ", context.size(), " bytes, and ", texts, " texts use it: together ", bytes,
                      " bytes, at most ", kMaxContextBytes);
}

bool IsInsideCharacter(const std::string& text, int64_t offset) {
  if (offset >= static_cast<int64_t>(text.size())) return false;
  return (static_cast<unsigned char>(text[static_cast<size_t>(offset)]) & 0xC0) == 0x80;
}

// Candidates and pieces of one gap, or of all that are at markers. `From`: a Gap or a Text.
template <typename From>
absl::Status SetFilling(const std::string& field, const From& from, TextGap& gap) {
  if (from.candidates_size() > kMaxCandidates) {
    return InvalidField(field + ".candidates", from.candidates_size(), ", at most ", kMaxCandidates);
  }
  for (int i = 0; i < from.candidates_size(); ++i) {
    if (from.candidates(i).empty()) return InvalidField(absl::StrCat(field, ".candidates[", i, "]"), "is empty");
    gap.candidates.push_back(from.candidates(i));
  }
  if (!from.has_pieces()) return absl::OkStatus();
  if (!gap.candidates.empty()) return InvalidField(field + ".pieces", from.pieces(), ", but there are candidates");
  HEED_RETURN_IF_ERROR(CheckRange(field + ".pieces", from.pieces(), 1, kMaxGapPieces));
  gap.pieces = from.pieces();
  return absl::OkStatus();
}

absl::Status SetGap(const std::string& field, const v1::FillInRequest::Gap& from, const FillInRequest& text,
                    TextGap& gap) {
  const auto size = static_cast<int64_t>(text.text.size());
  const int64_t before = text.gaps.empty() ? 0 : text.gaps.back().end;
  if (from.start() < before || from.start() > size) {
    return InvalidField(field + ".start", from.start(), ", must be ", before, " to ", size);
  }
  if (from.end() < from.start() || from.end() > size) {
    return InvalidField(field + ".end", from.end(), ", must be ", from.start(), " to ", size);
  }
  for (const auto& [name, offset] : {std::pair(".start", from.start()), std::pair(".end", from.end())}) {
    if (IsInsideCharacter(text.text, offset)) {
      return InvalidField(field + name, offset, ", is within a character of the text");
    }
  }
  gap.start = from.start();
  gap.end = from.end();
  return SetFilling(field, from, gap);
}

absl::Status SetGaps(const std::string& field, const v1::FillInRequest::Text& from, const std::string& marker,
                     FillInRequest& text) {
  if (from.gaps_size() > kMaxGaps) return InvalidField(field + ".gaps", from.gaps_size(), ", at most ", kMaxGaps);
  for (int i = 0; i < from.gaps_size(); ++i) {
    TextGap gap;
    HEED_RETURN_IF_ERROR(SetGap(absl::StrCat(field, ".gaps[", i, "]"), from.gaps(i), text, gap));
    text.gaps.push_back(std::move(gap));
  }
  if (!text.gaps.empty()) {
    if (from.candidates_size() > 0 || from.has_pieces()) {
      return InvalidField(field, "has candidates or pieces for gaps at markers, but its gaps are given");
    }
    return absl::OkStatus();
  }
  TextGap gap;
  HEED_RETURN_IF_ERROR(SetFilling(field, from, gap));
  for (size_t at = text.text.find(marker); at != std::string::npos; at = text.text.find(marker, at + marker.size())) {
    if (static_cast<int64_t>(text.gaps.size()) >= kMaxGaps) {
      return InvalidField(field + ".text", "has more than ", kMaxGaps, " gaps");
    }
    gap.start = static_cast<int64_t>(at);
    gap.end = static_cast<int64_t>(at + marker.size());
    text.gaps.push_back(gap);
  }
  if (!text.gaps.empty()) return absl::OkStatus();
  return InvalidField(field, "has no gaps, and its text has no \"", marker, "\"");
}

// Fields that several messages have.
template <typename Message, typename Request>
absl::Status SetCommon(const Message& message, Overlong by_default, Request& request) {
  HEED_ASSIGN_OR_RETURN(request.text_options, ToTextOptions("text_options", message.text_options()));
  HEED_ASSIGN_OR_RETURN(request.overlong, ToOverlong("overlong", message.overlong(), by_default));
  if (message.has_max_tokens()) {
    if (message.max_tokens() < 1) return InvalidField("max_tokens", message.max_tokens(), ", must be at least 1");
    request.max_tokens = message.max_tokens();
  }
  request.return_attention = message.return_attention();
  return absl::OkStatus();
}

template <typename Result, typename To>
void FillAttentionOf(const Result& result, bool with_attention, To& to) {
  if (with_attention) FillAttention(result.attention, result.token_texts, *to.mutable_attention());
}

}  // namespace

absl::StatusOr<std::vector<FillInRequest>> ToFillIns(const v1::FillInRequest& request, int64_t most) {
  HEED_RETURN_IF_ERROR(CheckTextCount("texts", request.texts_size(), most));
  HEED_RETURN_IF_ERROR(CheckContext("context", request.context(), request.texts_size()));
  FillInRequest common;
  switch (request.order()) {
    case v1::FillInRequest::ORDER_UNSPECIFIED:
    case v1::FillInRequest::ORDER_AT_ONCE:
      break;
    case v1::FillInRequest::ORDER_LEFT_TO_RIGHT:
      common.order = FillOrder::kLeftToRight;
      break;
    case v1::FillInRequest::ORDER_MOST_CERTAIN_FIRST:
      common.order = FillOrder::kMostCertainFirst;
      break;
    default:
      return InvalidField("order", static_cast<int>(request.order()), ", known are 0 to ",
                          static_cast<int>(v1::FillInRequest::Order_MAX));
  }
  if (request.has_top_k()) {
    HEED_RETURN_IF_ERROR(CheckRange("top_k", request.top_k(), 1, kMaxAlternatives));
    common.top_k = request.top_k();
  }
  HEED_ASSIGN_OR_RETURN(common.text_options, ToTextOptions("text_options", request.text_options()));
  common.return_attention = request.return_attention();
  common.context = request.context();
  const std::string marker = request.marker().empty() ? kDefaultMarker : request.marker();
  std::vector<FillInRequest> texts;
  for (int i = 0; i < request.texts_size(); ++i) {
    FillInRequest& text = texts.emplace_back(common);
    text.text = request.texts(i).text();
    HEED_RETURN_IF_ERROR(SetGaps(absl::StrCat("texts[", i, "]"), request.texts(i), marker, text));
  }
  return texts;
}

absl::StatusOr<std::vector<TextClassificationRequest>> ToClassifications(const v1::ClassifyTextsRequest& request,
                                                                         int64_t most) {
  HEED_RETURN_IF_ERROR(CheckTextCount("items", request.items_size(), most));
  TextClassificationRequest common;
  HEED_RETURN_IF_ERROR(SetCommon(request, Overlong::kRefuse, common));
  if (request.has_top_k()) {
    if (request.top_k() < 0) return InvalidField("top_k", request.top_k(), ", must be at least 0, all");
    common.top = request.top_k();
  }
  switch (request.function()) {
    case v1::ClassifyTextsRequest::FUNCTION_UNSPECIFIED:
      break;
    case v1::ClassifyTextsRequest::FUNCTION_SOFTMAX:
      common.function = LabelFunction::kSoftmax;
      break;
    case v1::ClassifyTextsRequest::FUNCTION_SIGMOID:
      common.function = LabelFunction::kSigmoid;
      break;
    case v1::ClassifyTextsRequest::FUNCTION_NONE:
      common.function = LabelFunction::kNone;
      break;
    default:
      return InvalidField("function", static_cast<int>(request.function()), ", known are 0 to ",
                          static_cast<int>(v1::ClassifyTextsRequest::Function_MAX));
  }
  std::vector<TextClassificationRequest> items;
  for (int i = 0; i < request.items_size(); ++i) {
    const v1::ClassifyTextsRequest::Item& from = request.items(i);
    if (!from.pair().empty() && from.choices_size() > 0) {
      return InvalidField(absl::StrCat("items[", i, "]"), "has a pair and choices");
    }
    TextClassificationRequest& item = items.emplace_back(common);
    item.text = from.text();
    item.pair = from.pair();
    item.choices.assign(from.choices().begin(), from.choices().end());
  }
  return items;
}

absl::StatusOr<std::vector<TagRequest>> ToTags(const v1::TagTextsRequest& request, int64_t most) {
  HEED_RETURN_IF_ERROR(CheckTextCount("texts", request.texts_size(), most));
  TagRequest common;
  HEED_RETURN_IF_ERROR(SetCommon(request, Overlong::kRefuse, common));
  std::vector<TagRequest> texts;
  for (const std::string& text : request.texts()) texts.emplace_back(common).text = text;
  return texts;
}

absl::StatusOr<std::vector<AnswerFromTextRequest>> ToAnswers(const v1::AnswerFromTextRequest& request, int64_t most) {
  HEED_RETURN_IF_ERROR(CheckTextCount("questions", request.questions_size(), most));
  HEED_RETURN_IF_ERROR(CheckContext("context", request.context(), request.questions_size()));
  AnswerFromTextRequest common;
  HEED_RETURN_IF_ERROR(SetCommon(request, Overlong::kWindows, common));
  if (request.has_top_k()) {
    HEED_RETURN_IF_ERROR(CheckRange("top_k", request.top_k(), 1, kMaxAnswers));
    common.top = request.top_k();
  }
  if (request.has_max_answer_tokens()) {
    HEED_RETURN_IF_ERROR(CheckRange("max_answer_tokens", request.max_answer_tokens(), 1, kMaxAnswerTokens));
    common.max_answer_tokens = request.max_answer_tokens();
  }
  common.allow_no_answer = request.allow_no_answer();
  common.context = request.context();
  std::vector<AnswerFromTextRequest> questions;
  for (const std::string& question : request.questions()) questions.emplace_back(common).question = question;
  return questions;
}

absl::StatusOr<std::vector<EmbedRequest>> ToEmbeddings(const v1::EmbedTextsRequest& request, int64_t most) {
  HEED_RETURN_IF_ERROR(CheckTextCount("texts", request.texts_size(), most));
  EmbedRequest common;
  HEED_RETURN_IF_ERROR(SetCommon(request, Overlong::kRefuse, common));
  switch (request.pooling()) {
    case v1::EmbedTextsRequest::POOLING_UNSPECIFIED:
    case v1::EmbedTextsRequest::POOLING_MEAN:
      break;
    case v1::EmbedTextsRequest::POOLING_SUMMARY:
      common.pooling = Pooling::kSummary;
      break;
    case v1::EmbedTextsRequest::POOLING_LAST:
      common.pooling = Pooling::kLast;
      break;
    case v1::EmbedTextsRequest::POOLING_TOKENS:
      common.pooling = Pooling::kTokens;
      break;
    default:
      return InvalidField("pooling", static_cast<int>(request.pooling()), ", known are 0 to ",
                          static_cast<int>(v1::EmbedTextsRequest::Pooling_MAX));
  }
  if (request.has_layer()) common.layer = request.layer();
  common.normalize = request.normalize();
  std::vector<EmbedRequest> texts;
  for (const std::string& text : request.texts()) texts.emplace_back(common).text = text;
  return texts;
}

absl::Status AboutFillInItem(const absl::Status& status, int64_t text) {
  return AboutItem(status, absl::StrCat("texts[", text, "]"), {"text_options", "context", "top_k", "order"});
}

absl::Status AboutClassificationItem(const absl::Status& status, int64_t item) {
  return AboutItem(status, absl::StrCat("items[", item, "]"),
                   {"text_options", "overlong", "max_tokens", "top", "function"});
}

absl::Status AboutTagItem(const absl::Status& status, int64_t text) {
  return AboutItem(status, absl::StrCat("texts[", text, "]"), {"text_options", "overlong", "max_tokens"},
                   {{"text", ""}});
}

absl::Status AboutAnswerItem(const absl::Status& status, int64_t question) {
  return AboutItem(status, absl::StrCat("questions[", question, "]"),
                   {"text_options", "overlong", "max_tokens", "context", "top", "max_answer_tokens"},
                   {{"question", ""}});
}

absl::Status AboutEmbeddingItem(const absl::Status& status, int64_t text) {
  return AboutItem(status, absl::StrCat("texts[", text, "]"),
                   {"text_options", "overlong", "max_tokens", "pooling", "layer"}, {{"text", ""}});
}

void Fill(const FillInResult& result, bool with_attention, v1::FillInResponse::Text& to) {
  for (const std::vector<GapFilling>& fillings : result.gaps) {
    v1::FillInResponse::Gap& gap = *to.add_gaps();
    for (const GapFilling& filling : fillings) {
      v1::FillInResponse::Filling& added = *gap.add_top();
      added.set_text(filling.text);
      added.mutable_tokens()->Assign(filling.tokens.begin(), filling.tokens.end());
      added.set_log_probability(filling.log_probability);
    }
  }
  to.set_filled_text(result.filled_text);
  to.set_log_probability(result.log_probability);
  FillAttentionOf(result, with_attention, to);
}

void Fill(const TextClassification& result, bool with_attention, v1::ClassifyTextsResponse::Item& to) {
  for (const TextLabel& label : result.labels) {
    v1::ClassifyTextsResponse::Label& added = *to.add_labels();
    added.set_label(label.label);
    added.set_score(label.score);
  }
  to.set_token_count(result.tokens);
  to.set_truncated(result.truncated);
  FillAttentionOf(result, with_attention, to);
}

void Fill(const TagResult& result, bool with_attention, v1::TagTextsResponse::Text& to) {
  for (const TaggedWord& word : result.words) {
    v1::TagTextsResponse::Word& added = *to.add_words();
    added.set_word(word.word);
    added.set_start(word.start);
    added.set_end(word.end);
    added.set_label(word.label);
    added.set_score(word.score);
  }
  to.set_token_count(result.tokens);
  FillAttentionOf(result, with_attention, to);
}

void Fill(const AnswerFromTextResult& result, bool with_attention, v1::AnswerFromTextResponse::Question& to) {
  for (const TextSpan& span : result.answers) {
    v1::AnswerFromTextResponse::Answer& added = *to.add_answers();
    added.set_text(span.text);
    added.set_start(span.start);
    added.set_end(span.end);
    added.set_score(span.score);
  }
  if (result.no_answer_score) to.set_no_answer_score(*result.no_answer_score);
  to.set_token_count(result.tokens);
  FillAttentionOf(result, with_attention, to);
}

void Fill(const EmbedResult& result, bool with_attention, v1::EmbedTextsResponse::Text& to) {
  to.set_width(static_cast<int32_t>(result.width));
  to.mutable_values()->Assign(result.values.begin(), result.values.end());
  for (const EmbeddedToken& token : result.tokens) {
    v1::EmbedTextsResponse::Token& added = *to.add_tokens();
    added.set_token(token.token);
    added.set_start(token.start);
    added.set_end(token.end);
  }
  to.set_token_count(result.token_count);
  to.set_truncated(result.truncated);
  FillAttentionOf(result, with_attention, to);
}

}  // namespace heed
