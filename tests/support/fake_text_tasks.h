// SPDX-License-Identifier: Apache-2.0
// The tasks of FakeLanguageModel, whose header says what they come to.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/invalid_argument.h"
#include "tests/support/fake_language_model.h"

namespace heed::fake {

inline constexpr char kEndOfText[] = "<eos>";
inline constexpr int32_t kVocabulary = 100;
inline constexpr int kDefaultMaxTokens = 3;

struct Word {
  std::string text;
  int64_t start = 0, end = 0;
};

inline std::vector<Word> Words(absl::string_view text, bool append_line_end) {
  std::vector<Word> words;
  size_t at = 0;
  while (at < text.size()) {
    const auto place = static_cast<int64_t>(at);
    if (append_line_end && text[at] == '\n') words.push_back({kEndOfText, place, place});
    if (absl::ascii_isspace(static_cast<unsigned char>(text[at]))) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < text.size() && !absl::ascii_isspace(static_cast<unsigned char>(text[end]))) ++end;
    words.push_back({std::string(text.substr(at, end - at)), place, static_cast<int64_t>(end)});
    at = end;
  }
  const auto size = static_cast<int64_t>(text.size());
  if (append_line_end && !text.empty() && text.back() != '\n') words.push_back({kEndOfText, size, size});
  return words;
}

inline bool IsUnknown(absl::string_view word) {
  return std::any_of(word.begin(), word.end(), [](unsigned char c) { return absl::ascii_isdigit(c); });
}

inline std::vector<std::string> UnknownWords(const std::vector<Word>& words) {
  std::vector<std::string> unknown;
  for (const Word& word : words) {
    if (!IsUnknown(word.text) || std::count(unknown.begin(), unknown.end(), word.text) > 0) continue;
    unknown.push_back(word.text);
  }
  return unknown;
}

inline TextAttention EvenAttention(int64_t rows, int64_t columns) {
  TextAttention attention{rows, columns, {}};
  attention.weights.assign(static_cast<size_t>(rows * columns), 1 / static_cast<float>(columns));
  return attention;
}

inline std::vector<TokenAlternative> Alternatives(int count) {
  std::vector<TokenAlternative> top;
  for (int i = 0; i < count; ++i) {
    top.push_back({absl::StrCat(i < 26 ? std::string(1, static_cast<char>('a' + i)) : absl::StrCat("a", i)),
                   -1 - static_cast<float>(i)});
  }
  return top;
}

inline absl::Status CheckAlternatives(absl::string_view field, int count) {
  if (count >= 0 && count <= kMaxAlternatives) return absl::OkStatus();
  return InvalidField(field, count, ", must be 0 to ", kMaxAlternatives);
}

// What FakeLanguageModel::Step advances.
class Advancing {
 public:
  virtual ~Advancing() = default;
  virtual void Advance() = 0;
};

// A task of `words` words, kStepWords of them a step. Finished at once if there is none.
template <typename Base>
class WordTask : public Base, public Advancing {
 public:
  WordTask(std::vector<Word> words, size_t first = 0) : words_(std::move(words)), next_(first) {}

  int64_t next_rows() const override {
    return std::clamp<int64_t>(static_cast<int64_t>(words_.size() - next_), 1, FakeLanguageModel::kStepWords);
  }
  int64_t peak_bytes() const override { return 1000; }

  void Advance() override {
    for (int64_t i = 0; i < FakeLanguageModel::kStepWords && next_ < words_.size(); ++i, ++next_) {
      if (words_[next_].text == "fail") return this->Finish(absl::InternalError("the fake was told to fail"));
      OnWord(words_[next_]);
    }
    if (next_ < words_.size()) return;
    OnEnd();
    this->Finish();
  }

 protected:
  virtual void OnWord(const Word&) {}
  virtual void OnEnd() = 0;

  const std::vector<Word> words_;
  size_t next_;
};

