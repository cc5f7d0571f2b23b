// SPDX-License-Identifier: Apache-2.0
// A document, HTML or (if it begins with "<?x") XML: taken apart, and put together again in languages that know no
// words.
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "base/utf8.h"
#include "models/markup/html_scanner.h"
#include "models/markup/markup_document.h"
#include "models/markup/phrase_finder.h"
#include "models/markup/placeholders.h"
#include "models/markup/xml_scanner.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/markup_checks.h"

namespace heed {
namespace {

void ExpectLossless(absl::string_view source, const std::vector<MarkupToken>& tokens) {
  uint32_t at = 0;
  for (const MarkupToken& token : tokens) {
    HEED_FUZZ_EXPECT(token.begin == at && token.end > at, "tokens follow each other");
    at = token.end;
  }
  HEED_FUZZ_EXPECT(at == source.size(), "tokens are all of the source");
}

void ExpectOrdered(const std::vector<TextRange>& ranges, absl::string_view text) {
  size_t at = 0;
  for (const TextRange& range : ranges) {
    HEED_FUZZ_EXPECT(range.begin >= at && range.end > range.begin && range.end <= text.size(), "ranges are in order");
    at = range.end;
  }
}

void Run(absl::string_view input) {
  const MarkupKind kind = absl::StartsWith(input, "<?x") ? MarkupKind::kXml : MarkupKind::kHtml;
  const absl::StatusOr<MarkupDocument> document = MarkupDocument::Parse(input, kind, MarkupRules());
  if (!document.ok()) {
    HEED_FUZZ_EXPECT(kind == MarkupKind::kXml || FirstInvalidUtf8(input).has_value(), "everything is HTML");
    return;
  }
  ExpectLossless(input, kind == MarkupKind::kXml ? *ScanXml(input) : ScanHtml(input));
  const PhraseFinder phrases({{"a b", true}, {"a"}, {"&"}});
  std::vector<TranslatedUnit> same;
  for (const MarkupUnit& unit : document->units()) {
    ExpectOrdered(unit.kept, unit.text);
    ExpectOrdered(FindPlaceholders(unit.text), unit.text);
    ExpectOrdered(FindAddresses(unit.text), unit.text);
    HEED_FUZZ_EXPECT(!FirstInvalidUtf8(unit.text).has_value(), "a unit is text");
    std::vector<TextRange> found;
    for (const PhraseOccurrence& occurrence : phrases.Find(unit.text)) found.push_back(occurrence.range);
    ExpectOrdered(found, unit.text);
    same.push_back({unit.text, {}});
  }
  HEED_FUZZ_EXPECT(document->Render(same) == input, "a document that is not translated stays as it is");
  for (const FakeLanguage language : kFakeLanguages) {
    const std::string translated = RenderInFakeLanguage(*document, language, static_cast<unsigned>(input.size()));
    const std::string difference = DifferenceOfTags(input, translated, kind);
    HEED_FUZZ_EXPECT(difference.empty(), difference.c_str());
  }
}

}  // namespace

HEED_FUZZ_TARGET(markup, Run, nullptr)

}  // namespace heed
