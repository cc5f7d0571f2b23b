// SPDX-License-Identifier: Apache-2.0
// Classifications as JSON, one object on one line.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "client/render/attention_index.h"
#include "grpcpp/support/status.h"
#include "heed/v1/graphs.pb.h"

namespace heed::client {

// How an item begins: {"id":7}, {"id":"3:7","source":3,"target":7}, {"id":"cora"}.
nlohmann::ordered_json NodeJson(int64_t node);
nlohmann::ordered_json EdgeJson(const v1::GraphEdgeId& edge);

// Adds "class" (the index), "label", "probability" and, as far as the answer has them, "top" (objects of these three),
// "present" (indices of labels with probability 0.5 and more) and "embedding".
void AddClassification(const v1::GraphClassification& classification, nlohmann::ordered_json& json);

// Adds "attention": {"layer":0,"source":1,"target":7,"self_loop":false,"weights":[a number for each head]}.
void AddAttention(const AttentionIndex& attention, const std::vector<AttentionIndex::Entry>& entries,
                  nlohmann::ordered_json& json);

// Adds "error": {"code":"INVALID_ARGUMENT","message":...}.
void AddError(const grpc::Status& status, nlohmann::ordered_json& json);

}  // namespace heed::client
