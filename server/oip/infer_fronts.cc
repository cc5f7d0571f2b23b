#include "server/oip/infer_fronts.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/excerpt.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "google/protobuf/util/json_util.h"
#include "heed/v1/graphs.pb.h"
#include "heed/v1/questions.pb.h"
#include "heed/v1/translation.pb.h"
#include "models/kinds/graph_classifier.h"
#include "models/kinds/question_answerer.h"
#include "models/kinds/sequence_model.h"
#include "models/kinds/translator.h"
#include "server/messages/graph_messages.h"
#include "server/messages/question_messages.h"
#include "server/messages/text_pieces.h"
#include "server/messages/translation_messages.h"
#include "server/messages/work_metrics.h"

namespace heed {
namespace {

using Tasks = std::vector<std::unique_ptr<Task>>;

int64_t Size(const auto& container) { return static_cast<int64_t>(container.size()); }

// An error of models and typed messages names their field; here it names what the field was made from. `fields` are
// pairs of how a message begins and what is to stand there instead; without any of them `otherwise` is put before it.
using FieldNames = std::vector<std::pair<absl::string_view, absl::string_view>>;
absl::Status Renamed(const absl::Status& error, const FieldNames& fields, absl::string_view otherwise) {
  for (const auto& [field, name] : fields) {
    absl::string_view rest = error.message();
    if (absl::ConsumePrefix(&rest, field)) return absl::Status(error.code(), absl::StrCat(name, rest));
  }
  return absl::Status(error.code(), absl::StrCat(otherwise, error.message()));
}

constexpr std::pair<absl::string_view, absl::string_view> kOptionsField = {"options.", "parameters: "};

// The typed services' messages hold nothing else.
absl::Status CheckUtf8(absl::string_view input, const std::vector<std::string>& texts) {
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::optional<size_t> wrong = FirstInvalidUtf8(texts[i]);
    if (!wrong) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("inputs \"", input, "\": element ", i, " is not UTF-8 from its byte ", *wrong, " on"));
  }
  return absl::OkStatus();
}

absl::Status CheckCount(absl::string_view input, int64_t count, int64_t most) {
  if (count <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("inputs \"", input, "\": has ", count, " elements, at most ", most));
}

std::string Json(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  // Fails for messages of types that are not known alone.
  (void)google::protobuf::util::MessageToJsonString(message, &json, options);
  return json;
}

// --- Translators ---

