// SPDX-License-Identifier: Apache-2.0
#include "client/render/heat_map.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/visible_text.h"
#include "client/render/text_width.h"

namespace heed::client {
namespace {

constexpr const char* kLegend = "· <0.05  ░ 0.05  ▒ 0.2  ▓ 0.4  █ 0.7";

const char* Shade(float weight) {
  if (weight >= 0.7f) return "█";
  if (weight >= 0.4f) return "▓";
  if (weight >= 0.2f) return "▒";
  if (weight >= 0.05f) return "░";
  return "·";
}

std::vector<std::string> Labels(const google::protobuf::RepeatedPtrField<std::string>& tokens) {
  std::vector<std::string> labels;
  for (const std::string& token : tokens) labels.push_back(absl::StrReplaceAll(token, {{"\u2581", "_"}}));
  return labels;
}

int Widest(const std::vector<std::string>& labels) {
  int widest = 0;
  for (const std::string& label : labels) widest = std::max(widest, DisplayWidth(label));
  return widest;
}

}  // namespace

std::string HeatMap(std::vector<std::string> rows, std::vector<std::string> columns, const std::vector<float>& weights,
                    int width) {
  if (rows.empty() || columns.empty() || weights.size() != rows.size() * columns.size()) return "";
  for (std::vector<std::string>* const names : {&rows, &columns}) {
    for (std::string& name : *names) name = VisibleLine(name);
  }
  const int left = Widest(rows) + 1;
  const auto size = static_cast<int>(columns.size());
  // The last name of the staircase begins at its column, so it needs room to the right.
  const int room = std::max(1, width - left - Widest(columns) + 1);
  const int step = std::clamp(room / size, 1, 3);
  const int per_panel = std::max(1, room / step);

  std::string out;
  for (int first = 0; first < size; first += per_panel) {
    const int end = std::min(size, first + per_panel);
    for (int name = first; name < end; ++name) {
      out += std::string(static_cast<size_t>(left), ' ');
      for (int column = first; column < name; ++column) out += PadRight("│", step);
      absl::StrAppend(&out, columns[static_cast<size_t>(name)], "\n");
    }
    for (size_t row = 0; row < rows.size(); ++row) {
      absl::StrAppend(&out, PadLeft(rows[row], left - 1), " ");
      for (int column = first; column < end; ++column) {
        const char* const shade = Shade(weights[row * columns.size() + static_cast<size_t>(column)]);
        // The widest column repeats its shade, so that a cell is about as wide as it is high.
        out += column + 1 == end && step < 3 ? shade : PadRight(step == 3 ? absl::StrCat(shade, shade) : shade, step);
      }
      while (out.back() == ' ') out.pop_back();
      out += '\n';
    }
  }
  return absl::StrCat(out, PadLeft("", left), kLegend, "\n");
}

std::string HeatMap(const v1::TranslatedSentence& sentence, const v1::TranslationHypothesis& hypothesis, int width) {
  const v1::TranslationAttention& attention = hypothesis.attention();
  if (attention.row_count() != hypothesis.tokens_size() || attention.column_count() != sentence.source_tokens_size())
    return "";
  return HeatMap(Labels(hypothesis.tokens()), Labels(sentence.source_tokens()),
                 {attention.weights().begin(), attention.weights().end()}, width);
}

}  // namespace heed::client
