// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/checked_messages.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/exception_barrier.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "grpc/byte_buffer.h"
#include "grpc/byte_buffer_reader.h"
#include "grpc/slice.h"
#include "grpcpp/impl/codegen/server_callback_handlers.h"
#include "server/messages/message_inflation.h"
#include "server/rpc/call.h"
#include "server/scheduling/refusal.h"

namespace heed {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

// gRPC's C++ class tells nobody whether its bytes are compressed, its C core does. An explicit instantiation may name a
// private member: should it change, this does not compile.
template <auto kMember>
struct ByteBufferAccess {
  friend grpc_byte_buffer* CoreOf(grpc::ByteBuffer& buffer) { return (buffer.*kMember)(); }
};
template struct ByteBufferAccess<&grpc::ByteBuffer::c_buffer>;
grpc_byte_buffer* CoreOf(grpc::ByteBuffer& buffer);

struct DestroyBuffer {
  void operator()(grpc_byte_buffer* buffer) const { grpc_byte_buffer_destroy(buffer); }
};
using OwnedBuffer = std::unique_ptr<grpc_byte_buffer, DestroyBuffer>;

OwnedBuffer BufferOf(grpc_slice slice) {
  OwnedBuffer buffer(grpc_raw_byte_buffer_create(&slice, 1));
  grpc_slice_unref(slice);
  return buffer;
}

absl::string_view View(const grpc_slice& slice) {
  return {reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)), GRPC_SLICE_LENGTH(slice)};
}

// Of a buffer of at most one slice.
absl::string_view View(const grpc_byte_buffer& buffer) {
  const grpc_slice_buffer& slices = buffer.data.raw.slice_buffer;
  return slices.count == 0 ? absl::string_view() : View(slices.slices[0]);
}

std::optional<MessageCompression> CompressionOf(const grpc_byte_buffer& buffer) {
  switch (buffer.data.raw.compression) {
    case GRPC_COMPRESS_DEFLATE:
      return MessageCompression::kDeflate;
    case GRPC_COMPRESS_GZIP:
      return MessageCompression::kGzip;
    default:
      return std::nullopt;
  }
}

// The same bytes in at most one slice, inflated.
absl::StatusOr<OwnedBuffer> InOnePiece(OwnedBuffer buffer, const MessageLimits& limits) {
  const std::optional<MessageCompression> compression = CompressionOf(*buffer);
  if (buffer->data.raw.slice_buffer.count > 1) {
    grpc_byte_buffer_reader reader;
    if (grpc_byte_buffer_reader_init(&reader, buffer.get()) == 0) {
      return absl::InvalidArgumentError("the message cannot be read");
    }
    const grpc_slice whole = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    buffer = BufferOf(whole);
  }
  if (!compression) return buffer;
  HEED_ASSIGN_OR_RETURN(const std::string message, InflateMessage(View(*buffer), *compression, limits.max_bytes));
  return BufferOf(grpc_slice_from_copied_buffer(message.data(), message.size()));
}

absl::StatusOr<OwnedBuffer> Checked(OwnedBuffer buffer, const Descriptor& type, const MessageLimits& limits,
                                    const Caller* caller, TokenUse& use) {
  use = {};
  if (buffer == nullptr) return absl::InvalidArgumentError("the request has no message");
  return WithoutExceptions([&]() -> absl::StatusOr<OwnedBuffer> {
    if (caller != nullptr) HEED_RETURN_IF_ERROR(caller->CheckRoom());
    HEED_ASSIGN_OR_RETURN(OwnedBuffer whole, InOnePiece(std::move(buffer), limits));
    RequestSubject subject;
    if (caller != nullptr) subject.allowed_models = &caller->models();
    HEED_RETURN_IF_ERROR(CheckMessage(View(*whole), type, limits, caller == nullptr ? nullptr : &subject));
    if (caller == nullptr) return whole;
    if (subject.other_model) HEED_RETURN_IF_ERROR(caller->CheckModel(*subject.other_model));
    const TokenUse needs{.requests = 1, .characters = subject.characters};
    HEED_RETURN_IF_ERROR(caller->Take(needs));
    use = needs;
    return whole;
  });
}