class FakeScoreTask : public WordTask<ScoreTask> {
 public:
  FakeScoreTask(const ScoreRequest& request, std::vector<Word> context, std::vector<Word> text, int64_t memory_words)
      : WordTask(std::move(text)),
        options_(request.options),
        memory_words_(memory_words),
        keep_state_(request.keep_state),
        before_(request.state == nullptr ? std::make_shared<FakeTextState>()
                                         : std::static_pointer_cast<const FakeTextState>(request.state)) {
    for (const Word& word : context) read_.push_back(word.text);
    context_words_ = static_cast<int64_t>(context.size());
    for (const std::string& word : before_->words()) seen_.insert(word);
    for (const std::string& word : read_) seen_.insert(word);
    starts_ = before_->units() == 0 && read_.empty() && options_.begin == ScoreBegin::kNothing;
    result_.bytes = static_cast<int64_t>(request.text.size());
    result_.words = static_cast<int64_t>(Words(request.text, false).size());
    result_.unknown_words = UnknownWords(words_);
    if (words_.empty()) End();
  }

  int64_t answer_bytes() const override {
    if (!options_.return_tokens) return 0;
    return static_cast<int64_t>(words_.size()) * (40 + 20 * options_.top_k);
  }
  std::shared_ptr<const State> state() const override { return after_; }

 private:
  void OnWord(const Word& word) override {
    const bool has_probability = !std::exchange(starts_, false);
    const bool unknown = IsUnknown(word.text);
    const int rank = unknown ? 3 : seen_.contains(word.text) ? 1 : 2;
    seen_.insert(word.text);
    read_.push_back(word.text);
    if (has_probability) {
      result_.log_probability -= rank;
      ++result_.tokens;
      result_.unknown_tokens += unknown;
      result_.is_greedy &= rank == 1;
    }
    if (!options_.return_tokens) return;
    TokenScore& score = result_.token_scores.emplace_back();
    score.token = word.text;
    score.id = static_cast<int32_t>(word.text.size());
    score.start = word.start;
    score.end = word.end;
    score.is_unknown = unknown;
    if (!has_probability) return;
    score.log_probability = static_cast<float>(-rank);
    score.rank = rank;
    score.top = Alternatives(options_.top_k);
  }
  void OnEnd() override { End(); }
  void End() {
    if (options_.return_attention) {
      result_.token_texts = read_;
      const auto rows = static_cast<int64_t>(words_.size());
      result_.attention = EvenAttention(rows, 1 + context_words_ + rows);
    }
    if (keep_state_) after_ = before_->With(read_, memory_words_);
    if (words_.empty()) Finish();
  }

  const ScoreOptions options_;
  const int64_t memory_words_;
  const bool keep_state_;
  const std::shared_ptr<const FakeTextState> before_;
  bool starts_ = false;  // the next token has nothing before it
  int64_t context_words_ = 0;
  std::vector<std::string> read_;  // of context and text
  std::set<std::string> seen_;
  std::shared_ptr<const State> after_;
};

class FakeGenerateTask : public GenerateTask, public Advancing {
 public:
  FakeGenerateTask(GenerateRequest request, int64_t memory_words)
      : options_(request.options),
        memory_words_(memory_words),
        keep_state_(request.keep_state),
        before_(request.state == nullptr ? std::make_shared<FakeTextState>()
                                         : std::static_pointer_cast<const FakeTextState>(request.state)) {
    const std::vector<Word> prompt = Words(request.prompt, options_.text.append_line_end);
    for (const Word& word : prompt) prompt_.push_back(word.text);
    result_.prompt_tokens = static_cast<int64_t>(prompt.size());
    if (options_.return_attention) result_.prompt_token_texts = prompt_;
    result_.unknown_words = UnknownWords(prompt);
    source_ = before_->words();
    source_.insert(source_.end(), prompt_.begin(), prompt_.end());
    max_tokens_ = static_cast<size_t>(options_.max_tokens > 0 ? options_.max_tokens : kDefaultMaxTokens);
    texts_.resize(static_cast<size_t>(options_.sample ? options_.n : 1));
  }

