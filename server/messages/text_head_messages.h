// SPDX-License-Identifier: Apache-2.0
// Between heed.v1's messages about gaps, labels, tags, answers and vectors of texts and the types of
// models/kinds/language_model.h.
//
// Each function that takes a request gives one request to the model for each of its texts, at most `most`. Errors are
// INVALID_ARGUMENT and name the field; those of the model's Start become errors about the message by About...Item.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "heed/v1/language_modeling.pb.h"
#include "models/kinds/language_model.h"

namespace heed {

absl::StatusOr<std::vector<FillInRequest>> ToFillIns(const v1::FillInRequest& request, int64_t most);
absl::StatusOr<std::vector<TextClassificationRequest>> ToClassifications(const v1::ClassifyTextsRequest& request,
                                                                         int64_t most);
absl::StatusOr<std::vector<TagRequest>> ToTags(const v1::TagTextsRequest& request, int64_t most);
absl::StatusOr<std::vector<AnswerFromTextRequest>> ToAnswers(const v1::AnswerFromTextRequest& request, int64_t most);
absl::StatusOr<std::vector<EmbedRequest>> ToEmbeddings(const v1::EmbedTextsRequest& request, int64_t most);

absl::Status AboutFillInItem(const absl::Status& status, int64_t text);
absl::Status AboutClassificationItem(const absl::Status& status, int64_t item);
absl::Status AboutTagItem(const absl::Status& status, int64_t text);
absl::Status AboutAnswerItem(const absl::Status& status, int64_t question);
absl::Status AboutEmbeddingItem(const absl::Status& status, int64_t text);

// `with_attention`: the request asks for it.
void Fill(const FillInResult& result, bool with_attention, v1::FillInResponse::Text& to);
void Fill(const TextClassification& result, bool with_attention, v1::ClassifyTextsResponse::Item& to);
void Fill(const TagResult& result, bool with_attention, v1::TagTextsResponse::Text& to);
void Fill(const AnswerFromTextResult& result, bool with_attention, v1::AnswerFromTextResponse::Question& to);
void Fill(const EmbedResult& result, bool with_attention, v1::EmbedTextsResponse::Text& to);

}  // namespace heed
