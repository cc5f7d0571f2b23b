// SPDX-License-Identifier: Apache-2.0
// A model's decoder without a server: steps of many sentences' hypotheses at once.
//
//   decode_bench MODEL_DIR [SENTENCES] [BEAM] [STEPS] [THREADS] [--precision=f32|bf16|int8]
//
// Prints rows per second; the bytes of weights that a step reads, of a checkpoint whose values are f16, as a share of
// what memory gives; and the multiply-adds of the linear layers over the whole time of a step, attention, search
// and all, as a share of the fma peak: what the linear layers themselves reach is not less.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "models/architectures.h"
#include "models/translation/seq2seq_translator.h"
#include "tests/bench/measure.h"
#include "tests/support/precision_flag.h"

namespace heed::bench {
namespace {

int Run(const std::string& directory, Precision precision, int sentences, int beam, int steps, int threads) {
  const auto model = LoadModel(directory, "", precision);
  if (!model.ok()) {
    std::fprintf(stderr, "decode_bench: %s\n", std::string(model.status().message()).c_str());
    return 1;
  }
  const auto translator = std::dynamic_pointer_cast<const Seq2SeqTranslator>(*model);
  TranslateOptions options;
  options.beam_size = beam;
  options.min_tokens = steps + 1;
  options.max_tokens = steps + 2;
  options.stop_loops = false;
  const std::vector<std::string> texts(static_cast<size_t>(sentences),
                                       "A man in a red shirt rides a bicycle down the street.");
  auto started = translator->Start(texts, options);
  if (!started.ok()) {
    std::fprintf(stderr, "decode_bench: %s\n", std::string(started.status().message()).c_str());
    return 1;
  }
  Context context(threads);
  std::vector<Task*> tasks;
  for (const auto& task : started->tasks) tasks.push_back(task.get());
  const double encode_begin = SecondsNow();
  translator->Step(tasks, context);  // encodes; one row each
  const double encode_seconds = SecondsNow() - encode_begin;
  std::vector<double> seconds;
  for (int i = 1; i < steps; ++i) {
    const double begin = SecondsNow();
    translator->Step(tasks, context);
    seconds.push_back(SecondsNow() - begin);
  }
  const double rows = static_cast<double>(sentences * beam);
  const double median = Median(seconds);
  std::printf("%d sentences x beam %d = %.0f rows, %d threads: first step %.1f ms, then %.2f ms a step, %.0f rows/s\n",
              sentences, beam, rows, threads, encode_seconds * 1e3, median * 1e3, rows / median);
  const double macs = static_cast<double>(translator->network().step_multiply_adds());
  const double gflops = 2e-9 * macs * rows / median;
  const double peak = FmaPeak() * threads;
  std::printf("linear layers: %.1f M multiply-adds a row, %.1f GFLOP/s of a peak of %.1f: %.0f %%\n", macs * 1e-6,
              gflops, peak, 100 * gflops / peak);
  // Read once by each step, whatever its rows: in 8 bits, in bfloat16, or as f16 where the checkpoint's values allow
  // it.
  const double bytes = macs * (translator->spec().precision == Precision::kInt8 ? 1 : 2);
  const double speed = ReadingSpeed(context.team);
  std::printf("weights: %.1f MB a step, %.1f GB/s of %.1f that memory gives: %.0f %%\n", bytes * 1e-6,
              bytes / median * 1e-9, speed * 1e-9, 100 * bytes / median / speed);
  return 0;
}

}  // namespace
}  // namespace heed::bench

int main(int argc, char** argv) {
  const heed::Precision precision = heed::TakePrecisionFlag(argc, argv);
  const auto argument = [&](int i, int fallback) { return argc > i ? std::max(1, std::atoi(argv[i])) : fallback; };
  if (argc < 2 || argv[1][0] == '-') {
    std::fprintf(stderr,
                 "usage: decode_bench MODEL_DIR [SENTENCES] [BEAM] [STEPS] [THREADS] [--precision=PRECISION]\n");
    return 2;
  }
  return heed::bench::Run(argv[1], precision, argument(2, 64), argument(3, 4), argument(4, 24), argument(5, 1));
}
