// SPDX-License-Identifier: Apache-2.0
#include "models/translation/translator_languages.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "models/languages/language_groups.h"
#include "models/languages/language_tag.h"

namespace heed {
namespace {

constexpr size_t kMaxPairs = 100000;
constexpr absl::string_view kNamePrefixes[] = {"opus-mt-", "opus-mt_", "opus-tatoeba-"};  // "mt" is Maltese

using Tags = std::vector<LanguageTag>;

struct NamedLanguages {
  absl::string_view source_text, target_text;
  Tags source, target;
};

// Languages as they are in names: nothing but groups and what has a name of its own.
std::optional<Tags> LanguagesInName(absl::string_view part) {
  absl::StatusOr<Tags> languages = ParseLanguages(part);
  if (!languages.ok() || !std::all_of(languages->begin(), languages->end(), IsNamedLanguage)) {
    if (!FindLanguageGroup(part)) return std::nullopt;
  }
  return *std::move(languages);
}

std::optional<NamedLanguages> FindInName(absl::string_view name) {
  for (absl::string_view prefix : kNamePrefixes) absl::ConsumePrefix(&name, prefix);
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '-');
  std::optional<NamedLanguages> found;
  bool found_short = false;  // codes of two letters
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    std::optional<Tags> source = LanguagesInName(parts[i]);
    std::optional<Tags> target = LanguagesInName(parts[i + 1]);
    if (!source || !target) continue;
    const auto is_short = [](absl::string_view part) {
      return part.size() == 2 || (part.size() > 2 && part[2] == '_');
    };
    const bool both_short = is_short(parts[i]) && is_short(parts[i + 1]);
    if (found_short && !both_short) continue;
    found_short = both_short;
    found = {parts[i], parts[i + 1], *std::move(source), *std::move(target)};
  }
  return found;
}

// What the files say, or nothing and why.
Tags ReadField(absl::string_view what, absl::string_view text, std::vector<std::string>& warnings) {
  if (absl::StripAsciiWhitespace(text).empty()) return {};
  absl::StatusOr<Tags> languages = ParseLanguages(text);
  if (languages.ok()) return *std::move(languages);
  warnings.push_back(absl::StrCat("its ", what, " language: ", languages.status().message()));
  return {};
}

struct Target {
  LanguageTag tag;
  absl::string_view code;
};

std::vector<Target> TargetsOfCodes(const std::vector<std::string>& codes) {
  std::vector<Target> targets;
  for (const std::string& code : codes) {
    absl::StatusOr<LanguageTag> tag = ParseLanguageTag(code);
    if (!tag.ok()) continue;
    const auto is_same = [&](const Target& known) { return known.tag == *tag; };
    if (std::none_of(targets.begin(), targets.end(), is_same)) targets.push_back({*std::move(tag), code});
  }
  return targets;
}

}  // namespace

TranslatorLanguages FindTranslatorLanguages(absl::string_view name, absl::string_view source, absl::string_view target,
                                            const std::vector<std::string>& codes) {
  TranslatorLanguages languages;
  Tags sources = ReadField("source", source, languages.warnings);
  Tags said = ReadField("target", target, languages.warnings);
  std::vector<Target> targets;
  if (codes.size() <= kMaxPairs) targets = TargetsOfCodes(codes);

  const bool asks_name = sources.empty() || (said.empty() && targets.empty());
  if (std::optional<NamedLanguages> named = asks_name ? FindInName(name) : std::nullopt) {
    if (sources.empty()) sources = std::move(named->source);
    if (said.empty()) said = std::move(named->target);
    languages.warnings.push_back(absl::StrCat("its files do not say what it translates; its name does: from \"",
                                              named->source_text, "\" to \"", named->target_text, "\""));
  }
  if (said.size() == 1) {
    const auto is_same = [&](const Target& known) { return known.tag == said[0]; };
    if (std::none_of(targets.begin(), targets.end(), is_same)) targets.push_back({said[0], ""});
  }
  if (targets.empty()) {
    languages.warnings.push_back(
        said.empty() ? "neither its files nor its name say which language it writes: requests have to name the model"
                     : "it writes several languages, but its vocabulary has no codes that choose one: requests have to "
                       "name the model");
    return languages;
  }
  if (sources.empty()) {
    languages.warnings.push_back(
        "neither its files nor its name say which language it reads: requests have to name the model");
    // Those of its targets that a code chooses.
    for (const Target& one : targets) {
      if (!one.code.empty()) languages.pairs.push_back({"", one.tag.ToString(), std::string(one.code)});
    }
    return languages;
  }
  if (sources.size() * targets.size() > kMaxPairs) {
    languages.warnings.push_back(absl::StrCat("it has ", sources.size(), " source and ", targets.size(),
                                              " target languages, more than ", kMaxPairs,
                                              " pairs: requests have to name the model"));
    return languages;
  }
  const bool is_only = sources.size() == 1 && targets.size() == 1;
  for (const LanguageTag& from : sources) {
    for (const Target& to : targets) {
      if (!is_only && MatchLanguages(to.tag, from) > LanguageMatch::kRelated) continue;
      languages.pairs.push_back({from.ToString(), to.tag.ToString(), std::string(to.code)});
    }
  }
  return languages;
}

}  // namespace heed
