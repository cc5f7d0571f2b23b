// SPDX-License-Identifier: Apache-2.0
// The attention of a decoder's step without the rest of it, on one thread: each sentence's hypotheses over its keys, in
// every layer, one layer after the other.
//
//   attention_bench
//
// Prints microseconds for each row of a step, of all layers together, for the size of translator-en-de (2 layers, 4
// heads of 64) and of OPUS-MT (6 layers, 8 heads of 64). With 64 rows the keys and values of a step are in no cache but
// the last, if in any.
#include <cstdio>
#include <functional>
#include <memory>
#include <vector>

#include "engine/core/aligned_memory.h"
#include "engine/core/matrix.h"
#include "engine/kernels/attention.h"
#include "engine/kernels/key_value_cache.h"
#include "tests/bench/measure.h"

namespace heed::bench {
namespace {

class Step {
 public:
  Step(const HeadLayout& layout, CellStorage storage, int64_t layers, int64_t sentences, int64_t beam, int64_t keys)
      : layout_(layout),
        layers_(layers),
        beam_(beam),
        keys_(keys),
        queries_(beam, layout.width()),
        context_(beam, layout.width()),
        key_cells_(static_cast<size_t>(keys)),
        value_cells_(static_cast<size_t>(keys)),
        scratch_(static_cast<float*>(
            AllocateAligned(static_cast<size_t>(AttentionScratch(layout, beam, keys)) * sizeof(float)))) {
    std::vector<float> row(static_cast<size_t>(layout.width()));
    for (size_t i = 0; i < row.size(); ++i) row[i] = 0.01f * static_cast<float>(i % 17);
    for (int64_t m = 0; m < beam; ++m) std::copy(row.begin(), row.end(), queries_.row(m));
    for (int64_t s = 0; s < sentences; ++s) {
      caches_.push_back(std::make_unique<KeyValueCache>(layout, storage, layers, 1, (keys + 3) / 4 * 4));
      caches_.back()->Reserve(keys - 1);
      for (int64_t l = 0; l < layers; ++l) {
        for (int64_t t = 0; t < keys; ++t) {
          StoreCells(layout, storage, row.data(), caches_.back()->Key(l, t, 0));
          StoreCells(layout, storage, row.data(), caches_.back()->Value(l, t, 0));
        }
      }
    }
  }

  void Run() {
    HeadAttention attention;
    attention.layout = layout_;
    attention.storage = caches_[0]->storage();
    attention.queries = beam_;
    attention.query = queries_.row(0);
    attention.query_stride = queries_.view().stride;
    attention.keys = keys_;
    attention.key_cells = key_cells_.data();
    attention.value_cells = value_cells_.data();
    attention.scratch = scratch_.get();
    attention.context = context_.row(0);
    attention.context_stride = context_.view().stride;
    for (int64_t l = 0; l < layers_; ++l) {
      for (const auto& cache : caches_) {
        cache->PointAt(l, keys_, nullptr, key_cells_.data(), value_cells_.data());
        Attend(attention);
      }
    }
  }

 private:
  const HeadLayout layout_;
  const int64_t layers_, beam_, keys_;
  Matrix queries_, context_;
  std::vector<const void*> key_cells_, value_cells_;
  AlignedPointer<float> scratch_;
  std::vector<std::unique_ptr<KeyValueCache>> caches_;
};

void Run() {
  struct Size {
    const char* name;
    int64_t layers;
    HeadLayout layout;
  };
  std::printf("| size | rows | beam | keys | f32, us a row | f16, us a row |\n| --- | --- | --- | --- | --- | --- |\n");
  for (const Size& size : {Size{"translator-en-de", 2, HeadLayout(4, 64)}, Size{"OPUS-MT", 6, HeadLayout(8, 64)}}) {
    for (const auto& [rows, beam] : std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {4, 4}, {64, 1}, {64, 4}}) {
      for (const int64_t keys : {16, 30}) {
        Step f32(size.layout, CellStorage::kF32, size.layers, rows / beam, beam, keys);
        Step f16(size.layout, CellStorage::kF16, size.layers, rows / beam, beam, keys);
        const std::vector<std::function<void()>> rivals = {[&] { f32.Run(); }, [&] { f16.Run(); }};
        const std::vector<double> seconds = TakeTurns(rivals, 9, 0.02);
        const double to_us = 1e6 / static_cast<double>(rows);
        std::printf("| %s | %d | %d | %d | %.2f | %.2f |\n", size.name, static_cast<int>(rows), static_cast<int>(beam),
                    static_cast<int>(keys), seconds[0] * to_us, seconds[1] * to_us);
      }
    }
  }
}

}  // namespace
}  // namespace heed::bench

int main() { heed::bench::Run(); }
