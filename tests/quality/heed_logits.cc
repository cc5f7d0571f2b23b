// SPDX-License-Identifier: Apache-2.0
// heed-logits MODEL_DIR [--precision=f32|bf16|int8]: the logits of a model, for comparison with another implementation.
//
// Reads lines {"source": [ids], "target": [decoder input ids]} and answers each with a line {"logits": [[...], ...]}:
// for each target id the logits of the next token, before any token is banned. tests/quality/translation_parity.py uses
// it.
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "models/architectures.h"
#include "models/translation/seq2seq_translator.h"
#include "nlohmann/json.hpp"
#include "tests/support/precision_flag.h"

namespace heed {
namespace {

nlohmann::json LogitsOf(const Seq2SeqNetwork& network, const std::vector<int32_t>& source,
                        const std::vector<int32_t>& target, Context& context) {
  std::unique_ptr<DecoderState> memory = network.NewMemory(source, 1);
  DecoderState* const memories[] = {memory.get()};
  network.Encode(memories, context);
  const std::vector<int32_t> history(target.size(), 0);
  nlohmann::json rows = nlohmann::json::array();
  for (size_t t = 0; t < target.size(); ++t) {
    std::vector<float> logits(static_cast<size_t>(network.vocabulary()));
    StepRow row;
    row.memory = memory.get();
    row.token = target[t];
    row.position = static_cast<int32_t>(t);
    row.history = history.data();
    VocabularyQuery query;
    query.all_logits = logits.data();
    VocabularyAnswer answer;
    network.Step({&row, 1}, {&query, 1}, {&answer, 1}, context);
    rows.push_back(logits);
  }
  return rows;
}

bool InRange(const std::vector<int32_t>& ids, int64_t most) {
  for (int32_t id : ids) {
    if (id < 0 || id >= most) return false;
  }
  return !ids.empty();
}

int Run(const std::string& directory, Precision precision) {
  const auto model = LoadModel(directory, "", precision);
  if (!model.ok()) {
    std::fprintf(stderr, "heed-logits: %s\n", std::string(model.status().message()).c_str());
    return 1;
  }
  const auto translator = std::dynamic_pointer_cast<const Seq2SeqTranslator>(*model);
  Context context{1};
  std::string line;
  for (int number = 1; std::getline(std::cin, line); ++number) {
    const nlohmann::json request = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    const auto ids = [&](const char* field) {
      const auto found = request.is_object() ? request.find(field) : request.end();
      return found == request.end() || !found->is_array() ? std::vector<int32_t>() : found->get<std::vector<int32_t>>();
    };
    const std::vector<int32_t> source = ids("source"), target = ids("target");
    const int64_t vocabulary = translator->network().vocabulary();
    if (!InRange(source, vocabulary) || !InRange(target, vocabulary)) {
      std::fprintf(stderr, "heed-logits: line %d: needs source and target, lists of ids below %lld\n", number,
                   static_cast<long long>(vocabulary));
      return 1;
    }
    std::cout << nlohmann::json{{"logits", LogitsOf(translator->network(), source, target, context)}}.dump()
              << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace heed

int main(int argc, char** argv) {
  const heed::Precision precision = heed::TakePrecisionFlag(argc, argv);
  if (argc != 2 || argv[1][0] == '-') {
    std::fprintf(stderr, "usage: heed-logits MODEL_DIR [--precision=PRECISION] < pairs.jsonl\n");
    return 2;
  }
  return heed::Run(argv[1], precision);
}
