// SPDX-License-Identifier: Apache-2.0
// The output layer over a vocabulary: what the reduction of the logits adds to their product. One thread.
//
//   vocabulary_bench [ROWS] [WIDTH]
//
// For vocabularies of 6,001 and 58,101 tokens, microseconds a row: the product alone, then with the best tokens of each
// row, then with their normalizer too.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "engine/linear/linear.h"
#include "engine/linear/vocabulary_projection.h"
#include "tests/bench/measure.h"

namespace heed::bench {
namespace {

// Numbers in [-1, 1) that look random, and are the same in every run.
std::vector<float> Floats(int64_t count) {
  std::vector<float> values;
  uint32_t state = 1;
  for (int64_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    values.push_back(static_cast<float>(state >> 8) * 0x1p-23f - 1.0f);
  }
  return values;
}

void Measure(int64_t rows, int64_t width, int64_t vocabulary) {
  const std::vector<float> weights = Floats(vocabulary * width);
  StoredTensor tensor;
  tensor.shape = {vocabulary, width};
  tensor.data = reinterpret_cast<const std::byte*>(weights.data());
  tensor.bytes = weights.size() * sizeof(float);
  const PackedPanels panels = PackRows(tensor);
  const VocabularyProjection projection(tensor, {});
  Matrix hidden(rows, width);
  const std::vector<float> values = Floats(rows * width);
  for (int64_t i = 0; i < rows * width; ++i) hidden.row(i / width)[i % width] = values[static_cast<size_t>(i)] / 4;

  Context context(1);
  std::vector<VocabularyAnswer> answers(static_cast<size_t>(rows));
  std::vector<std::function<void()>> rivals;
  // In the blocks that the projection has, whose logits stay in the cache.
  constexpr int64_t kBlockPanels = 16;
  Matrix logits(rows, kBlockPanels * kPanelCols);
  const std::vector<float> bias(static_cast<size_t>(panels.panels() * kPanelCols));
  rivals.push_back([&] {
    for (int64_t first = 0; first < panels.panels(); first += kBlockPanels) {
      const int64_t last = std::min(first + kBlockPanels, panels.panels());
      PackedProduct(panels, hidden.view(), first, last, bias.data() + first * kPanelCols, false, logits.view());
    }
  });
  const int tops[] = {1, 8};
  std::vector<std::vector<VocabularyQuery>> queries;
  for (const int top : tops) {
    for (const bool normalizer : {false, true}) {
      VocabularyQuery query;
      query.top = top;
      query.normalizer = normalizer;
      queries.emplace_back(static_cast<size_t>(rows), query);
    }
  }
  for (const std::vector<VocabularyQuery>& asked : queries) {
    rivals.push_back([&] { projection.Apply(hidden.view(), asked, absl::MakeSpan(answers), context); });
  }
  const std::vector<double> seconds = TakeTurns(rivals, 15, 0.05);
  const auto per_row = [&](size_t i) { return seconds[i] * 1e6 / static_cast<double>(rows); };
  std::printf("%lld tokens, %lld wide, %lld rows: product %.2f us a row", static_cast<long long>(vocabulary),
              static_cast<long long>(width), static_cast<long long>(rows), per_row(0));
  for (size_t i = 0; i < 2; ++i) {
    std::printf("; top %d: + %.2f without normalizer, + %.2f with", tops[i], per_row(1 + 2 * i) - per_row(0),
                per_row(2 + 2 * i) - per_row(0));
  }
  std::printf("\n");
}

}  // namespace
}  // namespace heed::bench

int main(int argc, char** argv) {
  const int64_t rows = argc > 1 ? std::max(1, std::atoi(argv[1])) : 64;
  const int64_t width = argc > 2 ? std::max(1, std::atoi(argv[2])) : 256;
  heed::bench::Measure(rows, width, 6001);
  heed::bench::Measure(rows, width, 58101);
  return 0;
}
