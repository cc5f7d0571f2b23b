// SPDX-License-Identifier: Apache-2.0
#include "server/translation/forced_phrases.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "models/markup/placeholders.h"

namespace heed {
namespace {

// Both are in order and without overlaps: so is what comes of them, without those of `more` that overlap one of
// `first`.
std::vector<ForcedPhrase> Merge(std::vector<ForcedPhrase> first, std::vector<ForcedPhrase> more) {
  if (more.empty()) return first;
  std::vector<ForcedPhrase> merged;
  merged.reserve(first.size() + more.size());
  size_t next = 0;  // of `first`: the earlier ones end before
  for (ForcedPhrase& phrase : more) {
    while (next < first.size() && first[next].source.end <= phrase.source.begin) {
      merged.push_back(std::move(first[next++]));
    }
    if (next == first.size() || first[next].source.begin >= phrase.source.end) merged.push_back(std::move(phrase));
  }
  std::move(first.begin() + static_cast<std::ptrdiff_t>(next), first.end(), std::back_inserter(merged));
  return merged;
}

}  // namespace

absl::StatusOr<ForcedPhrases> ForcedPhrases::Make(const TranslationFields& fields) {
  const int count = fields.glossary.size() + fields.do_not_translate.phrases_size();
  if (count > kMaxForcedPhrases) {
    return InvalidField("glossary", fields.glossary.size(), " entries and ", fields.do_not_translate.phrases_size(),
                        " do_not_translate.phrases, at most ", kMaxForcedPhrases, " together");
  }
  std::vector<Phrase> first, later;
  std::vector<std::string> targets;
  for (int i = 0; i < fields.glossary.size(); ++i) {
    const v1::GlossaryEntry& entry = fields.glossary[i];
    for (const char* side : {"source", "target"}) {
      if (!(*side == 's' ? entry.source() : entry.target()).empty()) continue;
      const std::string field = absl::StrCat("glossary[", i, "].", side);
      return WithField(
          InvalidArgument(field, " is empty, but the entry has the ", *side == 's' ? "target '" : "source '",
                          *side == 's' ? entry.target() : entry.source(), "'"),
          field);
    }
    first.push_back({entry.source(), entry.has_ignore_case() ? entry.ignore_case() : true});
    later.push_back({entry.target(), false});
    targets.push_back(entry.target());
  }
  for (int i = 0; i < fields.do_not_translate.phrases_size(); ++i) {
    const std::string& phrase = fields.do_not_translate.phrases(i);
    if (phrase.empty()) {
      const std::string field = absl::StrCat("do_not_translate.phrases[", i, "]");
      return WithField(InvalidArgument(field, " is empty"), field);
    }
    first.push_back({phrase, false});
    later.push_back({phrase, false});
  }
  return ForcedPhrases(first, later, std::move(targets), fields.do_not_translate.placeholders());
}

std::vector<ForcedPhrase> ForcedPhrases::In(absl::string_view text, absl::Span<const TextRange> kept, bool later_leg,
                                            Given& given) const {
  const auto written = [text](const TextRange& range) {
    return std::string(text.substr(range.begin, range.end - range.begin));
  };
  std::vector<ForcedPhrase> forced;
  for (const TextRange& range : kept) forced.push_back({range, written(range)});
  if (placeholders_) {
    std::vector<ForcedPhrase> placeholders;
    for (const TextRange& range : FindPlaceholders(text)) placeholders.push_back({range, written(range)});
    forced = Merge(std::move(forced), std::move(placeholders));
  }
  std::vector<ForcedPhrase> phrases;
  for (const PhraseOccurrence& found : (later_leg ? later_legs_ : first_leg_).Find(text)) {
    std::string target = written(found.range);
    if (found.phrase < targets_.size()) {
      int& count = given[targets_[found.phrase]];
      if (later_leg && count == 0) continue;
      count += later_leg ? -1 : 1;
      target = targets_[found.phrase];
    }
    phrases.push_back({found.range, std::move(target)});
  }
  return Merge(std::move(forced), std::move(phrases));
}

}  // namespace heed
