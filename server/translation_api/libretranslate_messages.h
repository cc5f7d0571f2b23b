// SPDX-License-Identifier: Apache-2.0
// LibreTranslate's API as calls of our own service: its requests as our messages, our messages as its answers. Without
// sockets or calls.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "heed/v1/translation.pb.h"
#include "server/translation_api/request_fields.h"

namespace heed {

// Beside the best translation: hypotheses of a beam search.
inline constexpr int kMaxAlternatives = 31;

struct LibreTranslation {
  v1::TranslateRequest message;
  bool is_list = false;  // q is a list, and so are the fields of the answer
  bool detects = false;  // the source is "auto"
  int alternatives = 0;
};

// POST /translate: q, source, target, format, alternatives. `is_form`: line ends of the texts are CR LF, as browsers
// send them in forms, and become LF. INVALID_ARGUMENT: a field is missing or wrong.
absl::StatusOr<LibreTranslation> ToLibreTranslation(const RequestFields& fields, bool is_form);
// {"translatedText": ...}, with "detectedLanguage" and "alternatives" if they were asked for.
std::string LibreTranslationAnswer(const LibreTranslation& request, const v1::TranslateResponse& response);

// POST /detect: q. A list is taken as one text.
absl::StatusOr<v1::DetectLanguageRequest> ToLibreDetection(const RequestFields& fields);
// [{"confidence": 92, "language": "de"}, ...]. A text of no language is in English with the confidence 0.
std::string LibreDetectionAnswer(const v1::DetectLanguageResponse& response);

// GET /languages: [{"code": "en", "name": "English", "targets": ["de", "en"]}, ...]. A language is its own target, too.
std::string LibreLanguagesAnswer(const v1::ListLanguagesResponse& response);

// GET /frontend/settings. `asks_for_keys`: the server has tokens.
std::string LibreSettingsAnswer(const v1::ListLanguagesResponse& response, bool asks_for_keys);

// {"error": "..."}.
std::string LibreError(absl::string_view message);

}  // namespace heed
