// SPDX-License-Identifier: Apache-2.0
#include "models/language/causal_language_model.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "models/language/causal_task.h"
#include "models/language/generation_task.h"
#include "models/language/scoring_task.h"
#include "models/language/text_state.h"

namespace heed {
namespace {

constexpr int64_t kDefaultMaxTokens = 50;
constexpr size_t kMaxWholePrompt = 1024;           // tokens that see each other, and so are read in one step
constexpr size_t kMaxTextBytes = size_t{4} << 20;  // tokenized at once
constexpr float kMaxTemperature = 1000;
constexpr float kMaxRepetitionPenalty = 100;

// What a session of a model without memory would be kept with; nothing makes one.
class NoState : public State {
 public:
  int64_t bytes() const override { return 0; }
  int64_t units() const override { return 0; }
  std::string Serialize() const override { return {}; }
};

template <typename T>
absl::Status OutOfRange(absl::string_view field, T value, absl::string_view range) {
  return InvalidField(absl::StrCat("options.", field), value, ", must be ", range);
}

template <typename T>
absl::Status CheckRange(absl::string_view field, T value, T least, T most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return OutOfRange(field, value, absl::StrCat(least, " to ", most));
}

absl::Status CheckUtf8(absl::string_view field, absl::string_view text) {
  if (const auto at = FirstInvalidUtf8(text)) {
    return InvalidField(field, "is not UTF-8 at byte ", *at, " of ", text.size());
  }
  return absl::OkStatus();
}

TokenizerRules RulesOf(Tokenization tokenization) {
  switch (tokenization) {
    case Tokenization::kModel:
      return TokenizerRules::kOwn;
    case Tokenization::kMoses:
      return TokenizerRules::kMoses;
    case Tokenization::kWhitespace:
      return TokenizerRules::kWhitespace;
  }
  HEED_CHECK(false);
}

absl::Status CheckSearch(const GenerateOptions& options) {
  HEED_RETURN_IF_ERROR(CheckRange("beam_size", options.beam_size, 1, kMaxBeamSize));
  HEED_RETURN_IF_ERROR(
      CheckRange("length_penalty", static_cast<double>(options.length_penalty), -kMaxLengthPenalty, kMaxLengthPenalty));
  HEED_RETURN_IF_ERROR(CheckRange("no_repeat_ngram", options.no_repeat_ngram, 0, kMaxNgram));
  if (!(options.repetition_penalty > 0 && options.repetition_penalty <= kMaxRepetitionPenalty)) {
    return OutOfRange("repetition_penalty", options.repetition_penalty,
                      absl::StrCat("greater than 0 and at most ", kMaxRepetitionPenalty));
  }
  HEED_RETURN_IF_ERROR(
      CheckRange("max_tokens", static_cast<int64_t>(options.max_tokens), int64_t{1}, kMaxGeneratedTokens));
  if (options.min_tokens < 0 || options.min_tokens > options.max_tokens) {
    return OutOfRange("min_tokens", options.min_tokens, absl::StrCat("0 to max_tokens, ", options.max_tokens));
  }
  if (!options.sample) return CheckRange("n", options.n_best, 1, options.beam_size);
  HEED_RETURN_IF_ERROR(CheckRange("n", options.n, 1, kMaxDraws));
  if (options.beam_size != 1) return OutOfRange("beam_size", options.beam_size, "1 for sampling");
  const Sampling& sampling = options.sampling;
  if (!(sampling.temperature > 0 && sampling.temperature <= kMaxTemperature)) {
    return OutOfRange("sampling.temperature", sampling.temperature,
                      absl::StrCat("greater than 0 and at most ", kMaxTemperature));
  }
  if (sampling.top_k < 0) return OutOfRange("sampling.top_k", sampling.top_k, "0 (off) or more");
  if (!(sampling.top_p > 0 && sampling.top_p <= 1)) {
    return OutOfRange("sampling.top_p", sampling.top_p, "greater than 0 and at most 1");
  }
  return absl::OkStatus();
}

absl::Status CheckStops(const std::vector<std::string>& stops) {
  if (stops.size() > kMaxStops) {
    return InvalidField("options.stop", stops.size(), " texts, at most ", kMaxStops);
  }
  for (size_t i = 0; i < stops.size(); ++i) {
    const std::string field = absl::StrCat("options.stop[", i, "]");
    if (stops[i].empty()) return InvalidField(field, "is empty");
    if (stops[i].size() > kMaxStopBytes) return InvalidField(field, stops[i].size(), " bytes, at most ", kMaxStopBytes);
    HEED_RETURN_IF_ERROR(CheckUtf8(field, stops[i]));
  }
  return absl::OkStatus();
}

absl::Status CheckBytes(absl::string_view field, size_t bytes) {
  if (bytes <= kMaxTextBytes) return absl::OkStatus();
  return InvalidField(field, bytes, " bytes, at most ", kMaxTextBytes, ": a longer text is read in a session");
}

absl::Status CheckRows(absl::string_view field, size_t tokens, const StartLimits& limits) {
  if (static_cast<int64_t>(tokens) <= limits.max_rows) return limits.Check();
  return InvalidField(field, tokens, " tokens with what is read before it, at most ", limits.max_rows);
}

}  // namespace

CausalLanguageModel::CausalLanguageModel(Parts parts) : parts_(std::move(parts)) {
  HEED_CHECK(parts_.tokenizer != nullptr);
  HEED_CHECK(parts_.uses.score == (parts_.network != nullptr));
  parts_.defaults.options.stop_at_end = !parts_.tokenizer->end_is_of_line();
  for (std::string& warning : parts_.defaults.warnings) parts_.spec.warnings.push_back(std::move(warning));
}

int64_t CausalLanguageModel::MemoryTokens(const State& state) const {
  const auto* text = dynamic_cast<const TextState*>(&state);
  return text == nullptr ? 0 : text->memory().tokens_held();
}

std::shared_ptr<const State> CausalLanguageModel::NewState() const {
  if (parts_.network == nullptr) return std::make_shared<const NoState>();
  return std::make_shared<const TextState>(parts_.network->NewMemory({}));
}

absl::StatusOr<std::shared_ptr<const State>> CausalLanguageModel::OpenState(int64_t segment_tokens) const {
  if (parts_.network == nullptr) return Cannot("read texts into a session");
  HEED_RETURN_IF_ERROR(CheckSegmentTokens("segment_tokens", segment_tokens));
  return std::make_shared<const TextState>(parts_.network->NewMemory({.segment_tokens = segment_tokens}));
}

absl::StatusOr<std::shared_ptr<const State>> CausalLanguageModel::ParseState(absl::string_view bytes) const {
  if (parts_.network == nullptr) return Cannot("read texts into a session");
  HEED_ASSIGN_OR_RETURN(std::unique_ptr<const TextMemory> memory, parts_.network->ParseMemory(bytes));
  return std::make_shared<const TextState>(std::move(memory));
}

absl::Status CausalLanguageModel::CheckSegmentTokens(absl::string_view field, int64_t segment_tokens) const {
  if (segment_tokens < 0 || segment_tokens > kMaxSegmentTokens) {
    return InvalidField(field, segment_tokens, ", must be 1 to ", kMaxSegmentTokens, ", or 0: the model's");
  }
  if (segment_tokens > 0 && !parts_.network->has_segments()) {
    return InvalidField(field, segment_tokens, ", but model '", spec().name,
                        "' gives the same scores wherever a text is cut");
  }
  return absl::OkStatus();
}

absl::Status CausalLanguageModel::CheckState(const std::shared_ptr<const State>& state) const {
  if (state == nullptr || dynamic_cast<const TextState*>(state.get()) != nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError("state is of another model");
}

absl::StatusOr<std::vector<TextToken>> CausalLanguageModel::Tokenize(absl::string_view field, absl::string_view text,
                                                                     const TextOptions& text_options,
                                                                     absl::string_view options) const {
  HEED_RETURN_IF_ERROR(CheckUtf8(field, text));
  TokenizeOptions own;
  own.rules = RulesOf(text_options.tokenization);
  own.append_line_end = text_options.append_line_end;
  own.special_tokens = text_options.special_tokens;
  absl::StatusOr<std::vector<TextToken>> tokens = tokenizer().Encode(text, own);
  if (!tokens.ok()) return WithinField(FieldOf(tokens.status()).empty() ? field : options, tokens.status());
  return tokens;
}

absl::Status CausalLanguageModel::CheckScore(const ScoreRequest& request) const {
  HEED_RETURN_IF_ERROR(CheckState(request.state));
  HEED_RETURN_IF_ERROR(CheckRange("top_k", request.options.top_k, 0, kMaxAlternatives));
  HEED_RETURN_IF_ERROR(CheckSegmentTokens("options.segment_tokens", request.options.segment_tokens));
  if (request.state != nullptr && request.options.segment_tokens > 0) {
    return InvalidField("options.segment_tokens", request.options.segment_tokens,
                        ", but a session goes on as it was opened");
  }
  if (request.options.begin == ScoreBegin::kEndOfText && !tokenizer().end_of_text()) {
    return InvalidField("options.begin", "END_OF_TEXT, but model '", spec().name, "' has no such token");
  }
  if (!request.tokens.empty() && !request.text.empty()) return InvalidField("tokens", "are given beside a text");
  for (size_t i = 0; i < request.tokens.size(); ++i) {
    const int32_t id = request.tokens[i];
    if (id < 0 || id >= parts_.network->vocabulary()) {
      return InvalidField(absl::StrCat("tokens.ids[", i, "]"), id, ", must be 0 to ", parts_.network->vocabulary() - 1);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ScoredTokens> CausalLanguageModel::PrepareScore(const ScoreRequest& request,
                                                               const StartLimits& limits) const {
  if (parts_.network == nullptr) return Cannot("score texts");
  HEED_RETURN_IF_ERROR(CheckScore(request));
  HEED_RETURN_IF_ERROR(limits.Check());
  HEED_RETURN_IF_ERROR(CheckBytes("text", request.context.size() + request.text.size()));
  HEED_RETURN_IF_ERROR(CheckUtf8("context", request.context));
  HEED_RETURN_IF_ERROR(CheckUtf8("text", request.text));
  ScoredTokens scored;
  ScoreLayout& layout = scored.layout;
  layout.text_offset = static_cast<int64_t>(request.context.size());
  layout.has_offsets = request.tokens.empty();
  std::vector<TextToken>& tokens = scored.tokens;
  if (request.options.begin == ScoreBegin::kEndOfText) tokens.push_back({.id = *tokenizer().end_of_text()});
  HEED_ASSIGN_OR_RETURN(const std::vector<TextToken> read, Tokenize("text", absl::StrCat(request.context, request.text),
                                                                    request.options.text, "options.text"));
  tokens.insert(tokens.end(), read.begin(), read.end());
  const int64_t begin = static_cast<int64_t>(tokens.size() - read.size());
  layout.unscored = begin;
  for (const TextToken& token : read) {
    // An end of line has no bytes: that of the text's own first line is not the context's.
    const bool has_bytes = token.end > token.start;
    layout.unscored += has_bytes ? token.end <= layout.text_offset : token.start < layout.text_offset;
  }
  for (const int32_t id : request.tokens) {
    tokens.push_back({.id = id, .is_unknown = tokenizer().unknown() == id});
  }
  HEED_RETURN_IF_ERROR(CheckRows("text", tokens.size(), limits));
  return scored;
}

absl::StatusOr<std::unique_ptr<ScoreTask>> CausalLanguageModel::StartScore(ScoreRequest request,
                                                                           const StartLimits& limits) const {
  if (request.options.order == ScoreOrder::kAllContext) {
    return InvalidField("options.order", "ALL_CONTEXT, but ", spec().architecture, " reads from left to right");
  }
  HEED_ASSIGN_OR_RETURN(ScoredTokens tokens, PrepareScore(request, limits));
  return std::make_unique<ScoringTask>(*parts_.network, tokenizer(), std::move(request), std::move(tokens));
}

absl::Status CausalLanguageModel::CheckGenerate(const GenerateRequest& request) const {
  const GenerateOptions& options = request.options;
  HEED_RETURN_IF_ERROR(CheckState(request.state));
  HEED_RETURN_IF_ERROR(CheckSearch(options));
  HEED_RETURN_IF_ERROR(CheckStops(options.stop));
  HEED_RETURN_IF_ERROR(CheckRange("top_k_alternatives", options.top_k_alternatives, 0, kMaxAlternatives));
  if (options.stream && options.beam_size > 1) return OutOfRange("beam_size", options.beam_size, "1 for a stream");
  if (options.stream && options.n > 1) return OutOfRange("n", options.n, "1 for a stream");
  if (options.mode == GenerateMode::kAsHuggingFace) {
    if (!parts_.network->has_hugging_face_mode()) {
      return InvalidField("options.mode", "AS_HUGGING_FACE, but ", spec().architecture,
                          " has no such mode: it is causal");
    }
    if (request.state != nullptr || request.keep_state) {
      return InvalidField("options.mode", "AS_HUGGING_FACE, which cannot be used with a session");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<GenerateTask>> CausalLanguageModel::StartGenerate(GenerateRequest request,
                                                                                 const StartLimits& limits) const {
  if (parts_.network == nullptr) return Cannot("generate texts");
  HEED_RETURN_IF_ERROR(limits.Check());
  HEED_RETURN_IF_ERROR(CheckBytes("prompt", request.prompt.size()));
  HEED_ASSIGN_OR_RETURN(std::vector<TextToken> prompt,
                        Tokenize("prompt", request.prompt, request.options.text, "options.text"));
  GenerateOptions& options = request.options;
  if (options.max_tokens == 0) {
    const int64_t left = parts_.defaults.max_length - static_cast<int64_t>(prompt.size());
    options.max_tokens = static_cast<int>(
        parts_.defaults.max_length == 0 ? kDefaultMaxTokens : std::clamp<int64_t>(left, 1, kMaxGeneratedTokens));
  }
  // The model's own least length does not forbid a shorter text.
  if (options.min_tokens == default_options().min_tokens) {
    options.min_tokens = std::min(options.min_tokens, options.max_tokens);
  }
  HEED_RETURN_IF_ERROR(CheckGenerate(request));
  if (prompt.empty() && (request.state == nullptr || request.state->units() == 0)) {
    if (!tokenizer().end_of_text()) {
      return InvalidField("prompt", "is empty, and nothing was read before it");
    }
    prompt.push_back({.id = *tokenizer().end_of_text()});
  }
  HEED_RETURN_IF_ERROR(CheckRows("prompt", prompt.size(), limits));
  if (options.mode == GenerateMode::kAsHuggingFace && prompt.size() > kMaxWholePrompt) {
    return InvalidField("prompt", prompt.size(), " tokens, which AS_HUGGING_FACE reads in one step, at most ",
                        kMaxWholePrompt);
  }
  return std::make_unique<GenerationTask>(*parts_.network, tokenizer(), std::move(request), prompt);
}

void CausalLanguageModel::Step(absl::Span<Task* const> tasks, Context& context) const {
  std::vector<CausalTask*> causal;
  std::vector<Task*> others;
  std::vector<Reading> readings;
  for (Task* task : tasks) {
    if (auto* reader = dynamic_cast<CausalTask*>(task)) {
      causal.push_back(reader);
      reader->AppendReadings(readings);
    } else {
      others.push_back(task);
    }
  }
  if (!readings.empty()) parts_.network->Read(readings, context);
  for (CausalTask* task : causal) task->Take();
  if (!others.empty()) StepOthers(others, context);
}

void CausalLanguageModel::StepOthers(absl::Span<Task* const>, Context&) const {
  HEED_CHECK(false);  // it started no such task
}

}  // namespace heed
