// SPDX-License-Identifier: Apache-2.0
#include "server/oip/language_front.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "heed/v1/language_modeling.pb.h"
#include "models/kinds/language_model.h"
#include "server/messages/generation_messages.h"
#include "server/messages/score_messages.h"
#include "server/messages/text_head_messages.h"
#include "server/messages/work_metrics.h"

namespace heed {
namespace {

// What a model does with a text. One request does one of them, which its outputs name.
enum class Use { kAnswer, kClassify, kTag, kScore, kGenerate, kEmbed };

// The one whose outputs come without being named.
Use DefaultUse(const LanguageModelUses& uses) {
  if (uses.answer_from_text) return Use::kAnswer;
  if (uses.classify || uses.choose) return Use::kClassify;
  if (uses.tag) return Use::kTag;
  return uses.score ? Use::kScore : Use::kEmbed;
}

// Parameters of a use that has no message of options: fields of its request.
std::vector<absl::string_view> ParametersOf(Use use) {
  std::vector<absl::string_view> names = {"overlong", "max_tokens", "tokenization", "append_line_end",
                                          "special_tokens"};
  const auto add = [&](std::initializer_list<absl::string_view> more) { names.insert(names.end(), more); };
  if (use == Use::kAnswer) add({"top_k", "max_answer_tokens", "allow_no_answer"});
  if (use == Use::kClassify) add({"top_k", "function"});
  if (use == Use::kEmbed) add({"pooling", "layer", "normalize"});
  return names;
}

absl::Status SetFieldsFrom(const InferParameters& parameters, Use use, google::protobuf::Message& request) {
  const std::vector<absl::string_view> known = ParametersOf(use);
  for (const auto& [name, parameter] : parameters) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return UnknownParameter(name, absl::StrJoin(known, ", "));
    }
  }
  return SetOptionsFrom(parameters, request);
}

std::string DescribeUse(Use use) {
  switch (use) {
    case Use::kScore:
      return DescribeOptions(*v1::ScoreOptions::descriptor());
    case Use::kGenerate:
      return DescribeOptions(*v1::GenerateOptions::descriptor());
    default:
      return absl::StrJoin(ParametersOf(use), ", ");
  }
}

// An error about a message of the typed service, or about the model's request for one text, which here is made of
// tensors. `index`: of the text.
absl::Status AboutTensors(const absl::Status& status, int64_t index) {
  const std::string at = absl::StrCat("[", index, "]");
  const std::string text = absl::StrCat("inputs \"text\"", at), pair = absl::StrCat("inputs \"pair\"", at);
  return Renamed(status,
                 {{"text_options.", "parameters: "},
                  {"options.text.", "parameters: "},
                  {"options.sampling.", "parameters: "},
                  kOptionsField,
                  {"text", text},
                  {"context", text},
                  {"prompt", text},
                  {"question", pair},
                  {"pair", pair},
                  {"top_k", "parameters: top_k"},
                  {"overlong", "parameters: overlong"},
                  {"max_tokens", "parameters: max_tokens"},
                  {"function", "parameters: function"},
                  {"max_answer_tokens", "parameters: max_answer_tokens"},
                  {"layer", "parameters: layer"},
                  {"pooling", "parameters: pooling"}},
                 "inputs: ");
}

class LanguageFront : public InferFront {
 public:
  LanguageFront(const LanguageModel& model, const StartLimits& limits) : model_(model), limits_(limits) {}

  absl::StatusOr<Tasks> Start(const InputTensors& inputs, const InferParameters& parameters,
                              const OutputTensors& outputs, bool) override {
    HEED_RETURN_IF_ERROR(ChooseUse(outputs));
    HEED_RETURN_IF_ERROR(CheckUtf8("text", inputs.strings("text")));
    texts_ = inputs.strings("text");
    HEED_RETURN_IF_ERROR(CheckCount("text", Size(texts_), limits_.max_tasks));
    pairs_.assign(texts_.size(), "");
    if (inputs.Has("pair")) HEED_RETURN_IF_ERROR(TakePairs(inputs.strings("pair")));
    HEED_RETURN_IF_ERROR(SetOptions(parameters));
    Tasks tasks;
    for (size_t i = 0; i < texts_.size(); ++i) {
      HEED_RETURN_IF_ERROR(limits_.Check());
      absl::StatusOr<std::unique_ptr<Task>> task = StartText(i);
      if (!task.ok()) return AboutTensors(task.status(), static_cast<int64_t>(i));
      if (!(*task)->finished()) limits_.max_rows = std::max<int64_t>(0, limits_.max_rows - (*task)->next_rows());
      tasks.push_back(*std::move(task));
    }
    return tasks;
  }

