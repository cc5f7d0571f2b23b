// SPDX-License-Identifier: Apache-2.0
#include "models/markup/word_links.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "models/markup/sequence_matcher.h"

namespace heed {
namespace {

constexpr float kSignWeight = 0.5f;
constexpr float kKeptWeight = 4;
constexpr size_t kMaxWordsOfToken = 8;  // source words that a token is linked with

// Cuts words at offsets within them; `word_of`: of each piece, the word that it is of.
std::vector<TextWord> CutWords(const std::vector<TextWord>& words, const std::vector<uint32_t>& cuts,
                               std::vector<uint32_t>& word_of) {
  std::vector<TextWord> pieces;
  size_t next = 0;
  for (uint32_t w = 0; w < words.size(); ++w) {
    TextWord rest = words[w];
    for (; next < cuts.size() && cuts[next] < rest.end; ++next) {
      if (cuts[next] <= rest.begin) continue;
      pieces.push_back({rest.begin, cuts[next], rest.has_letters});
      word_of.push_back(w);
      rest.begin = cuts[next];
    }
    pieces.push_back(rest);
    word_of.push_back(w);
  }
  return pieces;
}

// Words of the target as they are linked with source words.
class Linker {
 public:
  Linker(WordLinks& links, absl::string_view source, absl::string_view target)
      : links_(links), source_(source), target_(target) {}

  void Link(uint32_t target_word, uint32_t source_word, float weight) {
    if (weight > 0) all_.push_back({source_word, target_word, weight});
  }

  // By the tokens of an alignment, the words that are not `linked` yet.
  void LinkByTokens(absl::Span<const AlignedToken> alignment, const std::vector<bool>& linked) {
    size_t word = 0, behind = 0;
    for (const AlignedToken& token : alignment) {
      if (token.target.begin < behind || token.target.end > target_.size() || token.target.begin >= token.target.end ||
          token.source.end > source_.size() || token.source.begin >= token.source.end) {
        continue;
      }
      behind = token.target.end;
      while (word < links_.target.size() && links_.target[word].end <= token.target.begin) ++word;
      for (size_t w = word; w < links_.target.size() && links_.target[w].begin < token.target.end; ++w) {
        if (linked[w]) continue;
        const size_t begin = std::max<size_t>(links_.target[w].begin, token.target.begin);
        const size_t end = std::min<size_t>(links_.target[w].end, token.target.end);
        LinkByRange(static_cast<uint32_t>(w), token.source, static_cast<float>(end - begin));
      }
    }
  }

  // The weights of each target word sum to one number; links are sorted by source word.
  void Finish() {
    std::sort(all_.begin(), all_.end(), [](const Entry& a, const Entry& b) {
      return a.source != b.source ? a.source < b.source : a.target < b.target;
    });
    std::vector<float> sums(links_.target.size());
    for (const Entry& entry : all_) sums[entry.target] += entry.weight;
    links_.weights.assign(links_.target.size(), 0);
    for (size_t w = 0; w < sums.size(); ++w) {
      if (sums[w] == 0) continue;
      links_.weights[w] = links_.kept[w] >= 0 ? kKeptWeight : links_.target[w].has_letters ? 1 : kSignWeight;
    }
    links_.links.clear();
    links_.links_end.clear();
    size_t next = 0;
    for (uint32_t s = 0; s < links_.source.size(); ++s) {
      const size_t first = links_.links.size();
      for (; next < all_.size() && all_[next].source == s; ++next) {
        const Entry& entry = all_[next];
        const float weight = entry.weight / sums[entry.target] * links_.weights[entry.target];
        if (links_.links.size() > first && links_.links.back().word == entry.target) {
          links_.links.back().weight += weight;
        } else {
          links_.links.push_back({entry.target, weight});
        }
      }
      links_.links_end.push_back(static_cast<uint32_t>(links_.links.size()));
    }
  }

  // The alignment says nothing of the words that are not `linked`: few have links, or all the same.
  bool IsUseless(const std::vector<bool>& linked) const {
    constexpr size_t kFew = 4;
    std::vector<bool> targets(links_.target.size()), sources(links_.source.size());
    for (const Entry& entry : all_) {
      if (!linked[entry.target]) targets[entry.target] = sources[entry.source] = true;
    }
    const auto count = [](const std::vector<bool>& flags) {
      return static_cast<size_t>(std::count(flags.begin(), flags.end(), true));
    };
    const size_t others = targets.size() - count(linked);
    if (count(targets) * kFew < others) return true;
    return others >= kFew && sources.size() >= kFew && count(sources) < 2;
  }

  // In proportion, the words that are not `linked`.
  void LinkByPlace(const std::vector<bool>& linked) {
    all_.erase(std::remove_if(all_.begin(), all_.end(), [&](const Entry& entry) { return !linked[entry.target]; }),
               all_.end());
    const size_t targets = links_.target.size(), sources = links_.source.size();
    for (size_t w = 0; w < targets && sources > 0; ++w) {
      if (!linked[w]) Link(static_cast<uint32_t>(w), static_cast<uint32_t>((2 * w + 1) * sources / (2 * targets)), 1);
    }
  }

