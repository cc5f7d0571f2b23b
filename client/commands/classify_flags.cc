// SPDX-License-Identifier: Apache-2.0
#include "client/commands/classify_flags.h"

#include <limits>

namespace heed::client {

void ComputeFlags::AddTo(FlagTable& flags) {
  flags.AddSection("Computation");
  flags.AddInt("fan_out", &fan_out, 1, std::numeric_limits<int>::max(),
               "Maximum in-neighbors of each node, drawn at random. Defaults to all of them.");
  flags.AddUint64("seed", &seed,
                  "Seed of the draw. The same seed draws the same neighbors. Needs --fan_out. Defaults to 0.");
  flags.AddBool("compute", &compute, "Compute the answer even if the stored graph has precomputed outputs.");
  flags.AddBool("ignore_edge_features", &ignore_edge_features,
                "Classify even if the edges have features that the model does not use.");
}

absl::Status ComputeFlags::Fill(v1::GraphQueryOptions& options) const {
  if (seed && !fan_out) return absl::InvalidArgumentError("--seed needs --fan_out");
  if (fan_out) options.set_fan_out(*fan_out);
  if (seed) options.set_seed(*seed);
  options.set_compute(compute);
  options.set_ignore_edge_features(ignore_edge_features);
  return absl::OkStatus();
}

void GraphFlags::AddTo(FlagTable& flags) {
  flags.AddSection("Graph");
  flags.AddString("graph", &graph, "FILE", "Graph file to send.");
  flags.AddString("stored", &stored, "NAME", "Name of a graph that the server stores (see heed graph).");
  flags.AddInt("version", &version, 1, std::numeric_limits<int>::max(),
               "Version that the stored graph must have. Another one is an error.");
}

absl::Status GraphFlags::Check() const {
  if (graph.empty() == stored.empty()) return absl::InvalidArgumentError("one of --graph and --stored is needed");
  if (version && stored.empty()) return absl::InvalidArgumentError("--version needs --stored");
  return absl::OkStatus();
}

}  // namespace heed::client
