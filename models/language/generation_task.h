// SPDX-License-Identifier: Apache-2.0
// Goes on from a text: reads the prompt, then lets a search choose token after token.
//
// Each hypothesis has its own memory; memories share their common blocks. A request that keeps the state reads its text
// behind the prompt once more at the end, which takes few steps and no search.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/kinds/language_model.h"
#include "models/language/causal_network.h"
#include "models/language/causal_task.h"
#include "models/search/search.h"
#include "models/text/text_tokenizer.h"

namespace heed {

class GenerationTask : public GenerateTask, public CausalTask {
 public:
  // `prompt` are the tokens to read behind the request's state: at least one, or the state has read something. The
  // network and the tokenizer outlive it. `request.options` are as checked, max_tokens set.
  GenerationTask(const CausalNetwork& network, const TextTokenizer& tokenizer, GenerateRequest request,
                 const std::vector<TextToken>& prompt);

  int64_t next_rows() const override;
  int64_t peak_bytes() const override;
  int64_t answer_bytes() const override;
  bool has_output() const override { return finished() || stable_text_.size() > taken_; }
  std::shared_ptr<const State> state() const override { return state_; }
  std::string TakeText() override;

  void AppendReadings(std::vector<Reading>& readings) override;
  void Take() override;

 private:
  // What a hypothesis' step learned of the next token.
  struct StepRecord {
    std::vector<Candidate> best;
    std::vector<float> attention;
  };
  // One search and the memories of its hypotheses, by slot.
  struct Draw {
    std::unique_ptr<Search> search;
    std::vector<std::unique_ptr<TextMemory>> memories;
    std::vector<std::vector<StepRecord>> steps;  // [tokens, slots]
    // Of the step under way.
    std::vector<SearchRow> rows;
    std::vector<VocabularyQuery> wanted;
    std::vector<int32_t> inputs;
  };
  enum class Phase { kPrompt, kSearch, kKeep };

  int64_t draws() const { return request_.options.sample ? request_.options.n : 1; }
  bool needs_alternatives() const { return request_.options.return_tokens && request_.options.top_k_alternatives > 0; }
  // Tokens of `ids` from next_ on that a step reads.
  absl::Span<const int32_t> Stretch(const std::vector<int32_t>& ids) const;

  void BeginSearch();
  void AppendSearch(Draw& draw);
  void TakeSearch(Draw& draw, size_t first_answer);
  void Advance(Draw& draw, absl::Span<const VocabularyAnswer> answers);
  // The text of generated tokens as it follows the prompt: with a blank before it where a word begins. Without one if
  // the prompt ends in white space, or only a session stands before it.
  std::string TextBehindPrompt(absl::Span<const int32_t> tokens) const;
  // Whether a stop text ended the draw.
  bool Stopped(const Draw& draw) const;
  void Stream();
  void Conclude();
  GeneratedText TextOf(const Draw& draw, const FoundHypothesis& found) const;
  // `ends`: of each token in the text.
  void AddTokens(const Draw& draw, const FoundHypothesis& found, const std::vector<int64_t>& ends,
                 GeneratedText& text) const;
  void AddAttention(const std::vector<float>& weights, int64_t row, TextAttention& attention) const;

  const CausalNetwork& network_;
  const TextTokenizer& tokenizer_;
  const GenerateRequest request_;
  std::vector<int32_t> prompt_;
  SearchRules rules_;
  int64_t read_before_ = 0;

  Phase phase_ = Phase::kPrompt;
  int64_t next_ = 0;  // of the prompt, or of the text that is kept
  std::unique_ptr<TextMemory> memory_;
  std::vector<Draw> draws_;
  std::vector<int32_t> kept_;  // the first text's tokens, to be read into the state

  // Of the step under way: those of all draws, in order.
  std::vector<NextTokenQuery> queries_;
  std::vector<NextTokenAnswer> answers_;
  std::vector<std::vector<float>> attention_;

  std::string stable_text_;
  size_t taken_ = 0;
  std::shared_ptr<const State> state_;
};

}  // namespace heed
