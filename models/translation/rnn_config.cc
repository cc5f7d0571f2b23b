// SPDX-License-Identifier: Apache-2.0
#include "models/translation/rnn_config.h"

#include <algorithm>
#include <initializer_list>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"

namespace heed {
namespace {

constexpr int64_t kMaxRnnWidth = 1 << 16;
constexpr int64_t kMaxRnnVocabulary = 1 << 24;
constexpr int64_t kMaxRnnLayers = 64;
constexpr int64_t kMaxRnnTokens = 1 << 16;
constexpr int64_t kUsualMaxTokens = 512;
constexpr double kMaxScale = 1e6;

constexpr Choice<CellKind> kCells[] = {{"gru", CellKind::kGru}, {"lstm", CellKind::kLstm}};
constexpr Choice<RnnPart> kParts[] = {{"embedding", RnnPart::kEmbedding}, {"state", RnnPart::kState},
                                      {"context", RnnPart::kContext},     {"context_vector", RnnPart::kContextVector},
                                      {"feed", RnnPart::kFeed},           {"initial", RnnPart::kInitial}};
constexpr Choice<RnnStart> kStarts[] = {{"zeros", RnnStart::kZeros}, {"layers", RnnStart::kLayers},
                                        {"top", RnnStart::kTop},     {"top-forward", RnnStart::kTopForward},
                                        {"mean", RnnStart::kMean},   {"flattened", RnnStart::kFlattened}};
constexpr Choice<RnnCellStart> kCellStarts[] = {
    {"own", RnnCellStart::kOwn}, {"hidden", RnnCellStart::kHidden}, {"zeros", RnnCellStart::kZeros}};
constexpr Choice<RnnAttentionTime> kTimes[] = {{"before", RnnAttentionTime::kBefore},
                                               {"after", RnnAttentionTime::kAfter},
                                               {"between", RnnAttentionTime::kBetween}};
constexpr Choice<RnnScore> kScores[] = {
    {"dot", RnnScore::kDot}, {"general", RnnScore::kGeneral}, {"mlp", RnnScore::kMlp}};
constexpr Choice<Activation> kRnnActivations[] = {
    {"none", Activation::kNone}, {"tanh", Activation::kTanh}, {"relu", Activation::kRelu}};

template <typename Meaning, size_t N>
const char* NameOf(const Choice<Meaning> (&choices)[N], Meaning value) {
  return std::find_if(std::begin(choices), std::end(choices), [&](const auto& one) { return one.value == value; })
      ->name;
}

// An object that a field of config.json holds. Its errors, and its absence if it is required, are the file's.
class Section {
 public:
  Section(JsonFields& file, const char* name, bool required, std::initializer_list<absl::string_view> known)
      : file_(file), name_(name), fields_(file.Inner(name)) {
    if (!file.Has(name)) {
      if (required) file.Missing(name);
    } else if (!file.Value(name).is_object()) {
      file.Wrong(name, "which is not an object");
    } else {
      fields_.Only(known);
    }
  }
  bool given() const { return file_.Has(name_) && file_.Value(name_).is_object(); }
  JsonFields* operator->() { return &fields_; }
  JsonFields& operator*() { return fields_; }
  // The first error so far.
  absl::Status Close() const { return file_.status().ok() ? fields_.status() : file_.status(); }

