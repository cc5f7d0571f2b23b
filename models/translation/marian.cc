// SPDX-License-Identifier: Apache-2.0
#include "models/translation/marian.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/core/team.h"
#include "engine/kernels/key_value_cache.h"
#include "models/kinds/served_precision.h"
#include "models/layers/attention.h"
#include "models/layers/positions.h"
#include "models/layers/tied_tensors.h"
#include "models/text/marian_tokenizer.h"
#include "models/translation/seq2seq_translator.h"

namespace heed {
namespace {

constexpr float kLayerNormEpsilon = 1e-5f;

}  // namespace

struct MarianNetwork::Memory : DecoderState {
  Memory(std::vector<int32_t> source_tokens, const HeadLayout& layout, CellStorage storage, int64_t layers,
         int64_t slots)
      : source(std::move(source_tokens)),
        cross(layout, storage, layers, 1, CrossPositions(static_cast<int64_t>(source.size()))),
        past(layout, storage, layers, slots) {}

  // Of the cross-attention's cache, which has one block.
  static int64_t CrossPositions(int64_t source_tokens) {
    return (source_tokens + kCellPositions - 1) / kCellPositions * kCellPositions;
  }

  const std::vector<int32_t> source;
  KeyValueCache cross;  // keys and values of the encoder's output, for all hypotheses, once it is encoded
  KeyValueCache past;   // of the decoder's self-attention
};

// Reads layers by the names of transformers' MarianMTModel.
struct MarianNetwork::Loader {
  const MarianConfig& config;
  GemmBackend encoder_backend;

  absl::StatusOr<LayerNormalization> NormOf(const WeightReader& scope, absl::string_view name) {
    return LayerNormalization::Load(scope, name, config.d_model, kLayerNormEpsilon);
  }

  // Queries, keys, values and what is attended have their heads side by side.
  static LinearOrder ToHeads(const HeadLayout& layout) { return {layout.Order(), {}}; }
  static LinearOrder FromHeads(const HeadLayout& layout) { return {{}, layout.Order()}; }

  absl::StatusOr<SelfAttention> SelfAttentionOf(const WeightReader& scope, const HeadLayout& layout,
                                                GemmBackend backend) {
    const int64_t d = config.d_model;
    const WeightReader inner = scope.Scope("self_attn");
    SelfAttention attention;
    HEED_ASSIGN_OR_RETURN(attention.query_key_value, inner.ReadLinears({"q_proj", "k_proj", "v_proj"}, d, d,
                                                                       Activation::kNone, backend, ToHeads(layout)));
    HEED_ASSIGN_OR_RETURN(attention.out,
                          inner.ReadLinears({"out_proj"}, d, d, Activation::kNone, backend, FromHeads(layout)));
    HEED_ASSIGN_OR_RETURN(attention.norm, NormOf(scope, "self_attn_layer_norm"));
    return attention;
  }

  absl::StatusOr<CrossAttention> CrossAttentionOf(const WeightReader& scope, const HeadLayout& layout) {
    const int64_t d = config.d_model;
    const LinearOrder to_heads = ToHeads(layout);
    const GemmBackend few = PreferredBackend(RowCount::kFew);
    const WeightReader inner = scope.Scope("encoder_attn");
    CrossAttention attention;
    HEED_ASSIGN_OR_RETURN(attention.query, inner.ReadLinears({"q_proj"}, d, d, Activation::kNone, few, to_heads));
    HEED_ASSIGN_OR_RETURN(attention.key_value,
                          inner.ReadLinears({"k_proj", "v_proj"}, d, d, Activation::kNone, encoder_backend, to_heads));
    HEED_ASSIGN_OR_RETURN(attention.out,
                          inner.ReadLinears({"out_proj"}, d, d, Activation::kNone, few, FromHeads(layout)));
    HEED_ASSIGN_OR_RETURN(attention.norm, NormOf(scope, "encoder_attn_layer_norm"));
    return attention;
  }

