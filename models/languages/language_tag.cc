// SPDX-License-Identifier: Apache-2.0
#include "models/languages/language_tag.h"

#include <unicode/locdspnm.h>
#include <unicode/locid.h>
#include <unicode/uloc.h>
#include <unicode/uscript.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/invalid_argument.h"
#include "models/languages/language_groups.h"

namespace heed {
namespace {

constexpr size_t kMaxTagBytes = 64;
constexpr size_t kMaxShownBytes = 40;

struct Alias {
  absl::string_view written;
  absl::string_view tag;
};

// What no standard has, but checkpoints (OPUS-MT) and programs (LibreTranslate, .NET) do; and countries' codes that
// people take for languages' and that no language has.
constexpr Alias kAliases[] = {
    {"pob", "pt-br"},      {"pb", "pt-br"},       {"zhs", "zh-hans"},    {"zht", "zh-hant"},
    {"zt", "zh-hant"},     {"zh-chs", "zh-hans"}, {"zh-cht", "zh-hant"}, {"zh-classical", "lzh"},
    {"zh-min-nan", "nan"}, {"cn", "zh"},          {"jp", "ja"},          {"jap", "ja"},
    {"cz", "cs"},          {"dk", "da"},          {"gr", "el"},          {"ua", "uk"},
};

// Languages whose tags may have another language of their family behind them: "zh-yue".
constexpr absl::string_view kWithExtendedLanguage[] = {"zh", "ar", "ms", "sgn", "sw"};

constexpr absl::string_view kChinese = "zh";
// That of a Chinese script which goes without saying.
constexpr Alias kChineseRegions[] = {{"Hans", "CN"}, {"Hant", "TW"}};

// Languages that are a part of what another code stands for.
constexpr Alias kParts[] = {{"nb", "no"}, {"nn", "no"}};

bool IsAlpha(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isalpha(c); });
}

bool IsDigits(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isdigit(c); });
}

bool IsAlphanumeric(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isalnum(c); });
}

bool IsScript(absl::string_view part) {
  if (part.size() != 4 || !IsAlpha(part)) return false;
  UScriptCode codes[4];
  UErrorCode error = U_ZERO_ERROR;
  return uscript_getCode(std::string(part).c_str(), codes, 4, &error) > 0 && U_SUCCESS(error);
}

bool IsRegion(absl::string_view part) {
  if (part.size() == 3) return IsDigits(part);
  if (part.size() != 2 || !IsAlpha(part)) return false;
  const std::string upper = absl::AsciiStrToUpper(part);
  if (upper == "UK" || upper == "XK") return true;  // written for GB; Kosovo
  for (const char* const* country = uloc_getISOCountries(); *country != nullptr; ++country) {
    if (upper == *country) return true;
  }
  return false;
}

bool IsVariant(absl::string_view part) {
  if (!IsAlphanumeric(part)) return false;
  return (part.size() >= 5 && part.size() <= 8) || (part.size() == 4 && absl::ascii_isdigit(part[0]));
}

icu::Locale LocaleOf(const LanguageTag& tag) {
  UErrorCode error = U_ZERO_ERROR;
  icu::Locale locale = icu::Locale::forLanguageTag(tag.ToString(), error);
  return U_SUCCESS(error) ? locale : icu::Locale(tag.language.c_str());
}

// The script in which the language is written, in the region if that is given; empty if that is not known.
std::string LikelyScript(const std::string& language, const std::string& region) {
  icu::Locale locale(language.c_str(), region.c_str());
  UErrorCode error = U_ZERO_ERROR;
  locale.addLikelySubtags(error);
  return U_SUCCESS(error) ? locale.getScript() : "";
}

// The script goes where the language has it anyway; that of Chinese comes where the region tells it.
void SettleScript(LanguageTag& tag) {
  if (tag.language != kChinese) {
    if (!tag.script.empty() && tag.script == LikelyScript(tag.language, "") &&
        (tag.region.empty() || tag.script == LikelyScript(tag.language, tag.region))) {
      tag.script.clear();
    }
    return;
  }
  if (tag.script.empty() && !tag.region.empty()) tag.script = LikelyScript(tag.language, tag.region);
  for (const auto& [script, region] : kChineseRegions) {
    if (tag.script == script && tag.region == region) tag.region.clear();
  }
}

absl::Status NoLanguage(absl::string_view text, absl::string_view why) {
  size_t shown = std::min(text.size(), kMaxShownBytes);
  while (shown < text.size() && shown > 0 && (text[shown] & 0xC0) == 0x80) --shown;  // whole characters
  return InvalidArgument("\"", text.substr(0, shown), shown < text.size() ? "..." : "", "\" is no language", why);
}

// The end of an error's message, which helps with an English name.
std::string WhatToWrite(absl::string_view name) {
  const std::unique_ptr<icu::LocaleDisplayNames> names(
      icu::LocaleDisplayNames::createInstance(icu::Locale::getEnglish(), ULDN_DIALECT_NAMES));
  for (const char* const* code = uloc_getISOLanguages(); *code != nullptr; ++code) {
    icu::UnicodeString called;
    std::string utf8;
    names->languageDisplayName(*code, called).toUTF8String(utf8);
    if (absl::EqualsIgnoreCase(utf8, name)) return absl::StrCat(": write \"", *code, "\"");
  }
  return ": write it as \"de\", \"pt-BR\" or \"zh-Hans\"";
}

