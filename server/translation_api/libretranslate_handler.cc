// SPDX-License-Identifier: Apache-2.0
#include "server/translation_api/libretranslate_handler.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "heed/v1/translation.pb.h"
#include "server/gateway/http_status.h"
#include "server/rpc/status.h"
#include "server/translation_api/api_answer.h"
#include "server/translation_api/api_call.h"
#include "server/translation_api/libretranslate_messages.h"
#include "server/translation_api/request_fields.h"

namespace heed {
namespace {

struct LibrePath {
  absl::string_view path;
  const char* method;
};
constexpr LibrePath kLibrePaths[] = {
    {"/translate", "POST"}, {"/detect", "POST"}, {"/languages", "GET"}, {"/frontend/settings", "GET"},
    {"/health", "GET"},     {"/spec", "GET"},    {"/suggest", "POST"},  {"/translate_file", "POST"},
};

HttpAnswer LibreErrorAnswer(const grpc::Status& status) {
  std::string message = WithApiField(status.error_message(),
                                     {{"texts", "q"}, {"source_language", "source"}, {"target_language", "target"}});
  if (status.error_code() == grpc::StatusCode::UNAUTHENTICATED) {
    message = "this server asks for a key, and this is none of its own: api_key, or Authorization: Bearer KEY";
  }
  HttpAnswer answer = JsonAnswer(LibreError(message), ApiStatusOf(status));
  AddErrorHeaders(status, answer);
  return answer;
}

HttpAnswer LibreErrorAnswer(const absl::Status& status) { return LibreErrorAnswer(ToGrpcStatus(status)); }

}  // namespace

std::vector<std::string> LibreTranslateHandler::MethodsOf(absl::string_view path) const {
  for (const LibrePath& known : kLibrePaths) {
    if (known.path == path) return {known.method};
  }
  return {};
}

std::vector<std::string> LibreTranslateHandler::Paths() const {
  std::vector<std::string> paths;
  for (const LibrePath& known : kLibrePaths) paths.emplace_back(known.path);
  return paths;
}

std::optional<HttpAnswer> LibreTranslateHandler::Refuse(const HttpRequest& head) const {
  // Without Authorization the key may be in the body.
  if (head.Header("authorization").empty() || (head.path != "/translate" && head.path != "/detect")) {
    return std::nullopt;
  }
  const absl::StatusOr<CallContext> context = ContextOf(head);
  if (!context.ok()) return LibreErrorAnswer(context.status());
  const absl::Status status = calls_.Check(head.path == "/detect" ? kDetectLanguageMethod : kTranslateMethod, *context);
  if (!status.ok()) return LibreErrorAnswer(status);
  return std::nullopt;
}

void LibreTranslateHandler::Serve(std::shared_ptr<HttpExchange> exchange) {
  const std::string& path = exchange->request().path;
  if (path == "/spec") {
    return exchange->Answer({302, "", "", {{"Location", "openapi.json"}}});
  }
  if (path == "/suggest") return exchange->Answer(JsonAnswer(LibreError("this server takes no suggestions"), 403));
  if (path == "/translate_file") {
    return exchange->Answer(JsonAnswer(
        LibreError("this server translates no files: send their texts to /translate, or use heed translate"), 403));
  }
  RunApart(
      preparation_, exchange, [](const grpc::Status& status) { return LibreErrorAnswer(status); },
      [this, exchange] { ServeFields(exchange); });
}

void LibreTranslateHandler::ServeFields(const std::shared_ptr<HttpExchange>& exchange) const {
  const HttpRequest& request = exchange->request();
  const std::string& path = request.path;
  const std::string body = exchange->TakeBody();
  const absl::StatusOr<RequestFields> fields = RequestFields::Read(request.Header("content-type"), body, request.query);
  if (!fields.ok()) return exchange->Answer(LibreErrorAnswer(fields.status()));
  absl::StatusOr<CallContext> context = ContextOf(request);
  if (!context.ok()) return exchange->Answer(LibreErrorAnswer(context.status()));
  const absl::StatusOr<std::string> key = fields->Text("api_key");
  if (!key.ok()) return exchange->Answer(LibreErrorAnswer(key.status()));
  if (context->authorization.empty() && !key->empty()) context->authorization = absl::StrCat("Bearer ", *key);
  const ApiErrorAnswer error = [](const grpc::Status& status) { return LibreErrorAnswer(status); };

  if (path == "/translate") {
    absl::StatusOr<LibreTranslation> translation =
        ToLibreTranslation(*fields, request.ContentType() != "application/json");
    if (!translation.ok()) return exchange->Answer(LibreErrorAnswer(translation.status()));
    const v1::TranslateRequest message = std::exchange(translation->message, {});
    CallAndAnswer<v1::TranslateResponse>(
        calls_, preparation_, exchange, kTranslateMethod, *context, message, error,
        [translation = *std::move(translation)](const v1::TranslateResponse& response) {
          return JsonAnswer(LibreTranslationAnswer(translation, response));
        });
  } else if (path == "/detect") {
    const absl::StatusOr<v1::DetectLanguageRequest> message = ToLibreDetection(*fields);
    if (!message.ok()) return exchange->Answer(LibreErrorAnswer(message.status()));
    CallAndAnswer<v1::DetectLanguageResponse>(
        calls_, preparation_, exchange, kDetectLanguageMethod, *context, *message, error,
        [](const v1::DetectLanguageResponse& response) { return JsonAnswer(LibreDetectionAnswer(response)); });
  } else {
    CallAndAnswer<v1::ListLanguagesResponse>(
        calls_, preparation_, exchange, kListLanguagesMethod, *context, v1::ListLanguagesRequest(), error,
        [path, asks_for_keys = asks_for_keys_](const v1::ListLanguagesResponse& response) {
          if (path == "/languages") return JsonAnswer(LibreLanguagesAnswer(response));
          if (path == "/health") return JsonAnswer("{\"status\":\"ok\"}\n");
          return JsonAnswer(LibreSettingsAnswer(response, asks_for_keys));
        });
  }
}

HttpAnswer LibreTranslateHandler::ErrorOf(unsigned status, absl::string_view, absl::string_view message) const {
  return JsonAnswer(LibreError(message), status);
}

}  // namespace heed
