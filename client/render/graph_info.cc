#include "client/render/graph_info.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/visible_text.h"
#include "client/render/text_table.h"

namespace heed::client {
namespace {

using Json = nlohmann::ordered_json;

std::string PrecomputedText(const v1::Precomputed& precomputed) {
  if (!precomputed.unavailable().empty()) {
    return VisibleLine(absl::StrCat(precomputed.model(), ": not precomputed: ", precomputed.unavailable()));
  }
  return absl::StrFormat("%s: precomputed, %d outputs of nodes in %.2f s, %s", VisibleLine(precomputed.model()),
                         precomputed.rows_computed(), precomputed.seconds(), MemoryText(precomputed.bytes()));
}

std::string CountOrDash(int64_t count) { return count == 0 ? "-" : absl::StrCat(count); }

}  // namespace

std::string GraphTable(const v1::DescribeGraphResponse& graphs) {
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "VERSION", "NODES", "EDGES", "FEATURES", "VALUES", "EDGE FEATURES", "MEMORY", "SAVED VERSION"}};
  std::string below;
  for (const v1::GraphInfo& graph : graphs.graphs()) {
    if (!graph.unavailable().empty()) {
      rows.push_back({graph.name(), "-", "-", "-", "-", "-", "-", "-", "-"});
      absl::StrAppend(&below, VisibleLine(absl::StrCat(graph.name(), ": unavailable: ", graph.unavailable())), "\n");
      continue;
    }
    rows.push_back({graph.name(), absl::StrCat(graph.version()), absl::StrCat(graph.nodes()),
                    absl::StrCat(graph.edges()), absl::StrCat(graph.feature_width()),
                    absl::StrCat(graph.feature_values()), CountOrDash(graph.edge_feature_width()),
                    MemoryText(graph.bytes()), CountOrDash(graph.saved_version())});
    for (const v1::Precomputed& precomputed : graph.precomputed()) {
      absl::StrAppend(&below, VisibleLine(graph.name()), ": ", PrecomputedText(precomputed), "\n");
    }
  }
  return absl::StrCat(TextTable(rows, {1, 2, 3, 4, 5, 6, 7, 8}), below);
}

std::string GraphText(const v1::GraphInfo& graph) {
  std::string out =
      absl::StrCat(VisibleLine(graph.name()), ": version ", graph.version(), ", ", graph.nodes(), " nodes, ",
                   graph.edges(), " edges, ", graph.feature_width(), " features, ", MemoryText(graph.bytes()), "\n");
  for (const v1::Precomputed& precomputed : graph.precomputed()) {
    absl::StrAppend(&out, VisibleLine(graph.name()), ": ", PrecomputedText(precomputed), "\n");
  }
  return out;
}

Json GraphJson(const v1::GraphInfo& graph) {
  Json json = {{"name", graph.name()},
               {"version", graph.version()},
               {"nodes", graph.nodes()},
               {"edges", graph.edges()},
               {"feature_width", graph.feature_width()},
               {"feature_values", graph.feature_values()},
               {"edge_feature_width", graph.edge_feature_width()},
               {"bytes", graph.bytes()},
               {"precomputed", Json::array()},
               {"saved_version", graph.saved_version()}};
  for (const v1::Precomputed& precomputed : graph.precomputed()) {
    Json entry = {{"model", precomputed.model()},
                  {"bytes", precomputed.bytes()},
                  {"rows_computed", precomputed.rows_computed()},
                  {"seconds", precomputed.seconds()}};
    if (!precomputed.unavailable().empty()) entry["unavailable"] = precomputed.unavailable();
    json["precomputed"].push_back(std::move(entry));
  }
  if (!graph.unavailable().empty()) json["unavailable"] = graph.unavailable();
  return json;
}

}  // namespace heed::client