std::string DisplayName(const LanguageTag& tag, const icu::Locale& in) {
  const std::unique_ptr<icu::LocaleDisplayNames> names(icu::LocaleDisplayNames::createInstance(in, ULDN_DIALECT_NAMES));
  icu::UnicodeString called;
  std::string utf8;
  if (names != nullptr) names->localeDisplayName(LocaleOf(tag), called).toUTF8String(utf8);
  return utf8.empty() ? tag.ToString() : utf8;
}

// How well a part of the tag fits: one that is not there stands for all.
LanguageMatch MatchPart(absl::string_view wanted, absl::string_view served) {
  if (wanted == served) return LanguageMatch::kExact;
  if (served.empty()) return LanguageMatch::kBroader;
  return wanted.empty() ? LanguageMatch::kNarrower : LanguageMatch::kRelated;
}

LanguageMatch MatchLanguageCodes(absl::string_view wanted, absl::string_view served) {
  if (wanted == served) return LanguageMatch::kExact;
  for (const auto& [part, whole] : kParts) {
    if (wanted == part && served == whole) return LanguageMatch::kBroader;
    if (wanted == whole && served == part) return LanguageMatch::kNarrower;
  }
  return LanguageMatch::kNone;
}

LanguageMatch MatchScripts(const LanguageTag& wanted, const LanguageTag& served) {
  if (wanted.script == served.script) return LanguageMatch::kExact;
  if (wanted.language == kChinese && (wanted.script.empty() || served.script.empty())) {
    if (wanted.script.empty()) return LanguageMatch::kNarrower;
    // Chinese alone is mostly simplified.
    return wanted.script == kChineseRegions[0].written ? LanguageMatch::kBroader : LanguageMatch::kRelated;
  }
  return ScriptOf(wanted) == ScriptOf(served) ? LanguageMatch::kExact : LanguageMatch::kNone;
}

}  // namespace

std::string LanguageTag::ToString() const {
  std::string text = language;
  for (const std::string* part : {&script, &region, &variants}) {
    if (!part->empty()) absl::StrAppend(&text, "-", *part);
  }
  return text;
}

absl::StatusOr<LanguageTag> ParseLanguageTag(absl::string_view text) {
  absl::string_view written = absl::StripAsciiWhitespace(text);
  if (absl::StartsWith(written, ">>") && absl::EndsWith(written, "<<") && written.size() > 4) {
    written = written.substr(2, written.size() - 4);
  }
  written = written.substr(0, written.find_first_of(".@"));
  if (written.empty()) return NoLanguage(text, "");
  if (written.size() > kMaxTagBytes) return NoLanguage(text, WhatToWrite(""));
  std::string lower = absl::AsciiStrToLower(written);
  std::replace(lower.begin(), lower.end(), '_', '-');
  for (const auto& [name, tag] : kAliases) {
    if (lower == name) lower = std::string(tag);
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(lower, '-');
  if (!IsAlpha(parts[0]) || parts[0].size() < 2 || parts[0].size() > 3) return NoLanguage(text, WhatToWrite(written));
  if (FindLanguageGroup(parts[0])) return NoLanguage(text, ", but a group of languages");

  LanguageTag given;
  given.language = std::string(parts[0]);
  std::vector<absl::string_view> variants;
  for (size_t i = 1; i < parts.size(); ++i) {
    const absl::string_view part = parts[i];
    const bool nothing_behind = variants.empty() && given.region.empty();
    if (part.size() == 1 && i + 1 < parts.size() && part != "x") break;  // an extension
    if (i == 1 && part.size() == 3 && IsAlpha(part) && absl::c_linear_search(kWithExtendedLanguage, parts[0])) {
      given.language = std::string(part);
    } else if (given.script.empty() && nothing_behind && IsScript(part)) {
      given.script = std::string(part);
    } else if (nothing_behind && IsRegion(part)) {
      given.region = std::string(part);
    } else if (IsVariant(part)) {
      variants.push_back(part);
    } else {
      return NoLanguage(text, absl::StrCat(": \"", part, "\" is neither a script nor a region"));
    }
  }
  given.variants = absl::StrJoin(variants, "-");

  UErrorCode error = U_ZERO_ERROR;
  icu::Locale locale = icu::Locale::forLanguageTag(given.ToString(), error);
  if (U_SUCCESS(error)) locale.canonicalize(error);
  if (U_FAILURE(error) || *locale.getLanguage() == '\0') return NoLanguage(text, WhatToWrite(written));
  LanguageTag tag;
  tag.language = locale.getLanguage();
  tag.script = locale.getScript();
  tag.region = locale.getCountry();
  tag.variants = absl::AsciiStrToLower(locale.getVariant());
  std::replace(tag.variants.begin(), tag.variants.end(), '_', '-');
  SettleScript(tag);
  return tag;
}

LanguageMatch MatchLanguages(const LanguageTag& wanted, const LanguageTag& served) {
  const LanguageMatch language = MatchLanguageCodes(wanted.language, served.language);
  if (language == LanguageMatch::kNone) return language;
  return std::min({language, MatchScripts(wanted, served), MatchPart(wanted.region, served.region),
                   MatchPart(wanted.variants, served.variants)});
}

std::string ScriptOf(const LanguageTag& tag) {
  return tag.script.empty() ? LikelyScript(tag.language, tag.region) : tag.script;
}

std::string EnglishName(const LanguageTag& tag) { return DisplayName(tag, icu::Locale::getEnglish()); }

std::string NativeName(const LanguageTag& tag) { return DisplayName(tag, LocaleOf(tag)); }

}  // namespace heed
