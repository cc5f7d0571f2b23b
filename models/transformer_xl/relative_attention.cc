// SPDX-License-Identifier: Apache-2.0
#include "models/transformer_xl/relative_attention.h"

#include <algorithm>
#include <cmath>

#include "engine/core/aligned_memory.h"
#include "engine/kernels/block_attention.h"

namespace heed {
namespace {

// Rows that pass a head's keys, values and relative keys together: so often fewer are these read.
constexpr int64_t kTileRows = 24;

int64_t BlockOf(int64_t position) {
  return position >= 0 ? position / kBlockKeys : -((-position + kBlockKeys - 1) / kBlockKeys);
}

// Memory of one thread for one tile at a time.
class TileScratch {
 public:
  // Of the calling thread, for at least so many floats.
  static float* Take(int64_t floats) {
    thread_local TileScratch scratch;
    if (scratch.floats_ < floats) {
      scratch.data_.reset(static_cast<float*>(AllocateAligned(static_cast<size_t>(floats) * sizeof(float))));
      scratch.floats_ = floats;
    }
    return scratch.data_.get();
  }

 private:
  AlignedPointer<float> data_;
  int64_t floats_ = 0;
};

// Rows of one stream within a tile.
struct TileRun {
  TransformerXlMemory* memory;
  int64_t row;  // among all rows
  int64_t count;
  int64_t position;  // of the first
  int64_t first_block() const { return BlockOf(memory->FirstSeen(position)); }
  int64_t blocks() const { return BlockOf(position + count - 1) + 1 - first_block(); }
};

// Up to kTileRows rows of one head.
class HeadTile {
 public:
  HeadTile(const RelativeAttentionWeights& weights, const PositionTable& positions, int64_t head,
           absl::Span<const TileRun> runs)
      : weights_(weights),
        panels_(positions.heads[static_cast<size_t>(weights.layer * weights.heads + head)]),
        max_distance_(positions.max_distance),
        head_(head),
        dim_(weights.head_dim),
        runs_(runs) {
    for (const TileRun& run : runs) {
      rows_ += run.count;
      blocks_ = std::max(blocks_, run.blocks());
      farthest_ = std::max(farthest_, run.position + run.count - 1 - run.memory->FirstSeen(run.position));
    }
    query_stride_ = PaddedStride(dim_);
    position_stride_ = PaddedStride(panels_.panels() * kPanelCols + 3 * kBlockKeys);
    weights_stride_ = PaddedStride(blocks_ * kBlockKeys);
    context_stride_ = PaddedStride(BlockValueStride(dim_));
    float* at = TileScratch::Take(rows_ * (2 * query_stride_ + position_stride_ + weights_stride_ + context_stride_));
    content_queries_ = at;
    position_queries_ = at += rows_ * query_stride_;
    position_scores_ = at += rows_ * query_stride_;
    scores_ = at += rows_ * position_stride_;
    context_ = at += rows_ * weights_stride_;
  }

  // queries: of all rows.
  void Run(ConstMatrixView queries, MatrixView attended) {
    for (int64_t i = 0; const TileRun& run : runs_) {
      for (int64_t k = 0; k < run.count; ++k, ++i) SetQuery(i, queries.row(run.row + k) + head_ * dim_);
    }
    ScorePositions();
    for (int64_t i = 0; const TileRun& run : runs_) {
      Attend(run, i);
      for (int64_t k = 0; k < run.count; ++k, ++i) {
        std::copy_n(context_ + i * context_stride_, dim_, attended.row(run.row + k) + head_ * dim_);
      }
    }
  }

  // Of a tile of one row, after Run: weights of the positions from run.first_block() on, and what they are multiplied
  // by.
  const float* scores() const { return scores_; }
  float factor() const { return factors_[0]; }

