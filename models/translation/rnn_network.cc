// SPDX-License-Identifier: Apache-2.0
#include "models/translation/rnn_network.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "models/layers/packed_sequence.h"
#include "models/layers/tied_tensors.h"

namespace heed {
namespace {

constexpr TiedName kSourceEmbedding = {"encoder.embedding.weight", "tied_embeddings"};
constexpr TiedName kTargetEmbedding = {"decoder.embedding.weight", ""};
constexpr TiedName kOutput = {"output.weight", "tied_output"};

void Embed(const EmbeddingTable& table, float scale, int32_t token, int64_t width, float* x) {
  table.CopyRow(token, x);
  for (int64_t i = 0; i < width; ++i) x[i] *= scale;
}

}  // namespace

// States are never copied when a beam search reorders its hypotheses: a step reads those of the step before, and writes
// into a second generation of slots.
struct RnnNetwork::Memory : DecoderState {
  Memory(std::vector<int32_t> tokens, int64_t slot_count, int64_t width)
      : source(std::move(tokens)), slots(slot_count), states(1 + 2 * slot_count, width) {}

  // The state that the hypothesis in `slot` has after `position`; position -1 is what the decoder starts with.
  float* State(int64_t position, int64_t slot) {
    return position < 0 ? states.row(0) : states.row(1 + (position % 2) * slots + slot);
  }

  const std::vector<int32_t> source;  // in the order in which the encoder reads it
  const int64_t slots;
  Matrix keys, values;  // [source tokens, ...]; without attention empty
  Matrix states;        // [1 + 2 slots, state_width()]
};

// What a step computes for each of its rows, under the papers' names.
struct RnnNetwork::DecoderRows {
  absl::Span<const StepRow> rows;
  MatrixView embedding;       // e, of the token before
  MatrixView state;           // of all layers, in place: hidden, cell, feed
  MatrixView top_state;       // s, the top layer's hidden state: a part of `state`
  MatrixView feed;            // a part of `state`; without one empty
  MatrixView initial;         // s_0; if nothing uses it, empty
  MatrixView context;         // c
  MatrixView context_vector;  // Luong's attentional vector

