// SPDX-License-Identifier: Apache-2.0
// A request to another server's API on its way: to a method of our own, and back as its answer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "grpcpp/support/status.h"
#include "server/gateway/method_calls.h"
#include "server/http/http_exchange.h"
#include "server/rpc/status.h"
#include "server/scheduling/preparation.h"

namespace heed {

inline constexpr absl::string_view kTranslateMethod = "/heed.v1.TranslationService/Translate";
inline constexpr absl::string_view kListLanguagesMethod = "/heed.v1.TranslationService/ListLanguages";
inline constexpr absl::string_view kDetectLanguageMethod = "/heed.v1.TranslationService/DetectLanguage";

// How an API writes that a call failed.
using ApiErrorAnswer = std::function<HttpAnswer(const grpc::Status& status)>;

// An answer of JSON.
inline HttpAnswer JsonAnswer(std::string json, unsigned status = 200) {
  return {status, std::move(json), "application/json", {}};
}

// Runs `work` for the exchange: at once, or on a thread of `preparation`'s if its body is large. Where that has no
// room, the exchange is answered with `error`.
inline void RunApart(Preparation& preparation, const std::shared_ptr<HttpExchange>& exchange,
                     const ApiErrorAnswer& error, std::function<void()> work) {
  const auto bytes = static_cast<int64_t>(exchange->request().body.size());
  const absl::Status status = preparation.Run(bytes, std::move(work));
  if (!status.ok()) exchange->Answer(error(ToGrpcStatus(status)));
}

// Calls the method and answers with `answer` of its response, or with `error` of its status. A client that leaves ends
// the call.
template <typename Response>
void CallAndAnswer(const MethodCalls& calls, const std::shared_ptr<HttpExchange>& exchange, absl::string_view method,
                   const CallContext& context, const google::protobuf::Message& request, ApiErrorAnswer error,
                   std::function<HttpAnswer(const Response& response)> answer) {
  const CallHandle call = calls.Call<Response>(method, context, request,
                                               [exchange, error = std::move(error), answer = std::move(answer)](
                                                   const grpc::Status& status, const Response& response) {
                                                 exchange->Answer(status.ok() ? answer(response) : error(status));
                                               });
  exchange->OnGone([call] { call.Cancel(); });
}

}  // namespace heed
