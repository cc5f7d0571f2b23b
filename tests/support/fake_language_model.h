// SPDX-License-Identifier: Apache-2.0
// A LanguageModel without a network: its memory holds the words themselves, and every number is one that a test can
// work out by hand. Steps can be held, which lets a test act between two of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/kinds/language_model.h"
#include "tests/support/step_gate.h"

namespace heed {

// Words that were read, in blocks that states share. Immutable.
class FakeTextState : public State {
 public:
  using Block = std::vector<std::string>;
  static constexpr size_t kBlockWords = 4;
  static constexpr int64_t kBlockBytes = 1000;  // each takes, whatever its words are

  FakeTextState() = default;
  // `max_words`: the memory holds so many, in whole blocks; 0: all.
  FakeTextState(std::vector<std::shared_ptr<const Block>> blocks, Block tail, int64_t words_read,
                int64_t segment_tokens)
      : blocks_(std::move(blocks)), tail_(std::move(tail)), words_read_(words_read), segment_tokens_(segment_tokens) {}

  // A state that has also read `words`.
  std::shared_ptr<const FakeTextState> With(const std::vector<std::string>& words, int64_t max_words) const;

  int64_t bytes() const override;
  std::vector<SharedPart> shared_parts() const override;
  int64_t units() const override { return words_read_; }
  std::string Serialize() const override;

  std::vector<std::string> words() const;  // that the memory holds
  int64_t segment_tokens() const { return segment_tokens_; }

 private:
  const std::vector<std::shared_ptr<const Block>> blocks_;  // full ones
  const Block tail_;
  const int64_t words_read_ = 0;
  const int64_t segment_tokens_ = 0;
};

struct FakeLanguageOptions {
  LanguageModelUses uses = {.score = true,
                            .fill_in = true,
                            .classify = true,
                            .choose = true,
                            .tag = true,
                            .answer_from_text = true,
                            .embed = true};
  int64_t memory_words = 0;  // as FakeTextState
};

// Tokens are what white space separates; with append_line_end each line ends with "<eos>". A word with a digit is not
// known. The word "fail" fails its task with INTERNAL. Each step takes kStepWords words.
//
// Score: a token that stood before it in memory, context or text has log-probability -1 and rank 1; another one -2 and
// rank 2; an unknown one -3 and rank 3. Alternatives are "a", "b", ... with -1, -2, ...
//
// Generate: goes on with what it has read, from its beginning: after "to be or" come "to", "be", "or", "to". A draw
// with the seed s begins s words later, and each draw of one request a word later than the one before. max_tokens is 3
// by default. "end" in place of a word is end-of-text. Beam hypothesis k has "#k" behind its text, and score -1 - k.
//
// FillIn: a gap of n pieces is filled with "p1 p2 ... pn", then "q1 ...", or with its candidates in their order; each
// piece has log-probability -1, each place further down -1 more. Classify: labels "even" and "odd", the likelier one,
// with 0.75, is that of the number of words in text and pair; of choices it is the longest, with 0.5. Tag: "NAME" for
// words with a capital, else "O". AnswerFromText: the places of the question's last word, with scores 1/2, 1/4, ...;
// no_answer 1/8. Embed: [words, bytes], of a token [1, bytes]. More than kMaxTokens tokens at once are refused, cut or
// read in windows.
//
// Attention, where it is asked for, is the same for all columns. Thread-safe.
class FakeLanguageModel : public LanguageModel {
 public:
  static constexpr int64_t kStepWords = 8;
  static constexpr int64_t kMaxTokens = 20;

  explicit FakeLanguageModel(std::string name = "fake-lm", std::string fingerprint = "fake-fingerprint",
                             FakeLanguageOptions options = {});

  const ModelSpec& spec() const override { return spec_; }
  const LanguageModelUses& uses() const override { return options_.uses; }
  const GenerateOptions& default_options() const override { return defaults_; }
  int64_t MemoryTokens(const State& state) const override;
  std::shared_ptr<const State> NewState() const override { return std::make_shared<FakeTextState>(); }
  absl::StatusOr<std::shared_ptr<const State>> OpenState(int64_t segment_tokens) const override;
  absl::StatusOr<std::shared_ptr<const State>> ParseState(absl::string_view bytes) const override;

  absl::StatusOr<std::unique_ptr<ScoreTask>> StartScore(ScoreRequest request, const StartLimits& limits) const override;
  absl::StatusOr<std::unique_ptr<GenerateTask>> StartGenerate(GenerateRequest request,
                                                              const StartLimits& limits) const override;
  absl::StatusOr<std::unique_ptr<FillInTask>> StartFillIn(FillInRequest request,
                                                          const StartLimits& limits) const override;
  absl::StatusOr<std::unique_ptr<TextClassificationTask>> StartClassify(TextClassificationRequest request,
                                                                        const StartLimits& limits) const override;
  absl::StatusOr<std::unique_ptr<TagTask>> StartTag(TagRequest request, const StartLimits& limits) const override;
  absl::StatusOr<std::unique_ptr<AnswerFromTextTask>> StartAnswer(AnswerFromTextRequest request,
                                                                  const StartLimits& limits) const override;
  absl::StatusOr<std::unique_ptr<EmbedTask>> StartEmbed(EmbedRequest request, const StartLimits& limits) const override;
  void Step(absl::Span<Task* const> tasks, Context& context) const override;

  StepGate& gate() const { return gate_; }

 private:
  ModelSpec spec_;
  const FakeLanguageOptions options_;
  GenerateOptions defaults_;
  mutable StepGate gate_;
};

}  // namespace heed
