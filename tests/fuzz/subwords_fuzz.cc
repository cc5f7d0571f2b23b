// SPDX-License-Identifier: Apache-2.0
// A SentencePiece model, source.spm and target.spm of a directory, and texts that it cuts and puts together again.
#include <string>
#include <vector>

#include "models/text/subwords.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_files.h"

namespace heed {
namespace {

void Run(absl::string_view input) {
  static InputFiles files;
  files.Set("source.spm", input);
  std::string error;
  const std::unique_ptr<const Subwords> subwords = Subwords::Load(files.File("source.spm"), error);
  if (subwords == nullptr) {
    HEED_FUZZ_EXPECT(!error.empty(), "a refusal says why");
    return;
  }
  std::vector<std::string> pieces;
  for (int i = 0; i < subwords->size(); ++i) pieces.push_back(subwords->piece(i));
  subwords->Decode(pieces);
  for (const char* text : {"", " ", "the cat", "\xc3\xa9t\xc3\xa9 \xef\xbc\xa1\xe2\x91\xa0", "</s> <unk> \xe2\x96\x81",
                           "a\xcc\x81 1/2 \xf0\x9f\x98\x80"}) {
    subwords->Decode(subwords->Encode(text));
  }
}

}  // namespace

HEED_FUZZ_TARGET(subwords, Run, nullptr)

}  // namespace heed
