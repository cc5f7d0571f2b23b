// SPDX-License-Identifier: Apache-2.0
// Stored graphs, described.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "heed/v1/graphs.pb.h"

namespace heed::client {

// A table, a row for each graph; below it why a graph is unavailable, and a line for each precomputed model: what it
// took, or why there is nothing.
std::string GraphTable(const std::vector<v1::GraphInfo>& graphs);

// "cora: version 1, 2708 nodes, 10556 edges, 1433 features, 2.1 MiB", and a line for each precomputed model.
std::string GraphText(const v1::GraphInfo& graph);

// The fields of GraphInfo by their names.
nlohmann::ordered_json GraphJson(const v1::GraphInfo& graph);

}  // namespace heed::client
