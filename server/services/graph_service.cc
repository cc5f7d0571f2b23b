// SPDX-License-Identifier: Apache-2.0
#include "server/services/graph_service.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "google/protobuf/util/time_util.h"
#include "server/messages/expected_version.h"
#include "server/messages/graph_messages.h"
#include "server/messages/page_token.h"
#include "server/messages/work_metrics.h"

namespace heed {
namespace {

constexpr char kGraphList[] = "graphs";

// About what the version with `unseen` does not share with `graph`: a page for each node that is named, of average
// size, and the table of pages.
int64_t BytesOfItsOwn(const GraphUpdate& unseen, const Graph& graph) {
  const int64_t pages = graph.rows() / Graph::kPageRows + 1;
  const size_t named = unseen.add_nodes.size() + unseen.change_nodes.size() + unseen.remove_nodes.size() +
                       2 * (unseen.add_edges.size() + unseen.remove_edges.size());
  return (graph.bytes() / pages) * std::min(static_cast<int64_t>(named), pages) +
         pages * static_cast<int64_t>(sizeof(void*));
}

// Of the precomputed outputs those of the models that the caller may use; null: all.
v1::GraphInfo ToProto(const StoredGraphState& graph, const NamePatterns* allowed) {
  v1::GraphInfo info;
  info.set_name(graph.name);
  if (graph.version == nullptr) {
    info.set_unavailable(std::string(graph.unavailable.message()));
    return info;
  }
  const StoredGraph& version = *graph.version;
  info.set_version(version.version);
  info.set_node_count(version.graph->nodes());
  info.set_edge_count(version.graph->edges());
  info.set_feature_width(version.graph->feature_width());
  info.set_feature_value_count(version.graph->feature_values());
  info.set_edge_feature_width(version.graph->edge_feature_width());
  info.set_resident_bytes(version.bytes());
  for (const Precomputed& from : version.precomputed) {
    if (allowed != nullptr && !allowed->Match(from.model_name)) continue;
    v1::PrecomputedGraphOutputs& to = *info.add_precomputed();
    to.set_model(from.model_name);
    *to.mutable_compute_duration() =
        google::protobuf::util::TimeUtil::NanosecondsToDuration(static_cast<int64_t>(from.seconds * 1e9));
    to.set_unavailable(std::string(from.unavailable.message()));
    if (from.outputs == nullptr) continue;
    to.set_resident_bytes(from.outputs->bytes());
    to.set_computed_row_count(from.outputs->rows_computed());
  }
  info.set_saved_version(graph.saved_version);
  return info;
}

// A model's error about the query at `place`, whose graph is in the request or a stored one.
absl::Status AtQuery(const std::string& place, bool has_graph, const absl::Status& status) {
  const std::string field = FieldOf(status);
  if (absl::StartsWith(field, "options.")) return status;
  if (field != "features" && field != "edge_features") return WithinField(place, status);
  if (has_graph) return WithinField(absl::StrCat(place, ".graph"), status);
  return WithinField(absl::StrCat(place, ".stored"), absl::Status(status.code(), status.message()));
}

}  // namespace

// Each query of the request is a task of one job.
template <typename Request, typename Response>
class GraphService::ClassifyCall : public UnaryJobCall<Response> {
 public:
  ClassifyCall(GraphService& service, grpc::CallbackServerContext& context, const Request& request, Response& response,
               std::string_view method, ModelKind kind)
      : UnaryJobCall<Response>(service.parts_, context, response, method),
        service_(service),
        request_(request),
        kind_(kind) {}

  void OnTaskOutput(int, Task& task) override {
    if (!task.finished()) return;
    AddComputed(static_cast<const GraphQueryTask&>(task).answer(), this->model_name(), this->metrics_);
    this->CountAnswer(task.answer_bytes());
  }

 private:
  const GraphClassifier& model() const { return this->template model_as<GraphClassifier>(); }

