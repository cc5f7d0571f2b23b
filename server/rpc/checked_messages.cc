// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/checked_messages.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
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

absl::StatusOr<OwnedBuffer> Checked(OwnedBuffer buffer, const Descriptor& type, const MessageLimits& limits) {
  if (buffer == nullptr) return absl::InvalidArgumentError("the request has no message");
  return WithoutExceptions([&]() -> absl::StatusOr<OwnedBuffer> {
    HEED_ASSIGN_OR_RETURN(OwnedBuffer whole, InOnePiece(std::move(buffer), limits));
    HEED_RETURN_IF_ERROR(CheckMessage(View(*whole), type, limits));
    return whole;
  });
}

// A request that ends before its method has seen it.
class RefusedCall final : public Call, public grpc::ServerUnaryReactor {
 public:
  RefusedCall(RequestLog& requests, grpc::CallbackServerContext& context, std::string_view method,
              const absl::Status& status)
      : Call(requests, context, method) {
    Finish(End(status, /*room_may_come=*/false));
  }
  void OnDone() override { delete this; }
};

// In front of a method with one request.
class CheckedHandler final : public grpc::internal::MethodHandler {
 public:
  // `name`: the method's full name, which outlives this.
  CheckedHandler(const MethodDescriptor& method, std::string_view name, grpc::internal::MethodHandler& handler,
                 const MessageLimits& limits, RequestLog& requests)
      : method_(method),
        handler_(handler),
        limits_(limits),
        refusal_([name, &requests](auto* context, auto* reason, auto*) {
          return new RefusedCall(requests, *context, name, StatusOf(*reason));
        }) {}

  void* Deserialize(grpc_call* call, grpc_byte_buffer* request, grpc::Status* status, void** handler_data) override {
    absl::StatusOr<OwnedBuffer> checked = Checked(OwnedBuffer(request), *method_.input_type(), limits_);
    if (checked.ok()) return handler_.Deserialize(call, checked->release(), status, handler_data);
    // The refusal's request is the reason; its status tells RunHandler whose turn it is.
    const std::string text = TextOf(checked.status());
    grpc_slice reason = grpc_slice_from_copied_buffer(text.data(), text.size());
    void* const result = refusal_.Deserialize(call, BufferOf(reason).release(), status, handler_data);
    *status = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "");
    return result;
  }

  void RunHandler(const HandlerParameter& parameter) override {
    if (parameter.status.ok()) return handler_.RunHandler(parameter);
    refusal_.RunHandler(HandlerParameter(parameter.call, parameter.server_context, parameter.request, grpc::Status::OK,
                                         parameter.internal_data, parameter.call_requester));
  }

 private:
  // A status as a text, and back: its code, the length of its field's path, the path, and the message.
  static std::string TextOf(const absl::Status& status) {
    const std::string field = FieldOf(status);
    return absl::StrCat(status.raw_code(), " ", field.size(), " ", field, status.message());
  }
  static absl::Status StatusOf(const grpc::ByteBuffer& reason) {
    grpc::Slice slice;
    if (!reason.DumpToSingleSlice(&slice).ok()) return absl::InvalidArgumentError("the message cannot be read");
    absl::string_view text(reinterpret_cast<const char*>(slice.begin()), slice.size());
    const auto take_number = [&text] {
      int number = 0;
      const size_t space = text.find(' ');
      (void)absl::SimpleAtoi(text.substr(0, space), &number);
      text.remove_prefix(space + 1);
      return number;
    };
    const auto code = static_cast<absl::StatusCode>(take_number());
    const auto field_size = static_cast<size_t>(take_number());
    absl::Status status(code, text.substr(field_size));
    return field_size == 0 ? status : WithField(std::move(status), text.substr(0, field_size));
  }

  const MethodDescriptor& method_;
  grpc::internal::MethodHandler& handler_;
  const MessageLimits limits_;
  grpc::internal::CallbackUnaryHandler<grpc::ByteBuffer, grpc::ByteBuffer> refusal_;
};

// A method whose messages it reads itself.
class SameHandler final : public grpc::internal::MethodHandler {
 public:
  explicit SameHandler(grpc::internal::MethodHandler& handler) : handler_(handler) {}
  void RunHandler(const HandlerParameter& parameter) override { handler_.RunHandler(parameter); }

 private:
  grpc::internal::MethodHandler& handler_;
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
                               RequestLog& requests) {
  const ServiceDescriptor& descriptor = *google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
  for (int i = 0; i < descriptor.method_count(); ++i) {
    const MethodDescriptor& method = *descriptor.method(i);
    grpc::internal::MethodHandler& handler = *(service.*&HandlerAccess::GetHandler)(i);
    const std::string& path = paths_.emplace_back(absl::StrCat("/", name, "/", method.name()));
    AddMethod(new grpc::internal::RpcServiceMethod(path.c_str(), TypeOf(method), nullptr));
    if (method.client_streaming()) {
      MarkMethodCallback(i, new SameHandler(handler));
    } else {
      MarkMethodCallback(i, new CheckedHandler(method, std::string_view(path).substr(1), handler, limits, requests));
    }
  }
}

absl::Status CheckBuffer(grpc::ByteBuffer& buffer, const Descriptor& type, const MessageLimits& limits) {
  OwnedBuffer bytes(CoreOf(buffer));
  buffer.Release();
  HEED_ASSIGN_OR_RETURN(const OwnedBuffer checked, Checked(std::move(bytes), type, limits));
  const grpc_slice_buffer& slices = checked->data.raw.slice_buffer;
  const grpc::Slice slice = slices.count == 0 ? grpc::Slice() : grpc::Slice(slices.slices[0], grpc::Slice::ADD_REF);
  grpc::ByteBuffer whole(&slice, 1);
  buffer.Swap(&whole);
  return absl::OkStatus();
}

}  // namespace heed
