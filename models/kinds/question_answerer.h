// SPDX-License-Identifier: Apache-2.0
// Question answering as a typed front: from facts and questions to a task, and back to answers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/kinds/stateful_model.h"

namespace heed {

struct StoryQuestion {
  std::string text;
  // Asked when so many facts of this request have been told, none: all of them. Must not go back from one question to
  // the next if the request commits.
  std::optional<int64_t> after_facts;
};

struct StoryRequest {
  std::shared_ptr<const State> state;  // to go on from; null: a new one
  std::vector<std::string> facts;      // told in order
  std::vector<StoryQuestion> questions;
  // The state goes on from where the questions led, in their order, instead of from before each.
  bool commit = false;
  int top = 1;  // likeliest answers to return; 0: all
  bool return_attribution = false;
  bool return_reads = false;
};

// How one read head was addressed in one thinking step.
struct HeadRead {
  int step = 0;
  int head = 0;
  std::vector<float> weights;  // [slots]
  float strength = 0;          // beta
  float gate = 0;              // g
  std::vector<float> shifts;   // [shifts]
  float sharpening = 0;        // gamma
};

struct FactWeight {
  int64_t fact = 0;  // its number, from 0, among all that the state was told
  std::string text;
  float weight = 0;  // how much of what was read came from it; those of all facts add up to 1 at most
};

struct AnswerCandidate {
  std::string text;
  float probability = 0;
};

struct QuestionAnswer {
  std::vector<AnswerCandidate> candidates;  // likeliest first, StoryRequest::top of them, at least one
  std::vector<std::string> unknown_words;   // of the question, as spelt there, each once
  std::vector<FactWeight> facts;            // strongest first; at most kMaxAttributedFacts
  std::vector<HeadRead> reads;              // by thinking step and head
};
inline constexpr int kMaxAttributedFacts = 10;

// A story being read: each fact, and each thinking step of a question, is one row of a step.
class StoryTask : public Task {
 public:
  // Of the facts, as spelt there, each once. Known from the start.
  virtual const std::vector<std::string>& unknown_words() const = 0;
  // The rest is set once finished() without an error.
  virtual const std::vector<QuestionAnswer>& answers() const = 0;  // one for each question, in order
  // After all facts, and, if the request commits, all questions. Null if it did neither.
  virtual std::shared_ptr<const State> state() const = 0;
};

// Its State counts facts. Thread-safe, immutable.
class QuestionAnswerer : public StatefulModel {
 public:
  ModelKind kind() const final { return ModelKind::kQuestionAnswerer; }
  // Tells a word and asks for it.
  absl::Status Probe(Context& context) const override;

  // The shifts that HeadRead::shifts are the probabilities of.
  virtual const std::vector<int>& shift_offsets() const = 0;

  // Validates, on the caller's thread: every INVALID_ARGUMENT comes from here and names the field (facts[3],
  // questions[0]) and both values: an empty sentence, one of more words than the model reads, after_facts out of range,
  // top below 0. `request.state` must be this model's, or of one with the same fingerprint.
  virtual absl::StatusOr<std::unique_ptr<StoryTask>> Start(StoryRequest request) const = 0;
};

}  // namespace heed
