// SPDX-License-Identifier: Apache-2.0
#include "models/translation/seq2seq_translator.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "models/sentences/sentence_pieces.h"
#include "models/sentences/sentences.h"
#include "models/translation/forced_ranges.h"
#include "models/translation/translator_languages.h"
#include "models/translation/written_translation.h"

namespace heed {
namespace {

// A translation this much longer than its source has gone astray; Marian's own decoder has the same factor.
constexpr int64_t kTargetTokensPerSourceToken = 3;
constexpr int64_t kMoreTargetTokens = 50;
// No language's tokens have more bytes on average. A sentence of more bytes for each position of the model is cut
// without a look at its tokens, a prefix refused: tokenizing a run of unknown characters takes time by the square of
// its length.
constexpr int64_t kMaxBytesPerToken = 32;
// Models leave out parts of sentences that are longer than those of their training, so that a sentence of more tokens
// is cut where a clause ends, and one of still more between any two words.
constexpr int64_t kMaxTokensOfClauses = 80;
constexpr int64_t kMaxTokensOfWords = 120;

// A sentence of more forced phrases is cut, so that a beam has hypotheses for each number of them.
constexpr size_t kMaxPhrases = 15;
// Hypotheses for each number of phrases, as far as a beam has room for them: with fewer, phrases stand at worse places.
constexpr int kHypothesesPerPhrase = 4;
// A phrase of more bytes or tokens is one token for the search. It is likely no text that the network can write.
constexpr size_t kMaxPhraseBytes = 512;
constexpr size_t kMaxPhraseTokens = 24;
// More tokens of phrases, and the longest become one token, so that a beam has hypotheses for each number of them.
constexpr int64_t kMaxTokensOfPhrases = 24;
// What it adds to a hypothesis' log-probability if a phrase begins where all the attention is on its source. A phrase
// that stays as it is is unlikely everywhere, and what it costs says less about its place.
constexpr float kPlaceBonus = 2;
constexpr float kPlaceBonusIfItStays = 8;

constexpr absl::string_view kSoftHyphen = "\xc2\xad";

// Of a token in a text, about, and of its own text in an answer: a string, and its bytes in the message.
constexpr int64_t kUsualTokenBytes = 4;
constexpr int64_t kTokenTextBytes = 48;

constexpr char kTargetPrefix[] = "options.target_prefix";
constexpr char kReturnAttention[] = "options.return_attention";

template <typename T>
absl::Status OutOfRange(absl::string_view field, T value, absl::string_view range) {
  const std::string path = absl::StrCat("options.", field);
  return WithField(InvalidArgument(path, " is ", value, ", but must be ", range), path);
}

bool HasTokensOfText(const EncodedText& encoded) {
  return std::any_of(encoded.spellings.begin(), encoded.spellings.end(),
                     [](const std::string& spelling) { return !spelling.empty(); });
}

// An independent stream of random numbers for each sentence of a request (splitmix64).
uint64_t SentenceSeed(uint64_t seed, int text, int sentence) {
  uint64_t x = seed + 0x9E3779B97F4A7C15u * (static_cast<uint64_t>(text) << 32 | static_cast<uint32_t>(sentence)) +
               0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

// Joins sentences between which a phrase would be cut. The first begins, with its separator, at byte `at` of the text.
void JoinWithinPhrases(size_t at, absl::Span<const ForcedPhrase> phrases, std::vector<SentenceSpan>& sentences) {
  std::vector<SentenceSpan> joined;
  for (SentenceSpan& sentence : sentences) {
    // `at` is where the last one ends.
    if (!joined.empty() && !joined.back().text.empty() && IsWithinPhrase(phrases, at)) {
      absl::StrAppend(&joined.back().text, sentence.separator, sentence.text);
      at += sentence.separator.size() + sentence.text.size();
      continue;
    }
    at += sentence.separator.size() + sentence.text.size();
    joined.push_back(std::move(sentence));
  }
  sentences = std::move(joined);
}

}  // namespace

void AppendStepRows(Search& search, DecoderState* memory, float* attention, int64_t slots, int64_t source_tokens,
                    std::vector<StepRow>& rows, std::vector<VocabularyQuery>& queries, float* alignment) {
  std::vector<SearchRow> hypotheses;
  search.AppendRows(hypotheses, queries);
  for (const SearchRow& hypothesis : hypotheses) {
    StepRow& row = rows.emplace_back();
    row.memory = memory;
    row.token = hypothesis.token;
    row.position = hypothesis.position;
    row.slot = hypothesis.slot;
    row.history = hypothesis.history;
    if (attention != nullptr) row.attention = attention + (row.position * slots + row.slot) * source_tokens;
    if (alignment != nullptr) row.alignment = alignment + row.slot * source_tokens;
  }
}

// A forced phrase of a sentence.
struct Seq2SeqTranslator::SentencePhrase {
  TextRange source;  // of Sentence::source
  std::string target;
  std::vector<int32_t> tokens;
  bool stays = false;  // the target is the source
};

struct Seq2SeqTranslator::Sentence {
  std::string source;                      // with the language code before it
  size_t code_bytes = 0;                   // of that
  size_t begin = 0;                        // in bytes of the text, behind the code
  absl::Span<const ForcedPhrase> phrases;  // of the text, within the sentence

