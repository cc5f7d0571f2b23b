// SPDX-License-Identifier: Apache-2.0
// An XLNet without a server, on one thread: the seconds of CPU time that some work takes.
//
//   xlnet_bench MODEL_DIR WORK COUNT STREAMS [ROUNDS] [--precision=f32|bf16|int8]
//
// WORK   encode: all tokens of a text of COUNT see each other
//        score: the log-probabilities of COUNT tokens, read from left to right in steps of 128
//        generate: COUNT tokens behind a prompt of 32, greedily, each seeing those before it
//        generate-hf: the same as transformers' generate does it
//
// STREAMS go together. Prints the median of the rounds, and tokens a second of all streams. The first round, which
// fills caches, is not counted.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "files/checkpoint.h"
#include "models/xlnet/xlnet_network.h"
#include "models/xlnet/xlnet_reader.h"
#include "tests/support/precision_flag.h"

namespace heed::bench {
namespace {

constexpr int64_t kPrompt = 32;
constexpr int64_t kStep = 128;

double CpuSeconds() {
  timespec now = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Bench {
  std::shared_ptr<const XlnetNetwork> network;
  std::unique_ptr<const XlnetReader> reader;
  int64_t count = 0;
  int64_t streams = 0;
  std::vector<std::vector<int32_t>> ids;
  Context context{1};

  void Encode() {
    const KeyRange all = {0, count};
    std::vector<XlnetPass> passes(static_cast<size_t>(streams));
    for (size_t s = 0; s < passes.size(); ++s) {
      for (int64_t i = 0; i < count; ++i) {
        XlnetRow& row = passes[s].rows.emplace_back();
        row.token = ids[s][static_cast<size_t>(i)];
        row.position = i;
        row.sees = {&all, 1};
        row.is_output = true;
      }
    }
    Arena::Scope scope(context.arena);
    network->Run(absl::MakeSpan(passes), network->config().layers, context);
  }

  void Score() {
    std::vector<std::unique_ptr<TextMemory>> memories;
    for (int64_t s = 0; s < streams; ++s) memories.push_back(reader->NewMemory({}));
    for (int64_t begin = 0; begin < count; begin += kStep) {
      const int64_t step = std::min(kStep, count - begin);
      std::vector<std::vector<NextTokenQuery>> queries(memories.size());
      std::vector<std::vector<NextTokenAnswer>> answers(memories.size());
      std::vector<Reading> readings;
      for (size_t s = 0; s < memories.size(); ++s) {
        for (int64_t i = begin == 0 ? 1 : 0; i < step; ++i) {
          NextTokenQuery& query = queries[s].emplace_back();
          query.after = i;
          query.target = ids[s][static_cast<size_t>(begin + i)];
        }
        answers[s].resize(queries[s].size());
        readings.push_back({memories[s].get(),
                            absl::MakeConstSpan(ids[s]).subspan(static_cast<size_t>(begin), static_cast<size_t>(step)),
                            queries[s], absl::MakeSpan(answers[s])});
      }
      reader->Read(readings, context);
    }
  }

  void Generate(bool as_hugging_face) {
    std::vector<std::unique_ptr<TextMemory>> memories;
    std::vector<std::vector<int32_t>> next;
    for (int64_t s = 0; s < streams; ++s) {
      memories.push_back(reader->NewMemory({.as_hugging_face = as_hugging_face}));
      next.push_back({ids[static_cast<size_t>(s)].begin(), ids[static_cast<size_t>(s)].begin() + kPrompt});
    }
    for (int64_t i = 0; i < count; ++i) {
      std::vector<NextTokenQuery> queries(memories.size());
      std::vector<NextTokenAnswer> answers(memories.size());
      std::vector<Reading> readings;
      for (size_t s = 0; s < memories.size(); ++s) {
        queries[s].after = static_cast<int64_t>(next[s].size());
        queries[s].top = 1;
        readings.push_back({memories[s].get(), next[s], {&queries[s], 1}, {&answers[s], 1}});
      }
      reader->Read(readings, context);
      for (size_t s = 0; s < memories.size(); ++s) next[s] = {answers[s].best[0].id};
    }
  }
};

int Run(const std::string& directory, Precision precision, const std::string& work, int64_t count, int64_t streams,
        int rounds) {
  const auto fail = [](const absl::Status& status) {
    std::fprintf(stderr, "xlnet_bench: %s\n", std::string(status.message()).c_str());
    return 1;
  };
  const auto fields = JsonFields::Read(directory + "/config.json");
  if (!fields.ok()) return fail(fields.status());
  const auto config = ReadXlnetConfig(*fields);
  if (!config.ok()) return fail(config.status());
  const auto checkpoint = Checkpoint::Open(directory);
  if (!checkpoint.ok()) return fail(checkpoint.status());
  auto network = XlnetNetwork::Load(WeightReader(*checkpoint, precision), *config);
  if (!network.ok()) return fail(network.status());
  Bench bench;
  bench.network = std::move(*network);
  bench.reader = std::make_unique<XlnetReader>(bench.network, 0, 0);
  bench.count = count;
  bench.streams = streams;
  std::mt19937 random(1);
  std::uniform_int_distribution<int32_t> id(9, static_cast<int32_t>(config->vocabulary - 1));
  for (int64_t s = 0; s < streams; ++s) {
    std::vector<int32_t>& ids = bench.ids.emplace_back();
    for (int64_t i = 0; i < std::max(count, kPrompt); ++i) ids.push_back(id(random));
  }
  std::vector<double> seconds;
  for (int round = 0; round <= rounds; ++round) {
    const double begin = CpuSeconds();
    if (work == "encode") {
      bench.Encode();
    } else if (work == "score") {
      bench.Score();
    } else {
      bench.Generate(work == "generate-hf");
    }
    if (round > 0) seconds.push_back(CpuSeconds() - begin);
  }
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  std::printf("%.4f s, %.1f tokens/s\n", median, static_cast<double>(count * streams) / median);
  return 0;
}

}  // namespace
}  // namespace heed::bench

int main(int argc, char** argv) {
  const heed::Precision precision = heed::TakePrecisionFlag(argc, argv);
  const std::string work = argc > 2 ? argv[2] : "";
  const bool is_work = work == "encode" || work == "score" || work == "generate" || work == "generate-hf";
  if (argc < 5 || !is_work) {
    std::fprintf(stderr,
                 "usage: xlnet_bench MODEL_DIR encode|score|generate|generate-hf COUNT STREAMS [ROUNDS] "
                 "[--precision=PRECISION]\n");
    return 2;
  }
  return heed::bench::Run(argv[1], precision, work, std::atoll(argv[3]), std::atoll(argv[4]),
                          argc > 5 ? std::atoi(argv[5]) : 3);
}