  absl::StatusOr<FeedForwardBlock> FeedForwardOf(const WeightReader& scope, int64_t inner, GemmBackend backend) {
    FeedForwardBlock block;
    HEED_ASSIGN_OR_RETURN(block.layer,
                          FeedForward::Load(scope, "fc1", "fc2", config.d_model, inner, config.activation, backend));
    HEED_ASSIGN_OR_RETURN(block.norm, NormOf(scope, "final_layer_norm"));
    return block;
  }
};

absl::StatusOr<std::unique_ptr<MarianNetwork>> MarianNetwork::Load(const Checkpoint& checkpoint,
                                                                   const MarianConfig& config,
                                                                   GemmBackend encoder_backend, Precision precision) {
  std::unique_ptr<MarianNetwork> network(new MarianNetwork);
  network->config_ = config;
  network->embedding_scale_ = config.scale_embedding ? std::sqrt(static_cast<float>(config.d_model)) : 1.0f;
  network->encoder_layout_ = HeadLayout(config.encoder_heads, config.d_model / config.encoder_heads);
  network->decoder_layout_ = HeadLayout(config.decoder_heads, config.d_model / config.decoder_heads);
  network->cell_storage_ = precision == Precision::kF32 ? CellStorage::kF32 : CellStorage::kF16;
  const WeightReader root(checkpoint, precision);
  HEED_RETURN_IF_ERROR(network->LoadEmbeddings(root));
  Loader loader{config, encoder_backend};
  const WeightReader encoder = root.Scope("model.encoder");
  const WeightReader decoder = root.Scope("model.decoder");
  for (int64_t i = 0; i < config.encoder_layers; ++i) {
    const WeightReader scope = encoder.Scope(absl::StrCat("layers.", i));
    EncoderLayer layer;
    HEED_ASSIGN_OR_RETURN(layer.self, loader.SelfAttentionOf(scope, network->encoder_layout_, encoder_backend));
    HEED_ASSIGN_OR_RETURN(layer.feed_forward, loader.FeedForwardOf(scope, config.encoder_ffn, encoder_backend));
    network->encoder_.push_back(std::move(layer));
  }
  for (int64_t i = 0; i < config.decoder_layers; ++i) {
    const WeightReader scope = decoder.Scope(absl::StrCat("layers.", i));
    const GemmBackend few = PreferredBackend(RowCount::kFew);
    DecoderLayer layer;
    HEED_ASSIGN_OR_RETURN(layer.self, loader.SelfAttentionOf(scope, network->decoder_layout_, few));
    HEED_ASSIGN_OR_RETURN(layer.cross, loader.CrossAttentionOf(scope, network->decoder_layout_));
    HEED_ASSIGN_OR_RETURN(layer.feed_forward, loader.FeedForwardOf(scope, config.decoder_ffn, few));
    network->decoder_.push_back(std::move(layer));
  }
  // Last: by now the file has shown that d_model is true.
  for (auto& [scope, table] :
       {std::pair{&encoder, &network->source_positions_}, {&decoder, &network->target_positions_}}) {
    HEED_ASSIGN_OR_RETURN(*table,
                          ReadPositions(*scope, "embed_positions.weight", config.max_positions, config.d_model));
    scope->Count(0, table->bytes());
  }
  HEED_RETURN_IF_ERROR(network->CheckUnread(root));
  network->SetAlignmentHeads();
  network->weights_ = root.weights();
  network->resident_bytes_ = root.resident_bytes();
  network->quantization_errors_ = root.quantization_errors();
  return network;
}

// Tables of tokens and the output layer, which may be tied to each other.
absl::Status MarianNetwork::LoadEmbeddings(const WeightReader& root) {
  // transformers 4 takes the shared ones of tied tensors, transformers 5 keeps them apart.
  const TiedName source_name = {"model.encoder.embed_tokens.weight", "share_encoder_decoder_embeddings"};
  const TiedName target_name = {"model.decoder.embed_tokens.weight", "share_encoder_decoder_embeddings"};
  const TiedName output_name = {"lm_head.weight", "tie_word_embeddings"};
  std::vector<TiedName> target_names = {target_name};
  if (config_.shared_embeddings) {
    target_names = {{"model.shared.weight", target_name.field}, target_name, source_name};
  }
  if (config_.tied_output) target_names.push_back(output_name);
  const std::vector<int64_t> target_shape = {config_.target_vocabulary, config_.d_model};
  HEED_ASSIGN_OR_RETURN(const StoredTensor* target, ReadTied(root, target_names, target_shape));
  const StoredTensor* source = target;
  if (!config_.shared_embeddings) {
    HEED_ASSIGN_OR_RETURN(source, root.Get(source_name.name, {config_.source_vocabulary, config_.d_model}));
  }
  const StoredTensor* output = target;
  if (!config_.tied_output) {
    HEED_ASSIGN_OR_RETURN(output, root.Get(output_name.name, target_shape));
  }
  std::vector<float> bias;
  if (root.Has("final_logits_bias")) {
    HEED_ASSIGN_OR_RETURN(bias, root.Read("final_logits_bias", {1, config_.target_vocabulary}));
  }
  output_ = VocabularyProjection(*output, std::move(bias), root.precision());
  root.Count(output->size(), output_.resident_bytes());
  root.NoteError("the output layer", output_.relative_error());
  const auto table = [&](const StoredTensor* tensor, RowTable& own) -> const EmbeddingTable* {
    if (tensor == output) return &output_;
    own = RowTable(*tensor);
    root.Count(tensor->size(), own.bytes());
    return &own;
  };
  target_embeddings_ = table(target, own_target_embeddings_);
  source_embeddings_ = source == target ? target_embeddings_ : table(source, own_source_embeddings_);
  return absl::OkStatus();
}

absl::Status MarianNetwork::CheckUnread(const WeightReader& root) {
  for (const std::string& name : root.Unread()) {
    // What is computed without a layer, or a part of one, is another network's answer.
    if (absl::StartsWith(name, "model.encoder.layers.") || absl::StartsWith(name, "model.decoder.layers.")) {
      return absl::InvalidArgumentError(root.DescribeUnread(name));
    }
    warnings_.push_back(root.DescribeUnread(name));
  }
  return absl::OkStatus();
}

void MarianNetwork::SetAlignmentHeads() {
  alignment_heads_.resize(decoder_.size());
  for (const AlignmentHead& head : config_.generation.alignment_heads) {
    alignment_heads_[static_cast<size_t>(head.layer)].push_back(head.head);
  }
  alignment_divisor_ = static_cast<float>(config_.generation.alignment_heads.size());
  if (!config_.generation.alignment_heads.empty()) return;
  // The head that Marian trains with guided alignments, and that CTranslate2 takes.
  alignment_heads_.back().push_back(0);
  alignment_divisor_ = 1;
}

std::unique_ptr<DecoderState> MarianNetwork::NewMemory(std::vector<int32_t> source, int64_t slots) const {
  return std::make_unique<Memory>(std::move(source), decoder_layout_, cell_storage_, config_.decoder_layers, slots);
}

int64_t MarianNetwork::MemoryBytes(int64_t source_tokens, int64_t slots, int64_t target_tokens) const {
  const int64_t layers = config_.decoder_layers, cross = Memory::CrossPositions(source_tokens);
  return KeyValueCache::Bytes(decoder_layout_, cell_storage_, layers, 1, cross, cross) +
         KeyValueCache::Bytes(decoder_layout_, cell_storage_, layers, slots, target_tokens);
}

int64_t MarianNetwork::step_multiply_adds() const {
  int64_t sum = config_.d_model * config_.target_vocabulary;
  for (const DecoderLayer& layer : decoder_) {
    for (const Linear* linear : {&layer.self.query_key_value, &layer.self.out, &layer.cross.query, &layer.cross.out}) {
      sum += linear->in() * linear->out();
    }
    sum += layer.feed_forward.layer.multiply_adds();
  }
  return sum;
}

void MarianNetwork::Embed(const EmbeddingTable& table, const Matrix& positions, int32_t token, int64_t position,
                          float* x) const {
  table.CopyRow(token, x);
  ScaleAndAdd(x, embedding_scale_, positions.row(position), x, config_.d_model);
}

// Hidden states of all sentences' tokens, one sentence behind the other, in the caller's arena scope.
MatrixView MarianNetwork::EncodePacked(absl::Span<Memory* const> memories, Context& context) const {
  const int64_t d = config_.d_model;
  std::vector<PackedSequence> sentences;
  int64_t rows = 0;
  for (const Memory* memory : memories) {
    sentences.push_back({rows, static_cast<int64_t>(memory->source.size())});
    rows += sentences.back().length;
  }
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
    AttendWithinSequences(projected, sentences, encoder_layout_, attended, context);
    layer.self.out.AddTo(attended, x, context);
    layer.self.norm.Apply(x, context);
    layer.feed_forward.layer.AddTo(x, context);
    layer.feed_forward.norm.Apply(x, context);
  }
  return x;
}