  absl::string_view text() const { return absl::string_view(source).substr(code_bytes); }
};

class Seq2SeqTranslator::SentenceTask : public TranslationTask {
 public:
  // A sentence without anything to translate: finished, with the translation given.
  SentenceTask(const Seq2SeqTranslator& translator, std::string source, std::string translation,
               std::vector<AlignedToken> alignment)
      : translator_(translator), source_(std::move(source)) {
    Hypothesis& hypothesis = result_.hypotheses.emplace_back();
    hypothesis.text = std::move(translation);
    hypothesis.alignment = std::move(alignment);
    text_is_new_ = true;
    Finish();
  }

  // `asked_beam`: options.beam_size as the request has it.
  SentenceTask(const Seq2SeqTranslator& translator, Sentence sentence, EncodedText encoded,
               std::vector<SentencePhrase> phrases, const TranslateOptions& options, int asked_beam,
               std::vector<int32_t> prefix, uint64_t seed)
      : translator_(translator),
        source_(std::move(sentence.source)),
        source_ids_(std::move(encoded.ids)),
        source_spellings_(translator.replaced_ ? encoded.spellings : std::vector<std::string>()),
        phrases_(std::move(phrases)),
        options_(options),
        asked_beam_(asked_beam),
        prefix_(std::move(prefix)),
        seed_(seed) {
    if (!aligns()) return;
    const absl::string_view text = absl::string_view(source_).substr(sentence.code_bytes);
    source_spans_ = SpansOfTokens(text, encoded.spellings, translator.codec_->style());
    for (TokenSpan& span : source_spans_) span = {span.begin + sentence.code_bytes, span.end + sentence.code_bytes};
    for (const SentencePhrase& phrase : phrases_) {
      for (size_t i = 0; i < source_spans_.size(); ++i) {
        const TokenSpan& span = source_spans_[i];
        const bool within = std::max(span.begin, phrase.source.begin) < std::min(span.end, phrase.source.end);
        if (within) phrase_tokens_.emplace_back(&phrase - phrases_.data(), i);
      }
    }
  }

  int64_t next_rows() const override {
    return search_ == nullptr ? static_cast<int64_t>(source_ids_.size()) : search_->rows();
  }
  int64_t peak_bytes() const override {
    if (source_ids_.empty()) return 0;
    const int64_t source_tokens = static_cast<int64_t>(source_ids_.size());
    const int64_t attention = needs_attention() ? options_.max_tokens * options_.beam_size * source_tokens : 0;
    const int64_t logits = options_.sample ? translator_.network_->vocabulary() : 0;
    const int64_t per_token = 1 + static_cast<int64_t>(phrases_.size());
    const int64_t alignment = aligns() ? options_.beam_size * (source_tokens + options_.max_tokens * per_token) : 0;
    return translator_.network_->MemoryBytes(source_tokens, options_.beam_size, options_.max_tokens) +
           (attention + logits + alignment) * static_cast<int64_t>(sizeof(float));
  }
  int64_t answer_bytes() const override {
    const int64_t source_tokens = static_cast<int64_t>(source_ids_.size());
    int64_t per_token = options_.n_best > 1 ? kUsualTokenBytes : 0;
    if (options_.return_tokens) per_token += kTokenTextBytes;
    if (options_.return_attention) per_token += source_tokens * static_cast<int64_t>(sizeof(float));
    int64_t phrases = 0;
    for (const SentencePhrase& phrase : phrases_) phrases += static_cast<int64_t>(phrase.target.size());
    return options_.n_best * (options_.max_tokens * per_token + phrases);
  }
  bool has_output() const override { return text_is_new_; }
  const std::string& source() const override { return source_; }
  const SentenceResult& result() const override { return result_; }
  std::string TakeText() override {
    text_is_new_ = false;
    const absl::string_view text = finished() ? absl::string_view(result_.hypotheses[0].text) : stable_text_;
    if (text.size() <= taken_) return "";
    std::string taken(text.substr(taken_));
    taken_ = text.size();
    return taken;
  }

  // The memory to encode, if this is the task's first step.
  DecoderState* Begin() {
    if (memory_ != nullptr) return nullptr;
    memory_ = translator_.network_->NewMemory(source_ids_, options_.beam_size);
    // Without its last token, which in most models ends the sentence.
    const bool source_loops = EndsInLoop(absl::MakeConstSpan(source_ids_).subspan(0, source_ids_.size() - 1));
    ForcedTokens forced;
    for (const SentencePhrase& phrase : phrases_) forced.phrases.push_back(phrase.tokens);
    forced.continuing = &translator_.continuing_;
    forced.enough = static_cast<size_t>(asked_beam_);
    forced.usual_length = static_cast<double>(source_ids_.size());
    search_ = std::make_unique<Search>(translator_.rules_, options_, prefix_, translator_.network_->vocabulary(), seed_,
                                       source_loops, std::vector<int32_t>(), std::move(forced));
    if (aligns()) step_alignment_.resize(static_cast<size_t>(options_.beam_size) * source_ids_.size());
    if (needs_attention()) {
      attention_.resize(static_cast<size_t>(options_.max_tokens * options_.beam_size) * source_ids_.size());
    }
    return memory_.get();
  }
  void AppendRows(std::vector<StepRow>& rows, std::vector<VocabularyQuery>& queries) {
    AppendStepRows(*search_, memory_.get(), attention_.empty() ? nullptr : attention_.data(), options_.beam_size,
                   static_cast<int64_t>(source_ids_.size()), rows, queries,
                   step_alignment_.empty() ? nullptr : step_alignment_.data());
  }
  void Advance(absl::Span<const VocabularyAnswer> answers) {
    // Weights that are not numbers make logits that are not: then no token is best, and nothing can be normalized.
    const auto is_number = [](const VocabularyAnswer& answer) { return std::isfinite(answer.log_normalizer); };
    if (!std::all_of(answers.begin(), answers.end(), is_number)) {
      Finish(absl::InternalError(absl::StrCat("model '", translator_.spec_.name,
                                              "' computed logits that are not numbers: its weights are damaged")));
      text_is_new_ = true;
      search_.reset();
      memory_.reset();
      return;
    }
    if (aligns()) NoteAlignment(answers.size());
    search_->Advance(answers, places_);
    if (search_->done()) {
      Conclude();
    } else if (options_.stream) {
      Stream();
    }
  }

