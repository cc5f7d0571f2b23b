// SPDX-License-Identifier: Apache-2.0
#include "files/graph_file.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "files/safetensors.h"
#include "files/safetensors_writer.h"

namespace heed {
namespace {

// Nodes without features take no bytes of a file, but memory.
constexpr int64_t kMaxBareNodes = int64_t{1} << 20;

// Reads one file; its functions name the file and the tensor in what they refuse.
class Reader {
 public:
  explicit Reader(const SafetensorsFile& file) : file_(file) {}

  absl::StatusOr<GraphFile> Read();

 private:
  template <typename... Parts>
  absl::Status Refused(const Parts&... what) const {
    return absl::InvalidArgumentError(absl::StrCat(file_.path(), ": ", what...));
  }
  absl::StatusOr<const StoredTensor*> Find(absl::string_view name) const;
  absl::Status CheckRank(absl::string_view name, const StoredTensor& tensor, size_t rank, absl::string_view form) const;
  // All values of the tensor, which must be there; in the second form, of shape [length].
  absl::StatusOr<std::vector<int64_t>> Indices(absl::string_view name) const;
  absl::StatusOr<std::vector<int64_t>> Indices(absl::string_view name, int64_t length, absl::string_view why) const;
  absl::StatusOr<std::vector<float>> Numbers(absl::string_view name) const;
  // Starts with 0, never falls, ends with `last`.
  absl::Status CheckBounds(absl::string_view name, const std::vector<int64_t>& bounds, int64_t last,
                           absl::string_view what) const;

  absl::StatusOr<FeatureArrays> ReadFeatures() const;
  absl::StatusOr<FeatureArrays> ReadSparseFeatures() const;
  absl::Status ReadEdges(GraphArrays& graph) const;
  absl::StatusOr<std::vector<GraphArrays>> Cut(GraphArrays whole, const std::vector<int64_t>& bounds) const;

