// SPDX-License-Identifier: Apache-2.0
#include "models/xlnet_tasks/xlnet.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/invalid_argument.h"
#include "base/json_fields.h"
#include "base/status_macros.h"
#include "files/checkpoint.h"
#include "files/fingerprint.h"
#include "models/kinds/served_precision.h"
#include "models/xlnet/xlnet_reader.h"
#include "models/xlnet_tasks/xlnet_all_context.h"
#include "models/xlnet_tasks/xlnet_answering.h"
#include "models/xlnet_tasks/xlnet_classification.h"
#include "models/xlnet_tasks/xlnet_embedding.h"
#include "models/xlnet_tasks/xlnet_fill_in.h"
#include "models/xlnet_tasks/xlnet_tagging.h"

namespace heed {
namespace {

constexpr int64_t kMaxModelTokens = 16'384;  // of a directory's model_max_length; more is read as "no limit"
constexpr int64_t kAllContextTokens = 512;   // of a text that is scored with all its context: a pass for each
constexpr int64_t kAnswerTokens = 384;       // as transformers' question-answering pipeline
constexpr int64_t kAnswerOverlap = 128;
constexpr int kMaxPieces = 16;  // of a gap
constexpr int kMaxTopAnswers = 100;
constexpr int64_t kMaxCandidateTokens = 4096;  // of all candidates of a request

absl::Status CheckWithin(absl::string_view field, int64_t value, int64_t least, int64_t most) {
  if (least <= value && value <= most) return absl::OkStatus();
  return InvalidField(field, value, ", must be ", least, " to ", most);
}

absl::Status CheckStep(absl::string_view field, int64_t rows, const StartLimits& limits) {
  if (rows <= limits.max_rows) return limits.Check();
  return InvalidField(field, rows, " tokens, the most of a request are ", limits.max_rows);
}

bool IsBoundary(absl::string_view text, int64_t at) {
  return at == static_cast<int64_t>(text.size()) ||
         (static_cast<unsigned char>(text[static_cast<size_t>(at)]) & 0xC0u) != 0x80u;
}

absl::Status CheckGaps(const FillInRequest& request) {
  if (request.gaps.empty()) return InvalidField("gaps", "are none: there is nothing to fill in");
  HEED_RETURN_IF_ERROR(CheckWithin("top_k", request.top_k, 1, kMaxAlternatives));
  const int64_t size = static_cast<int64_t>(request.text.size());
  int64_t end = 0;
  for (size_t i = 0; i < request.gaps.size(); ++i) {
    const TextGap& gap = request.gaps[i];
    const std::string field = absl::StrCat("gaps[", i, "]");
    if (gap.start < end || gap.end < gap.start || gap.end > size) {
      return InvalidField(field, gap.start, " to ", gap.end, ", must be within ", end, " to ", size,
                          ": gaps ascend and do not overlap");
    }
    if (!IsBoundary(request.text, gap.start) || !IsBoundary(request.text, gap.end)) {
      return InvalidField(field, gap.start, " to ", gap.end, ", which cuts a character in two");
    }
    if (gap.candidates.empty()) {
      HEED_RETURN_IF_ERROR(CheckWithin(absl::StrCat(field, ".pieces"), gap.pieces, 1, kMaxPieces));
    }
    end = gap.end;
  }
  return absl::OkStatus();
}

}  // namespace

Xlnet::Xlnet(Parts parts, std::shared_ptr<const XlnetNetwork> network, std::unique_ptr<const XlnetHeads> heads,
             int64_t max_tokens)
    : CausalLanguageModel(std::move(parts)),
      network_(std::move(network)),
      heads_(std::move(heads)),
      special_(static_cast<const XlnetTokenizer&>(tokenizer()).tokens()),
      max_tokens_(max_tokens) {}

absl::StatusOr<XlnetInputOptions> Xlnet::InputOptions(int64_t max_tokens, Overlong overlong) const {
  XlnetInputOptions options;
  options.special = special_;
  options.max_tokens = max_tokens_;
  options.overlong = overlong;
  if (max_tokens == 0) return options;
  constexpr int64_t kLeast = 8;
  if (max_tokens < kLeast || max_tokens > max_tokens_) {
    return InvalidField("max_tokens", max_tokens, ", must be ", kLeast, " to ", max_tokens_, ", or 0: the model's");
  }
  options.max_tokens = max_tokens;
  return options;
}

absl::Status Xlnet::CheckAttention(bool return_attention, const XlnetInputs& inputs) const {
  if (!return_attention || inputs.windows.size() == 1) return absl::OkStatus();
  return InvalidField("return_attention", "is for a text that is read at once, and this one has ",
                      inputs.windows.size(), " inputs");
}

absl::StatusOr<std::unique_ptr<ScoreTask>> Xlnet::StartScore(ScoreRequest request, const StartLimits& limits) const {
  if (request.options.order == ScoreOrder::kLeftToRight) {
    return CausalLanguageModel::StartScore(std::move(request), limits);
  }
  if (config().causal) {
    return InvalidField("options.order",
                        "ALL_CONTEXT, but config.json's attn_type is uni: it reads from left to right");
  }
  if (request.state != nullptr || request.keep_state) {
    return InvalidField("options.order", "ALL_CONTEXT, but a session reads from left to right");
  }
  HEED_ASSIGN_OR_RETURN(ScoredTokens tokens, PrepareScore(request, limits));
  const int64_t count = static_cast<int64_t>(tokens.tokens.size());
  if (const int64_t most = std::min(max_tokens_, kAllContextTokens); count > most) {
    return InvalidField("text", count, " tokens, which ALL_CONTEXT would read ", count, " times; at most ", most);
  }
  return std::make_unique<XlnetAllContext>(*network_, tokenizer(), std::move(request), std::move(tokens));
}

absl::StatusOr<std::unique_ptr<FillInTask>> Xlnet::StartFillIn(FillInRequest request, const StartLimits& limits) const {
  if (!uses().fill_in) return Cannot("fill in gaps");
  HEED_RETURN_IF_ERROR(CheckGaps(request));
  XlnetGapText text;
  HEED_RETURN_IF_ERROR(TokenizeAround(request, text));
  if (text.tokens.empty()) return InvalidField("text", "has nothing but gaps: there is nothing to go by");
  std::vector<int32_t> banned = tokenizer().special();
  for (const std::optional<int32_t>& id :
       {tokenizer().unknown(), tokenizer().end_of_text(), special_.end_of_paragraph, special_.end_of_document}) {
    if (id.has_value()) banned.push_back(*id);
  }
  std::sort(banned.begin(), banned.end());
  banned.erase(std::unique(banned.begin(), banned.end()), banned.end());
  auto task =
      std::make_unique<XlnetFillIn>(*network_, tokenizer(), std::move(request), std::move(text), std::move(banned));
  if (task->longest_input() > max_tokens_ + kMaxCandidateTokens) {
    return InvalidField("text", task->longest_input(), " tokens with its gaps and candidates, at most ",
                        max_tokens_ + kMaxCandidateTokens);
  }
  HEED_RETURN_IF_ERROR(CheckStep("text", task->next_rows(), limits));
  return task;
}

// The tokens between the gaps, each stretch by itself, as transformers tokenizes around "<mask>"; and the candidates.
absl::Status Xlnet::TokenizeAround(const FillInRequest& request, XlnetGapText& text) const {
  int64_t end = -1;  // of the gap before; the first stretch begins with the context
  int64_t candidate_tokens = 0;
  for (size_t i = 0; i <= request.gaps.size(); ++i) {
    const bool is_last = i == request.gaps.size();
    const int64_t next = is_last ? static_cast<int64_t>(request.text.size()) : request.gaps[i].start;
    const int64_t from = std::max<int64_t>(0, end);
    std::string stretch = request.text.substr(static_cast<size_t>(from), static_cast<size_t>(next - from));
    if (end < 0) stretch = absl::StrCat(request.context, stretch);
    HEED_ASSIGN_OR_RETURN(const std::vector<TextToken> tokens,
                          Tokenize("text", stretch, request.text_options, "text_options"));
    for (const TextToken& token : tokens) text.tokens.push_back(token.id);
    if (static_cast<int64_t>(text.tokens.size()) > max_tokens_) {
      return InvalidField("text", text.tokens.size(), " tokens, at most ", max_tokens_);
    }
    if (is_last) break;
    const TextGap& gap = request.gaps[i];
    XlnetGapText::Gap& own = text.gaps.emplace_back();
    own = {static_cast<int64_t>(text.tokens.size()), gap.start, gap.end, gap.pieces, {}};
    const bool begins_word = stretch.empty() ? i == 0 : static_cast<unsigned char>(stretch.back()) <= ' ';
    for (size_t c = 0; c < gap.candidates.size(); ++c) {
      const std::string field = absl::StrCat("gaps[", i, "].candidates[", c, "]");
      HEED_ASSIGN_OR_RETURN(std::vector<int32_t> ids,
                            CandidateTokens(field, gap.candidates[c], begins_word, request.text_options));
      candidate_tokens += static_cast<int64_t>(ids.size());
      if (candidate_tokens > kMaxCandidateTokens) {
        return InvalidField(field, candidate_tokens, " tokens with the candidates before it, at most ",
                            kMaxCandidateTokens);
      }
      own.candidates.push_back(std::move(ids));
    }
    end = gap.end;
  }
  return absl::OkStatus();
}

// A candidate behind a character that is no white space goes on with its word: its first piece has no blank.
absl::StatusOr<std::vector<int32_t>> Xlnet::CandidateTokens(const std::string& field, const std::string& candidate,
                                                            bool begins_word, const TextOptions& options) const {
  constexpr absl::string_view kBlank = "\u2581";
  HEED_ASSIGN_OR_RETURN(const std::vector<TextToken> tokens, Tokenize(field, candidate, options, "text_options"));
  std::vector<int32_t> ids;
  for (const TextToken& token : tokens) ids.push_back(token.id);
  if (!begins_word && !ids.empty()) {
    absl::string_view first = tokenizer().Piece(ids[0]);
    if (first == kBlank && ids.size() > 1) {
      ids.erase(ids.begin());
    } else if (first.substr(0, kBlank.size()) == kBlank) {
      ids[0] = tokenizer().Find(first.substr(kBlank.size())).value_or(ids[0]);
    }
  }
  if (ids.empty() || ids.size() > kMaxPieces) {
    return InvalidField(field, "\"", candidate, "\" has ", ids.size(), " tokens, must be 1 to ", kMaxPieces);
  }
  return ids;
}

absl::StatusOr<XlnetInputs> Xlnet::ChoiceInputs(const TextClassificationRequest& request,
                                                const std::vector<TextToken>& first,
                                                const XlnetInputOptions& options) const {
  if (options.overlong == Overlong::kWindows) {
    return InvalidField("overlong", "WINDOWS, but choices are compared whole: REFUSE or TRUNCATE");
  }
  XlnetInputs inputs;
  for (size_t i = 0; i < request.choices.size(); ++i) {
    const std::string field = absl::StrCat("choices[", i, "]");
    HEED_ASSIGN_OR_RETURN(const std::vector<TextToken> choice,
                          Tokenize(field, request.choices[i], request.text_options, "text_options"));
    HEED_ASSIGN_OR_RETURN(XlnetInputs one, MakeXlnetInputs(field, first, &choice, options));
    inputs.windows.push_back(std::move(one.windows[0]));
    inputs.truncated = inputs.truncated || one.truncated;
  }
  return inputs;
}

absl::StatusOr<std::unique_ptr<TextClassificationTask>> Xlnet::StartClassify(TextClassificationRequest request,
                                                                             const StartLimits& limits) const {
  const bool chooses = !request.choices.empty();
  if (!uses().classify && !uses().choose) return Cannot("classify texts");
  if (chooses && !uses().choose) return Cannot("choose among texts");
  if (!chooses && !uses().classify) {
    return InvalidField("choices", "are none, but model '", spec().name, "' chooses among them");
  }
  if (chooses && !request.pair.empty()) return InvalidField("pair", "is given beside choices, which are second texts");
  if (request.top < 0) return InvalidField("top", request.top, ", must be 0 (all) or more");
  HEED_ASSIGN_OR_RETURN(const XlnetInputOptions options, InputOptions(request.max_tokens, request.overlong));
  HEED_ASSIGN_OR_RETURN(const std::vector<TextToken> first,
                        Tokenize("text", request.text, request.text_options, "text_options"));
  XlnetInputs inputs;
  if (chooses) {
    HEED_ASSIGN_OR_RETURN(inputs, ChoiceInputs(request, first, options));
  } else {
    HEED_ASSIGN_OR_RETURN(const std::vector<TextToken> second,
                          Tokenize("pair", request.pair, request.text_options, "text_options"));
    HEED_ASSIGN_OR_RETURN(inputs, MakeXlnetInputs("text", first, request.pair.empty() ? nullptr : &second, options));
  }
  HEED_RETURN_IF_ERROR(CheckAttention(request.return_attention, inputs));
  auto task = std::make_unique<XlnetClassification>(*network_, *heads_, tokenizer(), std::move(inputs), request);
  HEED_RETURN_IF_ERROR(CheckStep("text", task->next_rows(), limits));
  return task;
}

absl::StatusOr<std::unique_ptr<TagTask>> Xlnet::StartTag(TagRequest request, const StartLimits& limits) const {
  if (!uses().tag) return Cannot("tag words");
  HEED_ASSIGN_OR_RETURN(const XlnetInputOptions options, InputOptions(request.max_tokens, request.overlong));
  HEED_ASSIGN_OR_RETURN(const std::vector<TextToken> tokens,
                        Tokenize("text", request.text, request.text_options, "text_options"));
  HEED_ASSIGN_OR_RETURN(XlnetInputs inputs, MakeXlnetInputs("text", tokens, nullptr, options));
  HEED_RETURN_IF_ERROR(CheckAttention(request.return_attention, inputs));
  auto task = std::make_unique<XlnetTagging>(*network_, *heads_, tokenizer(), std::move(inputs), request);
  HEED_RETURN_IF_ERROR(CheckStep("text", task->next_rows(), limits));
  return task;
}

absl::StatusOr<std::unique_ptr<AnswerFromTextTask>> Xlnet::StartAnswer(AnswerFromTextRequest request,
                                                                       const StartLimits& limits) const {
  if (!uses().answer_from_text) return Cannot("find answers in texts");
  HEED_RETURN_IF_ERROR(CheckWithin("top", request.top, 1, kMaxTopAnswers));
  HEED_RETURN_IF_ERROR(CheckWithin("max_answer_tokens", request.max_answer_tokens, 1, max_tokens_));
  HEED_ASSIGN_OR_RETURN(XlnetInputOptions options, InputOptions(request.max_tokens, request.overlong));
  if (request.max_tokens == 0) options.max_tokens = std::min(options.max_tokens, kAnswerTokens);
  options.overlap = std::min(options.max_tokens / 2, kAnswerOverlap);
  options.windows_of_first = true;
  HEED_ASSIGN_OR_RETURN(const std::vector<TextToken> first,
                        Tokenize("context", request.context, request.text_options, "text_options"));
  HEED_ASSIGN_OR_RETURN(const std::vector<TextToken> question,
                        Tokenize("question", request.question, request.text_options, "text_options"));
  if (question.empty()) return InvalidField("question", "is empty");
  HEED_ASSIGN_OR_RETURN(XlnetInputs inputs, MakeXlnetInputs("context", first, &question, options));
  auto task = std::make_unique<XlnetAnswering>(*network_, *heads_, tokenizer(), std::move(inputs), std::move(request));
  HEED_RETURN_IF_ERROR(CheckStep("context", task->next_rows(), limits));
  return task;
}

absl::StatusOr<std::unique_ptr<EmbedTask>> Xlnet::StartEmbed(EmbedRequest request, const StartLimits& limits) const {
  const int64_t layers = config().layers;
  HEED_RETURN_IF_ERROR(CheckWithin("layer", request.layer, -layers - 1, layers));
  const int64_t depth = request.layer < 0 ? layers + 1 + request.layer : request.layer;
  if (request.pooling == Pooling::kSummary) {
    if (!heads_->classifies() && !heads_->chooses()) {
      return InvalidField("pooling", "SUMMARY, but model '", spec().name, "' has no head that takes one");
    }
    if (depth != layers) return InvalidField("layer", request.layer, ", but a summary is of the last, ", layers);
  }
  if (request.return_attention && depth == 0) {
    return InvalidField("return_attention", "is set, but layer 0 has none: it is the embeddings");
  }
  HEED_ASSIGN_OR_RETURN(const XlnetInputOptions options, InputOptions(request.max_tokens, request.overlong));
  HEED_ASSIGN_OR_RETURN(const std::vector<TextToken> tokens,
                        Tokenize("text", request.text, request.text_options, "text_options"));
  HEED_ASSIGN_OR_RETURN(XlnetInputs inputs, MakeXlnetInputs("text", tokens, nullptr, options));
  HEED_RETURN_IF_ERROR(CheckAttention(request.return_attention, inputs));
  auto task = std::make_unique<XlnetEmbedding>(*network_, *heads_, tokenizer(), std::move(inputs), request, depth);
  HEED_RETURN_IF_ERROR(CheckStep("text", task->next_rows(), limits));
  return task;
}

// Tasks of the same depth go through the network together.
void Xlnet::StepOthers(absl::Span<Task* const> tasks, Context& context) const {
  std::map<std::pair<int64_t, bool>, std::vector<XlnetTask*>> groups;
  for (Task* task : tasks) {
    auto* own = dynamic_cast<XlnetTask*>(task);
    HEED_CHECK(own != nullptr);
    groups[{own->depth(), own->asks()}].push_back(own);
  }
  for (const auto& [group, members] : groups) {
    std::vector<XlnetPass> passes;
    std::vector<NextTokenQuery> queries;
    std::vector<size_t> ends;  // of each member's passes
    for (XlnetTask* task : members) {
      task->AppendPasses(passes, queries);
      ends.push_back(passes.size());
    }
    Arena::Scope scope(context.arena);
    const MatrixView outputs = network_->Run(absl::MakeSpan(passes), group.first, context);
    std::vector<NextTokenAnswer> answers(queries.size());
    if (group.second) network_->Predict(outputs, queries, absl::MakeSpan(answers), context);
    int64_t first = 0;
    size_t pass = 0;
    for (size_t m = 0; m < members.size(); ++m) {
      int64_t count = 0;
      for (; pass < ends[m]; ++pass) {
        for (const XlnetRow& row : passes[pass].rows) count += row.token == kQueryRow || row.is_output;
      }
      absl::Span<NextTokenAnswer> own;
      if (group.second) own = absl::MakeSpan(answers).subspan(static_cast<size_t>(first), static_cast<size_t>(count));
      members[m]->Take(outputs.Rows(first, count), own, context);
      first += count;
    }
  }
}

namespace {

// What a directory reads at once.
absl::StatusOr<int64_t> ReadMaxTokens(const std::string& directory) {
  absl::StatusOr<JsonFields> fields = JsonFields::Read(absl::StrCat(directory, "/tokenizer_config.json"));
  if (absl::IsNotFound(fields.status())) return Xlnet::kDefaultMaxTokens;
  HEED_RETURN_IF_ERROR(fields.status());
  // "No limit" is 10^30 in these files, which is no int.
  const double length = fields->Number("model_max_length", 0);
  HEED_RETURN_IF_ERROR(fields->status());
  constexpr double kLeast = 8;
  if (!(length >= kLeast && length <= static_cast<double>(kMaxModelTokens))) return Xlnet::kDefaultMaxTokens;
  return static_cast<int64_t>(length);
}

LanguageModelUses UsesOf(const XlnetConfig& config, const XlnetNetwork& network, const XlnetHeads& heads) {
  LanguageModelUses uses;
  uses.score = network.predicts();
  uses.fill_in = network.predicts() && !config.causal;
  uses.classify = heads.classifies();
  uses.choose = heads.chooses();
  uses.tag = heads.tags();
  uses.answer_from_text = heads.answers();
  return uses;
}

// A layer's tensor that nobody read is another network's answer; a head's is only not served.
absl::Status CheckUnread(const WeightReader& root, std::vector<std::string>& warnings) {
  for (const std::string& name : root.Unread()) {
    if (absl::StartsWith(name, "transformer.") || absl::StartsWith(name, "layer.")) {
      return absl::InvalidArgumentError(root.DescribeUnread(name));
    }
    warnings.push_back(root.DescribeUnread(name));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const LanguageModel>> LoadXlnet(const std::string& path, const std::string& name,
                                                               Precision precision) {
  const std::string config_path = absl::StrCat(path, "/config.json");
  HEED_ASSIGN_OR_RETURN(JsonFields fields, JsonFields::Read(config_path));
  HEED_ASSIGN_OR_RETURN(const XlnetConfig config, ReadXlnetConfig(fields));
  HEED_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(path));
  const WeightReader root(checkpoint, PrecisionHere(precision));
  HEED_ASSIGN_OR_RETURN(std::shared_ptr<const XlnetNetwork> network, XlnetNetwork::Load(root, config));
  HEED_ASSIGN_OR_RETURN(std::unique_ptr<const XlnetHeads> heads, XlnetHeads::Load(root, config));
  CausalLanguageModel::Parts parts;
  HEED_RETURN_IF_ERROR(CheckUnread(root, parts.spec.warnings));
  HEED_ASSIGN_OR_RETURN(parts.tokenizer, LoadXlnetTokenizer(path, config.vocabulary));
  HEED_ASSIGN_OR_RETURN(parts.defaults, ReadGenerationDefaults(path, fields));
  HEED_ASSIGN_OR_RETURN(const int64_t max_tokens, ReadMaxTokens(path));
  std::vector<std::string> files = {config_path, absl::StrCat(path, "/spiece.model")};
  files.insert(files.end(), checkpoint.files().begin(), checkpoint.files().end());
  HEED_ASSIGN_OR_RETURN(parts.spec.fingerprint, FingerprintOfFiles(files));
  NotePrecision(precision, parts.spec);
  parts.spec.name = name;
  parts.spec.architecture = "xlnet";
  parts.spec.weights = root.weights();
  parts.spec.resident_bytes = root.resident_bytes();
  parts.spec.quantization_errors = root.quantization_errors();
  parts.uses = UsesOf(config, *network, *heads);
  if (network->predicts()) {
    parts.network = std::make_unique<const XlnetReader>(network, root.weights(), root.resident_bytes());
  }
  return std::make_shared<const Xlnet>(std::move(parts), std::move(network), std::move(heads), max_tokens);
}

}  // namespace heed
