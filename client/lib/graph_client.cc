// SPDX-License-Identifier: Apache-2.0
#include "client/lib/graph_client.h"

#include <utility>

#include "client/lib/graph_message.h"
#include "grpcpp/client_context.h"

namespace heed::client {

GraphClient::GraphClient(const std::shared_ptr<grpc::Channel>& channel, CallOptions options)
    : options_(std::move(options)), stub_(v1::GraphService::NewStub(channel)) {}

grpc::Status GraphClient::Put(const std::string& name, const std::vector<std::string>& precompute,
                              const GraphArrays& graph, int64_t part_bytes,
                              const std::function<void(int64_t rows, int64_t edges)>& on_part,
                              v1::GraphInfo& info) const {
  v1::PutGraphResponse response;
  const grpc::Status status = CallWithRetry(options_, Repeat::kIfRefused, [&](grpc::ClientContext& context) {
    const auto writer = stub_->PutGraph(&context, &response);
    GraphParts parts(graph);
    v1::PutGraphRequest request;
    request.set_name(name);
    request.mutable_precompute()->Add(precompute.begin(), precompute.end());
    // A server that refuses the graph ends the stream early: Finish() says why.
    while (parts.Next(part_bytes, *request.mutable_part()) && writer->Write(request)) {
      on_part(parts.rows_done(), parts.edges_done());
      request.Clear();
    }
    writer->WritesDone();
    return writer->Finish();
  });
  info = response.graph();
  return status;
}

grpc::Status GraphClient::Update(const v1::UpdateGraphRequest& request, v1::GraphInfo& info) const {
  v1::UpdateGraphResponse response;
  const grpc::Status status = CallWithRetry(options_, Repeat::kIfRefused, [&](grpc::ClientContext& context) {
    return stub_->UpdateGraph(&context, request, &response);
  });
  info = response.graph();
  return status;
}

grpc::Status GraphClient::Get(const std::string& name, v1::GraphInfo& info) const {
  v1::GetGraphRequest request;
  request.set_name(name);
  v1::GetGraphResponse response;
  const grpc::Status status = CallWithRetry(options_, Repeat::kIfRefused, [&](grpc::ClientContext& context) {
    return stub_->GetGraph(&context, request, &response);
  });
  info = response.graph();
  return status;
}

grpc::Status GraphClient::List(std::vector<v1::GraphInfo>& graphs) const {
  graphs.clear();
  v1::ListGraphsRequest request;
  do {
    v1::ListGraphsResponse page;
    const grpc::Status status = CallWithRetry(options_, Repeat::kIfRefused, [&](grpc::ClientContext& context) {
      return stub_->ListGraphs(&context, request, &page);
    });
    if (!status.ok()) return status;
    graphs.insert(graphs.end(), page.graphs().begin(), page.graphs().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return grpc::Status::OK;
}

grpc::Status GraphClient::Delete(const std::string& name, std::optional<int64_t> expected_version) const {
  return CallWithRetry(options_, Repeat::kIfRefused, [&](grpc::ClientContext& context) {
    v1::DeleteGraphRequest request;
    request.set_name(name);
    if (expected_version) request.set_expected_version(*expected_version);
    v1::DeleteGraphResponse response;
    return stub_->DeleteGraph(&context, request, &response);
  });
}

}  // namespace heed::client
