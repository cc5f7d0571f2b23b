// SPDX-License-Identifier: Apache-2.0
// Which pairs of languages a translator's directory says it translates.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "models/kinds/translator.h"

namespace heed {

struct TranslatorLanguages {
  std::vector<LanguagePair> pairs;
  std::vector<std::string> warnings;  // what was taken from the name, or is missing
};

// `source` and `target` are what its files say: a language, a group ("roa") or a list ("cat+oci"); empty: nothing.
// `codes` are the ">>deu<<" of its vocabulary, each of which is a target; those that name no language are left out, and
// of several for one language the first counts. Without codes there has to be one target.
//
// What the files do not say, the name does, if it has two languages behind each other: "opus-mt-en-de",
// "translator-en-de-rnn", "opus-mt-tc-big-en-pt_br", "opus-mt-ROMANCE-en". Of several such places in it the last one
// counts whose languages have codes of two letters, else the last one. A warning says so.
//
// Of a model with codes whose source nobody says, pairs have no source.
TranslatorLanguages FindTranslatorLanguages(absl::string_view name, absl::string_view source, absl::string_view target,
                                            const std::vector<std::string>& codes);

}  // namespace heed
