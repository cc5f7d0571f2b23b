// SPDX-License-Identifier: Apache-2.0
// Graph files: safetensors with PyTorch Geometric's names.
//
//   x [N, F] f32, or sparse rows x_indptr [N + 1], x_indices [V], x_values [V] with x_shape [2]
//   edge_index [2, E]   source and target, as rows of x; may be left out: no edges
//   edge_attr [E, D] or [E], node_id [N], y [N] or [G], graph_ptr [G + 1]: optional
// graph_ptr cuts the file into G graphs: graph g has the rows graph_ptr[g] to graph_ptr[g + 1] and the edges among
// them. Index tensors are int64 or int32, numbers f32, f16, bf16 or f64. Other tensors are left alone. Of nodes without
// features (F = 0) a file has 2^20 at most, so that no small file makes a large graph.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "files/graph_arrays.h"

namespace heed {

struct GraphFile {
  // One, or as many as graph_ptr says. A graph of several counts its rows, in edges and as ids, from its own first one,
  // unless the file has node_id.
  std::vector<GraphArrays> graphs;
  std::vector<int64_t> classes;                 // y, if the file has it
  std::map<std::string, std::string> metadata;  // __metadata__
};

// Reads and checks shapes and types; whether edges point to nodes and numbers are finite is Graph::Build's to check,
// except that an edge of a file with graph_ptr must stay within one graph. Errors name the file and the tensor and both
// values: NOT_FOUND, INVALID_ARGUMENT.
absl::StatusOr<GraphFile> ReadGraphFile(const std::string& path);

// Writes one graph. Written whole, flushed to disk and only then moved to `path`: a crash leaves the file that was
// there. Error: what the system says of it.
absl::Status WriteGraphFile(const std::string& path, const GraphArrays& graph,
                            const std::map<std::string, std::string>& metadata);

}  // namespace heed
