// SPDX-License-Identifier: Apache-2.0
// heed-tokens: the steps of models/text and models/language_text between text and tokens, for comparison with their
// reference implementations.
//
//   heed-tokens tokenize LANGUAGE [no-escape] [aggressive]   Moses' tokenizer
//   heed-tokens detokenize LANGUAGE                          Moses' detokenizer
//   heed-tokens lowercase
//   heed-tokens bpe CODES [PIECES]                           subword-nmt; PIECES: its vocabulary, one piece a line
//   heed-tokens transformer-xl|xlnet DIRECTORY SIZE [special] [whitespace] [line-end]   ids of tokens; SIZE: how many
//   heed-tokens transformer-xl|xlnet DIRECTORY SIZE decode                              ids to text
//
// Reads lines on standard input and answers each with one: tokens with blanks between them. tests/quality/
// text_parity.py and language_text_parity.py use it.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "models/language_text/transformer_xl_tokenizer.h"
#include "models/language_text/xlnet_tokenizer.h"
#include "models/moses/moses_detokenizer.h"
#include "models/moses/moses_tokenizer.h"
#include "models/text/byte_pairs.h"
#include "models/text/lower_case.h"

namespace heed {
namespace {

// Answers each line with what `convert` makes of it.
template <typename Convert>
absl::Status ForEachLine(Convert convert) {
  for (std::string line; std::getline(std::cin, line);) std::cout << convert(line) << '\n';
  return absl::OkStatus();
}

std::string WithPieces(const BytePairs& pairs, const std::set<std::string, std::less<>>& vocabulary,
                       const std::string& line) {
  const auto has = [&](absl::string_view piece) { return vocabulary.empty() || vocabulary.contains(piece); };
  std::vector<std::string> pieces;
  for (absl::string_view word : absl::StrSplit(line, ' ', absl::SkipEmpty())) {
    pieces.push_back(absl::StrJoin(pairs.SplitWithin(word, "@@", has), " "));
  }
  return absl::StrJoin(pieces, " ");
}

// The pieces of a file, one a line.
std::set<std::string, std::less<>> ReadPieces(const std::string& path) {
  std::set<std::string, std::less<>> pieces;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) pieces.insert(line);
  return pieces;
}

absl::StatusOr<std::unique_ptr<const TextTokenizer>> LoadTokenizer(const std::vector<std::string>& arguments) {
  int64_t size = 0;
  if (arguments.size() < 3 || !absl::SimpleAtoi(arguments[2], &size)) {
    return absl::InvalidArgumentError("usage: heed-tokens transformer-xl|xlnet DIRECTORY SIZE [OPTION...]");
  }
  if (arguments[0] == "transformer-xl") return LoadTransformerXlTokenizer(arguments[1], size);
  return LoadXlnetTokenizer(arguments[1], size);
}

// The ids of a line; places have to ascend within it.
std::string IdsOf(const TextTokenizer& tokenizer, const std::string& line, const TokenizeOptions& options) {
  const auto tokens = tokenizer.Encode(line, options);
  if (!tokens.ok()) return std::string(tokens.status().message());
  int64_t start = 0, end = 0;
  for (const TextToken& token : *tokens) {
    HEED_CHECK(token.start >= start && token.end >= end && token.start <= token.end);
    start = token.start;
    end = token.end;
  }
  HEED_CHECK(end <= static_cast<int64_t>(line.size()));
  return absl::StrJoin(*tokens, " ", [](std::string* out, const TextToken& token) { absl::StrAppend(out, token.id); });
}

absl::Status RunTokenizer(const std::vector<std::string>& arguments) {
  HEED_ASSIGN_OR_RETURN(const std::unique_ptr<const TextTokenizer> tokenizer, LoadTokenizer(arguments));
  const auto has = [&](const char* option) {
    return std::find(arguments.begin() + 3, arguments.end(), option) != arguments.end();
  };
  if (has("decode")) {
    return ForEachLine([&](const std::string& line) {
      std::vector<int32_t> ids;
      for (absl::string_view word : absl::StrSplit(line, ' ', absl::SkipEmpty())) {
        if (int32_t id = 0; absl::SimpleAtoi(word, &id) && id >= 0 && id < tokenizer->size()) ids.push_back(id);
      }
      return tokenizer->Decode(ids);
    });
  }
  TokenizeOptions options;
  if (has("whitespace")) options.rules = TokenizerRules::kWhitespace;
  options.special_tokens = has("special");
  options.append_line_end = has("line-end");
  return ForEachLine([&](const std::string& line) { return IdsOf(*tokenizer, line, options); });
}

absl::Status Run(const std::vector<std::string>& arguments) {
  const size_t count = arguments.size();
  const std::string step = count > 0 ? arguments[0] : "";
  if (step == "tokenize" && count > 1 && HasMosesRules(arguments[1])) {
    MosesTokenizer::Options options;
    for (size_t i = 2; i < count; ++i) {
      options.escape = options.escape && arguments[i] != "no-escape";
      options.aggressive_hyphens = options.aggressive_hyphens || arguments[i] == "aggressive";
    }
    const MosesTokenizer tokenizer(arguments[1], options);
    return ForEachLine([&](const std::string& line) { return absl::StrJoin(tokenizer.Tokenize(line), " "); });
  }
  if (step == "detokenize" && count == 2 && HasMosesRules(arguments[1])) {
    const MosesDetokenizer detokenizer(arguments[1]);
    return ForEachLine([&](const std::string& line) {
      return detokenizer.Detokenize(std::vector<std::string>(absl::StrSplit(line, ' ', absl::SkipEmpty())));
    });
  }
  if (step == "lowercase" && count == 1) return ForEachLine([](const std::string& line) { return LowerCase(line); });
  if (step == "bpe" && (count == 2 || count == 3)) {
    HEED_ASSIGN_OR_RETURN(const BytePairs pairs, BytePairs::Load(arguments[1]));
    const auto vocabulary = count == 3 ? ReadPieces(arguments[2]) : std::set<std::string, std::less<>>();
    return ForEachLine([&](const std::string& line) { return WithPieces(pairs, vocabulary, line); });
  }
  if (step == "transformer-xl" || step == "xlnet") return RunTokenizer(arguments);
  return absl::InvalidArgumentError(absl::StrCat(
      "usage: heed-tokens tokenize|detokenize|lowercase|bpe|transformer-xl|xlnet ...; languages: ", MosesLanguages()));
}

}  // namespace
}  // namespace heed

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  const absl::Status status = heed::Run({argv + 1, argv + argc});
  if (status.ok()) return 0;
  std::fprintf(stderr, "heed-tokens: %s\n", std::string(status.message()).c_str());
  return 1;
}
