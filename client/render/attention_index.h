// SPDX-License-Identifier: Apache-2.0
// The attention of an answer, by the nodes it belongs to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "heed/v1/graphs.pb.h"

namespace heed::client {

// A source's part in what a node was computed from.
struct NeighborWeight {
  int64_t source = 0;
  bool self_loop = false;
  double weight = 0;  // mean over heads; of several edges from one source their sum
};

// Borrows the attention. An entry that lacks a source, a target or weights does not count.
class AttentionIndex {
 public:
  explicit AttentionIndex(const v1::GraphAttention& attention);

  struct Entry {
    int layer = 0;
    int edge = 0;  // place in the layer's lists
  };
  // Edges into `node`, layer by layer, in the answer's order. Empty if there are none.
  const std::vector<Entry>& Into(int64_t node) const;
  // All edges of all layers.
  std::vector<Entry> All() const;

  const v1::GraphAttention::Layer& layer(int number) const { return attention_.layers(number); }

  // In the last layer, heaviest first, ties by id.
  std::vector<NeighborWeight> Neighbors(int64_t node) const;
  // How much each node weighs in the mean of all nodes after the last layer: its weights in all nodes, divided by the
  // number of nodes. Heaviest first, ties by id.
  std::vector<NeighborWeight> Shares() const;

 private:
  double MeanWeight(const Entry& entry) const;

  const v1::GraphAttention& attention_;
  std::unordered_map<int64_t, std::vector<Entry>> by_target_;
};

}  // namespace heed::client
