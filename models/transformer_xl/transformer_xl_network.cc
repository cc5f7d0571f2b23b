// SPDX-License-Identifier: Apache-2.0
#include "models/transformer_xl/transformer_xl_network.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "files/tensor_values.h"
#include "models/layers/tied_tensors.h"
#include "models/transformer_xl/vocabulary_loader.h"

namespace heed {
namespace {

// One segment for all tokens that a stream can have.
constexpr int64_t kOneSegment = int64_t{1} << 40;
// A reading of a long text is taken in stretches of at most so many tokens: MemoryBytes counts on it.
constexpr int64_t kStretchTokens = 1024;

}  // namespace

// Reads layers by the names of transformers' TransfoXLModel.
struct TransformerXlNetwork::Loader {
  const TransformerXlConfig& config;
  const WeightReader root;
  const WeightReader scope;  // with "transformer." before its names, if the file has that

  absl::StatusOr<std::vector<float>> Bias(const std::string& layer, const char* name) {
    const std::string own = absl::StrCat(layer, ".dec_attn.", name);
    const std::vector<int64_t> shape = {config.heads, config.head_dim};
    if (config.untie_r) return scope.Read(own, shape);
    // One pair for all layers, which may be there under the network's name, under each layer's, or both.
    std::vector<std::string> names = {name};
    for (int64_t i = 0; i < config.layers; ++i) names.push_back(absl::StrCat("layers.", i, ".dec_attn.", name));
    std::vector<TiedName> tied;
    for (const std::string& one : names) tied.push_back({one.c_str(), "untie_r"});
    HEED_ASSIGN_OR_RETURN(const StoredTensor* bias, ReadTied(scope, tied, shape));
    return ReadFloats(*bias);
  }

  absl::StatusOr<Layer> LayerOf(int64_t index, std::vector<PackedPanels>& position_projections) {
    const int64_t d = config.d_model, width = config.width();
    const std::string name = absl::StrCat("layers.", index);
    const WeightReader attention = scope.Scope(name).Scope("dec_attn"), feed = scope.Scope(name).Scope("pos_ff");
    Layer layer;
    HEED_ASSIGN_OR_RETURN(layer.query_key_value, attention.ReadLinearOf("qkv_net.weight", "", 3 * width, d,
                                                                        Activation::kNone, GemmBackend::kPacked));
    HEED_ASSIGN_OR_RETURN(
        layer.out, attention.ReadLinearOf("o_net.weight", "", d, width, Activation::kNone, GemmBackend::kPacked));
    HEED_ASSIGN_OR_RETURN(const StoredTensor* positions, attention.Get("r_net.weight", {width, d}));
    position_projections.push_back(PackRows(*positions));
    root.Count(positions->size(), 0);
    RelativeAttentionWeights& own = layer.attention;
    own.layer = index;
    own.heads = config.heads;
    own.head_dim = config.head_dim;
    HEED_ASSIGN_OR_RETURN(own.content_bias, Bias(name, "r_w_bias"));
    HEED_ASSIGN_OR_RETURN(own.position_bias, Bias(name, "r_r_bias"));
    HEED_ASSIGN_OR_RETURN(layer.attention_norm,
                          LayerNormalization::Load(attention, "layer_norm", d, config.norm_epsilon));
    HEED_ASSIGN_OR_RETURN(
        layer.inner, feed.ReadLinear("CoreNet.0", config.d_inner, d, true, Activation::kRelu, GemmBackend::kPacked));
    HEED_ASSIGN_OR_RETURN(
        layer.outer, feed.ReadLinear("CoreNet.3", d, config.d_inner, true, Activation::kNone, GemmBackend::kPacked));
    HEED_ASSIGN_OR_RETURN(layer.feed_forward_norm,
                          LayerNormalization::Load(feed, "layer_norm", d, config.norm_epsilon));
    if (config.pre_norm && config.zeros_before) HEED_RETURN_IF_ERROR(ProjectZeros(attention, layer));
    return layer;
  }

