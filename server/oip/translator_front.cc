// SPDX-License-Identifier: Apache-2.0
#include "server/oip/translator_front.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "heed/v1/translation.pb.h"
#include "models/kinds/translator.h"
#include "server/messages/text_pieces.h"
#include "server/messages/translation_messages.h"
#include "server/messages/work_metrics.h"

namespace heed {
namespace {

std::string FinishReasonText(v1::TranslationFinishReason reason) {
  switch (reason) {
    case v1::TRANSLATION_FINISH_REASON_LENGTH:
      return "length";
    case v1::TRANSLATION_FINISH_REASON_LOOP:
      return "loop";
    default:
      return "eos";
  }
}

class TranslatorFront : public InferFront {
 public:
  TranslatorFront(const Translator& model, StartLimits limits) : model_(model), limits_(std::move(limits)) {}

  absl::StatusOr<Tasks> Start(const InputTensors& inputs, const InferParameters& parameters,
                              const OutputTensors& outputs, bool stream) override {
    v1::TranslateOptions options;
    options.set_return_scores(outputs.Wants("score") || outputs.Wants("details"));
    HEED_RETURN_IF_ERROR(SetOptionsFrom(parameters, options));
    // Who streams wants words as they are found, which is what greedy search can give.
    if (stream && !options.has_beam_size() && options.n_best() <= 1) options.set_beam_size(1);
    HEED_ASSIGN_OR_RETURN(const TranslateOptions converted,
                          ToTranslateOptions(options, model_.default_options(), stream));
    detail_ = ToSentenceDetail(options);
    const std::vector<std::string>& texts = inputs.strings("text");
    absl::StatusOr<StartedTranslation> started =
        model_.Start(std::vector<SourceText>(texts.begin(), texts.end()), converted, limits_);
    if (!started.ok()) {
      return Renamed(started.status(), {{"texts", "inputs \"text\""}, kOptionsField}, "parameters: ");
    }
    places_ = std::move(started->places);
    trailing_ = std::move(started->trailing);
    gives_text_ = converted.stream;
    if (stream) pieces_.emplace(places_, trailing_.size());
    return Tasks(std::make_move_iterator(started->tasks.begin()), std::make_move_iterator(started->tasks.end()));
  }

  void Count(const Task& task, Metrics& metrics) const override {
    AddTokens(static_cast<const TranslationTask&>(task).result(), model_.spec().name, metrics);
  }

  void Finish(absl::Span<const std::unique_ptr<Task>> tasks, OutputTensors& outputs) const override {
    v1::TranslateResponse response;
    FillTranslations(tasks, places_, trailing_, detail_, response);
    std::vector<std::string> translations;
    std::vector<int64_t> indices;
    for (const v1::TranslatedText& text : response.translations()) {
      translations.push_back(text.text());
      indices.push_back(Size(indices));
    }
    SetTexts({response.translations().begin(), response.translations().end()}, translations, indices, outputs);
  }

  bool gives_parts() const override { return true; }

  void TakeOutput(int index, Task& output) override {
    auto& task = static_cast<TranslationTask&>(output);
    const auto place = static_cast<size_t>(index);
    if (gives_text_) {
      pieces_->Grow(place, task.TakeText());
    } else if (task.finished()) {
      pieces_->Grow(place, task.result().hypotheses.front().text);
    }
    if (task.finished()) pieces_->Finish(place);
  }

  // Parts are pieces of single texts; a text's last one has the other outputs, too.
  bool NextPart(absl::Span<const std::unique_ptr<Task>> tasks, bool finished, OutputTensors& outputs) override {
    if (tasks.empty()) return InferFront::NextPart(tasks, finished, outputs);
    TextPieces::Piece piece;
    while (last_ == std::nullopt && pieces_->Take(piece)) {
      if (piece.done && ++texts_done_ == pieces_->texts()) {
        last_ = std::move(piece);
        break;
      }
      if (!piece.done && !outputs.Wants("translation")) continue;
      SetPiece(tasks, piece, outputs);
      return true;
    }
    if (!finished || last_ == std::nullopt || given_) return false;
    given_ = true;
    SetPiece(tasks, *last_, outputs);
    return true;
  }

