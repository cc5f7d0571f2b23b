// SPDX-License-Identifier: Apache-2.0
#include "tests/chaos/graph_worker.h"

#include <algorithm>
#include <chrono>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace heed::chaos {
namespace {

constexpr int kWidth = 1433;
constexpr int kFirstNodes = 60;
constexpr size_t kMaxNodes = 150;
constexpr std::chrono::seconds kMaxSettling(40);

Expected Written() {
  Expected expected;
  expected.fault = Fault::kGraphFiles;
  expected.may_expire = false;
  return expected;
}

void AddRow(v1::NodeFeatures& features, const std::vector<int>& columns) {
  features.set_width(kWidth);
  for (const int column : columns) {
    features.add_columns(column);
    features.add_values(1.0f);
  }
  features.add_row_ends(features.values_size());
}

}  // namespace

v1::Graph GraphWorker::Message(const Copy& copy) {
  v1::Graph graph;
  std::map<int64_t, int64_t> rows;
  graph.mutable_features()->set_width(kWidth);
  for (const auto& [id, columns] : copy.nodes) {
    rows[id] = static_cast<int64_t>(rows.size());
    graph.add_node_ids(id);
    AddRow(*graph.mutable_features(), columns);
  }
  for (const auto& [source, target] : copy.edges) {
    graph.add_edge_sources(rows.at(source));
    graph.add_edge_targets(rows.at(target));
  }
  return graph;
}

void GraphWorker::DrawFeatures(v1::NodeFeatures& features, std::vector<int>& columns) {
  std::set<int> drawn;
  while (drawn.size() < 12) drawn.insert(Draw(0, kWidth - 1));
  columns.assign(drawn.begin(), drawn.end());
  AddRow(features, columns);
}

int64_t GraphWorker::DrawNode(const Copy& copy) {
  return std::next(copy.nodes.begin(), Draw(0, static_cast<int>(copy.nodes.size()) - 1))->first;
}

void GraphWorker::Step(const std::stop_token& stop) {
  if (version_ == 0) return Put();
  if (!Settle(stop)) return;
  const int what = Draw(0, 9);
  if (what < 4) {
    DrawUpdate();
    Settle(stop);
  } else if (what < 9) {
    Ask();
  } else {
    PutAndDelete();
  }
  Pause(stop, std::chrono::milliseconds(5));
}

void GraphWorker::CheckInfo(const v1::GraphInfo& info, absl::string_view after) {
  const auto nodes = static_cast<int64_t>(copy_.nodes.size());
  const auto edges = static_cast<int64_t>(copy_.edges.size());
  Check(info.version() == version_ && info.node_count() == nodes && info.edge_count() == edges, [&] {
    return absl::StrCat("graph ", name_, ", ", after, ": the server says version ", info.version(), ", ",
                        info.node_count(), " nodes, ", info.edge_count(), " edges; acknowledged are version ", version_,
                        ", ", nodes, ", ", edges);
  });
}

void GraphWorker::Put() {
  Copy copy;
  v1::NodeFeatures unused;
  for (next_id_ = 0; next_id_ < kFirstNodes; ++next_id_) DrawFeatures(unused, copy.nodes[next_id_]);
  for (int64_t id = 0; id < kFirstNodes; ++id) {
    copy.edges.emplace_back(id, (id + 1) % kFirstNodes);
    copy.edges.emplace_back((id + 1) % kFirstNodes, id);
  }
  v1::PutGraphResponse response;
  const grpc::Status status = Call("heed.v1.GraphService/PutGraph", Written(), [&](grpc::ClientContext& context) {
    const auto stub = v1::GraphService::NewStub(AnyChannel());
    const auto stream = stub->PutGraph(&context, &response);
    v1::PutGraphRequest request;
    request.set_name(name_);
    if (precompute_) request.add_precompute(model_);
    *request.mutable_part() = Message(copy);
    stream->Write(request);
    stream->WritesDone();
    return stream->Finish();
  });
  if (!status.ok()) return;
  copy_ = std::move(copy);
  version_ = response.graph().version();
  CheckInfo(response.graph(), "put");
}