  absl::StatusOr<JobCall::Tasks> Begin() override {
    HEED_RETURN_IF_ERROR(this->FindModel(service_.registry_, request_.model(), request_.model_version(), kind_));
    HEED_ASSIGN_OR_RETURN(top_k_, ToTopK(request_.options()));
    const StartLimits limits = this->LimitsOfStart();
    if (request_.queries_size() > limits.max_tasks) {
      return InvalidField("queries", request_.queries_size(), ", at most ", limits.max_tasks);
    }
    JobCall::Tasks tasks;
    for (int i = 0; i < request_.queries_size(); ++i) {
      HEED_RETURN_IF_ERROR(limits.Check());
      absl::StatusOr<std::unique_ptr<GraphQueryTask>> task =
          Start(request_.queries(i), absl::StrCat("queries[", i, "]"));
      if (!task.ok()) return task.status();
      tasks.push_back(*std::move(task));
    }
    return tasks;
  }

  absl::StatusOr<std::unique_ptr<GraphQueryTask>> Start(const typename Request::Query& from, const std::string& place) {
    GraphQuery query;
    HEED_RETURN_IF_ERROR(SetOptions(request_.options(), query));
    if (from.has_graph()) {
      if (const absl::Status status = TakeInline(from.graph(), query); !status.ok()) {
        return WithinField(absl::StrCat(place, ".graph"), status);
      }
      versions_.push_back(0);
    } else if (from.has_stored()) {
      if (const absl::Status status = TakeStored(from.stored(), query); !status.ok()) {
        return WithinField(absl::StrCat(place, ".stored"), status);
      }
    } else {
      return InvalidField(place, "has neither a graph nor a stored one");
    }
    asked_bytes_ += ItemsAsked(from, *query.graph) * BytesOfItem();
    HEED_RETURN_IF_ERROR(this->CheckAnswer(asked_bytes_));
    Ask(from, query.graph->nodes(), query);
    absl::StatusOr<std::unique_ptr<GraphQueryTask>> task = model().Start(std::move(query));
    if (!task.ok()) return AtQuery(place, from.has_graph(), task.status());
    return task;
  }

  // Of an item of the answer: its message, about, and what it lists.
  int64_t BytesOfItem() const {
    constexpr int64_t kItemBytes = 64, kClassBytes = 32;
    const auto classes = static_cast<int64_t>(model().labels().size());
    const int64_t listed = top_k_ == 1 ? 0 : top_k_ == 0 ? classes : std::min<int64_t>(top_k_, classes);
    return kItemBytes + listed * kClassBytes;
  }

  absl::Status TakeInline(const v1::Graph& from, GraphQuery& query) {
    HEED_ASSIGN_OR_RETURN(GraphArrays arrays, ToGraphArrays(from));
    HEED_ASSIGN_OR_RETURN(query.graph, Graph::Build(std::move(arrays), service_.max_inline_nodes_));
    return Hold(query.graph->bytes());
  }

  // Counts what the request's own graphs take while it waits and runs. Together they may take as much as running tasks
  // may; the first is bounded by its nodes and its message alone.
  absl::Status Hold(int64_t bytes) {
    const int64_t most = this->scheduler_.LimitsOf(this->model_name()).max_running_bytes;
    const bool alone = held_bytes_ == 0;
    held_bytes_ += bytes;
    if (alone || held_bytes_ <= most) return absl::OkStatus();
    room_may_come_ = false;
    return absl::ResourceExhaustedError(absl::StrCat("the request's graphs up to this one take ", held_bytes_,
                                                     " bytes, at most --max_cache_bytes=", most));
  }