 private:
  struct Entry {
    uint32_t source, target;
    float weight;
  };

  void LinkByRange(uint32_t target_word, const TextRange& range, float weight) {
    const auto ends_before = [](const TextWord& word, size_t at) { return word.end <= at; };
    auto word = std::lower_bound(links_.source.begin(), links_.source.end(), range.begin, ends_before);
    const auto size = static_cast<float>(range.end - range.begin);
    for (size_t i = 0; i < kMaxWordsOfToken && word != links_.source.end() && word->begin < range.end; ++i, ++word) {
      const size_t begin = std::max<size_t>(word->begin, range.begin), end = std::min<size_t>(word->end, range.end);
      Link(target_word, static_cast<uint32_t>(word - links_.source.begin()),
           weight * static_cast<float>(end - begin) / size);
    }
  }

  WordLinks& links_;
  const absl::string_view source_, target_;
  std::vector<Entry> all_;
};

absl::string_view Part(absl::string_view text, const TextWord& word) {
  return text.substr(word.begin, word.end - word.begin);
}

// The signs that a text has once, each with the word that it is; sorted.
using Signs = std::vector<std::pair<absl::string_view, uint32_t>>;
Signs LoneSigns(absl::string_view text, const std::vector<TextWord>& words) {
  Signs signs;
  for (uint32_t w = 0; w < words.size(); ++w) {
    if (!words[w].has_letters) signs.push_back({Part(text, words[w]), w});
  }
  std::sort(signs.begin(), signs.end());
  size_t size = 0;
  for (size_t i = 0, end = 0; i < signs.size(); i = end) {
    while (end < signs.size() && signs[end].first == signs[i].first) ++end;
    if (end == i + 1) signs[size++] = signs[i];
  }
  signs.resize(size);
  return signs;
}

// The word that a sign is; -1 if it is none of `signs`.
int32_t FindSign(const Signs& signs, absl::string_view sign) {
  const auto found = std::lower_bound(signs.begin(), signs.end(), std::make_pair(sign, uint32_t{0}));
  return found != signs.end() && found->first == sign ? static_cast<int32_t>(found->second) : -1;
}

}  // namespace

WordLinks LinkWords(absl::string_view source, const std::vector<uint32_t>& cuts, const std::vector<TextRange>& kept,
                    absl::string_view target, const std::vector<TextRange>& kept_places,
                    absl::Span<const AlignedToken> alignment) {
  WordLinks links;
  const std::vector<TextWord> whole_words = SplitWords(source, kept);
  std::vector<uint32_t> word_of;
  links.source = CutWords(whole_words, cuts, word_of);
  // Words that tags are in, by their text: where the target has the same word, it is cut in the same places.
  struct Cut {
    std::vector<uint32_t> first_pieces;  // of each such word
    size_t used = 0;
  };
  absl::flat_hash_map<absl::string_view, Cut> cut_words;
  for (uint32_t piece = 0; piece + 1 < links.source.size(); ++piece) {
    const bool first = piece == 0 || word_of[piece - 1] != word_of[piece];
    if (first && word_of[piece + 1] == word_of[piece]) {
      cut_words[Part(source, whole_words[word_of[piece]])].first_pieces.push_back(piece);
    }
  }
  std::vector<std::pair<size_t, int32_t>> places;  // begins in the target, and the kept range
  for (size_t k = 0; k < kept_places.size(); ++k) {
    if (kept_places[k].begin < kept_places[k].end) places.push_back({kept_places[k].begin, static_cast<int32_t>(k)});
  }
  std::sort(places.begin(), places.end());
  std::vector<TextRange> fixed;
  for (const auto& [begin, k] : places) fixed.push_back(kept_places[static_cast<size_t>(k)]);
  std::vector<bool> linked;
  Linker linker(links, source, target);
  size_t next_place = 0;
  const std::vector<TextWord> target_words = SplitWords(target, fixed);
  const Signs signs = LoneSigns(source, links.source), target_signs = LoneSigns(target, target_words);
  for (const TextWord& word : target_words) {
    const auto index = static_cast<uint32_t>(links.target.size());
    if (next_place < places.size() && places[next_place].first == word.begin) {
      const int32_t k = places[next_place++].second;
      links.target.push_back(word);
      links.kept.push_back(k);
      linked.push_back(true);
      const auto begins_before = [](const TextWord& one, size_t at) { return one.begin < at; };
      const auto piece =
          std::lower_bound(links.source.begin(), links.source.end(), kept[static_cast<size_t>(k)].begin, begins_before);
      linker.Link(index, static_cast<uint32_t>(piece - links.source.begin()), 1);
      continue;
    }
    const auto cut = cut_words.empty() ? cut_words.end() : cut_words.find(Part(target, word));
    if (cut == cut_words.end()) {
      links.target.push_back(word);
      links.kept.push_back(-1);
      // A sign that both texts have once is the same.
      const bool is_lone = !word.has_letters && FindSign(target_signs, Part(target, word)) >= 0;
      const int32_t sign = is_lone ? FindSign(signs, Part(target, word)) : -1;
      linked.push_back(sign >= 0);
      if (sign >= 0) linker.Link(index, static_cast<uint32_t>(sign), 1);
      continue;
    }
    Cut& same = cut->second;
    uint32_t piece = same.first_pieces[std::min(same.used, same.first_pieces.size() - 1)];
    ++same.used;
    const uint32_t shift = word.begin - links.source[piece].begin;
    for (const uint32_t w = word_of[piece]; piece < links.source.size() && word_of[piece] == w; ++piece) {
      links.target.push_back({links.source[piece].begin + shift, links.source[piece].end + shift, word.has_letters});
      links.kept.push_back(-1);
      linked.push_back(true);
      linker.Link(static_cast<uint32_t>(links.target.size()) - 1, piece, 1);
    }
  }
  linker.LinkByTokens(alignment, linked);
  if (linker.IsUseless(linked)) linker.LinkByPlace(linked);
  linker.Finish();
  return links;
}

std::vector<TextRange> FindKept(absl::string_view source, const std::vector<TextRange>& kept, absl::string_view target,
                                absl::Span<const AlignedToken> alignment) {
  std::vector<TextRange> places(kept.size());
  if (kept.empty()) return places;
  const auto symbols_of = [](absl::string_view text) {
    std::vector<uint32_t> symbols;
    symbols.reserve(text.size());
    for (const char c : text) symbols.push_back(static_cast<unsigned char>(c));
    return symbols;
  };
  // Ranges of the same text, and where the target has it.
  struct Same {
    std::vector<size_t> kept;
    std::vector<TextRange> places;
  };
  std::vector<Same> groups;
  absl::flat_hash_map<absl::string_view, size_t> group_of;
  SequenceMatcher matcher;
  for (size_t k = 0; k < kept.size(); ++k) {
    const absl::string_view text = source.substr(kept[k].begin, kept[k].end - kept[k].begin);
    const auto [group, is_new] = group_of.try_emplace(text, groups.size());
    if (is_new) {
      groups.emplace_back();
      matcher.Add(symbols_of(text));
    }
    groups[group->second].kept.push_back(k);
  }
  matcher.Prepare();
  const std::vector<SequenceMatcher::Match> matches = matcher.LongestAt(symbols_of(target));
  for (size_t i = 0; i < matches.size();) {
    const size_t end = i + matches[i].size;
    if (matches[i].sequence < 0 || !IsBetweenWords(target, i) || !IsBetweenWords(target, end)) {
      ++i;
      continue;
    }
    groups[static_cast<size_t>(matches[i].sequence)].places.push_back({i, end});
    i = end;
  }
  // What a place is aligned with: the middle of its tokens' source, weighted.
  std::vector<size_t> order;  // of tokens with valid ranges
  for (size_t t = 0; t < alignment.size(); ++t) {
    const AlignedToken& token = alignment[t];
    if (token.target.begin < token.target.end && token.source.begin <= token.source.end) order.push_back(t);
  }
  const auto aligned_with = [&](const TextRange& place) {
    const auto ends_before = [&](size_t t, size_t at) { return alignment[t].target.end <= at; };
    double sum = 0, count = 0;
    for (auto t = std::lower_bound(order.begin(), order.end(), place.begin, ends_before);
         t != order.end() && alignment[*t].target.begin < place.end; ++t) {
      sum += static_cast<double>(alignment[*t].source.begin + alignment[*t].source.end) / 2;
      ++count;
    }
    if (count > 0) return sum / count;
    return static_cast<double>(place.begin) * static_cast<double>(source.size()) / static_cast<double>(target.size());
  };
  for (const Same& same : groups) {
    std::set<std::pair<double, size_t>> unused;  // middle, and index of the place
    for (size_t p = 0; p < same.places.size(); ++p) unused.insert({aligned_with(same.places[p]), p});
    for (const size_t k : same.kept) {
      if (unused.empty()) break;
      auto nearest = unused.begin();
      if (unused.size() > same.kept.size() || same.places.size() > same.kept.size()) {
        const double middle = static_cast<double>(kept[k].begin + kept[k].end) / 2;
        nearest = unused.lower_bound({middle, 0});
        if (nearest == unused.end() ||
            (nearest != unused.begin() && middle - std::prev(nearest)->first <= nearest->first - middle)) {
          nearest = std::prev(nearest);
        }
      }
      places[k] = same.places[nearest->second];
      unused.erase(nearest);
    }
  }
  return places;
}

}  // namespace heed
