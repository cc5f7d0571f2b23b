// SPDX-License-Identifier: Apache-2.0
// Languages as people, clients and checkpoints write them, in one canonical form: BCP 47's.
//
//   de  DE  deu  ger  de_DE.UTF-8       de (the last one: de-DE)
//   pt_br  pob  >>por_br<<              pt-BR
//   cmn_Hans  zhs  zh-CN  zh_SG         zh-Hans (the last one: zh-Hans-SG)
//   zht  zh-TW  >>cmn_Hant<<            zh-Hant
//   srp_Latn  sh                        sr-Latn
//   eng_Latn  sr-Cyrl                   en, sr: the script that the language has unless told otherwise
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed {

// A language, and where it is said, the script and the region that it is written in. Always canonical.
struct LanguageTag {
  std::string language;  // ISO 639-1 if the language has such a code, else 639-3: "de", "yue"
  std::string script;    // "Hans"; empty: the language's usual one. Chinese has none that is usual.
  std::string region;    // "BR", "419"; empty: any
  std::string variants;  // "valencia"; of several, "1996-fonipa"

  // "pt-BR".
  std::string ToString() const;

  bool operator==(const LanguageTag&) const = default;
};

// Reads a language however it is written: case does not count; '_' and '-' are the same; the marks ">>" and "<<", a
// charset (".UTF-8"), a modifier ("@euro") and BCP 47's extensions ("-u-...") are left out. Languages that have no
// ISO 639-1 code may be unknown here, but not their form: two or three letters.
//
// INVALID_ARGUMENT, which has `text` in quotes: it is no language. If it is the English name of one ("German"), the
// message says what to write.
absl::StatusOr<LanguageTag> ParseLanguageTag(absl::string_view text);

// How well a language that is served does for one that is wanted.
enum class LanguageMatch {
  kNone,
  kRelated,   // the same language, of another region, or of a script that the served one does not tell ("zh-Hant" and
              // "zh"): to be read, but not to be written in
  kNarrower,  // wanted: "pt", served: "pt-BR"; "no" and "nb"
  kBroader,   // wanted: "pt-BR", served: "pt"; "nb" and "no"
  kExact,
};

// Greater is better. Languages of different scripts do not match: "zh-TW" and "zh-Hans", "sr-Latn" and "sr".
LanguageMatch MatchLanguages(const LanguageTag& wanted, const LanguageTag& served);

// The script that it is written in, by ISO 15924: "Latn"; its usual one if the tag does not say. Empty: not known.
std::string ScriptOf(const LanguageTag& tag);

// What the language is called in English ("Brazilian Portuguese"), and in itself ("português (Brasil)"). The code if
// that is not known.
std::string EnglishName(const LanguageTag& tag);
std::string NativeName(const LanguageTag& tag);

}  // namespace heed
