// SPDX-License-Identifier: Apache-2.0
// Graph::Apply.
#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "engine/graph/graph.h"
#include "engine/graph/graph_checks.h"

namespace heed {
namespace {

constexpr int64_t kMaxShardNodes = 1024;  // of the index, on average: more make a new one

template <typename T>
int64_t Size(const std::vector<T>& values) {
  return static_cast<int64_t>(values.size());
}

template <typename T>
void SortUnique(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

}  // namespace

// Checks an update against a version, noting which rows it touches, and then makes the pages of these rows anew.
class Graph::Editor {
 public:
  Editor(const Graph& old, const GraphUpdate& update) : old_(old), update_(update) {}

  absl::Status Check(int64_t max_nodes);
  std::shared_ptr<const Graph> Apply();
  GraphChange Change() const;

 private:
  struct AddedNode {
    int32_t row;
    size_t index;  // in add_nodes
  };
  struct AddedEdge {
    int32_t source;
    int32_t target;
    const float* features;
  };

  absl::Status CheckSizes() const;
  absl::Status RemoveEdges();
  absl::Status RemoveNodes();
  absl::Status AddNodes(int64_t max_nodes);
  absl::Status ChangeNodes();
  absl::Status AddEdges();
  // The row of a node of the version as far as it is edited.
  std::optional<int32_t> Row(int64_t id) const;
  std::vector<int32_t> RowsForAdded() const;
  bool IsRemoved(int32_t source, int32_t target) const {
    return removed_nodes_.contains(source) || removed_nodes_.contains(target) ||
           removed_edges_.contains({source, target});
  }

  void EditIds();
  void EditIndex();
  void EditFeatures();
  void EditIn();
  void EditOut();
  // Calls visit(page, touched) for each page that has some of `rows`, which ascend.
  template <typename Visit>
  static void ForPages(absl::Span<const int32_t> rows, const Visit& visit);