 private:
  // Row i's query with both biases, divided by sqrt(dim).
  void SetQuery(int64_t i, const float* query) {
    const float scale = 1.0f / std::sqrt(static_cast<float>(dim_));
    const float* u = weights_.content_bias.data() + head_ * dim_;
    const float* v = weights_.position_bias.data() + head_ * dim_;
    for (int64_t k = 0; k < dim_; ++k) {
      content_queries_[i * query_stride_ + k] = (query[k] + u[k]) * scale;
      position_queries_[i * query_stride_ + k] = (query[k] + v[k]) * scale;
    }
  }

  // position_scores[i][kBlockKeys + o] = (q_i + v) . R(max_distance - o), for the distances that are needed.
  void ScorePositions() {
    const int64_t first = std::max<int64_t>(0, max_distance_ - farthest_) / kPanelCols;
    const int64_t columns = (panels_.panels() - first) * kPanelCols;
    const ConstMatrixView x = {position_queries_, rows_, dim_, query_stride_};
    const MatrixView y = {position_scores_ + kBlockKeys + first * kPanelCols, rows_, columns, position_stride_};
    PackedProduct(panels_, x, first, panels_.panels(), nullptr, false, y);
    for (int64_t i = 0; i < rows_ && first == 0; ++i) {
      float* row = position_scores_ + i * position_stride_;
      std::fill(row, row + kBlockKeys, row[kBlockKeys]);
    }
  }

  // The rows of one run, from row i of the tile on.
  void Attend(const TileRun& run, int64_t i) {
    const int64_t first_block = run.first_block(), origin = first_block * kBlockKeys;
    BlockAttention a;
    a.head_dim = dim_;
    a.rows = run.count;
    a.queries = content_queries_ + i * query_stride_;
    a.query_stride = query_stride_;
    a.blocks = run.blocks();
    a.constant_blocks = std::clamp<int64_t>(-first_block, 0, a.blocks);
    std::vector<const float*> keys(static_cast<size_t>(a.blocks)), values(static_cast<size_t>(a.blocks));
    for (int64_t b = a.constant_blocks; b < a.blocks; ++b) {
      keys[static_cast<size_t>(b)] = run.memory->Keys(first_block + b, weights_.layer, head_);
      values[static_cast<size_t>(b)] = run.memory->Values(first_block + b, weights_.layer, head_);
    }
    a.keys = keys.data();
    a.values = values.data();
    BlockQuery seen[kTileRows];
    float constant_scores[kTileRows];
    for (int64_t k = 0; k < run.count; ++k) {
      const int64_t position = run.position + k;
      seen[k] = {run.memory->FirstSeen(position) - origin, position + 1 - origin,
                 position_scores_ + (i + k) * position_stride_ + kBlockKeys, position - max_distance_ - origin};
      constant_scores[k] = ZeroScore(i + k);
    }
    a.seen = seen;
    if (!weights_.zero_key.empty()) {
      a.constant_scores = constant_scores;
      a.constant_value = weights_.zero_value.data() + head_ * dim_;
    }
    a.weights = scores_ + i * weights_stride_;
    a.weights_stride = weights_stride_;
    a.factors = factors_ + i;
    a.context = context_ + i * context_stride_;
    a.context_stride = context_stride_;
    AttendBlocks(a);
  }

  // The content's part of row i's score of a row of zeros.
  float ZeroScore(int64_t i) const {
    float score = 0;
    for (int64_t k = 0; k < dim_ && !weights_.zero_key.empty(); ++k) {
      score += content_queries_[i * query_stride_ + k] * weights_.zero_key[static_cast<size_t>(head_ * dim_ + k)];
    }
    return score;
  }