  void Count(const Task& task, Metrics& metrics) const override {
    const std::string& name = model_.spec().name;
    switch (use_) {
      case Use::kScore:
        return AddTextTokens(static_cast<const ScoreTask&>(task).result().tokens, 0, name, metrics);
      case Use::kGenerate:
        return AddTextTokens(static_cast<const GenerateTask&>(task).result(), name, metrics);
      case Use::kClassify:
        return AddTextTokens(static_cast<const TextClassificationTask&>(task).result().tokens, 0, name, metrics);
      case Use::kTag:
        return AddTextTokens(static_cast<const TagTask&>(task).result().tokens, 0, name, metrics);
      case Use::kAnswer:
        return AddTextTokens(static_cast<const AnswerFromTextTask&>(task).result().tokens, 0, name, metrics);
      case Use::kEmbed:
        return AddTextTokens(static_cast<const EmbedTask&>(task).result().token_count, 0, name, metrics);
    }
  }

  void Finish(absl::Span<const std::unique_ptr<Task>> tasks, OutputTensors& outputs) const override {
    switch (use_) {
      case Use::kScore:
        return FinishScores(tasks, outputs);
      case Use::kGenerate:
        return FinishTexts(tasks, outputs);
      case Use::kClassify:
        return FinishLabels(tasks, outputs);
      case Use::kTag:
        return FinishTags(tasks, outputs);
      case Use::kAnswer:
        return FinishAnswers(tasks, outputs);
      case Use::kEmbed:
        return FinishVectors(tasks, outputs);
    }
  }

 private:
  // "generated_text" and "embedding" are asked for by name, and not together with what the model gives by itself: each
  // would be a request of its own.
  absl::Status ChooseUse(const OutputTensors& outputs) {
    use_ = DefaultUse(model_.uses());
    std::vector<absl::string_view> asked;
    for (const auto& [name, use] : {std::pair<absl::string_view, Use>("generated_text", Use::kGenerate),
                                    std::pair<absl::string_view, Use>("embedding", Use::kEmbed)}) {
      if (!outputs.Wants(name)) continue;
      asked.push_back(name);
      use_ = use;
    }
    for (const char* name : {"log_probability", "tokens", "perplexity", "label", "score", "tags", "answer"}) {
      if (!asked.empty() && outputs.Wants(name)) asked.push_back(name);
    }
    if (asked.size() < 2) return absl::OkStatus();
    return InvalidField("outputs", "\"", absl::StrJoin(asked, "\" and \""), "\" need a request each");
  }

  absl::Status TakePairs(const std::vector<std::string>& pairs) {
    HEED_RETURN_IF_ERROR(CheckUtf8("pair", pairs));
    if (use_ != Use::kAnswer && use_ != Use::kClassify) {
      return InvalidField("inputs \"pair\"", "is there, but only labels and answers are about two texts");
    }
    if (pairs.size() != texts_.size()) {
      return InvalidField("inputs \"pair\"", "shape: is [", pairs.size(), "], must be that of \"text\", [",
                          texts_.size(), "]");
    }
    pairs_ = pairs;
    return absl::OkStatus();
  }

  // Converts the parameters as the typed service converts its message.
  absl::Status SetOptions(const InferParameters& parameters) {
    switch (use_) {
      case Use::kScore: {
        v1::ScoreOptions options;
        HEED_RETURN_IF_ERROR(SetOptionsFrom(parameters, options));
        const auto converted = ToScoreOptions(options);
        if (!converted.ok()) return AboutTensors(converted.status(), 0);
        score_options_ = *converted;
        return absl::OkStatus();
      }
      case Use::kGenerate: {
        v1::GenerateOptions options;
        HEED_RETURN_IF_ERROR(SetOptionsFrom(parameters, options));
        const auto converted = ToGenerateOptions(options, model_.default_options(), /*stream=*/false);
        if (!converted.ok()) return AboutTensors(converted.status(), 0);
        generate_options_ = *converted;
        return absl::OkStatus();
      }
      case Use::kClassify: {
        v1::ClassifyTextsRequest request;
        request.add_items();
        return Convert(parameters, request, ToClassifications, classification_);
      }
      case Use::kTag: {
        v1::TagTextsRequest request;
        request.add_texts();
        return Convert(parameters, request, ToTags, tag_);
      }
      case Use::kAnswer: {
        v1::AnswerFromTextRequest request;
        request.add_questions();
        return Convert(parameters, request, ToAnswers, answer_);
      }
      case Use::kEmbed: {
        v1::EmbedTextsRequest request;
        request.add_texts();
        return Convert(parameters, request, ToEmbeddings, embed_);
      }
    }
    return absl::OkStatus();
  }

