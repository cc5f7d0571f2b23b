// SPDX-License-Identifier: Apache-2.0
#include "models/ntm/ntm_question_answerer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "models/ntm/ntm_story.h"

namespace heed {

// One row of a step.
struct NtmQuestionAnswerer::Row {
  NtmStory* story = nullptr;
  Thought* thought = nullptr;  // null: the row tells the story's next fact
  MachineState* state = nullptr;
  float* x = nullptr;
  float* controls = nullptr;
};

absl::StatusOr<std::shared_ptr<const Model>> NtmQuestionAnswerer::Load(const std::string& directory,
                                                                       const Checkpoint& checkpoint, NtmConfig config,
                                                                       ModelSpec spec) {
  const WeightReader tensors(checkpoint);
  const int64_t width = config.machine.input_width;
  HEED_ASSIGN_OR_RETURN(NeuralTuringMachine machine, NeuralTuringMachine::Load(config.machine, tensors));
  HEED_ASSIGN_OR_RETURN(SentenceEncoder encoder, SentenceEncoder::Load(directory, width, config.questions, tensors));
  const int64_t seen = config.machine.controller.width + machine.layout()->read_values + width;
  const int64_t answer_width = config.questions.answer_width;
  const int64_t answers = static_cast<int64_t>(config.questions.answers.size());
  HEED_ASSIGN_OR_RETURN(Linear answer_hidden, tensors.ReadLinear("answer.0", answer_width, seen, Activation::kRelu));
  HEED_ASSIGN_OR_RETURN(Linear answer, tensors.ReadLinear("answer.1", answers, answer_width, Activation::kNone));
  HEED_RETURN_IF_ERROR(tensors.CheckAllRead());

  std::shared_ptr<NtmQuestionAnswerer> model(new NtmQuestionAnswerer(std::move(machine), std::move(encoder)));
  model->config_ = std::move(config);
  model->answer_hidden_ = std::move(answer_hidden);
  model->answer_ = std::move(answer);
  model->new_state_ = std::make_shared<const NtmState>(model->machine_.InitialState(),
                                                       FactAttribution(model->machine_.layout()->slots));
  spec.weights = tensors.weights();
  spec.resident_bytes = model->machine_.resident_bytes() + model->encoder_.resident_bytes() +
                        model->answer_hidden_.resident_bytes() + model->answer_.resident_bytes();
  model->spec_ = std::move(spec);
  return model;
}

absl::StatusOr<std::shared_ptr<const State>> NtmQuestionAnswerer::ParseState(absl::string_view bytes) const {
  return NtmState::Parse(bytes, machine_.layout());
}

absl::StatusOr<std::unique_ptr<StoryTask>> NtmQuestionAnswerer::Start(StoryRequest request) const {
  const auto from = std::dynamic_pointer_cast<const NtmState>(request.state == nullptr ? new_state_ : request.state);
  if (from == nullptr || from->machine.layout().floats != machine_.layout()->floats) {
    return absl::InvalidArgumentError("state is of another model");
  }
  if (request.top < 0) return InvalidField("options.top_k", request.top, ", must be at least 0, all");
  std::vector<EncodedSentence> facts, questions;
  for (size_t i = 0; i < request.facts.size(); ++i) {
    HEED_ASSIGN_OR_RETURN(EncodedSentence fact, encoder_.Encode(request.facts[i], absl::StrCat("facts[", i, "]")));
    facts.push_back(std::move(fact));
  }
  const int64_t count = static_cast<int64_t>(facts.size());
  int64_t last = 0;
  for (size_t i = 0; i < request.questions.size(); ++i) {
    const StoryQuestion& question = request.questions[i];
    const std::string field = absl::StrCat("questions[", i, "]");
    HEED_ASSIGN_OR_RETURN(EncodedSentence encoded, encoder_.Encode(question.text, field));
    questions.push_back(std::move(encoded));
    const int64_t after = question.after_facts.value_or(count);
    if (after < 0 || after > count) {
      return InvalidField(absl::StrCat(field, ".after_fact_count"), after, ", must be 0 to ", count,
                          ", the number of facts");
    }
    if (request.commit && after < last) {
      return InvalidField(absl::StrCat(field, ".after_fact_count"), after, ", but that of the question before is ",
                          last, ": committed questions cannot go back");
    }
    last = after;
  }
  const int64_t read_bytes =
      config_.questions.thinking_steps * machine_.heads().read_heads() *
      (machine_.layout()->slots * static_cast<int64_t>(sizeof(float)) + static_cast<int64_t>(sizeof(HeadRead)));
  const size_t classes = config_.questions.answers.size();
  const size_t wanted = request.top == 0 ? classes : std::min(classes, static_cast<size_t>(request.top));
  const int64_t candidate_bytes = static_cast<int64_t>(wanted * sizeof(AnswerCandidate));
  return std::make_unique<NtmStory>(std::move(request), from, std::move(facts), std::move(questions), candidate_bytes,
                                    read_bytes);
}

void NtmQuestionAnswerer::Step(absl::Span<Task* const> tasks, Context& context) const {
  const Arena::Scope scope(context.arena);
  const size_t width = static_cast<size_t>(config_.machine.input_width);
  const size_t controls = config_.machine.heads.size() * static_cast<size_t>(machine_.heads().controls());
  std::vector<Row> rows;
  const auto add = [&](NtmStory& story, Thought* thought, MachineState& state) {
    rows.push_back({&story, thought, &state, context.arena.Take<float>(width), context.arena.Take<float>(controls)});
  };
  for (Task* task : tasks) {
    auto& story = static_cast<NtmStory&>(*task);
    const bool tells = story.Prepare();
    for (Thought& thought : story.thoughts()) {
      add(story, &thought, story.machine(thought));
      encoder_.Question(story.question(thought), rows.back().x);
    }
    if (tells) {
      add(story, nullptr, story.own().machine);
      encoder_.Fact(story.fact(), story.own().units(), rows.back().x);
    }
  }
  std::vector<MachineRow> machine_rows;
  machine_rows.reserve(rows.size());
  for (const Row& row : rows) machine_rows.push_back({row.x, row.state, row.thought != nullptr, row.controls});
  const MatrixView hidden =
      TakeMatrix(context.arena, static_cast<int64_t>(rows.size()), config_.machine.controller.width);
  machine_.Step(machine_rows, hidden, context);

  for (const Row& row : rows) {
    if (row.thought == nullptr) {
      TakeFact(row);
    } else {
      TakeThought(row);
    }
  }
  TakeAnswers(rows, hidden, context);
  for (Task* task : tasks) {
    auto& story = static_cast<NtmStory&>(*task);
    if (!story.finished()) story.Settle(static_cast<int>(config_.questions.thinking_steps));
  }
}

void NtmQuestionAnswerer::TakeFact(const Row& row) const {
  const std::vector<HeadKind>& heads = config_.machine.heads;
  NtmState& state = row.story->own();
  for (size_t i = 0; i < heads.size(); ++i) {
    if (heads[i] != HeadKind::kWrite) continue;
    const int64_t head = static_cast<int64_t>(i);
    const float mean_erase = row.controls[(head + 1) * machine_.heads().controls() - 1];
    state.attribution.Write(state.units(), row.state->weights() + head * machine_.layout()->stride, mean_erase);
  }
  row.story->Told();
}

void NtmQuestionAnswerer::TakeThought(const Row& row) const {
  const StoryRequest& request = row.story->request();
  const std::vector<HeadKind>& heads = config_.machine.heads;
  const MachineLayout& layout = *machine_.layout();
  const int64_t shifts = static_cast<int64_t>(shift_offsets().size());
  const float reads = static_cast<float>(config_.questions.thinking_steps * machine_.heads().read_heads());
  int read_head = 0;
  for (size_t i = 0; i < heads.size(); ++i) {
    if (heads[i] != HeadKind::kRead) continue;
    const int64_t head = static_cast<int64_t>(i);
    const float* weights = row.state->weights() + head * layout.stride;
    const float* controls = row.controls + head * machine_.heads().controls();
    if (request.return_attribution) {
      row.story->attribution(*row.thought).AddScores(weights, 1 / reads, row.thought->scores);
    }
    if (request.return_reads) {
      row.story->answer(*row.thought)
          .reads.push_back({row.thought->step,
                            read_head,
                            {weights, weights + layout.slots},
                            controls[0],
                            controls[1],
                            {controls + 2, controls + 2 + shifts},
                            controls[2 + shifts]});
    }
    ++read_head;
  }
  ++row.thought->step;
}

void NtmQuestionAnswerer::TakeAnswers(const std::vector<Row>& rows, ConstMatrixView hidden, Context& context) const {
  std::vector<size_t> last;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].thought != nullptr && rows[i].thought->step == config_.questions.thinking_steps) last.push_back(i);
  }
  if (last.empty()) return;
  const int64_t count = static_cast<int64_t>(last.size());
  const MatrixView seen = TakeMatrix(context.arena, count, answer_hidden_.in());
  for (int64_t i = 0; i < count; ++i) {
    const Row& row = rows[last[static_cast<size_t>(i)]];
    float* to = std::copy_n(hidden.row(static_cast<int64_t>(last[static_cast<size_t>(i)])), hidden.cols, seen.row(i));
    to = std::copy_n(row.state->reads(), machine_.layout()->read_values, to);
    std::copy_n(row.x, config_.machine.input_width, to);
  }
  const MatrixView answer_hidden = TakeMatrix(context.arena, count, answer_hidden_.out());
  answer_hidden_.Apply(seen, answer_hidden, context);
  const MatrixView logits = TakeMatrix(context.arena, count, answer_.out());
  answer_.Apply(answer_hidden, logits, context);

  for (int64_t i = 0; i < count; ++i) {
    const Row& row = rows[last[static_cast<size_t>(i)]];
    QuestionAnswer& answer = row.story->answer(*row.thought);
    auto candidates = Candidates(logits.row(i), row.story->request().top);
    if (!candidates.ok()) {
      if (!row.story->finished()) row.story->Finish(candidates.status());
      continue;
    }
    answer.candidates = *std::move(candidates);
    for (const auto& [fact, score] : row.thought->scores) answer.facts.push_back({fact, "", score});
    std::sort(answer.facts.begin(), answer.facts.end(), [](const FactWeight& a, const FactWeight& b) {
      return a.weight != b.weight ? a.weight > b.weight : a.fact < b.fact;
    });
    if (answer.facts.size() > kMaxAttributedFacts) answer.facts.resize(kMaxAttributedFacts);
    for (FactWeight& fact : answer.facts) fact.text = *row.story->own().texts[static_cast<size_t>(fact.fact)];
  }
}

absl::StatusOr<std::vector<AnswerCandidate>> NtmQuestionAnswerer::Candidates(const float* logits, int top) const {
  const size_t classes = config_.questions.answers.size();
  if (!std::all_of(logits, logits + classes, [](float logit) { return std::isfinite(logit); })) {
    return absl::InternalError("the model gave an answer that is not finite");
  }
  const float largest = *std::max_element(logits, logits + classes);
  double sum = 0;
  for (size_t i = 0; i < classes; ++i) sum += std::exp(static_cast<double>(logits[i] - largest));
  std::vector<size_t> order(classes);
  std::iota(order.begin(), order.end(), size_t{0});
  const size_t wanted = top == 0 ? classes : std::min(classes, static_cast<size_t>(top));
  std::partial_sort(order.begin(), order.begin() + static_cast<int64_t>(wanted), order.end(),
                    [&](size_t a, size_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
  std::vector<AnswerCandidate> candidates;
  for (size_t i = 0; i < wanted; ++i) {
    const double probability = std::exp(static_cast<double>(logits[order[i]] - largest)) / sum;
    candidates.push_back({config_.questions.answers[order[i]], static_cast<float>(probability)});
  }
  return candidates;
}

}  // namespace heed
