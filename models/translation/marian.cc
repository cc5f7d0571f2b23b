#include "models/translation/marian.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/kernels/key_value_cache.h"
#include "models/translation/seq2seq_translator.h"

namespace heed {
namespace {

constexpr float kLayerNormEpsilon = 1e-5f;
constexpr char kOutput[] = "lm_head.weight";

// Vaswani et al. 2017, section 3.5, but all sines before all cosines: P[p][i] = sin(p / 10000^(2i/d)), i < d/2.
Matrix Sinusoids(int64_t positions, int64_t d_model) {
  Matrix table(positions, d_model);
  const int64_t half = d_model / 2;
  for (int64_t p = 0; p < positions; ++p) {
    for (int64_t i = 0; i < half; ++i) {
      const double angle =
          static_cast<double>(p) / std::pow(10000.0, static_cast<double>(2 * i) / static_cast<double>(d_model));
      table.row(p)[i] = static_cast<float>(std::sin(angle));
      table.row(p)[half + i] = static_cast<float>(std::cos(angle));
    }
  }
  return table;
}

}  // namespace

struct MarianNetwork::Memory : DecoderState {
  Memory(std::vector<int32_t> source_tokens, int64_t layers, int64_t slots, int64_t d_model)
      : source(std::move(source_tokens)), past(layers, slots, 2 * d_model) {}

  const std::vector<int32_t> source;
  std::vector<Matrix> cross;  // of each decoder layer: keys and values of the encoder's output, [source, 2 d_model]
  KeyValueCache past;         // of the decoder's self-attention
};

// Reads layers by the names of transformers' MarianMTModel and counts what it reads.
struct MarianNetwork::Loader {
  const MarianConfig& config;
  GemmBackend encoder_backend;
  int64_t weights = 0;
  int64_t bytes = 0;

  absl::StatusOr<Linear> Layer(const WeightScope& scope, std::vector<const char*> names, int64_t out, int64_t in,
                               Activation activation, GemmBackend backend) {
    std::vector<Linear::Part> parts;
    for (const char* name : names) {
      const WeightScope part = scope.Scope(name);
      HEED_ASSIGN_OR_RETURN(const StoredTensor* weight, part.Get("weight", {out, in}));
      HEED_ASSIGN_OR_RETURN(const StoredTensor* bias, part.Get("bias", {out}));
      parts.push_back({weight, bias});
    }
    Linear layer(parts, activation, backend);
    weights += layer.weights();
    bytes += layer.resident_bytes();
    return layer;
  }

  absl::StatusOr<Norm> LayerNormOf(const WeightScope& scope) {
    Norm norm;
    HEED_ASSIGN_OR_RETURN(const StoredTensor* scale, scope.Get("weight", {config.d_model}));
    HEED_ASSIGN_OR_RETURN(const StoredTensor* shift, scope.Get("bias", {config.d_model}));
    norm.scale = ReadFloats(*scale);
    norm.shift = ReadFloats(*shift);
    weights += 2 * config.d_model;
    bytes += 2 * config.d_model * static_cast<int64_t>(sizeof(float));
    return norm;
  }

  absl::StatusOr<SelfAttention> SelfAttentionOf(const WeightScope& scope, GemmBackend backend) {
    const int64_t d = config.d_model;
    SelfAttention attention;
    const WeightScope inner = scope.Scope("self_attn");
    HEED_ASSIGN_OR_RETURN(attention.query_key_value,
                          Layer(inner, {"q_proj", "k_proj", "v_proj"}, d, d, Activation::kNone, backend));
    HEED_ASSIGN_OR_RETURN(attention.out, Layer(inner, {"out_proj"}, d, d, Activation::kNone, backend));
    HEED_ASSIGN_OR_RETURN(attention.norm, LayerNormOf(scope.Scope("self_attn_layer_norm")));
    return attention;
  }

