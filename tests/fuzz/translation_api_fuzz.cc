// SPDX-License-Identifier: Apache-2.0
// Requests to LibreTranslate's and DeepL's APIs: bodies of each content type, and what becomes of them.
//
// Input: a byte whose remainder by 4 chooses the content type; then the body. The boundary of multipart bodies is "b".
#include <string>

#include "absl/types/span.h"
#include "base/utf8.h"
#include "heed/v1/translation.pb.h"
#include "nlohmann/json.hpp"
#include "server/translation_api/deepl_messages.h"
#include "server/translation_api/glossary_store.h"
#include "server/translation_api/libretranslate_messages.h"
#include "server/translation_api/request_fields.h"
#include "tests/fuzz/fuzz_target.h"

namespace heed {
namespace {

constexpr absl::string_view kContentTypes[] = {"application/json", "application/x-www-form-urlencoded",
                                               "multipart/form-data; boundary=b", ""};

void ExpectRefusal(const absl::Status& status) {
  HEED_FUZZ_EXPECT(status.code() == absl::StatusCode::kInvalidArgument, status.ToString().c_str());
  HEED_FUZZ_EXPECT(status.message().size() < 4096, "a message as long as what it is about");
}

// What a server that changes nothing would answer.
v1::TranslateResponse Echo(const v1::TranslateRequest& request) {
  v1::TranslateResponse response;
  for (const std::string& text : request.texts()) {
    HEED_FUZZ_EXPECT(!FirstInvalidUtf8(text), "a text that is not UTF-8");
    v1::TranslatedText& translation = *response.add_translations();
    translation.set_text(text);
    translation.add_alternatives(text);
    translation.add_alternatives(text + "!");
  }
  return response;
}

void RunLibreTranslate(const RequestFields& fields) {
  const absl::StatusOr<LibreTranslation> request = ToLibreTranslation(fields, true);
  if (request.ok()) {
    const auto answer = nlohmann::json::parse(LibreTranslationAnswer(*request, Echo(request->message)));
    const auto& texts = answer["translatedText"];
    HEED_FUZZ_EXPECT(
        request->is_list ? texts.size() == static_cast<size_t>(request->message.texts_size()) : texts.is_string(),
        "an answer of another shape");
  } else {
    ExpectRefusal(request.status());
  }
  const absl::StatusOr<v1::DetectLanguageRequest> detection = ToLibreDetection(fields);
  if (!detection.ok()) ExpectRefusal(detection.status());
}

void RunDeepL(const RequestFields& fields) {
  const absl::StatusOr<DeepLTranslation> request = ToDeepLTranslation(fields);
  if (request.ok()) {
    const auto answer = nlohmann::json::parse(DeepLTranslationAnswer(*request, Echo(request->message)));
    HEED_FUZZ_EXPECT(answer["translations"].size() == static_cast<size_t>(request->message.texts_size()),
                     "a text without a translation");
  } else {
    ExpectRefusal(request.status());
  }
  const absl::StatusOr<std::string> entries = fields.Text("entries");
  if (!entries.ok()) return ExpectRefusal(entries.status());
  for (const absl::string_view format : {"tsv", "csv"}) {
    const auto glossary = ParseGlossary(format, *entries);
    if (!glossary.ok()) {
      ExpectRefusal(glossary.status());
      continue;
    }
    Glossary stored;
    stored.entries = *glossary;
    const auto again = ParseGlossary("tsv", GlossaryAsTsv(stored));
    HEED_FUZZ_EXPECT(again.ok() && *again == *glossary, "a glossary that changes on the way");
  }
}

void Run(absl::string_view input) {
  if (input.empty()) return;
  const absl::string_view type = kContentTypes[static_cast<uint8_t>(input[0]) % std::size(kContentTypes)];
  const absl::StatusOr<RequestFields> fields = RequestFields::Read(type, input.substr(1), {});
  if (!fields.ok()) return ExpectRefusal(fields.status());
  RunLibreTranslate(*fields);
  RunDeepL(*fields);
}

}  // namespace

HEED_FUZZ_TARGET(translation_api, Run, nullptr)

}  // namespace heed
