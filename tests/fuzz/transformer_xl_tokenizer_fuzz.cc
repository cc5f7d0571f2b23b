// SPDX-License-Identifier: Apache-2.0
// A Transformer-XL's tokenizer_config.json and vocab.txt, and a text that is encoded and decoded with them.
//
// Input, separated by zero bytes: the two files, the text.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/utf8.h"
#include "models/language_text/transformer_xl_tokenizer.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_files.h"

namespace heed {
namespace {

void CheckTokens(const TextTokenizer& tokenizer, absl::string_view text, const TokenizeOptions& options) {
  const auto tokens = tokenizer.Encode(text, options);
  if (!tokens.ok()) {
    HEED_FUZZ_EXPECT(!tokens.status().message().empty(), "a refusal says why");
    return;
  }
  std::vector<int32_t> ids;
  int64_t start = 0, end = 0;
  for (const TextToken& token : *tokens) {
    HEED_FUZZ_EXPECT(token.id >= 0 && token.id < tokenizer.size(), "an id");
    HEED_FUZZ_EXPECT(token.start >= start && token.end >= end && token.start <= token.end, "places ascend");
    HEED_FUZZ_EXPECT(token.end <= static_cast<int64_t>(text.size()), "a place in the text");
    HEED_FUZZ_EXPECT(
        options.special_tokens || !std::binary_search(tokenizer.special().begin(), tokenizer.special().end(), token.id),
        "text does not become special tokens");
    start = token.start;
    end = token.end;
    ids.push_back(token.id);
  }
  HEED_FUZZ_EXPECT(!FirstInvalidUtf8(tokenizer.Decode(ids)), "a text");
}

void Run(absl::string_view input) {
  static InputFiles files;
  std::vector<absl::string_view> parts = absl::StrSplit(input, absl::MaxSplits('\0', 2));
  parts.resize(3);
  const absl::string_view config = parts[0], vocabulary = parts[1], text = parts[2];
  files.Set("tokenizer_config.json", config);
  files.Set("vocab.txt", vocabulary);
  const auto tokenizer =
      LoadTransformerXlTokenizer(files.path(), 1 + std::count(vocabulary.begin(), vocabulary.end(), '\n'));
  if (!tokenizer.ok()) {
    HEED_FUZZ_EXPECT(!tokenizer.status().message().empty(), "a refusal says why");
    return;
  }
  if (FirstInvalidUtf8(text)) return;  // the server refuses it
  for (const TokenizerRules rules : {TokenizerRules::kOwn, TokenizerRules::kMoses, TokenizerRules::kWhitespace}) {
    for (const bool special : {false, true}) {
      CheckTokens(**tokenizer, text, {.rules = rules, .append_line_end = special, .special_tokens = special});
    }
  }
}

}  // namespace

HEED_FUZZ_TARGET(transformer_xl_tokenizer, Run, nullptr)

}  // namespace heed