 private:
  bool needs_attention() const { return options_.return_attention || translator_.replaced_.has_value(); }
  bool aligns() const { return (options_.align || !phrases_.empty()) && translator_.network_->has_attention(); }

  // Keeps of the alignment of this step's rows what is needed of it: the best token, and the weights of each phrase.
  void NoteAlignment(size_t rows) {
    const size_t slots = static_cast<size_t>(options_.beam_size), phrases = phrases_.size();
    places_.assign(rows * phrases, 0);
    aligned_.resize(aligned_.size() + slots);
    for (size_t slot = 0; slot < rows; ++slot) {
      const float* const weights = step_alignment_.data() + slot * source_ids_.size();
      size_t best = 0;  // of the tokens of the text
      const auto is_text = [&](size_t i) { return source_spans_[i].begin < source_spans_[i].end; };
      for (size_t i = 1; i < source_ids_.size(); ++i) {
        if (is_text(i) && (!is_text(best) || weights[i] > weights[best])) best = i;
      }
      aligned_[aligned_.size() - slots + slot] = static_cast<int32_t>(best);
      for (const auto& [phrase, token] : phrase_tokens_) places_[slot * phrases + phrase] += weights[token];
    }
    phrase_weights_.insert(phrase_weights_.end(), places_.begin(), places_.end());
    phrase_weights_.resize(aligned_.size() * phrases);
    for (size_t i = 0; i < places_.size(); ++i) {
      places_[i] *= phrases_[i % phrases].stays ? kPlaceBonusIfItStays : kPlaceBonus;
    }
  }

  // Index into aligned_ of what was noted when token `i`, which was produced in this slot, was.
  size_t Noted(size_t i, int32_t slot) const {
    return i * static_cast<size_t>(options_.beam_size) + static_cast<size_t>(slot);
  }

  // The phrases of a hypothesis in order. Of phrases of the same tokens each is where its source has the most
  // attention.
  std::vector<WrittenPhrase> PhrasesOf(const FoundHypothesis& found) const {
    std::vector<int32_t> chosen;  // of each place
    for (const PlacedPhrase& placed : found.placed) chosen.push_back(placed.phrase);
    struct Fit {
      float weight;
      size_t place;
      int32_t phrase;
    };
    std::vector<Fit> fits;
    for (size_t place = 0; place < found.placed.size() && aligns(); ++place) {
      const size_t token = static_cast<size_t>(found.placed[place].begin);
      const float* const weights = phrase_weights_.data() + Noted(token, found.slots[token]) * phrases_.size();
      for (const PlacedPhrase& other : found.placed) {
        if (tokens_of(other.phrase) == tokens_of(chosen[place])) {
          fits.push_back({weights[other.phrase], place, other.phrase});
        }
      }
    }
    std::stable_sort(fits.begin(), fits.end(), [](const Fit& x, const Fit& y) { return x.weight > y.weight; });
    std::vector<bool> place_has(found.placed.size()), phrase_has(phrases_.size());
    for (const Fit& fit : fits) {
      if (place_has[fit.place] || phrase_has[static_cast<size_t>(fit.phrase)]) continue;
      place_has[fit.place] = phrase_has[static_cast<size_t>(fit.phrase)] = true;
      chosen[fit.place] = fit.phrase;
    }
    std::vector<WrittenPhrase> written;
    for (size_t place = 0; place < found.placed.size(); ++place) {
      const SentencePhrase& phrase = phrases_[static_cast<size_t>(chosen[place])];
      const absl::string_view source = source_;
      const size_t begin = static_cast<size_t>(found.placed[place].begin);
      WrittenPhrase& of = written.emplace_back();
      of.begin = begin;
      of.count = phrase.tokens.size();
      of.text = phrase.target;
      of.before = source.substr(0, phrase.source.begin);
      of.behind = source.substr(phrase.source.end);
      if (begin == 0 || !aligns()) continue;
      const size_t token = static_cast<size_t>(aligned_[Noted(begin - 1, found.slots[begin - 1])]);
      of.follows = source_spans_[token].end == phrase.source.begin;
    }
    return written;
  }
  const std::vector<int32_t>& tokens_of(int32_t phrase) const { return phrases_[static_cast<size_t>(phrase)].tokens; }

  std::vector<AlignedToken> AlignmentOf(const FoundHypothesis& found, absl::Span<const WrittenPhrase> phrases,
                                        absl::Span<const TokenSpan> spans) const {
    std::vector<AlignedToken> alignment;
    size_t next = 0;  // of the phrases
    for (size_t i = 0; i < spans.size(); ++i) {
      const TokenSpan& source = source_spans_[static_cast<size_t>(aligned_[Noted(i, found.slots[i])])];
      alignment.push_back({{spans[i].begin, spans[i].end}, {source.begin, source.end}});
      while (next < phrases.size() && phrases[next].begin + phrases[next].count <= i) ++next;
      if (next < phrases.size() && phrases[next].begin <= i) {
        alignment.back().source = {phrases[next].before.size(), source_.size() - phrases[next].behind.size()};
      }
    }
    return alignment;
  }

