// SPDX-License-Identifier: Apache-2.0
// Scoring and generating with a Transformer-XL at full memory, one stream and several, and what of the machine's
// reading speed generating uses.
//
//   transformer_xl_bench MODEL_DIR [--threads=N] [--sessions=1,8] [--score_tokens=4096] [--generate_tokens=32]
//                        [--rank] [--precision=f32|bf16|int8]
//
// A line for each measurement: its name, tokens a second of all streams together, seconds a step, and for generating
// the bytes that a step must read at least (weights once, each stream's keys and values) as a share of what the machine
// can read in that time. Tokens are drawn at random. --rank: scoring also ranks each target.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/json_fields.h"
#include "files/checkpoint.h"
#include "models/transformer_xl/transformer_xl_config.h"
#include "models/transformer_xl/transformer_xl_network.h"
#include "tests/bench/measure.h"
#include "tests/support/precision_flag.h"

namespace heed {
namespace {

constexpr int64_t kStretch = 128;  // tokens of a stream in a step, as a server reads

struct Flags {
  std::string directory;
  int threads = 1;
  std::vector<int64_t> sessions = {1, 8};
  int64_t score_tokens = 4096;
  int64_t generate_tokens = 32;
  bool rank = false;
  Precision precision = Precision::kF32;
};

Flags ParseFlags(int argc, char** argv) {
  Flags flags;
  flags.precision = TakePrecisionFlag(argc, argv);
  for (int i = 1; i < argc; ++i) {
    const std::vector<std::string> parts = absl::StrSplit(argv[i], absl::MaxSplits('=', 1));
    const std::string value = parts.size() > 1 ? parts[1] : "";
    int64_t number = 0;
    const bool is_number = absl::SimpleAtoi(value, &number) && number > 0;
    if (parts[0] == "--threads" && is_number) {
      flags.threads = static_cast<int>(number);
    } else if (parts[0] == "--score_tokens" && is_number) {
      flags.score_tokens = number;
    } else if (parts[0] == "--generate_tokens" && is_number) {
      flags.generate_tokens = number;
    } else if (parts[0] == "--rank") {
      flags.rank = true;
    } else if (parts[0] == "--sessions") {
      flags.sessions.clear();
      for (const auto& count : absl::StrSplit(value, ',')) {
        if (!absl::SimpleAtoi(count, &number) || number < 1) std::exit(2);
        flags.sessions.push_back(number);
      }
    } else if (!absl::StartsWith(argv[i], "--") && flags.directory.empty()) {
      flags.directory = argv[i];
    } else {
      std::fprintf(stderr, "transformer_xl_bench: unknown argument '%s'\n", argv[i]);
      std::exit(2);
    }
  }
  if (flags.directory.empty()) {
    std::fprintf(stderr, "usage: transformer_xl_bench MODEL_DIR [--threads=N] [--sessions=1,8] ...\n");
    std::exit(2);
  }
  return flags;
}

template <typename T>
T OrExit(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::fprintf(stderr, "transformer_xl_bench: %s\n", value.status().ToString().c_str());
  std::exit(1);
}

// CPU seconds of the process so far.
double CpuSecondsNow() {
  timespec now = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// The seconds of each of `steps` calls on so many threads: their median.
double MedianSeconds(int64_t steps, int threads, const std::function<void()>& step) {
  std::vector<double> times;
  for (int64_t i = 0; i < steps; ++i) {
    const double begin = CpuSecondsNow();
    step();
    times.push_back((CpuSecondsNow() - begin) / threads);
  }
  return bench::Median(times);
}

class Streams {
 public:
  Streams(const TransformerXlNetwork& network, int64_t count, Context& context)
      : network_(network), context_(context), memories_(static_cast<size_t>(count)) {
    // One that is full, and copies of it that share nothing.
    const size_t all = memories_.size();
    memories_.resize(1);
    memories_[0] = network.NewMemory({});
    for (int64_t read = 0; read < network.config().mem_len; read += kStretch) Step(kStretch, false, false);
    const std::string bytes = all > 1 ? memories_[0]->Serialize() : "";
    while (memories_.size() < all) memories_.push_back(OrExit(network.ParseMemory(bytes)));
  }

  // Reads so many random tokens in each stream. `score`: asks for each target. `next`: asks for the likeliest token
  // that follows.
  void Step(int64_t tokens, bool score, bool next, bool rank = false) {
    std::uniform_int_distribution<int32_t> draw(0, static_cast<int32_t>(network_.vocabulary()) - 1);
    const size_t count = memories_.size();
    std::vector<std::vector<int32_t>> ids(count);
    std::vector<std::vector<NextTokenQuery>> queries(count);
    std::vector<std::vector<NextTokenAnswer>> answers(count);
    std::vector<Reading> readings;
    for (size_t s = 0; s < count; ++s) {
      for (int64_t i = 0; i < tokens; ++i) ids[s].push_back(draw(random_));
      for (int64_t i = 0; i < tokens && score; ++i) {
        NextTokenQuery& query = queries[s].emplace_back();
        query.after = i;
        query.target = ids[s][static_cast<size_t>(i)];
        query.rank = rank;
        query.top = 1;
      }
      if (next) {
        NextTokenQuery& query = queries[s].emplace_back();
        query.after = tokens;
        query.top = 1;
      }
      answers[s].resize(queries[s].size());
      readings.push_back({memories_[s].get(), ids[s], queries[s], absl::MakeSpan(answers[s])});
    }
    network_.Read(readings, context_);
  }

 private:
  const TransformerXlNetwork& network_;
  Context& context_;
  std::vector<std::unique_ptr<TextMemory>> memories_;
  std::mt19937_64 random_{1};
};

void Run(const Flags& flags) {
  const double begin = CpuSecondsNow();
  JsonFields fields = OrExit(JsonFields::Read(absl::StrCat(flags.directory, "/config.json")));
  const TransformerXlConfig config = OrExit(ReadTransformerXlConfig(fields));
  const Checkpoint checkpoint = OrExit(Checkpoint::Open(flags.directory));
  const auto network = OrExit(TransformerXlNetwork::Load(checkpoint, config, flags.precision));
  std::printf("load %.2f s, %.1f million weights, %.1f MB\n", CpuSecondsNow() - begin,
              static_cast<double>(network->weights()) / 1e6, static_cast<double>(network->resident_bytes()) / 1e6);
  Context context(flags.threads);
  const double speed = bench::ReadingSpeed(context.team);
  std::printf("read %.1f GB/s, fma %.0f GFLOP/s a core, %d threads\n", speed / 1e9, bench::FmaPeak(), flags.threads);
  for (const int64_t count : flags.sessions) {
    Streams streams(*network, count, context);
    const int64_t steps = std::max<int64_t>(1, flags.score_tokens / kStretch / count);
    const double scoring =
        MedianSeconds(steps, flags.threads, [&] { streams.Step(kStretch, true, false, flags.rank); });
    std::printf("score %ld sessions %.1f tokens/s, %.3f s a step of %ld tokens each\n", static_cast<long>(count),
                static_cast<double>(count * kStretch) / scoring, scoring, static_cast<long>(kStretch));
    const double generating =
        MedianSeconds(flags.generate_tokens, flags.threads, [&] { streams.Step(1, false, true); });
    const double bytes = static_cast<double>(network->step_bytes()) +
                         static_cast<double>(count) * static_cast<double>(network->memory_step_bytes());
    std::printf("generate %ld sessions %.2f tokens/s, %.4f s a step, %.2f GB a step: %.0f %% of the reading speed\n",
                static_cast<long>(count), static_cast<double>(count) / generating, generating, bytes / 1e9,
                100 * bytes / generating / speed);
  }
}

}  // namespace
}  // namespace heed

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  heed::Run(heed::ParseFlags(argc, argv));
  return 0;
}
