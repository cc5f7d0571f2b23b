// SPDX-License-Identifier: Apache-2.0
// Every typed method over HTTP: one mapping, made from the descriptors of the services.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "server/gateway/json_messages.h"
#include "server/gateway/method_calls.h"
#include "server/http/http_handler.h"

namespace heed {

struct RestOptions {
  JsonLimits json;
  // Runs the work of a body or an answer of so many bytes (Preparation::Run); null: at once.
  std::function<absl::Status(int64_t bytes, std::function<void()> work)> run_large;
};

// POST /heed.v1.TranslationService/Translate with the request as JSON, answered with the response as JSON: the Connect
// protocol's unary calls, with its errors. application/proto has the same in protobuf's own bytes.
//
// A method whose responses are a stream answers with server-sent events where the client accepts them (a message each,
// a last event `end` or `error`), else with a line of JSON for each, of which the last is {"error":...} if it fails. A
// method whose requests are a stream takes an array, or JSON objects one after the other. Whoever reads an answer
// slowly slows only the call that makes it.
class RestApi final : public HttpHandler {
 public:
  // `services`: full names, "heed.v1.TranslationService".
  RestApi(std::shared_ptr<const MethodCalls> calls, const std::vector<std::string>& services, RestOptions options);

  std::vector<std::string> MethodsOf(absl::string_view path) const override;
  std::vector<std::string> Paths() const override;
  std::optional<HttpAnswer> Refuse(const HttpRequest& head) const override;
  void Serve(std::shared_ptr<HttpExchange> exchange) override;

 private:
  const std::shared_ptr<const MethodCalls> calls_;
  const RestOptions options_;
  std::map<std::string, const google::protobuf::MethodDescriptor*, std::less<>> methods_;  // by path
};

}  // namespace heed
