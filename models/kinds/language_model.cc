// SPDX-License-Identifier: Apache-2.0
#include "models/kinds/language_model.h"

#include <cmath>
#include <numbers>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "models/kinds/probe.h"

namespace heed {
namespace {

constexpr char kProbeText[] = "a word or two";

// Runs what `start` gave, and checks the values that `values` takes from its result.
template <typename Started, typename Values>
absl::Status RunProbe(const LanguageModel& model, Started start, Values values, absl::string_view what,
                      Context& context) {
  HEED_RETURN_IF_ERROR(start.status());
  HEED_RETURN_IF_ERROR(RunToEnd(model, **start, context));
  return CheckFinite(values((*start)->result()), what);
}

std::vector<float> ScoresOf(const std::vector<TextLabel>& labels) {
  std::vector<float> scores;
  for (const TextLabel& label : labels) scores.push_back(label.score);
  return scores;
}

}  // namespace

double ScoreResult::perplexity() const {
  return tokens == 0 ? 0 : std::exp(-log_probability / static_cast<double>(tokens));
}

double ScoreResult::bits_per_byte() const {
  return bytes == 0 ? 0 : -log_probability / std::numbers::ln2 / static_cast<double>(bytes);
}

absl::Status LanguageModel::Probe(Context& context) const {
  const StartLimits limits;
  if (uses().score) {
    ScoreRequest request;
    request.tokens = {0, 0, 0};  // not every vocabulary can spell a text
    request.options.top_k = 1;
    request.options.return_tokens = true;
    HEED_RETURN_IF_ERROR(RunProbe(
        *this, StartScore(std::move(request), limits),
        [](const ScoreResult& result) { return std::vector<float>{static_cast<float>(result.log_probability)}; },
        "log-probabilities", context));
  }
  if (uses().fill_in) {
    FillInRequest request;
    request.text = kProbeText;
    request.gaps.push_back({.start = 2, .end = 6});
    HEED_RETURN_IF_ERROR(RunProbe(
        *this, StartFillIn(std::move(request), limits),
        [](const FillInResult& result) { return std::vector<float>{static_cast<float>(result.log_probability)}; },
        "log-probabilities", context));
  }
  if (uses().classify || uses().choose) {
    TextClassificationRequest request;
    request.text = kProbeText;
    if (uses().choose) request.choices = {"one", "two"};
    HEED_RETURN_IF_ERROR(RunProbe(
        *this, StartClassify(std::move(request), limits),
        [](const TextClassification& result) { return ScoresOf(result.labels); }, "scores of labels", context));
  }
  if (uses().tag) {
    TagRequest request;
    request.text = kProbeText;
    const auto scores = [](const TagResult& result) {
      std::vector<float> values;
      for (const TaggedWord& word : result.words) values.push_back(word.score);
      return values;
    };
    HEED_RETURN_IF_ERROR(RunProbe(*this, StartTag(std::move(request), limits), scores, "scores of labels", context));
  }
  if (uses().answer_from_text) {
    AnswerFromTextRequest request;
    request.context = kProbeText;
    request.question = "word";
    const auto scores = [](const AnswerFromTextResult& result) {
      std::vector<float> values;
      for (const TextSpan& span : result.answers) values.push_back(span.score);
      return values;
    };
    HEED_RETURN_IF_ERROR(
        RunProbe(*this, StartAnswer(std::move(request), limits), scores, "scores of answers", context));
  }
  if (!uses().embed || uses().score) return absl::OkStatus();
  EmbedRequest request;
  request.text = kProbeText;
  return RunProbe(
      *this, StartEmbed(std::move(request), limits), [](const EmbedResult& result) { return result.values; },
      "embeddings", context);
}

absl::Status LanguageModel::Cannot(absl::string_view what) const {
  std::vector<absl::string_view> can;
  if (uses().score) can.push_back("score and generate texts");
  if (uses().fill_in) can.push_back("fill in gaps");
  if (uses().classify) can.push_back("classify texts");
  if (uses().choose) can.push_back("choose among texts");
  if (uses().tag) can.push_back("tag words");
  if (uses().answer_from_text) can.push_back("find answers in texts");
  if (uses().embed) can.push_back("embed texts");
  return absl::UnimplementedError(absl::StrCat("model '", spec().name, "' cannot ", what,
                                               ": its weights have no head for it; it can ", absl::StrJoin(can, ", ")));
}

absl::StatusOr<std::unique_ptr<ScoreTask>> LanguageModel::StartScore(ScoreRequest, const StartLimits&) const {
  return Cannot("score texts");
}
absl::StatusOr<std::unique_ptr<GenerateTask>> LanguageModel::StartGenerate(GenerateRequest, const StartLimits&) const {
  return Cannot("generate texts");
}
absl::StatusOr<std::unique_ptr<FillInTask>> LanguageModel::StartFillIn(FillInRequest, const StartLimits&) const {
  return Cannot("fill in gaps");
}
absl::StatusOr<std::unique_ptr<TextClassificationTask>> LanguageModel::StartClassify(TextClassificationRequest,
                                                                                     const StartLimits&) const {
  return Cannot("classify texts");
}
absl::StatusOr<std::unique_ptr<TagTask>> LanguageModel::StartTag(TagRequest, const StartLimits&) const {
  return Cannot("tag words");
}
absl::StatusOr<std::unique_ptr<AnswerFromTextTask>> LanguageModel::StartAnswer(AnswerFromTextRequest,
                                                                               const StartLimits&) const {
  return Cannot("find answers in texts");
}
absl::StatusOr<std::unique_ptr<EmbedTask>> LanguageModel::StartEmbed(EmbedRequest, const StartLimits&) const {
  return Cannot("embed texts");
}

}  // namespace heed
