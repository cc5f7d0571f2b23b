// SPDX-License-Identifier: Apache-2.0
// A language model over any network that reads from left to right: scores, generation, and sessions. Architectures
// derive from it and add what else their weights have a head for.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "models/kinds/language_model.h"
#include "models/language/causal_network.h"
#include "models/language/generation_defaults.h"
#include "models/language/score_record.h"
#include "models/text/text_tokenizer.h"

namespace heed {

// Immutable, thread-safe.
class CausalLanguageModel : public LanguageModel {
 public:
  struct Parts {
    ModelSpec spec;  // complete, with weights, bytes and fingerprint
    std::unique_ptr<const TextTokenizer> tokenizer;
    std::unique_ptr<const CausalNetwork> network;  // null: the weights have no language-modelling head
    LanguageModelUses uses;                        // `score` is whether there is a network
    GenerationDefaults defaults;
  };

  const ModelSpec& spec() const override { return parts_.spec; }
  const LanguageModelUses& uses() const override { return parts_.uses; }
  const GenerateOptions& default_options() const override { return parts_.defaults.options; }
  int64_t MemoryTokens(const State& state) const override;
  // Of a model without a network: a state that nothing can be read into.
  std::shared_ptr<const State> NewState() const override;
  absl::StatusOr<std::shared_ptr<const State>> OpenState(int64_t segment_tokens) const override;
  absl::StatusOr<std::shared_ptr<const State>> ParseState(absl::string_view bytes) const override;
  absl::StatusOr<std::unique_ptr<ScoreTask>> StartScore(ScoreRequest request, const StartLimits& limits) const override;
  absl::StatusOr<std::unique_ptr<GenerateTask>> StartGenerate(GenerateRequest request,
                                                              const StartLimits& limits) const override;
  // Reads the scores' and generations' tokens in one pass; the other tasks go to StepOthers.
  void Step(absl::Span<Task* const> tasks, Context& context) const final;

  const TextTokenizer& tokenizer() const { return *parts_.tokenizer; }

 protected:
  explicit CausalLanguageModel(Parts parts);

  // Advances tasks of the derived class.
  virtual void StepOthers(absl::Span<Task* const> tasks, Context& context) const;
  // The tokens of a text of a request; errors are about `field`, those of its options about `options`, as
  // "options.text".
  absl::StatusOr<std::vector<TextToken>> Tokenize(absl::string_view field, absl::string_view text,
                                                  const TextOptions& text_options, absl::string_view options) const;
  // The tokens of a request to score, but for its order, which is the caller's to check.
  absl::StatusOr<ScoredTokens> PrepareScore(const ScoreRequest& request, const StartLimits& limits) const;

 private:
  absl::Status CheckState(const std::shared_ptr<const State>& state) const;
  absl::Status CheckScore(const ScoreRequest& request) const;
  absl::Status CheckGenerate(const GenerateRequest& request) const;
  absl::Status CheckSegmentTokens(absl::string_view field, int64_t segment_tokens) const;

  Parts parts_;  // constant after construction
};

}  // namespace heed