  absl::StatusOr<CrossAttention> CrossAttentionOf(const WeightScope& scope) {
    const int64_t d = config.d_model;
    CrossAttention attention;
    const WeightScope inner = scope.Scope("encoder_attn");
    HEED_ASSIGN_OR_RETURN(attention.query,
                          Layer(inner, {"q_proj"}, d, d, Activation::kNone, PreferredBackend(RowCount::kFew)));
    HEED_ASSIGN_OR_RETURN(attention.key_value,
                          Layer(inner, {"k_proj", "v_proj"}, d, d, Activation::kNone, encoder_backend));
    HEED_ASSIGN_OR_RETURN(attention.out,
                          Layer(inner, {"out_proj"}, d, d, Activation::kNone, PreferredBackend(RowCount::kFew)));
    HEED_ASSIGN_OR_RETURN(attention.norm, LayerNormOf(scope.Scope("encoder_attn_layer_norm")));
    return attention;
  }

  absl::StatusOr<FeedForward> FeedForwardOf(const WeightScope& scope, int64_t inner, GemmBackend backend) {
    FeedForward layer;
    HEED_ASSIGN_OR_RETURN(layer.fc1, Layer(scope, {"fc1"}, inner, config.d_model, config.activation, backend));
    HEED_ASSIGN_OR_RETURN(layer.fc2, Layer(scope, {"fc2"}, config.d_model, inner, Activation::kNone, backend));
    HEED_ASSIGN_OR_RETURN(layer.norm, LayerNormOf(scope.Scope("final_layer_norm")));
    return layer;
  }

  // The file's position table, as checkpoints trained with another formula have it, or else sinusoids.
  absl::StatusOr<Matrix> PositionsOf(const WeightScope& scope) {
    if (!scope.Has("embed_positions.weight")) return Sinusoids(config.max_positions, config.d_model);
    HEED_ASSIGN_OR_RETURN(const StoredTensor* stored,
                          scope.Get("embed_positions.weight", {config.max_positions, config.d_model}));
    Matrix table(config.max_positions, config.d_model);
    const std::vector<float> values = ReadFloats(*stored);
    for (int64_t p = 0; p < config.max_positions; ++p) {
      std::copy_n(values.begin() + p * config.d_model, config.d_model, table.row(p));
    }
    return table;
  }

