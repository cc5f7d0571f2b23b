// SPDX-License-Identifier: Apache-2.0
#include "models/markup/phrase_finder.h"

#include <unicode/normalizer2.h>
#include <unicode/unistr.h>

#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/code_points.h"
#include "models/markup/sequence_matcher.h"
#include "models/markup/words.h"

namespace heed {
namespace {

constexpr uint32_t kSpaceSymbol = 0;    // white space between two words
constexpr uint32_t kUnknownSymbol = 1;  // a word of no phrase
constexpr uint32_t kFirstWordSymbol = 2;

// A word in the form in which words are compared.
std::string Normalized(absl::string_view word, bool fold) {
  bool simple = true;
  for (const char c : word) simple = simple && static_cast<unsigned char>(c) < 0x80 && !(fold && c >= 'A' && c <= 'Z');
  if (simple) return std::string(word);
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* const normalizer =
      fold ? icu::Normalizer2::getNFKCCasefoldInstance(error) : icu::Normalizer2::getNFCInstance(error);
  if (U_FAILURE(error)) return std::string(word);
  const icu::UnicodeString text = icu::UnicodeString::fromUTF8({word.data(), static_cast<int32_t>(word.size())});
  std::string normalized;
  normalizer->normalize(text, error).toUTF8String(normalized);
  return U_FAILURE(error) ? std::string(word) : normalized;
}

}  // namespace

// The phrases that are compared in one way.
class PhraseFinder::Table {
 public:
  explicit Table(bool fold) : fold_(fold) {}

  void Add(absl::string_view phrase, size_t index) {
    const std::vector<TextWord> words = SplitAtEverySign(phrase);
    std::vector<uint32_t> symbols;
    for (size_t i = 0; i < words.size(); ++i) {
      if (i > 0 && words[i].begin > words[i - 1].end) symbols.push_back(kSpaceSymbol);
      const auto number = kFirstWordSymbol + static_cast<uint32_t>(numbers_.size());
      const std::string word = Normalized(phrase.substr(words[i].begin, words[i].end - words[i].begin), fold_);
      symbols.push_back(numbers_.try_emplace(word, number).first->second);
    }
    matcher_.Add(symbols);
    indices_.push_back(index);
  }
  void Prepare() { matcher_.Prepare(); }
  bool empty() const { return indices_.empty(); }

  // For each word the longest phrase that begins there: its index and the word that it ends with.
  struct Found {
    bool any = false;
    size_t phrase = 0, last_word = 0;
  };
  std::vector<Found> Find(absl::string_view text, const std::vector<TextWord>& words) const {
    std::vector<uint32_t> symbols;
    std::vector<size_t> word_of;  // of each symbol
    symbols.reserve(words.size() * 2);
    word_of.reserve(words.size() * 2);
    for (size_t i = 0; i < words.size(); ++i) {
      if (i > 0 && words[i].begin > words[i - 1].end) {
        symbols.push_back(kSpaceSymbol);
        word_of.push_back(i - 1);
      }
      const auto number = numbers_.find(Normalized(text.substr(words[i].begin, words[i].end - words[i].begin), fold_));
      symbols.push_back(number == numbers_.end() ? kUnknownSymbol : number->second);
      word_of.push_back(i);
    }
    const std::vector<SequenceMatcher::Match> matches = matcher_.LongestAt(symbols);
    std::vector<Found> found(words.size());
    for (size_t i = 0; i < matches.size(); ++i) {
      if (matches[i].sequence < 0) continue;
      found[word_of[i]] = {true, indices_[static_cast<size_t>(matches[i].sequence)], word_of[i + matches[i].size - 1]};
    }
    return found;
  }

 private:
  const bool fold_;
  absl::flat_hash_map<std::string, uint32_t> numbers_;
  SequenceMatcher matcher_;
  std::vector<size_t> indices_;  // of the matcher's sequences
};

struct PhraseFinder::Tables {
  Table exact{false}, folded{true};
};

PhraseFinder::PhraseFinder(absl::Span<const Phrase> phrases) {
  auto tables = std::make_unique<Tables>();
  for (size_t i = 0; i < phrases.size(); ++i) {
    (phrases[i].ignore_case ? tables->folded : tables->exact).Add(phrases[i].text, i);
  }
  tables->exact.Prepare();
  tables->folded.Prepare();
  tables_ = std::move(tables);
}

PhraseFinder::PhraseFinder(PhraseFinder&&) noexcept = default;
PhraseFinder& PhraseFinder::operator=(PhraseFinder&&) noexcept = default;
PhraseFinder::~PhraseFinder() = default;

std::vector<PhraseOccurrence> PhraseFinder::Find(absl::string_view text) const {
  std::vector<PhraseOccurrence> occurrences;
  if (tables_->exact.empty() && tables_->folded.empty()) return occurrences;
  const std::vector<TextWord> words = SplitAtEverySign(text);
  std::vector<Table::Found> exact(words.size()), folded(words.size());
  if (!tables_->exact.empty()) exact = tables_->exact.Find(text, words);
  if (!tables_->folded.empty()) folded = tables_->folded.Find(text, words);
  for (size_t i = 0; i < words.size();) {
    const bool use_folded = folded[i].any && (!exact[i].any || folded[i].last_word > exact[i].last_word);
    const Table::Found& found = use_folded ? folded[i] : exact[i];
    if (!found.any) {
      ++i;
      continue;
    }
    occurrences.push_back({{words[i].begin, words[found.last_word].end}, found.phrase});
    i = found.last_word + 1;
  }
  return occurrences;
}

}  // namespace heed
