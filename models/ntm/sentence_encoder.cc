// SPDX-License-Identifier: Apache-2.0
#include "models/ntm/sentence_encoder.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/json_fields.h"
#include "base/status_macros.h"

namespace heed {
namespace {

// A sentence is kept whole, white space and all.
constexpr int64_t kMaxBytesAWord = 64;

bool IsOfWord(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '\'' || c == '-' ||
         !absl::ascii_isascii(static_cast<unsigned char>(c));
}

absl::StatusOr<absl::flat_hash_map<std::string, int32_t>> ReadVocabulary(const std::string& path) {
  HEED_ASSIGN_OR_RETURN(const JsonFields fields, JsonFields::Read(path));
  const size_t size = fields.object().size();
  absl::flat_hash_map<std::string, int32_t> vocabulary;
  std::vector<std::string> names(size);
  for (const auto& [word, row] : fields.object().items()) {
    const auto wrong = [&path, &w = word](const auto&... what) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": word '", w, "' ", what...));
    };
    if (!row.is_number_unsigned() || row.get<uint64_t>() >= size) {
      return wrong("has row ", fields.Shown(word), ", which is not from 0 to ", static_cast<int64_t>(size) - 1);
    }
    std::string& known = names[row.get<size_t>()];
    if (!known.empty()) return wrong("and word '", known, "' both have row ", row.dump());
    if (SplitWords(word) != std::vector<absl::string_view>{word} || absl::AsciiStrToLower(word) != word) {
      return wrong("is not one word in lower case");
    }
    known = word;
    vocabulary[word] = row.get<int32_t>();
  }
  if (vocabulary.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": has no words"));
  return vocabulary;
}

}  // namespace

std::vector<absl::string_view> SplitWords(absl::string_view sentence) {
  std::vector<absl::string_view> words;
  for (size_t at = 0; at < sentence.size(); ++at) {
    const size_t begin = at;
    while (at < sentence.size() && IsOfWord(sentence[at])) ++at;
    if (at > begin) words.push_back(sentence.substr(begin, at - begin));
  }
  return words;
}

absl::StatusOr<SentenceEncoder> SentenceEncoder::Load(const std::string& directory, int64_t width,
                                                      const NtmQuestionsConfig& config, const WeightReader& tensors) {
  SentenceEncoder encoder;
  encoder.width_ = static_cast<size_t>(width);
  encoder.max_words_ = config.max_words;
  encoder.max_times_ = config.max_times;
  HEED_ASSIGN_OR_RETURN(encoder.vocabulary_, ReadVocabulary(absl::StrCat(directory, "/vocab.json")));
  const int64_t words = static_cast<int64_t>(encoder.vocabulary_.size());
  HEED_ASSIGN_OR_RETURN(encoder.words_, tensors.Read("words.weight", {words, width}));
  HEED_ASSIGN_OR_RETURN(encoder.positions_, tensors.Read("positions.weight", {config.max_words, width}));
  HEED_ASSIGN_OR_RETURN(encoder.kinds_, tensors.Read("kinds.weight", {2, width}));
  HEED_ASSIGN_OR_RETURN(encoder.times_, tensors.Read("times.weight", {config.max_times, width}));
  return encoder;
}

absl::StatusOr<EncodedSentence> SentenceEncoder::Encode(absl::string_view sentence, absl::string_view field) const {
  if (static_cast<int64_t>(sentence.size()) > max_words_ * kMaxBytesAWord) {
    return WithField(InvalidArgument(field, " has ", sentence.size(), " bytes, but the model reads at most ",
                                     max_words_, " words of ", kMaxBytesAWord),
                     field);
  }
  const std::vector<absl::string_view> words = SplitWords(sentence);
  if (words.empty()) return WithField(InvalidArgument(field, " has no word"), field);
  if (static_cast<int64_t>(words.size()) > max_words_) {
    return WithField(InvalidArgument(field, " has ", words.size(), " words, but the model reads at most ", max_words_),
                     field);
  }
  EncodedSentence encoded;
  for (const absl::string_view word : words) {
    const auto known = vocabulary_.find(absl::AsciiStrToLower(word));
    encoded.words.push_back(known == vocabulary_.end() ? EncodedSentence::kUnknown : known->second);
    std::vector<std::string>& unknown = encoded.unknown_words;
    if (known == vocabulary_.end() && std::find(unknown.begin(), unknown.end(), word) == unknown.end()) {
      unknown.emplace_back(word);
    }
  }
  return encoded;
}

void SentenceEncoder::Sum(const EncodedSentence& sentence, size_t kind, float* x) const {
  std::copy_n(kinds_.data() + kind * width_, width_, x);
  for (size_t i = 0; i < sentence.words.size(); ++i) {
    if (sentence.words[i] == EncodedSentence::kUnknown) continue;
    const float* word = words_.data() + static_cast<size_t>(sentence.words[i]) * width_;
    const float* position = positions_.data() + i * width_;
    for (size_t k = 0; k < width_; ++k) x[k] += word[k] * position[k];
  }
}

void SentenceEncoder::Fact(const EncodedSentence& sentence, int64_t time, float* x) const {
  Sum(sentence, 0, x);
  const float* row = times_.data() + static_cast<size_t>(std::min(time, max_times_ - 1)) * width_;
  for (size_t k = 0; k < width_; ++k) x[k] += row[k];
}

void SentenceEncoder::Question(const EncodedSentence& sentence, float* x) const { Sum(sentence, 1, x); }

int64_t SentenceEncoder::resident_bytes() const {
  return static_cast<int64_t>((words_.size() + positions_.size() + kinds_.size() + times_.size()) * sizeof(float));
}

}  // namespace heed
