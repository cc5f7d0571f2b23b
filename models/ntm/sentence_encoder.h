// SPDX-License-Identifier: Apache-2.0
// From a sentence to what a network reads: the sum of its words' vectors, each times the vector of its position
// (Sukhbaatar et al. 2015, position encoding, here learned).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/layers/weight_reader.h"
#include "models/ntm/ntm_config.h"

namespace heed {

// The words of a sentence, as they are spelt there: runs of letters, digits, ' and -; whatever is not ASCII counts as a
// letter.
std::vector<absl::string_view> SplitWords(absl::string_view sentence);

// A sentence as the vocabulary knows it.
struct EncodedSentence {
  static constexpr int32_t kUnknown = -1;

  std::vector<int32_t> words;              // rows of the vocabulary, or kUnknown
  std::vector<std::string> unknown_words;  // each once, as spelt in the sentence
};

// Immutable, thread-safe.
class SentenceEncoder {
 public:
  // Reads vocab.json of `directory`, and the tensors words, positions, kinds and times.
  static absl::StatusOr<SentenceEncoder> Load(const std::string& directory, int64_t width,
                                              const NtmQuestionsConfig& config, const WeightReader& tensors);

  // INVALID_ARGUMENT: no word, or more than the model reads; begins with `field`, which names the sentence.
  absl::StatusOr<EncodedSentence> Encode(absl::string_view sentence, absl::string_view field) const;
  // x [width] of fact `time` of a story, from 0, and of a question.
  void Fact(const EncodedSentence& sentence, int64_t time, float* x) const;
  void Question(const EncodedSentence& sentence, float* x) const;

  int64_t resident_bytes() const;

 private:
  void Sum(const EncodedSentence& sentence, size_t kind, float* x) const;

  size_t width_ = 0;
  int64_t max_words_ = 0, max_times_ = 0;
  absl::flat_hash_map<std::string, int32_t> vocabulary_;
  std::vector<float> words_, positions_, kinds_, times_;  // [.., width]
};

}  // namespace heed