  const RelativeAttentionWeights& weights_;
  const PackedPanels& panels_;
  const int64_t max_distance_, head_, dim_;
  const absl::Span<const TileRun> runs_;
  int64_t rows_ = 0, blocks_ = 0, farthest_ = 0;
  int64_t query_stride_, position_stride_, weights_stride_, context_stride_;
  float *content_queries_, *position_queries_, *position_scores_, *scores_, *context_;
  float factors_[kTileRows];
};

// The rows of all streams in tiles.
std::vector<std::vector<TileRun>> Tiles(absl::Span<const StreamRows> streams) {
  std::vector<std::vector<TileRun>> tiles;
  int64_t room = 0;
  for (const StreamRows& stream : streams) {
    for (int64_t done = 0; done < stream.count;) {
      if (room == 0) {
        tiles.emplace_back();
        room = kTileRows;
      }
      const int64_t count = std::min(room, stream.count - done);
      tiles.back().push_back({stream.memory, stream.first + done, count, stream.position + done});
      done += count;
      room -= count;
    }
  }
  return tiles;
}

}  // namespace

void KeepKeysAndValues(const RelativeAttentionWeights& weights, ConstMatrixView projected,
                       absl::Span<const StreamRows> streams, Context& context) {
  const int64_t dim = weights.head_dim, width = weights.heads * dim;
  std::vector<TileRun> runs;  // of the rows of one block
  for (const StreamRows& stream : streams) {
    for (int64_t done = 0; done < stream.count;) {
      const int64_t position = stream.position + done;
      const int64_t count = std::min(kBlockKeys - position % kBlockKeys, stream.count - done);
      runs.push_back({stream.memory, stream.first + done, count, position});
      done += count;
    }
  }
  RunRows(context.team, static_cast<int64_t>(runs.size()), kBlockKeys * 8 * width, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const TileRun& run = runs[static_cast<size_t>(r)];
      for (int64_t head = 0; head < weights.heads; ++head) {
        float* keys = run.memory->Keys(run.position / kBlockKeys, weights.layer, head) + run.position % kBlockKeys;
        float* values = run.memory->Values(run.position / kBlockKeys, weights.layer, head);
        values += run.position % kBlockKeys * BlockValueStride(dim);
        for (int64_t k = 0; k < run.count; ++k) {
          const float* from = projected.row(run.row + k) + width + head * dim;
          for (int64_t i = 0; i < dim; ++i) keys[i * kBlockKeys + k] = from[i];
          std::copy_n(from + width, dim, values + k * BlockValueStride(dim));
        }
      }
    }
  });
}

void AttendRelatively(const RelativeAttentionWeights& weights, const PositionTable& positions,
                      ConstMatrixView projected, absl::Span<const StreamRows> streams, MatrixView attended,
                      Context& context) {
  const std::vector<std::vector<TileRun>> tiles = Tiles(streams);
  const int64_t count = static_cast<int64_t>(tiles.size());
  // The tiles of a head follow each other: its keys stay in the cache.
  context.team.Run(weights.heads * count, [&](int64_t part) {
    HeadTile(weights, positions, part / count, tiles[static_cast<size_t>(part % count)]).Run(projected, attended);
  });
}

std::vector<float> MeanAttention(const RelativeAttentionWeights& weights, const PositionTable& positions,
                                 const float* query, TransformerXlMemory& memory, int64_t position) {
  const TileRun run = {&memory, 0, 1, position};
  const int64_t origin = run.first_block() * kBlockKeys;
  const int64_t first = std::max<int64_t>(0, memory.FirstSeen(position));
  std::vector<float> mean(static_cast<size_t>(position + 2 - first));
  std::vector<float> attended(static_cast<size_t>(weights.heads * weights.head_dim));
  const int64_t width = static_cast<int64_t>(attended.size());
  for (int64_t head = 0; head < weights.heads; ++head) {
    HeadTile tile(weights, positions, head, absl::MakeConstSpan(&run, 1));
    tile.Run({query, 1, width, width}, {attended.data(), 1, width, width});
    const float factor = tile.factor() / static_cast<float>(weights.heads);
    for (int64_t j = origin; j <= position; ++j) {
      // Positions that are not seen have weight 0.
      const int64_t to = j < 0 ? 0 : j - first + 1;
      if (to >= 0) mean[static_cast<size_t>(to)] += tile.scores()[j - origin] * factor;
    }
  }
  return mean;
}

}  // namespace heed