  // The attention of token `i` of a hypothesis, which was produced in this slot.
  absl::Span<const float> AttentionRow(size_t i, int32_t slot) const {
    const size_t entry = i * static_cast<size_t>(options_.beam_size) + static_cast<size_t>(slot);
    return absl::MakeConstSpan(attention_).subspan(entry * source_ids_.size(), source_ids_.size());
  }

  // The token of the source's text that has the highest weight, as it is spelled.
  const std::string& BestAttended(absl::Span<const float> weights) const {
    size_t best = 0;
    for (size_t i = 1; i < weights.size(); ++i) {
      if (source_spellings_[i].empty()) continue;
      if (source_spellings_[best].empty() || weights[i] > weights[best]) best = i;
    }
    return source_spellings_[best];
  }

  // Of unknown tokens that become tokens of the source; empty if there are none.
  std::vector<std::string> SpellingsOf(absl::Span<const int32_t> tokens, absl::Span<const int32_t> slots) const {
    std::vector<std::string> spellings;
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i] != translator_.replaced_) continue;
      spellings.resize(tokens.size());
      spellings[i] = BestAttended(AttentionRow(i, slots[i]));
    }
    return spellings;
  }

  void Conclude() {
    const TranslationTokenizer& codec = *translator_.codec_;
    for (const FoundHypothesis& found : search_->TakeResults()) {
      Hypothesis hypothesis;
      const std::vector<WrittenPhrase> phrases = PhrasesOf(found);
      const bool wants_spans = options_.align && aligns();
      WrittenTranslation written =
          WriteTranslation(codec, found.tokens, SpellingsOf(found.tokens, found.slots), phrases, wants_spans);
      hypothesis.text = std::move(written.text);
      hypothesis.alignment = AlignmentOf(found, phrases, written.spans);
      if (options_.scores) hypothesis.score = static_cast<float>(found.score);
      hypothesis.finish_reason = found.reason;
      hypothesis.token_count = static_cast<int64_t>(found.tokens.size());
      for (size_t i = 0; i < found.tokens.size(); ++i) {
        if (options_.return_tokens) hypothesis.tokens.push_back(codec.TargetPiece(found.tokens[i]));
        if (!options_.return_attention) continue;
        const absl::Span<const float> row = AttentionRow(i, found.slots[i]);
        hypothesis.attention.insert(hypothesis.attention.end(), row.begin(), row.end());
      }
      result_.hypotheses.push_back(std::move(hypothesis));
    }
    result_.source_token_count = static_cast<int64_t>(source_ids_.size());
    if (options_.return_tokens) {
      for (int32_t id : source_ids_) result_.source_tokens.push_back(codec.SourcePiece(id));
    }
    text_is_new_ = true;
    search_.reset();
    memory_.reset();
    attention_ = {};
    step_alignment_ = {};
    aligned_ = {};
    phrase_weights_ = {};
    Finish();
  }

  // Gives out what a loop could no longer take back: the tokens before any repetition that is under way.
  void Stream() {
    const absl::Span<const int32_t> tokens = search_->tokens();
    const size_t stable = options_.stop_loops ? static_cast<size_t>(TokensBeforeRepetition(tokens)) : tokens.size();
    const std::vector<int32_t> slots(stable, 0);  // a stream has one hypothesis
    const absl::Span<const int32_t> stable_tokens = tokens.subspan(0, stable);
    std::string text = translator_.codec_->Decode(stable_tokens, SpellingsOf(stable_tokens, slots));
    // What a later token may still change stays back: the last word (spaces may be cleaned up), unfinished characters.
    const size_t word = text.find_last_of(' ');
    text.resize(word == std::string::npos ? 0 : word);
    if (text.size() <= stable_text_.size() || !absl::StartsWith(text, stable_text_)) return;
    stable_text_ = std::move(text);
    text_is_new_ = stable_text_.size() > taken_;
  }

  const Seq2SeqTranslator& translator_;
  const std::string source_;
  const std::vector<int32_t> source_ids_;
  const std::vector<std::string> source_spellings_;  // to replace unknown tokens
  const std::vector<SentencePhrase> phrases_;
  const TranslateOptions options_;
  const int asked_beam_ = 1;
  const std::vector<int32_t> prefix_;
  const uint64_t seed_ = 0;
  // From the first step to the last: a waiting or finished sentence holds none of these.
  std::unique_ptr<Search> search_;
  std::unique_ptr<DecoderState> memory_;
  std::vector<float> attention_;  // [max_tokens, beam_size, source tokens]
  // If the sentence is aligned.
  std::vector<TokenSpan> source_spans_;                   // of source_: of each token; empty for what is no text
  std::vector<std::pair<size_t, size_t>> phrase_tokens_;  // a phrase, and a token of its source
  std::vector<float> step_alignment_;                     // of the step under way: [beam_size, source tokens]
  std::vector<float> places_;                             // [rows, phrases], as Search::Advance has it
  std::vector<int32_t> aligned_;                          // [steps, beam_size]: the source token with the most weight
  std::vector<float> phrase_weights_;  // [steps, beam_size, phrases]: the sum of their tokens' weights
  SentenceResult result_;
  std::string stable_text_;
  size_t taken_ = 0;  // bytes of the text already given out
  bool text_is_new_ = false;
};

