// SPDX-License-Identifier: Apache-2.0
#include "models/layers/attention.h"

#include <algorithm>
#include <vector>

#include "engine/core/team.h"

namespace heed {
namespace {

AttentionQuery QueryOf(const float* query, int64_t heads, int64_t d_model, float* scratch, float* attended) {
  AttentionQuery result;
  result.query = query;
  result.heads = heads;
  result.head_dim = d_model / heads;
  result.scratch = scratch;
  result.context = attended;
  return result;
}

}  // namespace

void AttendWithinSequences(ConstMatrixView projected, absl::Span<const PackedSequence> sequences, int64_t heads,
                           MatrixView attended, Context& context) {
  const int64_t d = attended.cols;
  int64_t longest = 0;
  std::vector<int32_t> sequence_of;  // each row's
  sequence_of.reserve(static_cast<size_t>(projected.rows));
  for (size_t i = 0; i < sequences.size(); ++i) {
    longest = std::max(longest, sequences[i].length);
    sequence_of.insert(sequence_of.end(), static_cast<size_t>(sequences[i].length), static_cast<int32_t>(i));
  }
  RunRows(context.team, projected.rows, 2 * d * longest, [&](int64_t first, int64_t last) {
    std::vector<const float*> keys, values;
    std::vector<float> scratch(static_cast<size_t>(AttentionScratch(longest)));
    int32_t sequence = -1;
    for (int64_t i = first; i < last; ++i) {
      const int32_t own = sequence_of[static_cast<size_t>(i)];
      const PackedSequence& rows = sequences[static_cast<size_t>(own)];
      if (own != sequence) {
        sequence = own;
        keys.clear();
        values.clear();
        for (int64_t t = 0; t < rows.length; ++t) {
          keys.push_back(projected.row(rows.first + t) + d);
          values.push_back(projected.row(rows.first + t) + 2 * d);
        }
      }
      AttentionQuery query = QueryOf(projected.row(i), heads, d, scratch.data(), attended.row(i));
      query.keys = rows.length;
      query.key_rows = keys.data();
      query.value_rows = values.data();
      Attend(query);
    }
  });
}

void AttendRows(ConstMatrixView queries, int64_t heads, int64_t max_keys, MatrixView attended, PointAtKeys point,
                Context& context) {
  const int64_t d = attended.cols;
  RunRows(context.team, queries.rows, 2 * d * max_keys, [&](int64_t first, int64_t last) {
    std::vector<const float*> keys(static_cast<size_t>(max_keys)), values(static_cast<size_t>(max_keys));
    std::vector<float> scratch(static_cast<size_t>(AttentionScratch(max_keys)));
    for (int64_t i = first; i < last; ++i) {
      AttentionQuery query = QueryOf(queries.row(i), heads, d, scratch.data(), attended.row(i));
      query.key_rows = keys.data();
      query.value_rows = values.data();
      point(i, keys.data(), values.data(), query);
      Attend(query);
    }
  });
}

}  // namespace heed