  // Key and value of a row of zeros, whose norm is the norm's bias.
  absl::Status ProjectZeros(const WeightReader& attention, Layer& layer) {
    const int64_t d = config.d_model, width = config.width();
    HEED_ASSIGN_OR_RETURN(const std::vector<float> shift, attention.Read("layer_norm.bias", {d}));
    Matrix projected(1, layer.query_key_value.out());
    Context context(1);
    layer.query_key_value.Apply({shift.data(), 1, d, d}, projected.view(), context);
    layer.attention.zero_key.assign(projected.row(0) + width, projected.row(0) + 2 * width);
    layer.attention.zero_value.assign(projected.row(0) + 2 * width, projected.row(0) + 3 * width);
    return absl::OkStatus();
  }

  // f of the positions: as the file has them, if it does.
  absl::StatusOr<std::vector<float>> Frequencies() {
    if (!scope.Has("pos_emb.inv_freq")) return PositionFrequencies(config.d_model);
    HEED_ASSIGN_OR_RETURN(const StoredTensor* stored, scope.Get("pos_emb.inv_freq", {config.d_model / 2}));
    return ReadFloats(*stored);
  }
};

absl::StatusOr<std::unique_ptr<TransformerXlNetwork>> TransformerXlNetwork::Load(const Checkpoint& checkpoint,
                                                                                 const TransformerXlConfig& config,
                                                                                 Precision precision) {
  std::unique_ptr<TransformerXlNetwork> network(new TransformerXlNetwork);
  network->config_ = config;
  const WeightReader root(checkpoint, precision);
  const bool bare = root.Has("layers.0.dec_attn.qkv_net.weight");
  Loader loader{network->config_, root, bare ? root : root.Scope("transformer")};
  VocabularyLoader vocabulary(network->config_, root, bare ? "" : "transformer.");
  if (vocabulary.HasOutput()) {
    HEED_ASSIGN_OR_RETURN(std::vector<AdaptiveBin> bins, vocabulary.ReadOutput());
    network->softmax_.emplace(std::move(bins));
  }
  HEED_ASSIGN_OR_RETURN(std::vector<AdaptiveEmbedding::Bin> bins,
                        vocabulary.ReadEmbeddings(network->softmax_ ? &network->softmax_->bins() : nullptr,
                                                  network->embedding_tables_, network->embedding_projections_));
  network->embedding_ = AdaptiveEmbedding(std::move(bins), std::sqrt(static_cast<float>(config.d_model)));
  std::vector<PackedPanels> position_projections;
  for (int64_t i = 0; i < config.layers; ++i) {
    HEED_ASSIGN_OR_RETURN(Layer layer, loader.LayerOf(i, position_projections));
    network->layers_.push_back(std::move(layer));
  }
  if (root.Has("score.weight")) {
    HEED_ASSIGN_OR_RETURN(const StoredTensor* score, root.Get("score.weight", {-1, config.d_model}));
    const Linear::Part part = {score, nullptr};
    network->classifier_.emplace(absl::MakeConstSpan(&part, 1), Activation::kNone, GemmBackend::kPacked);
    root.Count(score->size(), network->classifier_->resident_bytes());
  }
  HEED_ASSIGN_OR_RETURN(std::vector<float> frequencies, loader.Frequencies());
  HEED_RETURN_IF_ERROR(root.CheckAllRead());
  // By now the file has shown that the sizes are true.
  network->positions_ =
      std::make_unique<RelativePositions>(std::move(position_projections), std::move(frequencies), config.heads,
                                          config.MaxDistance(), config.mem_len + config.segment_tokens);
  network->weights_ = root.weights();
  network->resident_bytes_ = root.resident_bytes();
  network->quantization_errors_ = root.quantization_errors();
  return network;
}

TransformerXlMemoryShape TransformerXlNetwork::MemoryShape() const {
  TransformerXlMemoryShape shape;
  shape.layers = config_.layers;
  shape.heads = config_.heads;
  shape.head_dim = config_.head_dim;
  shape.d_model = config_.d_model;
  shape.mem_len = config_.mem_len;
  shape.same_length = config_.same_length;
  shape.zeros_before = config_.zeros_before;
  return shape;
}

std::unique_ptr<TextMemory> TransformerXlNetwork::NewMemory(const MemoryOptions& options) const {
  const int64_t segment = options.segment_tokens > 0 ? options.segment_tokens : config_.segment_tokens;
  return std::make_unique<TransformerXlMemory>(MemoryShape(), segment, options.as_hugging_face && !config_.same_length);
}

std::unique_ptr<TextMemory> TransformerXlNetwork::NewMemoryOfOneSegment() const {
  return std::make_unique<TransformerXlMemory>(MemoryShape(), kOneSegment, false);
}

absl::StatusOr<std::unique_ptr<TextMemory>> TransformerXlNetwork::ParseMemory(absl::string_view bytes) const {
  return TransformerXlMemory::Parse(MemoryShape(), bytes);
}

int64_t TransformerXlNetwork::MemoryBytes(int64_t, int64_t tokens) const {
  const int64_t held = config_.same_length ? std::min(tokens, config_.mem_len + kStretchTokens) : tokens;
  const int64_t rows = std::min(tokens, kStretchTokens);
  const int64_t blocks = held / kBlockKeys + 2;  // one that is copied, and one that is not full
  const int64_t row_floats = 4 * PaddedStride(config_.d_model) + PaddedStride(3 * config_.width()) +
                             PaddedStride(config_.width()) + PaddedStride(config_.d_inner);
  return blocks * MemoryShape().block_bytes() + rows * row_floats * static_cast<int64_t>(sizeof(float)) +
         (softmax_ ? softmax_->scratch_bytes() : 0);
}

int64_t TransformerXlNetwork::step_bytes() const {
  int64_t bytes = positions_->resident_bytes();
  for (const Layer& layer : layers_) {
    for (const Linear* linear : {&layer.query_key_value, &layer.out, &layer.inner, &layer.outer}) {
      bytes += linear->resident_bytes();
    }
  }
  return bytes + (softmax_ ? softmax_->bins()[0].panels.bytes() : 0);
}

int64_t TransformerXlNetwork::memory_step_bytes() const {
  return config_.mem_len * MemoryShape().block_bytes() / kBlockKeys;
}

// One call of Read or ReadHiddenStates.
class TransformerXlNetwork::Step {
 public:
  Step(const TransformerXlNetwork& network, absl::Span<const Reading> readings, Context& context)
      : network_(network), config_(network.config_), readings_(readings), context_(context) {
    int64_t farthest = 0;
    for (const Reading& reading : readings) {
      auto* memory = static_cast<TransformerXlMemory*>(reading.memory);
      const int64_t count = static_cast<int64_t>(reading.tokens.size());
      memory->Reserve(count);
      streams_.push_back({memory, rows_, count, memory->tokens_read()});
      rows_ += count;
      tokens_.insert(tokens_.end(), reading.tokens.begin(), reading.tokens.end());
      // Distances grow within a segment, and the longest may be that of any of its tokens.
      for (int64_t p = memory->tokens_read(); p < memory->tokens_read() + count; ++p) {
        farthest = std::max(farthest, p - memory->FirstSeen(p));
      }
      // What the token read last saw may be asked for.
      const int64_t last = memory->tokens_read() - 1;
      if (last >= 0) farthest = std::max(farthest, last - memory->FirstSeen(last));
    }
    positions_ = network.positions_->Table(farthest);
  }