void GraphWorker::DrawUpdate() {
  next_ = copy_;
  v1::UpdateGraphRequest request;
  request.set_name(name_);
  request.set_expected_version(version_);
  v1::GraphUpdate& update = *request.mutable_update();
  if (Chance(0.5)) {
    const auto edge = next_.edges[static_cast<size_t>(Draw(0, static_cast<int>(next_.edges.size()) - 1))];
    update.add_remove_edges()->set_source(edge.first);
    update.mutable_remove_edges(0)->set_target(edge.second);
    std::erase(next_.edges, edge);
  }
  if (next_.nodes.size() > kMaxNodes || Chance(0.2)) {
    const int64_t id = DrawNode(next_);
    update.add_remove_nodes(id);
    next_.nodes.erase(id);
    std::erase_if(next_.edges, [id](const auto& edge) { return edge.first == id || edge.second == id; });
  }
  std::vector<int64_t> added;
  for (int i = Draw(0, 3); i > 0; --i) {
    added.push_back(next_id_);
    update.add_add_nodes(next_id_);
    DrawFeatures(*update.mutable_add_features(), next_.nodes[next_id_++]);
  }
  const int64_t changed = DrawNode(copy_);
  if (next_.nodes.contains(changed)) {
    update.add_change_nodes(changed);
    DrawFeatures(*update.mutable_change_features(), next_.nodes[changed]);
  }
  added.push_back(DrawNode(next_));
  for (const int64_t id : added) {
    const std::pair edge(DrawNode(next_), id);
    update.add_add_edges()->set_source(edge.first);
    update.mutable_add_edges(update.add_edges_size() - 1)->set_target(edge.second);
    next_.edges.push_back(edge);
  }
  pending_ = std::move(request);
  uncertain_ = false;
}

bool GraphWorker::Settle(const std::stop_token& stop) {
  const auto begun = std::chrono::steady_clock::now();
  while (pending_.has_value()) {
    Expected expected;
    if (uncertain_) expected.codes = {grpc::StatusCode::ABORTED};  // an earlier try made it: the version has moved on
    v1::UpdateGraphResponse response;
    const grpc::Status status = Call("heed.v1.GraphService/UpdateGraph", expected, [&](grpc::ClientContext& context) {
      return v1::GraphService::NewStub(AnyChannel())->UpdateGraph(&context, *pending_, &response);
    });
    if (status.ok() || status.error_code() == grpc::StatusCode::ABORTED) {
      copy_ = std::move(next_);
      ++version_;
      pending_.reset();
      if (status.ok()) CheckInfo(response.graph(), "updated");
      return true;
    }
    if (IsUncertain(status)) uncertain_ = true;
    if (!uncertain_) {
      pending_.reset();
      return true;
    }
    if (stop.stop_requested()) return false;
    if (std::chrono::steady_clock::now() - begun > kMaxSettling) {
      world_.ledger.Fail(absl::StrCat("graph ", name_, ": an update sent again and again for ", kMaxSettling.count(),
                                      " s was not answered"));
      return false;
    }
    Pause(stop, std::chrono::milliseconds(20));
    world_.ledger.Count("changes sent again");
  }
  return true;
}

void GraphWorker::Ask() {
  v1::ClassifyNodesRequest request;
  request.set_model(model_);
  auto& query = *request.add_queries();
  query.mutable_stored()->set_name(name_);
  if (Chance(0.5)) query.mutable_stored()->set_expected_version(version_);
  for (int i = Draw(1, 4); i > 0; --i) query.add_nodes(DrawNode(copy_));
  request.mutable_options()->set_compute(Chance(0.3));
  v1::ClassifyNodesResponse response;
  const grpc::Status status = Call("heed.v1.GraphService/ClassifyNodes", {}, [&](grpc::ClientContext& context) {
    return v1::GraphService::NewStub(AnyChannel())->ClassifyNodes(&context, request, &response);
  });
  if (!status.ok()) return;
  const auto& answer = response.answers(0);
  if (answer.source().precomputed()) world_.ledger.Count("answers from precomputed outputs");
  Check(answer.source().version() == version_ && answer.nodes_size() == query.nodes_size(), [&] {
    return absl::StrCat("graph ", name_, ": an answer of version ", answer.source().version(), " about ",
                        answer.nodes_size(), " nodes; asked was version ", version_, " about ", query.nodes_size());
  });
}