  absl::Status TakeStored(const v1::StoredGraph& from, GraphQuery& query) {
    HEED_ASSIGN_OR_RETURN(const std::shared_ptr<const StoredGraph> stored,
                          service_.store_.Find(from.name(), ExpectedVersion(from)));
    versions_.push_back(stored->version);
    query.stored = true;
    query.graph = stored->graph;
    if (!IsEmpty(from.unseen())) {
      absl::StatusOr<GraphUpdate> unseen = ToGraphUpdate(from.unseen());
      if (!unseen.ok()) return WithinField("unseen", unseen.status());
      if (const absl::Status status = Hold(BytesOfItsOwn(*unseen, *stored->graph)); !status.ok()) {
        return WithinField("unseen", status);
      }
      absl::StatusOr<std::shared_ptr<const Graph>> graph =
          stored->graph->Apply(*unseen, nullptr, service_.store_.max_nodes());
      if (!graph.ok()) return WithinField("unseen", graph.status());
      query.graph = *std::move(graph);
      query.has_unseen = true;
    } else if (!request_.options().compute() && !query.fan_out && !query.return_attention) {
      query.outputs = stored->OutputsOf(this->model_.get());
    }
    return absl::OkStatus();
  }

  void Respond(Response& response) override {
    response.set_model(model().spec().name);
    response.set_model_version(this->model_version());
    for (size_t i = 0; i < this->tasks().size(); ++i) {
      const GraphAnswer& answer = static_cast<const GraphQueryTask&>(*this->tasks()[i]).answer();
      auto& to = *response.add_answers();
      FillAsked(answer, model(), top_k_, to);
      *to.mutable_source() = ToSource(answer, versions_[i]);
      if (!answer.attention.empty()) *to.mutable_attention() = ToProto(answer.attention);
    }
  }

  bool room_may_come() const override { return room_may_come_; }

  GraphService& service_;
  const Request& request_;
  const ModelKind kind_;
  // Constant once Begin has returned.
  int top_k_ = 1;
  int64_t held_bytes_ = 0;
  int64_t asked_bytes_ = 0;        // of the answers' items
  bool room_may_come_ = true;      // if it is refused for want of room
  std::vector<int64_t> versions_;  // of each query's graph; 0: it is inline
};

// A graph that comes in parts. The store gets it when the client has sent all of it.
class GraphService::PutCall : public Call, public grpc::ServerReadReactor<Received<v1::PutGraphRequest>> {
 public:
  PutCall(GraphService& service, grpc::CallbackServerContext& context, v1::PutGraphResponse& response)
      : Call(service.parts_.requests, context, "heed.v1.GraphService/PutGraph"),
        service_(service),
        response_(response),
        received_(service.message_limits_) {
    graph_.room = std::make_unique<GraphRoom>(service_.store_);
  }

  void Run() { StartRead(&received_); }

  bool is_paced_by_client() const override { return true; }

  void OnReadDone(bool ok) override {
    if (!ok) {
      // The client has sent all, or it is gone in the middle: a stream that is broken takes no answer either.
      StartSendInitialMetadata();
      return;
    }
    if (const absl::Status status = Take(); !status.ok()) {
      Finish(End(status, /*room_may_come=*/false));
      return;
    }
    StartRead(&received_);
  }

  void OnSendInitialMetadataDone(bool ok) override {
    if (!ok || context_.IsCancelled()) {
      Finish(End(absl::CancelledError("the client went before it had sent the whole graph")));
      return;
    }
    if (parts_ == 0) {
      Finish(End(absl::InvalidArgumentError("the stream holds no message; the first one names the graph")));
      return;
    }
    const absl::Status status =
        service_.store_.Put(std::move(graph_), [this](const absl::StatusOr<StoredGraphState>& state) {
          if (state.ok()) *response_.mutable_graph() = ToProto(*state, allowed_models());
          Finish(End(state.status(), /*room_may_come=*/false));
        });
    if (!status.ok()) Finish(End(status));
  }

  void OnDone() override { delete this; }

