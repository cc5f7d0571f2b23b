// SPDX-License-Identifier: Apache-2.0
// A translator's vocab.json, tokenizer_config.json and target_vocab.json, beside true SentencePiece models, and texts
// that are encoded and decoded with them.
//
// Input: the three files, separated by zero bytes.
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "models/text/marian_tokenizer.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_files.h"

namespace heed {
namespace {

constexpr TokenIds kIds = {.source_vocabulary = 101, .target_vocabulary = 97, .eos = 0, .pad = 96};  // of the fixture

void Run(absl::string_view input) {
  static InputFiles files("marian-separate");
  const std::vector<absl::string_view> texts = absl::StrSplit(input, absl::MaxSplits('\0', 2));
  const char* const names[] = {"vocab.json", "tokenizer_config.json", "target_vocab.json"};
  for (size_t i = 0; i < std::size(names); ++i) files.Set(names[i], i < texts.size() ? texts[i] : "{}");
  const absl::StatusOr<MarianTokenizer> codec = MarianTokenizer::Load(files.path(), kIds);
  if (!codec.ok()) {
    HEED_FUZZ_EXPECT(!codec.status().message().empty(), "a refusal says why");
    return;
  }
  const absl::string_view code = codec->language_codes().empty() ? "" : codec->language_codes().front();
  for (const char* text : {"", "The cat sleeps.", ">>de<< the cat", "</s> <unk>"}) {
    for (const int32_t id : codec->EncodeSource(code, text).ids) {
      HEED_FUZZ_EXPECT(id >= 0 && id < kIds.source_vocabulary, "an id");
      codec->SourcePiece(id);
    }
    const std::vector<int32_t> target = codec->EncodeTargetPrefix(text);
    for (const int32_t id : target) {
      HEED_FUZZ_EXPECT(id >= 0 && id < kIds.target_vocabulary, "an id");
      codec->TargetPiece(id);
    }
    codec->Decode(target, {});
  }
}

}  // namespace

HEED_FUZZ_TARGET(vocabulary, Run, nullptr)

}  // namespace heed