  // `message`, of one empty text, becomes what each text's request begins with.
  template <typename Message, typename To, typename Request>
  absl::Status Convert(const InferParameters& parameters, Message& message, const To& to, Request& request) {
    HEED_RETURN_IF_ERROR(SetFieldsFrom(parameters, use_, message));
    const auto converted = to(message, 1);
    if (!converted.ok()) return AboutTensors(converted.status(), 0);
    request = converted->front();
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<Task>> StartText(size_t i) const {
    switch (use_) {
      case Use::kScore:
        return model_.StartScore({.text = texts_[i], .options = score_options_}, limits_);
      case Use::kGenerate:
        return model_.StartGenerate({.prompt = texts_[i], .options = generate_options_}, limits_);
      case Use::kClassify: {
        TextClassificationRequest request = classification_;
        request.text = texts_[i];
        request.pair = pairs_[i];
        return model_.StartClassify(std::move(request), limits_);
      }
      case Use::kTag: {
        TagRequest request = tag_;
        request.text = texts_[i];
        return model_.StartTag(std::move(request), limits_);
      }
      case Use::kAnswer: {
        AnswerFromTextRequest request = answer_;
        request.context = texts_[i];
        request.question = pairs_[i];
        return model_.StartAnswer(std::move(request), limits_);
      }
      case Use::kEmbed: {
        EmbedRequest request = embed_;
        request.text = texts_[i];
        return model_.StartEmbed(std::move(request), limits_);
      }
    }
    return absl::InternalError("no use");
  }

  void FinishScores(absl::Span<const std::unique_ptr<Task>> tasks, OutputTensors& outputs) const {
    std::vector<float> log_probabilities, perplexities;
    std::vector<int64_t> tokens;
    std::vector<std::string> details;
    for (const auto& task : tasks) {
      const ScoreResult& result = static_cast<const ScoreTask&>(*task).result();
      log_probabilities.push_back(static_cast<float>(result.log_probability));
      perplexities.push_back(static_cast<float>(result.perplexity()));
      tokens.push_back(result.tokens);
      if (!outputs.Wants("details")) continue;
      v1::TextScore score;
      Fill(result, score_options_, score);
      details.push_back(ToJson(score));
    }
    const std::vector<int64_t> shape = {Size(tasks)};
    outputs.Set("log_probability", shape, log_probabilities);
    outputs.Set("tokens", shape, tokens);
    outputs.Set("perplexity", shape, perplexities);
    outputs.Set("details", shape, details);
  }

  void FinishTexts(absl::Span<const std::unique_ptr<Task>> tasks, OutputTensors& outputs) const {
    std::vector<std::string> texts, details;
    for (const auto& task : tasks) {
      const GenerateResult& result = static_cast<const GenerateTask&>(*task).result();
      texts.push_back(result.texts.empty() ? std::string() : result.texts.front().text);
      if (!outputs.Wants("details")) continue;
      v1::GenerateResponse response;
      Fill(result, generate_options_, response);
      details.push_back(ToJson(response));
    }
    outputs.Set("generated_text", {Size(texts)}, texts);
    outputs.Set("details", {Size(texts)}, details);
  }

  void FinishLabels(absl::Span<const std::unique_ptr<Task>> tasks, OutputTensors& outputs) const {
    std::vector<std::string> labels, details;
    std::vector<float> scores;
    for (const auto& task : tasks) {
      const TextClassification& result = static_cast<const TextClassificationTask&>(*task).result();
      labels.push_back(result.labels.empty() ? std::string() : result.labels.front().label);
      scores.push_back(result.labels.empty() ? 0 : result.labels.front().score);
      if (!outputs.Wants("details")) continue;
      v1::ClassifyTextsResponse::Item item;
      Fill(result, classification_.return_attention, item);
      details.push_back(ToJson(item));
    }
    outputs.Set("label", {Size(labels)}, labels);
    outputs.Set("score", {Size(labels)}, scores);
    outputs.Set("details", {Size(labels)}, details);
  }

  void FinishTags(absl::Span<const std::unique_ptr<Task>> tasks, OutputTensors& outputs) const {
    std::vector<std::string> tags;
    for (const auto& task : tasks) {
      v1::TagTextsResponse::Text text;
      Fill(static_cast<const TagTask&>(*task).result(), tag_.return_attention, text);
      tags.push_back(ToJson(text));
    }
    outputs.Set("tags", {Size(tags)}, tags);
  }

  void FinishAnswers(absl::Span<const std::unique_ptr<Task>> tasks, OutputTensors& outputs) const {
    std::vector<std::string> answers, details;
    std::vector<float> scores;
    for (const auto& task : tasks) {
      const AnswerFromTextResult& result = static_cast<const AnswerFromTextTask&>(*task).result();
      answers.push_back(result.answers.empty() ? std::string() : result.answers.front().text);
      scores.push_back(result.answers.empty() ? 0 : result.answers.front().score);
      if (!outputs.Wants("details")) continue;
      v1::AnswerFromTextResponse::Question question;
      Fill(result, answer_.return_attention, question);
      details.push_back(ToJson(question));
    }
    outputs.Set("answer", {Size(answers)}, answers);
    outputs.Set("score", {Size(answers)}, scores);
    outputs.Set("details", {Size(answers)}, details);
  }

  // [vectors, width]; with pooling tokens those of all texts, one after the other.
  void FinishVectors(absl::Span<const std::unique_ptr<Task>> tasks, OutputTensors& outputs) const {
    std::vector<float> values;
    std::vector<std::string> details;
    int64_t width = 0;
    for (const auto& task : tasks) {
      const EmbedResult& result = static_cast<const EmbedTask&>(*task).result();
      width = result.width;
      values.insert(values.end(), result.values.begin(), result.values.end());
      if (!outputs.Wants("details")) continue;
      v1::EmbedTextsResponse::Text text;
      Fill(result, embed_.return_attention, text);
      details.push_back(ToJson(text));
    }
    outputs.Set("embedding", {width > 0 ? Size(values) / width : 0, width}, values);
    outputs.Set("details", {Size(details)}, details);
  }

  const LanguageModel& model_;
  StartLimits limits_;
  Use use_ = Use::kScore;
  std::vector<std::string> texts_, pairs_;
  // Of the use.
  ScoreOptions score_options_;
  GenerateOptions generate_options_;
  TextClassificationRequest classification_;
  TagRequest tag_;
  AnswerFromTextRequest answer_;
  EmbedRequest embed_;
};

void AddOutputs(Use use, bool optional, std::vector<TensorSpec>& outputs) {
  const auto add = [&](const char* name, TensorType type, std::vector<int64_t> shape, const char* help) {
    outputs.push_back({name, type, std::move(shape), optional, help});
  };
  switch (use) {
    case Use::kScore:
      add("log_probability", TensorType::kFp32, {kAnySize}, "of each text");
      add("tokens", TensorType::kInt64, {kAnySize}, "that it is the sum over");
      return add("perplexity", TensorType::kFp32, {kAnySize}, "of a token of the text");
    case Use::kGenerate:
      return add("generated_text", TensorType::kBytes, {kAnySize},
                 "what each text goes on with; in a request of its own");
    case Use::kClassify:
      add("label", TensorType::kBytes, {kAnySize}, "the best one of each text");
      return add("score", TensorType::kFp32, {kAnySize}, "of the label");
    case Use::kTag:
      return add("tags", TensorType::kBytes, {kAnySize},
                 "JSON of heed.v1.TagTextsResponse.Text: a label for each word");
    case Use::kAnswer:
      add("answer", TensorType::kBytes, {kAnySize}, "the best stretch of each text; empty: none");
      return add("score", TensorType::kFp32, {kAnySize}, "of the answer");
    case Use::kEmbed:
      return add("embedding", TensorType::kFp32, {kAnySize, kAnySize},
                 "a vector of each text, or with pooling tokens of each token; in a request of its own");
  }
}

}  // namespace

