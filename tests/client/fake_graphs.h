// SPDX-License-Identifier: Apache-2.0
// heed.v1.GraphService without models, for the client's tests. The class of a node is its id modulo 2, of an edge the
// sum of both ids modulo 2, of a graph its number of nodes modulo 2; class 0 is "even", class 1 "odd".
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "heed/v1/graphs.grpc.pb.h"

namespace heed::client {

class FakeGraphs : public v1::GraphService::Service {
 public:
  // Set before the first call.
  // The status of a query on an inline graph; a request with one that fails fails with it.
  std::function<grpc::Status(const v1::Graph& graph)> check = [](const v1::Graph&) { return grpc::Status::OK; };
  // Changes what is sent.
  std::function<void(v1::GraphClassification&)> edit = [](v1::GraphClassification&) {};
  v1::GraphAttention attention;  // of every answer that it is asked for
  v1::GraphQuerySource source;
  v1::GraphInfo info;  // of every put and update
  std::vector<v1::GraphInfo> stored;
  grpc::Status stored_status;  // of the calls about stored graphs

  // What came. Call between requests alone.
  std::vector<v1::ClassifyNodesRequest> node_requests;
  std::vector<v1::ClassifyEdgesRequest> edge_requests;
  std::vector<v1::ClassifyGraphsRequest> graph_requests;
  std::vector<v1::PutGraphRequest> puts;
  v1::UpdateGraphRequest update;
  std::string described;  // the name that GetGraph was asked for
  v1::DeleteGraphRequest deleted;

  grpc::Status ClassifyNodes(grpc::ServerContext*, const v1::ClassifyNodesRequest* request,
                             v1::ClassifyNodesResponse* response) override {
    if (const grpc::Status status = Arrive(*request, node_requests); !status.ok()) return status;
    for (const auto& query : request->queries()) {
      auto& answer = *response->add_answers();
      std::vector<int64_t> ids(query.nodes().begin(), query.nodes().end());
      for (int64_t row = 0; query.nodes().empty() && row < Nodes(query); ++row) {
        ids.push_back(query.graph().node_ids().empty() ? row : query.graph().node_ids(static_cast<int>(row)));
      }
      for (const int64_t id : ids) {
        auto& node = *answer.add_nodes();
        node.set_id(id);
        Classify(id, *node.mutable_classification());
      }
      Finish(request->options(), answer);
    }
    return grpc::Status::OK;
  }

  grpc::Status ClassifyEdges(grpc::ServerContext*, const v1::ClassifyEdgesRequest* request,
                             v1::ClassifyEdgesResponse* response) override {
    if (const grpc::Status status = Arrive(*request, edge_requests); !status.ok()) return status;
    for (const auto& query : request->queries()) {
      auto& answer = *response->add_answers();
      for (const v1::GraphEdgeId& id : query.edges()) {
        auto& edge = *answer.add_edges();
        *edge.mutable_id() = id;
        Classify(id.source() + id.target(), *edge.mutable_classification());
      }
      Finish(request->options(), answer);
    }
    return grpc::Status::OK;
  }

  grpc::Status ClassifyGraphs(grpc::ServerContext*, const v1::ClassifyGraphsRequest* request,
                              v1::ClassifyGraphsResponse* response) override {
    if (const grpc::Status status = Arrive(*request, graph_requests); !status.ok()) return status;
    for (const auto& query : request->queries()) {
      auto& answer = *response->add_answers();
      Classify(Nodes(query), *answer.mutable_classification());
      Finish(request->options(), answer);
    }
    return grpc::Status::OK;
  }

  grpc::Status PutGraph(grpc::ServerContext*, grpc::ServerReader<v1::PutGraphRequest>* reader,
                        v1::PutGraphResponse* response) override {
    for (v1::PutGraphRequest request; reader->Read(&request);) puts.push_back(request);
    *response->mutable_graph() = info;
    return stored_status;
  }

  grpc::Status UpdateGraph(grpc::ServerContext*, const v1::UpdateGraphRequest* request,
                           v1::UpdateGraphResponse* response) override {
    update = *request;
    *response->mutable_graph() = info;
    return stored_status;
  }

  grpc::Status GetGraph(grpc::ServerContext*, const v1::GetGraphRequest* request,
                        v1::GetGraphResponse* response) override {
    described = request->name();
    if (!stored.empty()) *response->mutable_graph() = stored[0];
    return stored_status;
  }

  // In pages of two, whose tokens are numbers.
  grpc::Status ListGraphs(grpc::ServerContext*, const v1::ListGraphsRequest* request,
                          v1::ListGraphsResponse* response) override {
    size_t next = request->page_token().empty() ? 0 : std::stoul(request->page_token());
    for (int i = 0; i < 2 && next < stored.size(); ++i) *response->add_graphs() = stored[next++];
    if (next < stored.size()) response->set_next_page_token(std::to_string(next));
    return stored_status;
  }

  grpc::Status DeleteGraph(grpc::ServerContext*, const v1::DeleteGraphRequest* request,
                           v1::DeleteGraphResponse*) override {
    deleted = *request;
    return stored_status;
  }

 private:
  template <typename Request>
  grpc::Status Arrive(const Request& request, std::vector<Request>& requests) {
    {
      const std::lock_guard lock(mutex_);
      requests.push_back(request);
    }
    for (const auto& query : request.queries()) {
      if (!query.has_graph()) return stored_status;
      if (const grpc::Status status = check(query.graph()); !status.ok()) return status;
    }
    return grpc::Status::OK;
  }

  // A stored graph has three.
  template <typename Query>
  static int64_t Nodes(const Query& query) {
    if (!query.has_graph()) return 3;
    const v1::NodeFeatures& features = query.graph().features();
    return features.row_ends_size() > 0 ? features.row_ends_size() : features.values_size() / features.width();
  }

  void Classify(int64_t number, v1::GraphClassification& classification) const {
    classification.set_class_index(static_cast<int>(number % 2));
    classification.set_label(number % 2 == 0 ? "even" : "odd");
    classification.set_probability(0.75);
    edit(classification);
  }

  template <typename Answer>
  void Finish(const v1::GraphQueryOptions& options, Answer& answer) const {
    if (options.return_attention()) *answer.mutable_attention() = attention;
    *answer.mutable_source() = source;
  }

  std::mutex mutex_;
};

}  // namespace heed::client
