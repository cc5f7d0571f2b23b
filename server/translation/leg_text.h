// SPDX-License-Identifier: Apache-2.0
// One text on one leg of its route: from a text, plain or with markup, to what a translator takes, and back.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "heed/v1/translation.pb.h"
#include "models/kinds/translator.h"
#include "models/markup/markup_document.h"
#include "server/messages/translation_messages.h"
#include "server/translation/forced_phrases.h"

namespace heed {

// What the texts of a request have in common. Borrowed.
struct LegStyle {
  v1::TextFormat format = v1::TEXT_FORMAT_PLAIN;
  const MarkupRules& rules;
  const ForcedPhrases& phrases;
};

class LegText {
 public:
  // `text` is valid UTF-8, the request's text `index`; `pair` is the leg's languages. On a `later_leg` it is what the
  // leg before came to. `given`: ForcedPhrases::In's, of the text. INVALID_ARGUMENT: XML that is not well-formed.
  static absl::StatusOr<LegText> Make(const std::string& text, size_t index, const LanguagePair& pair, bool later_leg,
                                      ForcedPhrases::Given& given, const LegStyle& style);

  bool has_markup() const { return document_.has_value(); }
  // The parts that are translated: the text, or each unit of its markup; these have to be aligned.
  size_t parts() const { return has_markup() ? document_->units().size() : 1; }
  // Appends them as Translator::Start takes them.
  void AppendSources(std::vector<SourceText>& sources);

  // One part's sentences, and the white space behind them.
  struct Part {
    absl::Span<const FinishedSentence> sentences;
    absl::string_view trailing;
  };
  // The text made of the sentences' hypotheses of this rank: 0 is the best.
  std::string Translation(absl::Span<const Part> translated, size_t rank) const;

 private:
  std::optional<MarkupDocument> document_;  // none: plain text
  std::vector<SourceText> sources_;
};

}  // namespace heed