  void Run(absl::Span<const HiddenStates> wanted) {
    Arena::Scope scope(context_.arena);
    x_ = TakeMatrix(context_.arena, rows_, config_.d_model);
    projected_ = TakeMatrix(context_.arena, rows_, 3 * config_.width());
    attended_ = TakeMatrix(context_.arena, rows_, config_.width());
    inner_ = TakeMatrix(context_.arena, rows_, config_.d_inner);
    if (config_.pre_norm) normal_ = TakeMatrix(context_.arena, rows_, config_.d_model);
    if (rows_ > 0) {
      network_.embedding_.Embed(tokens_, x_, context_);
      CopyStates(wanted, 0);
      for (const Layer& layer : network_.layers_) {
        RunLayer(layer);
        CopyStates(wanted, layer.attention.layer + 1);
      }
    }
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (wanted[i].attention == nullptr) continue;
      wanted[i].attention->clear();
      for (int64_t k = wanted[i].attention_from; k < streams_[i].count; ++k) {
        wanted[i].attention->push_back(Attention(streams_[i], k + 1));
      }
    }
    AnswerQueries();
    for (const StreamRows& stream : streams_) Finish(stream);
  }

 private:
  // x as a layer reads it: itself, or normalized.
  ConstMatrixView Input(const LayerNormalization& norm) {
    if (!config_.pre_norm) return x_;
    for (int64_t i = 0; i < rows_; ++i) std::copy_n(x_.row(i), x_.cols, normal_.row(i));
    norm.Apply(normal_, context_);
    return normal_;
  }

