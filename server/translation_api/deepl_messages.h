// SPDX-License-Identifier: Apache-2.0
// Version 2 of DeepL's API as calls of our own service: its requests as our messages, our messages as its answers.
// Without sockets or calls.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "heed/v1/translation.pb.h"
#include "server/translation_api/request_fields.h"

namespace heed {

// Of our language tags, and of DeepL's codes: "pt-BR" is "PT" to translate from and "PT-BR" to translate to.
std::string DeepLSourceCode(absl::string_view language);
std::string DeepLTargetCode(absl::string_view language);

struct DeepLTranslation {
  v1::TranslateRequest message;  // without the entries of glossaries
  std::vector<std::string> glossaries;
  std::vector<int64_t> billed_characters;  // of each text
  bool shows_billed_characters = false;
  std::string model_type_used;  // empty: the request names no type
};

// POST /v2/translate. Accepted, and without effect: preserve_formatting (nothing is changed in any case), context,
// formality's "default", "prefer_more" and "prefer_less". INVALID_ARGUMENT: a field is missing or wrong, or asks for
// what no model of ours can do.
absl::StatusOr<DeepLTranslation> ToDeepLTranslation(const RequestFields& fields);
// {"translations": [{"detected_source_language": "EN", "text": "..."}]}.
std::string DeepLTranslationAnswer(const DeepLTranslation& request, const v1::TranslateResponse& response);

// /v2/languages: type is "source" (the default) or "target". A language whose regional forms DeepL's clients ask for
// (English and Portuguese) is listed in these forms.
absl::StatusOr<bool> AsksForDeepLTargets(const RequestFields& fields);
std::string DeepLLanguagesAnswer(const v1::ListLanguagesResponse& response, bool targets);

// /v2/glossary-language-pairs: every pair that is served.
std::string DeepLGlossaryPairsAnswer(const v1::ListLanguagesResponse& response);

// /v2/usage. The limit is the one that DeepL writes where there is none.
std::string DeepLUsageAnswer(int64_t character_count);

// {"message": "..."}.
std::string DeepLError(absl::string_view message);

}  // namespace heed
