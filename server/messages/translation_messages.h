// SPDX-License-Identifier: Apache-2.0
// Between heed.v1's translation messages and the types of models/kinds/translator.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "heed/v1/translation.pb.h"
#include "models/kinds/translator.h"

namespace heed {

// The request's options, with `defaults` where a field is absent; a request that samples has beam_size 1 by default.
// `stream`: the answer is a stream, so greedy search and sampling give out text as it grows. INVALID_ARGUMENT: an enum
// value that does not exist. Ranges are the translator's to check.
absl::StatusOr<TranslateOptions> ToTranslateOptions(const v1::TranslateOptions& options,
                                                    const TranslateOptions& defaults, bool stream);

// What the answer is to hold beside texts.
struct SentenceDetail {
  bool sentences = false;  // of TranslatedText: return_sentences, n_best > 1, or one of the following
  bool tokens = false;
  bool attention = false;  // and the tokens that name its rows and columns
};
SentenceDetail ToSentenceDetail(const v1::TranslateOptions& options);

// Numbers of tokens, end-of-sentence included.
struct TokenCounts {
  int64_t source = 0;
  int64_t target = 0;  // of the best hypothesis
};
TokenCounts CountTokens(const SentenceResult& result);

// The memory that a result takes until its answer is sent.
int64_t AnswerBytes(const SentenceResult& result);

// A sentence that was translated. Borrows all three.
struct FinishedSentence {
  absl::string_view source;  // TranslationTask::source()
  const SentenceResult* result = nullptr;
  const SentencePlace* place = nullptr;
};
// `task` is finished without an error.
FinishedSentence SentenceOf(const TranslationTask& task, const SentencePlace& place);

v1::TranslatedSentence ToProto(const FinishedSentence& sentence, const SentenceDetail& detail);

// Best first. A sentence without a hypothesis of `rank` gives its last one; `alignment`, if it is given, gets that of
// the text that was joined, the source's ranges in bytes of the text that the sentences are of.
std::string JoinSentences(absl::Span<const FinishedSentence> sentences, absl::string_view trailing, size_t rank,
                          std::vector<AlignedToken>* alignment = nullptr);

// Adds what the sentences say of a text: scores, reasons, numbers of tokens, and themselves if `detail` asks for them.
void AddSentences(absl::Span<const FinishedSentence> sentences, const SentenceDetail& detail, v1::TranslatedText& text);

// One text from its sentences, in order.
v1::TranslatedText ToProto(absl::Span<const FinishedSentence> sentences, absl::string_view trailing,
                           const SentenceDetail& detail);

// All texts of a request from its sentences: `tasks`, TranslationTasks, are finished without an error, `places` and
// `trailing` are as Translator::Start gave them.
void FillTranslations(absl::Span<const std::unique_ptr<Task>> tasks, absl::Span<const SentencePlace> places,
                      const std::vector<std::string>& trailing, const SentenceDetail& detail,
                      v1::TranslateResponse& response);

}  // namespace heed
