// SPDX-License-Identifier: Apache-2.0
// Stored graphs that one worker each changes, and a copy of what the server acknowledged of them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "heed/v1/graphs.grpc.pb.h"
#include "tests/chaos/worker.h"

namespace heed::chaos {

class GraphWorker : public Worker {
 public:
  // `model`: for nodes, of 1,433 features. `precompute`: the server keeps its outputs.
  GraphWorker(World& world, uint64_t seed, const std::string& name, const std::string& model, bool precompute)
      : Worker(world, seed), name_(name), model_(model), precompute_(precompute) {}
  void Step(const std::stop_token& stop) override;
  void Verify() override;
  void Clear() override;

 private:
  // By id. Features: columns that are 1.
  struct Copy {
    std::map<int64_t, std::vector<int>> nodes;
    std::vector<std::pair<int64_t, int64_t>> edges;
  };

  // The copy as a message, its nodes by id.
  static v1::Graph Message(const Copy& copy);
  void DrawFeatures(v1::NodeFeatures& features, std::vector<int>& columns);
  int64_t DrawNode(const Copy& copy);
  void Put();
  // Draws a change; what it makes of the copy becomes next_.
  void DrawUpdate();
  // Sends the pending update until it is known whether it was made, or `stop`. False: it is not known.
  bool Settle(const std::stop_token& stop);
  void Ask();
  // A graph that comes in parts, is asked about and goes; or whose parts stop coming.
  void PutAndDelete();
  void CheckInfo(const v1::GraphInfo& info, absl::string_view after);

  const std::string name_;
  const std::string model_;
  const bool precompute_;
  int64_t version_ = 0;  // 0: not stored yet
  Copy copy_;
  int64_t next_id_ = 0;
  std::optional<v1::UpdateGraphRequest> pending_;
  bool uncertain_ = false;  // it may have been made
  Copy next_;               // once it is made
};

}  // namespace heed::chaos
