// SPDX-License-Identifier: Apache-2.0
// Between heed.v1's graph messages and the types of engine/graph/graph.h and models/kinds/graph_classifier.h.
//
// What comes from a message is checked for its shape here: sizes that fit each other, fields that are there, options
// within their range. Nodes, edges and numbers are Graph::Build's, Graph::Apply's and the model's to check. Errors are
// INVALID_ARGUMENT and name the field within the message and both values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/graph/graph.h"
#include "files/graph_arrays.h"
#include "heed/v1/graphs.pb.h"
#include "models/kinds/graph_classifier.h"

namespace heed {

absl::StatusOr<GraphArrays> ToGraphArrays(const v1::Graph& graph);
absl::StatusOr<GraphUpdate> ToGraphUpdate(const v1::GraphUpdate& update);
// Says nothing at all: features without their nodes or edges are something, for Graph::Apply to refuse.
bool IsEmpty(const v1::GraphUpdate& update);

// Appends a part of a graph that comes in several.
absl::Status AppendPart(GraphArrays part, GraphArrays& whole);

// Sets what the options say of a query, `graph`, `outputs` and what is asked aside.
absl::Status SetOptions(const v1::GraphQueryOptions& options, GraphQuery& query);

// How many items of `graph` the query asks about.
int64_t ItemsAsked(const v1::ClassifyNodesRequest::Query& query, const Graph& graph);
int64_t ItemsAsked(const v1::ClassifyEdgesRequest::Query& query, const Graph& graph);
int64_t ItemsAsked(const v1::ClassifyGraphsRequest::Query& query, const Graph& graph);

// What a query asks of its graph. `nodes`: how many an inline graph has; it is one that Graph::Build took.
void Ask(const v1::ClassifyNodesRequest::Query& from, int64_t nodes, GraphQuery& query);
void Ask(const v1::ClassifyEdgesRequest::Query& from, int64_t nodes, GraphQuery& query);
void Ask(const v1::ClassifyGraphsRequest::Query& from, int64_t nodes, GraphQuery& query);

std::vector<EdgeIds> ToEdgeIds(const google::protobuf::RepeatedPtrField<v1::GraphEdgeId>& edges);

// How many of the probabilities an answer is to list: 0: all of them.
absl::StatusOr<int> ToTopK(const v1::GraphQueryOptions& options);

// The classification of what was asked as number `index`.
v1::GraphClassification ToProto(const GraphAnswer& answer, int64_t index, const GraphClassifier& model, int top_k);
// Those of all that was asked, in order.
void FillAsked(const GraphAnswer& from, const GraphClassifier& model, int top_k, v1::ClassifyNodesResponse::Answer& to);
void FillAsked(const GraphAnswer& from, const GraphClassifier& model, int top_k, v1::ClassifyEdgesResponse::Answer& to);
void FillAsked(const GraphAnswer& from, const GraphClassifier& model, int top_k,
               v1::ClassifyGraphsResponse::Answer& to);

v1::GraphAttention ToProto(const std::vector<LayerAttention>& attention);
// `version`: 0 for an inline graph.
v1::GraphQuerySource ToSource(const GraphAnswer& answer, int64_t version);

}  // namespace heed
