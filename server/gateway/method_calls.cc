// SPDX-License-Identifier: Apache-2.0
#include "server/gateway/method_calls.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "grpcpp/client_context.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/client_callback.h"
#include "server/rpc/status.h"
#include "server/telemetry/trace_context.h"

namespace heed {
namespace {

using google::protobuf::Message;

// gRPC's timeouts have at most 8 digits, Connect's 10.
constexpr size_t kMaxTimeoutDigits = 10;

absl::StatusOr<Clock::duration> ParseTimeout(absl::string_view header, absl::string_view text) {
  const auto wrong = [&] {
    return InvalidField(header, "\"", text, "\" is no timeout, which is ",
                        header == "grpc-timeout" ? "a number and a unit of H, M, S, m, u, n, as in 5S"
                                                 : "a number of milliseconds, as in 5000");
  };
  absl::string_view digits = text;
  char unit = 'm';
  if (header == "grpc-timeout") {
    if (text.empty()) return wrong();
    unit = text.back();
    digits.remove_suffix(1);
  }
  int64_t count = 0;
  const bool is_number = !digits.empty() && digits.size() <= kMaxTimeoutDigits &&
                         absl::ascii_isdigit(static_cast<unsigned char>(digits[0])) && absl::SimpleAtoi(digits, &count);
  if (!is_number) return wrong();
  // Longer than a year is a year: what fits any clock.
  const auto as = [count](auto one) {
    const double seconds = std::min(ToSeconds(one) * static_cast<double>(count), 365.0 * 24 * 3600);
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  };
  switch (unit) {
    case 'H':
      return as(std::chrono::hours(1));
    case 'M':
      return as(std::chrono::minutes(1));
    case 'S':
      return as(std::chrono::seconds(1));
    case 'm':
      return as(std::chrono::milliseconds(1));
    case 'u':
      return as(std::chrono::microseconds(1));
    case 'n':
      return as(std::chrono::nanoseconds(1));
    default:
      return wrong();
  }
}

// What gRPC takes as a header's value; it ends the process if it gets another.
bool IsMetadataValue(absl::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char byte) { return byte >= ' ' && byte <= '~'; });
}

std::optional<absl::string_view> AuthorizationOf(const CallContext& context) {
  return context.authorization.empty() ? std::nullopt : std::make_optional<absl::string_view>(context.authorization);
}

void Fill(const CallContext& context, grpc::ClientContext& call) {
  // One that is no value says nothing.
  const auto add = [&call](const char* key, const std::string& value) {
    if (!value.empty() && IsMetadataValue(value)) call.AddMetadata(key, value);
  };
  add("authorization", context.authorization);  // whose limits the messages count for
  add("heed-priority", context.priority);
  add(kRequestIdKey, context.request_id);
  add(kTraceparentKey, context.traceparent);
  add(kTracestateKey, context.tracestate);
  add(kInProcessCallerKey, SignCaller(context.caller));
  if (context.timeout) {
    call.set_deadline(std::chrono::system_clock::now() +
                      std::chrono::duration_cast<std::chrono::system_clock::duration>(*context.timeout));
  }
}

grpc::ByteBuffer ToBuffer(const Message& message) {
  grpc::ByteBuffer buffer;
  bool own = false;
  (void)grpc::SerializationTraits<Message>::Serialize(message, &buffer, &own);
  return buffer;
}

// INTERNAL: our own methods answer with their messages.
grpc::Status FromBuffer(grpc::ByteBuffer& buffer, Message& message) {
  return grpc::SerializationTraits<Message>::Deserialize(&buffer, &message);
}

// A call with one request and one response, as long as it lasts.
struct UnaryCallState {
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer response_bytes;
  std::unique_ptr<Message> response;
  MethodCalls::Done done;
};

class MethodStreamCall final : public MethodStream,
                               public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                               public std::enable_shared_from_this<MethodStreamCall> {
 public:
  MethodStreamCall(std::unique_ptr<Message> response, Events events)
      : message_(std::move(response)), events_(std::move(events)) {}

  void Begin(const std::shared_ptr<grpc::Channel>& channel, const std::string& path, const CallContext& context) {
    self_ = shared_from_this();
    Fill(context, context_);
    grpc::GenericStub stub(channel);
    stub.PrepareBidiStreamingCall(&context_, path, grpc::StubOptions(), this);
    AddHold();  // for Write and Read, which come from outside
    StartCall();
  }

  void Write(const Message& request) override {
    MutexLock lock(mutex_);
    if (released_) return;
    outgoing_ = ToBuffer(request);
    StartWrite(&outgoing_);
  }
  void WritesDone() override {
    MutexLock lock(mutex_);
    if (!released_) StartWritesDone();
  }
  void Read() override {
    MutexLock lock(mutex_);
    if (!released_) StartRead(&incoming_);
  }
  void Cancel() override {
    context_.TryCancel();
    Release();
  }

 private:
  void OnWriteDone(bool ok) override {
    if (ok && events_.written) events_.written();
    if (!ok) Release();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return Release();
    const grpc::Status status = FromBuffer(incoming_, *message_);
    if (status.ok()) return events_.message(*message_);
    broken_ = status;
    Cancel();
  }
  void OnDone(const grpc::Status& status) override {
    const std::shared_ptr<MethodStreamCall> last = std::move(self_);
    events_.end(broken_.ok() ? status : broken_);
    events_ = {};  // what they hold may hold this
  }

  // The end may come from now on: no operation is started any more.
  void Release() {
    {
      MutexLock lock(mutex_);
      if (std::exchange(released_, true)) return;
    }
    RemoveHold();
  }

  grpc::ClientContext context_;
  const std::unique_ptr<Message> message_;
  Events events_;
  grpc::ByteBuffer incoming_, outgoing_;
  grpc::Status broken_;
  std::shared_ptr<MethodStreamCall> self_;  // until the end

  Mutex mutex_;
  bool released_ GUARDED_BY(mutex_) = false;
};