 private:
  absl::Status Take() {
    if (!received_.status.ok()) {
      return AtMessage(parts_, received_.status);
    }
    if (parts_ == 0) {
      HEED_RETURN_IF_ERROR(GraphStore::CheckName(message_.name()));
      graph_.name = message_.name();
      HEED_ASSIGN_OR_RETURN(graph_.precompute,
                            service_.store_.FindModels({message_.precompute().begin(), message_.precompute().end()}));
    } else if (!message_.name().empty() || message_.precompute_size() > 0) {
      return AtMessage(parts_, InvalidField(message_.name().empty() ? "precompute" : "name",
                                            "is set, which only the first message may do"));
    }
    const int64_t number = parts_++;
    absl::StatusOr<GraphArrays> part = ToGraphArrays(message_.part());
    if (!part.ok()) return AtMessage(number, WithinField("part", part.status()));
    HEED_RETURN_IF_ERROR(graph_.room->Add(*part));
    if (const absl::Status status = AppendPart(*std::move(part), graph_.arrays); !status.ok()) {
      return AtMessage(number, WithinField("part", status));
    }
    if (graph_.arrays.features.rows > service_.store_.max_nodes()) {
      return AtMessage(number, InvalidField("part", "makes ", graph_.arrays.features.rows, " nodes, at most ",
                                            service_.store_.max_nodes()));
    }
    return absl::OkStatus();
  }

  GraphService& service_;
  v1::PutGraphResponse& response_;
  Received<v1::PutGraphRequest> received_;
  v1::PutGraphRequest& message_ = received_.message;
  NewGraph graph_;
  int64_t parts_ = 0;
};

// A request whose answer the store gives, at once or later.
class GraphService::StoreCall : public Call, public grpc::ServerUnaryReactor {
 public:
  StoreCall(GraphService& service, grpc::CallbackServerContext& context, std::string_view method)
      : Call(service.parts_.requests, context, method), service_(service) {}

  void Update(const v1::UpdateGraphRequest& request, v1::UpdateGraphResponse& response) {
    absl::StatusOr<GraphUpdate> update = ToGraphUpdate(request.update());
    if (!update.ok()) return Finish(End(WithinField("update", update.status())));
    Accept(service_.store_.Update(request.name(), ExpectedVersion(request), *std::move(update),
                                  [this, &response](const absl::StatusOr<StoredGraphState>& state) {
                                    if (state.ok()) *response.mutable_graph() = ToProto(*state, allowed_models());
                                    Finish(End(state.status(), /*room_may_come=*/false));
                                  }));
  }

  void Delete(const v1::DeleteGraphRequest& request) {
    Accept(service_.store_.Delete(request.name(), ExpectedVersion(request),
                                  [this](const absl::StatusOr<StoredGraphState>& state) {
                                    Finish(End(state.status(), /*room_may_come=*/false));
                                  }));
  }

  void Get(const v1::GetGraphRequest& request, v1::GetGraphResponse& response) {
    if (request.name().empty()) return Finish(End(InvalidField("name", "is empty")));
    const auto state = service_.store_.Describe(request.name());
    if (state.ok()) *response.mutable_graph() = ToProto(*state, allowed_models());
    Finish(End(state.status()));
  }

  void List(const v1::ListGraphsRequest& request, v1::ListGraphsResponse& response) {
    const absl::StatusOr<PageRequest> page = ReadPageRequest(request.page_size(), request.page_token(), kGraphList);
    if (!page.ok()) return Finish(End(page.status()));
    const auto states = service_.store_.List();
    if (!states.ok()) return Finish(End(states.status()));
    for (const StoredGraphState& state : *states) {
      if (state.name <= page->after) continue;
      if (response.graphs_size() == page->size) {
        response.set_next_page_token(MakePageToken(response.graphs().rbegin()->name(), kGraphList));
        break;
      }
      *response.add_graphs() = ToProto(state, allowed_models());
    }
    Finish(End(absl::OkStatus()));
  }

  void OnDone() override { delete this; }

 private:
  void Accept(const absl::Status& status) {
    if (!status.ok()) Finish(End(status));
  }

