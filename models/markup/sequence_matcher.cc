// SPDX-License-Identifier: Apache-2.0
#include "models/markup/sequence_matcher.h"

#include <algorithm>

namespace heed {

void SequenceMatcher::Add(absl::Span<const uint32_t> sequence) {
  int32_t state = 0;
  for (auto symbol = sequence.rbegin(); symbol != sequence.rend(); ++symbol) {
    const auto [arrow, is_new] = arrows_.try_emplace({state, *symbol}, static_cast<int32_t>(states_.size()));
    if (is_new) {
      states_.emplace_back();
      states_.back().depth = states_[static_cast<size_t>(state)].depth + 1;
    }
    state = arrow->second;
  }
  State& last = states_[static_cast<size_t>(state)];
  if (!sequence.empty() && last.match.sequence < 0) last.match = {added_, static_cast<uint32_t>(sequence.size())};
  ++added_;
}

void SequenceMatcher::Prepare() {
  struct Arrow {
    int32_t from, to;
    uint32_t symbol;
  };
  std::vector<Arrow> arrows;
  arrows.reserve(arrows_.size());
  for (const auto& [key, to] : arrows_) arrows.push_back({key.first, to, key.second});
  const auto depth = [&](const Arrow& arrow) { return states_[static_cast<size_t>(arrow.to)].depth; };
  std::sort(arrows.begin(), arrows.end(), [&](const Arrow& a, const Arrow& b) { return depth(a) < depth(b); });
  for (const Arrow& arrow : arrows) {
    State& state = states_[static_cast<size_t>(arrow.to)];
    state.fails_to = arrow.from == 0 ? 0 : Next(states_[static_cast<size_t>(arrow.from)].fails_to, arrow.symbol);
    if (state.match.sequence < 0) state.match = states_[static_cast<size_t>(state.fails_to)].match;
  }
}

int32_t SequenceMatcher::Next(int32_t state, uint32_t symbol) const {
  while (true) {
    const auto arrow = arrows_.find({state, symbol});
    if (arrow != arrows_.end()) return arrow->second;
    if (state == 0) return 0;
    state = states_[static_cast<size_t>(state)].fails_to;
  }
}

std::vector<SequenceMatcher::Match> SequenceMatcher::LongestAt(absl::Span<const uint32_t> symbols) const {
  std::vector<Match> matches(symbols.size());
  int32_t state = 0;
  for (size_t i = symbols.size(); i-- > 0;) {
    state = Next(state, symbols[i]);
    matches[i] = states_[static_cast<size_t>(state)].match;
  }
  return matches;
}

}  // namespace heed
