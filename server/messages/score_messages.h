// SPDX-License-Identifier: Apache-2.0
// Between heed.v1's messages about scores and sessions of texts and the types of models/kinds/language_model.h.
//
// What comes from a message is checked for its shape here: something to do, options within their range. Texts are the
// model's to check. Errors are INVALID_ARGUMENT and name the field.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "heed/v1/language_modeling.pb.h"
#include "models/kinds/language_model.h"
#include "server/sessions/session.h"

namespace heed {

absl::StatusOr<ScoreOptions> ToScoreOptions(const v1::ScoreOptions& options);
// One for each item, without a state. At most `most`.
absl::StatusOr<std::vector<ScoreRequest>> ToScores(const v1::ScoreRequest& request, int64_t most);
// The error of the model's Start for an item, as one about the request.
absl::Status AboutScoreItem(const absl::Status& status, int64_t item);

// Without a state, which the model is to keep.
absl::StatusOr<ScoreRequest> ToRead(const v1::ReadTextRequest& request);
// Options of a text that a session reads: `segment_tokens` and `order` are not theirs to set.
absl::StatusOr<ScoreOptions> ToReadOptions(const v1::ScoreOptions& options);

// `stream_offset`: of the text's beginning, which the offsets count from.
void Fill(const ScoreResult& result, const ScoreOptions& options, v1::TextScore& to, int64_t stream_offset = 0);
void Fill(const TokenScore& token, int64_t stream_offset, v1::TokenScore& to);
// Adds what was read behind `sum` to it; its token scores and attention are left out.
void Add(const ScoreResult& more, ScoreResult& sum);

// `model`: of the session, null if there is none at the moment; `model_version`: its version with the session's
// weights, 0: none serves. `idle_limit`: SessionOptions::idle_limit.
v1::TextSession ToTextSession(const Session& session, const LanguageModel* model, int64_t model_version,
                              Clock::duration idle_limit);

}  // namespace heed
