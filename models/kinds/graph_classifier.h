// SPDX-License-Identifier: Apache-2.0
// Graph classification as a typed front: from a graph and what is asked about it to a task, and back to probabilities.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/graph/graph.h"
#include "models/kinds/model.h"

namespace heed {

// What a model computed for every node of one version of a graph: layer by layer, in pages that versions share.
// Immutable, thread-safe. Made by a PrecomputeTask, read by GraphClassifier::Start of the same model.
class GraphOutputs {
 public:
  virtual ~GraphOutputs() = default;
  virtual int64_t bytes() const = 0;
  // Node outputs, over all layers, that were computed for this version; the others were those of the version before.
  virtual int64_t rows_computed() const = 0;
};

struct GraphQuery {
  std::shared_ptr<const Graph> graph;
  // This model's outputs for exactly this version of the graph, to read instead of computing; null: none.
  std::shared_ptr<const GraphOutputs> outputs;
  // Asked about a part of a larger graph that the server keeps: compute just what the answer needs. A model whose
  // answers depend on the whole graph refuses that, and unseen nodes.
  bool stored = false;
  bool has_unseen = false;
  bool all = false;            // every node (ids ascending), edge (by source and target id) of the graph is asked
  std::vector<int64_t> nodes;  // node-classifier: ids
  std::vector<EdgeIds> edges;  // edge-classifier: by ids; they need not be edges of the graph
  std::optional<int> fan_out;  // at least 1: in-neighbors of a node to draw; none: all of them
  uint64_t seed = 0;
  bool return_embeddings = false;
  bool return_attention = false;
  // Answer although the graph's edges have features and the model takes none.
  bool ignore_edge_features = false;
};

// One layer's coefficients, an entry for each edge it passed, self-loops included.
struct LayerAttention {
  int heads = 1;
  std::vector<int64_t> sources, targets;  // node ids
  std::vector<bool> self_loops;
  std::vector<float> weights;  // [edges, heads]
};

struct GraphAnswer {
  std::vector<int64_t> nodes;  // what was asked, in order: as in the query, or all
  std::vector<EdgeIds> edges;
  int classes = 0;
  std::vector<float> probabilities;  // [asked, classes]; a graph-classifier's has one row
  int embedding_width = 0;
  std::vector<float> embeddings;  // [asked, embedding_width]
  std::vector<LayerAttention> attention;
  bool precomputed = false;
  int64_t nodes_computed = 0;  // whose features were read
  int64_t edges_computed = 0;  // passed, over all layers
};

class GraphQueryTask : public Task {
 public:
  // Set once finished() without an error.
  virtual const GraphAnswer& answer() const = 0;
};

class PrecomputeTask : public Task {
 public:
  // Set once finished() without an error.
  virtual std::shared_ptr<const GraphOutputs> outputs() const = 0;
};

// Of one of three kinds: for nodes, for edges or for whole graphs. Thread-safe, immutable.
class GraphClassifier : public Model {
 public:
  // Classifies a graph of two nodes and an edge.
  absl::Status Probe(Context& context) const override;

  // Names of the classes, as many as `classes`.
  virtual const std::vector<std::string>& labels() const = 0;
  // Each label on its own (sigmoid) instead of one class of all. Never for two classes.
  virtual bool multi_label() const = 0;
  virtual int64_t feature_width() const = 0;
  virtual int64_t edge_feature_width() const = 0;
  // What stands for each edge feature of a graph that has none, as in PyTorch Geometric: 1 for the weights of a GCN.
  // None: a graph with edges needs features of its own.
  virtual std::optional<float> default_edge_feature() const { return std::nullopt; }

  // Validates, on the caller's thread, in time proportional to what is asked and its neighbors. INVALID_ARGUMENT names
  // the field and both values: a node that is not in the graph, a feature width that is not the model's, edge features
  // that the model does not take, a query for a part, or with unseen nodes, to a model that needs the whole graph.
  virtual absl::StatusOr<std::unique_ptr<GraphQueryTask>> Start(GraphQuery query) const = 0;

  // Computes the outputs of every node of `graph`; with `previous`, of the version that `change` led from, only those
  // that the change can reach. The result is the same to the bit. INVALID_ARGUMENT as above.
  virtual absl::StatusOr<std::unique_ptr<PrecomputeTask>> StartPrecompute(std::shared_ptr<const Graph> graph,
                                                                          std::shared_ptr<const GraphOutputs> previous,
                                                                          const GraphChange& change) const = 0;
};

}  // namespace heed
