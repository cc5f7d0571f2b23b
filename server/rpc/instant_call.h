// SPDX-License-Identifier: Apache-2.0
// Calls that are answered by the thread that they arrive on, without a job.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "base/exception_barrier.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "server/rpc/call.h"

namespace heed {

class InstantCall final : public Call, public grpc::ServerUnaryReactor {
 public:
  using Call::Call;
  void EndWith(const absl::Status& status) { Finish(End(status)); }
  void OnDone() override { delete this; }
};

// `work` fills the response and returns the call's status. `method` and `type` as in Call.
template <typename Work>
grpc::ServerUnaryReactor* AnswerNow(RequestLog& requests, grpc::CallbackServerContext& context, std::string_view method,
                                    Work work, CallType type = CallType::kRequest) {
  auto* call = new InstantCall(requests, context, method, type);  // deletes itself in OnDone
  call->EndWith(WithoutExceptions(work));
  return call;
}

}  // namespace heed
