// SPDX-License-Identifier: Apache-2.0
// Which words of a translation render which words of its source.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "models/kinds/translator.h"
#include "models/markup/words.h"

namespace heed {

// Words of the source, cut at tags, and of the target, with what of the one is in the other.
struct WordLinks {
  struct Link {
    uint32_t word = 0;  // of the other text
    float weight = 0;   // how much of the target word it is; those of a target word sum to its weight
  };

  std::vector<TextWord> source, target;
  std::vector<float>
      weights;  // of each target word: 1 for a word, less for a sign, more for a kept range, 0 if it has no links
  std::vector<Link> links;          // of the source words, one after the other, each with its target words ascending
  std::vector<uint32_t> links_end;  // of each source word
  std::vector<int32_t> kept;        // of each target word: the kept range that it is; -1: none

  absl::Span<const Link> LinksOf(uint32_t begin, uint32_t end) const {
    const uint32_t from = begin == 0 ? 0 : links_end[begin - 1];
    const uint32_t to = end == 0 ? 0 : links_end[end - 1];
    return absl::MakeConstSpan(links).subspan(from, to - from);
  }
};

// `cuts`: offsets in `source` at which tags are, ascending; a word that one is in is several. `kept`: ranges of
// `source`. `kept_places`: the same in `target`, empty where it lacks one. A word that is the same in both is cut in
// both. An empty or useless alignment counts as a proportional one. Takes linear time, up to a logarithm.
WordLinks LinkWords(absl::string_view source, const std::vector<uint32_t>& cuts, const std::vector<TextRange>& kept,
                    absl::string_view target, const std::vector<TextRange>& kept_places,
                    absl::Span<const AlignedToken> alignment);

// The places of `kept`, ranges of `source`, in `target`: as whole words, each at a place of its own, of several the one
// whose words are aligned nearest to it. Empty where `target` lacks one.
std::vector<TextRange> FindKept(absl::string_view source, const std::vector<TextRange>& kept, absl::string_view target,
                                absl::Span<const AlignedToken> alignment);

}  // namespace heed
