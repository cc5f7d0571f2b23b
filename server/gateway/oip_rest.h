// SPDX-License-Identifier: Apache-2.0
// The Open Inference Protocol's REST API, version 2, with its binary extension and those parts of Triton's that our
// service over gRPC has. Each request is converted (server/oip/rest_request.h, rest_answer.h) and becomes a call of
// inference.GRPCInferenceService.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/gateway/method_calls.h"
#include "server/gateway/oip_routes.h"
#include "server/http/http_handler.h"
#include "server/scheduling/preparation.h"

namespace heed {

// Errors are {"error": "message"}, with the HTTP status of the method's (http_status.h). Answers of 1 KiB to 1 MiB are
// compressed where Accept-Encoding asks for it. Thread-safe.
class OipRest final : public HttpHandler {
 public:
  // `preparation` converts large bodies and answers. Both outlive it. `max_message_bytes`: of the elements of a
  // request.
  OipRest(const MethodCalls& calls, Preparation& preparation, int64_t max_message_bytes)
      : calls_(calls), preparation_(preparation), max_message_bytes_(max_message_bytes) {}

  std::vector<std::string> MethodsOf(absl::string_view path) const override;
  std::vector<std::string> Paths() const override;
  std::optional<HttpAnswer> Refuse(const HttpRequest& head) const override;
  void Serve(std::shared_ptr<HttpExchange> exchange) override;
  HttpAnswer ErrorOf(unsigned status, absl::string_view code, absl::string_view message) const override;

 private:
  struct Request;

  // Reads the body and makes the call.
  void Begin(const std::shared_ptr<Request>& request) const;
  absl::Status Infer(const std::shared_ptr<Request>& request) const;
  void Call(const std::shared_ptr<Request>& request, const google::protobuf::Message& message) const;

  const MethodCalls& calls_;
  Preparation& preparation_;
  const int64_t max_message_bytes_;
};

}  // namespace heed