  // The first of `names` that is there: tied tensors are stored under one of their names, or under several with the
  // same values. Others' values would be lost: transformers 4 takes the shared ones, transformers 5 keeps them apart.
  absl::StatusOr<const StoredTensor*> OneOf(const WeightScope& scope, std::vector<const char*> names,
                                            int64_t vocabulary) {
    const StoredTensor* taken = nullptr;
    const char* taken_name = nullptr;
    for (const char* name : names) {
      if (!scope.Has(name)) continue;
      HEED_ASSIGN_OR_RETURN(const StoredTensor* tensor, scope.Get(name, {vocabulary, config.d_model}));
      if (taken == nullptr) {
        taken = tensor;
        taken_name = name;
        continue;
      }
      const int64_t at = FirstDifference(*taken, *tensor);
      if (at < 0) continue;
      const char* tie = absl::string_view(name) == kOutput ? "tie_word_embeddings" : "share_encoder_decoder_embeddings";
      return absl::InvalidArgumentError(
          absl::StrCat(scope.PathOf(name), ": tensor '", name, "' is ", tensor->ValueAt(at), " at ",
                       PlaceName(at, tensor->shape), ", but '", taken_name, "', to which config.json ties it, is ",
                       taken->ValueAt(at), "; if it counts, set ", tie, " to false, else remove it"));
    }
    return taken != nullptr ? taken : scope.Get(names.front(), {vocabulary, config.d_model});
  }
};

absl::StatusOr<std::unique_ptr<MarianNetwork>> MarianNetwork::Load(const Checkpoint& checkpoint,
                                                                   const MarianConfig& config,
                                                                   GemmBackend encoder_backend) {
  std::unique_ptr<MarianNetwork> network(new MarianNetwork);
  network->config_ = config;
  network->embedding_scale_ = config.scale_embedding ? std::sqrt(static_cast<float>(config.d_model)) : 1.0f;
  Loader loader{config, encoder_backend};
  std::set<std::string> read;
  const WeightScope root(checkpoint, &read);
  const WeightScope encoder = root.Scope("model.encoder");
  const WeightScope decoder = root.Scope("model.decoder");

  const char* source_name = "model.encoder.embed_tokens.weight";
  std::vector<const char*> target_names = {"model.decoder.embed_tokens.weight"};
  if (config.shared_embeddings) target_names = {"model.shared.weight", target_names[0], source_name};
  if (config.tied_output) target_names.push_back(kOutput);
  HEED_ASSIGN_OR_RETURN(const StoredTensor* target, loader.OneOf(root, target_names, config.target_vocabulary));
  const StoredTensor* source = target;
  if (!config.shared_embeddings) {
    HEED_ASSIGN_OR_RETURN(source, loader.OneOf(root, {source_name}, config.source_vocabulary));
  }
  const StoredTensor* output = target;
  if (!config.tied_output) {
    HEED_ASSIGN_OR_RETURN(output, loader.OneOf(root, {kOutput}, config.target_vocabulary));
  }
  std::vector<float> bias;
  if (root.Has("final_logits_bias")) {
    HEED_ASSIGN_OR_RETURN(const StoredTensor* stored, root.Get("final_logits_bias", {1, config.target_vocabulary}));
    bias = ReadFloats(*stored);
    loader.weights += config.target_vocabulary;
  }
  network->output_ = VocabularyProjection(*output, std::move(bias));
  loader.weights += output->size();
  loader.bytes += network->output_.resident_bytes();
  const auto table = [&](const StoredTensor* tensor, PackedPanels& own) {
    if (tensor == output) return &network->output_.panels();
    own = PackRows(*tensor);
    loader.weights += tensor->size();
    loader.bytes += own.bytes();
    return static_cast<const PackedPanels*>(&own);
  };
  network->target_embeddings_ = table(target, network->own_target_embeddings_);
  network->source_embeddings_ =
      source == target ? network->target_embeddings_ : table(source, network->own_source_embeddings_);

  for (int64_t i = 0; i < config.encoder_layers; ++i) {
    const WeightScope scope = encoder.Scope(absl::StrCat("layers.", i));
    EncoderLayer layer;
    HEED_ASSIGN_OR_RETURN(layer.self, loader.SelfAttentionOf(scope, encoder_backend));
    HEED_ASSIGN_OR_RETURN(layer.feed_forward, loader.FeedForwardOf(scope, config.encoder_ffn, encoder_backend));
    network->encoder_.push_back(std::move(layer));
  }
  for (int64_t i = 0; i < config.decoder_layers; ++i) {
    const WeightScope scope = decoder.Scope(absl::StrCat("layers.", i));
    const GemmBackend few = PreferredBackend(RowCount::kFew);
    DecoderLayer layer;
    HEED_ASSIGN_OR_RETURN(layer.self, loader.SelfAttentionOf(scope, few));
    HEED_ASSIGN_OR_RETURN(layer.cross, loader.CrossAttentionOf(scope));
    HEED_ASSIGN_OR_RETURN(layer.feed_forward, loader.FeedForwardOf(scope, config.decoder_ffn, few));
    network->decoder_.push_back(std::move(layer));
  }
  // Last: by now the file has shown that d_model is true.
  HEED_ASSIGN_OR_RETURN(network->source_positions_, loader.PositionsOf(encoder));
  HEED_ASSIGN_OR_RETURN(network->target_positions_, loader.PositionsOf(decoder));
  loader.bytes += network->source_positions_.bytes() + network->target_positions_.bytes();
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    if (read.contains(name)) continue;
    const std::string message = absl::StrCat(checkpoint.PathOf(name), ": tensor '", name, "' ", ShapeName(tensor.shape),
                                             " belongs to nothing that config.json names");
    // What is computed without a layer, or a part of one, is another network's answer.
    if (absl::StartsWith(name, "model.encoder.layers.") || absl::StartsWith(name, "model.decoder.layers.")) {
      return absl::InvalidArgumentError(message);
    }
    network->warnings_.push_back(message);
  }
  network->weights_ = loader.weights;
  network->resident_bytes_ = loader.bytes;
  return network;
}

