// SPDX-License-Identifier: Apache-2.0
// Search over a network's answers: greedy, beam and sampling, one sequence at a time.
//
// Semantics and scores are those of Hugging Face transformers 4.46 (greedy and sampling: GenerationMixin; beam search:
// BeamSearchScorer), so that the same weights give the same translations. A hypothesis' score is the sum of its tokens'
// log-probabilities divided by length^length_penalty, the length counting end-of-sentence but not a forced prefix.
#pragma once

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "engine/linear/vocabulary_projection.h"
#include "models/kinds/search_options.h"

namespace heed {

// What a model imposes on each search. Constant.
struct SearchRules {
  int32_t start = 0;  // first decoder input
  int32_t eos = 0;
  std::vector<int32_t> banned;                       // tokens that are never produced, ascending
  std::vector<std::vector<int32_t>> banned_phrases;  // token sequences, of two or more, that are never produced
  std::vector<int32_t> banned_first;                 // tokens that are not the first behind the prefix
  // Most tokens of a translation unless its request says how many, the prefix included; 0: as many as fit.
  int64_t max_tokens = 0;
  int64_t max_new_tokens = 0;  // the same behind the prefix; if given, it counts alone
  bool force_eos = false;      // the last token that fits is end-of-sentence, whatever the network says
  bool renormalize = false;    // probabilities add up to 1 without the banned tokens
};

// A complete hypothesis.
struct FoundHypothesis {
  std::vector<int32_t> tokens;  // the prefix and end-of-sentence included
  double score = 0;             // exactly comparable with the bound that ends a beam search; 0 without options.scores
  FinishReason reason = FinishReason::kEos;
  std::vector<int32_t> slots;  // for each token, the slot of the step that produced it: where its attention lies
  // For each token behind the prefix, as the network had it: without the repetition penalty. 0 without options.scores.
  std::vector<float> log_probabilities;
};

// How many of `tokens` stand before the point from which on they only repeat, with a period of at most 16 tokens, what
// stands before it; all of them if they do not.
int64_t TokensBeforeRepetition(absl::Span<const int32_t> tokens);
// True if the repetition at the end is a loop: at least 16 tokens, and at least four times the same.
bool EndsInLoop(absl::Span<const int32_t> tokens);

// One hypothesis in one step.
struct SearchRow {
  int32_t token = 0;                 // input: the token before the one asked for
  int32_t position = 0;              // of `token`, from 0: the start's
  int32_t slot = 0;                  // its place among the rows of this step
  const int32_t* history = nullptr;  // [position] slots of the rows of earlier steps that it comes from
};

// One sequence's search. One thread at a time. Usage: until done(): AppendRows, a network's step, Advance.
class Search {
 public:
  // `options` as validated, max_tokens set; `prefix` tokens that every hypothesis begins with, fewer than max_tokens.
  // `rules` must outlive the search. `seed` is for sampling, `source_loops` says that the source itself repeats.
  // `read`: tokens that the network has read before the first step. What must not repeat counts them.
  Search(const SearchRules& rules, const SearchOptions& options, std::vector<int32_t> prefix, int64_t vocabulary,
         uint64_t seed, bool source_loops, std::vector<int32_t> read = {});

  bool done() const { return done_; }
  // Hypotheses of the next step.
  int64_t rows() const { return static_cast<int64_t>(beams_.size()); }
  // Appends their rows and queries, which point into this object until Advance.
  void AppendRows(std::vector<SearchRow>& rows, std::vector<VocabularyQuery>& queries);
  // For each running hypothesis, in the order of its rows, the slot of the hypothesis of the step before that it
  // extends. After the first Advance.
  std::vector<int32_t> Parents() const;
  // Takes the answers to the last AppendRows, in order.
  void Advance(absl::Span<const VocabularyAnswer> answers);

  // Ends the search as it is: the running hypotheses are complete.
  void Stop() { Finish(FinishReason::kEos); }

  // Tokens of the first running or of the best finished hypothesis: of a greedy search or sampling, those so far.
  absl::Span<const int32_t> tokens() const;
  // Once done: the n_best best, best first.
  std::vector<FoundHypothesis> TakeResults();

 private:
  struct Beam {
    float score = 0;              // sum of log-probabilities
    std::vector<int32_t> tokens;  // start aside
    std::vector<int32_t> slots;   // of each position's entry, the start's first: one fewer than positions written
    std::vector<int32_t> banned;  // for the next token, ascending
    std::vector<float> log_probabilities;
    // Of tokens that the penalty changes, ascending: their logits as they were. Of the step under way.
    std::vector<std::pair<int32_t, float>> unpenalized;
  };
  struct Extension {
    float score;
    int32_t beam;
    int32_t token;
    float log_probability;
  };

  // Whether the answers to the next step matter, and their probabilities.
  bool in_prefix() const { return length_ < static_cast<int64_t>(prefix_.size()); }
  bool needs_probabilities() const;
  int64_t generated() const { return length_ - static_cast<int64_t>(prefix_.size()); }
  void Ban(Beam& beam) const;
  void BanRepetitions(Beam& beam) const;
  // The answer with the logits of tokens that were there before changed as options.repetition_penalty says.
  VocabularyAnswer Penalized(Beam& beam, const VocabularyAnswer& answer, float* logits, int top) const;
  // Of a token whose logit may have been penalized.
  static float LogProbability(const Beam& beam, int32_t token, float logit, const VocabularyAnswer& answer);
  int32_t Draw(const VocabularyAnswer& answer, float* logits);
  void AdvanceOne(const VocabularyAnswer& answer, float* logits);
  void AdvanceBeams(absl::Span<const VocabularyAnswer> answers);
  Beam Extended(const Beam& beam, int32_t slot, int32_t token, float score) const;
  Beam Extended(const Beam& beam, const Extension& extension) const;
  bool Loops(const Beam& beam) const;
  void AddFinished(Beam beam, FinishReason reason);
  bool NoneCanImprove(float best_sum) const;
  void Finish(FinishReason reason);

  const SearchRules& rules_;
  const SearchOptions options_;
  const std::vector<int32_t> prefix_;
  const std::vector<int32_t> read_;
  const std::vector<int32_t> distinct_read_;  // ascending
  const int64_t vocabulary_;
  const bool stop_loops_;
  std::mt19937_64 random_;
  std::vector<float> logits_;  // all of each row, from the first step on, if sampling or the penalty needs them

  std::vector<Beam> beams_;                // running
  std::vector<FoundHypothesis> finished_;  // in the order of transformers' BeamHypotheses
  std::vector<FoundHypothesis> loops_;     // cut; results only where too few ended by themselves
  double worst_finished_ = 1e9;
  int64_t length_ = 0;  // tokens of each running hypothesis, the prefix included
  bool done_ = false;
};

}  // namespace heed
