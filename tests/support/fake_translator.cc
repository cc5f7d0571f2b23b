// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_translator.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "absl/strings/str_cat.h"
#include "models/kinds/served_precision.h"

namespace heed {
namespace {

std::string Capitals(std::string word) {
  std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::toupper(c); });
  return word;
}

bool IsSpace(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

class FakeTask : public TranslationTask {
 public:
  // The sentence at `place` of the text.
  FakeTask(const SourceText& text, TextRange place, const TranslateOptions& options)
      : source_(text.text.substr(place.begin, place.end - place.begin)), options_(options) {
    for (size_t begin = 0; begin < source_.size();) {
      while (begin < source_.size() && IsSpace(source_[begin])) ++begin;
      size_t end = begin;
      while (end < source_.size() && !IsSpace(source_[end])) ++end;
      if (end == begin) break;
      const ForcedPhrase* forced = nullptr;
      for (const ForcedPhrase& phrase : text.forced) {
        if (phrase.source.begin < place.begin + end && place.begin + begin < phrase.source.end) forced = &phrase;
      }
      if (forced == nullptr || forced != last_forced_) {
        words_.push_back(source_.substr(begin, end - begin));
        ranges_.push_back({begin, end});
        targets_.push_back(forced == nullptr ? Capitals(words_.back()) : forced->target);
      }
      last_forced_ = forced;
      begin = end;
    }
    if (words_.empty() || source_ == "--.") {
      result_.hypotheses.resize(1);
      result_.hypotheses[0].text = words_.empty() ? "" : source_;
      Finish();
      return;
    }
    result_.source_token_count = static_cast<int64_t>(words_.size()) + 1;
    text_ = options_.target_prefix;
    if (!options_.return_tokens) return;
    result_.source_tokens = words_;
    result_.source_tokens.push_back("</s>");
  }

  int64_t next_rows() const override {
    return done_ == 0 ? static_cast<int64_t>(words_.size()) + 1 : static_cast<int64_t>(options_.beam_size);
  }
  int64_t peak_bytes() const override { return 1000 * static_cast<int64_t>(words_.size()); }
  int64_t answer_bytes() const override {
    return options_.return_attention ? 4 * static_cast<int64_t>(words_.size() * words_.size()) : 0;
  }
  bool has_output() const override { return finished() || (options_.stream && taken_ < text_.size()); }
  const std::string& source() const override { return source_; }
  const SentenceResult& result() const override { return result_; }
  std::string TakeText() override { return text_.substr(std::exchange(taken_, text_.size())); }

  void Advance() {
    if (words_[done_] == "fail") return Finish(absl::InternalError("the fake was told to fail"));
    const std::string& word = targets_[done_];
    absl::StrAppend(&text_, text_.empty() ? "" : " ", word);
    alignment_.push_back({{text_.size() - word.size(), text_.size()}, ranges_[done_]});
    ++done_;
    tokens_.push_back(word);
    const bool loop = word == "LOOP";
    const bool length =
        word == "LONG" || (options_.max_tokens > 0 && done_ >= static_cast<size_t>(options_.max_tokens));
    if (done_ < words_.size() && !loop && !length) return;
    tokens_.push_back("</s>");
    for (int k = 0; k < options_.n_best; ++k) {
      Hypothesis& hypothesis = result_.hypotheses.emplace_back();
      hypothesis.text = k == 0 ? text_ : absl::StrCat(text_, "#", k);
      hypothesis.score = -static_cast<float>(words_.size()) - static_cast<float>(k);
      hypothesis.finish_reason = loop ? FinishReason::kLoop : length ? FinishReason::kLength : FinishReason::kEos;
      hypothesis.token_count = static_cast<int64_t>(tokens_.size());
      if (options_.return_tokens) hypothesis.tokens = tokens_;
      if (options_.align) hypothesis.alignment = alignment_;
      if (options_.return_attention) {
        const float weight = 1 / static_cast<float>(result_.source_token_count);
        hypothesis.attention.assign(tokens_.size() * static_cast<size_t>(result_.source_token_count), weight);
      }
    }
    Finish();
  }

 private:
  const std::string source_;
  const TranslateOptions options_;
  std::vector<std::string> words_;
  std::vector<TextRange> ranges_;     // of each
  std::vector<std::string> targets_;  // what each becomes
  const ForcedPhrase* last_forced_ = nullptr;
  std::vector<AlignedToken> alignment_;
  size_t done_ = 0;  // words
  std::string text_;
  size_t taken_ = 0;  // bytes of text_
  std::vector<std::string> tokens_;
  SentenceResult result_;
};

}  // namespace