std::unique_ptr<DecoderState> MarianNetwork::NewMemory(std::vector<int32_t> source, int64_t slots) const {
  return std::make_unique<Memory>(std::move(source), config_.decoder_layers, slots, config_.d_model);
}

int64_t MarianNetwork::MemoryBytes(int64_t source_tokens, int64_t slots, int64_t target_tokens) const {
  const int64_t cross =
      config_.decoder_layers * source_tokens * PaddedStride(2 * config_.d_model) * static_cast<int64_t>(sizeof(float));
  return cross + KeyValueCache::Bytes(config_.decoder_layers, slots, 2 * config_.d_model, target_tokens);
}

int64_t MarianNetwork::step_multiply_adds() const {
  int64_t sum = config_.d_model * config_.target_vocabulary;
  for (const DecoderLayer& layer : decoder_) {
    for (const Linear* linear : {&layer.self.query_key_value, &layer.self.out, &layer.cross.query, &layer.cross.out,
                                 &layer.feed_forward.fc1, &layer.feed_forward.fc2}) {
      sum += linear->in() * linear->out();
    }
  }
  return sum;
}

void MarianNetwork::Embed(const PackedPanels& table, const Matrix& positions, int32_t token, int64_t position,
                          float* x) const {
  table.CopyRow(token, x);
  ScaleAndAdd(x, embedding_scale_, positions.row(position), x, config_.d_model);
}

void MarianNetwork::Normalize(const Norm& norm, MatrixView x, Context& context) const {
  RunRows(context.team, x.rows, 4 * x.cols, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      LayerNorm(x.row(i), x.cols, norm.scale.data(), norm.shift.data(), kLayerNormEpsilon);
    }
  });
}

void MarianNetwork::AddFeedForward(const FeedForward& layer, MatrixView x, Context& context) const {
  Arena::Scope scope(context.arena);
  const MatrixView inner = TakeMatrix(context.arena, x.rows, layer.fc1.out());
  layer.fc1.Apply(x, inner, context);
  layer.fc2.AddTo(inner, x, context);
  Normalize(layer.norm, x, context);
}

