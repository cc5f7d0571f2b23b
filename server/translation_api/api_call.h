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
// the call. A large answer is made on a thread of `preparation`'s.
template <typename Response>
void CallAndAnswer(const MethodCalls& calls, Preparation& preparation, const std::shared_ptr<HttpExchange>& exchange,
                   absl::string_view method, const CallContext& context, const google::protobuf::Message& request,
                   ApiErrorAnswer error, std::function<HttpAnswer(const Response& response)> answer) {
  auto done = [&preparation, exchange, error = std::move(error), answer = std::move(answer)](
                  const grpc::Status& status, std::unique_ptr<google::protobuf::Message> made) {
    if (!status.ok()) return exchange->Answer(error(status));
    const std::shared_ptr<const google::protobuf::Message> response = std::move(made);
    const auto write = [exchange, response, answer] {
      if (!exchange->gone()) exchange->Answer(answer(static_cast<const Response&>(*response)));
    };
    // What was computed is not thrown away because the threads are busy.
    if (!preparation.Run(static_cast<int64_t>(response->ByteSizeLong()), write).ok()) write();
  };
  const CallHandle call =
      calls.Call(method, context, request, std::make_unique<Response>(), MethodCalls::Done(std::move(done)));
  exchange->OnGone([call] { call.Cancel(); });
}

}  // namespace heed
