// SPDX-License-Identifier: Apache-2.0
#include "models/xlnet_tasks/xlnet_heads.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/status_macros.h"

namespace heed {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// The places of the `count` largest values that are not -infinity, the largest first; of equals the first.
std::vector<int64_t> Largest(const std::vector<float>& values, int64_t count) {
  std::vector<int64_t> places(values.size());
  std::iota(places.begin(), places.end(), int64_t{0});
  const auto value = [&](int64_t place) { return values[static_cast<size_t>(place)]; };
  std::stable_sort(places.begin(), places.end(), [&](int64_t a, int64_t b) { return value(a) > value(b); });
  if (static_cast<int64_t>(places.size()) > count) places.resize(static_cast<size_t>(count));
  while (!places.empty() && value(places.back()) == kMinusInfinity) places.pop_back();
  return places;
}

std::vector<float> Column(ConstMatrixView x, int64_t column) {
  std::vector<float> values;
  for (int64_t i = 0; i < x.rows; ++i) values.push_back(x.row(i)[column]);
  return values;
}

}  // namespace

std::vector<float> LogSoftmax(const std::vector<float>& logits, const std::vector<bool>& allowed) {
  float max = kMinusInfinity;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (allowed[i]) max = std::max(max, logits[i]);
  }
  double sum = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (allowed[i]) sum += std::exp(static_cast<double>(logits[i] - max));
  }
  const float normalizer = max + static_cast<float>(std::log(sum));
  std::vector<float> result(logits.size(), kMinusInfinity);
  for (size_t i = 0; i < logits.size(); ++i) {
    if (allowed[i]) result[i] = logits[i] - normalizer;
  }
  return result;
}

absl::Status XlnetHeads::LoadClassification(const WeightReader& root) {
  const int64_t d = config_.d_model;
  has_logits_ = root.Has("logits_proj.weight") || config_.IsFor("SequenceClassification");
  chooses_ = config_.IsFor("MultipleChoice");
  if (!has_logits_ && !chooses_) return absl::OkStatus();
  const int64_t labels = chooses_ ? 1 : static_cast<int64_t>(config_.labels.size());
  if (config_.summary_projection) {
    HEED_ASSIGN_OR_RETURN(summary_, root.ReadLinear("sequence_summary.summary", d, d, true, Activation::kNone,
                                                    PreferredBackend(RowCount::kFew)));
  }
  HEED_ASSIGN_OR_RETURN(
      logits_, root.ReadLinear("logits_proj", labels, d, true, Activation::kNone, PreferredBackend(RowCount::kFew)));
  return absl::OkStatus();
}

