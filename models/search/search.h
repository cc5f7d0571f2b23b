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

// Phrases that every result of a search has, each once and none within another (Hokamp and Liu 2017; Post and Vilar
// 2018). Hypotheses compete with those that have as many tokens of them, so that the ones that pay for a phrase late do
// not crowd out the others. beam_size should be more than the number of these tokens.
struct ForcedTokens {
  static constexpr size_t kMaxPhrases = 64;

  std::vector<std::vector<int32_t>> phrases;  // tokens of each, at least one
  // Tokens that go on with the word before them and therefore do not come next to the end of a phrase: for each of the
  // vocabulary whether it is one. Null: none is.
  const std::vector<bool>* continuing = nullptr;
  size_t enough = 1;  // complete hypotheses that are enough, as beam_size is without phrases
  // A usual length of the sequence. A hypothesis is judged by the mean of its own tokens and by what the phrases cost
  // over this length: else one that cannot afford a phrase goes on and on until its mean is better.
  double usual_length = 1;
};

// Where a forced phrase is in a hypothesis.
struct PlacedPhrase {
  int32_t phrase = 0;
  int32_t begin = 0;  // its first token's index
};

// A complete hypothesis.
struct FoundHypothesis {
  std::vector<int32_t> tokens;  // the prefix and end-of-sentence included
  double score = 0;             // exactly comparable with the bound that ends a beam search; 0 without options.scores
  FinishReason reason = FinishReason::kEos;
  std::vector<int32_t> slots;  // for each token, the slot of the step that produced it: where its attention lies
  // For each token behind the prefix, as the network had it: without the repetition penalty. 0 without options.scores.
  std::vector<float> log_probabilities;
  std::vector<PlacedPhrase> placed;  // the forced phrases, in order of their places
  double rank = 0;                   // what results are ordered by: the score, but with forced phrases
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
  // `forced`: phrases, of a beam search of beam_size > 1 alone. Together they are shorter than max_tokens less the
  // prefix. Of phrases of the same tokens it does not matter which is which: they are placed in their order.
  Search(const SearchRules& rules, const SearchOptions& options, std::vector<int32_t> prefix, int64_t vocabulary,
         uint64_t seed, bool source_loops, std::vector<int32_t> read = {}, ForcedTokens forced = {});

  bool done() const { return done_; }
  // Hypotheses of the next step.
  int64_t rows() const { return static_cast<int64_t>(beams_.size()); }
  // Appends their rows and queries, which point into this object until Advance.
  void AppendRows(std::vector<SearchRow>& rows, std::vector<VocabularyQuery>& queries);
  // For each running hypothesis, in the order of its rows, the slot of the hypothesis of the step before that it
  // extends. After the first Advance.
  std::vector<int32_t> Parents() const;
  // Takes the answers to the last AppendRows, in order. `places` [rows, phrases], or empty: what is added to the score
  // of a hypothesis that begins a phrase with the token that follows.
  void Advance(absl::Span<const VocabularyAnswer> answers, absl::Span<const float> places = {});

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

    // With forced phrases only.
    uint64_t begun = 0;       // those that are placed, or under way
    int32_t open = -1;        // the one under way
    int32_t open_tokens = 0;  // of it, so far
    float open_score = 0;     // the sum of their log-probabilities
    int32_t missing = 0;      // tokens of phrases still to come
    float bonus = 0;          // included in `score` and `phrase_score`
    float phrase_score = 0;   // the phrases' part of `score`
    std::vector<PlacedPhrase> placed;
    std::vector<int32_t> wanted;          // tokens that would go on with or begin a phrase
    std::vector<int32_t> wanted_phrases;  // these
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

  // An extension of a hypothesis with forced phrases.
  struct ForcedExtension {
    Extension extension;
    int32_t phrase = -1;     // that the token begins or goes on with
    int32_t completed = -1;  // that is there now though it was not begun: the network itself wrote it
    float bonus = 0;
    uint64_t begun = 0;  // afterwards
  };
  bool forces() const { return !forced_.phrases.empty(); }
  size_t enough() const { return forces() ? forced_.enough : static_cast<size_t>(options_.beam_size); }
  int top() const;  // how many of the best tokens a step asks for
  void WantPhrases(Beam& beam) const;
  // The phrase, not begun, that `token` makes the last of the hypothesis' tokens; -1: none.
  int32_t CompletedBy(const Beam& beam, int32_t token) const;
  bool IsBehindPhrase(const Beam& beam) const;
  bool SameHypothesis(const ForcedExtension& a, const ForcedExtension& b) const;
  void AdvanceForced(absl::Span<const VocabularyAnswer> answers, absl::Span<const float> places);
  // All extensions that leave room for the phrases still to come, by how many of their tokens they have, best first.
  std::vector<std::vector<ForcedExtension>> ForcedExtensions(absl::Span<const VocabularyAnswer> answers,
                                                             absl::Span<const float> places) const;
  // How many hypotheses of each number of tokens go on.
  std::vector<size_t> Shares(absl::Span<const std::vector<ForcedExtension>> banks) const;
  Beam ExtendedByForced(const ForcedExtension& extension);
  bool NoneForcedCanImprove() const;
  // Of a hypothesis of `length` tokens with this sum, of which `phrase_score` and `phrase_tokens` are the phrases'.
  double ForcedRank(double sum, double length, double phrase_score, double phrase_tokens) const;
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
  const ForcedTokens forced_;
  int32_t phrase_tokens_ = 0;  // of all
  // Of each phrase: the largest log-probability that it was placed with; not a number: it was not.
  std::vector<float> best_placed_;
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
