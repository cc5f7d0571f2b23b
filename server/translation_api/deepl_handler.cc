// SPDX-License-Identifier: Apache-2.0
#include "server/translation_api/deepl_handler.h"

#include <numeric>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "heed/v1/translation.pb.h"
#include "server/gateway/http_status.h"
#include "server/rpc/status.h"
#include "server/translation_api/api_answer.h"
#include "server/translation_api/api_call.h"

namespace heed {
namespace {

using Json = nlohmann::ordered_json;

constexpr absl::string_view kGlossaries = "/v2/glossaries";
constexpr absl::string_view kEntries = "/entries";
constexpr unsigned kQuotaExceeded = 456;

HttpAnswer DeepLErrorAnswer(const grpc::Status& status) {
  std::string message = WithApiField(status.error_message(), {{"texts", "text"},
                                                              {"source_language", "source_lang"},
                                                              {"target_language", "target_lang"},
                                                              {"markup.ignored_elements", "ignore_tags"},
                                                              {"markup.splitting_elements", "splitting_tags"},
                                                              {"markup.inline_elements", "non_splitting_tags"}});
  if (status.error_code() == grpc::StatusCode::UNAUTHENTICATED) {
    message = "this server asks for a token, and this is none of its own: Authorization: DeepL-Auth-Key TOKEN";
  }
  HttpAnswer answer = JsonAnswer(DeepLError(message), ApiStatusOf(status));
  AddErrorHeaders(status, answer);
  return answer;
}

HttpAnswer DeepLErrorAnswer(const absl::Status& status) { return DeepLErrorAnswer(ToGrpcStatus(status)); }

// The context of a call, with DeepL's form of Authorization as ours.
absl::StatusOr<CallContext> DeepLContextOf(const HttpRequest& request) {
  HEED_ASSIGN_OR_RETURN(CallContext context, ContextOf(request));
  constexpr absl::string_view kScheme = "DeepL-Auth-Key ";
  if (absl::StartsWithIgnoreCase(context.authorization, kScheme)) {
    context.authorization =
        absl::StrCat("Bearer ", absl::StripAsciiWhitespace(context.authorization.substr(kScheme.size())));
  }
  return context;
}

bool IsGlossaryPath(absl::string_view path) {
  return path == kGlossaries || absl::StartsWith(path, absl::StrCat(kGlossaries, "/"));
}

bool IsUnserved(absl::string_view path) {
  return path == "/v2/document" || absl::StartsWith(path, "/v2/document/") || absl::StartsWith(path, "/v2/write/");
}

Json ToJson(const Glossary& glossary) {
  return {{"glossary_id", glossary.id},
          {"name", glossary.name},
          {"ready", true},
          {"source_lang", glossary.source_language},
          {"target_lang", glossary.target_language},
          {"creation_time", absl::FormatTime("%Y-%m-%d%ET%H:%M:%E3SZ", glossary.created, absl::UTCTimeZone())},
          {"entry_count", glossary.entries.size()}};
}

absl::StatusOr<Glossary> ReadGlossary(const RequestFields& fields) {
  Glossary glossary;
  HEED_ASSIGN_OR_RETURN(glossary.name, fields.Text("name"));
  HEED_ASSIGN_OR_RETURN(glossary.source_language, fields.Text("source_lang"));
  HEED_ASSIGN_OR_RETURN(glossary.target_language, fields.Text("target_lang"));
  if (glossary.source_language.empty()) return InvalidField("source_lang", "is not specified");
  if (glossary.target_language.empty()) return InvalidField("target_lang", "is not specified");
  absl::AsciiStrToLower(&glossary.source_language);
  absl::AsciiStrToLower(&glossary.target_language);
  HEED_ASSIGN_OR_RETURN(const std::string format, fields.Text("entries_format"));
  HEED_ASSIGN_OR_RETURN(const std::string entries, fields.Text("entries"));
  HEED_ASSIGN_OR_RETURN(glossary.entries, ParseGlossary(format, entries));
  glossary.created = absl::Now();
  return glossary;
}

}  // namespace

std::vector<std::string> DeepLHandler::MethodsOf(absl::string_view path) const {
  if (path == "/v2/translate") return {"POST"};
  if (path == "/v2/languages" || path == "/v2/usage" || path == kGlossaries) return {"GET", "POST"};
  if (path == "/v2/glossary-language-pairs") return {"GET"};
  if (IsUnserved(path)) return {"GET", "POST"};
  if (!IsGlossaryPath(path)) return {};
  if (absl::EndsWith(path, kEntries)) return {"GET"};
  return {"GET", "DELETE"};
}

std::vector<std::string> DeepLHandler::Paths() const {
  return {"/v2/translate",
          "/v2/languages",
          "/v2/usage",
          "/v2/glossary-language-pairs",
          "/v2/glossaries",
          "/v2/glossaries/{glossary_id}",
          "/v2/glossaries/{glossary_id}/entries"};
}

std::optional<HttpAnswer> DeepLHandler::Refuse(const HttpRequest& head) const {
  if (IsUnserved(head.path)) {
    return JsonAnswer(
        DeepLError(absl::StrCat(head.path, ": this server neither translates documents nor rewrites texts")), 404);
  }
  // What a form brings about is kept here: no page of another origin may do that without that its browser asks first.
  if (head.method == "POST" && head.path == kGlossaries && !head.Header("origin").empty() &&
      head.ContentType() != "application/json") {
    return JsonAnswer(DeepLError("a page of another origin must send its Content-Type: application/json"), 415);
  }
  if (head.Header("authorization").empty()) return std::nullopt;  // auth_key may be in the body
  const absl::StatusOr<CallContext> context = DeepLContextOf(head);
  if (!context.ok()) return DeepLErrorAnswer(context.status());
  const absl::Status status = head.path == "/v2/translate" ? calls_.Check(kTranslateMethod, *context)
                                                           : calls_.CheckRight(kTranslateMethod, *context);
  if (!status.ok()) return DeepLErrorAnswer(status);
  return std::nullopt;
}

void DeepLHandler::Serve(std::shared_ptr<HttpExchange> exchange) {
  RunApart(
      preparation_, exchange, [](const grpc::Status& status) { return DeepLErrorAnswer(status); },
      [this, exchange] { ServeFields(exchange); });
}

void DeepLHandler::ServeFields(const std::shared_ptr<HttpExchange>& exchange) {
  const HttpRequest& request = exchange->request();
  const std::string& path = request.path;
  const std::string body = exchange->TakeBody();
  const absl::StatusOr<RequestFields> fields = RequestFields::Read(request.Header("content-type"), body, request.query);
  if (!fields.ok()) return exchange->Answer(DeepLErrorAnswer(fields.status()));
  absl::StatusOr<CallContext> context = DeepLContextOf(request);
  if (!context.ok()) return exchange->Answer(DeepLErrorAnswer(context.status()));
  const absl::StatusOr<std::string> key = fields->Text("auth_key");
  if (!key.ok()) return exchange->Answer(DeepLErrorAnswer(key.status()));
  if (context->authorization.empty() && !key->empty()) context->authorization = absl::StrCat("Bearer ", *key);

  if (path == "/v2/translate") return Translate(exchange, *fields, *context);
  // DeepL shows nothing to those without a key. The languages themselves are no secret of ours.
  const absl::Status may = calls_.CheckRight(kTranslateMethod, *context);
  if (!may.ok()) return exchange->Answer(DeepLErrorAnswer(may));
  if (path == "/v2/usage") return exchange->Answer(JsonAnswer(DeepLUsageAnswer(*character_count_)));
  if (IsGlossaryPath(path)) return exchange->Answer(AnswerGlossaries(request, *fields, *context));

  bool targets = false;
  if (path == "/v2/languages") {
    const absl::StatusOr<bool> asks = AsksForDeepLTargets(*fields);
    if (!asks.ok()) return exchange->Answer(DeepLErrorAnswer(asks.status()));
    targets = *asks;
  }
  CallAndAnswer<v1::ListLanguagesResponse>(
      calls_, preparation_, exchange, kListLanguagesMethod, *context, v1::ListLanguagesRequest(),
      [](const grpc::Status& status) { return DeepLErrorAnswer(status); },
      [path, targets](const v1::ListLanguagesResponse& response) {
        return JsonAnswer(path == "/v2/languages" ? DeepLLanguagesAnswer(response, targets)
                                                  : DeepLGlossaryPairsAnswer(response));
      });
}

void DeepLHandler::Translate(const std::shared_ptr<HttpExchange>& exchange, const RequestFields& fields,
                             const CallContext& context) const {
  absl::StatusOr<DeepLTranslation> translation = ToDeepLTranslation(fields);
  if (!translation.ok()) return exchange->Answer(DeepLErrorAnswer(translation.status()));
  const absl::Status status = AddGlossaries(context, *translation);
  if (!status.ok()) {
    HttpAnswer answer = DeepLErrorAnswer(status);
    if (absl::IsNotFound(status)) answer.status = 404;
    return exchange->Answer(std::move(answer));
  }
  const v1::TranslateRequest message = std::exchange(translation->message, {});
  CallAndAnswer<v1::TranslateResponse>(
      calls_, preparation_, exchange, kTranslateMethod, context, message,
      [](const grpc::Status& failed) { return DeepLErrorAnswer(failed); },
      [translation = *std::move(translation), count = character_count_](const v1::TranslateResponse& response) {
        const std::vector<int64_t>& characters = translation.billed_characters;
        *count += std::accumulate(characters.begin(), characters.end(), int64_t{0});
        return JsonAnswer(DeepLTranslationAnswer(translation, response));
      });
}

absl::Status DeepLHandler::AddGlossaries(const CallContext& context, DeepLTranslation& translation) const {
  if (translation.glossaries.empty()) return absl::OkStatus();
  // Before anything is said about them.
  HEED_RETURN_IF_ERROR(calls_.Check(kTranslateMethod, context));
  const std::string owner = OwnerOf(context);
  for (const std::string& id : translation.glossaries) {
    HEED_ASSIGN_OR_RETURN(const std::shared_ptr<const Glossary> glossary, glossaries_.Find(owner, id));
    const std::string from = DeepLSourceCode(translation.message.source_language());
    const std::string to = DeepLSourceCode(translation.message.target_language());
    if (DeepLSourceCode(glossary->source_language) != from || DeepLSourceCode(glossary->target_language) != to) {
      return InvalidField("glossary_id", Quoted(id), " is from ", glossary->source_language, " to ",
                          glossary->target_language, ", the request from ", from, " to ", to);
    }
    for (const auto& [source, target] : glossary->entries) {
      v1::GlossaryEntry& entry = *translation.message.add_glossary();
      entry.set_source(source);
      entry.set_target(target);
    }
  }
  return absl::OkStatus();
}

HttpAnswer DeepLHandler::AnswerGlossaries(const HttpRequest& request, const RequestFields& fields,
                                          const CallContext& context) {
  const std::string owner = OwnerOf(context);
  if (request.path == kGlossaries && request.method == "POST") {
    absl::StatusOr<Glossary> glossary = ReadGlossary(fields);
    if (!glossary.ok()) return DeepLErrorAnswer(glossary.status());
    glossary->owner = owner;
    const auto stored = glossaries_.Add(*std::move(glossary));
    if (stored.ok()) return JsonAnswer(JsonLine(ToJson(**stored)), 201);
    HttpAnswer answer = DeepLErrorAnswer(stored.status());
    if (absl::IsResourceExhausted(stored.status())) answer.status = kQuotaExceeded;
    return answer;
  }
  if (request.path == kGlossaries) {
    Json list = Json::array();
    for (const auto& glossary : glossaries_.List(owner)) list.push_back(ToJson(*glossary));
    return JsonAnswer(JsonLine(Json{{"glossaries", std::move(list)}}));
  }
  absl::string_view id = absl::StripPrefix(request.path, absl::StrCat(kGlossaries, "/"));
  const bool entries = absl::ConsumeSuffix(&id, kEntries);
  const auto not_found = [](const absl::Status& status) { return JsonAnswer(DeepLError(status.message()), 404); };
  if (request.method == "DELETE") {
    const absl::Status status = glossaries_.Delete(owner, id);
    return status.ok() ? HttpAnswer{204, "", "", {}} : not_found(status);
  }
  const auto glossary = glossaries_.Find(owner, id);
  if (!glossary.ok()) return not_found(glossary.status());
  if (!entries) return JsonAnswer(JsonLine(ToJson(**glossary)));
  return {200, GlossaryAsTsv(**glossary), "text/tab-separated-values; charset=utf-8", {}};
}

std::string DeepLHandler::OwnerOf(const CallContext& context) const {
  return authorization_.HolderOf(context.authorization, Clock::now());
}

HttpAnswer DeepLHandler::ErrorOf(unsigned status, absl::string_view, absl::string_view message) const {
  return JsonAnswer(DeepLError(message), status);
}

}  // namespace heed
