// SPDX-License-Identifier: Apache-2.0
// The JSON files of a model directory, beside true weights: loaded and probed as the server does.
//
// Input: a byte that says which model; then config.json and, behind a zero byte, the model's other JSON file.
#include <array>
#include <memory>
#include <string>

#include "models/probe.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_files.h"

namespace heed {
namespace {

struct Family {
  const char* fixture;
  const char* other_file;  // null: none
};
constexpr Family kFamilies[] = {
    {"marian-separate", "generation_config.json"},
    {"pyg-gat", nullptr},
    {"pyg-gatv2-edge-features-mean", nullptr},
    {"pyg-gcn-edge-weights", nullptr},
    {"pyg-edge-mlp-concat", nullptr},
    {"pyg-pool-attention", nullptr},
    {"ntm-cell", nullptr},
    {"ntm-questions", "vocab.json"},
    {"rnn-reference-nematus", "generation_config.json"},
    {"rnn-reference-joeynmt-luong", "generation_config.json"},
    {"xlnet-lm", "generation_config.json"},
    {"xlnet-classify", nullptr},
    {"xlnet-answer-beam", nullptr},
    {"transformer-xl-segments", "generation_config.json"},
    {"transformer-xl-classifier", nullptr},
};

void Run(absl::string_view input) {
  if (input.empty()) return;
  const size_t which = static_cast<uint8_t>(input[0]) % std::size(kFamilies);
  const Family& family = kFamilies[which];
  static std::array<std::unique_ptr<InputFiles>, std::size(kFamilies)> directories;
  std::unique_ptr<InputFiles>& files = directories[which];
  if (files == nullptr) files = std::make_unique<InputFiles>(family.fixture);
  input.remove_prefix(1);
  const size_t end = family.other_file == nullptr ? input.npos : input.find('\0');
  files->Set("config.json", input.substr(0, end));
  if (family.other_file != nullptr) files->Set(family.other_file, end == input.npos ? "" : input.substr(end + 1));
  const auto model = LoadProbedModel(files->path(), "model");
  HEED_FUZZ_EXPECT(model.ok() || !model.status().message().empty(), "a refusal says why");
}

}  // namespace

HEED_FUZZ_TARGET(model_config, Run, nullptr)

}  // namespace heed
