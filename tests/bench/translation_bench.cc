// SPDX-License-Identifier: Apache-2.0
// Sentences a second of a translator without a server, on one thread: as one finishes, the next one joins the step.
//
//   translation_bench MODEL_DIR SENTENCES_FILE IN_FLIGHT BEAM [TRANSLATIONS_FILE] [--precision=f32|bf16|int8]
//
// Prints sentences a second and tokens a second, tokenization included; writes the translations, a line each. Seconds
// are of CPU time, so that other programs on the machine count less.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/architectures.h"
#include "models/kinds/translator.h"
#include "tests/support/precision_flag.h"

namespace heed::bench {
namespace {

struct Running {
  size_t sentence;
  std::unique_ptr<TranslationTask> task;
};

int Run(const char* directory, Precision precision, const char* sentences_file, size_t in_flight, int beam,
        const char* output) {
  const auto model = LoadModel(directory, "", precision);
  if (!model.ok()) {
    std::fprintf(stderr, "translation_bench: %s\n", std::string(model.status().message()).c_str());
    return 1;
  }
  const auto translator = std::dynamic_pointer_cast<const Translator>(*model);
  std::vector<std::string> sentences, translations;
  std::ifstream lines(sentences_file);
  for (std::string line; std::getline(lines, line);) sentences.push_back(line);
  translations.resize(sentences.size());
  TranslateOptions options = translator->default_options();
  options.beam_size = beam;
  options.split_sentences = false;

  Context context(1);
  std::vector<Running> running;
  size_t next = 0;
  int64_t tokens = 0;
  const std::clock_t begin = std::clock();
  while (next < sentences.size() || !running.empty()) {
    for (; running.size() < in_flight && next < sentences.size(); ++next) {
      auto started = translator->Start({sentences[next]}, options);
      if (!started.ok()) {
        std::fprintf(stderr, "translation_bench: %s\n", std::string(started.status().message()).c_str());
        return 1;
      }
      if (!started->tasks[0]->finished()) running.push_back({next, std::move(started->tasks[0])});
    }
    std::vector<Task*> tasks;
    for (const Running& one : running) tasks.push_back(one.task.get());
    translator->Step(tasks, context);
    std::erase_if(running, [&](const Running& one) {
      if (!one.task->finished()) return false;
      translations[one.sentence] = one.task->result().hypotheses.at(0).text;
      tokens += one.task->result().hypotheses[0].token_count;
      return true;
    });
  }
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  std::printf("%.2f sentences/s %.1f tokens/s\n", static_cast<double>(sentences.size()) / seconds,
              static_cast<double>(tokens) / seconds);
  if (output != nullptr) {
    std::ofstream file(output);
    for (const std::string& translation : translations) file << translation << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace heed::bench

int main(int argc, char** argv) {
  const heed::Precision precision = heed::TakePrecisionFlag(argc, argv);
  if (argc < 5) {
    std::fprintf(stderr,
                 "usage: translation_bench MODEL_DIR SENTENCES_FILE IN_FLIGHT BEAM [TRANSLATIONS_FILE] "
                 "[--precision=PRECISION]\n");
    return 2;
  }
  const int in_flight = std::max(1, std::atoi(argv[3])), beam = std::max(1, std::atoi(argv[4]));
  return heed::bench::Run(argv[1], precision, argv[2], static_cast<size_t>(in_flight), beam,
                          argc > 5 ? argv[5] : nullptr);
}
