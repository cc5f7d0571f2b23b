// heed.v1.Graphs: converts, submits, answers. Nothing here waits.
#pragma once

#include <cstdint>

#include "heed/v1/graphs.grpc.pb.h"
#include "server/graphs.h"
#include "server/registry.h"
#include "server/request_log.h"
#include "server/scheduler.h"

namespace heed {

// Thread-safe. All that it is given outlives it; it outlives the calls it answers.
class GraphsService : public v1::Graphs::CallbackService {
 public:
  // Graphs that requests bring have at most `max_inline_nodes` nodes.
  GraphsService(const Registry& registry, Scheduler& scheduler, GraphStore& store, RequestLog& requests,
                int64_t max_inline_nodes)
      : registry_(registry),
        scheduler_(scheduler),
        store_(store),
        requests_(requests),
        max_inline_nodes_(max_inline_nodes) {}

  grpc::ServerUnaryReactor* ClassifyNodes(grpc::CallbackServerContext* context, const v1::ClassifyNodesRequest* request,
                                          v1::ClassifyNodesResponse* response) override;
  grpc::ServerUnaryReactor* ClassifyEdges(grpc::CallbackServerContext* context, const v1::ClassifyEdgesRequest* request,
                                          v1::ClassifyEdgesResponse* response) override;
  grpc::ServerUnaryReactor* ClassifyGraphs(grpc::CallbackServerContext* context,
                                           const v1::ClassifyGraphsRequest* request,
                                           v1::ClassifyGraphsResponse* response) override;
  grpc::ServerReadReactor<v1::PutGraphRequest>* PutGraph(grpc::CallbackServerContext* context,
                                                         v1::GraphInfo* response) override;
  grpc::ServerUnaryReactor* UpdateGraph(grpc::CallbackServerContext* context, const v1::UpdateGraphRequest* request,
                                        v1::GraphInfo* response) override;
  grpc::ServerUnaryReactor* DescribeGraph(grpc::CallbackServerContext* context, const v1::DescribeGraphRequest* request,
                                          v1::DescribeGraphResponse* response) override;
  grpc::ServerUnaryReactor* DeleteGraph(grpc::CallbackServerContext* context, const v1::DeleteGraphRequest* request,
                                        v1::DeleteGraphResponse* response) override;

 private:
  template <typename Request, typename Response>
  class ClassifyCall;
  class PutCall;
  class StoreCall;

  const Registry& registry_;
  Scheduler& scheduler_;
  GraphStore& store_;
  RequestLog& requests_;
  const int64_t max_inline_nodes_;
};

}  // namespace heed