void MarianNetwork::Encode(absl::Span<DecoderState* const> sequence_memories, Context& context) const {
  std::vector<Memory*> memories;
  for (DecoderState* memory : sequence_memories) memories.push_back(static_cast<Memory*>(memory));
  Arena::Scope scope(context.arena);
  const MatrixView x = EncodePacked(memories, context);
  const int64_t d = config_.d_model;
  const MatrixView projected = TakeMatrix(context.arena, x.rows, 2 * d);
  std::vector<std::pair<const Memory*, int64_t>> places;  // each row's sentence, and its position there
  for (Memory* memory : memories) {
    const int64_t tokens = static_cast<int64_t>(memory->source.size());
    memory->cross.Reserve(tokens - 1);
    for (int64_t t = 0; t < tokens; ++t) places.emplace_back(memory, t);
  }
  for (size_t l = 0; l < decoder_.size(); ++l) {
    const int64_t layer = static_cast<int64_t>(l);
    decoder_[l].cross.key_value.Apply(x, projected, context);
    RunRows(context.team, x.rows, 2 * d, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const auto& [memory, t] = places[static_cast<size_t>(i)];
        StoreCells(decoder_layout_, cell_storage_, projected.row(i), memory->cross.Key(layer, t, 0));
        StoreCells(decoder_layout_, cell_storage_, projected.row(i) + d, memory->cross.Value(layer, t, 0));
      }
    });
  }
}

