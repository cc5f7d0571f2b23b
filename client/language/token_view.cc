// SPDX-License-Identifier: Apache-2.0
#include "client/language/token_view.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/visible_text.h"
#include "client/render/heat_map.h"
#include "client/render/text_table.h"

namespace heed::client {
namespace {

// Shades from likely to surprising: the least probability of each, and its background among the 256 colors.
struct Shade256 {
  double probability;
  const char* name;
  int background;  // 0: none
};
constexpr std::array<Shade256, 5> kShades = {
    {{0.5, "p>=0.5", 0}, {0.1, ">=0.1", 230}, {0.01, ">=0.01", 222}, {0.001, ">=0.001", 215}, {0, "<0.001", 203}}};

constexpr char kReset[] = "\x1b[0m";

const Shade256& ShadeOf(const v1::TokenScore& score) {
  const double probability = score.has_log_probability() ? std::exp(score.log_probability()) : 1;
  for (const Shade256& shade : kShades) {
    if (probability >= shade.probability) return shade;
  }
  return kShades.back();
}

// Black on the shade, so that it is readable whatever the terminal's colors are.
std::string Painted(const std::string& text, const Shade256& shade, bool underlined) {
  if (text.empty() || (shade.background == 0 && !underlined)) return text;
  std::string style = underlined ? "4" : "";
  if (shade.background != 0) {
    absl::StrAppend(&style, style.empty() ? "" : ";", "38;5;16;48;5;", shade.background);
  }
  return absl::StrCat("\x1b[", style, "m", text, kReset);
}

std::string Legend() {
  std::string line = "    ";
  for (const Shade256& shade : kShades)
    absl::StrAppend(&line, Painted(absl::StrCat(" ", shade.name, " "), shade, false), " ");
  return line + "\n";
}

std::string SurpriseBar(double bits) {
  constexpr double kBitsPerColumn = 1;
  constexpr int kMaxColumns = 16;
  const int columns = std::clamp(static_cast<int>(std::lround(bits / kBitsPerColumn)), 0, kMaxColumns);
  std::string bar;
  for (int i = 0; i < columns; ++i) bar += "█";
  return bar;
}

}  // namespace

bool UsesColor(const Console& console) {
  const char* const none = std::getenv("NO_COLOR");
  return console.out_is_terminal && (none == nullptr || *none == '\0');
}

std::string TokenName(const std::string& token) { return absl::StrReplaceAll(token, {{"\u2581", "_"}}); }

std::string ColoredTokens(const std::string& text, const TokenScores& scores) {
  const auto size = static_cast<int64_t>(text.size());
  std::string out;
  int64_t printed = 0;
  for (const v1::TokenScore& score : scores) {
    if (score.start() == score.end()) {
      absl::StrAppend(&out, Painted(VisibleLine(TokenName(score.token())), ShadeOf(score), score.unknown()), " ");
      continue;
    }
    if (score.start() < printed || score.end() > size || score.end() < score.start()) continue;
    absl::StrAppend(&out, VisibleLines(text.substr(printed, score.start() - printed)),
                    Painted(VisibleLines(text.substr(score.start(), score.end() - score.start())), ShadeOf(score),
                            score.unknown()));
    printed = score.end();
  }
  return absl::StrCat(out, VisibleLines(text.substr(printed)), "\n");
}

std::string TokenTable(const TokenScores& scores) {
  std::vector<std::vector<std::string>> rows = {{"LOG-PROB", "RANK", "SURPRISE", "TOKEN", "LIKELIEST"}};
  for (const v1::TokenScore& score : scores) {
    std::vector<std::string> likeliest;
    for (const v1::TokenAlternative& other : score.top()) {
      likeliest.push_back(absl::StrFormat("%s %.3f", TokenName(other.token()), std::exp(other.log_probability())));
    }
    const bool scored = score.has_log_probability();
    rows.push_back({scored ? absl::StrFormat("%.4f", score.log_probability()) : "-",
                    scored && score.rank() > 0 ? absl::StrCat(score.rank()) : "-",
                    scored ? SurpriseBar(-score.log_probability() / std::log(2.0)) : "",
                    absl::StrCat(TokenName(score.token()), score.unknown() ? " (unknown)" : ""),
                    absl::StrJoin(likeliest, "  ")});
  }
  if (rows.size() == 1) return "";
  if (std::all_of(scores.begin(), scores.end(), [](const v1::TokenScore& score) { return score.top_size() == 0; })) {
    for (std::vector<std::string>& row : rows) row.pop_back();
  }
  return TextTable(rows, {0, 1});
}

std::string TokenView::Of(const std::string& text, const TokenScores& scores) {
  const bool has_alternatives =
      std::any_of(scores.begin(), scores.end(), [](const v1::TokenScore& score) { return score.top_size() > 0; });
  if (!UsesColor(console_) || has_alternatives) return TokenTable(scores);
  return absl::StrCat(ColoredTokens(text, scores), std::exchange(explained_, true) ? "" : Legend());
}

std::string TextAttentionMap(const v1::TextAttention& attention, const std::vector<std::string>& rows, int width) {
  const int columns = attention.column_count();
  if (columns < 1 || attention.row_count() != static_cast<int>(rows.size()) ||
      attention.column_tokens_size() != columns - 1 || attention.weights_size() != attention.row_count() * columns) {
    return "";
  }
  bool looked_back = false;
  for (int row = 0; row < attention.row_count(); ++row) looked_back |= attention.weights(row * columns) > 0;
  std::vector<std::string> names;
  if (looked_back) names.emplace_back("(before)");
  for (const std::string& token : attention.column_tokens()) names.push_back(TokenName(token));
  std::vector<float> weights;
  for (int row = 0; row < attention.row_count(); ++row) {
    for (int column = looked_back ? 0 : 1; column < columns; ++column) {
      weights.push_back(attention.weights(row * columns + column));
    }
  }
  return HeatMap(rows, names, weights, width);
}

std::string TextAttentionMap(const v1::TextAttention& attention, const TokenScores& scores, int width) {
  std::vector<std::string> rows;
  for (const v1::TokenScore& score : scores) rows.push_back(TokenName(score.token()));
  return TextAttentionMap(attention, rows, width);
}

std::string Highlighted(const std::string& text, bool color) {
  return color ? absl::StrCat("\x1b[1;38;5;16;48;5;222m", text, kReset) : text;
}

}  // namespace heed::client
