// SPDX-License-Identifier: Apache-2.0
// A Neural Turing Machine being told facts, without a server: steps of many sessions at once.
//
//   ntm_bench MODEL_DIR [SECONDS] [SESSIONS...]
//
// Prints a line for each number of sessions: the number, facts told per second over all sessions, and the bytes of one
// session after them. One thread. tests/bench/ntm_pytorch.py compares it with PyTorch.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "models/architectures.h"
#include "models/kinds/question_answerer.h"
#include "tests/bench/measure.h"

namespace heed::bench {
namespace {

constexpr int kFacts = 100;

const std::vector<std::string>& Story() {
  static const auto& story = *new std::vector<std::string>([] {
    const char* people[] = {"Mary", "John", "Daniel", "Sandra"};
    const char* places[] = {"bathroom", "hallway", "kitchen", "office", "garden"};
    std::vector<std::string> facts;
    for (int i = 0; i < kFacts; ++i) {
      facts.push_back(std::string(people[i % 4]) + " went back to the " + places[i % 5] + ".");
    }
    return facts;
  }());
  return story;
}

// Seconds of one step in which each of `sessions` is told a fact; `bytes` of one of them afterwards.
double Tell(const QuestionAnswerer& model, int sessions, Context& context, int64_t& bytes) {
  std::vector<std::unique_ptr<StoryTask>> stories;
  std::vector<Task*> tasks;
  for (int i = 0; i < sessions; ++i) {
    StoryRequest request;
    request.facts = Story();
    stories.push_back(*model.Start(std::move(request)));
    tasks.push_back(stories.back().get());
  }
  const double begin = SecondsNow();
  for (int step = 0; step < kFacts; ++step) model.Step(tasks, context);
  const double seconds = SecondsNow() - begin;
  bytes = stories.front()->state()->bytes();
  return seconds / kFacts;
}

int Run(const std::string& directory, double seconds, const std::vector<int>& numbers) {
  const auto loaded = LoadModel(directory);
  if (!loaded.ok()) {
    std::fprintf(stderr, "ntm_bench: %s\n", std::string(loaded.status().message()).c_str());
    return 1;
  }
  const auto model = std::dynamic_pointer_cast<const QuestionAnswerer>(*loaded);
  if (model == nullptr) {
    std::fprintf(stderr, "ntm_bench: %s answers no questions\n", directory.c_str());
    return 1;
  }
  Context context(1);
  for (const int sessions : numbers) {
    std::vector<double> steps;
    int64_t bytes = 0;
    for (const double begin = SecondsNow(); SecondsNow() - begin < seconds;) {
      steps.push_back(Tell(*model, sessions, context, bytes));
    }
    std::printf("%d %.0f %lld\n", sessions, sessions / Median(steps), static_cast<long long>(bytes));
  }
  return 0;
}

}  // namespace
}  // namespace heed::bench

int main(int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') {
    std::fprintf(stderr, "usage: ntm_bench MODEL_DIR [SECONDS] [SESSIONS...]\n");
    return 2;
  }
  std::vector<int> numbers;
  for (int i = 3; i < argc; ++i) numbers.push_back(std::max(1, std::atoi(argv[i])));
  if (numbers.empty()) numbers = {1, 16, 64};
  return heed::bench::Run(argv[1], argc > 2 ? std::atof(argv[2]) : 1.0, numbers);
}