// A request that ends before its method has seen it.
class RefusedCall final : public Call, public grpc::ServerUnaryReactor {
 public:
  RefusedCall(RequestLog& requests, grpc::CallbackServerContext& context, std::string_view method,
              const absl::Status& status)
      : Call(requests, context, method) {
    // What a message is too large for is no matter of time, but what its sender has left is.
    Finish(End(status, /*room_may_come=*/RetryDelayOf(status).count() > 0));
  }
  void OnDone() override { delete this; }
};

// The same of a stream of messages.
class RefusedStream final : public Call, public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  RefusedStream(RequestLog& requests, grpc::CallbackServerContext& context, std::string_view method,
                const absl::Status& status)
      : Call(requests, context, method) {
    Finish(End(status, /*room_may_come=*/false));
  }
  void OnDone() override { delete this; }
};

using RawHandler = grpc::internal::CallbackUnaryHandler<grpc::ByteBuffer, grpc::ByteBuffer>;

// Who calls.
class CallerFinder {
 public:
  CallerFinder(const Authorization& authorization, absl::string_view path)
      : authorization_(authorization), right_(RightOf(path)) {}

  absl::StatusOr<std::shared_ptr<const Caller>> Find(const grpc::CallbackServerContext& context) const {
    std::optional<absl::string_view> header;
    // Of several the last, which is the one that let the call in (server/security/credentials.cc).
    const auto [begin, end] = context.client_metadata().equal_range("authorization");
    for (auto one = begin; one != end; ++one) header.emplace(one->second.data(), one->second.size());
    return authorization_.CallerOf(right_, header, Clock::now());
  }

 private:
  const Authorization& authorization_;
  const std::optional<Right> right_;
};

// In front of a method with one request.
class CheckedHandler final : public grpc::internal::MethodHandler {
 public:
  // `path`: "/heed.v1.GraphService/PutGraph", which outlives this.
  CheckedHandler(const MethodDescriptor& method, std::string_view path, grpc::internal::MethodHandler& handler,
                 const MessageLimits& limits, const Authorization& authorization, RequestLog& requests)
      : method_(method),
        name_(path.substr(1)),
        handler_(handler),
        limits_(limits),
        finder_(authorization, absl::string_view(path.data(), path.size())),
        requests_(requests) {}

  // Leaves the message as it came: only RunHandler knows whose it is.
  void* Deserialize(grpc_call* call, grpc_byte_buffer* request, grpc::Status* status, void** handler_data) override {
    return keeper_.Deserialize(call, request, status, handler_data);
  }

  void RunHandler(const HandlerParameter& parameter) override {
    auto& context = *static_cast<grpc::CallbackServerContext*>(parameter.server_context);
    const absl::StatusOr<std::shared_ptr<const Caller>> caller = finder_.Find(context);
    TokenUse use;
    absl::StatusOr<OwnedBuffer> checked =
        caller.ok() ? Checked(TakeBuffer(parameter), *method_.input_type(), limits_, caller->get(), use)
                    : caller.status();
    if (!checked.ok()) return Refuse(parameter, checked.status());
    // The raw request's part of the call has come to its end, and the method's begins.
    static_cast<grpc::MessageHolder<grpc::ByteBuffer, grpc::ByteBuffer>*>(parameter.internal_data)->Release();
    grpc::Status status;
    void* data = nullptr;
    void* const request = handler_.Deserialize(parameter.call->call(), checked->release(), &status, &data);
    const CallerScope scope(*caller, use);
    handler_.RunHandler(
        HandlerParameter(parameter.call, parameter.server_context, request, status, data, parameter.call_requester));
  }

 private:
  static OwnedBuffer TakeBuffer(const HandlerParameter& parameter) {
    auto& raw = *static_cast<grpc::ByteBuffer*>(parameter.request);
    OwnedBuffer buffer(CoreOf(raw));
    raw.Release();
    return buffer;
  }

  void Refuse(const HandlerParameter& parameter, const absl::Status& reason) {
    RawHandler refusal(
        [this, &reason](auto* context, auto*, auto*) { return new RefusedCall(requests_, *context, name_, reason); });
    refusal.RunHandler(parameter);
  }

  const MethodDescriptor& method_;
  const std::string_view name_;
  grpc::internal::MethodHandler& handler_;
  const MessageLimits limits_;
  const CallerFinder finder_;
  RequestLog& requests_;
  RawHandler keeper_{nullptr};  // for Deserialize only
};

