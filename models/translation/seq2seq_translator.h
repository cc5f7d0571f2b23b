// SPDX-License-Identifier: Apache-2.0
// A Translator over any encoder-decoder network: text to tokens, search, tokens to text.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/kinds/translator.h"
#include "models/search/search.h"
#include "models/sentences/sentence_rules.h"
#include "models/text/language_codes.h"
#include "models/text/translation_tokenizer.h"
#include "models/translation/seq2seq.h"

namespace heed {

// Appends the search's next rows as those of a decoder step over `memory`, with their queries. They point into the
// search until it advances. If `attention` is given, rows write their weights there: [max_tokens, `slots`,
// `source_tokens`]; if `alignment` is, those of this step there: [`slots`, `source_tokens`].
void AppendStepRows(Search& search, DecoderState* memory, float* attention, int64_t slots, int64_t source_tokens,
                    std::vector<StepRow>& rows, std::vector<VocabularyQuery>& queries, float* alignment = nullptr);

// Immutable, thread-safe.
class Seq2SeqTranslator : public Translator {
 public:
  // `spec` needs its name, kind and architecture; the rest is filled in. In translations, each token `replaced`,
  // if that is given, becomes the token of the source text with the highest attention.
  Seq2SeqTranslator(ModelSpec spec, std::unique_ptr<const Seq2SeqNetwork> network,
                    std::unique_ptr<const TranslationTokenizer> codec, SearchRules rules,
                    TranslateOptions default_options, std::optional<int32_t> replaced = std::nullopt);

  const ModelSpec& spec() const override { return spec_; }
  const TranslateOptions& default_options() const override { return default_options_; }
  using Translator::Start;
  const std::vector<LanguagePair>& language_pairs() const override { return language_pairs_; }
  absl::StatusOr<StartedTranslation> Start(absl::Span<const SourceText> texts, const TranslateOptions& options,
                                           const StartLimits& limits) const override;
  void Step(absl::Span<Task* const> tasks, Context& context) const override;

  const Seq2SeqNetwork& network() const { return *network_; }
  const TranslationTokenizer& codec() const { return *codec_; }

 private:
  class SentenceTask;
  struct Starting;
  struct TextUnderWay;
  struct SentencePhrase;
  struct Sentence;

  absl::Status CheckOptions(const TranslateOptions& options) const;
  // Whether the texts exceed the limits whatever their tokens are.
  absl::Status CheckSizes(absl::Span<const SourceText> texts, const StartLimits& limits) const;
  const SentenceRules& RulesOf(const std::string& language) const;
  absl::Status StartText(const SourceText& text, int index, Starting& starting) const;
  // Appends the tasks of one sentence, which has something to read: one, or several if it is too long for one.
  absl::Status StartSentence(const LanguageStretch& stretch, absl::string_view sentence, TextUnderWay& text) const;
  // Appends the finished task of a sentence of which the phrases alone change.
  void FinishSentence(Sentence sentence, TextUnderWay& text) const;
  // Appends the task of what fits the network.
  absl::Status StartTask(Sentence sentence, EncodedText encoded, TextUnderWay& text) const;
  // The tokens of a forced phrase: those of its text, or a token that stands for it.
  std::vector<int32_t> TokensOfPhrase(const std::string& target) const;

  ModelSpec spec_;
  std::unique_ptr<const Seq2SeqNetwork> network_;
  std::unique_ptr<const TranslationTokenizer> codec_;
  SearchRules rules_;
  SentenceRules sentence_rules_;  // of all languages that it reads
  // Of a model that reads several: those of each of them that has a table, by LanguagePair::source.
  std::map<std::string, SentenceRules, std::less<>> rules_of_languages_;
  TranslateOptions default_options_;
  std::vector<LanguagePair> language_pairs_;
  std::optional<int32_t> replaced_;
  std::vector<bool> continuing_;  // of each target token whether it goes on with the word before it
  int32_t stand_in_ = 0;          // for phrases that the vocabulary cannot write
};

}  // namespace heed
