#include "client/commands/classify_flags.h"

#include <limits>

namespace heed::client {

void ComputeFlags::AddTo(FlagTable& flags) {
  flags.AddSection("Computation");
  flags.AddInt("fan_out", &fan_out, 1, std::numeric_limits<int>::max(),
               "At most N in-neighbors of each node, drawn at random (default: all of them).");
  flags.AddUint64("seed", &seed, "The same seed draws the same neighbors (with --fan_out; default 0).");
  flags.AddBool("compute", &compute, "Do not read precomputed outputs of a stored graph.");
  flags.AddBool("ignore_edge_features", &ignore_edge_features,
                "Classify although the graph's edges have features and the model takes none.");
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
  flags.AddString("graph", &graph, "FILE", "A graph file, which is sent along.");
  flags.AddString("stored", &stored, "NAME", "A graph that the server keeps (see heed graph).");
  flags.AddInt("version", &version, 1, std::numeric_limits<int>::max(),
               "Fail if the stored graph is at another version.");
}

absl::Status GraphFlags::Check() const {
  if (graph.empty() == stored.empty()) return absl::InvalidArgumentError("one of --graph and --stored is needed");
  if (version && stored.empty()) return absl::InvalidArgumentError("--version needs --stored");
  return absl::OkStatus();
}

}  // namespace heed::client
