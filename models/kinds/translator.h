// SPDX-License-Identifier: Apache-2.0
// Translation as a typed front: from texts and options to sentences that are tasks, and back to texts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/kinds/model.h"
#include "models/kinds/search_options.h"

namespace heed {

// Defaults come from the model: Translator::default_options().
struct TranslateOptions : SearchOptions {
  // max_tokens is per sentence. 0: 3 x source tokens + 50, within the model's positions. min_tokens likewise.
  std::string target_prefix;
  bool split_sentences = true;
  bool return_tokens = true;  // as text
  bool return_attention = false;
  bool align = false;   // fill Hypothesis::alignment, if the model has attention
  bool stream = false;  // tasks give out their text as it grows (greedy search and sampling only)

  bool operator==(const TranslateOptions&) const = default;
};

// A part of a text, in bytes of its UTF-8.
struct TextRange {
  size_t begin = 0;
  size_t end = 0;

  bool operator==(const TextRange&) const = default;
};

// A phrase of a source text whose translation is given: a glossary's, or the phrase itself if it is not to be
// translated.
struct ForcedPhrase {
  TextRange source;    // within the text; ranges of a text do not overlap and are in order
  std::string target;  // appears in the translation to the byte, once for each phrase

  bool operator==(const ForcedPhrase&) const = default;
};

// A text to translate.
struct SourceText {
  SourceText(std::string text_of_it = {}) : text(std::move(text_of_it)) {}  // NOLINT(google-explicit-constructor)

  std::string text;
  std::string code;                  // of the target language, ">>deu<<", where the text has none of its own
  std::string language;              // that it is in, as LanguagePair::source has it; empty: not known
  std::vector<ForcedPhrase> forced;  // sentences are not split within them
  std::string field;                 // what errors call it; empty: "texts[0]" for the first one ...
};

// A token of a translation and what it renders.
struct AlignedToken {
  TextRange target;  // of Hypothesis::text; empty for tokens that add nothing to it. In order, without overlaps.
  TextRange source;  // of TranslationTask::source(): the token that it is aligned with
};

// Two languages, as BCP 47 writes them ("pt-BR"), between which a model translates.
struct LanguagePair {
  std::string source;  // empty: the model takes a code, but nobody says what it reads
  std::string target;
  std::string code;  // ">>pob<<" if the model takes one; else empty

  bool operator==(const LanguagePair&) const = default;
};

struct Hypothesis {
  std::string text;
  float score = 0;  // log-probability / length^length_penalty; 0 without options.scores
  FinishReason finish_reason = FinishReason::kEos;
  int64_t token_count = 0;          // end-of-sentence included
  std::vector<std::string> tokens;  // those, if asked for
  std::vector<float> attention;     // [tokens, source_tokens], row-major, if asked for: last layer, mean of heads
  // If asked for: of each token, by the model's alignment heads (models/translation/generation_config.h). A sentence
  // that needs no model (numbers, phrases alone) has one of each word. Empty of a model without attention.
  std::vector<AlignedToken> alignment;
};

struct SentenceResult {
  std::vector<Hypothesis> hypotheses;      // best first, n_best of them
  int64_t source_token_count = 0;          // end-of-sentence included; 0: a blank text
  std::vector<std::string> source_tokens;  // those, if asked for
};

// One sentence of a request.
class TranslationTask : public Task {
 public:
  virtual const std::string& source() const = 0;
  // Set once finished() without an error.
  virtual const SentenceResult& result() const = 0;
  // With options.stream: the text that became final since the last call. The pieces of a sentence make up its text.
  virtual std::string TakeText() = 0;
};

// Where a task's sentence stands in its request.
struct SentencePlace {
  int text = 0;           // index of its text in the request
  int sentence = 0;       // index within the text
  std::string separator;  // the white space before it
  size_t begin = 0;       // in bytes of the text: where the sentence begins, behind its language code if it has one
  size_t code_bytes = 0;  // of TranslationTask::source(): the language code before the sentence
};

struct StartedTranslation {
  std::vector<std::unique_ptr<TranslationTask>> tasks;  // in order of text and sentence; every text has at least one
  std::vector<SentencePlace> places;                    // one for each task
  std::vector<std::string> trailing;                    // one for each text: the white space after its last sentence
};

// Thread-safe, immutable.
class Translator : public Model {
 public:
  ModelKind kind() const final { return ModelKind::kTranslator; }
  // Translates a word.
  absl::Status Probe(Context& context) const override;

  // Options as the model's own generation_config.json sets them.
  virtual const TranslateOptions& default_options() const = 0;

  // The pairs that it translates, as far as its files, or else its name, say so.
  virtual const std::vector<LanguagePair>& language_pairs() const = 0;

  // Validates, splits into sentences and tokenizes, on the caller's thread; every INVALID_ARGUMENT comes from here and
  // names the field and both values. Blank texts become finished tasks with an empty translation. `limits` are checked
  // before any text is looked at, as far as counts and sizes tell, and between sentences.
  virtual absl::StatusOr<StartedTranslation> Start(absl::Span<const SourceText> texts, const TranslateOptions& options,
                                                   const StartLimits& limits) const = 0;
  // Of texts without anything forced.
  absl::StatusOr<StartedTranslation> Start(const std::vector<std::string>& texts, const TranslateOptions& options,
                                           const StartLimits& limits = StartLimits()) const {
    return Start(absl::MakeConstSpan(std::vector<SourceText>(texts.begin(), texts.end())), options, limits);
  }
};

}  // namespace heed