// A call that never began.
class NoStream final : public MethodStream {
 public:
  void Write(const Message&) override {}
  void WritesDone() override {}
  void Read() override {}
  void Cancel() override {}
};

}  // namespace

absl::StatusOr<CallContext> ContextOf(const HttpRequest& request) {
  CallContext context;
  context.authorization = std::string(request.Header("authorization"));
  context.priority = std::string(request.Header("heed-priority"));
  context.request_id = std::string(request.Header(kRequestIdKey));
  context.traceparent = std::string(request.Header(kTraceparentKey));
  context.tracestate = std::string(request.Header(kTracestateKey));
  context.caller = {request.peer, request.method, request.path};
  if (!IsMetadataValue(context.priority)) return InvalidField("heed-priority", "has bytes that are no ASCII text");
  for (const char* header : {"grpc-timeout", "connect-timeout-ms"}) {
    const absl::string_view text = request.Header(header);
    if (text.empty()) continue;
    HEED_ASSIGN_OR_RETURN(context.timeout, ParseTimeout(header, text));
    break;
  }
  return context;
}

absl::Status MethodCalls::CheckRight(absl::string_view path, const CallContext& context) const {
  return authorization_.Check(path, AuthorizationOf(context), Clock::now());
}

absl::Status MethodCalls::Check(absl::string_view path, const CallContext& context) const {
  HEED_RETURN_IF_ERROR(CheckRight(path, context));
  HEED_ASSIGN_OR_RETURN(const std::shared_ptr<const Caller> caller,
                        authorization_.CallerOf(RightOf(path), AuthorizationOf(context), Clock::now()));
  return caller == nullptr ? absl::OkStatus() : caller->CheckRoom();
}

absl::Status MethodCalls::Begin(absl::string_view path, const CallContext& context) const {
  HEED_RETURN_IF_ERROR(Check(path, context));
  if (channel_ == nullptr) return absl::UnavailableError("the server is not ready yet");
  if (!under_way_->Begin()) return absl::UnavailableError("the server is shutting down");
  return absl::OkStatus();
}

CallHandle MethodCalls::Call(absl::string_view path, const CallContext& context, const Message& request,
                             std::unique_ptr<Message> response, Done done) const {
  const absl::Status status = Begin(path, context);
  if (!status.ok()) {
    done(ToGrpcStatus(status), std::move(response));
    return CallHandle();
  }
  auto call = std::make_shared<UnaryCallState>();
  Fill(context, call->context);
  call->request = ToBuffer(request);
  call->response = std::move(response);
  call->done = std::move(done);
  grpc::GenericStub stub(channel_);
  stub.UnaryCall(&call->context, std::string(path), grpc::StubOptions(), &call->request, &call->response_bytes,
                 [call, under_way = under_way_](grpc::Status result) {
                   if (result.ok()) result = FromBuffer(call->response_bytes, *call->response);
                   {
                     const Done finish = std::move(call->done);
                     finish(result, std::move(call->response));
                   }
                   under_way->End();
                 });
  return CallHandle([call = std::weak_ptr<UnaryCallState>(call)] {
    if (const auto still = call.lock()) still->context.TryCancel();
  });
}

std::shared_ptr<MethodStream> MethodCalls::Stream(absl::string_view path, const CallContext& context,
                                                  std::unique_ptr<Message> response,
                                                  MethodStream::Events events) const {
  const absl::Status status = Begin(path, context);
  if (!status.ok()) {
    events.end(ToGrpcStatus(status));
    return std::make_shared<NoStream>();
  }
  // Behind the caller's own end, and what that holds.
  events.end = [end = std::move(events.end), under_way = under_way_](const grpc::Status& result) mutable {
    std::exchange(end, nullptr)(result);
    under_way->End();
  };
  auto stream = std::make_shared<MethodStreamCall>(std::move(response), std::move(events));
  stream->Begin(channel_, std::string(path), context);
  return stream;
}

}  // namespace heed