  const SafetensorsFile& file_;
};

absl::StatusOr<const StoredTensor*> Reader::Find(absl::string_view name) const {
  const StoredTensor* tensor = file_.Find(name);
  if (tensor == nullptr) return Refused("tensor '", name, "' is missing");
  return tensor;
}

absl::Status Reader::CheckRank(absl::string_view name, const StoredTensor& tensor, size_t rank,
                               absl::string_view form) const {
  if (tensor.shape.size() == rank) return absl::OkStatus();
  return Refused(name, ": shape ", ShapeName(tensor.shape), ", must be ", form);
}

absl::StatusOr<std::vector<int64_t>> Reader::Indices(absl::string_view name) const {
  HEED_ASSIGN_OR_RETURN(const StoredTensor* tensor, Find(name));
  if (tensor->dtype != DType::kI64 && tensor->dtype != DType::kI32) {
    return Refused(name, ": dtype ", DTypeName(tensor->dtype), ", must be I64 or I32");
  }
  std::vector<int64_t> values(static_cast<size_t>(tensor->size()));
  if (tensor->dtype == DType::kI64) {
    if (!values.empty()) std::memcpy(values.data(), tensor->data, tensor->bytes);
  } else {
    for (size_t i = 0; i < values.size(); ++i) values[i] = tensor->IndexAt(static_cast<int64_t>(i));
  }
  return values;
}

absl::StatusOr<std::vector<int64_t>> Reader::Indices(absl::string_view name, int64_t length,
                                                     absl::string_view why) const {
  HEED_ASSIGN_OR_RETURN(const StoredTensor* tensor, Find(name));
  if (tensor->shape != std::vector<int64_t>{length}) {
    return Refused(name, ": shape ", ShapeName(tensor->shape), ", must be ", ShapeName({length}), " (", why, ")");
  }
  return Indices(name);
}

absl::StatusOr<std::vector<float>> Reader::Numbers(absl::string_view name) const {
  HEED_ASSIGN_OR_RETURN(const StoredTensor* tensor, Find(name));
  std::vector<float> values(static_cast<size_t>(tensor->size()));
  switch (tensor->dtype) {
    case DType::kF32:
      if (!values.empty()) std::memcpy(values.data(), tensor->data, tensor->bytes);
      return values;
    case DType::kF16:
    case DType::kBF16:
    case DType::kF64:
      for (size_t i = 0; i < values.size(); ++i) values[i] = tensor->ValueAt(static_cast<int64_t>(i));
      return values;
    default:
      return Refused(name, ": dtype ", DTypeName(tensor->dtype), ", must be F32, F16, BF16 or F64");
  }
}

absl::Status Reader::CheckBounds(absl::string_view name, const std::vector<int64_t>& bounds, int64_t last,
                                 absl::string_view what) const {
  if (bounds.front() != 0) return Refused(name, "[0]: ", bounds.front(), ", must be 0");
  for (size_t i = 1; i < bounds.size(); ++i) {
    if (bounds[i] < bounds[i - 1]) {
      return Refused(name, "[", i, "]: ", bounds[i], ", less than ", bounds[i - 1], " before it");
    }
  }
  if (bounds.back() != last) {
    return Refused(name, "[", bounds.size() - 1, "]: ", bounds.back(), ", must be ", last, " (", what, ")");
  }
  return absl::OkStatus();
}

absl::StatusOr<FeatureArrays> Reader::ReadFeatures() const {
  const StoredTensor* x = file_.Find("x");
  for (const char* name : {"x_indptr", "x_indices", "x_values", "x_shape"}) {
    if (file_.Find(name) == nullptr) continue;
    if (x != nullptr) return Refused("tensors 'x' and '", name, "': features are dense or sparse, not both");
    return ReadSparseFeatures();
  }
  if (x == nullptr) return Refused("tensor 'x' is missing (or, for sparse rows, 'x_indptr')");
  HEED_RETURN_IF_ERROR(CheckRank("x", *x, 2, "[nodes, features]"));
  FeatureArrays features;
  features.rows = x->shape[0];
  features.width = x->shape[1];
  if (features.width == 0 && features.rows > kMaxBareNodes) {
    return Refused("x: shape ", ShapeName(x->shape), ": nodes without features, at most ", kMaxBareNodes);
  }
  HEED_ASSIGN_OR_RETURN(features.values, Numbers("x"));
  return features;
}

absl::StatusOr<FeatureArrays> Reader::ReadSparseFeatures() const {
  HEED_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, Indices("x_shape", 2, "nodes and features"));
  for (size_t i = 0; i < 2; ++i) {
    constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
    if (shape[i] < 0 || shape[i] > kMost) return Refused("x_shape[", i, "]: ", shape[i], ", must be 0 to ", kMost);
  }
  FeatureArrays features;
  features.rows = shape[0];
  features.width = shape[1];
  features.sparse = true;
  HEED_ASSIGN_OR_RETURN(const StoredTensor* x_values, Find("x_values"));
  HEED_RETURN_IF_ERROR(CheckRank("x_values", *x_values, 1, "[values]"));
  HEED_ASSIGN_OR_RETURN(features.values, Numbers("x_values"));
  const int64_t values = x_values->shape[0];
  HEED_ASSIGN_OR_RETURN(const std::vector<int64_t> columns, Indices("x_indices", values, "as x_values"));
  features.columns.resize(columns.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] < 0 || columns[i] >= features.width) {
      return Refused("x_indices[", i, "]: ", columns[i], ", but x_shape says ", features.width, " features");
    }
    features.columns[i] = static_cast<int32_t>(columns[i]);
  }
  HEED_ASSIGN_OR_RETURN(features.row_ends, Indices("x_indptr", features.rows + 1, "one more than x_shape's nodes"));
  HEED_RETURN_IF_ERROR(CheckBounds("x_indptr", features.row_ends, values, "the length of x_values"));
  features.row_ends.erase(features.row_ends.begin());
  return features;
}

