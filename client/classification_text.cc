#include "client/classification_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "client/text_width.h"

namespace heed::client {
namespace {

constexpr int kBarColumns = 20;  // of the heaviest
constexpr size_t kMostBars = 8;

void AppendClass(const std::string& label, float probability, std::string& line) {
  const std::string plain = absl::StrReplaceAll(label, {{"\t", " "}, {"\r", " "}, {"\n", " "}});
  absl::StrAppendFormat(&line, "\t%s\t%.4f", plain, probability);
}

// Rounded to eighths of a column. `share` of a full bar.
std::string Bar(double share) {
  static constexpr std::array<const char*, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto eighths = static_cast<size_t>(std::lround(std::clamp(share, 0.0, 1.0) * 8 * kBarColumns));
  std::string bar;
  for (size_t i = 0; i < eighths / 8; ++i) bar += "█";
  return bar + kEighths[eighths % 8];
}

void AppendWeight(double weight, const std::string& bar, const std::string& name, std::string& out) {
  absl::StrAppendFormat(&out, "    %.2f %s %s\n", weight, PadRight(bar, kBarColumns), name);
}

std::string Bars(const std::vector<NeighbourWeight>& weights) {
  if (weights.empty()) return "    no neighbours\n";
  std::string out;
  // A line that says "1 more" could as well say which.
  const size_t shown = weights.size() <= kMostBars + 1 ? weights.size() : kMostBars;
  for (size_t i = 0; i < shown; ++i) {
    const std::string bar = weights[0].weight > 0 ? Bar(weights[i].weight / weights[0].weight) : "";
    AppendWeight(weights[i].weight, bar, absl::StrCat(weights[i].source, weights[i].self_loop ? " (itself)" : ""), out);
  }
  double rest = 0;
  for (size_t i = shown; i < weights.size(); ++i) rest += weights[i].weight;
  if (shown < weights.size()) AppendWeight(rest, "", absl::StrCat(weights.size() - shown, " more"), out);
  return out;
}

}  // namespace

std::string ClassificationLine(const std::string& id, const v1::Classification& classification) {
  std::string line = id;
  AppendClass(classification.label(), classification.probability(), line);
  for (int i = 1; i < classification.top_size(); ++i) {
    AppendClass(classification.top(i).label(), classification.top(i).probability(), line);
  }
  return line;
}

std::string NeighbourBars(const AttentionIndex& attention, int64_t node) { return Bars(attention.Neighbours(node)); }

std::string ShareBars(const AttentionIndex& attention) { return Bars(attention.Shares()); }

}  // namespace heed::client