ModelTensors TranslatorTensors() {
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

std::string FinishReasonText(v1::FinishReason reason) {
  switch (reason) {
    case v1::FINISH_REASON_LENGTH:
      return "length";
    case v1::FINISH_REASON_LOOP:
      return "loop";
    default:
      return "eos";
  }
}

class TranslatorFront : public InferFront {
 public:
  TranslatorFront(const Translator& model, StartLimits limits) : model_(model), limits_(std::move(limits)) {}

  absl::StatusOr<Tasks> Start(const InputTensors& inputs, const InferParameters& parameters, const OutputTensors&,
                              bool stream) override {
    v1::TranslateOptions options;
    HEED_RETURN_IF_ERROR(SetOptionsFrom(parameters, options));
    // Who streams wants words as they are found, which is what greedy search can give.
    if (stream && !options.has_beam_size() && options.n_best() <= 1) options.set_beam_size(1);
    HEED_ASSIGN_OR_RETURN(const TranslateOptions converted,
                          ToTranslateOptions(options, model_.default_options(), stream));
    detail_ = ToSentenceDetail(options);
    absl::StatusOr<StartedTranslation> started = model_.Start(inputs.strings("text"), converted, limits_);
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
    std::vector<const TranslationTask*> sentences;
    for (size_t i = range.first; i < range.last; ++i) {
      sentences.push_back(static_cast<const TranslationTask*>(tasks[i].get()));
    }
    const v1::TranslatedText text = ToProto(
        sentences, absl::MakeConstSpan(places_).subspan(range.first, sentences.size()), trailing_[piece.text], detail_);
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
      source_tokens.push_back(text.source_tokens());
      target_tokens.push_back(text.target_tokens());
      if (outputs.Wants("details")) details.push_back(Json(text));
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

// --- Questions ---

ModelTensors QuestionTensors() {
  return {.inputs = {{"story", TensorType::kBytes, {kAnySize}, false, "facts, in the order in which they are told"},
                     {"question", TensorType::kBytes, {kAnySize}, false, "each about the facts before it"},
                     {"after_facts",
                      TensorType::kInt64,
                      {kAnySize},
                      true,
                      "for each question: how many facts are told before it; without: all"}},
          .outputs = {{"answer", TensorType::kBytes, {kAnySize}, false, "the likeliest one, to each question"},
                      {"probability", TensorType::kFp32, {kAnySize}, false, "of each answer"},
                      {"details",
                       TensorType::kBytes,
                       {kAnySize},
                       true,
                       "JSON of heed.v1.Answer: top_k answers, facts and reads, as asked for"}},
          .properties = {{"parameters", DescribeOptions(*v1::AnswerOptions::descriptor())},
                         {"optional_inputs", "after_facts"}}};
}

class QuestionFront : public InferFront {
 public:
  QuestionFront(const QuestionAnswerer& model, int64_t most) : model_(model), most_(most) {}

  absl::StatusOr<Tasks> Start(const InputTensors& inputs, const InferParameters& parameters, const OutputTensors&,
                              bool) override {
    v1::AnswerRequest request;
    HEED_RETURN_IF_ERROR(SetOptionsFrom(parameters, *request.mutable_options()));
    for (const char* input : {"story", "question"}) {
      HEED_RETURN_IF_ERROR(CheckUtf8(input, inputs.strings(input)));
    }
    // A fact may be several lines of text, each a fact.
    for (const std::string& element : inputs.strings("story")) {
      for (const absl::string_view line : absl::StrSplit(element, '\n', absl::SkipWhitespace())) {
        request.add_facts(std::string(line));
      }
    }
    const std::vector<std::string>& questions = inputs.strings("question");
    if (questions.empty()) return absl::InvalidArgumentError("inputs \"question\": shape: is [0], at least [1]");
    for (const std::string& question : questions) request.add_questions()->set_text(question);
    if (inputs.Has("after_facts")) {
      const std::vector<int64_t>& after = inputs.integers("after_facts");
      if (after.size() != questions.size()) {
        return absl::InvalidArgumentError(absl::StrCat("inputs \"after_facts\": shape: is [", after.size(),
                                                       "], must be that of \"question\", [", questions.size(), "]"));
      }
      for (size_t i = 0; i < after.size(); ++i) {
        request.mutable_questions(static_cast<int>(i))->set_after_facts(after[i]);
      }
    }
    absl::StatusOr<StoryRequest> story = ToStory(request, most_);
    absl::StatusOr<std::unique_ptr<StoryTask>> task =
        story.ok() ? model_.Start(*std::move(story)) : absl::StatusOr<std::unique_ptr<StoryTask>>(story.status());
    if (!task.ok()) {
      return Renamed(task.status(),
                     {{"facts", "inputs \"story\": fact"}, {"questions", "inputs \"question\""}, kOptionsField},
                     "inputs: ");
    }
    Tasks tasks;
    tasks.push_back(*std::move(task));
    return tasks;
  }

  void Count(const Task&, Metrics&) const override {}

  void Finish(absl::Span<const std::unique_ptr<Task>> tasks, OutputTensors& outputs) const override {
    v1::AnswerResponse response;
    Fill(static_cast<const StoryTask&>(*tasks[0]), model_, response);
    std::vector<std::string> answers, details;
    std::vector<float> probabilities;
    for (const v1::Answer& answer : response.answers()) {
      answers.push_back(answer.text());
      probabilities.push_back(answer.candidates(0).probability());
      if (outputs.Wants("details")) details.push_back(Json(answer));
    }
    const std::vector<int64_t> shape = {Size(answers)};
    outputs.Set("answer", shape, answers);
    outputs.Set("probability", shape, probabilities);
    outputs.Set("details", shape, details);
  }

 private:
  const QuestionAnswerer& model_;
  const int64_t most_;
};

// --- Graphs ---

ModelTensors GraphTensors(const GraphClassifier& model) {
  const std::string& kind = model.spec().kind;
  const int64_t classes = Size(model.labels());
  ModelTensors tensors;
  tensors.inputs = {{"x", TensorType::kFp32, {kAnySize, model.feature_width()}, false, "features of each node"},
                    {"edge_index", TensorType::kInt64, {2, kAnySize}, false, "sources, then targets: rows of x"}};
  std::vector<std::string> optional;
  if (model.edge_feature_width() > 0) {
    const bool has_default = model.default_edge_feature().has_value();
    tensors.inputs.push_back({"edge_attr",
                              TensorType::kFp32,
                              {kAnySize, model.edge_feature_width()},
                              has_default,
                              has_default
                                  ? absl::StrCat("features of each edge; without: ", *model.default_edge_feature())
                                  : "features of each edge"});
  }
  absl::string_view asked = "each node";
  if (kind == kNodeClassifier) {
    tensors.inputs.push_back(
        {"nodes", TensorType::kInt64, {kAnySize}, true, "rows of x that are asked about; without: all"});
  } else if (kind == kEdgeClassifier) {
    tensors.inputs.push_back({"edge_label_index",
                              TensorType::kInt64,
                              {2, kAnySize},
                              true,
                              "pairs of rows of x that are asked about; without: the edges"});
    asked = "each edge";
  } else {
    tensors.inputs.push_back({"batch",
                              TensorType::kInt64,
                              {kAnySize},
                              true,
                              "of several graphs: for each node, ascending, the graph that it is in; a number that is "
                              "left out is a graph without nodes; without: one graph"});
    tensors.inputs.push_back({"graph_ptr",
                              TensorType::kInt64,
                              {kAnySize},
                              true,
                              "in place of batch: the row at which each graph begins, and the number of rows; also of "
                              "graphs without nodes at the end"});
    asked = "each graph";
  }
  if (model.edge_feature_width() == 0) {
    tensors.unlisted_inputs = {{"edge_attr", TensorType::kFp32, {kAnySize, kAnySize}, true, ""}};
  }
  for (const TensorSpec& input : tensors.inputs) {
    if (input.optional) optional.push_back(input.name);
  }
  tensors.outputs = {{"probabilities", TensorType::kFp32, {kAnySize, classes}, false, absl::StrCat("of ", asked)},
                     {"class", TensorType::kInt64, {kAnySize}, false, absl::StrCat("the likeliest of ", asked)},
                     {"label", TensorType::kBytes, {kAnySize}, false, "that class's name"},
                     {"embedding", TensorType::kFp32, {kAnySize, kAnySize}, true, absl::StrCat("of ", asked)}};
  tensors.properties = {{"parameters", "fan_out: integer, seed: integer, ignore_edge_features: bool"},
                        {"optional_inputs", absl::StrJoin(optional, ", ")},
                        {"labels", absl::StrJoin(model.labels(), ", ")}};
  return tensors;
}

class GraphFront : public InferFront {
 public:
  GraphFront(const GraphClassifier& model, const InferLimits& limits) : model_(model), limits_(limits) {}

  absl::StatusOr<Tasks> Start(const InputTensors& inputs, const InferParameters& parameters,
                              const OutputTensors& outputs, bool) override {
    GraphQuery prototype;
    HEED_RETURN_IF_ERROR(TakeParameters(parameters, prototype));
    prototype.return_embeddings = outputs.Wants("embedding");
    HEED_ASSIGN_OR_RETURN(std::vector<GraphArrays> graphs, Split(inputs));
    HEED_RETURN_IF_ERROR(CheckCount("batch", Size(graphs), limits_.start.max_tasks));
    Tasks tasks;
    for (GraphArrays& arrays : graphs) {
      const int64_t nodes = arrays.features.rows;
      GraphQuery query = prototype;
      std::vector<EdgeIds> edges;
      for (size_t i = 0; i < arrays.sources.size(); ++i) edges.emplace_back(arrays.sources[i], arrays.targets[i]);
      absl::StatusOr<std::shared_ptr<const Graph>> graph = Graph::Build(std::move(arrays), limits_.max_graph_nodes);
      if (!graph.ok()) return Renamed(graph.status(), {}, "inputs \"x\", \"edge_index\": ");
      query.graph = *std::move(graph);
      if (!Ask(inputs, nodes, std::move(edges), query)) continue;
      absl::StatusOr<std::unique_ptr<GraphQueryTask>> task = model_.Start(std::move(query));
      if (!task.ok()) {
        return Renamed(task.status(),
                       {{"nodes", "inputs \"nodes\""},
                        {"edges", "inputs \"edge_label_index\""},
                        {"edge features", "inputs \"edge_attr\""},
                        kOptionsField},
                       "inputs: ");
      }
      tasks.push_back(*std::move(task));
    }
    return tasks;
  }

  void Count(const Task& task, Metrics& metrics) const override {
    AddComputed(static_cast<const GraphQueryTask&>(task).answer(), model_.spec().name, metrics);
  }

  void Finish(absl::Span<const std::unique_ptr<Task>> tasks, OutputTensors& outputs) const override {
    const int64_t classes = Size(model_.labels());
    std::vector<float> probabilities, embeddings;
    std::vector<int64_t> indices;
    std::vector<std::string> labels;
    int64_t width = 0;
    for (const auto& task : tasks) {
      const GraphAnswer& answer = static_cast<const GraphQueryTask&>(*task).answer();
      const int64_t asked = Size(answer.probabilities) / answer.classes;
      for (int64_t i = 0; i < asked; ++i) {
        const v1::Classification one = ToProto(answer, i, model_, /*top_k=*/1);
        indices.push_back(one.class_index());
        labels.push_back(one.label());
      }
      probabilities.insert(probabilities.end(), answer.probabilities.begin(), answer.probabilities.end());
      embeddings.insert(embeddings.end(), answer.embeddings.begin(), answer.embeddings.end());
      width = answer.embedding_width;
    }
    const int64_t asked = Size(indices);
    outputs.Set("probabilities", {asked, classes}, probabilities);
    outputs.Set("class", {asked}, indices);
    outputs.Set("label", {asked}, labels);
    outputs.Set("embedding", {embeddings.empty() ? 0 : asked, width}, embeddings);
  }

 private:
  // Those of the typed service that an answer in tensors can show.
  static absl::Status TakeParameters(const InferParameters& parameters, GraphQuery& query) {
    for (const auto& [name, parameter] : parameters) {
      if (name == "ignore_edge_features") {
        HEED_ASSIGN_OR_RETURN(query.ignore_edge_features, ToBool(name, parameter));
        continue;
      }
      if (name != "fan_out" && name != "seed") return UnknownParameter(name, "fan_out, seed, ignore_edge_features");
      HEED_ASSIGN_OR_RETURN(const int64_t number, ToInteger(name, parameter));
      if (name == "seed") {
        query.seed = static_cast<uint64_t>(number);
      } else if (number < 1 || number > std::numeric_limits<int>::max()) {
        return absl::InvalidArgumentError(absl::StrCat("parameters: \"fan_out\" is ", number, ", must be from 1 to ",
                                                       std::numeric_limits<int>::max()));
      } else {
        query.fan_out = static_cast<int>(number);
      }
    }
    return absl::OkStatus();
  }

  // The request's graphs: one, or those that "batch" or "graph_ptr" makes of its rows.
  absl::StatusOr<std::vector<GraphArrays>> Split(const InputTensors& inputs) const {
    const std::vector<int64_t>& edges = inputs.integers("edge_index");
    const size_t edge_count = edges.size() / 2;
    GraphArrays whole;
    whole.features.rows = inputs.shape("x")[0];
    whole.features.width = model_.feature_width();
    whole.features.values = inputs.floats("x");
    whole.sources.assign(edges.begin(), edges.begin() + static_cast<std::ptrdiff_t>(edge_count));
    whole.targets.assign(edges.begin() + static_cast<std::ptrdiff_t>(edge_count), edges.end());
    whole.edge_feature_width = model_.edge_feature_width();
    if (inputs.Has("edge_attr")) {
      if (inputs.shape("edge_attr")[0] != static_cast<int64_t>(edge_count)) {
        return absl::InvalidArgumentError(absl::StrCat("inputs \"edge_attr\": has ", inputs.shape("edge_attr")[0],
                                                       " rows, but edge_index has ", edge_count, " edges"));
      }
      whole.edge_feature_width = inputs.shape("edge_attr")[1];
      whole.edge_features = inputs.floats("edge_attr");
    } else if (const std::optional<float> value = model_.default_edge_feature()) {
      whole.edge_features.assign(edge_count * static_cast<size_t>(whole.edge_feature_width), *value);
    }
    if (inputs.Has("batch") && inputs.Has("graph_ptr")) {
      return absl::InvalidArgumentError("inputs \"graph_ptr\": is there beside \"batch\"; one of them is enough");
    }
    std::vector<int64_t> starts;
    if (inputs.Has("batch")) {
      HEED_ASSIGN_OR_RETURN(starts, StartsOfBatch(inputs.integers("batch"), whole.features.rows));
    } else if (inputs.Has("graph_ptr")) {
      HEED_ASSIGN_OR_RETURN(starts, CheckedStarts(inputs.integers("graph_ptr"), whole.features.rows));
    } else {
      std::vector<GraphArrays> graphs;
      graphs.push_back(std::move(whole));
      return graphs;
    }
    return SplitAt(whole, starts);
  }

  // The row at which each graph begins, and the number of rows.
  absl::StatusOr<std::vector<int64_t>> StartsOfBatch(const std::vector<int64_t>& batch, int64_t rows) const {
    if (Size(batch) != rows) {
      return absl::InvalidArgumentError(
          absl::StrCat("inputs \"batch\": has ", batch.size(), " elements, but x has ", rows, " rows"));
    }
    std::vector<int64_t> starts;
    for (size_t row = 0; row < batch.size(); ++row) {
      const int64_t graph = batch[row], least = row == 0 ? 0 : batch[row - 1];
      if (graph < least) {
        return absl::InvalidArgumentError(absl::StrCat("inputs \"batch\": element ", row, " is ", graph,
                                                       ", must be at least ", least, ": ascending from 0"));
      }
      if (graph >= limits_.start.max_tasks) {
        return absl::InvalidArgumentError(absl::StrCat("inputs \"batch\": element ", row, " is ", graph,
                                                       ", but a request has at most ", limits_.start.max_tasks,
                                                       " graphs"));
      }
      starts.resize(static_cast<size_t>(graph) + 1, static_cast<int64_t>(row));
    }
    starts.push_back(rows);
    return starts;
  }

  absl::StatusOr<std::vector<int64_t>> CheckedStarts(const std::vector<int64_t>& starts, int64_t rows) const {
    const auto wrong = [](size_t element, int64_t is, absl::string_view must) {
      return absl::InvalidArgumentError(
          absl::StrCat("inputs \"graph_ptr\": element ", element, " is ", is, ", must be ", must));
    };
    if (starts.empty()) return absl::InvalidArgumentError("inputs \"graph_ptr\": is empty, must hold at least a 0");
    HEED_RETURN_IF_ERROR(CheckCount("graph_ptr", Size(starts), limits_.start.max_tasks + 1));
    if (starts[0] != 0) return wrong(0, starts[0], "0");
    for (size_t i = 1; i < starts.size(); ++i) {
      if (starts[i] < starts[i - 1]) return wrong(i, starts[i], absl::StrCat("at least ", starts[i - 1]));
    }
    if (starts.back() != rows) {
      return wrong(starts.size() - 1, starts.back(), absl::StrCat(rows, ", the number of rows of x"));
    }
    return starts;
  }

  static absl::StatusOr<std::vector<GraphArrays>> SplitAt(const GraphArrays& whole,
                                                          const std::vector<int64_t>& starts) {
    std::vector<GraphArrays> graphs(starts.size() - 1);
    for (size_t graph = 0; graph < graphs.size(); ++graph) {
      FeatureArrays& features = graphs[graph].features;
      features.width = whole.features.width;
      features.rows = starts[graph + 1] - starts[graph];
      const auto begin = whole.features.values.begin();
      features.values.assign(begin + starts[graph] * features.width, begin + starts[graph + 1] * features.width);
      graphs[graph].edge_feature_width = whole.edge_feature_width;
    }
    // The last graph that begins at or before the row; those before it that begin there, too, have no rows.
    const auto graph_of = [&](int64_t row) {
      return static_cast<size_t>(std::upper_bound(starts.begin(), starts.end(), row) - starts.begin() - 1);
    };
    for (size_t edge = 0; edge < whole.sources.size(); ++edge) {
      const int64_t source = whole.sources[edge], target = whole.targets[edge];
      for (const int64_t row : {source, target}) {
        if (row >= 0 && row < whole.features.rows) continue;
        return absl::InvalidArgumentError(absl::StrCat("inputs \"edge_index\": edge ", edge, " names row ", row,
                                                       ", but x has ", whole.features.rows, " rows"));
      }
      const size_t graph = graph_of(source);
      if (graph_of(target) != graph) {
        return absl::InvalidArgumentError(absl::StrCat("inputs \"edge_index\": edge ", edge, " leads from graph ",
                                                       graph, " to graph ", graph_of(target)));
      }
      GraphArrays& part = graphs[graph];
      part.sources.push_back(source - starts[graph]);
      part.targets.push_back(target - starts[graph]);
      const auto begin = whole.edge_features.begin() + static_cast<std::ptrdiff_t>(edge) * whole.edge_feature_width;
      part.edge_features.insert(part.edge_features.end(), begin, begin + whole.edge_feature_width);
    }
    return graphs;
  }

  // What is asked of the graph: all, in the request's order, or what the request names. False: nothing.
  bool Ask(const InputTensors& inputs, int64_t nodes, std::vector<EdgeIds> edges, GraphQuery& query) const {
    const std::string& kind = model_.spec().kind;
    if (kind == kNodeClassifier) {
      if (inputs.Has("nodes")) {
        query.nodes = inputs.integers("nodes");
      } else {
        for (int64_t node = 0; node < nodes; ++node) query.nodes.push_back(node);
      }
      return !query.nodes.empty();
    }
    if (kind == kEdgeClassifier) {
      query.edges = std::move(edges);
      if (!inputs.Has("edge_label_index")) return !query.edges.empty();
      const std::vector<int64_t>& asked = inputs.integers("edge_label_index");
      query.edges.clear();
      for (size_t i = 0; i < asked.size() / 2; ++i) query.edges.emplace_back(asked[i], asked[asked.size() / 2 + i]);
      return !query.edges.empty();
    }
    return true;
  }

  const GraphClassifier& model_;
  const InferLimits limits_;
};

// --- Sequences ---

ModelTensors SequenceTensors(const SequenceModel& model) {
  ModelTensors tensors;
  tensors.inputs = {{"input",
                     TensorType::kFp32,
                     {kAnySize, kAnySize},
                     false,
                     absl::StrCat("rows of ", model.input_width(), " numbers",
                                  model.data_width() > 0
                                      ? absl::StrCat(", or of ", model.data_width(), " of data alone, to be framed")
                                      : "")}};
  tensors.outputs = {
      {"output", TensorType::kFp32, {kAnySize, kAnySize}, false, "the rows that the model answers with"}};
  tensors.properties = {{"parameters", "repeats: integer, answer_rows: integer"}};
  return tensors;
}

class SequenceFront : public InferFront {
 public:
  explicit SequenceFront(const SequenceModel& model) : model_(model) {}

  absl::StatusOr<Tasks> Start(const InputTensors& inputs, const InferParameters& parameters, const OutputTensors&,
                              bool) override {
    SequenceRequest request;
    request.width = inputs.shape("input")[1];
    request.values = inputs.floats("input");
    for (const auto& [name, parameter] : parameters) {
      std::optional<int64_t>* const option = name == "repeats"       ? &request.repeats
                                             : name == "answer_rows" ? &request.answer_rows
                                                                     : nullptr;
      if (option == nullptr) return UnknownParameter(name, "repeats, answer_rows");
      HEED_ASSIGN_OR_RETURN(*option, ToInteger(name, parameter));
    }
    absl::StatusOr<std::unique_ptr<SequenceTask>> task = model_.Start(std::move(request));
    if (!task.ok()) {
      return Renamed(task.status(),
                     {{"repeats", "parameters: \"repeats\""}, {"answer_rows", "parameters: \"answer_rows\""}},
                     "inputs \"input\": ");
    }
    Tasks tasks;
    tasks.push_back(*std::move(task));
    return tasks;
  }

  void Count(const Task&, Metrics&) const override {}

  void Finish(absl::Span<const std::unique_ptr<Task>> tasks, OutputTensors& outputs) const override {
    const SequenceResult& result = static_cast<const SequenceTask&>(*tasks[0]).result();
    const int64_t rows = result.width > 0 ? Size(result.values) / result.width : 0;
    outputs.Set("output", {rows, result.width}, result.values);
  }

 private:
  const SequenceModel& model_;
};

}  // namespace

ModelTensors TensorsOf(const Model& model) {
  if (dynamic_cast<const Translator*>(&model) != nullptr) return TranslatorTensors();
  if (dynamic_cast<const QuestionAnswerer*>(&model) != nullptr) return QuestionTensors();
  if (const auto* graphs = dynamic_cast<const GraphClassifier*>(&model)) return GraphTensors(*graphs);
  if (const auto* sequences = dynamic_cast<const SequenceModel*>(&model)) return SequenceTensors(*sequences);
  return {};
}

std::unique_ptr<InferFront> MakeInferFront(const Model& model, const InferLimits& limits) {
  if (const auto* translator = dynamic_cast<const Translator*>(&model)) {
    return std::make_unique<TranslatorFront>(*translator, limits.start);
  }
  if (const auto* answerer = dynamic_cast<const QuestionAnswerer*>(&model)) {
    return std::make_unique<QuestionFront>(*answerer, limits.start.max_tasks);
  }
  if (const auto* graphs = dynamic_cast<const GraphClassifier*>(&model)) {
    return std::make_unique<GraphFront>(*graphs, limits);
  }
  if (const auto* sequences = dynamic_cast<const SequenceModel*>(&model)) {
    return std::make_unique<SequenceFront>(*sequences);
  }
  return nullptr;
}

}  // namespace heed
