// SPDX-License-Identifier: Apache-2.0
#include "server/translation_api/libretranslate_messages.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "server/translation_api/api_answer.h"

namespace heed {
namespace {

using Json = nlohmann::ordered_json;

// Beams are at least as wide as most models' own.
constexpr int kMinBeamOfAlternatives = 4;

// LibreTranslate's own codes, which nobody else has, as the rest of the world writes them.
std::string FromLibreCode(absl::string_view code) {
  if (absl::EqualsIgnoreCase(code, "pb")) return "pt-BR";
  if (absl::EqualsIgnoreCase(code, "zt")) return "zh-Hant";
  return std::string(code);
}

absl::Status Missing(absl::string_view name) {
  return WithField(InvalidArgument("Invalid request: missing ", name, " parameter"), name);
}

absl::StatusOr<std::vector<std::string>> TextsToRead(const RequestFields& fields) {
  HEED_ASSIGN_OR_RETURN(std::vector<std::string> texts, fields.Texts("q"));
  if (texts.empty() || (!fields.IsList("q") && texts[0].empty())) return Missing("q");
  return texts;
}

Json Guess(absl::string_view language, double confidence) {
  const auto percent = static_cast<int>(std::lround(std::clamp(confidence, 0.0, 1.0) * 100));
  return Json{{"confidence", language.empty() ? 0 : percent},
              {"language", language.empty() ? "en" : std::string(language)}};
}

}  // namespace

absl::StatusOr<LibreTranslation> ToLibreTranslation(const RequestFields& fields, bool is_form) {
  LibreTranslation request;
  request.is_list = fields.IsList("q");
  HEED_ASSIGN_OR_RETURN(std::vector<std::string> texts, TextsToRead(fields));
  HEED_ASSIGN_OR_RETURN(const std::string source, fields.Text("source"));
  HEED_ASSIGN_OR_RETURN(const std::string target, fields.Text("target"));
  HEED_ASSIGN_OR_RETURN(const std::string format, fields.Text("format"));
  if (source.empty()) return Missing("source");
  if (target.empty()) return Missing("target");
  HEED_ASSIGN_OR_RETURN(request.alternatives, fields.Number("alternatives", 0, 0, kMaxAlternatives));

  v1::TranslateRequest& message = request.message;
  for (std::string& text : texts) {
    message.add_texts(is_form ? absl::StrReplaceAll(text, {{"\r\n", "\n"}}) : std::move(text));
  }
  request.detects = absl::EqualsIgnoreCase(source, "auto");
  message.set_source_language(request.detects ? "auto" : FromLibreCode(source));
  message.set_target_language(FromLibreCode(target));
  if (format == "html") {
    message.set_format(v1::TEXT_FORMAT_HTML);
  } else if (format.empty() || format == "text") {
    message.set_format(v1::TEXT_FORMAT_PLAIN);
  } else {
    return InvalidField("format", Quoted(format), " is not supported, must be \"text\" or \"html\"");
  }
  message.mutable_options()->set_return_scores(false);
  if (request.alternatives > 0) {
    message.mutable_options()->set_n_best(request.alternatives + 1);
    message.mutable_options()->set_beam_size(std::max(request.alternatives + 1, kMinBeamOfAlternatives));
    message.mutable_options()->clear_return_scores();
  }
  return request;
}

std::string LibreTranslationAnswer(const LibreTranslation& request, const v1::TranslateResponse& response) {
  Json texts = Json::array();
  Json detected = Json::array();
  Json alternatives = Json::array();
  for (const v1::TranslatedText& text : response.translations()) {
    texts.push_back(text.text());
    if (request.detects) detected.push_back(Guess(text.source_language(), text.detection_confidence()));
    if (request.alternatives == 0) continue;
    std::vector<std::string> others;
    for (const std::string& other : text.alternatives()) {
      const bool known = other == text.text() || std::find(others.begin(), others.end(), other) != others.end();
      if (!known && others.size() < static_cast<size_t>(request.alternatives)) others.push_back(other);
    }
    alternatives.push_back(std::move(others));
  }
  const auto one_or_all = [&request](Json& list) {
    return request.is_list || list.empty() ? std::move(list) : std::move(list[0]);
  };
  Json answer;
  if (request.alternatives > 0) answer["alternatives"] = one_or_all(alternatives);
  if (request.detects) answer["detectedLanguage"] = one_or_all(detected);
  answer["translatedText"] = one_or_all(texts);
  return JsonLine(answer);
}

absl::StatusOr<v1::DetectLanguageRequest> ToLibreDetection(const RequestFields& fields) {
  HEED_ASSIGN_OR_RETURN(const std::vector<std::string> texts, TextsToRead(fields));
  v1::DetectLanguageRequest message;
  message.add_texts(absl::StrJoin(texts, "\n"));
  return message;
}

std::string LibreDetectionAnswer(const v1::DetectLanguageResponse& response) {
  Json guesses = Json::array();
  for (const v1::DetectedLanguages& text : response.texts()) {
    for (const v1::LanguageGuess& guess : text.guesses()) {
      guesses.push_back(Guess(guess.language(), guess.confidence()));
    }
  }
  if (guesses.empty()) guesses.push_back(Guess("", 0));
  return JsonLine(guesses);
}

std::string LibreLanguagesAnswer(const v1::ListLanguagesResponse& response) {
  std::map<std::string, std::vector<std::string>> targets;
  for (const v1::LanguagePair& pair : response.pairs()) {
    targets[pair.source_language()].push_back(pair.target_language());
  }
  Json languages = Json::array();
  for (const v1::Language& language : response.languages()) {
    std::vector<std::string>& of = targets[language.language()];
    of.push_back(language.language());
    std::sort(of.begin(), of.end());
    of.erase(std::unique(of.begin(), of.end()), of.end());
    languages.push_back(Json{{"code", language.language()}, {"name", language.name()}, {"targets", of}});
  }
  return JsonLine(languages);
}

std::string LibreSettingsAnswer(const v1::ListLanguagesResponse& response, bool asks_for_keys) {
  const std::string target = response.pairs().empty() ? "en" : response.pairs(0).target_language();
  std::string name = target;
  for (const v1::Language& language : response.languages()) {
    if (language.language() == target) name = language.name();
  }
  return JsonLine(Json{
      {"apiKeys", asks_for_keys},
      {"charLimit", -1},
      {"filesTranslation", false},
      {"frontendTimeout", 500},
      {"keyRequired", asks_for_keys},
      {"language",
       {{"source", {{"code", "auto"}, {"name", "Auto Detect"}}}, {"target", {{"code", target}, {"name", name}}}}},
      {"suggestions", false},
      {"supportedFilesFormat", Json::array()},
  });
}

std::string LibreError(absl::string_view message) { return JsonLine(Json{{"error", std::string(message)}}); }

}  // namespace heed
