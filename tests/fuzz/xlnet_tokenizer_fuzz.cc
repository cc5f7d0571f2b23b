// SPDX-License-Identifier: Apache-2.0
// An XLNet's tokenizer_config.json and spiece.model, and a text that is encoded and decoded with them.
//
// Input: tokenizer_config.json, a zero byte, the text, a zero byte, spiece.model; without a model, the fixture's.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/utf8.h"
#include "models/language_text/xlnet_tokenizer.h"
#include "models/text/load_subwords.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_files.h"

namespace heed {
namespace {

void CheckTokens(const XlnetTokenizer& tokenizer, absl::string_view text, bool special_tokens) {
  const auto tokens = tokenizer.Encode(text, {.special_tokens = special_tokens});
  HEED_FUZZ_EXPECT(tokens.ok(), "any text has tokens");
  std::vector<int32_t> ids;
  int64_t start = 0, end = 0;
  for (const TextToken& token : *tokens) {
    HEED_FUZZ_EXPECT(token.id >= 0 && token.id < tokenizer.size(), "an id");
    HEED_FUZZ_EXPECT(token.start >= start && token.end >= end && token.start <= token.end, "places ascend");
    HEED_FUZZ_EXPECT(token.end <= static_cast<int64_t>(text.size()), "a place in the text");
    start = token.start;
    end = token.end;
    ids.push_back(token.id);
  }
  tokenizer.Decode(ids);
}

void Run(absl::string_view input) {
  static InputFiles files("text-xlnet"), own;
  std::vector<absl::string_view> parts = absl::StrSplit(input, absl::MaxSplits('\0', 2));
  parts.resize(3);
  const absl::string_view config = parts[0], text = parts[1], model = parts[2];
  InputFiles& directory = model.empty() ? files : own;
  directory.Set("tokenizer_config.json", config);
  if (!model.empty()) directory.Set("spiece.model", model);
  const auto subwords = LoadSubwords(directory.File("spiece.model"));  // of any size
  // Added tokens, as many as the file may mean.
  int added = 0;
  for (size_t at = config.find("\"content\""); at != config.npos; at = config.find("\"content\"", at + 1)) ++added;
  if (config.find("added_tokens_decoder") == config.npos) added = 0;
  const int pieces = subwords.ok() ? (*subwords)->size() : 1;
  auto tokenizer = LoadXlnetTokenizer(directory.path(), pieces + added);
  for (int fewer = 1; fewer <= added && !tokenizer.ok(); ++fewer) {
    tokenizer = LoadXlnetTokenizer(directory.path(), pieces + added - fewer);
  }
  if (!tokenizer.ok()) {
    HEED_FUZZ_EXPECT(!tokenizer.status().message().empty(), "a refusal says why");
    return;
  }
  if (FirstInvalidUtf8(text)) return;  // the server refuses it
  CheckTokens(**tokenizer, text, false);
  CheckTokens(**tokenizer, text, true);
}

}  // namespace

HEED_FUZZ_TARGET(xlnet_tokenizer, Run, nullptr)

}  // namespace heed