absl::Status Reader::ReadEdges(GraphArrays& graph) const {
  int64_t edges = 0;
  if (const StoredTensor* edge_index = file_.Find("edge_index"); edge_index != nullptr) {
    if (edge_index->shape.size() != 2 || edge_index->shape[0] != 2) {
      return Refused("edge_index: shape ", ShapeName(edge_index->shape), ", must be [2, edges]");
    }
    edges = edge_index->shape[1];
    HEED_ASSIGN_OR_RETURN(graph.targets, Indices("edge_index"));
    graph.sources.assign(graph.targets.begin(), graph.targets.begin() + edges);
    graph.targets.erase(graph.targets.begin(), graph.targets.begin() + edges);
  }
  if (const StoredTensor* edge_attr = file_.Find("edge_attr"); edge_attr != nullptr) {
    const std::vector<int64_t>& shape = edge_attr->shape;
    if ((shape.size() != 1 && shape.size() != 2) || shape[0] != edges) {
      return Refused("edge_attr: shape ", ShapeName(shape), ", must be [", edges, ", features] or [", edges,
                     "] (edge_index has ", edges, " edges)");
    }
    graph.edge_feature_width = shape.size() == 2 ? shape[1] : 1;
    HEED_ASSIGN_OR_RETURN(graph.edge_features, Numbers("edge_attr"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<GraphArrays>> Reader::Cut(GraphArrays whole, const std::vector<int64_t>& bounds) const {
  const int64_t rows = whole.features.rows;
  const int64_t width = whole.features.width;
  const bool sparse = whole.features.sparse;
  std::vector<GraphArrays> graphs(bounds.size() - 1);
  for (size_t g = 0; g < graphs.size(); ++g) {
    const int64_t begin = bounds[g], end = bounds[g + 1];
    FeatureArrays& features = graphs[g].features;
    features.rows = end - begin;
    features.width = width;
    features.sparse = sparse;
    const auto value_at = [&](int64_t row) {
      if (!sparse) return row * width;
      return row == 0 ? 0 : whole.features.row_ends[static_cast<size_t>(row - 1)];
    };
    const int64_t from = value_at(begin), to = value_at(end);
    features.values.assign(whole.features.values.begin() + from, whole.features.values.begin() + to);
    if (sparse) {
      features.columns.assign(whole.features.columns.begin() + from, whole.features.columns.begin() + to);
      features.row_ends.assign(whole.features.row_ends.begin() + begin, whole.features.row_ends.begin() + end);
      for (int64_t& row_end : features.row_ends) row_end -= from;
    }
    if (!whole.node_ids.empty()) {
      graphs[g].node_ids.assign(whole.node_ids.begin() + begin, whole.node_ids.begin() + end);
    }
    graphs[g].edge_feature_width = whole.edge_feature_width;
  }
  const auto graph_of = [&](int64_t row) {
    return static_cast<size_t>(std::upper_bound(bounds.begin(), bounds.end(), row) - bounds.begin()) - 1;
  };
  for (size_t edge = 0; edge < whole.sources.size(); ++edge) {
    const int64_t source = whole.sources[edge], target = whole.targets[edge];
    for (const auto& [name, row] : {std::pair("source", source), std::pair("target", target)}) {
      if (row < 0 || row >= rows) {
        return Refused("edge_index: edge ", edge, ": ", name, " ", row, ", but the file has ", rows, " nodes");
      }
    }
    const size_t g = graph_of(source), other = graph_of(target);
    if (g != other) {
      return Refused("edge_index: edge ", edge, ": ", source, " -> ", target, " leads from graph ", g, " to graph ",
                     other, " of graph_ptr");
    }
    GraphArrays& graph = graphs[g];
    const int64_t first = bounds[g];
    graph.sources.push_back(source - first);
    graph.targets.push_back(target - first);
    const auto features = whole.edge_features.begin() + static_cast<int64_t>(edge) * whole.edge_feature_width;
    graph.edge_features.insert(graph.edge_features.end(), features, features + whole.edge_feature_width);
  }
  return graphs;
}

absl::StatusOr<GraphFile> Reader::Read() {
  GraphFile result;
  GraphArrays whole;
  HEED_ASSIGN_OR_RETURN(whole.features, ReadFeatures());
  const int64_t rows = whole.features.rows;
  HEED_RETURN_IF_ERROR(ReadEdges(whole));
  if (file_.Find("node_id") != nullptr) {
    HEED_ASSIGN_OR_RETURN(whole.node_ids, Indices("node_id", rows, "one for each node"));
  }
  if (absl::Status status = CheckSizes(whole); !status.ok()) return Refused(status.message());

  int64_t graphs = 1;
  if (const StoredTensor* graph_ptr = file_.Find("graph_ptr"); graph_ptr != nullptr) {
    if (graph_ptr->shape.size() != 1 || graph_ptr->shape[0] < 1) {
      return Refused("graph_ptr: shape ", ShapeName(graph_ptr->shape), ", must be [graphs + 1]");
    }
    HEED_ASSIGN_OR_RETURN(const std::vector<int64_t> bounds, Indices("graph_ptr"));
    HEED_RETURN_IF_ERROR(CheckBounds("graph_ptr", bounds, rows, "the file's nodes"));
    graphs = graph_ptr->shape[0] - 1;
    HEED_ASSIGN_OR_RETURN(result.graphs, Cut(std::move(whole), bounds));
  } else {
    result.graphs.push_back(std::move(whole));
  }

  if (const StoredTensor* y = file_.Find("y"); y != nullptr) {
    if (y->shape != std::vector<int64_t>{rows} && y->shape != std::vector<int64_t>{graphs}) {
      return Refused("y: shape ", ShapeName(y->shape), ", must be [", rows, "] (nodes) or [", graphs, "] (graphs)");
    }
    HEED_ASSIGN_OR_RETURN(result.classes, Indices("y"));
  }
  result.metadata = file_.metadata();
  return result;
}

}  // namespace

absl::StatusOr<GraphFile> ReadGraphFile(const std::string& path) {
  HEED_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open(path));
  return Reader(file).Read();
}

absl::Status WriteGraphFile(const std::string& path, const GraphArrays& graph,
                            const std::map<std::string, std::string>& metadata) {
  if (absl::Status status = CheckSizes(graph); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", status.message()));
  }
  const FeatureArrays& features = graph.features;
  const int64_t values = static_cast<int64_t>(features.values.size());
  const int64_t edges = static_cast<int64_t>(graph.sources.size());
  const std::vector<int64_t> shape = {features.rows, features.width};
  const std::vector<int64_t> zero = {0};

  std::vector<TensorToWrite> tensors;
  tensors.push_back({"edge_index", DType::kI64, {2, edges}, {BytesOf(graph.sources), BytesOf(graph.targets)}});
  if (!graph.node_ids.empty()) tensors.push_back({"node_id", DType::kI64, {features.rows}, {BytesOf(graph.node_ids)}});
  if (features.sparse) {
    tensors.push_back({"x_shape", DType::kI64, {2}, {BytesOf(shape)}});
    tensors.push_back({"x_indptr", DType::kI64, {features.rows + 1}, {BytesOf(zero), BytesOf(features.row_ends)}});
    tensors.push_back({"x_indices", DType::kI32, {values}, {BytesOf(features.columns)}});
    tensors.push_back({"x_values", DType::kF32, {values}, {BytesOf(features.values)}});
  } else {
    tensors.push_back({"x", DType::kF32, shape, {BytesOf(features.values)}});
  }
  if (graph.edge_feature_width > 0) {
    tensors.push_back({"edge_attr", DType::kF32, {edges, graph.edge_feature_width}, {BytesOf(graph.edge_features)}});
  }
  return WriteSafetensors(path, tensors, metadata);
}

}  // namespace heed
