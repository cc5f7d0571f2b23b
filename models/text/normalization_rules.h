// SPDX-License-Identifier: Apache-2.0
// The rules by which a SentencePiece model normalizes text, as its file holds them: a trie of what is replaced and the
// texts to put there. The library follows the trie's links as they are, so that a damaged one leads it out of its
// memory when a text comes. Hence this check, before the library gets the file.
//
// Without Abseil, like models/text/subwords.h.
#pragma once

#include <string>
#include <string_view>

namespace heed {

// Looks at every set of rules in the bytes of a *.spm file. Returns what is wrong with one, or nothing. Bytes from
// anywhere are safe to give, and those that are no model at all are told here or by the library.
std::string DamageOfRules(std::string_view model);

}  // namespace heed