Seq2SeqTranslator::Seq2SeqTranslator(ModelSpec spec, std::unique_ptr<const Seq2SeqNetwork> network,
                                     std::unique_ptr<const TranslationTokenizer> codec, SearchRules rules,
                                     TranslateOptions default_options, std::optional<int32_t> replaced)
    : spec_(std::move(spec)),
      network_(std::move(network)),
      codec_(std::move(codec)),
      rules_(std::move(rules)),
      sentence_rules_(SentenceRules::For(codec_->source_language().empty()
                                             ? SentenceRules::SourceLanguageOfName(spec_.name)
                                             : codec_->source_language())),
      default_options_(std::move(default_options)),
      replaced_(replaced) {
  spec_.source_language = codec_->source_language();
  spec_.target_language = codec_->target_language();
  TranslatorLanguages languages =
      FindTranslatorLanguages(spec_.name, spec_.source_language, spec_.target_language, codec_->language_codes());
  language_pairs_ = std::move(languages.pairs);
  for (std::string& warning : languages.warnings) spec_.warnings.push_back(std::move(warning));
  const auto is_another = [this](const LanguagePair& pair) { return pair.source != language_pairs_[0].source; };
  if (std::any_of(language_pairs_.begin(), language_pairs_.end(), is_another)) {
    for (const LanguagePair& pair : language_pairs_) {
      const auto [own, is_new] = rules_of_languages_.try_emplace(pair.source);
      if (is_new) own->second = SentenceRules::For(pair.source);
    }
    std::erase_if(rules_of_languages_, [](const auto& one) { return !one.second.has_words(); });
  }
  spec_.weights = network_->weights();
  spec_.resident_bytes = network_->resident_bytes();
  spec_.quantization_errors = network_->quantization_errors();
  const int32_t vocabulary = static_cast<int32_t>(network_->vocabulary());
  for (int32_t id = 0; id < vocabulary; ++id) {
    continuing_.push_back(ContinuesWord(codec_->TargetPiece(id), codec_->style()));
  }
  const std::optional<int32_t> unknown = codec_->target_unknown();
  if (!unknown) {
    while (stand_in_ + 1 < vocabulary && codec_->IsLeftOut(stand_in_)) ++stand_in_;
  }
  stand_in_ = unknown.value_or(stand_in_);
}

absl::Status Seq2SeqTranslator::CheckOptions(const TranslateOptions& options) const {
  const auto from_to = [](auto least, auto most) { return absl::StrCat("from ", least, " to ", most); };
  const int max_tokens = static_cast<int>(network_->max_target_tokens());
  if (options.beam_size < 1 || options.beam_size > kMaxBeamSize) {
    return OutOfRange("beam_size", options.beam_size, from_to(1, kMaxBeamSize));
  }
  if (!(options.length_penalty >= -kMaxLengthPenalty && options.length_penalty <= kMaxLengthPenalty)) {
    return OutOfRange("length_penalty", options.length_penalty, from_to(-kMaxLengthPenalty, kMaxLengthPenalty));
  }
  if (options.no_repeat_ngram < 0) return OutOfRange("no_repeat_ngram", options.no_repeat_ngram, "0 (off) or more");
  if (options.max_tokens < 0 || options.max_tokens > max_tokens) {
    return OutOfRange("max_tokens", options.max_tokens,
                      absl::StrCat(from_to(1, max_tokens), ", the model's positions, or 0"));
  }
  if (options.min_tokens < 0 || options.min_tokens >= max_tokens) {
    return OutOfRange("min_tokens", options.min_tokens, from_to(0, max_tokens - 1));
  }
  if (options.max_tokens > 0 && options.min_tokens >= options.max_tokens) {
    return OutOfRange("min_tokens", options.min_tokens, absl::StrCat("less than max_tokens, ", options.max_tokens));
  }
  if (options.n_best < 1 || options.n_best > options.beam_size) {
    return OutOfRange("n_best", options.n_best, absl::StrCat(from_to(1, options.beam_size), ", the beam_size"));
  }
  if (options.sample) {
    if (options.beam_size != 1) return OutOfRange("beam_size", options.beam_size, "1 for sampling");
    const Sampling& sampling = options.sampling;
    if (!(sampling.temperature > 0 && sampling.temperature <= 1000)) {
      return OutOfRange("sampling.temperature", sampling.temperature, "greater than 0 and at most 1000");
    }
    if (sampling.top_k < 0) return OutOfRange("sampling.top_k", sampling.top_k, "0 (off) or more");
    if (!(sampling.top_p > 0 && sampling.top_p <= 1)) {
      return OutOfRange("sampling.top_p", sampling.top_p, "greater than 0 and at most 1");
    }
  }
  if (options.return_attention && !network_->has_attention()) {
    return WithField(InvalidArgument(kReturnAttention, " is true, but model '", spec_.name, "' has no attention"),
                     kReturnAttention);
  }
  const int64_t max_prefix_bytes = kMaxBytesPerToken * max_tokens;
  if (static_cast<int64_t>(options.target_prefix.size()) > max_prefix_bytes) {
    return WithField(InvalidArgument(kTargetPrefix, " has ", options.target_prefix.size(), " bytes, but the model's ",
                                     max_tokens, " positions hold at most ", max_prefix_bytes),
                     kTargetPrefix);
  }
  if (const auto at = FirstInvalidUtf8(options.target_prefix)) {
    return WithField(InvalidArgument(kTargetPrefix, " is not UTF-8 at byte ", *at), kTargetPrefix);
  }
  return absl::OkStatus();
}

