// SPDX-License-Identifier: Apache-2.0
// A GraphClassifier without a network: classes are counts of edges, so that a test can tell what every answer must be.
// Steps can be held, which lets a test act between two of them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "models/kinds/graph_classifier.h"
#include "tests/support/step_gate.h"

namespace heed {

// With `classes` classes, labels "zero", "one", ...:
//  - the class of a node is its number of in-edges, modulo the classes;
//  - that of an edge the sum of its ends' numbers, that of a graph its number of edges, modulo the classes;
//  - the class has probability 0.75, the others share the rest;
//  - a node's embedding is its number of in-edges, an edge's those of both ends, a graph's its number of edges;
//  - attention has one layer of one head, each in-edge of the asked nodes weighs the same.
// A query takes one step; so does a precomputation, whose outputs are the numbers of in-edges. Features have 2 columns.
// Thread-safe.
class FakeGraphClassifier : public GraphClassifier {
 public:
  explicit FakeGraphClassifier(std::string name, ModelKind kind = ModelKind::kNodeClassifier, int classes = 3);

  const ModelSpec& spec() const override { return spec_; }
  ModelKind kind() const override { return kind_; }
  const std::vector<std::string>& labels() const override { return labels_; }
  bool multi_label() const override { return multi_label_; }
  int64_t feature_width() const override { return 2; }
  int64_t edge_feature_width() const override { return 0; }
  absl::StatusOr<std::unique_ptr<GraphQueryTask>> Start(GraphQuery query) const override;
  absl::StatusOr<std::unique_ptr<PrecomputeTask>> StartPrecompute(std::shared_ptr<const Graph> graph,
                                                                  std::shared_ptr<const GraphOutputs> previous,
                                                                  const GraphChange& change) const override;
  void Step(absl::Span<Task* const> tasks, Context& context) const override;

  void set_multi_label(bool multi_label) { multi_label_ = multi_label; }  // before it is used
  void set_needs_whole_graph(bool needs) { needs_whole_graph_ = needs; }  // before it is used
  void set_precompute_error(absl::Status error);  // of every precomputation from now on, in its step
  // Called when outputs that are precomputed from now on go, whoever lets go of them.
  void set_on_outputs_gone(std::function<void()> callback);

  // From now on steps wait, before they do anything.
  void Hold() { gate_.Hold(); }
  // Waits until a step is waiting; nothing of its batch changes until Release.
  void WaitUntilHeld() const { gate_.WaitUntilHeld(); }
  void Release() { gate_.Release(); }

 private:
  ModelSpec spec_;
  ModelKind kind_;
  std::vector<std::string> labels_;
  bool multi_label_ = false;
  bool needs_whole_graph_ = false;

  mutable StepGate gate_;
  mutable Mutex mutex_;
  absl::Status precompute_error_ GUARDED_BY(mutex_);
  std::function<void()> on_outputs_gone_ GUARDED_BY(mutex_);
};

}  // namespace heed
