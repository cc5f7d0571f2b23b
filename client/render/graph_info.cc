// SPDX-License-Identifier: Apache-2.0
#include "client/render/graph_info.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/visible_text.h"
#include "client/lib/duration.h"
#include "client/render/text_table.h"

namespace heed::client {
namespace {

using Json = nlohmann::ordered_json;

std::string PrecomputedText(const v1::PrecomputedGraphOutputs& precomputed) {
  if (!precomputed.unavailable().empty()) {
    return VisibleLine(absl::StrCat(precomputed.model(), ": not precomputed: ", precomputed.unavailable()));
  }
  return absl::StrFormat("%s: precomputed, %d outputs of nodes in %.2f s, %s", VisibleLine(precomputed.model()),
                         precomputed.computed_row_count(), ToSeconds(precomputed.compute_duration()),
                         MemoryText(precomputed.resident_bytes()));
}

std::string CountOrDash(int64_t count) { return count == 0 ? "-" : absl::StrCat(count); }

}  // namespace

std::string GraphTable(const std::vector<v1::GraphInfo>& graphs) {
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "VERSION", "NODES", "EDGES", "FEATURES", "VALUES", "EDGE FEATURES", "MEMORY", "SAVED VERSION"}};
  std::string below;
  for (const v1::GraphInfo& graph : graphs) {
    if (!graph.unavailable().empty()) {
      rows.push_back({graph.name(), "-", "-", "-", "-", "-", "-", "-", "-"});
      absl::StrAppend(&below, VisibleLine(absl::StrCat(graph.name(), ": unavailable: ", graph.unavailable())), "\n");
      continue;
    }
    rows.push_back({graph.name(), absl::StrCat(graph.version()), absl::StrCat(graph.node_count()),
                    absl::StrCat(graph.edge_count()), absl::StrCat(graph.feature_width()),
                    absl::StrCat(graph.feature_value_count()), CountOrDash(graph.edge_feature_width()),
                    MemoryText(graph.resident_bytes()), CountOrDash(graph.saved_version())});
    for (const v1::PrecomputedGraphOutputs& precomputed : graph.precomputed()) {
      absl::StrAppend(&below, VisibleLine(graph.name()), ": ", PrecomputedText(precomputed), "\n");
    }
  }
  return absl::StrCat(TextTable(rows, {1, 2, 3, 4, 5, 6, 7, 8}), below);
}

std::string GraphText(const v1::GraphInfo& graph) {
  std::string out = absl::StrCat(VisibleLine(graph.name()), ": version ", graph.version(), ", ", graph.node_count(),
                                 " nodes, ", graph.edge_count(), " edges, ", graph.feature_width(), " features, ",
                                 MemoryText(graph.resident_bytes()), "\n");
  for (const v1::PrecomputedGraphOutputs& precomputed : graph.precomputed()) {
    absl::StrAppend(&out, VisibleLine(graph.name()), ": ", PrecomputedText(precomputed), "\n");
  }
  return out;
}

Json GraphJson(const v1::GraphInfo& graph) {
  Json json = {{"name", graph.name()},
               {"version", graph.version()},
               {"nodes", graph.node_count()},
               {"edges", graph.edge_count()},
               {"feature_width", graph.feature_width()},
               {"feature_values", graph.feature_value_count()},
               {"edge_feature_width", graph.edge_feature_width()},
               {"bytes", graph.resident_bytes()},
               {"precomputed", Json::array()},
               {"saved_version", graph.saved_version()}};
  for (const v1::PrecomputedGraphOutputs& precomputed : graph.precomputed()) {
    Json entry = {{"model", precomputed.model()},
                  {"bytes", precomputed.resident_bytes()},
                  {"rows_computed", precomputed.computed_row_count()},
                  {"seconds", ToSeconds(precomputed.compute_duration())}};
    if (!precomputed.unavailable().empty()) entry["unavailable"] = precomputed.unavailable();
    json["precomputed"].push_back(std::move(entry));
  }
  if (!graph.unavailable().empty()) json["unavailable"] = graph.unavailable();
  return json;
}

}  // namespace heed::client
