// SPDX-License-Identifier: Apache-2.0
// The phrases of a request whose translation is given: its glossary, and what is not to be translated.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "models/kinds/translator.h"
#include "models/markup/phrase_finder.h"
#include "server/translation/translation_fields.h"

namespace heed {

// Of a glossary, and of phrases that are not to be translated.
inline constexpr int kMaxForcedPhrases = 10'000;

// Immutable, thread-safe.
class ForcedPhrases {
 public:
  // INVALID_ARGUMENT: an entry is empty, or there are too many.
  static absl::StatusOr<ForcedPhrases> Make(const TranslationFields& fields);

  // How often each target of the glossary was given to a text.
  using Given = std::map<std::string, int, std::less<>>;

  // Those of a text, in order and without overlaps. `kept` ranges of it stay as they are and go before other phrases.
  // On the first leg of a route glossary phrases become their targets, which `given` counts. A `later_leg` has these in
  // its text, where they stay, each as often as it was given: the same words that came there by themselves are
  // translated.
  std::vector<ForcedPhrase> In(absl::string_view text, absl::Span<const TextRange> kept, bool later_leg,
                               Given& given) const;

 private:
  ForcedPhrases(absl::Span<const Phrase> first, absl::Span<const Phrase> later, std::vector<std::string> targets,
                bool placeholders)
      : first_leg_(first), later_legs_(later), targets_(std::move(targets)), placeholders_(placeholders) {}

  PhraseFinder first_leg_;            // the glossary's source phrases, then those that stay
  PhraseFinder later_legs_;           // the glossary's targets, then those that stay
  std::vector<std::string> targets_;  // of the glossary
  bool placeholders_;
};

}  // namespace heed
