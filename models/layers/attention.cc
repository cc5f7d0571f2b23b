// SPDX-License-Identifier: Apache-2.0
#include "models/layers/attention.h"

#include <algorithm>
#include <vector>

#include "engine/core/aligned_memory.h"
#include "engine/core/team.h"

namespace heed {
namespace {

// Rows that pass keys and values together: as often as they would have passed one by one are these read from a larger
// cache.
constexpr int64_t kRowsTogether = 16;

}  // namespace

void AttendWithinSequences(ConstMatrixView projected, absl::Span<const PackedSequence> sequences,
                           const HeadLayout& layout, MatrixView attended, Context& context) {
  const int64_t d = layout.width();
  Arena::Scope scope(context.arena);
  std::vector<float*> keys_of, values_of;  // each sequence's, in cells
  std::vector<size_t> sequence_of;         // each row's
  std::vector<RowsOfKeys> parts;
  std::vector<size_t> sequence_of_part;
  int64_t longest = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const PackedSequence& sequence = sequences[i];
    const int64_t values = layout.CellBytes(CellStorage::kF32, sequence.length) / static_cast<int64_t>(sizeof(float));
    keys_of.push_back(context.arena.Take<float>(static_cast<size_t>(values)));
    values_of.push_back(context.arena.Take<float>(static_cast<size_t>(values)));
    sequence_of.insert(sequence_of.end(), static_cast<size_t>(sequence.length), i);
    for (int64_t done = 0; done < sequence.length; done += kRowsTogether) {
      parts.push_back({sequence.first + done, std::min(kRowsTogether, sequence.length - done), sequence.length});
      sequence_of_part.push_back(i);
    }
    longest = std::max(longest, sequence.length);
  }
  const auto cell = [&](float* cells, int64_t t) {
    return cells + layout.CellOffset(CellStorage::kF32, t) / static_cast<int64_t>(sizeof(float));
  };
  RunRows(context.team, projected.rows, 2 * d, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const size_t own = sequence_of[static_cast<size_t>(i)];
      const int64_t t = i - sequences[own].first;
      StoreCells(layout, CellStorage::kF32, projected.row(i) + d, cell(keys_of[own], t));
      StoreCells(layout, CellStorage::kF32, projected.row(i) + 2 * d, cell(values_of[own], t));
    }
  });
  const auto point = [&](size_t part, const PartCells& cells) {
    const size_t own = sequence_of_part[part];
    for (int64_t t = 0; t < parts[part].keys; ++t) {
      cells.keys[t] = cell(keys_of[own], t);
      cells.values[t] = cell(values_of[own], t);
    }
  };
  AttendToCells(projected, parts, layout, CellStorage::kF32, attended, point, context);
}

void AttendToCells(ConstMatrixView queries, absl::Span<const RowsOfKeys> parts, const HeadLayout& layout,
                   CellStorage storage, MatrixView attended, PointAtCells point, Context& context,
                   const SomeHeads& some_heads) {
  int64_t max_keys = 0, max_rows = 0;
  for (const RowsOfKeys& part : parts) {
    max_keys = std::max(max_keys, part.keys);
    max_rows = std::max(max_rows, part.rows);
  }
  const int64_t work = 2 * layout.width() * max_keys * max_rows;
  RunRows(context.team, static_cast<int64_t>(parts.size()), work, [&](int64_t first, int64_t last) {
    std::vector<const void*> keys(static_cast<size_t>(max_keys)), values(static_cast<size_t>(max_keys));
    std::vector<float*> mean_weights(static_cast<size_t>(max_rows)), head_weights(mean_weights);
    const AlignedPointer<float> scratch(static_cast<float*>(
        AllocateAligned(static_cast<size_t>(AttentionScratch(layout, max_rows, max_keys)) * sizeof(float))));
    HeadAttention attention;
    attention.layout = layout;
    attention.storage = storage;
    attention.query_stride = queries.stride;
    attention.key_cells = keys.data();
    attention.value_cells = values.data();
    attention.scratch = scratch.get();
    attention.context_stride = attended.stride;
    attention.mean_weights = mean_weights.data();
    attention.heads = some_heads.heads.data();
    attention.head_count = static_cast<int64_t>(some_heads.heads.size());
    attention.head_divisor = some_heads.divisor;
    attention.head_weights = head_weights.data();
    for (int64_t p = first; p < last; ++p) {
      const RowsOfKeys& part = parts[static_cast<size_t>(p)];
      std::fill(mean_weights.begin(), mean_weights.end(), nullptr);
      std::fill(head_weights.begin(), head_weights.end(), nullptr);
      point(static_cast<size_t>(p), {keys.data(), values.data(), mean_weights.data(), head_weights.data()});
      attention.queries = part.rows;
      attention.query = queries.row(part.first);
      attention.keys = part.keys;
      attention.context = attended.row(part.first);
      Attend(attention);
    }
  });
}

}  // namespace heed
