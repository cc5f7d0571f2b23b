// SPDX-License-Identifier: Apache-2.0
#include "models/xlnet/xlnet_network.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "engine/core/team.h"
#include "files/tensor_values.h"
#include "models/layers/tied_tensors.h"

namespace heed {
namespace {

// That pass the same keys together.
constexpr int64_t kRowsTogether = 8;

// A tensor [d_model, heads, head_dim] that is applied as x W.
absl::StatusOr<std::vector<float>> ReadTransposed(const WeightReader& scope, absl::string_view name,
                                                  const XlnetConfig& config) {
  const int64_t d = config.d_model;
  HEED_ASSIGN_OR_RETURN(const StoredTensor* tensor, scope.Get(name, {d, config.heads, config.head_dim()}));
  const std::vector<float> from = ReadFloats(*tensor);
  std::vector<float> to(from.size());
  for (int64_t in = 0; in < d; ++in) {
    for (int64_t out = 0; out < d; ++out) {
      to[static_cast<size_t>(out * d + in)] = from[static_cast<size_t>(in * d + out)];
    }
  }
  return to;
}

Linear MakeCounted(const WeightReader& scope, const std::vector<float>& weight, int64_t out) {
  Linear layer = MakeLinear(weight, std::vector<float>(static_cast<size_t>(out)), Activation::kNone,
                            PreferredBackend(RowCount::kFew));
  scope.Count(static_cast<int64_t>(weight.size()), layer.resident_bytes());
  return layer;
}

absl::StatusOr<Linear> ReadProjection(const WeightReader& scope, absl::string_view name, const XlnetConfig& config) {
  HEED_ASSIGN_OR_RETURN(const std::vector<float> weight, ReadTransposed(scope, name, config));
  return MakeCounted(scope, weight, config.d_model);
}

}  // namespace

// The rows of a call of Run, as they are packed: content rows that are no outputs, content rows that are, query rows.
struct XlnetNetwork::Batch {
  struct Row {
    const XlnetPass* pass;
    const XlnetRow* row;
    int32_t stream;  // the pass's index
    int64_t output;  // its place among the outputs; -1: none
  };
  // A pass's keys, from the first held on.
  struct Keys {
    int64_t first = 0;
    std::vector<int64_t> positions;
    std::vector<uint8_t> types;
    std::vector<int64_t> packed;  // of each content row: its place among the packed rows
  };

  explicit Batch(absl::Span<XlnetPass> passes);

  int64_t size() const { return static_cast<int64_t>(rows.size()); }