// A request whose sentences become tasks.
struct Seq2SeqTranslator::Starting {
  const TranslateOptions& options;
  const StartLimits& limits;
  StartedTranslation started;
  int64_t rows = 0;  // of the tasks so far

  // Before each sentence.
  absl::Status Check() const {
    if (static_cast<int64_t>(started.tasks.size()) > limits.max_tasks) {
      return absl::InvalidArgumentError(absl::StrCat("has more than ", limits.max_tasks,
                                                     " sentences with the texts before it, the most of a request"));
    }
    if (rows > limits.max_rows) {
      return absl::InvalidArgumentError(
          absl::StrCat("has more than ", limits.max_rows, " tokens with the texts before it, the most of a request"));
    }
    return limits.Check();
  }
};

// A text of a request while its sentences are started.
struct Seq2SeqTranslator::TextUnderWay {
  Starting& starting;
  const SentenceRules& rules;
  absl::Span<const ForcedPhrase> phrases;
  const int index;
  int sentence = 0;         // index of the next one
  std::string separator;    // before the next one
  size_t begin = 0;         // in bytes of the text: where that begins
  bool has_prefix = false;  // options.target_prefix is under way

  // `code_bytes`: of its source, which begins with the language code of its stretch.
  void Append(std::unique_ptr<TranslationTask> task, size_t code_bytes = 0) {
    begin += separator.size();
    starting.started.places.push_back({index, sentence++, std::move(separator), begin, code_bytes});
    separator.clear();
    begin += task->source().size() - code_bytes;
    starting.started.tasks.push_back(std::move(task));
  }
};

absl::Status Seq2SeqTranslator::CheckSizes(absl::Span<const SourceText> texts, const StartLimits& limits) const {
  const auto count = static_cast<int64_t>(texts.size());
  if (count > limits.max_tasks) {
    return InvalidField("texts", count, " texts in one request, at most ", limits.max_tasks);
  }
  // No task's sentence is longer than this, and each has a token and its end.
  const int64_t sentence_bytes = kMaxBytesPerToken * network_->max_source_tokens();
  int64_t bytes = 0;
  for (const SourceText& text : texts) bytes += static_cast<int64_t>(text.text.size());
  const int64_t sentences = bytes / sentence_bytes;
  if (sentences > limits.max_tasks || 2 * sentences > limits.max_rows) {
    return InvalidField("texts", bytes, " bytes in one request make at least ", sentences, " sentences and ",
                        2 * sentences, " tokens, at most ", limits.max_tasks, " and ", limits.max_rows);
  }
  return absl::OkStatus();
}

absl::StatusOr<StartedTranslation> Seq2SeqTranslator::Start(absl::Span<const SourceText> texts,
                                                            const TranslateOptions& options,
                                                            const StartLimits& limits) const {
  HEED_RETURN_IF_ERROR(CheckOptions(options));
  HEED_RETURN_IF_ERROR(CheckSizes(texts, limits));
  Starting starting{options, limits, {}};
  for (size_t i = 0; i < texts.size(); ++i) {
    HEED_RETURN_IF_ERROR(limits.Check());
    const std::string field = texts[i].field.empty() ? absl::StrCat("texts[", i, "]") : texts[i].field;
    if (const auto at = FirstInvalidUtf8(texts[i].text)) {
      return WithField(InvalidArgument(field, " is not UTF-8 at byte ", *at, " of ", texts[i].text.size()), field);
    }
    const absl::Status status = StartText(texts[i], static_cast<int>(i), starting);
    if (absl::IsInvalidArgument(status)) return WithField(InvalidArgument(field, " ", status.message()), field);
    HEED_RETURN_IF_ERROR(status);
  }
  return std::move(starting.started);
}

const SentenceRules& Seq2SeqTranslator::RulesOf(const std::string& language) const {
  const auto found = rules_of_languages_.find(language);
  return found == rules_of_languages_.end() ? sentence_rules_ : found->second;
}