  // The prompt takes the first step, and each token of all draws together one more.
  int64_t next_rows() const override {
    return read_prompt_ ? static_cast<int64_t>(texts_.size()) : 1 + result_.prompt_tokens;
  }
  int64_t peak_bytes() const override { return 1000; }
  int64_t answer_bytes() const override {
    return options_.return_tokens ? static_cast<int64_t>(max_tokens_ * texts_.size()) * 40 : 0;
  }
  bool has_output() const override { return finished() || (options_.stream && taken_ < texts_[0].text.size()); }
  std::string TakeText() override { return texts_[0].text.substr(std::exchange(taken_, texts_[0].text.size())); }
  std::shared_ptr<const State> state() const override { return after_; }

  void Advance() override {
    if (!std::exchange(read_prompt_, true)) {
      if (std::count(prompt_.begin(), prompt_.end(), "fail") == 0) return;
      return Finish(absl::InternalError("the fake was told to fail"));
    }
    bool running = false;
    for (size_t i = 0; i < texts_.size(); ++i) {
      if (!done(i)) AddToken(i);
      running |= !done(i);
    }
    ++length_;
    if (!running) End();
  }

 private:
  struct Text {
    std::string text;
    std::vector<std::string> words;
    std::optional<FinishReason> reason;
    std::string stop;
  };

  bool done(size_t i) const { return texts_[i].reason.has_value(); }

  void AddToken(size_t i) {
    Text& text = texts_[i];
    const size_t shift = i + static_cast<size_t>(options_.sample ? options_.sampling.seed % source_.size() : 0);
    const std::string& word = source_[(shift + length_) % source_.size()];
    text.words.push_back(word == "end" ? kEndOfText : word);
    if (word == "end" && options_.stop_at_end) {
      text.reason = FinishReason::kEos;
      return;
    }
    const std::string longer = absl::StrCat(text.text, text.text.empty() ? "" : " ", word);
    for (const std::string& stop : options_.stop) {
      const size_t place = longer.find(stop);
      if (place == std::string::npos) continue;
      text.text = longer.substr(0, place);
      text.stop = stop;
      text.reason = FinishReason::kEos;
      return;
    }
    text.text = longer;
    if (text.words.size() >= max_tokens_) text.reason = FinishReason::kLength;
  }

  GeneratedText Generated(const Text& from, int hypothesis) const {
    GeneratedText to;
    to.text = hypothesis == 0 ? from.text : absl::StrCat(from.text, "#", hypothesis);
    to.finish_reason = *from.reason;
    to.stop = from.stop;
    to.token_count = static_cast<int64_t>(from.words.size());
    to.log_probability = -static_cast<double>(to.token_count);
    to.score = -1 - hypothesis;
    int64_t at = 0;
    for (const std::string& word : from.words) {
      if (!options_.return_tokens) break;
      const int64_t end = std::min(at + static_cast<int64_t>(word.size()), static_cast<int64_t>(to.text.size()));
      to.tokens.push_back({.token = word,
                           .id = static_cast<int32_t>(word.size()),
                           .start = std::min(at, end),
                           .end = end,
                           .is_unknown = IsUnknown(word),
                           .log_probability = -1.0f,
                           .rank = 1,
                           .top = Alternatives(options_.top_k_alternatives)});
      at = end + 1;
    }
    if (options_.return_attention) {
      to.attention = EvenAttention(to.token_count, 1 + result_.prompt_tokens + to.token_count);
    }
    return to;
  }

  void End() {
    for (const Text& text : texts_) {
      for (int i = 0; i < options_.n_best; ++i) result_.texts.push_back(Generated(text, i));
    }
    if (keep_state_) {
      std::vector<std::string> read = prompt_;
      read.insert(read.end(), texts_[0].words.begin(), texts_[0].words.end());
      after_ = before_->With(read, memory_words_);
    }
    Finish();
  }