  absl::Span<const XlnetPass> passes;
  std::vector<Row> rows;
  std::vector<Keys> keys;
  int64_t hidden_contents = 0;  // content rows that are no outputs
  int64_t contents = 0;
  int64_t max_keys = 1;  // that a row sees
  int64_t least_distance = 0, most_distance = 0;
};

XlnetNetwork::Batch::Batch(absl::Span<XlnetPass> all_passes) : passes(all_passes) {
  int64_t outputs = 0;
  std::vector<Row> groups[3];
  std::vector<std::pair<int, size_t>> place;  // of each content row, pass by pass
  for (size_t p = 0; p < passes.size(); ++p) {
    const XlnetPass& pass = passes[p];
    Keys& own = keys.emplace_back();
    own.first = pass.FirstHeld();
    for (int64_t i = own.first; i < pass.first_key; ++i) {
      own.positions.push_back(pass.held_positions.empty() ? i : pass.held_positions[static_cast<size_t>(i)]);
    }
    int64_t contents_here = 0;
    for (const XlnetRow& row : pass.rows) {
      const bool is_query = row.token == kQueryRow;
      HEED_CHECK(!row.sees.empty() && (is_query || contents_here == static_cast<int64_t>(&row - pass.rows.data())));
      const int group = is_query ? 2 : row.is_output ? 1 : 0;
      if (!is_query) {
        ++contents_here;
        own.positions.push_back(row.position);
        place.push_back({group, groups[group].size()});
      }
      groups[group].push_back({&pass, &row, static_cast<int32_t>(p), group == 0 ? -1 : outputs++});
    }
    if (pass.has_types) {
      for (int64_t i = 0; i < contents_here; ++i) own.types.push_back(pass.rows[static_cast<size_t>(i)].type);
    }
    if (pass.keep) pass.held->Replace(pass.first_key, contents_here);
    own.packed.resize(static_cast<size_t>(contents_here));
  }
  hidden_contents = static_cast<int64_t>(groups[0].size());
  contents = hidden_contents + static_cast<int64_t>(groups[1].size());
  size_t next = 0;
  for (Keys& own : keys) {
    for (int64_t& packed : own.packed) {
      const auto [group, index] = place[next++];
      packed = static_cast<int64_t>(index) + (group == 1 ? hidden_contents : 0);
    }
  }
  for (const std::vector<Row>& group : groups) rows.insert(rows.end(), group.begin(), group.end());
  for (const Row& row : rows) {
    const Keys& own = keys[static_cast<size_t>(row.stream)];
    int64_t seen = 0;
    for (const KeyRange& range : row.row->sees) {
      seen += range.end - range.begin;
      for (int64_t i = range.begin; i < range.end; ++i) {
        const int64_t distance = row.row->position - own.positions[static_cast<size_t>(i - own.first)];
        least_distance = std::min(least_distance, distance);
        most_distance = std::max(most_distance, distance);
      }
    }
    max_keys = std::max(max_keys, seen);
  }
}

// One layer's attention of all rows from packed row `first` on.
struct XlnetNetwork::Attention {
  int64_t layer = 0;
  int64_t first = 0;
  bool is_last = false;
  ConstMatrixView key_values;  // [contents, 2 d_model]
  ConstMatrixView queries;     // [rows - first, d_model]
};

absl::StatusOr<XlnetNetwork::Layer> XlnetNetwork::LoadLayer(const WeightReader& scope, const XlnetConfig& config) {
  const int64_t d = config.d_model;
  const std::vector<int64_t> bias_shape = {config.heads, config.head_dim()};
  const WeightReader attention = scope.Scope("rel_attn");
  Layer layer;
  HEED_ASSIGN_OR_RETURN(layer.query, ReadProjection(attention, "q", config));
  HEED_ASSIGN_OR_RETURN(std::vector<float> key_value, ReadTransposed(attention, "k", config));
  HEED_ASSIGN_OR_RETURN(const std::vector<float> value, ReadTransposed(attention, "v", config));
  key_value.insert(key_value.end(), value.begin(), value.end());
  layer.key_value = MakeCounted(attention, key_value, 2 * d);
  // o [d_model, heads, head_dim] takes heads and their numbers to d_model as it lies.
  HEED_ASSIGN_OR_RETURN(const StoredTensor* out, attention.Get("o", {d, config.heads, config.head_dim()}));
  layer.out = MakeCounted(attention, ReadFloats(*out), d);
  HEED_ASSIGN_OR_RETURN(layer.content_bias, attention.Read("r_w_bias", bias_shape));
  HEED_ASSIGN_OR_RETURN(layer.position_bias, attention.Read("r_r_bias", bias_shape));
  HEED_ASSIGN_OR_RETURN(layer.segment_bias, attention.Read("r_s_bias", bias_shape));
  HEED_ASSIGN_OR_RETURN(layer.segments, attention.Read("seg_embed", {2, config.heads, config.head_dim()}));
  HEED_ASSIGN_OR_RETURN(layer.attention_norm,
                        LayerNormalization::Load(attention, "layer_norm", d, config.layer_norm_eps));
  const WeightReader inner = scope.Scope("ff");
  HEED_ASSIGN_OR_RETURN(layer.norm, LayerNormalization::Load(inner, "layer_norm", d, config.layer_norm_eps));
  HEED_ASSIGN_OR_RETURN(layer.feed_forward, FeedForward::Load(inner, "layer_1", "layer_2", d, config.d_inner,
                                                              config.activation, PreferredBackend(RowCount::kFew)));
  return layer;
}

// The table of tokens, and the head that predicts them if there is one.
absl::Status XlnetNetwork::LoadEmbeddings(const WeightReader& root, const WeightReader& scope) {
  const std::vector<int64_t> shape = {config_.vocabulary, config_.d_model};
  HEED_ASSIGN_OR_RETURN(const StoredTensor* table, scope.Get("word_embedding.weight", shape));
  HEED_ASSIGN_OR_RETURN(mask_embedding_, scope.Read("mask_emb", {1, 1, config_.d_model}));
  predicts_ = root.Has("lm_loss.bias") || root.Has("lm_loss.weight") || config_.IsFor("LMHead");
  if (!predicts_) {
    own_embeddings_ = RowTable(*table);
    root.Count(table->size(), own_embeddings_.bytes());
    embeddings_ = &own_embeddings_;
    return absl::OkStatus();
  }
  const StoredTensor* output = table;
  if (config_.tied_output && root.Has("lm_loss.weight")) {
    HEED_RETURN_IF_ERROR(ReadTied(root,
                                  {{"transformer.word_embedding.weight", "tie_word_embeddings"},
                                   {"lm_loss.weight", "tie_word_embeddings"}},
                                  shape)
                             .status());
  } else if (!config_.tied_output) {
    HEED_ASSIGN_OR_RETURN(output, root.Get("lm_loss.weight", shape));
  }
  HEED_ASSIGN_OR_RETURN(std::vector<float> bias, root.Read("lm_loss.bias", {config_.vocabulary}));
  output_ = VocabularyProjection(*output, std::move(bias), root.precision());
  root.Count(output->size(), output_.resident_bytes());
  root.NoteError("the output layer", output_.relative_error());
  embeddings_ = &output_;
  if (output != table) {
    own_embeddings_ = RowTable(*table);
    root.Count(table->size(), own_embeddings_.bytes());
    embeddings_ = &own_embeddings_;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<XlnetNetwork>> XlnetNetwork::Load(const WeightReader& root, const XlnetConfig& config) {
  std::unique_ptr<XlnetNetwork> network(new XlnetNetwork);
  network->config_ = config;
  // A plain XLNetModel has no heads, and its names no prefix.
  const bool is_plain = !root.Has("transformer.word_embedding.weight") && root.Has("word_embedding.weight");
  const WeightReader scope = is_plain ? root : root.Scope("transformer");
  HEED_RETURN_IF_ERROR(network->LoadEmbeddings(root, scope));
  std::vector<Linear> projections;
  for (int64_t i = 0; i < config.layers; ++i) {
    const WeightReader layer = scope.Scope(absl::StrCat("layer.", i));
    HEED_ASSIGN_OR_RETURN(Layer loaded, LoadLayer(layer, config));
    network->layers_.push_back(std::move(loaded));
    HEED_ASSIGN_OR_RETURN(Linear projection, ReadProjection(layer.Scope("rel_attn"), "r", config));
    projections.push_back(std::move(projection));
  }
  network->positions_ =
      std::make_unique<const XlnetPositions>(std::move(projections), config.d_model, config.clamp_len);
  return network;
}

void XlnetNetwork::Embed(const Batch& batch, MatrixView x) const {
  for (int64_t i = 0; i < batch.size(); ++i) {
    const int32_t token = batch.rows[static_cast<size_t>(i)].row->token;
    if (token == kQueryRow) {
      std::copy(mask_embedding_.begin(), mask_embedding_.end(), x.row(i));
    } else {
      embeddings_->CopyRow(token, x.row(i));
    }
  }
}

MatrixView XlnetNetwork::Run(absl::Span<XlnetPass> passes, int64_t depth, Context& context) const {
  const Batch batch(passes);
  const int64_t d = config_.d_model;
  if (batch.size() == 0) return TakeMatrix(context.arena, 0, d);
  positions_->Prepare(batch.least_distance, batch.most_distance, context);
  const MatrixView outputs = TakeMatrix(context.arena, batch.size() - batch.hidden_contents, d);
  Arena::Scope scope(context.arena);
  const MatrixView x = TakeMatrix(context.arena, batch.size(), d);
  Embed(batch, x);
  const MatrixView key_values = TakeMatrix(context.arena, batch.contents, 2 * d);
  const MatrixView queries = TakeMatrix(context.arena, batch.size(), d);
  const MatrixView attended = TakeMatrix(context.arena, batch.size(), d);
  for (int64_t i = 0; i < depth; ++i) {
    const Layer& layer = layers_[static_cast<size_t>(i)];
    Attention attention;
    attention.layer = i;
    attention.is_last = i + 1 == depth;
    // Nobody reads what the last layer would make of content rows that are no outputs.
    attention.first = attention.is_last ? batch.hidden_contents : 0;
    const int64_t rows = batch.size() - attention.first;
    layer.key_value.Apply(x.Rows(0, batch.contents), key_values, context);
    layer.query.Apply(x.Rows(attention.first, rows), queries.Rows(0, rows), context);
    attention.key_values = key_values;
    attention.queries = queries.Rows(0, rows);
    Keep(batch, attention, context);
    RunRows(context.team, rows, 3 * d * batch.max_keys,
            [&](int64_t first, int64_t last) { AttendRows(batch, attention, first, last, attended); });
    const MatrixView tail = x.Rows(attention.first, rows);
    layer.out.AddTo(attended.Rows(0, rows), tail, context);
    layer.attention_norm.Apply(tail, context);
    layer.feed_forward.AddTo(tail, context);
    layer.norm.Apply(tail, context);
  }
  for (int64_t i = batch.hidden_contents; i < batch.size(); ++i) {
    std::copy_n(x.row(i), d, outputs.row(batch.rows[static_cast<size_t>(i)].output));
  }
  return outputs;
}

// Puts the keys and values of content rows where their passes keep them.
void XlnetNetwork::Keep(const Batch& batch, const Attention& attention, Context& context) const {
  const int64_t d = config_.d_model;
  RunRows(context.team, static_cast<int64_t>(batch.keys.size()), 2 * d, [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p) {
      const XlnetPass& pass = batch.passes[static_cast<size_t>(p)];
      if (!pass.keep) continue;
      const std::vector<int64_t>& packed = batch.keys[static_cast<size_t>(p)].packed;
      for (size_t i = 0; i < packed.size(); ++i) {
        const float* row = attention.key_values.row(packed[i]);
        pass.held->Put(attention.layer, pass.first_key + static_cast<int64_t>(i), row, row + d);
      }
    }
  });
}

// Scratch of one thread for the rows it takes.
struct XlnetNetwork::Sight {
  explicit Sight(int64_t max_keys, int64_t d_model, int64_t heads)
      : keys(static_cast<size_t>(max_keys)),
        values(keys.size()),
        positions(keys.size()),
        others(keys.size()),
        weights(keys.size()),
        scratch(static_cast<size_t>(RelativeScratch(max_keys))),
        content(static_cast<size_t>(d_model)),
        position(content.size()),
        segments(static_cast<size_t>(2 * heads)) {}

  const KeyRange* seen = nullptr;  // what `keys` and `values` were last set for
  int32_t stream = -1;
  int64_t count = 0;
  std::vector<const float*> keys, values, positions;
  std::vector<uint8_t> others;
  std::vector<float> weights, scratch, content, position, segments;
};

void XlnetNetwork::AttendRows(const Batch& batch, const Attention& attention, int64_t first, int64_t last,
                              MatrixView attended) const {
  const int64_t most = std::min(kRowsTogether, last - first);
  std::vector<Sight> sights(static_cast<size_t>(most), Sight(batch.max_keys, config_.d_model, config_.heads));
  std::vector<RelativeQuery> queries(sights.size());
  for (int64_t begin = first; begin < last; begin += most) {
    const int64_t count = std::min(most, last - begin);
    for (int64_t i = 0; i < count; ++i) {
      Sight& sight = sights[static_cast<size_t>(i)];
      PointAtKeys(batch, attention, attention.first + begin + i, sight);
      queries[static_cast<size_t>(i)] = QueryOf(batch, attention, begin + i, sight, attended.row(begin + i));
    }
    AttendRelative(queries.data(), count);
    for (int64_t i = 0; i < count; ++i) TakeWeights(batch, attention, begin + i, sights[static_cast<size_t>(i)]);
  }
}

// The pointers to the keys that a packed row sees.
void XlnetNetwork::PointAtKeys(const Batch& batch, const Attention& attention, int64_t row, Sight& sight) const {
  const Batch::Row& own = batch.rows[static_cast<size_t>(row)];
  const XlnetPass& pass = *own.pass;
  const Batch::Keys& keys = batch.keys[static_cast<size_t>(own.stream)];
  const bool is_known = sight.stream == own.stream && sight.seen == own.row->sees.data();
  size_t t = 0;
  for (const KeyRange& range : own.row->sees) {
    for (int64_t i = range.begin; i < range.end; ++i, ++t) {
      const size_t key = static_cast<size_t>(i - keys.first);
      sight.positions[t] = positions_->Row(attention.layer, own.row->position - keys.positions[key]);
      if (pass.has_types) sight.others[t] = keys.types[key] != own.row->type;
      if (is_known) continue;
      if (pass.keep || i < pass.first_key) {
        sight.keys[t] = pass.held->Key(attention.layer, i);
        sight.values[t] = pass.held->Value(attention.layer, i);
      } else {
        sight.keys[t] = attention.key_values.row(keys.packed[static_cast<size_t>(i - pass.first_key)]);
        sight.values[t] = sight.keys[t] + config_.d_model;
      }
    }
  }
  sight.count = static_cast<int64_t>(t);
  sight.seen = own.row->sees.data();
  sight.stream = own.stream;
}

RelativeQuery XlnetNetwork::QueryOf(const Batch& batch, const Attention& attention, int64_t index, Sight& sight,
                                    float* attended) const {
  const Layer& layer = layers_[static_cast<size_t>(attention.layer)];
  const Batch::Row& own = batch.rows[static_cast<size_t>(attention.first + index)];
  const float* query = attention.queries.row(index);
  const size_t d = static_cast<size_t>(config_.d_model), head_dim = static_cast<size_t>(config_.head_dim());
  for (size_t i = 0; i < d; ++i) {
    sight.content[i] = query[i] + layer.content_bias[i];
    sight.position[i] = query[i] + layer.position_bias[i];
  }
  RelativeQuery relative;
  if (own.pass->has_types) {
    std::fill(sight.segments.begin(), sight.segments.end(), 0.0f);
    for (size_t i = 0; i < d; ++i) {
      const float biased = query[i] + layer.segment_bias[i];
      sight.segments[2 * (i / head_dim)] += biased * layer.segments[i];
      sight.segments[2 * (i / head_dim) + 1] += biased * layer.segments[d + i];
    }
    relative.segments = sight.segments.data();
    relative.other_segment = sight.others.data();
  }
  relative.content = sight.content.data();
  relative.position = sight.position.data();
  relative.heads = config_.heads;
  relative.head_dim = config_.head_dim();
  relative.keys = sight.count;
  relative.key_rows = sight.keys.data();
  relative.value_rows = sight.values.data();
  relative.position_rows = sight.positions.data();
  relative.scratch = sight.scratch.data();
  relative.context = attended;
  if (attention.is_last && own.row->attention != nullptr) relative.mean_weights = sight.weights.data();
  return relative;
}

// Puts the weights of a row where its pass wants them.
void XlnetNetwork::TakeWeights(const Batch& batch, const Attention& attention, int64_t index,
                               const Sight& sight) const {
  const Batch::Row& own = batch.rows[static_cast<size_t>(attention.first + index)];
  if (!attention.is_last || own.row->attention == nullptr) return;
  const Batch::Keys& keys = batch.keys[static_cast<size_t>(own.stream)];
  own.row->attention->assign(keys.positions.size(), 0.0f);
  size_t t = 0;
  for (const KeyRange& range : own.row->sees) {
    for (int64_t i = range.begin; i < range.end; ++i) {
      (*own.row->attention)[static_cast<size_t>(i - keys.first)] = sight.weights[t++];
    }
  }
}

void XlnetNetwork::Predict(ConstMatrixView hidden, absl::Span<const NextTokenQuery> queries,
                           absl::Span<NextTokenAnswer> answers, Context& context) const {
  HEED_CHECK(predicts_ && hidden.rows == static_cast<int64_t>(queries.size()));
  std::vector<VocabularyQuery> asked(queries.size());
  std::vector<VocabularyAnswer> found(queries.size());
  for (size_t i = 0; i < queries.size(); ++i) {
    asked[i].banned = queries[i].banned;
    asked[i].top = std::max(1, queries[i].top);
    asked[i].normalize_over_banned = true;
    asked[i].all_logits = queries[i].all;
    asked[i].target = queries[i].target.value_or(-1);
  }
  output_.Apply(hidden, asked, absl::MakeSpan(found), context);
  RunRows(context.team, hidden.rows, config_.vocabulary, [&](int64_t first, int64_t last) {
    for (size_t i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
      NextTokenAnswer& answer = answers[i];
      const float normalizer = found[i].log_normalizer;
      answer.log_normalizer = normalizer;
      answer.log_probability = std::min(0.0f, found[i].target_logit - normalizer);
      answer.rank = queries[i].target.has_value() ? 1 + found[i].likelier_than_target : 0;
      answer.best = std::move(found[i].best);
      if (queries[i].top == 0) answer.best.clear();
      for (Candidate& candidate : answer.best) candidate.logit = std::min(0.0f, candidate.logit - normalizer);
      if (queries[i].all == nullptr) continue;
      for (int64_t id = 0; id < config_.vocabulary; ++id) queries[i].all[id] -= normalizer;
    }
  });
}

int64_t XlnetNetwork::StepBytes(int64_t rows, int64_t keys) const {
  const int64_t floats = rows * (6 * PaddedStride(config_.d_model) + PaddedStride(config_.d_inner));
  return floats * static_cast<int64_t>(sizeof(float)) + positions_->TableBytes(keys);
}

}  // namespace heed
