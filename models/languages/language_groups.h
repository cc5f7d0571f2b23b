// SPDX-License-Identifier: Apache-2.0
// Several languages under one code: families of ISO 639-5 ("roa"), the names that OPUS-MT has for lists of its own
// ("ROMANCE"), and lists that are written out ("fi_nb_no_nn_ru_sv_en", "cat+oci+spa").
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/languages/language_tag.h"

namespace heed {

// The members of a group that models are trained on and that can be detected, by code: a table, not all that
// linguists know. Nothing if `code` is no group. "mul" has all that any group has.
std::optional<std::vector<std::string>> FindLanguageGroup(absl::string_view code);

// The languages that a checkpoint's field or a part of its name stands for: one, a group, or a list. Each once, in
// order of appearance. "pt_br" and "zh_cn" are one language each, "de_fr" and "es_fi" are two: what has a region's code
// in small letters is a list if that is also the code of a widespread language.
//
// INVALID_ARGUMENT, which has the text: something in it is no language.
absl::StatusOr<std::vector<LanguageTag>> ParseLanguages(absl::string_view text);

// Whether the language is one that has a name (in ICU's tables): "rnn" looks like a language and has none.
bool IsNamedLanguage(const LanguageTag& tag);

}  // namespace heed
