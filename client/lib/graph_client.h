// SPDX-License-Identifier: Apache-2.0
// Blocking calls of heed.v1.GraphService about the graphs that a server keeps.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/lib/call_with_retry.h"
#include "files/graph_arrays.h"
#include "grpcpp/channel.h"
#include "grpcpp/support/status.h"
#include "heed/v1/graphs.grpc.pb.h"

namespace heed::client {

// Thread-safe; calls may overlap. Every method makes one try, since a second one could change a graph twice, and
// returns the server's status as it came. `options.retry` is not used.
class GraphClient {
 public:
  GraphClient(const std::shared_ptr<grpc::Channel>& channel, CallOptions options);

  // Sends the graph in parts of about `part_bytes`; after each calls `on_part` with the rows and edges sent so far.
  grpc::Status Put(const std::string& name, const std::vector<std::string>& precompute, const GraphArrays& graph,
                   int64_t part_bytes, const std::function<void(int64_t rows, int64_t edges)>& on_part,
                   v1::GraphInfo& info) const;
  grpc::Status Update(const v1::UpdateGraphRequest& request, v1::GraphInfo& info) const;
  grpc::Status Get(const std::string& name, v1::GraphInfo& info) const;
  // All of them, by name.
  grpc::Status List(std::vector<v1::GraphInfo>& graphs) const;
  grpc::Status Delete(const std::string& name, std::optional<int64_t> expected_version = std::nullopt) const;

 private:
  const CallOptions options_;
  const std::unique_ptr<v1::GraphService::Stub> stub_;
};

}  // namespace heed::client
