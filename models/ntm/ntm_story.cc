// SPDX-License-Identifier: Apache-2.0
#include "models/ntm/ntm_story.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/little_endian.h"

namespace heed {
namespace {

constexpr uint32_t kStateFormat = 1;
constexpr float kLargestValue = 1e9f;  // beyond it, squares and their sums would not be finite for long
constexpr float kMaxWeight = 1.001f;   // a head's weights add up to 1, but for rounding

}  // namespace

int64_t NtmState::bytes() const {
  int64_t sum = machine.bytes() + attribution.bytes() + static_cast<int64_t>(sizeof(*this));
  for (const auto& text : texts) {
    sum += static_cast<int64_t>(sizeof(text) + sizeof(*text) + 2 * sizeof(int64_t) + text->capacity());
  }
  return sum;
}

NtmState NtmState::Clone() const {
  NtmState clone(machine.Clone(), attribution);
  clone.texts = texts;
  return clone;
}

// The format, the layout's sizes, the machine's values, the texts of the facts, their attribution.
std::string NtmState::Serialize() const {
  std::string bytes;
  PutNumber(bytes, kStateFormat);
  const MachineLayout& layout = machine.layout();
  for (const int64_t size : {layout.slots, layout.width, layout.heads, layout.read_values, layout.hidden_values}) {
    PutNumber(bytes, size);
  }
  const std::vector<float> values = machine.Values();
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  PutNumber<int64_t>(bytes, units());
  for (const auto& text : texts) PutText(bytes, *text);
  attribution.Serialize(bytes);
  return bytes;
}

absl::StatusOr<std::shared_ptr<const NtmState>> NtmState::Parse(absl::string_view bytes,
                                                                std::shared_ptr<const MachineLayout> layout) {
  const auto wrong = [](const auto&... what) {
    return absl::InvalidArgumentError(absl::StrCat("state of a Neural Turing Machine: ", what...));
  };
  uint32_t format = 0;
  if (!TakeNumber(bytes, format)) return wrong("is not whole");
  if (format != kStateFormat) return wrong("has format ", format, ", this server reads ", kStateFormat);
  const std::pair<const char*, int64_t> sizes[] = {{"slots", layout->slots},
                                                   {"slot_width", layout->width},
                                                   {"heads", layout->heads},
                                                   {"read values", layout->read_values},
                                                   {"hidden values", layout->hidden_values}};
  for (const auto& [name, wanted] : sizes) {
    int64_t size = 0;
    if (!TakeNumber(bytes, size)) return wrong("is not whole");
    if (size != wanted) return wrong("has ", size, " ", name, ", the model has ", wanted);
  }
  if (bytes.size() / sizeof(float) < static_cast<size_t>(layout->values())) return wrong("is not whole");
  std::vector<float> values(static_cast<size_t>(layout->values()));
  for (float& value : values) {
    if (!TakeNumber(bytes, value)) return wrong("is not whole");
    if (!std::isfinite(value)) return wrong("holds a value that is not finite");
    if (std::abs(value) > kLargestValue) return wrong("holds ", value, ", which is larger than ", kLargestValue);
  }
  const auto weights = values.begin() + layout->slots * layout->width;
  if (std::any_of(weights, weights + layout->heads * layout->slots, [](float w) { return w < 0 || w > kMaxWeight; })) {
    return wrong("holds a head's weight that is not from 0 to 1");
  }
  MachineState machine(layout);
  machine.SetValues(values.data());
  auto state = std::make_shared<NtmState>(std::move(machine), FactAttribution(layout->slots));
  int64_t facts = 0;
  if (!TakeNumber(bytes, facts)) return wrong("is not whole");
  // A text takes 8 bytes at least: more facts than that are not there.
  if (facts < 0 || static_cast<uint64_t>(facts) > bytes.size() / sizeof(uint64_t)) {
    return wrong("has ", facts, " facts in ", bytes.size(), " bytes");
  }
  for (int64_t i = 0; i < facts; ++i) {
    std::string text;
    if (!TakeText(bytes, text)) return wrong("ends in fact ", i, " of ", facts);
    state->texts.push_back(std::make_shared<const std::string>(std::move(text)));
  }
  if (!state->attribution.Parse(bytes, facts)) return wrong("has a damaged attribution of facts");
  if (!bytes.empty()) return wrong("has ", bytes.size(), " bytes too many");
  return state;
}

NtmStory::NtmStory(StoryRequest request, std::shared_ptr<const NtmState> from, std::vector<EncodedSentence> facts,
                   std::vector<EncodedSentence> questions, int64_t candidate_bytes, int64_t read_bytes)
    : request_(std::move(request)),
      from_(std::move(from)),
      facts_(std::move(facts)),
      questions_(std::move(questions)),
      order_(questions_.size()),
      answers_(questions_.size()) {
  std::iota(order_.begin(), order_.end(), size_t{0});
  std::stable_sort(order_.begin(), order_.end(), [&](size_t a, size_t b) { return Position(a) < Position(b); });
  std::set<std::string> known;
  for (const EncodedSentence& fact : facts_) {
    for (const std::string& word : fact.unknown_words) {
      if (known.insert(word).second) unknown_words_.push_back(word);
    }
  }
  for (size_t i = 0; i < questions_.size(); ++i) answers_[i].unknown_words = questions_[i].unknown_words;

  const int64_t copies = 1 + static_cast<int64_t>(request_.commit ? 0 : std::min(kMaxThoughts, questions_.size()));
  peak_bytes_ = copies * (from_->machine.bytes() + from_->attribution.bytes()) + from_->bytes();
  size_t longest = 0;
  for (const auto& text : from_->texts) longest = std::max(longest, text->size());
  for (const std::string& text : request_.facts) {
    longest = std::max(longest, text.size());
    peak_bytes_ += 2 * static_cast<int64_t>(text.size() + sizeof(text));
  }
  int64_t bytes_per_answer = candidate_bytes + static_cast<int64_t>(sizeof(QuestionAnswer));
  if (request_.return_reads) bytes_per_answer += read_bytes;
  if (request_.return_attribution) {
    bytes_per_answer += kMaxAttributedFacts * static_cast<int64_t>(longest + sizeof(FactWeight));
  }
  answer_bytes_ = static_cast<int64_t>(questions_.size()) * bytes_per_answer;
  peak_bytes_ += answer_bytes_;
  if (facts_.empty() && questions_.empty()) Finish();
}

int64_t NtmStory::Position(size_t question) const {
  return request_.questions[question].after_facts.value_or(static_cast<int64_t>(facts_.size()));
}

StoryRows NtmStory::NextRows() const {
  StoryRows rows;
  const size_t room = (request_.commit ? 1 : kMaxThoughts) - thoughts_.size();
  // No more are counted than matter: those for which there is room, and whether one is left.
  size_t waiting = 0;
  while (waiting <= room && next_question_ + waiting < order_.size() &&
         Position(order_[next_question_ + waiting]) == static_cast<int64_t>(next_fact_)) {
    ++waiting;
  }
  rows.new_thoughts = std::min(room, waiting);
  const bool held = waiting > rows.new_thoughts || (request_.commit && thoughts_.size() + rows.new_thoughts > 0);
  rows.fact = next_fact_ < facts_.size() && !held;
  return rows;
}

int64_t NtmStory::next_rows() const {
  const StoryRows rows = NextRows();
  return static_cast<int64_t>(thoughts_.size() + rows.new_thoughts + (rows.fact ? 1 : 0));
}

bool NtmStory::Prepare() {
  if (!own_) own_ = std::exchange(from_, nullptr)->Clone();
  const StoryRows rows = NextRows();
  for (size_t i = 0; i < rows.new_thoughts; ++i) {
    Thought thought;
    thought.question = order_[next_question_++];
    if (!request_.commit) {
      if (spare_.empty()) {
        thought.machine = own_->machine.Clone();
      } else {
        thought.machine = std::move(spare_.back());
        spare_.pop_back();
        thought.machine->CopyFrom(own_->machine);
      }
      if (request_.return_attribution) thought.attribution = own_->attribution;
    }
    thoughts_.push_back(std::move(thought));
  }
  return rows.fact;
}

void NtmStory::Told() {
  own_->texts.push_back(std::make_shared<const std::string>(request_.facts[next_fact_]));
  ++next_fact_;
}

void NtmStory::Settle(int steps) {
  for (; !thoughts_.empty() && thoughts_.front().step == steps; thoughts_.pop_front()) {
    if (thoughts_.front().machine) spare_.push_back(*std::move(thoughts_.front().machine));
  }
  if (next_fact_ < facts_.size() || next_question_ < order_.size() || !thoughts_.empty()) return;
  if (!facts_.empty() || request_.commit) {
    if (!own_->machine.IsFinite()) {
      Finish(absl::InternalError("the model's memory came to hold a value that is not finite"));
      return;
    }
    result_ = std::make_shared<const NtmState>(std::move(*own_));
  }
  Finish();
}

}  // namespace heed
