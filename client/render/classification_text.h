// SPDX-License-Identifier: Apache-2.0
// Classifications for people and for `cut`.
#pragma once

#include <cstdint>
#include <string>

#include "client/render/attention_index.h"
#include "heed/v1/graphs.pb.h"

namespace heed::client {

// "7<TAB>Theory<TAB>0.9134", and the same pair for each next class of `top`. Without newline.
std::string ClassificationLine(const std::string& id, const v1::GraphClassification& classification);

// The neighbors that `node` attends to most in the last layer, with weights and bars in proportion to the heaviest:
//     0.62 ████████████████████ 12
//     0.21 ██████▊              7 (itself)
//     0.17                      9 more
std::string NeighborBars(const AttentionIndex& attention, int64_t node);
// The same of the nodes that weigh most in a whole graph.
std::string ShareBars(const AttentionIndex& attention);

}  // namespace heed::client