absl::Status Seq2SeqTranslator::StartText(const SourceText& text, int index, Starting& starting) const {
  HEED_ASSIGN_OR_RETURN(std::vector<LanguageStretch> stretches,
                        SplitAtLanguageCodes(text.text, codec_->language_codes()));
  for (LanguageStretch& stretch : stretches) {
    if (stretch.code.empty()) stretch.code = text.code;
  }
  const std::vector<std::string>& codes = codec_->language_codes();
  if (!text.code.empty() && !std::binary_search(codes.begin(), codes.end(), text.code)) {
    return absl::InvalidArgumentError(absl::StrCat("is to be translated to ", text.code,
                                                   ", but this model's languages are ", absl::StrJoin(codes, " ")));
  }
  HEED_ASSIGN_OR_RETURN(const std::vector<ForcedPhrase> phrases, ReadForcedPhrases(text));
  TextUnderWay under_way{starting, RulesOf(text.language), phrases, index};
  size_t phrases_seen = 0;
  for (const LanguageStretch& stretch : stretches) {
    absl::StrAppend(&under_way.separator, stretch.leading);
    const size_t begin = static_cast<size_t>(stretch.body.data() - text.text.data());
    under_way.begin = begin - under_way.separator.size();
    for (const ForcedPhrase& phrase : PhrasesIn(phrases, begin, begin + stretch.body.size())) {
      phrases_seen += phrase.source.begin >= begin && phrase.source.end <= begin + stretch.body.size();
    }
    SplitText split =
        starting.options.split_sentences ? SplitSentences(stretch.body, under_way.rules) : WholeText(stretch.body);
    if (!phrases.empty()) JoinWithinPhrases(begin, phrases, split.sentences);
    for (const SentenceSpan& span : split.sentences) {
      absl::StrAppend(&under_way.separator, span.separator);
      if (!span.text.empty()) HEED_RETURN_IF_ERROR(StartSentence(stretch, span.text, under_way));
    }
    absl::StrAppend(&under_way.separator, split.trailing);
  }
  if (phrases_seen < phrases.size()) {
    return absl::InvalidArgumentError(absl::StrCat("has ", phrases.size() - phrases_seen, " of its ", phrases.size(),
                                                   " forced phrases in or across a language code"));
  }
  std::string trailing = std::move(under_way.separator);
  under_way.separator.clear();
  if (under_way.sentence == 0) {
    under_way.Append(std::make_unique<SentenceTask>(*this, "", "", std::vector<AlignedToken>()));
  }
  starting.started.trailing.push_back(std::move(trailing));
  return absl::OkStatus();
}

absl::Status Seq2SeqTranslator::StartSentence(const LanguageStretch& stretch, absl::string_view sentence,
                                              TextUnderWay& text) const {
  HEED_RETURN_IF_ERROR(text.starting.Check());
  Sentence whole{absl::StrCat(stretch.prefix, sentence), stretch.prefix.size(), text.begin + text.separator.size(), {}};
  whole.phrases = PhrasesIn(text.phrases, whole.begin, whole.begin + sentence.size());
  const bool has_letters =
      whole.phrases.empty() ? HasLetters(sentence) : ReplacePhrases(sentence, whole.begin, whole.phrases).has_letters;
  if (!has_letters) {
    FinishSentence(std::move(whole), text);
    return absl::OkStatus();
  }
  const int64_t max_tokens = network_->max_source_tokens();
  const bool many_phrases = whole.phrases.size() > kMaxPhrases;
  const auto worst_cut = [&](int64_t tokens) -> std::optional<Cut> {
    if (tokens > max_tokens || many_phrases) return Cut::kCharacter;
    if (!text.starting.options.split_sentences) return std::nullopt;
    if (tokens > kMaxTokensOfWords) return Cut::kWord;
    if (tokens > kMaxTokensOfClauses) return Cut::kClause;
    return std::nullopt;
  };
  // Cuts it in two if its tokens ask for that. Returns whether it did.
  const auto cut = [&](int64_t tokens) -> absl::StatusOr<bool> {
    const std::optional<Cut> worst = worst_cut(tokens);
    if (!worst) return false;
    const auto may_cut = [&](size_t at) { return !IsWithinPhrase(whole.phrases, whole.begin + at); };
    const SplitText parts = CutSentence(sentence, text.rules, *worst, may_cut);
    if (parts.sentences[0].text.size() == sentence.size()) return false;
    for (const SentenceSpan& part : parts.sentences) {
      absl::StrAppend(&text.separator, part.separator);
      HEED_RETURN_IF_ERROR(StartSentence(stretch, part.text, text));
    }
    absl::StrAppend(&text.separator, parts.trailing);
    return true;
  };
  HEED_ASSIGN_OR_RETURN(const bool vast, cut(static_cast<int64_t>(sentence.size()) / kMaxBytesPerToken));
  if (vast) return absl::OkStatus();
  EncodedText encoded = codec_->EncodeSource(stretch.code, absl::StrReplaceAll(sentence, {{kSoftHyphen, ""}}));
  const int64_t tokens = static_cast<int64_t>(encoded.ids.size());
  if (!HasTokensOfText(encoded)) {  // none of its words is in the vocabulary, which has no unknown token
    FinishSentence(std::move(whole), text);
    return absl::OkStatus();
  }
  HEED_ASSIGN_OR_RETURN(const bool too_long, cut(tokens));
  if (too_long) return absl::OkStatus();
  if (tokens > max_tokens) {
    return absl::InvalidArgumentError(
        absl::StrCat("has a character of ", tokens, " tokens, but the model has ", max_tokens, " positions"));
  }
  if (many_phrases) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", whole.phrases.size(), " forced phrases in one sentence, but there may be ", kMaxPhrases));
  }
  return StartTask(std::move(whole), std::move(encoded), text);
}

void Seq2SeqTranslator::FinishSentence(Sentence sentence, TextUnderWay& text) const {
  ReplacedText replaced;
  const bool aligns = text.starting.options.align;
  if (aligns || !sentence.phrases.empty()) {
    replaced = ReplacePhrases(sentence.text(), sentence.begin, sentence.phrases);
  } else {
    replaced.text = std::string(sentence.text());
  }
  const size_t code_bytes = sentence.code_bytes;
  for (AlignedToken& word : replaced.words) {
    word.source = {word.source.begin + code_bytes, word.source.end + code_bytes};
  }
  if (!aligns) replaced.words.clear();
  text.Append(std::make_unique<SentenceTask>(*this, std::move(sentence.source), std::move(replaced.text),
                                             std::move(replaced.words)),
              code_bytes);
}

