#include "client/lib/graph_client.h"

#include <utility>

#include "client/lib/graph_message.h"
#include "grpcpp/client_context.h"

namespace heed::client {

GraphClient::GraphClient(const std::shared_ptr<grpc::Channel>& channel, CallOptions options)
    : options_(std::move(options)), stub_(v1::Graphs::NewStub(channel)) {}

grpc::Status GraphClient::Put(const std::string& name, const std::vector<std::string>& precompute,
                              const GraphArrays& graph, int64_t part_bytes,
                              const std::function<void(int64_t rows, int64_t edges)>& on_part,
                              v1::GraphInfo& info) const {
  return CallWithRetry(options_, [&](grpc::ClientContext& context, bool& may_retry) {
    may_retry = false;
    const auto writer = stub_->PutGraph(&context, &info);
    GraphParts parts(graph);
    v1::PutGraphRequest request;
    request.set_name(name);
    request.mutable_precompute()->Add(precompute.begin(), precompute.end());
    // A server that refuses the graph ends the stream early: Finish() tells why.
    while (parts.Next(part_bytes, *request.mutable_part()) && writer->Write(request)) {
      on_part(parts.rows_done(), parts.edges_done());
      request.Clear();
    }
    writer->WritesDone();
    return writer->Finish();
  });
}

grpc::Status GraphClient::Update(const v1::UpdateGraphRequest& request, v1::GraphInfo& info) const {
  return CallWithRetry(options_, [&](grpc::ClientContext& context, bool& may_retry) {
    may_retry = false;
    return stub_->UpdateGraph(&context, request, &info);
  });
}

grpc::Status GraphClient::Describe(const std::string& name, v1::DescribeGraphResponse& response) const {
  return CallWithRetry(options_, [&](grpc::ClientContext& context, bool& may_retry) {
    may_retry = false;
    v1::DescribeGraphRequest request;
    request.set_name(name);
    return stub_->DescribeGraph(&context, request, &response);
  });
}

grpc::Status GraphClient::Delete(const std::string& name) const {
  return CallWithRetry(options_, [&](grpc::ClientContext& context, bool& may_retry) {
    may_retry = false;
    v1::DeleteGraphRequest request;
    request.set_name(name);
    v1::DeleteGraphResponse response;
    return stub_->DeleteGraph(&context, request, &response);
  });
}

}  // namespace heed::client
