// SPDX-License-Identifier: Apache-2.0
// heed.v1.ClassifyOptions as flags, and where the graph is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/flags/flag_table.h"
#include "heed/v1/graphs.pb.h"

namespace heed::client {

// How an answer is computed.
struct ComputeFlags {
  std::optional<int> fan_out;
  std::optional<uint64_t> seed;
  bool compute = false;
  bool ignore_edge_features = false;

  void AddTo(FlagTable& flags);
  // INVALID_ARGUMENT: flags that do not go together.
  absl::Status Fill(v1::GraphQueryOptions& options) const;
};

// The graph: a file, or one that the server keeps.
struct GraphFlags {
  std::string graph;   // a file's path
  std::string stored;  // a name
  std::optional<int> version;

  void AddTo(FlagTable& flags);
  // INVALID_ARGUMENT: not exactly one of the two, or a version without a stored graph.
  absl::Status Check() const;
};

}  // namespace heed::client