std::vector<int32_t> Seq2SeqTranslator::TokensOfPhrase(const std::string& target) const {
  if (target.size() <= kMaxPhraseBytes) {
    std::vector<int32_t> tokens = codec_->EncodeTargetPrefix(target);
    const std::optional<int32_t> unknown = codec_->target_unknown();
    const bool known =
        std::none_of(tokens.begin(), tokens.end(), [&](int32_t id) { return id == unknown || codec_->IsLeftOut(id); });
    if (known && !tokens.empty() && tokens.size() <= kMaxPhraseTokens) return tokens;
  }
  return {stand_in_};
}

absl::Status Seq2SeqTranslator::StartTask(Sentence sentence, EncodedText encoded, TextUnderWay& text) const {
  TranslateOptions own = text.starting.options;
  std::vector<SentencePhrase> phrases;
  int64_t phrase_tokens = 0;
  for (const ForcedPhrase& phrase : sentence.phrases) {
    const size_t moved = sentence.begin - sentence.code_bytes;  // from the text to the source
    phrases.push_back(
        {{phrase.source.begin - moved, phrase.source.end - moved}, phrase.target, TokensOfPhrase(phrase.target)});
    const size_t size = phrase.source.end - phrase.source.begin;
    phrases.back().stays = phrase.target == sentence.text().substr(phrase.source.begin - sentence.begin, size);
    phrase_tokens += static_cast<int64_t>(phrases.back().tokens.size());
  }
  while (phrase_tokens > kMaxTokensOfPhrases) {
    const auto longest = std::max_element(
        phrases.begin(), phrases.end(),
        [](const SentencePhrase& x, const SentencePhrase& y) { return x.tokens.size() < y.tokens.size(); });
    phrase_tokens -= static_cast<int64_t>(longest->tokens.size()) - 1;
    longest->tokens = {stand_in_};
  }
  if (!phrases.empty()) {
    // Phrases find their places by beam search, whatever the request asks for beside them.
    const int wanted = kHypothesesPerPhrase * static_cast<int>(phrases.size() + 1) + static_cast<int>(phrase_tokens) -
                       static_cast<int>(phrases.size());
    own.beam_size = std::max(own.beam_size, std::min(wanted, kMaxBeamSize));
    own.sample = own.stream = false;
  }
  std::vector<int32_t> prefix;
  if (!text.has_prefix && !own.target_prefix.empty()) prefix = codec_->EncodeTargetPrefix(own.target_prefix);
  text.has_prefix = true;
  const int64_t prefix_tokens = static_cast<int64_t>(prefix.size());
  const int64_t most = network_->max_target_tokens();
  const int64_t source_tokens = static_cast<int64_t>(encoded.ids.size());
  if (own.max_tokens == 0) {
    const int64_t usual = kTargetTokensPerSourceToken * source_tokens + kMoreTargetTokens + own.min_tokens;
    own.max_tokens = static_cast<int>(std::min(most, usual + prefix_tokens));
    if (rules_.max_new_tokens > 0) {
      own.max_tokens = static_cast<int>(std::min<int64_t>(own.max_tokens, prefix_tokens + rules_.max_new_tokens));
    } else if (rules_.max_tokens > 0) {
      own.max_tokens = static_cast<int>(std::min<int64_t>(own.max_tokens, rules_.max_tokens));
    }
  }
  if (prefix_tokens >= own.max_tokens) {
    return absl::InvalidArgumentError(absl::StrCat("cannot be translated: options.target_prefix has ", prefix_tokens,
                                                   " tokens, but at most ", own.max_tokens, " may be produced"));
  }
  if (!phrases.empty()) {
    own.max_tokens = static_cast<int>(std::min(most, own.max_tokens + phrase_tokens));
    if (prefix_tokens + phrase_tokens >= own.max_tokens) {
      return absl::InvalidArgumentError(absl::StrCat("cannot be translated: a sentence has forced phrases of ",
                                                     phrase_tokens, " tokens and options.target_prefix ", prefix_tokens,
                                                     ", but the model has ", most, " positions"));
    }
  }
  text.starting.rows += source_tokens;
  const uint64_t seed = SentenceSeed(own.sampling.seed, text.index, text.sentence);
  const size_t code_bytes = sentence.code_bytes;
  text.Append(std::make_unique<SentenceTask>(*this, std::move(sentence), std::move(encoded), std::move(phrases), own,
                                             text.starting.options.beam_size, std::move(prefix), seed),
              code_bytes);
  return absl::OkStatus();
}

void Seq2SeqTranslator::Step(absl::Span<Task* const> tasks, Context& context) const {
  std::vector<DecoderState*> fresh;
  for (Task* task : tasks) {
    if (DecoderState* memory = static_cast<SentenceTask*>(task)->Begin()) fresh.push_back(memory);
  }
  if (!fresh.empty()) network_->Encode(fresh, context);

  std::vector<StepRow> rows;
  std::vector<VocabularyQuery> queries;
  std::vector<size_t> ends;  // of each task's rows
  for (Task* task : tasks) {
    static_cast<SentenceTask*>(task)->AppendRows(rows, queries);
    ends.push_back(rows.size());
  }
  std::vector<VocabularyAnswer> answers(rows.size());
  network_->Step(rows, queries, absl::MakeSpan(answers), context);
  size_t begin = 0;
  for (size_t i = 0; i < tasks.size(); begin = ends[i], ++i) {
    static_cast<SentenceTask*>(tasks[i])->Advance(absl::MakeConstSpan(answers).subspan(begin, ends[i] - begin));
  }
}

}  // namespace heed
