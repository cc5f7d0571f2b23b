// SPDX-License-Identifier: Apache-2.0
// Messages that are checked before they are built. gRPC answers bytes that are no message with UNIMPLEMENTED and not a
// word, and inflates what is compressed whatever it comes to; here such a call ends with a status that names the field,
// is counted and logged as every other, and costs no more than its bytes.
//
// For this the server takes compressed messages as they come (GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION is 0), and
// every service is registered as a CheckedService. Streams of messages, which gRPC reads one by one, are read as
// Received<T>.
#pragma once

#include <deque>
#include <string>

#include "absl/status/status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "grpcpp/impl/codegen/serialization_traits.h"
#include "grpcpp/impl/service_type.h"
#include "grpcpp/support/byte_buffer.h"
#include "server/messages/message_check.h"
#include "server/telemetry/request_log.h"

namespace heed {

// A service in front of another, which it outlives and is registered in place of: methods with one request get it once
// it was checked, or never. Its methods are those that `service` has when this is made.
class CheckedService final : public grpc::Service {
 public:
  // `name`: "heed.v1.TranslationService". Both outlive it.
  CheckedService(const char* name, grpc::Service& service, const MessageLimits& limits, RequestLog& requests);

 private:
  std::deque<std::string> paths_;  // of its methods; gRPC keeps pointers
};

// Of a method in its service, as gRPC counts them.
int MethodIndex(const char* service, const char* method);

// A message of a stream, or why there is none: for reactors to StartRead.
template <typename T>
struct Received {
  explicit Received(const MessageLimits& message_limits) : limits(message_limits) {}

  const MessageLimits limits;
  absl::Status status;
  T message;  // if `status` is OK
};

// What both kinds share: takes the buffer, and gives back the message's bytes, inflated, in one piece, or why they are
// none. INVALID_ARGUMENT or RESOURCE_EXHAUSTED.
absl::Status CheckBuffer(grpc::ByteBuffer& buffer, const google::protobuf::Descriptor& type,
                         const MessageLimits& limits);

}  // namespace heed

namespace grpc {

template <typename T>
class SerializationTraits<heed::Received<T>> {
 public:
  static Status Deserialize(ByteBuffer* buffer, heed::Received<T>* to) {
    to->message.Clear();
    to->status = heed::CheckBuffer(*buffer, *T::descriptor(), to->limits);
    if (!to->status.ok()) return Status::OK;
    return SerializationTraits<T>::Deserialize(buffer, &to->message);
  }
};

}  // namespace grpc