FakeTranslator::FakeTranslator(std::string name, Precision precision) {
  spec_.name = std::move(name);
  spec_.architecture = "fake";
  spec_.source_language = "en";
  spec_.target_language = "EN";
  language_pairs_ = {{"en", "de", ""}};
  spec_.weights = 26;
  spec_.resident_bytes = 1 << 20;
  NotePrecision(precision, spec_);
}

absl::StatusOr<StartedTranslation> FakeTranslator::Start(absl::Span<const SourceText> texts,
                                                         const TranslateOptions& options,
                                                         const StartLimits& limits) const {
  {
    MutexLock lock(mutex_);
    last_options_ = options;
  }
  if (options.beam_size < 1 || options.beam_size > kMaxBeamSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("beam_size: ", options.beam_size, ", allowed are 1 to ", kMaxBeamSize));
  }
  if (options.n_best < 1 || options.n_best > options.beam_size) {
    return absl::InvalidArgumentError(absl::StrCat("n_best: ", options.n_best, ", beam_size is ", options.beam_size));
  }
  if (options.sample && options.beam_size != 1) {
    return absl::InvalidArgumentError(absl::StrCat("sampling: needs beam_size 1, it is ", options.beam_size));
  }
  if (static_cast<int64_t>(texts.size()) > limits.max_tasks) {
    return absl::InvalidArgumentError(absl::StrCat("texts: ", texts.size(), ", at most ", limits.max_tasks));
  }
  StartedTranslation started;
  for (size_t text = 0; text < texts.size(); ++text) {
    if (absl::Status status = limits.Check(); !status.ok()) return status;
    const std::string& all = texts[text].text;
    size_t begin = 0;
    int sentence = 0;
    bool has_prefix = false;  // of a sentence before
    std::string trailing;
    do {
      size_t word = begin;
      while (word < all.size() && IsSpace(all[word])) ++word;
      size_t end = word;
      while (end < all.size() && !(end > word && IsSpace(all[end]) &&
                                   std::string_view(".!?").find(all[end - 1]) != std::string_view::npos)) {
        ++end;
      }
      if (end == all.size()) {
        while (end > word && IsSpace(all[end - 1])) --end;
        trailing = all.substr(end);
      }
      if (word == end && sentence > 0) {  // nothing but white space after the last sentence
        trailing = all.substr(begin);
        break;
      }
      TranslateOptions own = options;
      if (has_prefix) own.target_prefix.clear();
      started.tasks.push_back(std::make_unique<FakeTask>(texts[text], TextRange{word, end}, own));
      has_prefix = has_prefix || !started.tasks.back()->finished();
      started.places.push_back({static_cast<int>(text), sentence++, all.substr(begin, word - begin), word, 0});
      begin = end;
    } while (begin + trailing.size() < all.size());
    started.trailing.push_back(trailing);
  }
  return started;
}

void FakeTranslator::Step(absl::Span<Task* const> tasks, Context&) const {
  {
    MutexLock lock(mutex_);
    batch_sizes_.push_back(static_cast<int>(tasks.size()));
  }
  gate_.Pass();
  for (Task* task : tasks) static_cast<FakeTask*>(task)->Advance();
}

std::vector<int> FakeTranslator::batch_sizes() const {
  MutexLock lock(mutex_);
  return batch_sizes_;
}

TranslateOptions FakeTranslator::last_options() const {
  MutexLock lock(mutex_);
  return last_options_;
}

}  // namespace heed