  Memory& memory(int64_t i) const { return static_cast<Memory&>(*rows[static_cast<size_t>(i)].memory); }
  ConstMatrixView Part(RnnPart part) const {
    switch (part) {
      case RnnPart::kEmbedding:
        return embedding;
      case RnnPart::kState:
        return top_state;
      case RnnPart::kContext:
        return context;
      case RnnPart::kContextVector:
        return context_vector;
      case RnnPart::kFeed:
        return feed;
      case RnnPart::kInitial:
        return initial;
    }
    return {};
  }
};

absl::StatusOr<std::unique_ptr<RnnNetwork>> RnnNetwork::Load(const Checkpoint& checkpoint, const RnnConfig& config,
                                                             Precision precision) {
  std::unique_ptr<RnnNetwork> network(new RnnNetwork(config));
  const WeightReader root(checkpoint, precision);
  HEED_ASSIGN_OR_RETURN(network->encoder_, RecurrentLayers::Load(root.Scope("encoder.rnn"), config.encoder));
  HEED_ASSIGN_OR_RETURN(network->start_, RnnDecoderStart::Load(root.Scope("init"), network->config_));
  HEED_RETURN_IF_ERROR(network->LoadDecoder(root));
  HEED_RETURN_IF_ERROR(network->LoadEmbeddings(root));
  HEED_RETURN_IF_ERROR(root.CheckAllRead());
  network->weights_ = root.weights();
  network->resident_bytes_ = root.resident_bytes();
  network->quantization_errors_ = root.quantization_errors();
  return network;
}

absl::StatusOr<Linear> RnnNetwork::LoadLayer(const WeightReader& root, const char* name,
                                             const RnnReadoutConfig& layer) const {
  return root.ReadLinear(name, *layer.width, config_.WidthOf(layer.inputs), layer.bias, layer.activation,
                         PreferredBackend(RowCount::kFew));
}

absl::Status RnnNetwork::LoadDecoder(const WeightReader& root) {
  const int64_t hidden = config_.hidden_size, outputs = config_.encoder.width();
  for (int64_t k = 0; k < config_.decoder_layers; ++k) {
    HEED_ASSIGN_OR_RETURN(RecurrentCell cell,
                          RecurrentCell::Load(root.Scope("decoder.rnn"), absl::StrCat("_l", k), config_.cell,
                                              k == 0 ? config_.WidthOf(config_.decoder_inputs) : hidden, hidden));
    decoder_.push_back(std::move(cell));
  }
  if (config_.attention.when == RnnAttentionTime::kBetween) {
    HEED_ASSIGN_OR_RETURN(second_cell_,
                          RecurrentCell::Load(root.Scope("decoder.rnn2"), "_l0", config_.cell, outputs, hidden));
  }
  if (has_attention()) {
    HEED_ASSIGN_OR_RETURN(attention_, RnnAttention::Load(root.Scope("attention"), config_.attention, hidden, outputs));
  }
  if (config_.context_vector) {
    HEED_ASSIGN_OR_RETURN(context_vector_, LoadLayer(root, "context_vector", *config_.context_vector));
  }
  if (config_.readout.width) {
    HEED_ASSIGN_OR_RETURN(readout_, LoadLayer(root, "readout", config_.readout));
  }
  return absl::OkStatus();
}

// Tables of tokens and the output layer, which may be tied to each other.
absl::Status RnnNetwork::LoadEmbeddings(const WeightReader& root) {
  const RnnEmbeddingConfig &source_config = config_.source_embedding, &target_config = config_.target_embedding;
  std::vector<TiedName> target_names = {kTargetEmbedding};
  if (config_.tied_embeddings) target_names.push_back(kSourceEmbedding);
  if (config_.tied_output) target_names.push_back(kOutput);
  HEED_ASSIGN_OR_RETURN(const StoredTensor* target,
                        ReadTied(root, target_names, {target_config.vocabulary, target_config.width}));
  const StoredTensor* source = target;
  if (!config_.tied_embeddings) {
    HEED_ASSIGN_OR_RETURN(source, root.Get(kSourceEmbedding.name, {source_config.vocabulary, source_config.width}));
  }
  const StoredTensor* output = target;
  if (!config_.tied_output) {
    HEED_ASSIGN_OR_RETURN(output, root.Get(kOutput.name, {target_config.vocabulary, config_.readout_width()}));
  }
  std::vector<float> bias;
  if (config_.output_bias) {
    HEED_ASSIGN_OR_RETURN(bias, root.Read("output.bias", {target_config.vocabulary}));
  }
  output_ = VocabularyProjection(*output, std::move(bias), root.precision());
  root.Count(output->size(), output_.resident_bytes());
  root.NoteError("the output layer", output_.relative_error());
  const auto rows_of = [&](const StoredTensor* table, RowTable& own) -> const EmbeddingTable* {
    if (table == output) return &output_;
    own = RowTable(*table);
    root.Count(table->size(), own.bytes());
    return &own;
  };
  target_embeddings_ = rows_of(target, own_target_embeddings_);
  source_embeddings_ = source == target ? target_embeddings_ : rows_of(source, own_source_embeddings_);
  return absl::OkStatus();
}

bool RnnNetwork::Uses(RnnPart part) const {
  return Holds(config_.decoder_inputs, part) || Holds(config_.readout.inputs, part);
}

int64_t RnnNetwork::step_multiply_adds() const {
  int64_t sum = config_.readout_width() * vocabulary() + attention_.multiply_adds();
  for (const RecurrentCell& cell : decoder_) sum += cell.multiply_adds();
  if (second_cell_) sum += second_cell_->multiply_adds();
  for (const std::optional<Linear>* layer : {&context_vector_, &readout_}) {
    if (*layer) sum += (*layer)->in() * (*layer)->out();
  }
  return sum;
}

std::unique_ptr<DecoderState> RnnNetwork::NewMemory(std::vector<int32_t> source, int64_t slots) const {
  if (config_.reverse_source) {
    std::reverse(source.begin() + config_.source_start.has_value(), source.end() - config_.source_end.has_value());
  }
  return std::make_unique<Memory>(std::move(source), slots, state_width());
}

int64_t RnnNetwork::MemoryBytes(int64_t source_tokens, int64_t slots, int64_t) const {
  int64_t floats = (1 + 2 * slots) * PaddedStride(state_width());
  if (has_attention()) {
    floats += source_tokens * PaddedStride(config_.encoder.width());
    if (attention_.has_keys()) floats += source_tokens * PaddedStride(attention_.key_width());
  }
  return floats * static_cast<int64_t>(sizeof(float));
}

void RnnNetwork::Encode(absl::Span<DecoderState* const> memories, Context& context) const {
  if (memories.empty()) return;
  const int64_t count = static_cast<int64_t>(memories.size());
  std::vector<PackedSequence> sentences;
  int64_t rows = 0;
  for (const DecoderState* memory : memories) {
    sentences.push_back({rows, static_cast<int64_t>(static_cast<const Memory*>(memory)->source.size())});
    rows += sentences.back().length;
  }
  Arena::Scope scope(context.arena);
  const MatrixView x = TakeMatrix(context.arena, rows, config_.source_embedding.width);
  for (int64_t i = 0, row = 0; i < count; ++i) {
    for (const int32_t token : static_cast<const Memory*>(memories[static_cast<size_t>(i)])->source) {
      Embed(*source_embeddings_, config_.source_embedding.scale, token, x.cols, x.row(row++));
    }
  }
  const MatrixView outputs = TakeMatrix(context.arena, rows, config_.encoder.width());
  const MatrixView final_hidden = TakeMatrix(context.arena, count, config_.encoder.final_width());
  const MatrixView final_cell = TakeMatrix(context.arena, count, config_.encoder.final_width());
  encoder_.Apply(x, sentences, outputs, final_hidden, final_cell, context);
  const MatrixView states = TakeMatrix(context.arena, count, cell_end());
  start_.Compute({sentences, outputs, final_hidden, final_cell}, states.Cols(0, hidden_end()),
                 states.Cols(hidden_end(), cell_end() - hidden_end()), context);
  MatrixView keys = outputs;
  if (has_attention() && attention_.has_keys()) {
    keys = TakeMatrix(context.arena, rows, attention_.key_width());
    attention_.ComputeKeys(outputs, keys, context);
  }
  const auto rows_of = [](ConstMatrixView from, const PackedSequence& sentence) {
    Matrix own = Matrix::Uninitialized(sentence.length, from.cols);
    for (int64_t t = 0; t < own.rows(); ++t) std::copy_n(from.row(sentence.first + t), own.cols(), own.row(t));
    return own;
  };
  for (int64_t i = 0; i < count; ++i) {
    Memory& memory = static_cast<Memory&>(*memories[static_cast<size_t>(i)]);
    std::copy_n(states.row(i), states.cols, memory.states.row(0));  // the feed starts with zeros
    if (!has_attention()) continue;
    memory.values = rows_of(outputs, sentences[static_cast<size_t>(i)]);
    if (attention_.has_keys()) memory.keys = rows_of(keys, sentences[static_cast<size_t>(i)]);
  }
}

void RnnNetwork::Step(absl::Span<const StepRow> rows, absl::Span<const VocabularyQuery> queries,
                      absl::Span<VocabularyAnswer> answers, Context& context) const {
  if (rows.empty()) return;
  Arena::Scope scope(context.arena);
  DecoderRows step = Begin(rows, context);  // e, s_{t-1}, feed_{t-1}
  switch (config_.attention.when) {
    case RnnAttentionTime::kNever:
      Recur(step, context);  // s_t = RNN(inputs, s_{t-1})
      break;
    case RnnAttentionTime::kBefore:
      Attend(step, context);  // c from s_{t-1}
      Recur(step, context);   // s_t = RNN(inputs with c, s_{t-1})
      break;
    case RnnAttentionTime::kAfter:
      Recur(step, context);   // s_t = RNN(inputs, s_{t-1})
      Attend(step, context);  // c from s_t
      break;
    case RnnAttentionTime::kBetween:
      Recur(step, context);             // s' = RNN(inputs, s_{t-1})
      Attend(step, context);            // c from s'
      RecurWithContext(step, context);  // s_t = RNN2(c, s')
      break;
  }
  if (config_.context_vector) {
    step.context_vector = TakeMatrix(context.arena, step.state.rows, context_vector_->out());
    context_vector_->Apply(SideBySide(config_.context_vector->inputs, step, context), step.context_vector, context);
  }
  End(step);
  output_.Apply(Readout(step, context), queries, answers, context);
}

RnnNetwork::DecoderRows RnnNetwork::Begin(absl::Span<const StepRow> rows, Context& context) const {
  const int64_t count = static_cast<int64_t>(rows.size()), hidden = config_.hidden_size;
  const int64_t top = hidden_end() - hidden;
  DecoderRows step;
  step.rows = rows;
  step.embedding = TakeMatrix(context.arena, count, config_.target_embedding.width);
  step.state = TakeMatrix(context.arena, count, state_width());
  step.top_state = step.state.Cols(top, hidden);
  step.feed = step.state.Cols(cell_end(), state_width() - cell_end());
  if (Uses(RnnPart::kInitial)) step.initial = TakeMatrix(context.arena, count, hidden);
  for (int64_t i = 0; i < count; ++i) {
    const StepRow& row = rows[static_cast<size_t>(i)];
    Memory& memory = step.memory(i);
    if (row.position == 0 && !config_.target_start) {
      std::fill_n(step.embedding.row(i), step.embedding.cols, 0.0f);
    } else {
      Embed(*target_embeddings_, config_.target_embedding.scale, row.token, step.embedding.cols, step.embedding.row(i));
    }
    const int32_t slot_before = row.position == 0 ? 0 : row.history[row.position - 1];
    std::copy_n(memory.State(row.position - 1, slot_before), step.state.cols, step.state.row(i));
    if (step.initial.rows > 0) std::copy_n(memory.State(-1, 0) + top, hidden, step.initial.row(i));
  }
  return step;
}

void RnnNetwork::Recur(DecoderRows& step, Context& context) const {
  const int64_t hidden = config_.hidden_size;
  const Arena::Scope scope(context.arena);
  ConstMatrixView below = SideBySide(config_.decoder_inputs, step, context);
  for (size_t k = 0; k < decoder_.size(); ++k) {
    const int64_t at = static_cast<int64_t>(k) * hidden;
    const MatrixView projected = TakeMatrix(context.arena, step.state.rows, decoder_[k].gates());
    decoder_[k].Project(below, projected, context);
    decoder_[k].Advance([&](int64_t i) -> const float* { return projected.row(i); }, step.state.Cols(at, hidden),
                        step.state.Cols(hidden_end() + at, hidden), context);
    below = step.state.Cols(at, hidden);
  }
}

void RnnNetwork::RecurWithContext(DecoderRows& step, Context& context) const {
  const Arena::Scope scope(context.arena);
  const MatrixView projected = TakeMatrix(context.arena, step.state.rows, second_cell_->gates());
  second_cell_->Project(step.context, projected, context);
  second_cell_->Advance([&](int64_t i) -> const float* { return projected.row(i); }, step.top_state,
                        step.state.Cols(hidden_end(), config_.hidden_size), context);
}

void RnnNetwork::Attend(DecoderRows& step, Context& context) const {
  // What a recurrent network attends to is what it aligns.
  const auto weights_of = [](const StepRow& row) { return row.attention != nullptr ? row.attention : row.alignment; };
  step.context = TakeMatrix(context.arena, step.state.rows, config_.encoder.width());
  int64_t max_tokens = 0;
  for (int64_t i = 0; i < step.state.rows; ++i) max_tokens = std::max(max_tokens, step.memory(i).values.rows());
  attention_.Attend(
      step.top_state, max_tokens,
      [&](int64_t i) -> RnnAttention::Source {
        const Memory& memory = step.memory(i);
        return {attention_.has_keys() ? memory.keys.view() : memory.values.view(), memory.values.view(),
                weights_of(step.rows[static_cast<size_t>(i)])};
      },
      step.context, context);
  for (const StepRow& row : step.rows) {
    float* const weights = weights_of(row);
    if (weights == nullptr) continue;
    const int64_t tokens = static_cast<const Memory*>(row.memory)->values.rows();
    if (config_.reverse_source) {
      std::reverse(weights + config_.source_start.has_value(), weights + tokens - config_.source_end.has_value());
    }
    if (row.alignment != nullptr && row.alignment != weights) std::copy_n(weights, tokens, row.alignment);
  }
}

// Leaves each row's state, with what it feeds to the next step, in its slot.
void RnnNetwork::End(DecoderRows& step) const {
  const MatrixView fed = config_.context_vector ? step.context_vector : step.top_state;
  for (int64_t i = 0; i < step.state.rows; ++i) {
    const StepRow& row = step.rows[static_cast<size_t>(i)];
    std::copy_n(fed.row(i), step.feed.cols, step.feed.row(i));
    std::copy_n(step.state.row(i), step.state.cols, step.memory(i).State(row.position, row.slot));
  }
}

ConstMatrixView RnnNetwork::SideBySide(const std::vector<RnnPart>& parts, const DecoderRows& step,
                                       Context& context) const {
  if (parts.size() == 1) return step.Part(parts.front());
  const MatrixView whole = TakeMatrix(context.arena, step.state.rows, config_.WidthOf(parts));
  int64_t at = 0;
  for (const RnnPart part : parts) {
    const ConstMatrixView from = step.Part(part);
    for (int64_t i = 0; i < whole.rows; ++i) std::copy_n(from.row(i), from.cols, whole.row(i) + at);
    at += from.cols;
  }
  return whole;
}

// What the output layer reads.
ConstMatrixView RnnNetwork::Readout(const DecoderRows& step, Context& context) const {
  const ConstMatrixView parts = SideBySide(config_.readout.inputs, step, context);
  if (!readout_) return parts;
  const MatrixView r = TakeMatrix(context.arena, parts.rows, readout_->out());
  readout_->Apply(parts, r, context);
  return r;
}

}  // namespace heed