  const Graph& old_;
  const GraphUpdate& update_;
  std::shared_ptr<Graph> new_;
  absl::flat_hash_set<std::pair<int32_t, int32_t>> removed_edges_;  // rows of sources and targets
  absl::flat_hash_set<int32_t> removed_nodes_;                      // rows, even if new nodes take them
  absl::flat_hash_map<int64_t, AddedNode> added_nodes_;
  std::vector<AddedEdge> added_edges_;
  std::vector<std::pair<int32_t, FeatureRow>> features_;  // of rows; a later one takes an earlier one's place
  std::vector<int32_t> touched_nodes_;                    // rows of removed and added nodes
  std::vector<int32_t> touched_in_;
  std::vector<int32_t> touched_out_;
};

absl::Status Graph::Editor::Check(int64_t max_nodes) {
  HEED_RETURN_IF_ERROR(CheckSizes());
  HEED_RETURN_IF_ERROR(RemoveEdges());
  HEED_RETURN_IF_ERROR(RemoveNodes());
  HEED_RETURN_IF_ERROR(AddNodes(max_nodes));
  HEED_RETURN_IF_ERROR(ChangeNodes());
  return AddEdges();
}

absl::Status Graph::Editor::CheckSizes() const {
  const auto check = [this](const FeatureArrays& features, absl::string_view name, const std::vector<int64_t>& nodes,
                            absl::string_view nodes_name) {
    HEED_RETURN_IF_ERROR(heed::CheckSizes(features, name));
    if (features.rows != Size(nodes)) {
      return InvalidField(name, features.rows, " rows, but ", nodes_name, " has ", nodes.size());
    }
    if (features.rows > 0 && features.width != old_.feature_width_) {
      return InvalidField(name, "width ", features.width, ", but the graph's features have ", old_.feature_width_);
    }
    return absl::OkStatus();
  };
  HEED_RETURN_IF_ERROR(check(update_.add_features, "add_features", update_.add_nodes, "add_nodes"));
  HEED_RETURN_IF_ERROR(check(update_.change_features, "change_features", update_.change_nodes, "change_nodes"));
  const int64_t edges = Size(update_.add_edges);
  if (old_.edge_feature_width_ == 0 && !update_.add_edge_features.empty()) {
    return InvalidField("add_edge_features", update_.add_edge_features.size(), " values for ", edges,
                        " edges, but the graph's edges have no features (edge_feature_width 0)");
  }
  if (Size(update_.add_edge_features) != edges * old_.edge_feature_width_) {
    return InvalidField("add_edge_features", update_.add_edge_features.size(), " values, but ", edges,
                        " edges of width ", old_.edge_feature_width_, " need ", edges * old_.edge_feature_width_);
  }
  return absl::OkStatus();
}

std::optional<int32_t> Graph::Editor::Row(int64_t id) const {
  if (const auto added = added_nodes_.find(id); added != added_nodes_.end()) return added->second.row;
  const std::optional<int32_t> row = old_.Row(id);
  return row.has_value() && removed_nodes_.contains(*row) ? std::nullopt : row;
}

absl::Status Graph::Editor::RemoveEdges() {
  for (size_t i = 0; i < update_.remove_edges.size(); ++i) {
    const auto [source_id, target_id] = update_.remove_edges[i];
    const std::optional<int32_t> source = Row(source_id), target = Row(target_id);
    bool found = source.has_value() && target.has_value();
    if (found) {
      const absl::Span<const int32_t> sources = old_.In(*target).sources;
      const auto place = std::lower_bound(sources.begin(), sources.end(), source_id,
                                          [this](int32_t row, int64_t id) { return old_.Id(row) < id; });
      found = place != sources.end() && *place == *source && removed_edges_.emplace(*source, *target).second;
    }
    if (!found)
      return InvalidField(absl::StrCat("remove_edges[", i, "]"), "there is no edge ", source_id, " -> ", target_id);
    touched_out_.push_back(*source);
    touched_in_.push_back(*target);
  }
  return absl::OkStatus();
}

absl::Status Graph::Editor::RemoveNodes() {
  for (size_t i = 0; i < update_.remove_nodes.size(); ++i) {
    const std::optional<int32_t> row = Row(update_.remove_nodes[i]);
    if (!row.has_value())
      return InvalidField(absl::StrCat("remove_nodes[", i, "]"), "there is no node ", update_.remove_nodes[i]);
    removed_nodes_.insert(*row);
    touched_nodes_.push_back(*row);
    features_.push_back({*row, FeatureRow{nullptr, nullptr, -1}});
    const absl::Span<const int32_t> sources = old_.In(*row).sources, targets = old_.Out(*row);
    touched_out_.push_back(*row);
    touched_out_.insert(touched_out_.end(), sources.begin(), sources.end());
    touched_in_.push_back(*row);
    touched_in_.insert(touched_in_.end(), targets.begin(), targets.end());
  }
  return absl::OkStatus();
}

// The lowest rows that hold no node.
std::vector<int32_t> Graph::Editor::RowsForAdded() const {
  const size_t wanted = update_.add_nodes.size();
  if (wanted == 0) return {};
  std::vector<int32_t> rows;
  for (size_t page = 0; page < old_.pages_.size() && rows.size() < wanted; ++page) {
    const IdPart* ids = old_.pages_[page].ids.get();
    if (ids == nullptr || ids->present.count() == ids->ids.size()) continue;
    for (size_t i = 0; i < ids->ids.size(); ++i) {
      if (!ids->present[i]) rows.push_back(static_cast<int32_t>(page * kPageRows + i));
    }
  }
  rows.insert(rows.end(), removed_nodes_.begin(), removed_nodes_.end());
  std::sort(rows.begin(), rows.end());
  for (int64_t row = old_.rows_; rows.size() < wanted; ++row) rows.push_back(static_cast<int32_t>(row));
  rows.resize(wanted);
  return rows;
}

absl::Status Graph::Editor::AddNodes(int64_t max_nodes) {
  const int64_t nodes = old_.nodes_ - static_cast<int64_t>(removed_nodes_.size()) + Size(update_.add_nodes);
  if (!update_.add_nodes.empty()) {
    HEED_RETURN_IF_ERROR(CheckCounts(nodes, max_nodes, old_.edges_));
  }
  const std::vector<int32_t> rows = RowsForAdded();
  for (size_t i = 0; i < rows.size(); ++i) {
    const int64_t id = update_.add_nodes[i];
    if (const auto first = added_nodes_.find(id); first != added_nodes_.end()) {
      return InvalidField(absl::StrCat("add_nodes[", i, "]"), id, ", which is also add_nodes[", first->second.index,
                          "]");
    }
    if (Row(id).has_value()) return InvalidField(absl::StrCat("add_nodes[", i, "]"), "the graph has a node ", id);
    const FeatureRow features = RowOf(update_.add_features, static_cast<int64_t>(i));
    HEED_RETURN_IF_ERROR(CheckFeatures(features, old_.feature_width_, id));
    added_nodes_.emplace(id, AddedNode{rows[i], i});
    features_.push_back({rows[i], features});
    touched_nodes_.push_back(rows[i]);
    touched_in_.push_back(rows[i]);
    touched_out_.push_back(rows[i]);
  }
  return absl::OkStatus();
}

absl::Status Graph::Editor::ChangeNodes() {
  absl::flat_hash_map<int64_t, size_t> seen;
  for (size_t i = 0; i < update_.change_nodes.size(); ++i) {
    const int64_t id = update_.change_nodes[i];
    const std::optional<int32_t> row = Row(id);
    if (!row.has_value()) return InvalidField(absl::StrCat("change_nodes[", i, "]"), "there is no node ", id);
    const auto [first, is_new] = seen.emplace(id, i);
    if (!is_new)
      return InvalidField(absl::StrCat("change_nodes[", i, "]"), id, ", which is also change_nodes[", first->second,
                          "]");
    const FeatureRow features = RowOf(update_.change_features, static_cast<int64_t>(i));
    HEED_RETURN_IF_ERROR(CheckFeatures(features, old_.feature_width_, id));
    features_.push_back({*row, features});
  }
  return absl::OkStatus();
}

absl::Status Graph::Editor::AddEdges() {
  const int64_t width = old_.edge_feature_width_;
  HEED_RETURN_IF_ERROR(CheckCounts(0, 0, old_.edges_ + Size(update_.add_edges)));
  added_edges_.reserve(update_.add_edges.size());
  for (size_t i = 0; i < update_.add_edges.size(); ++i) {
    const auto [source_id, target_id] = update_.add_edges[i];
    const std::optional<int32_t> source = Row(source_id), target = Row(target_id);
    if (!source.has_value()) return InvalidField(absl::StrCat("add_edges[", i, "]"), "there is no node ", source_id);
    if (!target.has_value()) return InvalidField(absl::StrCat("add_edges[", i, "]"), "there is no node ", target_id);
    const float* features = update_.add_edge_features.data() + static_cast<int64_t>(i) * width;
    const int64_t wrong = FirstNotFinite(features, width);
    if (wrong < width) {
      return InvalidArgument("features of add_edges[", i, "], column ", wrong, ": ", NotFinite(features[wrong]));
    }
    added_edges_.push_back({*source, *target, features});
    touched_out_.push_back(*source);
    touched_in_.push_back(*target);
  }
  return absl::OkStatus();
}

std::shared_ptr<const Graph> Graph::Editor::Apply() {
  new_ = std::shared_ptr<Graph>(new Graph(old_));
  SortUnique(touched_nodes_);
  SortUnique(touched_in_);
  SortUnique(touched_out_);
  if (!touched_nodes_.empty()) new_->rows_ = std::max(old_.rows_, int64_t{touched_nodes_.back()} + 1);
  new_->nodes_ += static_cast<int64_t>(added_nodes_.size()) - static_cast<int64_t>(removed_nodes_.size());
  new_->pages_.resize(static_cast<size_t>((new_->rows_ + kPageRows - 1) / kPageRows));
  EditIds();
  EditIndex();
  EditFeatures();
  EditIn();
  EditOut();
  return new_;
}

template <typename Visit>
void Graph::Editor::ForPages(absl::Span<const int32_t> rows, const Visit& visit) {
  for (size_t begin = 0, end; begin < rows.size(); begin = end) {
    const size_t page = static_cast<size_t>(rows[begin]) / kPageRows;
    for (end = begin + 1; end < rows.size() && static_cast<size_t>(rows[end]) / kPageRows == page;) ++end;
    visit(page, rows.subspan(begin, end - begin));
  }
}

void Graph::Editor::EditIds() {
  std::vector<std::pair<int32_t, int64_t>> added;  // rows and ids
  added.reserve(added_nodes_.size());
  for (const auto& [id, node] : added_nodes_) added.push_back({node.row, id});
  std::sort(added.begin(), added.end());
  auto next = added.begin();
  ForPages(touched_nodes_, [&](size_t page, absl::Span<const int32_t> touched) {
    const size_t rows = static_cast<size_t>(new_->RowsOf(page));
    const int64_t first = static_cast<int64_t>(page) * kPageRows;
    auto part = std::make_shared<IdPart>();
    part->ids.resize(rows);
    for (size_t i = 0; i < rows; ++i) {
      const int32_t row = static_cast<int32_t>(first + static_cast<int64_t>(i));
      if (!old_.Has(row)) continue;
      part->ids[i] = old_.Id(row);
      part->present.set(i);
    }
    for (const int32_t row : touched) {
      const bool is_added = next != added.end() && next->first == row;
      part->ids[Slot(row)] = is_added ? next->second : 0;
      part->present.set(Slot(row), is_added);
      if (is_added) ++next;
    }
    bool ids_are_rows = true;
    for (size_t i = 0; i < rows; ++i) {
      ids_are_rows = ids_are_rows && part->present[i] && part->ids[i] == first + static_cast<int64_t>(i);
    }
    if (ids_are_rows) part = nullptr;
    new_->Replace(new_->pages_[page].ids, std::shared_ptr<const IdPart>(std::move(part)));
  });
}

void Graph::Editor::EditIndex() {
  struct Edit {
    size_t shard;
    IdRow node;
    bool add;
  };
  int64_t moved = old_.moved_;
  std::vector<std::pair<IdRow, bool>> edits;  // true: added
  for (const int32_t row : removed_nodes_) {
    if (old_.Id(row) != row) edits.push_back({{old_.Id(row), row}, false});
  }
  for (const auto& [id, node] : added_nodes_) {
    if (id != node.row) edits.push_back({{id, node.row}, true});
  }
  if (edits.empty()) return;
  for (const auto& edit : edits) moved += edit.second ? 1 : -1;
  if (new_->shards_.empty() || moved > kMaxShardNodes * Size(new_->shards_)) {
    std::vector<IdRow> nodes;
    for (int32_t row = 0; row < new_->rows_; ++row) {
      if (new_->Has(row) && new_->Id(row) != row) nodes.push_back({new_->Id(row), row});
    }
    new_->MakeIndex(nodes);
    return;
  }
  std::vector<Edit> by_shard;
  by_shard.reserve(edits.size());
  for (const auto& [node, add] : edits) by_shard.push_back({new_->ShardOf(node.id), node, add});
  // Within a shard, what is removed comes first: an id may be removed from one row and added to another.
  std::sort(by_shard.begin(), by_shard.end(), [](const Edit& a, const Edit& b) {
    return std::tuple(a.shard, a.add, a.node.id) < std::tuple(b.shard, b.add, b.node.id);
  });
  for (size_t begin = 0, end; begin < by_shard.size(); begin = end) {
    const size_t index = by_shard[begin].shard;
    const Shard& old = *new_->shards_[index];
    auto shard = std::make_shared<Shard>();
    shard->reserve(old.size());
    auto kept = old.begin();
    for (end = begin; end < by_shard.size() && by_shard[end].shard == index && !by_shard[end].add; ++end) {
      const auto gone = std::find_if(kept, old.end(), [&](const IdRow& n) { return n.id == by_shard[end].node.id; });
      shard->insert(shard->end(), kept, gone);
      kept = gone + 1;
    }
    shard->insert(shard->end(), kept, old.end());
    const auto by_id = [](const IdRow& a, const IdRow& b) { return a.id < b.id; };
    const int64_t middle = Size(*shard);
    for (; end < by_shard.size() && by_shard[end].shard == index; ++end) shard->push_back(by_shard[end].node);
    std::inplace_merge(shard->begin(), shard->begin() + middle, shard->end(), by_id);
    new_->Replace(new_->shards_[index], std::shared_ptr<const Shard>(std::move(shard)));
  }
}

void Graph::Editor::EditFeatures() {
  const auto by_row = [](const auto& a, const auto& b) { return a.first < b.first; };
  std::stable_sort(features_.begin(), features_.end(), by_row);
  std::vector<int32_t> touched;
  touched.reserve(features_.size());
  for (const auto& row : features_) touched.push_back(row.first);
  SortUnique(touched);
  auto next = features_.begin();
  std::array<FeatureRow, kPageRows> rows;
  ForPages(touched, [&](size_t page, absl::Span<const int32_t>) {
    const size_t count = static_cast<size_t>(new_->RowsOf(page));
    for (size_t i = 0; i < count; ++i) {
      const int32_t row = static_cast<int32_t>(page * kPageRows + i);
      rows[i] = old_.Has(row) ? old_.Features(row) : FeatureRow{nullptr, nullptr, -1};
      for (; next != features_.end() && next->first == row; ++next) rows[i] = next->second;
    }
    new_->Replace(new_->pages_[page].features,
                  MakeFeatures(old_.feature_width_, absl::MakeConstSpan(rows.data(), count)));
  });
}

void Graph::Editor::EditIn() {
  const int64_t width = old_.edge_feature_width_;
  const auto comes_before = [&](int32_t a, const float* a_features, int32_t b, const float* b_features) {
    if (a != b) return new_->Id(a) < new_->Id(b);
    return CompareFeatures(a_features, b_features, width) < 0;
  };
  std::sort(added_edges_.begin(), added_edges_.end(), [&](const AddedEdge& a, const AddedEdge& b) {
    if (a.target != b.target) return a.target < b.target;
    return comes_before(a.source, a.features, b.source, b.features);
  });
  auto next = added_edges_.begin();
  ForPages(touched_in_, [&](size_t page, absl::Span<const int32_t> touched) {
    const size_t rows = static_cast<size_t>(new_->RowsOf(page));
    auto part = std::make_shared<InPart>();
    part->begins.reserve(rows + 1);
    part->begins.push_back(0);
    const auto add = [&](int32_t source, const float* features) {
      part->sources.push_back(source);
      part->features.insert(part->features.end(), features, features + width);
    };
    auto touched_row = touched.begin();
    for (size_t i = 0; i < rows; ++i) {
      const int32_t row = static_cast<int32_t>(page * kPageRows + i);
      const InEdges old = row < old_.rows_ ? old_.In(row) : InEdges{};
      if (touched_row == touched.end() || *touched_row != row) {
        part->sources.insert(part->sources.end(), old.sources.begin(), old.sources.end());
        part->features.insert(part->features.end(), old.features,
                              old.features + static_cast<int64_t>(old.sources.size()) * width);
      } else {
        ++touched_row;
        for (size_t k = 0; k < old.sources.size(); ++k) {
          const int32_t source = old.sources[k];
          if (IsRemoved(source, row)) continue;
          const float* features = old.features + static_cast<int64_t>(k) * width;
          for (; next != added_edges_.end() && next->target == row &&
                 comes_before(next->source, next->features, source, features);
               ++next) {
            add(next->source, next->features);
          }
          add(source, features);
        }
        for (; next != added_edges_.end() && next->target == row; ++next) add(next->source, next->features);
      }
      part->begins.push_back(static_cast<int32_t>(part->sources.size()));
    }
    part->sources.shrink_to_fit();
    part->features.shrink_to_fit();
    new_->Replace(new_->pages_[page].in, std::shared_ptr<const InPart>(std::move(part)));
  });
}

void Graph::Editor::EditOut() {
  std::sort(added_edges_.begin(), added_edges_.end(), [&](const AddedEdge& a, const AddedEdge& b) {
    if (a.source != b.source) return a.source < b.source;
    return new_->Id(a.target) < new_->Id(b.target);
  });
  auto next = added_edges_.begin();
  ForPages(touched_out_, [&](size_t page, absl::Span<const int32_t> touched) {
    const size_t rows = static_cast<size_t>(new_->RowsOf(page));
    auto part = std::make_shared<OutPart>();
    part->begins.reserve(rows + 1);
    part->begins.push_back(0);
    auto touched_row = touched.begin();
    for (size_t i = 0; i < rows; ++i) {
      const int32_t row = static_cast<int32_t>(page * kPageRows + i);
      const absl::Span<const int32_t> old = row < old_.rows_ ? old_.Out(row) : absl::Span<const int32_t>();
      if (touched_row == touched.end() || *touched_row != row) {
        part->targets.insert(part->targets.end(), old.begin(), old.end());
      } else {
        ++touched_row;
        for (const int32_t target : old) {
          if (IsRemoved(row, target)) continue;
          for (; next != added_edges_.end() && next->source == row && new_->Id(next->target) < new_->Id(target);
               ++next) {
            part->targets.push_back(next->target);
          }
          part->targets.push_back(target);
        }
        for (; next != added_edges_.end() && next->source == row; ++next) part->targets.push_back(next->target);
      }
      part->begins.push_back(static_cast<int32_t>(part->targets.size()));
    }
    part->targets.shrink_to_fit();
    new_->Replace(new_->pages_[page].out, std::shared_ptr<const OutPart>(std::move(part)));
  });
}

GraphChange Graph::Editor::Change() const {
  GraphChange change;
  for (const auto& row : features_) {
    if (new_->Has(row.first)) change.features.push_back(row.first);
  }
  SortUnique(change.features);
  for (const int32_t row : touched_in_) {
    if (new_->Has(row)) change.in_edges.push_back(row);
  }
  for (const int32_t row : touched_nodes_) {
    if (!new_->Has(row)) change.removed.push_back(row);
  }
  return change;
}

absl::StatusOr<std::shared_ptr<const Graph>> Graph::Apply(const GraphUpdate& update, GraphChange* change,
                                                          int64_t max_nodes) const {
  Editor editor(*this, update);
  HEED_RETURN_IF_ERROR(editor.Check(max_nodes));
  std::shared_ptr<const Graph> graph = editor.Apply();
  if (change != nullptr) *change = editor.Change();
  return graph;
}

}  // namespace heed
