// SPDX-License-Identifier: Apache-2.0
#include "server/services/language_calls.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/exception_barrier.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "server/languages/language_detector.h"
#include "server/rpc/instant_call.h"

namespace heed {
namespace {

class DetectCall final : public Call, public grpc::ServerUnaryReactor {
 public:
  DetectCall(const LanguageTable& languages, const JobParts& parts, grpc::CallbackServerContext& context,
             const v1::DetectLanguageRequest& request, v1::DetectLanguageResponse& response)
      : Call(parts.requests, context, "heed.v1.TranslationService/DetectLanguage"),
        languages_(languages),
        request_(request),
        response_(response) {}

  void Run(Preparation& preparation) {
    const absl::Status status = preparation.Run(static_cast<int64_t>(request_.ByteSizeLong()), [this] {
      Finish(End(WithoutExceptions([this] { return Detect(); })));
    });
    if (!status.ok()) Finish(End(status));
  }

  void OnDone() override { delete this; }

 private:
  absl::StatusOr<std::vector<LanguageTag>> ReadLanguages() const {
    if (request_.languages_size() > kMaxDetectedLanguages) {
      return InvalidField("languages", request_.languages_size(), " languages, at most ", kMaxDetectedLanguages);
    }
    std::vector<LanguageTag> tags;
    for (int i = 0; i < request_.languages_size(); ++i) {
      absl::StatusOr<LanguageTag> tag = ParseLanguageTag(request_.languages(i));
      if (!tag.ok()) return InvalidField(absl::StrCat("languages[", i, "]"), tag.status().message());
      tags.push_back(*std::move(tag));
    }
    return tags;
  }

  absl::Status Detect() {
    if (request_.texts_size() > kMaxDetectedTexts) {
      return InvalidField("texts", request_.texts_size(), " texts in one request, at most ", kMaxDetectedTexts);
    }
    HEED_ASSIGN_OR_RETURN(std::vector<LanguageTag> tags, ReadLanguages());
    if (tags.empty()) {
      const std::shared_ptr<const ServedLanguages> served = languages_.Served(allowed_models());
      for (const ServedLanguage& language : served->languages) tags.push_back(language.tag);
    }
    for (const std::string& text : request_.texts()) {
      if (context_.IsCancelled()) return absl::CancelledError("the client cancelled the request");
      if (Clock::now() > deadline()) return absl::DeadlineExceededError("the deadline passed during the detection");
      v1::DetectedLanguages& detected = *response_.add_texts();
      for (const LanguageGuess& guess : DetectLanguage(text, tags)) {
        v1::LanguageGuess& added = *detected.add_guesses();
        added.set_language(guess.language.ToString());
        added.set_confidence(guess.confidence);
      }
    }
    return absl::OkStatus();
  }

  const LanguageTable& languages_;
  const v1::DetectLanguageRequest& request_;
  v1::DetectLanguageResponse& response_;
};

}  // namespace

grpc::ServerUnaryReactor* ListLanguages(const LanguageTable& languages, RequestLog& requests,
                                        grpc::CallbackServerContext& context, v1::ListLanguagesResponse& response) {
  return AnswerNow(requests, context, "heed.v1.TranslationService/ListLanguages", [&] {
    // Whoever shows no token may see all of them: they are no secret of the server.
    const std::shared_ptr<const ServedLanguages> served = languages.Served(CurrentlyAllowedModels());
    for (const ServedLanguage& language : served->languages) {
      v1::Language& added = *response.add_languages();
      added.set_language(language.code);
      added.set_name(language.name);
      added.set_native_name(language.native_name);
    }
    for (const ServedPair& pair : served->pairs) {
      v1::LanguagePair& added = *response.add_pairs();
      added.set_source_language(pair.source);
      added.set_target_language(pair.target);
      for (const std::string& model : pair.models) added.add_models(model);
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* DetectLanguages(const LanguageTable& languages, const JobParts& parts,
                                          grpc::CallbackServerContext& context,
                                          const v1::DetectLanguageRequest& request,
                                          v1::DetectLanguageResponse& response) {
  auto* call = new DetectCall(languages, parts, context, request, response);  // deletes itself in OnDone
  call->Run(parts.preparation);
  return call;
}

}  // namespace heed
