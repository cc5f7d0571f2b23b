// SPDX-License-Identifier: Apache-2.0
#include "models/transformer_xl/transformer_xl.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/json_fields.h"
#include "base/status_macros.h"
#include "files/checkpoint.h"
#include "files/fingerprint.h"
#include "models/kinds/served_precision.h"
#include "models/language_text/transformer_xl_tokenizer.h"
#include "models/transformer_xl/transformer_xl_encoding.h"

namespace heed {
namespace {

absl::Status CheckMaxTokens(int64_t max_tokens) {
  if (max_tokens >= 0) return absl::OkStatus();
  return InvalidField("max_tokens", max_tokens, ", must be 1 or more, or 0: no limit");
}

absl::Status CheckRowsOf(const WindowedText& text, const StartLimits& limits) {
  int64_t rows = 0;
  for (const TextWindow& window : text.windows) rows += window.last - window.first;
  if (rows <= limits.max_rows) return limits.Check();
  return InvalidField("text", rows, " tokens are to be read, the most of a request are ", limits.max_rows);
}

// The labels of a classifier with so many outputs.
absl::StatusOr<std::vector<std::string>> LabelsOf(const TransformerXlConfig& config, int64_t outputs,
                                                  JsonFields& fields) {
  std::vector<std::string> labels = config.labels;
  if (labels.empty()) {
    for (int64_t i = 0; i < outputs; ++i) labels.push_back(absl::StrCat("LABEL_", i));
  }
  if (static_cast<int64_t>(labels.size()) != outputs) {
    fields.Wrong("id2label", absl::StrCat("but the tensor score.weight is for ", outputs, " labels"));
    return fields.status();
  }
  return labels;
}

absl::StatusOr<std::string> FingerprintOf(const std::string& path, const Checkpoint& checkpoint) {
  std::vector<std::string> files = {absl::StrCat(path, "/config.json"), absl::StrCat(path, "/vocab.txt")};
  const std::string tokenizer = absl::StrCat(path, "/tokenizer_config.json");
  if (std::filesystem::exists(tokenizer)) files.push_back(tokenizer);
  files.insert(files.end(), checkpoint.files().begin(), checkpoint.files().end());
  return FingerprintOfFiles(files);
}

}  // namespace

TransformerXl::TransformerXl(Parts parts, const TransformerXlNetwork* network,
                             std::unique_ptr<const TransformerXlNetwork> own_network, std::vector<std::string> labels)
    : CausalLanguageModel(std::move(parts)),
      network_(network),
      own_network_(std::move(own_network)),
      labels_(std::move(labels)) {}

absl::StatusOr<std::unique_ptr<TextClassificationTask>> TransformerXl::StartClassify(TextClassificationRequest request,
                                                                                     const StartLimits& limits) const {
  if (!uses().classify) return Cannot("classify texts");
  if (!request.choices.empty()) return Cannot("choose among texts");
  if (!request.pair.empty()) return InvalidField("pair", "is given, but a Transformer-XL classifies one text");
  if (request.top < 0) return InvalidField("top", request.top, ", must be 0 (all) or more");
  HEED_RETURN_IF_ERROR(CheckMaxTokens(request.max_tokens));
  HEED_ASSIGN_OR_RETURN(std::vector<TextToken> tokens,
                        Tokenize("text", request.text, request.text_options, "text_options"));
  HEED_ASSIGN_OR_RETURN(WindowedText text, CutText(std::move(tokens), request.max_tokens, request.overlong));
  HEED_RETURN_IF_ERROR(CheckRowsOf(text, limits));
  if (request.return_attention && text.windows.size() > 1) {
    return InvalidField("return_attention", "is for a text that is read whole, and this one has ", text.windows.size(),
                        " windows");
  }
  return std::make_unique<TransformerXlClassification>(*network_, tokenizer(), std::move(text), labels_, request);
}

absl::StatusOr<std::unique_ptr<EmbedTask>> TransformerXl::StartEmbed(EmbedRequest request,
                                                                     const StartLimits& limits) const {
  const int64_t layers = network_->config().layers;
  const int64_t layer = request.layer >= 0 ? request.layer : layers + 1 + request.layer;
  if (layer < 0 || layer > layers) {
    return InvalidField("layer", request.layer, ", must be ", -layers - 1, " to ", layers);
  }
  HEED_RETURN_IF_ERROR(CheckMaxTokens(request.max_tokens));
  if (request.overlong == Overlong::kWindows) {
    // A Transformer-XL reads on with its memory: there is nothing that windows would be for.
    request.max_tokens = 0;
  }
  HEED_ASSIGN_OR_RETURN(std::vector<TextToken> tokens,
                        Tokenize("text", request.text, request.text_options, "text_options"));
  HEED_ASSIGN_OR_RETURN(WindowedText text, CutText(std::move(tokens), request.max_tokens, request.overlong));
  HEED_RETURN_IF_ERROR(CheckRowsOf(text, limits));
  return std::make_unique<TransformerXlEmbedding>(*network_, tokenizer(), std::move(text), request, layer);
}

void TransformerXl::StepOthers(absl::Span<Task* const> tasks, Context& context) const {
  std::vector<Reading> readings;
  std::vector<TransformerXlNetwork::HiddenStates> wanted;
  std::vector<TransformerXlEncoding*> encodings;
  for (Task* task : tasks) {
    encodings.push_back(dynamic_cast<TransformerXlEncoding*>(task));
    encodings.back()->AppendReading(readings, wanted);
  }
  network_->ReadHiddenStates(readings, wanted, context);
  for (TransformerXlEncoding* encoding : encodings) encoding->Take(context);
}

absl::StatusOr<std::shared_ptr<const LanguageModel>> LoadTransformerXl(const std::string& path, const std::string& name,
                                                                       Precision precision) {
  HEED_ASSIGN_OR_RETURN(JsonFields fields, JsonFields::Read(absl::StrCat(path, "/config.json")));
  HEED_ASSIGN_OR_RETURN(const TransformerXlConfig config, ReadTransformerXlConfig(fields));
  CausalLanguageModel::Parts parts;
  HEED_ASSIGN_OR_RETURN(parts.defaults, ReadGenerationDefaults(path, fields));
  HEED_ASSIGN_OR_RETURN(parts.tokenizer, LoadTransformerXlTokenizer(path, config.vocabulary));
  HEED_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(path));
  HEED_ASSIGN_OR_RETURN(std::unique_ptr<TransformerXlNetwork> network,
                        TransformerXlNetwork::Load(checkpoint, config, PrecisionHere(precision)));
  std::vector<std::string> labels;
  if (network->classifier()) {
    HEED_ASSIGN_OR_RETURN(labels, LabelsOf(config, network->classifier()->out(), fields));
  }
  parts.spec.name = name;
  parts.spec.architecture = "transfo-xl";
  parts.spec.weights = network->weights();
  parts.spec.resident_bytes = network->resident_bytes();
  parts.spec.quantization_errors = network->quantization_errors();
  parts.spec.warnings = parts.defaults.warnings;
  if (config.eos && config.eos != parts.tokenizer->end_of_text()) {
    parts.spec.warnings.push_back(absl::StrCat(fields.path(), ": eos_token_id is ", *config.eos, ", \"",
                                               parts.tokenizer->Piece(*config.eos),
                                               "\", but what ends a text is \"<eos>\" of vocab.txt"));
  }
  HEED_ASSIGN_OR_RETURN(parts.spec.fingerprint, FingerprintOf(path, checkpoint));
  NotePrecision(precision, parts.spec);
  parts.uses.score = network->has_output_layer();
  parts.uses.classify = network->classifier().has_value();
  parts.uses.embed = true;
  const TransformerXlNetwork* const used = network.get();
  std::unique_ptr<const TransformerXlNetwork> own;
  if (parts.uses.score) {
    parts.network = std::move(network);
  } else {
    own = std::move(network);
  }
  return std::make_shared<const TransformerXl>(std::move(parts), used, std::move(own), std::move(labels));
}

}  // namespace heed