// Hidden states of all sentences' tokens, one sentence behind the other, in the caller's arena scope.
MatrixView MarianNetwork::EncodePacked(absl::Span<Memory* const> memories, Context& context) const {
  const int64_t d = config_.d_model;
  struct Token {
    int64_t first;   // row of its sentence's first token
    int64_t length;  // of its sentence
  };
  std::vector<Token> tokens;
  int64_t longest = 0;
  for (const Memory* memory : memories) {
    const int64_t first = static_cast<int64_t>(tokens.size());
    const int64_t length = static_cast<int64_t>(memory->source.size());
    tokens.insert(tokens.end(), memory->source.size(), {first, length});
    longest = std::max(longest, length);
  }
  const int64_t rows = static_cast<int64_t>(tokens.size());
  const MatrixView x = TakeMatrix(context.arena, rows, d);
  Arena::Scope scope(context.arena);
  for (int64_t i = 0, row = 0; i < static_cast<int64_t>(memories.size()); ++i) {
    const std::vector<int32_t>& source = memories[static_cast<size_t>(i)]->source;
    for (size_t p = 0; p < source.size(); ++p, ++row) {
      Embed(*source_embeddings_, source_positions_, source[p], static_cast<int64_t>(p), x.row(row));
    }
  }
  const MatrixView projected = TakeMatrix(context.arena, rows, 3 * d);
  const MatrixView attended = TakeMatrix(context.arena, rows, d);
  for (const EncoderLayer& layer : encoder_) {
    layer.self.query_key_value.Apply(x, projected, context);
    RunRows(context.team, rows, 2 * d * longest, [&](int64_t first, int64_t last) {
      std::vector<const float*> keys, values;
      std::vector<float> scratch(static_cast<size_t>(AttentionScratch(longest)));
      int64_t sentence = -1;
      for (int64_t i = first; i < last; ++i) {
        const Token& token = tokens[static_cast<size_t>(i)];
        if (token.first != sentence) {
          sentence = token.first;
          keys.clear();
          values.clear();
          for (int64_t t = 0; t < token.length; ++t) {
            keys.push_back(projected.row(token.first + t) + d);
            values.push_back(projected.row(token.first + t) + 2 * d);
          }
        }
        AttentionQuery query;
        query.query = projected.row(i);
        query.heads = config_.encoder_heads;
        query.head_dim = d / config_.encoder_heads;
        query.keys = token.length;
        query.key_rows = keys.data();
        query.value_rows = values.data();
        query.scratch = scratch.data();
        query.context = attended.row(i);
        Attend(query);
      }
    });
    layer.self.out.AddTo(attended, x, context);
    Normalize(layer.self.norm, x, context);
    AddFeedForward(layer.feed_forward, x, context);
  }
  return x;
}

void MarianNetwork::Encode(absl::Span<DecoderState* const> sequence_memories, Context& context) const {
  std::vector<Memory*> memories;
  for (DecoderState* memory : sequence_memories) memories.push_back(static_cast<Memory*>(memory));
  Arena::Scope scope(context.arena);
  const MatrixView x = EncodePacked(memories, context);
  const MatrixView projected = TakeMatrix(context.arena, x.rows, 2 * config_.d_model);
  for (const DecoderLayer& layer : decoder_) {
    layer.cross.key_value.Apply(x, projected, context);
    int64_t row = 0;
    for (Memory* memory : memories) {
      Matrix own(static_cast<int64_t>(memory->source.size()), 2 * config_.d_model);
      for (int64_t t = 0; t < own.rows(); ++t, ++row) std::copy_n(projected.row(row), own.cols(), own.row(t));
      memory->cross.push_back(std::move(own));
    }
  }
}

Matrix MarianNetwork::EncoderStates(const std::vector<int32_t>& source, Context& context) const {
  Memory memory(source, config_.decoder_layers, 1, config_.d_model);
  Memory* const memories[] = {&memory};
  Arena::Scope scope(context.arena);
  const MatrixView x = EncodePacked(memories, context);
  Matrix states(x.rows, x.cols);
  for (int64_t i = 0; i < x.rows; ++i) std::copy_n(x.row(i), x.cols, states.row(i));
  return states;
}