  void RunLayer(const Layer& layer) {
    layer.query_key_value.Apply(Input(layer.attention_norm), projected_, context_);
    KeepKeysAndValues(layer.attention, projected_, streams_, context_);
    AttendRelatively(layer.attention, *positions_, projected_, streams_, attended_, context_);
    layer.out.AddTo(attended_, x_, context_);
    if (!config_.pre_norm) layer.attention_norm.Apply(x_, context_);
    layer.inner.Apply(Input(layer.feed_forward_norm), inner_, context_);
    layer.outer.AddTo(inner_, x_, context_);
    if (!config_.pre_norm) layer.feed_forward_norm.Apply(x_, context_);
  }

  void CopyStates(absl::Span<const HiddenStates> wanted, int64_t layer) {
    for (size_t i = 0; i < wanted.size(); ++i) {
      for (int64_t k = 0; k < streams_[i].count && wanted[i].layer == layer; ++k) {
        std::copy_n(x_.row(streams_[i].first + k), x_.cols, wanted[i].states.row(k));
      }
    }
  }

  // Of the token that `after` tokens of the reading end with; 0: the one that was read last before it.
  const float* Hidden(const StreamRows& stream, int64_t after) const {
    return after == 0 ? stream.memory->last_hidden().data() : x_.row(stream.first + after - 1);
  }
  std::vector<float> Attention(const StreamRows& stream, int64_t after) const {
    const float* query = after == 0 ? stream.memory->last_query().data() : projected_.row(stream.first + after - 1);
    return MeanAttention(network_.layers_.back().attention, *positions_, query, *stream.memory,
                         stream.position + after - 1);
  }

  void AnswerQueries() {
    std::vector<const NextTokenQuery*> queries;
    std::vector<NextTokenAnswer*> answers;
    std::vector<const float*> hidden;
    for (size_t i = 0; i < readings_.size(); ++i) {
      for (size_t k = 0; k < readings_[i].queries.size(); ++k) {
        const NextTokenQuery& query = readings_[i].queries[k];
        HEED_CHECK(streams_[i].position + query.after > 0);
        queries.push_back(&query);
        answers.push_back(&readings_[i].answers[k]);
        hidden.push_back(Hidden(streams_[i], query.after));
        if (query.attention != nullptr) *query.attention = Attention(streams_[i], query.after);
      }
    }
    if (queries.empty()) return;
    HEED_CHECK(network_.softmax_.has_value());
    const MatrixView rows = TakeMatrix(context_.arena, static_cast<int64_t>(queries.size()), config_.d_model);
    for (size_t i = 0; i < hidden.size(); ++i) {
      std::copy_n(hidden[i], config_.d_model, rows.row(static_cast<int64_t>(i)));
    }
    network_.softmax_->Answer(rows, queries, answers, context_);
  }

  void Finish(const StreamRows& stream) {
    if (stream.count == 0) return;
    const int64_t last = stream.first + stream.count - 1;
    stream.memory->last_hidden().assign(x_.row(last), x_.row(last) + config_.d_model);
    stream.memory->last_query().assign(projected_.row(last), projected_.row(last) + config_.width());
    stream.memory->Advance(stream.count);
  }

  const TransformerXlNetwork& network_;
  const TransformerXlConfig& config_;
  const absl::Span<const Reading> readings_;
  Context& context_;
  std::vector<StreamRows> streams_;  // of each reading
  std::vector<int32_t> tokens_;      // of all rows
  int64_t rows_ = 0;
  std::shared_ptr<const PositionTable> positions_;
  MatrixView x_;          // [rows, d_model] the hidden states
  MatrixView projected_;  // [rows, 3 width] queries, keys and values
  MatrixView attended_;   // [rows, width]
  MatrixView inner_;      // [rows, d_inner]
  MatrixView normal_;     // [rows, d_model] the hidden states normalized, with pre_norm
};

void TransformerXlNetwork::Read(absl::Span<const Reading> readings, Context& context) const {
  Step(*this, readings, context).Run({});
}

void TransformerXlNetwork::ReadHiddenStates(absl::Span<const Reading> readings, absl::Span<const HiddenStates> wanted,
                                            Context& context) const {
  Step(*this, readings, context).Run(wanted);
}

}  // namespace heed
