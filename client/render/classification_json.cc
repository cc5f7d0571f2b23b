// SPDX-License-Identifier: Apache-2.0
#include "client/render/classification_json.h"

#include <utility>

#include "client/cli/item_list.h"
#include "client/lib/channel.h"
#include "client/render/shortest_number.h"

namespace heed::client {

using Json = nlohmann::ordered_json;

Json NodeJson(int64_t node) { return {{"id", node}}; }

Json EdgeJson(const v1::GraphEdgeId& edge) {
  return {{"id", EdgeName(edge)}, {"source", edge.source()}, {"target", edge.target()}};
}

void AddClassification(const v1::GraphClassification& classification, Json& json) {
  json["class"] = classification.class_index();
  json["label"] = classification.label();
  json["probability"] = ShortestNumber(classification.probability());
  for (const v1::GraphClassification::Class& top : classification.top()) {
    json["top"].push_back(
        {{"class", top.index()}, {"label", top.label()}, {"probability", ShortestNumber(top.probability())}});
  }
  if (classification.present_labels_size() > 0) json["present"] = Json(classification.present_labels());
  for (const float value : classification.embedding()) json["embedding"].push_back(ShortestNumber(value));
}

void AddAttention(const AttentionIndex& attention, const std::vector<AttentionIndex::Entry>& entries, Json& json) {
  Json list = Json::array();
  for (const AttentionIndex::Entry& entry : entries) {
    const v1::GraphAttention::Layer& layer = attention.layer(entry.layer);
    const int heads = std::max(1, layer.head_count());
    Json weights = Json::array();
    for (int head = 0; head < heads; ++head) {
      weights.push_back(ShortestNumber(layer.weights(entry.edge * heads + head)));
    }
    list.push_back({{"layer", entry.layer},
                    {"source", layer.sources(entry.edge)},
                    {"target", layer.targets(entry.edge)},
                    {"self_loop", entry.edge < layer.self_loops_size() && layer.self_loops(entry.edge)},
                    {"weights", std::move(weights)}});
  }
  json["attention"] = std::move(list);
}

void AddError(const grpc::Status& status, Json& json) {
  json["error"] = {{"code", StatusCodeName(status.error_code())}, {"message", status.error_message()}};
}

}  // namespace heed::client