Matrix MarianNetwork::EncoderStates(const std::vector<int32_t>& source, Context& context) const {
  Memory memory(source, decoder_layout_, cell_storage_, config_.decoder_layers, 1);
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
  std::vector<RowsOfKeys> own;      // what each row attends to of its past
  std::vector<RowsOfKeys> sources;  // each sentence's hypotheses, to its source
  for (int64_t i = 0; i < count; ++i) {
    const StepRow& row = rows[static_cast<size_t>(i)];
    Memory& memory = static_cast<Memory&>(*row.memory);
    memory.past.Reserve(row.position);
    own.push_back({i, 1, int64_t{row.position} + 1});
    if (i > 0 && row.memory == rows[static_cast<size_t>(i) - 1].memory) {
      ++sources.back().rows;
    } else {
      sources.push_back({i, 1, static_cast<int64_t>(memory.source.size())});
    }
    Embed(*target_embeddings_, target_positions_, row.token, row.position, x.row(i));
    if (row.alignment != nullptr) std::fill_n(row.alignment, memory.source.size(), 0.0f);
  }
  const MatrixView projected = TakeMatrix(context.arena, count, 3 * d);
  const MatrixView attended = TakeMatrix(context.arena, count, d);
  const auto attend = [&](absl::Span<const RowsOfKeys> parts, const SomeHeads& some_heads, PointAtCells point) {
    AttendToCells(projected, parts, decoder_layout_, cell_storage_, attended, point, context, some_heads);
  };
  for (size_t l = 0; l < decoder_.size(); ++l) {
    const DecoderLayer& layer = decoder_[l];
    layer.self.query_key_value.Apply(x, projected, context);
    attend(own, {}, [&](size_t i, const PartCells& cells) {
      const StepRow& row = rows[i];
      const KeyValueCache& past = static_cast<const Memory&>(*row.memory).past;
      const float* from = projected.row(static_cast<int64_t>(i));
      void* const key = past.Key(static_cast<int64_t>(l), row.position, row.slot);
      void* const value = past.Value(static_cast<int64_t>(l), row.position, row.slot);
      StoreCells(decoder_layout_, cell_storage_, from + d, key);
      StoreCells(decoder_layout_, cell_storage_, from + 2 * d, value);
      past.PointAt(static_cast<int64_t>(l), row.position, row.history, cells.keys, cells.values);
      cells.keys[row.position] = key;
      cells.values[row.position] = value;
    });
    layer.self.out.AddTo(attended, x, context);
    layer.self.norm.Apply(x, context);

    layer.cross.query.Apply(x, projected, context);
    const SomeHeads aligning = {alignment_heads_[l], alignment_divisor_};
    attend(sources, aligning, [&](size_t part, const PartCells& cells) {
      const RowsOfKeys& of = sources[part];
      const KeyValueCache& cross = static_cast<const Memory&>(*rows[static_cast<size_t>(of.first)].memory).cross;
      cross.PointAt(static_cast<int64_t>(l), of.keys, nullptr, cells.keys, cells.values);
      for (int64_t i = 0; i < of.rows; ++i) {
        const StepRow& row = rows[static_cast<size_t>(of.first + i)];
        if (l + 1 == decoder_.size()) cells.mean_weights[i] = row.attention;
        if (!aligning.heads.empty()) cells.head_weights[i] = row.alignment;
      }
    });
    layer.cross.out.AddTo(attended, x, context);
    layer.cross.norm.Apply(x, context);
    layer.feed_forward.layer.AddTo(x, context);
    layer.feed_forward.norm.Apply(x, context);
  }
  output_.Apply(x, queries, answers, context);
}

