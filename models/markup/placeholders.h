// SPDX-License-Identifier: Apache-2.0
// Parts of a text that are meant for programs and are the same in every language.
#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "models/kinds/translator.h"

namespace heed {

// Where programs put something else in: {name}, {0}, {n, plural, one {# file} other {# files}}, {{name}}, ${name},
// #{name}, %{name}, %s, %1$s, %(name)d, %name%, [[name]], <x id="1"/>. In order, without overlaps. Percent signs behind
// numbers ("50% discount") and braces with words in them ("{see below}") are none. Takes linear time.
std::vector<TextRange> FindPlaceholders(absl::string_view text);

// Addresses: https://..., www...., name@host, @name@host. In order, without overlaps. A full stop or a bracket that
// ends the sentence does not belong to one. Takes linear time.
std::vector<TextRange> FindAddresses(absl::string_view text);

}  // namespace heed
