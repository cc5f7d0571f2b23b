// SPDX-License-Identifier: Apache-2.0
#include "client/render/attention_index.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace heed::client {
namespace {

int Edges(const v1::GraphAttention::Layer& layer) {
  return std::min({layer.sources_size(), layer.targets_size(), layer.weights_size() / std::max(1, layer.head_count())});
}

std::vector<NeighborWeight> Sorted(const std::map<std::pair<int64_t, bool>, double>& weights) {
  std::vector<NeighborWeight> sorted;
  for (const auto& [source, weight] : weights) sorted.push_back({source.first, source.second, weight});
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.weight > b.weight; });
  return sorted;
}

}  // namespace

AttentionIndex::AttentionIndex(const v1::GraphAttention& attention) : attention_(attention) {
  for (const Entry& entry : All()) by_target_[layer(entry.layer).targets(entry.edge)].push_back(entry);
}

const std::vector<AttentionIndex::Entry>& AttentionIndex::Into(int64_t node) const {
  static const std::vector<Entry> kNone;
  const auto found = by_target_.find(node);
  return found == by_target_.end() ? kNone : found->second;
}

std::vector<AttentionIndex::Entry> AttentionIndex::All() const {
  std::vector<Entry> entries;
  for (int number = 0; number < attention_.layers_size(); ++number) {
    for (int edge = 0; edge < Edges(layer(number)); ++edge) entries.push_back({number, edge});
  }
  return entries;
}

double AttentionIndex::MeanWeight(const Entry& entry) const {
  const v1::GraphAttention::Layer& of = layer(entry.layer);
  const int heads = std::max(1, of.head_count());
  double sum = 0;
  for (int head = 0; head < heads; ++head) sum += of.weights(entry.edge * heads + head);
  return sum / heads;
}

std::vector<NeighborWeight> AttentionIndex::Neighbors(int64_t node) const {
  std::map<std::pair<int64_t, bool>, double> weights;
  for (const Entry& entry : Into(node)) {
    if (entry.layer != attention_.layers_size() - 1) continue;
    const int64_t source = layer(entry.layer).sources(entry.edge);
    weights[{source, source == node}] += MeanWeight(entry);
  }
  return Sorted(weights);
}

std::vector<NeighborWeight> AttentionIndex::Shares() const {
  std::map<std::pair<int64_t, bool>, double> weights;
  std::set<int64_t> nodes;
  for (const auto& [target, entries] : by_target_) {
    for (const Entry& entry : entries) {
      if (entry.layer != attention_.layers_size() - 1) continue;
      nodes.insert(target);
      weights[{layer(entry.layer).sources(entry.edge), false}] += MeanWeight(entry);
    }
  }
  for (auto& [source, weight] : weights) weight /= static_cast<double>(nodes.size());
  return Sorted(weights);
}

}  // namespace heed::client
