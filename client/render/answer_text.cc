// SPDX-License-Identifier: Apache-2.0
#include "client/render/answer_text.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/visible_text.h"
#include "client/render/heat_map.h"
#include "client/render/shortest_number.h"
#include "client/render/weight_bar.h"

namespace heed::client {
namespace {

using Json = nlohmann::ordered_json;

constexpr float kLeastWeight = 0.05f;  // below it the heat map has no shade, and a fact says little
constexpr int kMaxFacts = 8;
constexpr size_t kMaxSlots = 40;
constexpr size_t kMaxReads = 12;

// The heaviest weights, at most `most` of those that count, in order of their place.
std::vector<int> Heaviest(const std::vector<float>& weights, size_t most) {
  std::vector<int> places;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] >= kLeastWeight) places.push_back(static_cast<int>(i));
  }
  const auto weight = [&weights](int place) { return weights[static_cast<size_t>(place)]; };
  std::stable_sort(places.begin(), places.end(), [&](int a, int b) { return weight(a) > weight(b); });
  if (places.size() > most) places.resize(most);
  std::sort(places.begin(), places.end());
  return places;
}

}  // namespace

std::string AnswerLine(const v1::QuestionAnswer& answer, const AnswerColumns& columns) {
  std::string line = VisibleLine(answer.text());
  if (columns.candidates) {
    for (const v1::QuestionAnswer::Candidate& candidate : answer.candidates()) {
      absl::StrAppendFormat(&line, "\t%s\t%.4f", VisibleLine(candidate.text()), candidate.probability());
    }
  }
  if (columns.facts) {
    for (const v1::QuestionAnswer::FactWeight& fact : answer.facts()) {
      absl::StrAppendFormat(&line, "\t%d\t%s\t%.4f", fact.fact(), VisibleLine(fact.text()), fact.weight());
    }
  }
  return line;
}

void AddAnswer(const v1::QuestionAnswer& answer, Json& json) {
  json["answer"] = answer.text();
  json["candidates"] = Json::array();
  for (const v1::QuestionAnswer::Candidate& candidate : answer.candidates()) {
    json["candidates"].push_back(
        {{"text", candidate.text()}, {"probability", ShortestNumber(candidate.probability())}});
  }
  json["unknown_words"] = Json(answer.unknown_words());
  for (const v1::QuestionAnswer::FactWeight& fact : answer.facts()) {
    json["facts"].push_back({{"fact", fact.fact()}, {"text", fact.text()}, {"weight", ShortestNumber(fact.weight())}});
  }
}

std::string FactBars(const v1::QuestionAnswer& answer, int) {
  std::string out;
  int shown = 0;
  for (const v1::QuestionAnswer::FactWeight& fact : answer.facts()) {
    // A line that says "1 more" could as well say which.
    const bool last = shown + 1 == answer.facts_size();
    if (shown > 0 && (fact.weight() < kLeastWeight || shown >= kMaxFacts) && !last) break;
    out += WeightBar(fact.weight(), answer.facts(0).weight(), absl::StrCat(fact.fact(), "  ", fact.text()));
    ++shown;
  }
  if (shown == 0) return "    no facts\n";
  double rest = 0;
  for (int i = shown; i < answer.facts_size(); ++i) rest += answer.facts(i).weight();
  if (shown < answer.facts_size())
    out += WeightWithoutBar(rest, absl::StrCat(answer.facts_size() - shown, " more facts"));
  return out;
}

std::string ReadsMap(const v1::QuestionAnswer& answer, int width) {
  const int slots = answer.reads_size() > 0 ? answer.reads(0).weights_size() : 0;
  std::vector<float> by_slot(static_cast<size_t>(slots));
  std::vector<float> by_read;
  for (const v1::QuestionAnswer::Read& read : answer.reads()) {
    if (read.weights_size() != slots) return "    no reads\n";
    float most = 0;
    for (int slot = 0; slot < slots; ++slot) {
      most = std::max(most, read.weights(slot));
      by_slot[static_cast<size_t>(slot)] = std::max(by_slot[static_cast<size_t>(slot)], read.weights(slot));
    }
    by_read.push_back(most);
  }
  const std::vector<int> seen = Heaviest(by_slot, kMaxSlots);
  const std::vector<int> reads = Heaviest(by_read, kMaxReads);
  std::vector<std::string> rows;
  std::vector<std::string> columns;
  std::vector<float> weights;
  for (const int slot : seen) columns.push_back(absl::StrCat("slot ", slot));
  for (const int number : reads) {
    const v1::QuestionAnswer::Read& read = answer.reads(number);
    rows.push_back(absl::StrCat("step ", read.step(), " head ", read.head()));
    for (const int slot : seen) weights.push_back(read.weights(slot));
  }
  if (rows.empty()) return "    no read looked at one slot more than at others\n";
  std::string out = HeatMap(rows, columns, weights, width);
  const size_t left_out = by_read.size() - reads.size();
  if (left_out > 0) absl::StrAppend(&out, "    ", left_out, " weaker reads are left out\n");
  return out;
}

}  // namespace heed::client
