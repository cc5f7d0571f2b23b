// SPDX-License-Identifier: Apache-2.0
#include "server/translation/leg_text.h"

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"

namespace heed {

absl::StatusOr<LegText> LegText::Make(const std::string& text, size_t index, const LanguagePair& pair, bool later_leg,
                                      ForcedPhrases::Given& given, const LegStyle& style) {
  const std::string field = absl::StrCat("texts[", index, "]");
  LegText result;
  const auto add = [&](std::string part, absl::Span<const TextRange> kept) {
    SourceText& source = result.sources_.emplace_back(std::move(part));
    source.code = pair.code;
    source.language = pair.source;
    source.field = field;
    source.forced = style.phrases.In(source.text, kept, later_leg, given);
  };
  if (style.format == v1::TEXT_FORMAT_PLAIN) {
    add(text, {});
    return result;
  }
  const MarkupKind kind = style.format == v1::TEXT_FORMAT_HTML ? MarkupKind::kHtml : MarkupKind::kXml;
  absl::StatusOr<MarkupDocument> document = MarkupDocument::Parse(text, kind, style.rules);
  if (!document.ok()) return InvalidField(field, document.status().message());
  result.document_ = *std::move(document);
  for (const MarkupUnit& unit : result.document_->units()) add(unit.text, unit.kept);
  return result;
}

void LegText::AppendSources(std::vector<SourceText>& sources) {
  std::move(sources_.begin(), sources_.end(), std::back_inserter(sources));
  sources_.clear();
}

std::string LegText::Translation(absl::Span<const Part> translated, size_t rank) const {
  if (!has_markup()) return JoinSentences(translated[0].sentences, translated[0].trailing, rank);
  std::vector<TranslatedUnit> units;
  for (const Part& part : translated) {
    TranslatedUnit& unit = units.emplace_back();
    unit.text = JoinSentences(part.sentences, part.trailing, rank, &unit.alignment);
  }
  return document_->Render(units);
}

}  // namespace heed
