// SPDX-License-Identifier: Apache-2.0
#include "client/render/classification_text.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/visible_text.h"
#include "client/render/weight_bar.h"

namespace heed::client {
namespace {

constexpr size_t kMaxBars = 8;

void AppendClass(const std::string& label, float probability, std::string& line) {
  absl::StrAppendFormat(&line, "\t%s\t%.4f", VisibleLine(label), probability);
}

std::string Bars(const std::vector<NeighborWeight>& weights) {
  if (weights.empty()) return "    no neighbors\n";
  std::string out;
  // A line that says "1 more" could as well say which.
  const size_t shown = weights.size() <= kMaxBars + 1 ? weights.size() : kMaxBars;
  for (size_t i = 0; i < shown; ++i) {
    out += WeightBar(weights[i].weight, weights[0].weight,
                     absl::StrCat(weights[i].source, weights[i].self_loop ? " (itself)" : ""));
  }
  double rest = 0;
  for (size_t i = shown; i < weights.size(); ++i) rest += weights[i].weight;
  if (shown < weights.size()) out += WeightWithoutBar(rest, absl::StrCat(weights.size() - shown, " more"));
  return out;
}

}  // namespace

std::string ClassificationLine(const std::string& id, const v1::GraphClassification& classification) {
  std::string line = VisibleLine(id);
  AppendClass(classification.label(), classification.probability(), line);
  for (int i = 1; i < classification.top_size(); ++i) {
    AppendClass(classification.top(i).label(), classification.top(i).probability(), line);
  }
  return line;
}

std::string NeighborBars(const AttentionIndex& attention, int64_t node) { return Bars(attention.Neighbors(node)); }

std::string ShareBars(const AttentionIndex& attention) { return Bars(attention.Shares()); }

}  // namespace heed::client
