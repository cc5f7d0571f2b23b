// SPDX-License-Identifier: Apache-2.0
// Messages that are checked before they are built, and the limits of who sends them. gRPC answers bytes that are no
// message with UNIMPLEMENTED and not a word, and inflates what is compressed whatever it comes to; here such a call
// ends with a status that names the field, is counted and logged as every other, and costs no more than its bytes.
//
// For this the server takes compressed messages as they come (GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION is 0), and
// every service is registered as a CheckedService. Streams of messages, which gRPC reads one by one, are read as
// Received<T>.
//
// Where the server asks for tokens, every message passes the limits of its sender here, too (server/security/caller.h),
// whatever its method and whether it came over HTTP: it counts as one request and as its characters, and names only
// models that the sender may use. What finds models otherwise asks Call::models().
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "grpcpp/impl/codegen/serialization_traits.h"
#include "grpcpp/impl/service_type.h"
#include "grpcpp/support/byte_buffer.h"
#include "server/messages/message_check.h"
#include "server/rpc/current_caller.h"
#include "server/security/authorization.h"
#include "server/telemetry/request_log.h"

namespace heed {

// A service in front of another, which it outlives and is registered in place of: methods with one request get it once
// it was checked, or never. Its methods are those that `service` has when this is made.
class CheckedService final : public grpc::Service {
 public:
  // `name`: "heed.v1.TranslationService". What it is given outlives it.
  CheckedService(const char* name, grpc::Service& service, const MessageLimits& limits,
                 const Authorization& authorization, RequestLog& requests);

 private:
  std::deque<std::string> paths_;  // of its methods; gRPC keeps pointers
};

// Of a method in its service, as gRPC counts them.
int MethodIndex(const char* service, const char* method);

// A message of a stream, or why there is none: for reactors to StartRead. Made while the call begins.
template <typename T>
struct Received {
  explicit Received(const MessageLimits& message_limits) : limits(message_limits), caller(CurrentCaller()) {}

  const MessageLimits limits;
  const std::shared_ptr<const Caller> caller;  // null: without limits
  TokenUse use;                                // what the message was taken for of the caller's limits
  absl::Status status;
  T message;  // if `status` is OK
};

// What both kinds share: takes the buffer, and gives back the message's bytes, inflated, in one piece, or why they are
// none. INVALID_ARGUMENT, RESOURCE_EXHAUSTED or PERMISSION_DENIED. `caller`: null, or whose limits it counts for: `use`
// is what was taken.
absl::Status CheckBuffer(grpc::ByteBuffer& buffer, const google::protobuf::Descriptor& type,
                         const MessageLimits& limits, const Caller* caller, TokenUse& use);

// `status` of the stream's message with this number, as one that says so: "message 3: ...". It keeps its field,
// and the time until there is room.
absl::Status AtMessage(int64_t number, const absl::Status& status);

}  // namespace heed

namespace grpc {

template <typename T>
class SerializationTraits<heed::Received<T>> {
 public:
  static Status Deserialize(ByteBuffer* buffer, heed::Received<T>* to) {
    to->message.Clear();
    to->status = heed::CheckBuffer(*buffer, *T::descriptor(), to->limits, to->caller.get(), to->use);
    if (!to->status.ok()) return Status::OK;
    return SerializationTraits<T>::Deserialize(buffer, &to->message);
  }
};

}  // namespace grpc
