// SPDX-License-Identifier: Apache-2.0
// heed-phrases MODEL_DIR [--precision=f32|bf16|int8] [--beam=N] [--align] [--batch=N]: translations with forced
// phrases, and what their tokens are aligned with.
//
// Reads lines {"text": "...", "forced": [{"begin": 4, "end": 9, "target": "..."}], "prefix": "..."}, the last two
// optional, and answers each with a line {"text": "...", "alignment": [[target begin, end, source begin, end], ...]},
// all in bytes; a text is one sentence. Says on standard error how long it took. tests/quality/alignment.py and
// forced_phrases.py use it.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "models/architectures.h"
#include "models/kinds/translator.h"
#include "nlohmann/json.hpp"
#include "tests/support/precision_flag.h"

namespace heed {
namespace {

struct Line {
  std::string error;
  std::unique_ptr<TranslationTask> task;
};

Line Start(const Translator& translator, const std::string& line, TranslateOptions options) {
  const nlohmann::json request = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!request.is_object() || !request.contains("text")) return {"is no object with a text", nullptr};
  SourceText source(request["text"].get<std::string>());
  for (const nlohmann::json& phrase : request.value("forced", nlohmann::json::array())) {
    source.forced.push_back({{phrase["begin"].get<size_t>(), phrase["end"].get<size_t>()}, phrase["target"]});
  }
  options.target_prefix = request.value("prefix", "");
  options.split_sentences = false;
  auto started = translator.Start(absl::MakeConstSpan(&source, 1), options, StartLimits());
  if (!started.ok()) return {std::string(started.status().message()), nullptr};
  return {"", std::move(started->tasks[0])};
}

void Print(const Line& line) {
  if (line.task == nullptr) {
    std::cout << nlohmann::json{{"error", line.error}}.dump() << "\n";
    return;
  }
  const Hypothesis& best = line.task->result().hypotheses[0];
  nlohmann::json alignment = nlohmann::json::array();
  for (const AlignedToken& token : best.alignment) {
    alignment.push_back({token.target.begin, token.target.end, token.source.begin, token.source.end});
  }
  std::cout << nlohmann::json{{"text", best.text}, {"alignment", alignment}, {"score", best.score}}.dump() << "\n";
}

int Run(const std::string& directory, Precision precision, const TranslateOptions& given, size_t batch) {
  const auto model = LoadModel(directory, "", precision);
  if (!model.ok()) {
    std::fprintf(stderr, "heed-phrases: %s\n", std::string(model.status().message()).c_str());
    return 1;
  }
  const auto translator = std::dynamic_pointer_cast<const Translator>(*model);
  TranslateOptions options = translator->default_options();
  options.beam_size = given.beam_size;
  options.align = given.align;
  options.return_tokens = false;
  Context context{1};
  double seconds = 0;
  int64_t count = 0;
  std::string text;
  for (bool more = true; more;) {
    std::vector<Line> lines;
    while (lines.size() < batch && (more = static_cast<bool>(std::getline(std::cin, text)))) {
      lines.push_back(Start(*translator, text, options));
    }
    const auto began = std::chrono::steady_clock::now();
    for (;;) {
      std::vector<Task*> running;
      for (const Line& line : lines) {
        if (line.task != nullptr && !line.task->finished()) running.push_back(line.task.get());
      }
      if (running.empty()) break;
      translator->Step(running, context);
    }
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    count += static_cast<int64_t>(lines.size());
    for (const Line& line : lines) Print(line);
  }
  std::fprintf(stderr, "heed-phrases: %lld sentences in %.2f s: %.1f a second\n", static_cast<long long>(count),
               seconds, static_cast<double>(count) / seconds);
  return 0;
}

}  // namespace
}  // namespace heed

int main(int argc, char** argv) {
  const heed::Precision precision = heed::TakePrecisionFlag(argc, argv);
  heed::TranslateOptions options;
  size_t batch = 32;
  std::string directory;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind("--beam=", 0) == 0) {
      options.beam_size = std::atoi(argument.c_str() + 7);
    } else if (argument.rfind("--batch=", 0) == 0) {
      batch = static_cast<size_t>(std::atoi(argument.c_str() + 8));
    } else if (argument == "--align") {
      options.align = true;
    } else if (directory.empty() && argument[0] != '-') {
      directory = argument;
    } else {
      directory.clear();
      break;
    }
  }
  if (directory.empty() || batch < 1) {
    std::fprintf(stderr,
                 "usage: heed-phrases MODEL_DIR [--precision=PRECISION] [--beam=N] [--align] [--batch=N] < lines\n");
    return 2;
  }
  return heed::Run(directory, precision, options, batch);
}
