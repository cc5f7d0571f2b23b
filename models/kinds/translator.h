// SPDX-License-Identifier: Apache-2.0
// Translation as a typed front: from texts and options to sentences that are tasks, and back to texts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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
  bool stream = false;  // tasks give out their text as it grows (greedy search and sampling only)
};

struct Hypothesis {
  std::string text;
  float score = 0;  // log-probability / length^length_penalty; 0 without options.scores
  FinishReason finish_reason = FinishReason::kEos;
  int64_t token_count = 0;          // end-of-sentence included
  std::vector<std::string> tokens;  // those, if asked for
  std::vector<float> attention;     // [tokens, source_tokens], row-major, if asked for: last layer, mean of heads
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

  // Validates, splits into sentences and tokenizes, on the caller's thread; every INVALID_ARGUMENT comes from here and
  // names the field and both values. Blank texts become finished tasks with an empty translation. `limits` are checked
  // before any text is looked at, as far as counts and sizes tell, and between sentences.
  virtual absl::StatusOr<StartedTranslation> Start(const std::vector<std::string>& texts,
                                                   const TranslateOptions& options,
                                                   const StartLimits& limits) const = 0;
  // Without limits.
  absl::StatusOr<StartedTranslation> Start(const std::vector<std::string>& texts,
                                           const TranslateOptions& options) const {
    return Start(texts, options, StartLimits());
  }
};

}  // namespace heed
