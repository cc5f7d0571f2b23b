// SPDX-License-Identifier: Apache-2.0
// The weights of a model directory, beside a true config.json: loaded and probed as the server does.
//
// Input: a byte that says which model; then model.safetensors.
#include <array>
#include <memory>
#include <string>

#include "models/probe.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_files.h"
#include "tests/fuzz/mutators.h"

namespace heed {
namespace {

constexpr const char* kFixtures[] = {
    "pyg-gat",
    "pyg-gatv2-edge-features-mean",
    "pyg-gcn-edge-weights",
    "pyg-edge-mlp-concat",
    "pyg-pool-attention",
    "ntm-defaults",
    "ntm-questions",
    "marian-separate",
    "rnn-reference-nematus",
    "rnn-reference-joeynmt-luong",
    "xlnet-lm",
    "xlnet-classify",
    "xlnet-answer-beam",
    "transformer-xl-segments",
    "transformer-xl-classifier",
};

size_t Mutate(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return MutateSafetensorsBehind(1, data, size, max_size, seed);
}

void Run(absl::string_view input) {
  if (input.empty()) return;
  const size_t which = static_cast<uint8_t>(input[0]) % std::size(kFixtures);
  static std::array<std::unique_ptr<InputFiles>, std::size(kFixtures)> directories;
  std::unique_ptr<InputFiles>& files = directories[which];
  if (files == nullptr) files = std::make_unique<InputFiles>(kFixtures[which]);
  files->Set("model.safetensors", input.substr(1));
  const auto model = LoadProbedModel(files->path(), "model");
  HEED_FUZZ_EXPECT(model.ok() || !model.status().message().empty(), "a refusal says why");
}

}  // namespace

HEED_FUZZ_TARGET(model_weights, Run, Mutate)

}  // namespace heed
