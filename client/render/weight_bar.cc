// SPDX-License-Identifier: Apache-2.0
#include "client/render/weight_bar.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_format.h"
#include "base/visible_text.h"
#include "client/render/text_width.h"

namespace heed::client {
namespace {

constexpr int kBarColumns = 20;  // of the heaviest

// Rounded to eighths of a column. `share` of a full bar.
std::string Bar(double share) {
  static constexpr std::array<const char*, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto eighths = static_cast<size_t>(std::lround(std::clamp(share, 0.0, 1.0) * 8 * kBarColumns));
  std::string bar;
  for (size_t i = 0; i < eighths / 8; ++i) bar += "█";
  return bar + kEighths[eighths % 8];
}

std::string Line(double weight, const std::string& bar, const std::string& name) {
  return absl::StrFormat("    %.2f %s %s\n", weight, PadRight(bar, kBarColumns), VisibleLine(name));
}

}  // namespace

std::string WeightBar(double weight, double heaviest, const std::string& name) {
  return Line(weight, heaviest > 0 ? Bar(weight / heaviest) : "", name);
}

std::string WeightWithoutBar(double weight, const std::string& name) { return Line(weight, "", name); }

}  // namespace heed::client
