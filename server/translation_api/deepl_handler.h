// SPDX-License-Identifier: Apache-2.0
// Version 2 of DeepL's API over HTTP, for its clients as they are.
//
//   POST      /v2/translate                 text, source_lang, target_lang, tag_handling, ...
//   GET, POST /v2/languages                 type
//   GET, POST /v2/usage                     characters since the server started, of all callers
//   GET       /v2/glossary-language-pairs
//   GET, POST /v2/glossaries                in memory: gone when the server stops
//   GET, DELETE /v2/glossaries/{id}
//   GET       /v2/glossaries/{id}/entries   tab-separated
//   POST      /v2/document, /v2/write/...   404: not served
//
// Bodies are JSON or forms. "Authorization: DeepL-Auth-Key KEY", or the field auth_key, has a token of the server.
// Errors are {"message": "..."}: 400 for what is wrong with a request, 403 for the key, 404 for a glossary that is not
// there, 413, 429 with Retry-After, 456 for glossaries without room, 500, 503, 504.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/gateway/method_calls.h"
#include "server/http/http_handler.h"
#include "server/scheduling/preparation.h"
#include "server/security/authorization.h"
#include "server/translation_api/deepl_messages.h"
#include "server/translation_api/glossary_store.h"
#include "server/translation_api/request_fields.h"

namespace heed {

// Thread-safe.
class DeepLHandler final : public HttpHandler {
 public:
  // What it is given outlives it; it outlives what preparation runs. `authorization` says whose a glossary is.
  DeepLHandler(const MethodCalls& calls, Preparation& preparation, const Authorization& authorization)
      : calls_(calls), preparation_(preparation), authorization_(authorization) {}

  std::vector<std::string> MethodsOf(absl::string_view path) const override;
  std::vector<std::string> Paths() const override;
  std::optional<HttpAnswer> Refuse(const HttpRequest& head) const override;
  void Serve(std::shared_ptr<HttpExchange> exchange) override;
  HttpAnswer ErrorOf(unsigned status, absl::string_view code, absl::string_view message) const override;

 private:
  void ServeFields(const std::shared_ptr<HttpExchange>& exchange);
  void Translate(const std::shared_ptr<HttpExchange>& exchange, const RequestFields& fields,
                 const CallContext& context) const;
  HttpAnswer AnswerGlossaries(const HttpRequest& request, const RequestFields& fields, const CallContext& context);
  // Adds the entries of the request's glossaries, which are its caller's and of its languages.
  absl::Status AddGlossaries(const CallContext& context, DeepLTranslation& translation) const;
  std::string OwnerOf(const CallContext& context) const;

  const MethodCalls& calls_;
  Preparation& preparation_;
  const Authorization& authorization_;
  GlossaryStore glossaries_;
  // Of all texts that were translated. The calls that are on their way add to it.
  const std::shared_ptr<std::atomic<int64_t>> character_count_ = std::make_shared<std::atomic<int64_t>>(0);
};

}  // namespace heed