absl::Status XlnetHeads::LoadSpans(const WeightReader& root) {
  const int64_t d = config_.d_model;
  const GemmBackend backend = PreferredBackend(RowCount::kFew);
  const auto read = [&](absl::string_view name, int64_t out, int64_t in, bool bias, Activation activation) {
    return root.ReadLinear(name, out, in, bias, activation, backend);
  };
  has_spans_ = root.Has("qa_outputs.weight") || config_.IsFor("QuestionAnsweringSimple");
  has_beams_ = !has_spans_ && (root.Has("start_logits.dense.weight") || config_.IsFor("QuestionAnswering"));
  if (has_spans_) {
    HEED_ASSIGN_OR_RETURN(spans_, read("qa_outputs", 2, d, true, Activation::kNone));
  }
  if (!has_beams_) return absl::OkStatus();
  HEED_ASSIGN_OR_RETURN(start_, read("start_logits.dense", 1, d, true, Activation::kNone));
  HEED_ASSIGN_OR_RETURN(end_first_, read("end_logits.dense_0", d, 2 * d, true, Activation::kTanh));
  HEED_ASSIGN_OR_RETURN(end_norm_,
                        LayerNormalization::Load(root.Scope("end_logits"), "LayerNorm", d, config_.layer_norm_eps));
  HEED_ASSIGN_OR_RETURN(end_second_, read("end_logits.dense_1", 1, d, true, Activation::kNone));
  HEED_ASSIGN_OR_RETURN(no_answer_first_, read("answer_class.dense_0", d, 2 * d, true, Activation::kTanh));
  HEED_ASSIGN_OR_RETURN(no_answer_second_, read("answer_class.dense_1", 1, d, false, Activation::kNone));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<const XlnetHeads>> XlnetHeads::Load(const WeightReader& root,
                                                                   const XlnetConfig& config) {
  std::unique_ptr<XlnetHeads> heads(new XlnetHeads);
  heads->config_ = config;
  HEED_RETURN_IF_ERROR(heads->LoadClassification(root));
  HEED_RETURN_IF_ERROR(heads->LoadSpans(root));
  heads->has_tags_ = root.Has("classifier.weight") || config.IsFor("TokenClassification");
  if (heads->has_tags_) {
    HEED_ASSIGN_OR_RETURN(
        heads->tags_, root.ReadLinear("classifier", static_cast<int64_t>(config.labels.size()), config.d_model, true,
                                      Activation::kNone, PreferredBackend(RowCount::kFew)));
  }
  return std::unique_ptr<const XlnetHeads>(std::move(heads));
}

std::vector<float> XlnetHeads::Apply(const Linear& layer, const std::vector<float>& x, Context& context) const {
  Arena::Scope scope(context.arena);
  const MatrixView y = TakeMatrix(context.arena, 1, layer.out());
  const int64_t width = static_cast<int64_t>(x.size());
  layer.Apply({x.data(), 1, width, width}, y, context);
  return {y.row(0), y.row(0) + layer.out()};
}

std::vector<float> XlnetHeads::Summary(ConstMatrixView rows, Context& context) const {
  std::vector<float> mean(static_cast<size_t>(config_.d_model));
  for (int64_t i = 0; i < rows.rows; ++i) {
    for (size_t j = 0; j < mean.size(); ++j) mean[j] += rows.row(i)[j];
  }
  for (float& value : mean) value /= static_cast<float>(rows.rows);
  if (config_.summary_projection) mean = Apply(summary_, mean, context);
  Activate(config_.summary_activation, mean.data(), config_.d_model);
  return mean;
}

std::vector<float> XlnetHeads::Logits(const std::vector<float>& summary, Context& context) const {
  return Apply(logits_, summary, context);
}

MatrixView XlnetHeads::Tags(ConstMatrixView hidden, Context& context) const {
  const MatrixView tags = TakeMatrix(context.arena, hidden.rows, tags_.out());
  tags_.Apply(hidden, tags, context);
  return tags;
}

MatrixView XlnetHeads::Spans(ConstMatrixView hidden, Context& context) const {
  const MatrixView spans = TakeMatrix(context.arena, hidden.rows, 2);
  spans_.Apply(hidden, spans, context);
  return spans;
}

// dense_1(LN(tanh(dense_0([h_j; h_start])))) for every row j.
std::vector<float> XlnetHeads::EndLogits(ConstMatrixView hidden, int64_t start, Context& context) const {
  Arena::Scope scope(context.arena);
  const int64_t d = config_.d_model;
  const MatrixView pairs = TakeMatrix(context.arena, hidden.rows, 2 * d);
  for (int64_t i = 0; i < hidden.rows; ++i) {
    std::copy_n(hidden.row(i), d, pairs.row(i));
    std::copy_n(hidden.row(start), d, pairs.row(i) + d);
  }
  const MatrixView inner = TakeMatrix(context.arena, hidden.rows, d);
  end_first_.Apply(pairs, inner, context);
  end_norm_.Apply(inner, context);
  const MatrixView logits = TakeMatrix(context.arena, hidden.rows, 1);
  end_second_.Apply(inner, logits, context);
  return Column(logits, 0);
}

std::vector<XlnetSpan> XlnetHeads::BeamSpans(ConstMatrixView hidden, const std::vector<bool>& allowed, float& no_answer,
                                             Context& context) const {
  Arena::Scope scope(context.arena);
  const int64_t d = config_.d_model;
  const MatrixView logits = TakeMatrix(context.arena, hidden.rows, 1);
  start_.Apply(hidden, logits, context);
  const std::vector<float> starts = LogSoftmax(Column(logits, 0), allowed);
  std::vector<XlnetSpan> spans;
  for (const int64_t start : Largest(starts, config_.start_n_top)) {
    const std::vector<float> ends = LogSoftmax(EndLogits(hidden, start, context), allowed);
    for (const int64_t end : Largest(ends, config_.end_n_top)) {
      spans.push_back({start, end, starts[static_cast<size_t>(start)] + ends[static_cast<size_t>(end)]});
    }
  }
  // dense_1(tanh(dense_0([sum_j p_start(j) h_j; h_cls])))
  std::vector<float> pair(static_cast<size_t>(2 * d));
  for (int64_t i = 0; i < hidden.rows; ++i) {
    const float weight = std::exp(starts[static_cast<size_t>(i)]);
    for (int64_t j = 0; j < d; ++j) pair[static_cast<size_t>(j)] += weight * hidden.row(i)[j];
  }
  std::copy_n(hidden.row(hidden.rows - 1), d, pair.begin() + d);
  no_answer = Apply(no_answer_second_, Apply(no_answer_first_, pair, context), context)[0];
  return spans;
}

}  // namespace heed
