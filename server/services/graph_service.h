// SPDX-License-Identifier: Apache-2.0
// heed.v1.GraphService: converts, submits, answers. Nothing here waits.
#pragma once

#include <cstdint>

#include "heed/v1/graphs.grpc.pb.h"
#include "server/graphs/graph_store.h"
#include "server/registry/registry.h"
#include "server/rpc/call.h"
#include "server/rpc/checked_messages.h"

namespace heed {

// Thread-safe. All that it is given outlives it; it outlives the calls it answers.
class GraphService : public v1::GraphService::CallbackService {
 public:
  // Graphs that requests bring have at most `max_inline_nodes` nodes.
  GraphService(const Registry& registry, const JobParts& parts, GraphStore& store, int64_t max_inline_nodes,
               const MessageLimits& message_limits);

  grpc::ServerUnaryReactor* ClassifyNodes(grpc::CallbackServerContext* context, const v1::ClassifyNodesRequest* request,
                                          v1::ClassifyNodesResponse* response) override;
  grpc::ServerUnaryReactor* ClassifyEdges(grpc::CallbackServerContext* context, const v1::ClassifyEdgesRequest* request,
                                          v1::ClassifyEdgesResponse* response) override;
  grpc::ServerUnaryReactor* ClassifyGraphs(grpc::CallbackServerContext* context,
                                           const v1::ClassifyGraphsRequest* request,
                                           v1::ClassifyGraphsResponse* response) override;
  grpc::ServerUnaryReactor* UpdateGraph(grpc::CallbackServerContext* context, const v1::UpdateGraphRequest* request,
                                        v1::UpdateGraphResponse* response) override;
  grpc::ServerUnaryReactor* GetGraph(grpc::CallbackServerContext* context, const v1::GetGraphRequest* request,
                                     v1::GetGraphResponse* response) override;
  grpc::ServerUnaryReactor* ListGraphs(grpc::CallbackServerContext* context, const v1::ListGraphsRequest* request,
                                       v1::ListGraphsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteGraph(grpc::CallbackServerContext* context, const v1::DeleteGraphRequest* request,
                                        v1::DeleteGraphResponse* response) override;

 private:
  template <typename Request, typename Response>
  class ClassifyCall;
  class PutCall;
  class StoreCall;

  // In place of PutGraph.
  grpc::ServerReadReactor<Received<v1::PutGraphRequest>>* Put(grpc::CallbackServerContext* context,
                                                              v1::PutGraphResponse* response);

  const Registry& registry_;
  const JobParts parts_;
  GraphStore& store_;
  const int64_t max_inline_nodes_;
  const MessageLimits message_limits_;
};

}  // namespace heed
