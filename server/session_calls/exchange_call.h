// SPDX-License-Identifier: Apache-2.0
// A call of one response that is an exchange with a session.
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "server/rpc/call.h"
#include "server/session_calls/session_exchange.h"

namespace heed {

// Deletes itself in OnDone.
class ExchangeCall final : public Call, public grpc::ServerUnaryReactor {
 public:
  // `response`: of the type of the work's response. `method` as in Call.
  ExchangeCall(const SessionParts& parts, grpc::CallbackServerContext& context, google::protobuf::Message& response,
               std::string_view method)
      : Call(parts.requests, context, method), parts_(parts), response_(response) {}

  // Once. `request`: its deadline and priority are the call's. A `work` that is an error ends the call.
  void Run(ExchangeRequest request, absl::StatusOr<std::unique_ptr<SessionWork>> work);

  void OnCancel() override {
    if (exchange_ != nullptr) exchange_->Cancel();
  }
  void OnDone() override { delete this; }

 private:
  std::string_view model_name() const override {
    return exchange_ == nullptr ? std::string_view() : exchange_->model_name();
  }

  const SessionParts& parts_;
  google::protobuf::Message& response_;
  std::shared_ptr<SessionExchange> exchange_;  // constant after Run; null: the request was refused before
};

}  // namespace heed
