#include "client/answer_text.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/heat_map.h"
#include "client/shortest_number.h"
#include "client/text_table.h"
#include "client/weight_bar.h"

namespace heed::client {
namespace {

using Json = nlohmann::ordered_json;

constexpr float kLeastWeight = 0.05f;  // below it the heat map has no shade
constexpr size_t kMostSlots = 40;

// The slots that some head looked at, the heaviest kMostSlots of them, in order.
std::vector<int> SeenSlots(const v1::Answer& answer, int slots) {
  std::vector<std::pair<float, int>> seen;
  for (int slot = 0; slot < slots; ++slot) {
    float most = 0;
    for (const v1::Answer::Read& read : answer.reads()) most = std::max(most, read.weights(slot));
    if (most >= kLeastWeight) seen.emplace_back(-most, slot);
  }
  std::sort(seen.begin(), seen.end());
  if (seen.size() > kMostSlots) seen.resize(kMostSlots);
  std::vector<int> numbers;
  for (const auto& [weight, slot] : seen) numbers.push_back(slot);
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::string ReadsMap(const v1::Answer& answer, int width) {
  const int slots = answer.reads_size() > 0 ? answer.reads(0).weights_size() : 0;
  for (const v1::Answer::Read& read : answer.reads()) {
    if (read.weights_size() != slots) return "";
  }
  const std::vector<int> seen = SeenSlots(answer, slots);
  std::vector<std::string> rows;
  std::vector<std::string> columns;
  std::vector<float> weights;
  for (const int slot : seen) columns.push_back(absl::StrCat("slot ", slot));
  for (const v1::Answer::Read& read : answer.reads()) {
    rows.push_back(absl::StrCat("step ", read.step(), " head ", read.head()));
    for (const int slot : seen) weights.push_back(read.weights(slot));
  }
  return HeatMap(rows, columns, weights, width);
}

}  // namespace

std::string AnswerLine(const v1::Answer& answer, const AnswerColumns& columns) {
  std::string line = PlainColumn(answer.text());
  if (columns.candidates) {
    for (const v1::Answer::Candidate& candidate : answer.candidates()) {
      absl::StrAppendFormat(&line, "\t%s\t%.4f", PlainColumn(candidate.text()), candidate.probability());
    }
  }
  if (columns.facts) {
    for (const v1::Answer::FactWeight& fact : answer.facts()) {
      absl::StrAppendFormat(&line, "\t%d\t%s\t%.4f", fact.fact(), PlainColumn(fact.text()), fact.weight());
    }
  }
  return line;
}

void AddAnswer(const v1::Answer& answer, Json& json) {
  json["answer"] = answer.text();
  json["candidates"] = Json::array();
  for (const v1::Answer::Candidate& candidate : answer.candidates()) {
    json["candidates"].push_back(
        {{"text", candidate.text()}, {"probability", ShortestNumber(candidate.probability())}});
  }
  json["unknown_words"] = Json(answer.unknown_words());
  for (const v1::Answer::FactWeight& fact : answer.facts()) {
    json["facts"].push_back({{"fact", fact.fact()}, {"text", fact.text()}, {"weight", ShortestNumber(fact.weight())}});
  }
}

std::string Explanation(const v1::Answer& answer, int width) {
  std::string out;
  for (const v1::Answer::FactWeight& fact : answer.facts()) {
    out +=
        WeightBar(fact.weight(), answer.facts(0).weight(), absl::StrCat(fact.fact(), "  ", PlainColumn(fact.text())));
  }
  if (out.empty()) out = "    no facts\n";
  return out + ReadsMap(answer, width);
}

}  // namespace heed::client
