// SPDX-License-Identifier: Apache-2.0
// What names languages, and texts whose language is guessed.
//
// Input: a byte that says which; then a language, a name of a model with two fields and codes on further lines, or a
// text.
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/utf8.h"
#include "models/languages/language_groups.h"
#include "models/languages/language_tag.h"
#include "models/translation/translator_languages.h"
#include "server/languages/language_detector.h"
#include "tests/fuzz/fuzz_target.h"

namespace heed {
namespace {

void RunTag(absl::string_view text) {
  const absl::StatusOr<LanguageTag> tag = ParseLanguageTag(text);
  if (!tag.ok()) {
    HEED_FUZZ_EXPECT(tag.status().message().size() < 300, "a short message");
    return;
  }
  const absl::StatusOr<LanguageTag> again = ParseLanguageTag(tag->ToString());
  HEED_FUZZ_EXPECT(again.ok() && *again == *tag, tag->ToString().c_str());
  HEED_FUZZ_EXPECT(MatchLanguages(*tag, *tag) == LanguageMatch::kExact, "a language is itself");
  HEED_FUZZ_EXPECT(!EnglishName(*tag).empty() && !NativeName(*tag).empty(), "a name");
}

void RunModel(absl::string_view text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  lines.resize(lines.size() < 3 ? 3 : lines.size());
  const std::vector<std::string> codes(lines.begin() + 3, lines.end());
  for (const LanguagePair& pair : FindTranslatorLanguages(lines[0], lines[1], lines[2], codes).pairs) {
    HEED_FUZZ_EXPECT(ParseLanguageTag(pair.target).ok(), "a target language");
    HEED_FUZZ_EXPECT(pair.source.empty() || ParseLanguageTag(pair.source).ok(), "a source language");
  }
}

void RunDetection(absl::string_view text, bool is_html) {
  if (FirstInvalidUtf8(text)) return;  // as messages are checked before
  static const auto& languages = *new std::vector<LanguageTag>(
      *ParseLanguages("de+en+fr+pt+pt-BR+ru+sr+sr-Latn+el+he+ar+hi+th+ja+ko+zh-Hans+zh-Hant+xx"));
  float last = 1;
  for (const LanguageGuess& guess : DetectLanguage(text, languages, is_html)) {
    HEED_FUZZ_EXPECT(guess.confidence >= 0 && guess.confidence <= last, "confidences in order");
    last = guess.confidence;
  }
}

void Run(absl::string_view input) {
  if (input.empty()) return;
  const auto selector = static_cast<uint8_t>(input[0]);
  input.remove_prefix(1);
  switch (selector % 4) {
    case 0:
      return RunTag(input);
    case 1:
      return RunModel(input);
    default:
      return RunDetection(input, selector % 4 == 3);
  }
}

}  // namespace

HEED_FUZZ_TARGET(language_text, Run, nullptr)

}  // namespace heed