void MarianNetwork::Step(absl::Span<const StepRow> rows, absl::Span<const VocabularyQuery> queries,
                         absl::Span<VocabularyAnswer> answers, Context& context) const {
  const int64_t d = config_.d_model;
  const int64_t count = static_cast<int64_t>(rows.size());
  if (count == 0) return;
  Arena::Scope scope(context.arena);
  const MatrixView x = TakeMatrix(context.arena, count, d);
  int64_t max_keys = 0;
  for (int64_t i = 0; i < count; ++i) {
    const StepRow& row = rows[static_cast<size_t>(i)];
    Memory& memory = static_cast<Memory&>(*row.memory);
    memory.past.Reserve(row.position);
    max_keys = std::max({max_keys, static_cast<int64_t>(memory.source.size()), int64_t{row.position} + 1});
    Embed(*target_embeddings_, target_positions_, row.token, row.position, x.row(i));
  }
  const MatrixView projected = TakeMatrix(context.arena, count, 3 * d);
  const MatrixView attended = TakeMatrix(context.arena, count, d);
  // Calls attend(row, query) for each row, with room for max_keys pointers and scores.
  const auto for_each_query = [&](auto attend) {
    RunRows(context.team, count, 2 * d * max_keys, [&](int64_t first, int64_t last) {
      std::vector<const float*> keys(static_cast<size_t>(max_keys)), values(static_cast<size_t>(max_keys));
      std::vector<float> scratch(static_cast<size_t>(AttentionScratch(max_keys)));
      for (int64_t i = first; i < last; ++i) {
        AttentionQuery query;
        query.query = projected.row(i);
        query.heads = config_.decoder_heads;
        query.head_dim = d / config_.decoder_heads;
        query.key_rows = keys.data();
        query.value_rows = values.data();
        query.scratch = scratch.data();
        query.context = attended.row(i);
        attend(i, keys.data(), values.data(), query);
        Attend(query);
      }
    });
  };
  for (size_t l = 0; l < decoder_.size(); ++l) {
    const DecoderLayer& layer = decoder_[l];
    layer.self.query_key_value.Apply(x, projected, context);
    for_each_query([&](int64_t i, const float** keys, const float** values, AttentionQuery& query) {
      const StepRow& row = rows[static_cast<size_t>(i)];
      const KeyValueCache& past = static_cast<const Memory&>(*row.memory).past;
      float* entry = past.Entry(static_cast<int64_t>(l), row.position, row.slot);
      std::copy_n(projected.row(i) + d, 2 * d, entry);
      for (int64_t p = 0; p <= row.position; ++p) {
        const float* at = p == row.position ? entry : past.Entry(static_cast<int64_t>(l), p, row.history[p]);
        keys[p] = at;
        values[p] = at + d;
      }
      query.keys = row.position + 1;
    });
    layer.self.out.AddTo(attended, x, context);
    Normalize(layer.self.norm, x, context);

    layer.cross.query.Apply(x, projected, context);
    for_each_query([&](int64_t i, const float** keys, const float** values, AttentionQuery& query) {
      const StepRow& row = rows[static_cast<size_t>(i)];
      const Matrix& cross = static_cast<const Memory&>(*row.memory).cross[l];
      for (int64_t t = 0; t < cross.rows(); ++t) {
        keys[t] = cross.row(t);
        values[t] = cross.row(t) + d;
      }
      query.keys = cross.rows();
      if (l + 1 == decoder_.size()) query.mean_weights = row.attention;
    });
    layer.cross.out.AddTo(attended, x, context);
    Normalize(layer.cross.norm, x, context);
    AddFeedForward(layer.feed_forward, x, context);
  }
  output_.Apply(x, queries, answers, context);
}

absl::StatusOr<std::shared_ptr<const Translator>> LoadMarian(const std::string& path, const std::string& name) {
  HEED_ASSIGN_OR_RETURN(const MarianConfig config, ReadMarianConfig(path));
  HEED_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(path));
  HEED_ASSIGN_OR_RETURN(std::unique_ptr<MarianNetwork> network, MarianNetwork::Load(checkpoint, config));
  TokenIds ids;
  ids.source_vocabulary = static_cast<int32_t>(config.source_vocabulary);
  ids.target_vocabulary = static_cast<int32_t>(config.target_vocabulary);
  ids.eos = config.search.eos;
  ids.pad = config.pad;
  HEED_ASSIGN_OR_RETURN(MarianTokenizer codec, MarianTokenizer::Load(path, ids));
  ModelSpec spec;
  spec.name = name;
  spec.architecture = "marian";
  spec.warnings = config.warnings;
  spec.warnings.insert(spec.warnings.end(), network->warnings().begin(), network->warnings().end());
  return std::make_shared<const Seq2SeqTranslator>(std::move(spec), std::move(network), std::move(codec), config.search,
                                                   config.default_options);
}

}  // namespace heed
