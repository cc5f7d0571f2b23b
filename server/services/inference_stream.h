// SPDX-License-Identifier: Apache-2.0
// inference.GRPCInferenceService.ModelStreamInfer: requests on a stream, answered in the order in which they came.
#pragma once

#include <cstddef>
#include <cstdint>

#include "grpcpp/support/server_callback.h"
#include "inference.pb.h"
#include "server/rpc/call_table.h"
#include "server/rpc/checked_messages.h"
#include "server/services/infer_job.h"

namespace heed {

// Requests of a stream that were read and are not answered yet: so many, and of so many bytes. Their jobs run side by
// side; what the client sends beyond them waits in gRPC's flow control.
inline constexpr size_t kMaxStreamRequests = 16;
inline constexpr int64_t kMaxStreamRequestBytes = int64_t{16} << 20;

// The streams under way. The oldest request of a stream is answered as its job goes on, in parts if its model gives
// any; those behind it compute meanwhile, and their parts come together when it is their turn. A request that fails is
// answered with error_message, and the stream goes on; where the client's metadata has triton_grpc_error: true, it ends
// with the error's status instead.
//
// A message that is none ends the stream with INVALID_ARGUMENT. One that finds no room in the limits of who sends it
// fails as a request does; it was not read, and its answer has no id.
//
// A reader that lags parks the job that is being answered, as in TranslationService. One that takes nothing for
// max_reader_lag ends its stream with ABORTED.
//
// The stream ends with OK when the client has sent all and everything is answered. Thread-safe. Outlives the calls it
// answers.
class InferenceStreams {
 public:
  explicit InferenceStreams(const InferenceParts& parts);
  ~InferenceStreams();

  grpc::ServerBidiReactor<Received<inference::ModelInferRequest>, inference::ModelStreamInferResponse>* Begin(
      grpc::CallbackServerContext& context);

  // After Scheduler::Refuse: each stream, those to come included, ends with UNAVAILABLE as soon as the requests that it
  // has read are answered.
  void Refuse();

 private:
  class Stream;
  class Request;

  const InferenceParts parts_;
  CallTable<Stream> streams_;
};

}  // namespace heed