absl::StatusOr<std::shared_ptr<const Translator>> LoadMarian(const std::string& path, const std::string& name,
                                                             Precision precision) {
  HEED_ASSIGN_OR_RETURN(const MarianConfig config, ReadMarianConfig(path));
  HEED_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(path));
  HEED_ASSIGN_OR_RETURN(
      std::unique_ptr<MarianNetwork> network,
      MarianNetwork::Load(checkpoint, config, PreferredBackend(RowCount::kMany), PrecisionHere(precision)));
  TokenIds ids;
  ids.source_vocabulary = static_cast<int32_t>(config.source_vocabulary);
  ids.target_vocabulary = static_cast<int32_t>(config.target_vocabulary);
  ids.eos = config.generation.search.eos;
  ids.pad = config.pad;
  HEED_ASSIGN_OR_RETURN(MarianTokenizer codec, MarianTokenizer::Load(path, ids));
  ModelSpec spec;
  spec.name = name;
  spec.architecture = "marian";
  spec.warnings = config.generation.warnings;
  spec.warnings.insert(spec.warnings.end(), network->warnings().begin(), network->warnings().end());
  NotePrecision(precision, spec);
  return std::make_shared<const Seq2SeqTranslator>(std::move(spec), std::move(network),
                                                   std::make_unique<MarianTokenizer>(std::move(codec)),
                                                   config.generation.search, config.generation.default_options);
}

}  // namespace heed
