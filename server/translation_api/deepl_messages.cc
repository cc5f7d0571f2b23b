// SPDX-License-Identifier: Apache-2.0
#include "server/translation_api/deepl_messages.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "server/translation_api/api_answer.h"

namespace heed {
namespace {

using Json = nlohmann::ordered_json;

// What DeepL has for those who pay for as many as they use.
constexpr int64_t kNoCharacterLimit = 1'000'000'000'000;
// As DeepL's clients have it.
constexpr size_t kMaxGlossaries = 5;

struct RegionalForm {
  const char* language;
  const char* code;
  const char* name;
};
// DeepL's clients refuse to translate to "EN" and "PT".
constexpr RegionalForm kRegionalForms[] = {{"en", "EN-GB", "English (British)"},
                                           {"en", "EN-US", "English (American)"},
                                           {"pt", "PT-BR", "Portuguese (Brazilian)"},
                                           {"pt", "PT-PT", "Portuguese (European)"}};

absl::Status NotSpecified(absl::string_view name) {
  return WithField(InvalidArgument("Parameter '", name, "' not specified."), name);
}

// Fields that ask for what is not served: an error is better than an answer that leaves them out.
absl::Status CheckUnserved(const RequestFields& fields) {
  for (const absl::string_view name : {"style_id", "translation_memory_id", "custom_instructions"}) {
    HEED_ASSIGN_OR_RETURN(const std::vector<std::string> values, fields.Texts(name));
    if (std::any_of(values.begin(), values.end(), [](const std::string& value) { return !value.empty(); })) {
      return InvalidField(name, Quoted(values[0]), " is given, but this server has none: leave it out");
    }
  }
  HEED_ASSIGN_OR_RETURN(const std::string formality, fields.Text("formality"));
  for (const absl::string_view accepted : {"", "default", "prefer_more", "prefer_less"}) {
    if (formality == accepted) return absl::OkStatus();
  }
  if (formality == "more" || formality == "less") {
    return InvalidField("formality", Quoted(formality), ", which no model of this server can do: use \"prefer_",
                        formality, "\" or \"default\"");
  }
  return InvalidField("formality", Quoted(formality), ", must be \"default\", \"prefer_more\" or \"prefer_less\"");
}

absl::StatusOr<v1::TextFormat> FormatOf(const RequestFields& fields) {
  HEED_ASSIGN_OR_RETURN(const std::string handling, fields.Text("tag_handling"));
  if (handling.empty()) return v1::TEXT_FORMAT_PLAIN;
  if (handling == "html") return v1::TEXT_FORMAT_HTML;
  if (handling == "xml") return v1::TEXT_FORMAT_XML;
  return InvalidField("tag_handling", Quoted(handling), ", must be \"html\" or \"xml\"");
}

absl::Status ReadMarkup(const RequestFields& fields, v1::MarkupOptions& markup) {
  HEED_ASSIGN_OR_RETURN(const std::vector<std::string> ignored, fields.Names("ignore_tags"));
  HEED_ASSIGN_OR_RETURN(const std::vector<std::string> splitting, fields.Names("splitting_tags"));
  HEED_ASSIGN_OR_RETURN(const std::vector<std::string> inlined, fields.Names("non_splitting_tags"));
  HEED_ASSIGN_OR_RETURN(const bool outline, fields.Flag("outline_detection", true));
  markup.mutable_ignored_elements()->Assign(ignored.begin(), ignored.end());
  markup.mutable_splitting_elements()->Assign(splitting.begin(), splitting.end());
  markup.mutable_inline_elements()->Assign(inlined.begin(), inlined.end());
  if (!outline) markup.set_detect_structure(false);
  return absl::OkStatus();
}

// Sentences go on across the ends of lines: these become spaces, of the same number of bytes.
std::string WithoutLineEnds(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

void AddLanguage(const std::string& code, const std::string& name, bool target, Json& languages) {
  Json language{{"language", code}, {"name", name}};
  if (target) language["supports_formality"] = false;
  languages.push_back(std::move(language));
}

absl::string_view Base(absl::string_view language) { return language.substr(0, language.find('-')); }

}  // namespace

std::string DeepLSourceCode(absl::string_view language) { return absl::AsciiStrToUpper(Base(language)); }

std::string DeepLTargetCode(absl::string_view language) { return absl::AsciiStrToUpper(language); }

absl::StatusOr<DeepLTranslation> ToDeepLTranslation(const RequestFields& fields) {
  DeepLTranslation request;
  v1::TranslateRequest& message = request.message;
  HEED_ASSIGN_OR_RETURN(std::vector<std::string> texts, fields.Texts("text"));
  if (texts.empty()) return NotSpecified("text");
  HEED_ASSIGN_OR_RETURN(const std::string target, fields.Text("target_lang"));
  if (target.empty()) return NotSpecified("target_lang");
  HEED_ASSIGN_OR_RETURN(const std::string source, fields.Text("source_lang"));
  message.set_source_language(source.empty() ? "auto" : source);
  message.set_target_language(target);
  HEED_RETURN_IF_ERROR(CheckUnserved(fields));

  HEED_ASSIGN_OR_RETURN(const v1::TextFormat format, FormatOf(fields));
  message.set_format(format);
  if (format != v1::TEXT_FORMAT_PLAIN) HEED_RETURN_IF_ERROR(ReadMarkup(fields, *message.mutable_markup()));

  HEED_ASSIGN_OR_RETURN(const std::string splitting, fields.Text("split_sentences"));
  if (splitting == "0") {
    message.mutable_options()->set_split_sentences(false);
  } else if (!splitting.empty() && splitting != "1" && splitting != "nonewlines") {
    return InvalidField("split_sentences", Quoted(splitting), ", must be \"0\", \"1\" or \"nonewlines\"");
  }
  // In HTML the end of a line is white space in any case.
  const bool joins_lines = splitting == "nonewlines" && format != v1::TEXT_FORMAT_HTML;
  for (std::string& text : texts) {
    request.billed_characters.push_back(static_cast<int64_t>(CharacterCount(text)));
    message.add_texts(joins_lines ? WithoutLineEnds(std::move(text)) : std::move(text));
  }

  HEED_RETURN_IF_ERROR(fields.Flag("preserve_formatting", true).status());
  HEED_ASSIGN_OR_RETURN(request.shows_billed_characters, fields.Flag("show_billed_characters", false));
  HEED_ASSIGN_OR_RETURN(const std::string type, fields.Text("model_type"));
  if (type == "latency_optimized") {
    message.mutable_options()->set_beam_size(1);
    request.model_type_used = type;
  } else if (type == "quality_optimized" || type == "prefer_quality_optimized") {
    request.model_type_used = "quality_optimized";
  } else if (!type.empty()) {
    return InvalidField("model_type", Quoted(type),
                        ", must be \"quality_optimized\", \"prefer_quality_optimized\" or \"latency_optimized\"");
  }

  HEED_ASSIGN_OR_RETURN(request.glossaries, fields.Names("glossary_ids"));
  HEED_ASSIGN_OR_RETURN(const std::vector<std::string> one, fields.Names("glossary_id"));
  request.glossaries.insert(request.glossaries.end(), one.begin(), one.end());
  if (request.glossaries.size() > kMaxGlossaries) {
    return InvalidField("glossary_ids", "has ", request.glossaries.size(), " glossaries, more than ", kMaxGlossaries);
  }
  if (!request.glossaries.empty() && source.empty()) {
    return InvalidField("source_lang", "is not specified, which a request with a glossary needs");
  }
  message.mutable_options()->set_return_scores(false);
  return request;
}

std::string DeepLTranslationAnswer(const DeepLTranslation& request, const v1::TranslateResponse& response) {
  Json translations = Json::array();
  for (int i = 0; i < response.translations_size(); ++i) {
    const v1::TranslatedText& text = response.translations(i);
    // Nothing is detected in a text without words; DeepL's clients take English for that.
    const absl::string_view source = text.source_language().empty() ? "en" : text.source_language();
    Json translation{{"detected_source_language", DeepLSourceCode(source)}, {"text", text.text()}};
    if (request.shows_billed_characters && static_cast<size_t>(i) < request.billed_characters.size()) {
      translation["billed_characters"] = request.billed_characters[static_cast<size_t>(i)];
    }
    if (!request.model_type_used.empty()) translation["model_type_used"] = request.model_type_used;
    translations.push_back(std::move(translation));
  }
  return JsonLine(Json{{"translations", std::move(translations)}});
}

absl::StatusOr<bool> AsksForDeepLTargets(const RequestFields& fields) {
  HEED_ASSIGN_OR_RETURN(const std::string type, fields.Text("type"));
  if (type.empty() || type == "source") return false;
  if (type == "target") return true;
  return InvalidField("type", Quoted(type), ", must be \"source\" or \"target\"");
}

std::string DeepLLanguagesAnswer(const v1::ListLanguagesResponse& response, bool targets) {
  std::set<std::string> served;
  for (const v1::LanguagePair& pair : response.pairs()) {
    served.insert(targets ? pair.target_language() : pair.source_language());
  }
  Json languages = Json::array();
  std::set<std::string> listed;
  for (const v1::Language& language : response.languages()) {
    if (served.count(language.language()) == 0) continue;
    if (!targets) {
      const std::string code = DeepLSourceCode(language.language());
      // Of a language with several forms the plain one has the name, if it is served.
      if (listed.insert(code).second) AddLanguage(code, language.name(), targets, languages);
      continue;
    }
    bool regional = false;
    for (const RegionalForm& form : kRegionalForms) {
      if (language.language() != form.language) continue;
      regional = true;
      if (listed.insert(form.code).second) AddLanguage(form.code, form.name, targets, languages);
    }
    const std::string code = DeepLTargetCode(language.language());
    if (!regional && listed.insert(code).second) AddLanguage(code, language.name(), targets, languages);
  }
  return JsonLine(languages);
}

std::string DeepLGlossaryPairsAnswer(const v1::ListLanguagesResponse& response) {
  std::set<std::pair<std::string, std::string>> pairs;
  for (const v1::LanguagePair& pair : response.pairs()) {
    pairs.emplace(absl::AsciiStrToLower(Base(pair.source_language())),
                  absl::AsciiStrToLower(Base(pair.target_language())));
  }
  Json list = Json::array();
  for (const auto& [source, target] : pairs) list.push_back(Json{{"source_lang", source}, {"target_lang", target}});
  return JsonLine(Json{{"supported_languages", std::move(list)}});
}

std::string DeepLUsageAnswer(int64_t character_count) {
  return JsonLine(Json{{"character_count", character_count}, {"character_limit", kNoCharacterLimit}});
}

std::string DeepLError(absl::string_view message) { return JsonLine(Json{{"message", std::string(message)}}); }

}  // namespace heed