 private:
  void SetPiece(absl::Span<const std::unique_ptr<Task>> tasks, const TextPieces::Piece& piece,
                OutputTensors& outputs) const {
    const auto index = static_cast<int64_t>(piece.text);
    if (!piece.done) {
      outputs.Set("translation", {1}, std::vector<std::string>{piece.translation});
      outputs.Set("text_index", {1}, std::vector<int64_t>{index});
      return;
    }
    const TextPieces::Range range = pieces_->tasks_of(piece.text);
    std::vector<FinishedSentence> sentences;
    for (size_t i = range.first; i < range.last; ++i) {
      sentences.push_back(SentenceOf(static_cast<const TranslationTask&>(*tasks[i]), places_[i]));
    }
    const v1::TranslatedText text = ToProto(sentences, trailing_[piece.text], detail_);
    SetTexts({text}, {piece.translation + pieces_->Rest(piece.text, text.text())}, {index}, outputs);
  }

  static void SetTexts(const std::vector<v1::TranslatedText>& texts, const std::vector<std::string>& translations,
                       const std::vector<int64_t>& indices, OutputTensors& outputs) {
    std::vector<std::string> reasons, details;
    std::vector<float> scores;
    std::vector<int64_t> source_tokens, target_tokens;
    for (const v1::TranslatedText& text : texts) {
      scores.push_back(text.score());
      reasons.push_back(FinishReasonText(text.finish_reason()));
      source_tokens.push_back(text.source_token_count());
      target_tokens.push_back(text.target_token_count());
      if (outputs.Wants("details")) details.push_back(ToJson(text));
    }
    const std::vector<int64_t> shape = {Size(translations)};
    outputs.Set("translation", shape, translations);
    outputs.Set("score", shape, scores);
    outputs.Set("finish_reason", shape, reasons);
    outputs.Set("source_tokens", shape, source_tokens);
    outputs.Set("target_tokens", shape, target_tokens);
    outputs.Set("details", shape, details);
    outputs.Set("text_index", shape, indices);
  }

  const Translator& model_;
  const StartLimits limits_;
  std::vector<SentencePlace> places_;
  std::vector<std::string> trailing_;
  SentenceDetail detail_;

  // Of streams.
  bool gives_text_ = false;  // tasks give out text as it grows
  std::optional<TextPieces> pieces_;
  size_t texts_done_ = 0;
  std::optional<TextPieces::Piece> last_;  // of the text that was done last: the last part
  bool given_ = false;                     // the last part
};

}  // namespace

ModelTensors TranslatorTensors(const Model&) {
  return {.inputs = {{"text", TensorType::kBytes, {kAnySize}, false, "texts of any length, UTF-8"}},
          .outputs = {{"translation", TensorType::kBytes, {kAnySize}, false, "of each text"},
                      {"score", TensorType::kFp32, {kAnySize}, false, "of each text: sum of its sentences' scores"},
                      {"finish_reason", TensorType::kBytes, {kAnySize}, false, "of each text: eos, length or loop"},
                      {"source_tokens", TensorType::kInt64, {kAnySize}, false, "of each text"},
                      {"target_tokens", TensorType::kInt64, {kAnySize}, false, "of each text"},
                      {"details",
                       TensorType::kBytes,
                       {kAnySize},
                       true,
                       "JSON of heed.v1.TranslatedText: sentences, n best, tokens, attention, as asked for"},
                      {"text_index",
                       TensorType::kInt64,
                       {kAnySize},
                       true,
                       "the text that each element belongs to; in streams always",
                       /*in_streams=*/true}},
          .properties = {{"parameters", DescribeOptions(*v1::TranslateOptions::descriptor())}}};
}

std::unique_ptr<InferFront> MakeTranslatorFront(const Model& model, const InferLimits& limits) {
  return std::make_unique<TranslatorFront>(ModelAs<Translator>(model), limits.start);
}

}  // namespace heed