// A method that reads its messages itself, as Received<T>.
class StreamHandler final : public grpc::internal::MethodHandler {
 public:
  StreamHandler(std::string_view path, grpc::internal::MethodHandler& handler, const Authorization& authorization,
                RequestLog& requests)
      : name_(path.substr(1)),
        handler_(handler),
        finder_(authorization, absl::string_view(path.data(), path.size())),
        requests_(requests) {}

  void RunHandler(const HandlerParameter& parameter) override {
    auto& context = *static_cast<grpc::CallbackServerContext*>(parameter.server_context);
    const absl::StatusOr<std::shared_ptr<const Caller>> caller = finder_.Find(context);
    if (!caller.ok()) return Refuse(parameter, caller.status());
    const CallerScope scope(*caller);
    handler_.RunHandler(parameter);
  }

 private:
  void Refuse(const HandlerParameter& parameter, const absl::Status& reason) {
    grpc::internal::CallbackBidiHandler<grpc::ByteBuffer, grpc::ByteBuffer> refusal(
        [this, &reason](auto* call_context) { return new RefusedStream(requests_, *call_context, name_, reason); });
    refusal.RunHandler(parameter);
  }

  const std::string_view name_;
  grpc::internal::MethodHandler& handler_;
  const CallerFinder finder_;
  RequestLog& requests_;
};

// What a service shows its own classes alone.
struct HandlerAccess : grpc::Service {
  using grpc::Service::GetHandler;
};

grpc::internal::RpcMethod::RpcType TypeOf(const MethodDescriptor& method) {
  using grpc::internal::RpcMethod;
  if (method.client_streaming()) {
    return method.server_streaming() ? RpcMethod::BIDI_STREAMING : RpcMethod::CLIENT_STREAMING;
  }
  return method.server_streaming() ? RpcMethod::SERVER_STREAMING : RpcMethod::NORMAL_RPC;
}

}  // namespace

int MethodIndex(const char* service, const char* method) {
  return google::protobuf::DescriptorPool::generated_pool()
      ->FindServiceByName(service)
      ->FindMethodByName(method)
      ->index();
}

CheckedService::CheckedService(const char* name, grpc::Service& service, const MessageLimits& limits,
                               const Authorization& authorization, RequestLog& requests) {
  const ServiceDescriptor& descriptor = *google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
  for (int i = 0; i < descriptor.method_count(); ++i) {
    const MethodDescriptor& method = *descriptor.method(i);
    grpc::internal::MethodHandler& handler = *(service.*&HandlerAccess::GetHandler)(i);
    const std::string& path = paths_.emplace_back(absl::StrCat("/", name, "/", method.name()));
    AddMethod(new grpc::internal::RpcServiceMethod(path.c_str(), TypeOf(method), nullptr));
    if (method.client_streaming()) {
      MarkMethodCallback(i, new StreamHandler(path, handler, authorization, requests));
    } else {
      MarkMethodCallback(i, new CheckedHandler(method, path, handler, limits, authorization, requests));
    }
  }
}

absl::Status CheckBuffer(grpc::ByteBuffer& buffer, const Descriptor& type, const MessageLimits& limits,
                         const Caller* caller, TokenUse& use) {
  OwnedBuffer bytes(CoreOf(buffer));
  buffer.Release();
  HEED_ASSIGN_OR_RETURN(const OwnedBuffer checked, Checked(std::move(bytes), type, limits, caller, use));
  const grpc_slice_buffer& slices = checked->data.raw.slice_buffer;
  const grpc::Slice slice = slices.count == 0 ? grpc::Slice() : grpc::Slice(slices.slices[0], grpc::Slice::ADD_REF);
  grpc::ByteBuffer whole(&slice, 1);
  buffer.Swap(&whole);
  return absl::OkStatus();
}

absl::Status AtMessage(int64_t number, const absl::Status& status) {
  absl::Status about =
      WithField(absl::Status(status.code(), absl::StrCat("message ", number, ": ", status.message())), FieldOf(status));
  const auto delay = RetryDelayOf(status);
  return delay.count() > 0 ? WithExactRetryDelay(std::move(about), delay) : about;
}

}  // namespace heed