  const GenerateOptions options_;
  const int64_t memory_words_;
  const bool keep_state_;
  const std::shared_ptr<const FakeTextState> before_;
  std::vector<std::string> prompt_;
  std::vector<std::string> source_;  // what it goes on with
  size_t max_tokens_ = 0;
  bool read_prompt_ = false;
  size_t length_ = 0;  // tokens of each running text
  std::vector<Text> texts_;
  size_t taken_ = 0;  // bytes of the first text
  std::shared_ptr<const State> after_;
};

class FakeFillInTask : public WordTask<FillInTask> {
 public:
  explicit FakeFillInTask(FillInRequest request) : WordTask(Words(request.text, false)), request_(std::move(request)) {}

 private:
  void OnEnd() override {
    int64_t at = 0;
    int64_t gap_tokens = 0;
    for (const TextGap& gap : request_.gaps) {
      std::vector<GapFilling> top;
      const auto places = static_cast<int>(gap.candidates.empty() ? 3 : gap.candidates.size());
      for (int place = 0; place < std::min(places, request_.top_k); ++place) top.push_back(Filling(gap, place));
      absl::StrAppend(&result_.filled_text, Between(at, gap.start), top[0].text);
      result_.log_probability += top[0].log_probability;
      gap_tokens += static_cast<int64_t>(top[0].tokens.size());
      at = gap.end;
      result_.gaps.push_back(std::move(top));
    }
    absl::StrAppend(&result_.filled_text, Between(at, static_cast<int64_t>(request_.text.size())));
    result_.tokens = static_cast<int64_t>(words_.size());
    if (!request_.return_attention) return;
    for (const Word& word : words_) result_.token_texts.push_back(word.text);
    result_.attention = EvenAttention(gap_tokens, 1 + static_cast<int64_t>(words_.size()));
  }

  std::string Between(int64_t start, int64_t end) const {
    return request_.text.substr(static_cast<size_t>(start), static_cast<size_t>(end - start));
  }

  static GapFilling Filling(const TextGap& gap, int place) {
    GapFilling filling;
    if (gap.candidates.empty()) {
      for (int i = 1; i <= gap.pieces; ++i) {
        filling.tokens.push_back(absl::StrCat(std::string(1, static_cast<char>('p' + place)), i));
      }
    } else {
      filling.tokens = absl::StrSplit(gap.candidates[static_cast<size_t>(place)], ' ');
    }
    filling.text = absl::StrJoin(filling.tokens, " ");
    filling.log_probability = -static_cast<float>(filling.tokens.size()) - static_cast<float>(place);
    return filling;
  }

  const FillInRequest request_;
};

// What of a text of many words is read: all, the beginning, or all in windows.
struct Reading {
  std::vector<Word> words;
  bool truncated = false;
};

inline absl::StatusOr<Reading> Read(absl::string_view text, const TextOptions& options, Overlong overlong,
                                    int64_t max_tokens) {
  const int64_t most = max_tokens > 0 ? max_tokens : FakeLanguageModel::kMaxTokens;
  Reading reading{Words(text, options.append_line_end), false};
  const auto tokens = static_cast<int64_t>(reading.words.size());
  if (tokens <= most || overlong == Overlong::kWindows) return reading;
  if (overlong == Overlong::kRefuse) return InvalidField("text", "has ", tokens, " tokens, at most ", most);
  reading.words.resize(static_cast<size_t>(most));
  reading.truncated = true;
  return reading;
}

inline std::vector<std::string> Texts(const std::vector<Word>& words) {
  std::vector<std::string> texts;
  for (const Word& word : words) texts.push_back(word.text);
  return texts;
}

class FakeClassifyTask : public WordTask<TextClassificationTask> {
 public:
  FakeClassifyTask(Reading reading, TextClassificationRequest request)
      : WordTask(std::move(reading.words)), request_(std::move(request)) {
    result_.truncated = reading.truncated;
  }