 private:
  JsonFields& file_;
  const char* name_;
  JsonFields fields_;
};

// A list of different parts; `fallback` if it is not there, or an error if that is empty.
std::vector<RnnPart> ReadParts(JsonFields& fields, const char* name, std::vector<RnnPart> fallback) {
  const nlohmann::json& list = fields.Value(name);
  if (list.is_null()) {
    if (fallback.empty()) fields.Missing(name);
    return fallback;
  }
  std::vector<RnnPart> parts;
  const auto is_new_part = [&](const nlohmann::json& item) {
    const auto known = std::find_if(std::begin(kParts), std::end(kParts), [&](const Choice<RnnPart>& part) {
      return item.is_string() && item.get<std::string>() == part.name;
    });
    if (known == std::end(kParts) || Holds(parts, known->value)) return false;
    parts.push_back(known->value);
    return true;
  };
  if (!list.is_array() || list.empty() || !std::all_of(list.begin(), list.end(), is_new_part)) {
    fields.Wrong(name,
                 "which is not a list of different parts: embedding, state, context, context_vector, feed, initial");
  }
  return parts;
}

void RefuseUnless(bool condition, JsonFields& fields, std::initializer_list<const char*> names, const char* why) {
  for (const char* name : names) {
    if (!condition && fields.Has(name)) fields.Wrong(name, why);
  }
}

absl::Status ReadEncoder(JsonFields& file, RnnConfig& config) {
  Section encoder(file, "encoder", true,
                  {"vocabulary", "embedding_width", "embedding_scale", "layers", "hidden_size", "bidirectional"});
  if (!encoder.given()) return encoder.Close();
  config.source_embedding.vocabulary = encoder->RequiredInt("vocabulary", 2, kMaxRnnVocabulary);
  config.source_embedding.width = encoder->RequiredInt("embedding_width", 1, kMaxRnnWidth);
  config.source_embedding.scale = static_cast<float>(encoder->Number("embedding_scale", 1, 1 / kMaxScale, kMaxScale));
  config.encoder.cell = config.cell;
  config.encoder.inputs = config.source_embedding.width;
  config.encoder.layers = encoder->Int("layers", 1, 1, kMaxRnnLayers);
  config.encoder.hidden_size = encoder->RequiredInt("hidden_size", 1, kMaxRnnWidth);
  config.encoder.bidirectional = encoder->Bool("bidirectional", false);
  return encoder.Close();
}

absl::Status ReadDecoder(JsonFields& file, RnnConfig& config) {
  Section decoder(file, "decoder", true,
                  {"vocabulary", "embedding_width", "embedding_scale", "layers", "hidden_size", "inputs"});
  if (!decoder.given()) return decoder.Close();
  config.target_embedding.vocabulary = decoder->RequiredInt("vocabulary", 2, kMaxRnnVocabulary);
  config.target_embedding.width = decoder->RequiredInt("embedding_width", 1, kMaxRnnWidth);
  config.target_embedding.scale = static_cast<float>(decoder->Number("embedding_scale", 1, 1 / kMaxScale, kMaxScale));
  config.decoder_layers = decoder->Int("layers", 1, 1, kMaxRnnLayers);
  config.hidden_size = decoder->RequiredInt("hidden_size", 1, kMaxRnnWidth);
  config.decoder_inputs = ReadParts(*decoder, "inputs", {RnnPart::kEmbedding});
  const auto refuse = [&](RnnPart part, bool refused, const char* why) {
    if (refused && Holds(config.decoder_inputs, part)) decoder->Wrong("inputs", why);
  };
  refuse(RnnPart::kState, true, "but state is this step's result, not its input");
  refuse(RnnPart::kContextVector, true, "but context_vector is this step's result; the step before's is feed");
  refuse(RnnPart::kContext, config.attention.when != RnnAttentionTime::kBefore,
         "but context comes before the cell only if attention.when is before");
  refuse(RnnPart::kFeed, config.attention.when != RnnAttentionTime::kNever && !config.context_vector,
         "but feed needs context_vector or no attention");
  if (config.attention.when == RnnAttentionTime::kBetween && config.decoder_layers > 1) {
    decoder->Wrong("layers", "but attention.when is between, which has one layer");
  }
  return decoder.Close();
}

absl::Status ReadInit(JsonFields& file, RnnConfig& config) {
  Section init(file, "init", true, {"from", "linear", "activation", "bias", "cell"});
  if (!init.given()) return init.Close();
  RnnInitConfig& read = config.init;
  read.from = init->OneOf("from", kStarts, "");
  RefuseUnless(read.from != RnnStart::kZeros, *init, {"linear", "activation", "bias", "cell"}, "but from is zeros");
  read.linear = init->Bool("linear", false);
  RefuseUnless(read.linear, *init, {"activation", "bias"}, "but linear is not true");
  read.activation = init->OneOf("activation", kRnnActivations, "none");
  read.bias = init->Bool("bias", true);
  RefuseUnless(config.cell == CellKind::kLstm, *init, {"cell"},
               "but the network's cell is gru, which has no cell state");
  read.cell = init->OneOf("cell", kCellStarts, read.from == RnnStart::kMean ? "hidden" : "own");
  if (read.from == RnnStart::kMean && read.cell == RnnCellStart::kOwn) {
    init->Wrong("cell", "but from is mean, and an encoder's outputs have no cell state");
  }
  return init.Close();
}

absl::Status ReadAttention(JsonFields& file, RnnConfig& config) {
  Section attention(file, "attention", false, {"when", "score", "width", "query_bias", "key_bias"});
  if (!attention.given()) return attention.Close();
  RnnAttentionConfig& read = config.attention;
  read.when = attention->OneOf("when", kTimes, "");
  read.score = attention->OneOf("score", kScores, "");
  const bool mlp = read.score == RnnScore::kMlp;
  RefuseUnless(mlp, *attention, {"width", "query_bias", "key_bias"}, "but score is not mlp");
  if (mlp) read.width = attention->RequiredInt("width", 1, kMaxRnnWidth);
  read.query_bias = attention->Bool("query_bias", false);
  read.key_bias = attention->Bool("key_bias", false);
  return attention.Close();
}

absl::Status ReadContextVector(JsonFields& file, RnnConfig& config) {
  Section vector(file, "context_vector", false, {"inputs", "width", "activation", "bias"});
  if (!vector.given()) return vector.Close();
  if (config.attention.when != RnnAttentionTime::kAfter) {
    file.Wrong("context_vector", config.attention.when == RnnAttentionTime::kNever
                                     ? absl::StrCat("but attention is absent")
                                     : absl::StrCat("but attention.when is ", NameOf(kTimes, config.attention.when)));
  }
  RnnReadoutConfig& read = config.context_vector.emplace();
  read.inputs = ReadParts(*vector, "inputs", {});
  if (read.inputs.size() != 2 || !Holds(read.inputs, RnnPart::kState) || !Holds(read.inputs, RnnPart::kContext)) {
    vector->Wrong("inputs", "which is neither [\"state\", \"context\"] nor [\"context\", \"state\"]");
  }
  read.width = vector->Int("width", 0, 1, kMaxRnnWidth);  // 0: the decoder's hidden size, which is not yet known
  read.activation = vector->OneOf("activation", kRnnActivations, "tanh");
  if (!vector->Has("bias")) vector->Missing("bias");
  read.bias = vector->Bool("bias", true);
  return vector.Close();
}

absl::Status ReadReadout(JsonFields& file, RnnConfig& config) {
  Section readout(file, "readout", true, {"inputs", "width", "activation", "bias"});
  if (!readout.given()) return readout.Close();
  RnnReadoutConfig& read = config.readout;
  read.inputs = ReadParts(*readout, "inputs", {});
  if (readout->Has("width")) read.width = readout->RequiredInt("width", 1, kMaxRnnWidth);
  RefuseUnless(read.width.has_value(), *readout, {"activation", "bias"}, "but width is absent");
  read.activation = readout->OneOf("activation", kRnnActivations, "none");
  read.bias = readout->Bool("bias", true);
  const auto refuse = [&](RnnPart part, bool refused, const char* why) {
    if (refused && Holds(read.inputs, part)) readout->Wrong("inputs", why);
  };
  refuse(RnnPart::kFeed, true, "but feed is what the step before left; this step's is context_vector or state");
  refuse(RnnPart::kContext, config.attention.when == RnnAttentionTime::kNever, "but attention is absent");
  refuse(RnnPart::kContextVector, !config.context_vector, "but context_vector is absent");
  return readout.Close();
}

// Widths that must meet.
absl::Status CheckWidths(JsonFields& file, const RnnConfig& config) {
  const int64_t outputs = config.encoder.width(), hidden = config.hidden_size;
  if (config.attention.when != RnnAttentionTime::kNever && config.attention.score == RnnScore::kDot &&
      outputs != hidden) {
    JsonFields attention = file.Inner("attention");
    attention.Wrong("score", absl::StrCat("which needs one width, but an encoder's output has ", outputs,
                                          " and decoder.hidden_size is ", hidden));
    return attention.status();
  }
  JsonFields init = file.Inner("init");
  const RnnStart from = config.init.from;
  const int64_t given = from == RnnStart::kTopForward ? config.encoder.hidden_size : outputs;
  if (from == RnnStart::kFlattened && !config.init.linear) init.Wrong("from", "but linear is not true");
  if (from != RnnStart::kZeros && (!config.init.linear || from == RnnStart::kFlattened) && given != hidden) {
    init.Wrong("from", absl::StrCat("which gives ", given, " values, but decoder.hidden_size is ", hidden));
  }
  const bool too_deep = from == RnnStart::kLayers && config.decoder_layers > config.encoder.layers;
  if (too_deep || (from == RnnStart::kFlattened && config.decoder_layers != config.encoder.layers)) {
    init.Wrong("from", absl::StrCat("but encoder.layers is ", config.encoder.layers, " and decoder.layers ",
                                    config.decoder_layers));
  }
  HEED_RETURN_IF_ERROR(init.status());
  if (config.tied_embeddings) {
    const RnnEmbeddingConfig &source = config.source_embedding, &target = config.target_embedding;
    if (source.vocabulary != target.vocabulary || source.width != target.width) {
      file.Wrong("tied_embeddings",
                 absl::StrCat("but the encoder has a vocabulary of ", source.vocabulary, " and embeddings of ",
                              source.width, ", the decoder of ", target.vocabulary, " and ", target.width));
    }
  }
  if (config.tied_output && config.readout_width() != config.target_embedding.width) {
    file.Wrong("tied_output", absl::StrCat("but the output layer reads ", config.readout_width(),
                                           " values and decoder.embedding_width is ", config.target_embedding.width));
  }
  return file.status();
}

std::optional<int32_t> ReadOptionalId(JsonFields& fields, const char* name, int64_t vocabulary) {
  if (!fields.Has(name)) return std::nullopt;
  return static_cast<int32_t>(fields.RequiredInt(name, 0, vocabulary - 1));
}

// A list of ids; empty if it is not there.
std::vector<int32_t> ReadIds(JsonFields& fields, const char* name, int64_t vocabulary) {
  const nlohmann::json& list = fields.Value(name);
  const auto is_id = [&](const nlohmann::json& id) {
    return id.is_number_unsigned() && id.get<uint64_t>() < static_cast<uint64_t>(vocabulary);
  };
  if (list.is_null()) return {};
  if (!list.is_array() || !std::all_of(list.begin(), list.end(), is_id)) {
    fields.Wrong(name, absl::StrCat("which is not a list of ids below ", vocabulary));
    return {};
  }
  return list.get<std::vector<int32_t>>();
}

absl::Status ReadSource(JsonFields& file, RnnConfig& config) {
  Section source(file, "source", true, {"start", "end", "reverse", "unknown", "special", "max_tokens"});
  if (!source.given()) return source.Close();
  const int64_t vocabulary = config.source_embedding.vocabulary;
  config.source_start = ReadOptionalId(*source, "start", vocabulary);
  config.source_end = ReadOptionalId(*source, "end", vocabulary);
  config.source_unknown = ReadOptionalId(*source, "unknown", vocabulary);
  config.source_special = ReadIds(*source, "special", vocabulary);
  config.reverse_source = source->Bool("reverse", false);
  config.max_source_tokens = source->Int("max_tokens", kUsualMaxTokens, 4, kMaxRnnTokens);
  return source.Close();
}

absl::Status ReadTarget(JsonFields& file, RnnConfig& config) {
  Section target(file, "target", true, {"start", "end", "unknown", "pad", "special", "max_tokens", "replace_unknown"});
  if (!target.given()) return target.Close();
  const int64_t vocabulary = config.target_embedding.vocabulary;
  if (target->Value("start") != "zeros") {
    config.target_start = static_cast<int32_t>(target->RequiredInt("start", 0, vocabulary - 1));
  }
  config.target_end = static_cast<int32_t>(target->RequiredInt("end", 0, vocabulary - 1));
  config.target_unknown = ReadOptionalId(*target, "unknown", vocabulary);
  config.target_pad = ReadOptionalId(*target, "pad", vocabulary);
  config.target_special = ReadIds(*target, "special", vocabulary);
  config.max_target_tokens = target->Int("max_tokens", kUsualMaxTokens, 4, kMaxRnnTokens);
  config.replace_unknown = target->Bool("replace_unknown", false);
  if (config.replace_unknown && config.attention.when == RnnAttentionTime::kNever) {
    target->Wrong("replace_unknown", "but attention is absent");
  }
  if (config.replace_unknown && !config.target_unknown) target->Wrong("replace_unknown", "but unknown is absent");
  const JsonFields tokenizer = file.Inner("tokenizer");
  if (config.replace_unknown && tokenizer.Has("kind") && tokenizer.Value("kind") != "words") {
    target->Wrong("replace_unknown", absl::StrCat("but tokenizer.kind is ", tokenizer.Shown("kind"),
                                                  ", and only a model of whole words can take one over"));
  }
  return target.Close();
}

// The search starts and ends with the tokens of `target`, whatever other files say.
absl::Status ReadSearch(const std::string& directory, JsonFields& file, RnnConfig& config) {
  SearchRules& search = config.generation.search;
  const int32_t start = config.target_start.value_or(config.target_end);
  search.start = start;
  search.eos = config.target_end;
  HEED_RETURN_IF_ERROR(ReadGenerationConfig(directory, file, config.target_embedding.vocabulary,
                                            config.max_target_tokens, /*heads=*/{}, config.generation));
  const auto contradicts = [&](const char* field, int32_t value, const char* other, int32_t expected) {
    return InvalidArgument(config.generation.path, ": ", field, " is ", value, ", but target.", other,
                           " in config.json is ", expected);
  };
  if (!config.target_start) search.start = start;  // no token: an id of one says nothing
  if (search.start != start) return contradicts("decoder_start_token_id", search.start, "start", start);
  if (search.eos != config.target_end) return contradicts("eos_token_id", search.eos, "end", config.target_end);
  return absl::OkStatus();
}

}  // namespace

bool Holds(const std::vector<RnnPart>& parts, RnnPart part) {
  return std::find(parts.begin(), parts.end(), part) != parts.end();
}

int64_t RnnConfig::WidthOf(RnnPart part) const {
  switch (part) {
    case RnnPart::kEmbedding:
      return target_embedding.width;
    case RnnPart::kState:
    case RnnPart::kInitial:
      return hidden_size;
    case RnnPart::kContext:
      return encoder.width();
    case RnnPart::kContextVector:
    case RnnPart::kFeed:
      return context_vector ? *context_vector->width : hidden_size;
  }
  return 0;
}

int64_t RnnConfig::WidthOf(const std::vector<RnnPart>& parts) const {
  int64_t width = 0;
  for (const RnnPart part : parts) width += WidthOf(part);
  return width;
}

bool RnnConfig::feeds() const { return Holds(decoder_inputs, RnnPart::kFeed); }

absl::StatusOr<RnnConfig> ReadRnnConfig(const std::string& directory, JsonFields& fields) {
  RnnConfig config;
  config.cell = fields.OneOf("cell", kCells, "");
  config.output_bias = fields.Bool("output_bias", true);
  config.tied_embeddings = fields.Bool("tied_embeddings", false);
  config.tied_output = fields.Bool("tied_output", false);
  HEED_RETURN_IF_ERROR(fields.status());
  HEED_RETURN_IF_ERROR(ReadEncoder(fields, config));
  HEED_RETURN_IF_ERROR(ReadAttention(fields, config));
  HEED_RETURN_IF_ERROR(ReadContextVector(fields, config));
  HEED_RETURN_IF_ERROR(ReadDecoder(fields, config));
  if (config.context_vector && config.context_vector->width == 0) config.context_vector->width = config.hidden_size;
  HEED_RETURN_IF_ERROR(ReadInit(fields, config));
  HEED_RETURN_IF_ERROR(ReadReadout(fields, config));
  HEED_RETURN_IF_ERROR(CheckWidths(fields, config));
  HEED_RETURN_IF_ERROR(ReadSource(fields, config));
  HEED_RETURN_IF_ERROR(ReadTarget(fields, config));
  HEED_RETURN_IF_ERROR(ReadSearch(directory, fields, config));
  return config;
}

}  // namespace heed
