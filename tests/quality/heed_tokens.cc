// SPDX-License-Identifier: Apache-2.0
// heed-tokens: the steps of models/text between text and tokens, for comparison with their reference implementations.
//
//   heed-tokens tokenize LANGUAGE [no-escape] [aggressive]   Moses' tokenizer
//   heed-tokens detokenize LANGUAGE                          Moses' detokenizer
//   heed-tokens lowercase
//   heed-tokens bpe CODES [PIECES]                           subword-nmt; PIECES: its vocabulary, one piece a line
//
// Reads lines on standard input and answers each with one: tokens with blanks between them. tests/quality/
// text_parity.py uses it.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
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
  return absl::InvalidArgumentError(
      absl::StrCat("usage: heed-tokens tokenize|detokenize|lowercase|bpe ...; languages: ", MosesLanguages()));
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