 private:
  void OnEnd() override {
    result_.tokens = static_cast<int64_t>(words_.size());
    std::vector<TextLabel>& labels = result_.labels;
    if (request_.choices.empty()) {
      const bool odd = words_.size() % 2 == 1;
      labels = {{odd ? "odd" : "even", 0.75}, {odd ? "even" : "odd", 0.25}};
    } else {
      for (size_t i = 0; i < request_.choices.size(); ++i) labels.push_back({absl::StrCat(i), 0.5});
      std::stable_sort(labels.begin(), labels.end(),
                       [this](const TextLabel& a, const TextLabel& b) { return Length(a) > Length(b); });
    }
    if (request_.top > 0 && labels.size() > static_cast<size_t>(request_.top)) {
      labels.resize(static_cast<size_t>(request_.top));
    }
    if (!request_.return_attention) return;
    result_.token_texts = Texts(words_);
    result_.attention = EvenAttention(1, 1 + result_.tokens);
  }
  size_t Length(const TextLabel& label) const { return request_.choices[std::stoul(label.label)].size(); }

  const TextClassificationRequest request_;
};

class FakeTagTask : public WordTask<TagTask> {
 public:
  FakeTagTask(Reading reading, bool attention) : WordTask(std::move(reading.words)), attention_(attention) {}

 private:
  void OnWord(const Word& word) override {
    const bool name = absl::ascii_isupper(static_cast<unsigned char>(word.text[0]));
    result_.words.push_back({word.text, word.start, word.end, name ? "NAME" : "O", name ? 0.75f : 0.5f});
  }
  void OnEnd() override {
    result_.tokens = static_cast<int64_t>(words_.size());
    if (!attention_) return;
    result_.token_texts = Texts(words_);
    result_.attention = EvenAttention(result_.tokens, 1 + result_.tokens);
  }

  const bool attention_;
};

class FakeAnswerTask : public WordTask<AnswerFromTextTask> {
 public:
  FakeAnswerTask(Reading reading, AnswerFromTextRequest request)
      : WordTask(std::move(reading.words)), request_(std::move(request)) {
    const std::vector<Word> question = Words(request_.question, false);
    if (!question.empty()) wanted_ = question.back().text;
  }

 private:
  void OnWord(const Word& word) override {
    if (word.text != wanted_ || result_.answers.size() >= static_cast<size_t>(request_.top)) return;
    const float score = std::ldexp(1.0f, -1 - static_cast<int>(result_.answers.size()));
    result_.answers.push_back({word.text, word.start, word.end, score});
  }
  void OnEnd() override {
    result_.no_answer_score = 0.125f;
    result_.tokens = static_cast<int64_t>(words_.size());
    if (request_.allow_no_answer) {
      std::erase_if(result_.answers, [](const TextSpan& span) { return span.score <= 0.125f; });
    }
    if (!request_.return_attention) return;
    result_.token_texts = Texts(words_);
    result_.attention = EvenAttention(result_.answers.empty() ? 0 : 1, 1 + result_.tokens);
  }

  const AnswerFromTextRequest request_;
  std::string wanted_;
};

class FakeEmbedTask : public WordTask<EmbedTask> {
 public:
  FakeEmbedTask(Reading reading, EmbedRequest request)
      : WordTask(std::move(reading.words)), request_(std::move(request)) {
    result_.truncated = reading.truncated;
    result_.width = 2;
  }

 private:
  void Add(float words, float bytes) {
    const float length = request_.normalize ? std::hypot(words, bytes) : 1;
    result_.values.push_back(words / length);
    result_.values.push_back(bytes / length);
  }
  void OnWord(const Word& word) override {
    if (request_.pooling != Pooling::kTokens) return;
    result_.tokens.push_back({word.text, word.start, word.end});
    Add(1, static_cast<float>(word.text.size()));
  }
  void OnEnd() override {
    result_.token_count = static_cast<int64_t>(words_.size());
    if (request_.pooling != Pooling::kTokens) {
      Add(static_cast<float>(words_.size()), static_cast<float>(request_.text.size()));
    }
    if (!request_.return_attention) return;
    result_.token_texts = Texts(words_);
    result_.attention = EvenAttention(result_.token_count, 1 + result_.token_count);
  }

  const EmbedRequest request_;
};

}  // namespace heed::fake
