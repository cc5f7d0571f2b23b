// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_language_model.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/little_endian.h"
#include "base/status_macros.h"
#include "tests/support/fake_text_tasks.h"

namespace heed {

using namespace fake;  // NOLINT: the tasks are this file's own

std::shared_ptr<const FakeTextState> FakeTextState::With(const std::vector<std::string>& words,
                                                         int64_t max_words) const {
  std::vector<std::shared_ptr<const Block>> blocks = blocks_;
  Block tail = tail_;
  for (const std::string& word : words) {
    tail.push_back(word);
    if (tail.size() < kBlockWords) continue;
    blocks.push_back(std::make_shared<const Block>(std::move(tail)));
    tail.clear();
  }
  const auto held = [&] { return static_cast<int64_t>(blocks.size() * kBlockWords + tail.size()); };
  while (max_words > 0 && !blocks.empty() && held() - static_cast<int64_t>(kBlockWords) >= max_words) {
    blocks.erase(blocks.begin());
  }
  return std::make_shared<FakeTextState>(std::move(blocks), std::move(tail),
                                         words_read_ + static_cast<int64_t>(words.size()), segment_tokens_);
}

int64_t FakeTextState::bytes() const {
  int64_t bytes = sizeof(*this) + static_cast<int64_t>(blocks_.size()) * kBlockBytes;
  for (const std::string& word : tail_) bytes += static_cast<int64_t>(sizeof(word) + word.size());
  return bytes;
}

std::vector<SharedPart> FakeTextState::shared_parts() const {
  std::vector<SharedPart> parts;
  for (const auto& block : blocks_) parts.push_back({block.get(), kBlockBytes});
  return parts;
}

std::string FakeTextState::Serialize() const {
  std::string bytes;
  PutNumber<int64_t>(bytes, words_read_);
  PutNumber<int64_t>(bytes, segment_tokens_);
  for (const std::string& word : words()) PutText(bytes, word);
  return bytes;
}

std::vector<std::string> FakeTextState::words() const {
  std::vector<std::string> words;
  for (const auto& block : blocks_) words.insert(words.end(), block->begin(), block->end());
  words.insert(words.end(), tail_.begin(), tail_.end());
  return words;
}

FakeLanguageModel::FakeLanguageModel(std::string name, std::string fingerprint, FakeLanguageOptions options)
    : options_(options) {
  spec_.name = std::move(name);
  spec_.architecture = "fake-lm";
  spec_.fingerprint = std::move(fingerprint);
  defaults_.max_tokens = kDefaultMaxTokens;
}

int64_t FakeLanguageModel::MemoryTokens(const State& state) const {
  return static_cast<int64_t>(static_cast<const FakeTextState&>(state).words().size());
}

absl::StatusOr<std::shared_ptr<const State>> FakeLanguageModel::OpenState(int64_t segment_tokens) const {
  if (!options_.uses.score) return Cannot("keep a memory");
  if (segment_tokens < 0) return InvalidField("segment_tokens", segment_tokens, ", must be at least 1");
  return std::make_shared<FakeTextState>(std::vector<std::shared_ptr<const FakeTextState::Block>>(),
                                         FakeTextState::Block(), 0, segment_tokens);
}

absl::StatusOr<std::shared_ptr<const State>> FakeLanguageModel::ParseState(absl::string_view bytes) const {
  int64_t read = 0;
  int64_t segment_tokens = 0;
  std::vector<std::string> words;
  bool whole = TakeNumber(bytes, read) && TakeNumber(bytes, segment_tokens);
  while (whole && !bytes.empty()) whole = TakeText(bytes, words.emplace_back());
  const auto held = static_cast<int64_t>(words.size());
  if (!whole || read < held || segment_tokens < 0) {
    return absl::InvalidArgumentError("the fake's state is damaged");
  }
  const FakeTextState empty({}, {}, read - held, segment_tokens);
  return empty.With(words, options_.memory_words);
}

absl::StatusOr<std::unique_ptr<ScoreTask>> FakeLanguageModel::StartScore(ScoreRequest request,
                                                                         const StartLimits& limits) const {
  if (!options_.uses.score) return Cannot("score texts");
  HEED_RETURN_IF_ERROR(limits.Check());
  HEED_RETURN_IF_ERROR(CheckAlternatives("options.top_k", request.options.top_k));
  if (request.options.order == ScoreOrder::kAllContext && !options_.uses.fill_in) {
    return Cannot("score texts with all context");
  }
  std::vector<Word> text = Words(request.text, request.options.text.append_line_end);
  for (size_t i = 0; i < request.tokens.size(); ++i) {
    const int32_t id = request.tokens[i];
    if (id < 0 || id >= kVocabulary) {
      return InvalidField(absl::StrCat("tokens[", i, "]"), id, ", must be 0 to ", kVocabulary - 1);
    }
    text.push_back({absl::StrCat("token-", std::string(static_cast<size_t>(id), 'i'))});
  }
  if (static_cast<int64_t>(text.size()) > limits.max_rows) {
    return InvalidField("text", "has ", text.size(), " tokens, at most ", limits.max_rows);
  }
  std::vector<Word> context = Words(request.context, false);
  return std::make_unique<FakeScoreTask>(request, std::move(context), std::move(text), options_.memory_words);
}

absl::StatusOr<std::unique_ptr<GenerateTask>> FakeLanguageModel::StartGenerate(GenerateRequest request,
                                                                               const StartLimits& limits) const {
  if (!options_.uses.score) return Cannot("generate texts");
  HEED_RETURN_IF_ERROR(limits.Check());
  const GenerateOptions& options = request.options;
  HEED_RETURN_IF_ERROR(CheckAlternatives("options.top_k_alternatives", options.top_k_alternatives));
  if (options.max_tokens < 0) return InvalidField("options.max_tokens", options.max_tokens, ", must be at least 1");
  if (options.beam_size < 1 || options.beam_size > kMaxBeamSize) {
    return InvalidField("options.beam_size", options.beam_size, ", must be 1 to ", kMaxBeamSize);
  }
  const bool has_read = request.state != nullptr && request.state->units() > 0;
  if (!has_read && Words(request.prompt, options.text.append_line_end).empty()) {
    return InvalidField("prompt", "is empty, and nothing was read before it");
  }
  return std::make_unique<FakeGenerateTask>(std::move(request), options_.memory_words);
}

absl::StatusOr<std::unique_ptr<FillInTask>> FakeLanguageModel::StartFillIn(FillInRequest request,
                                                                           const StartLimits&) const {
  if (!options_.uses.fill_in) return Cannot("fill in gaps");
  return std::make_unique<FakeFillInTask>(std::move(request));
}

absl::StatusOr<std::unique_ptr<TextClassificationTask>> FakeLanguageModel::StartClassify(
    TextClassificationRequest request, const StartLimits&) const {
  if (!options_.uses.classify) return Cannot("classify texts");
  HEED_ASSIGN_OR_RETURN(Reading reading, Read(absl::StrCat(request.text, " ", request.pair), request.text_options,
                                              request.overlong, request.max_tokens));
  return std::make_unique<FakeClassifyTask>(std::move(reading), std::move(request));
}

absl::StatusOr<std::unique_ptr<TagTask>> FakeLanguageModel::StartTag(TagRequest request, const StartLimits&) const {
  if (!options_.uses.tag) return Cannot("tag words");
  HEED_ASSIGN_OR_RETURN(Reading reading,
                        Read(request.text, request.text_options, request.overlong, request.max_tokens));
  return std::make_unique<FakeTagTask>(std::move(reading), request.return_attention);
}

absl::StatusOr<std::unique_ptr<AnswerFromTextTask>> FakeLanguageModel::StartAnswer(AnswerFromTextRequest request,
                                                                                   const StartLimits&) const {
  if (!options_.uses.answer_from_text) return Cannot("find answers in texts");
  absl::StatusOr<Reading> reading = Read(request.context, request.text_options, request.overlong, request.max_tokens);
  if (!reading.ok()) return InvalidField("context", FieldDescription(reading.status()));
  return std::make_unique<FakeAnswerTask>(*std::move(reading), std::move(request));
}

absl::StatusOr<std::unique_ptr<EmbedTask>> FakeLanguageModel::StartEmbed(EmbedRequest request,
                                                                         const StartLimits&) const {
  if (!options_.uses.embed) return Cannot("embed texts");
  HEED_ASSIGN_OR_RETURN(Reading reading,
                        Read(request.text, request.text_options, request.overlong, request.max_tokens));
  return std::make_unique<FakeEmbedTask>(std::move(reading), std::move(request));
}

void FakeLanguageModel::Step(absl::Span<Task* const> tasks, Context&) const {
  gate_.Pass();
  for (Task* task : tasks) dynamic_cast<Advancing&>(*task).Advance();
}

}  // namespace heed