void GraphWorker::PutAndDelete() {
  const std::string name = absl::StrCat(name_, "-passing");
  const v1::Graph graph = Message(copy_);
  const bool breaks_off = Chance(0.3);
  const auto stub = v1::GraphService::NewStub(AnyChannel());
  v1::PutGraphResponse response;
  const grpc::Status put =
      Call("heed.v1.GraphService/PutGraph", Written(), [&](grpc::ClientContext& context, bool& cancelled) {
        const auto stream = stub->PutGraph(&context, &response);
        v1::PutGraphRequest first;
        first.set_name(name);
        *first.mutable_part() = graph;
        v1::PutGraphRequest edges;  // of no nodes
        edges.mutable_part()->add_edge_sources(0);
        edges.mutable_part()->add_edge_targets(1);
        stream->Write(first);
        if (breaks_off) {
          cancelled = true;
          context.TryCancel();
          world_.ledger.Count("graphs that stopped coming");
        } else {
          stream->Write(edges);
          stream->WritesDone();
        }
        return stream->Finish();
      });
  if (!put.ok()) return;
  Check(response.graph().edge_count() == graph.edge_sources_size() + 1, [&] {
    return absl::StrCat("PutGraph: ", response.graph().edge_count(), " edges, sent were ",
                        graph.edge_sources_size() + 1);
  });
  v1::DeleteGraphRequest request;
  request.set_name(name);
  v1::DeleteGraphResponse deleted;
  const grpc::Status gone = Call("heed.v1.GraphService/DeleteGraph", Written(), [&](grpc::ClientContext& context) {
    return stub->DeleteGraph(&context, request, &deleted);
  });
  // It stays if the server is ended in between; the next one takes its place.
  Check(gone.ok() || IsUncertain(gone) || gone.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED,
        [&] { return absl::StrCat("DeleteGraph: ", gone.error_message()); });
}

void GraphWorker::Verify() {
  if (version_ == 0 || !Settle({})) return;
  Expected expected;
  expected.may_expire = false;
  const auto stub = v1::GraphService::NewStub(AnyChannel());
  v1::GetGraphRequest get;
  get.set_name(name_);
  v1::GetGraphResponse got;
  if (!Call("heed.v1.GraphService/GetGraph", expected, [&](grpc::ClientContext& context) {
         return stub->GetGraph(&context, get, &got);
       }).ok()) {
    return;
  }
  CheckInfo(got.graph(), "verified");
  world_.ledger.Count("graphs verified");
  // As if it had been loaded anew.
  v1::ClassifyNodesRequest stored;
  stored.set_model(model_);
  stored.mutable_options()->set_top_k(0);
  v1::ClassifyNodesRequest anew = stored;
  stored.add_queries()->mutable_stored()->set_name(name_);
  *anew.add_queries()->mutable_graph() = Message(copy_);
  v1::ClassifyNodesResponse answers[2];
  for (const int i : {0, 1}) {
    const grpc::Status status = Call("heed.v1.GraphService/ClassifyNodes", expected, [&](grpc::ClientContext& context) {
      return stub->ClassifyNodes(&context, i == 0 ? stored : anew, &answers[i]);
    });
    if (!status.ok()) return;
  }
  const auto& left = answers[0].answers(0);
  const auto& right = answers[1].answers(0);
  bool same = left.nodes_size() == right.nodes_size();
  for (int i = 0; same && i < left.nodes_size(); ++i) {
    same = left.nodes(i).SerializeAsString() == right.nodes(i).SerializeAsString();
  }
  Check(same, [&] { return absl::StrCat("graph ", name_, ": answers otherwise than its copy that a request brings"); });
  world_.ledger.Count("answers compared", left.nodes_size());
}

void GraphWorker::Clear() {
  if (version_ == 0) return;
  const auto stub = v1::GraphService::NewStub(AnyChannel());
  for (const std::string& name : {name_, absl::StrCat(name_, "-passing")}) {
    Expected expected = Written();
    if (name != name_) expected.codes = {grpc::StatusCode::NOT_FOUND};
    v1::DeleteGraphRequest request;
    request.set_name(name);
    v1::DeleteGraphResponse response;
    Call("heed.v1.GraphService/DeleteGraph", expected,
         [&](grpc::ClientContext& context) { return stub->DeleteGraph(&context, request, &response); });
  }
  version_ = 0;
  pending_.reset();
}

}  // namespace heed::chaos
