// SPDX-License-Identifier: Apache-2.0
// The edge work of a graph convolution as one fused pass: for each target, the logits of its in-edges, their softmax,
// and the weighted sum of the sources' values, over all heads.
//
//   GAT    (Velickovic et al. 2018, eq. 1-6)   e_ij = LeakyReLU(s_j + t_i + a_e . x_e)     w = softmax_j(e_ij)
//   GATv2  (Brody et al. 2022, eq. 7)          e_ij = a . LeakyReLU(l_j + r_i + W_e x_e)   w = softmax_j(e_ij)
//   GCN    (Kipf and Welling 2017, eq. 2)      w_ij = n_j w_e n_i
//   out_i = concat or mean over heads of sum_j w_ij v_j, + residual_i + bias
//
// What is read of a source, its values and its scores, stands apart from what only its own target reads, so that the
// random accesses of the edges fetch nothing else. A target's sum is taken in the order of its in-edges; one with more
// than kChunkEdges is summed in chunks of that many, merged in order. So its bits depend only on its own edges: not on
// the other targets, nor on how the work is shared out. Work is shared out by edges; a hub's chunks go to several
// threads.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"

namespace heed {

enum class GraphConvolution { kGat, kGatv2, kGcn };

// The features of the self-loop that a layer adds, from those of the target's other in-edges.
enum class LoopFill { kMean, kAdd, kMin, kMax, kMul, kConstant };

inline constexpr int64_t kChunkEdges = 1024;
// PyTorch Geometric adds it to the sum of a softmax over edges or nodes.
inline constexpr float kSoftmaxEpsilon = 1e-16f;

// What a node is projected to, in the order of these columns: what its out-edges read, the values (GATv2: the source's
// l) [values_width] and, GAT, the source scores [score_stride]; then its own part, which only its own target reads: GAT
// the target scores [score_stride], GATv2 the target's r [values_width]; and the residual [out], if there is one. Heads
// are padded to multiples of 8 columns, so that no vector of 8 holds two heads; the padding is zero.
struct ProjectionLayout {
  GraphConvolution kind = GraphConvolution::kGat;
  int64_t heads = 1;
  int64_t channels = 1;  // of one head
  bool residual = false;
  bool concat = true;

  int64_t head_stride() const { return (channels + 7) / 8 * 8; }
  int64_t values_width() const { return heads * head_stride(); }
  // Scores of all heads, padded: to a power of two below 8, to a multiple of 8 above. GATv2 and GCN have none in a row,
  // but weigh their edges so.
  int64_t score_stride() const;
  int64_t source_scores_width() const { return kind == GraphConvolution::kGat ? score_stride() : 0; }
  int64_t out() const { return concat ? heads * channels : channels; }

  int64_t own_column() const { return values_width() + source_scores_width(); }
  // Where the residual begins in the own part, behind the target's scores or values.
  int64_t residual_column() const;
  int64_t own_width() const { return residual_column() + (residual ? out() : 0); }
  int64_t width() const { return own_column() + own_width(); }
};

// One layer's pass over some targets. All borrowed. Node numbers are rows of the projections; target i is node i.
struct GraphAggregation {
  ProjectionLayout layout;
  float negative_slope = 0.2f;  // of the LeakyReLU
  bool add_self_loops = true;   // and leave out the loops among the edges

  // In-edges: those of target i are [offsets[i], offsets[i + 1]).
  const int64_t* offsets = nullptr;
  const int32_t* sources = nullptr;
  bool has_loops = false;                // some edge's source is its target
  const float* edge_features = nullptr;  // [edges, edge_width]
  int64_t edge_width = 0;
  LoopFill fill = LoopFill::kMean;
  float fill_constant = 0;

  ConstMatrixView values;            // [nodes, layout.values_width()]
  ConstMatrixView source_scores;     // GAT: [nodes, layout.score_stride()]
  ConstMatrixView own;               // [targets or more, layout.own_width()]
  const float* edge_map = nullptr;   // GAT: [edge_width, score_stride], GATv2: [edge_width, values_width]
  const float* attention = nullptr;  // GATv2: [values_width]
  // GCN, [nodes]: n, and what the loop of a node weighs (0: it has none). Loops among the edges are left out.
  const float* norm = nullptr;
  const float* loop_weight = nullptr;
  bool edge_weights = false;  // GCN: edge_features [edges] weigh the edges

  const float* bias = nullptr;  // [layout.out()], or null
  MatrixView out;               // [targets, layout.out()]

  // If loop_coefficients is not null: the weights, [edges, heads] and [targets, heads] of the added loops; 0 for what
  // was left out.
  float* edge_coefficients = nullptr;
  float* loop_coefficients = nullptr;

  // Takes all three parts of the projections from one table [nodes, layout.width()].
  void UseTable(ConstMatrixView table);
};

// Computes out rows [first, last) of each pass and calls done(pass, row) for each on the thread that computed it.
struct AggregationRange {
  const GraphAggregation* pass;
  int64_t first = 0, last = 0;
};
void Aggregate(absl::Span<const AggregationRange> ranges, Context& context,
               absl::FunctionRef<void(int64_t range, float* row)> done);

}  // namespace heed