  GraphService& service_;
};

GraphService::GraphService(const Registry& registry, const JobParts& parts, GraphStore& store, int64_t max_inline_nodes,
                           const MessageLimits& message_limits)
    : registry_(registry),
      parts_(parts),
      store_(store),
      max_inline_nodes_(max_inline_nodes),
      message_limits_(message_limits) {
  MarkMethodCallback(
      MethodIndex(v1::GraphService::service_full_name(), "PutGraph"),
      new grpc::internal::CallbackClientStreamingHandler<Received<v1::PutGraphRequest>, v1::PutGraphResponse>(
          [this](grpc::CallbackServerContext* context, v1::PutGraphResponse* response) {
            return Put(context, response);
          }));
}

// Each of these calls deletes itself in OnDone.

grpc::ServerUnaryReactor* GraphService::ClassifyNodes(grpc::CallbackServerContext* context,
                                                      const v1::ClassifyNodesRequest* request,
                                                      v1::ClassifyNodesResponse* response) {
  auto* call = new ClassifyCall<v1::ClassifyNodesRequest, v1::ClassifyNodesResponse>(
      *this, *context, *request, *response, "heed.v1.GraphService/ClassifyNodes", ModelKind::kNodeClassifier);
  call->Run(static_cast<int64_t>(request->ByteSizeLong()));
  return call;
}

grpc::ServerUnaryReactor* GraphService::ClassifyEdges(grpc::CallbackServerContext* context,
                                                      const v1::ClassifyEdgesRequest* request,
                                                      v1::ClassifyEdgesResponse* response) {
  auto* call = new ClassifyCall<v1::ClassifyEdgesRequest, v1::ClassifyEdgesResponse>(
      *this, *context, *request, *response, "heed.v1.GraphService/ClassifyEdges", ModelKind::kEdgeClassifier);
  call->Run(static_cast<int64_t>(request->ByteSizeLong()));
  return call;
}

grpc::ServerUnaryReactor* GraphService::ClassifyGraphs(grpc::CallbackServerContext* context,
                                                       const v1::ClassifyGraphsRequest* request,
                                                       v1::ClassifyGraphsResponse* response) {
  auto* call = new ClassifyCall<v1::ClassifyGraphsRequest, v1::ClassifyGraphsResponse>(
      *this, *context, *request, *response, "heed.v1.GraphService/ClassifyGraphs", ModelKind::kGraphClassifier);
  call->Run(static_cast<int64_t>(request->ByteSizeLong()));
  return call;
}

grpc::ServerReadReactor<Received<v1::PutGraphRequest>>* GraphService::Put(grpc::CallbackServerContext* context,
                                                                          v1::PutGraphResponse* response) {
  auto* call = new PutCall(*this, *context, *response);
  call->Run();
  return call;
}

grpc::ServerUnaryReactor* GraphService::UpdateGraph(grpc::CallbackServerContext* context,
                                                    const v1::UpdateGraphRequest* request,
                                                    v1::UpdateGraphResponse* response) {
  auto* call = new StoreCall(*this, *context, "heed.v1.GraphService/UpdateGraph");
  call->Update(*request, *response);
  return call;
}

grpc::ServerUnaryReactor* GraphService::GetGraph(grpc::CallbackServerContext* context,
                                                 const v1::GetGraphRequest* request, v1::GetGraphResponse* response) {
  auto* call = new StoreCall(*this, *context, "heed.v1.GraphService/GetGraph");
  call->Get(*request, *response);
  return call;
}

grpc::ServerUnaryReactor* GraphService::ListGraphs(grpc::CallbackServerContext* context,
                                                   const v1::ListGraphsRequest* request,
                                                   v1::ListGraphsResponse* response) {
  auto* call = new StoreCall(*this, *context, "heed.v1.GraphService/ListGraphs");
  call->List(*request, *response);
  return call;
}

grpc::ServerUnaryReactor* GraphService::DeleteGraph(grpc::CallbackServerContext* context,
                                                    const v1::DeleteGraphRequest* request, v1::DeleteGraphResponse*) {
  auto* call = new StoreCall(*this, *context, "heed.v1.GraphService/DeleteGraph");
  call->Delete(*request);
  return call;
}

}  // namespace heed