ModelTensors LanguageTensors(const Model& any) {
  const LanguageModelUses& uses = ModelAs<LanguageModel>(any).uses();
  const Use first = DefaultUse(uses);
  ModelTensors tensors;
  tensors.inputs = {{"text", TensorType::kBytes, {kAnySize}, false, "texts; for answers, the texts that have them"}};
  AddOutputs(first, /*optional=*/false, tensors.outputs);
  tensors.properties["parameters"] = DescribeUse(first);
  if (first == Use::kAnswer) {
    tensors.inputs.push_back({"pair", TensorType::kBytes, {kAnySize}, false, "a question about each text"});
  } else if (first == Use::kClassify) {
    tensors.inputs.push_back({"pair", TensorType::kBytes, {kAnySize}, true, "a second text to each text"});
    tensors.properties["optional_inputs"] = "pair";
  }
  if (uses.score) {
    AddOutputs(Use::kGenerate, /*optional=*/true, tensors.outputs);
    tensors.properties["parameters_generated_text"] = DescribeUse(Use::kGenerate);
  }
  if (uses.embed && first != Use::kEmbed) {
    AddOutputs(Use::kEmbed, /*optional=*/true, tensors.outputs);
    tensors.properties["parameters_embedding"] = DescribeUse(Use::kEmbed);
  }
  if (first != Use::kTag) {
    tensors.outputs.push_back({"details",
                               TensorType::kBytes,
                               {kAnySize},
                               true,
                               "JSON of what heed.v1.LanguageModelingService answers to the text"});
  }
  return tensors;
}

std::unique_ptr<InferFront> MakeLanguageFront(const Model& model, const InferLimits& limits) {
  return std::make_unique<LanguageFront>(ModelAs<LanguageModel>(model), limits.start);
}

}  // namespace heed
