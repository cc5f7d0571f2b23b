// SPDX-License-Identifier: Apache-2.0
// The tokenizer that a directory's config.json describes, with its vocabulary and codes, and a text that is encoded and
// decoded with it.
//
// Input, separated by zero bytes: the object `tokenizer`, the lines of a vocabulary, subword-nmt's codes, the text.
// Both sides have the same files, and the first lines of the vocabulary are the special tokens.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/json_fields.h"
#include "base/utf8.h"
#include "models/text/configured_tokenizer.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_files.h"

namespace heed {
namespace {

void Run(absl::string_view input) {
  static InputFiles files("marian-separate");
  std::vector<absl::string_view> parts = absl::StrSplit(input, absl::MaxSplits('\0', 3));
  parts.resize(4);
  const absl::string_view tokenizer = parts[0], vocabulary = parts[1], codes = parts[2], text = parts[3];
  files.Set("config.json", tokenizer);
  for (const char* side : {"source", "target"}) {
    files.Set(absl::StrCat(side, "_vocab.txt"), vocabulary);
    files.Set(absl::StrCat(side, ".bpe"), codes);
  }
  const absl::StatusOr<JsonFields> config = JsonFields::Read(files.File("config.json"));
  if (!config.ok()) return;
  ConfiguredTokenIds ids;
  ids.source_vocabulary = ids.target_vocabulary = 1 + std::count(vocabulary.begin(), vocabulary.end(), '\n');
  if (ids.source_vocabulary > 4) {
    ids.source_unknown = ids.target_unknown = 0;
    ids.target_pad = 1;
    ids.source_end = ids.target_end = 3;
  }
  const auto loaded = LoadConfiguredTokenizer(files.path(), *config, ids);
  if (!loaded.ok()) {
    HEED_FUZZ_EXPECT(!loaded.status().message().empty(), "a refusal says why");
    return;
  }
  if (FirstInvalidUtf8(text)) return;  // the translator refuses it
  const EncodedText encoded = (*loaded)->EncodeSource("", text);
  HEED_FUZZ_EXPECT(encoded.ids.size() == encoded.spellings.size(), "a spelling for each token");
  std::vector<int32_t> target = (*loaded)->EncodeTargetPrefix(text);
  for (const int32_t id : target) HEED_FUZZ_EXPECT(id >= 0 && id < ids.target_vocabulary, "an id");
  for (const int32_t id : encoded.ids) (*loaded)->SourcePiece(id);
  for (int32_t id = 0; id < std::min<int64_t>(ids.target_vocabulary, 100); ++id) target.push_back(id);
  HEED_FUZZ_EXPECT(!FirstInvalidUtf8((*loaded)->Decode(target, {})), "a text");
  (*loaded)->Decode(encoded.ids, encoded.spellings);
}

}  // namespace

HEED_FUZZ_TARGET(configured_tokenizer, Run, nullptr)

}  // namespace heed
