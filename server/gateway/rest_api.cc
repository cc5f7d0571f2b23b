// SPDX-License-Identifier: Apache-2.0
#include "server/gateway/rest_api.h"

#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "google/protobuf/message.h"
#include "server/gateway/accepted_encoding.h"
#include "server/gateway/http_status.h"
#include "server/gateway/rest_routes.h"
#include "server/rpc/status.h"

namespace heed {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;

constexpr char kRestJson[] = "application/json";
constexpr char kRestProto[] = "application/proto";
constexpr char kRestLines[] = "application/x-ndjson";
constexpr char kRestEvents[] = "text/event-stream";

std::unique_ptr<Message> NewMessage(const Descriptor& type) {
  return std::unique_ptr<Message>(google::protobuf::MessageFactory::generated_factory()->GetPrototype(&type)->New());
}

// What each call needs, whatever becomes of the API meanwhile.
struct RestCall {
  std::shared_ptr<HttpExchange> exchange;
  std::shared_ptr<const MethodCalls> calls;
  const MethodDescriptor& method;
  const RestOptions options;
  CallContext context;

  const std::string& path() const { return exchange->request().path; }
  void Fail(const grpc::Status& status) const { exchange->Answer(ErrorAnswer(status)); }
  void Fail(const absl::Status& status) const { Fail(ToGrpcStatus(status)); }
  void RunLarge(size_t bytes, std::function<void()> work) const {
    if (options.run_large == nullptr) return work();
    const absl::Status status = options.run_large(static_cast<int64_t>(bytes), std::move(work));
    if (!status.ok()) Fail(status);
  }
};

// --- One request, one response.

void AnswerWith(const RestCall& call, const Message& response, bool is_json) {
  HttpAnswer answer{200, "", is_json ? kRestJson : kRestProto};
  if (is_json) {
    absl::StatusOr<std::string> json = WriteJson(response);
    if (!json.ok()) return call.Fail(json.status());
    answer.body = *std::move(json);
  } else {
    response.SerializeToString(&answer.body);
  }
  CompressAnswer(call.exchange->request(), answer);
  call.exchange->Answer(std::move(answer));
}

void AnswerLater(const std::shared_ptr<const RestCall>& call, std::shared_ptr<const Message> response, bool is_json) {
  if (call->exchange->gone()) return;
  const size_t bytes = response->ByteSizeLong();
  const auto write = [call, response = std::move(response), is_json] {
    if (!call->exchange->gone()) AnswerWith(*call, *response, is_json);
  };
  // What was computed is not thrown away because the threads are busy.
  const auto& run_large = call->options.run_large;
  if (run_large == nullptr || !run_large(static_cast<int64_t>(bytes), write).ok()) write();
}

absl::Status ReadOne(const RestCall& call, bool is_json, Message& request) {
  const std::string body = call.exchange->TakeBody();
  if (!is_json) {
    if (request.ParseFromString(body)) return absl::OkStatus();
    return InvalidArgument("the body of ", body.size(), " bytes is no ", request.GetDescriptor()->full_name());
  }
  if (body.empty()) return absl::OkStatus();
  return ReadJson(body, call.options.json, request);
}

void CallUnary(const std::shared_ptr<const RestCall>& call, bool is_json) {
  const std::unique_ptr<Message> request = NewMessage(*call->method.input_type());
  if (const absl::Status status = ReadOne(*call, is_json, *request); !status.ok()) return call->Fail(status);
  const CallHandle handle =
      call->calls->Call(call->path(), call->context, *request, NewMessage(*call->method.output_type()),
                        [call, is_json](const grpc::Status& status, auto response) {
                          if (!status.ok()) return call->Fail(status);
                          AnswerLater(call, std::move(response), is_json);
                        });
  call->exchange->OnGone([handle] { handle.Cancel(); });
}

// --- Streams.

// Sends a method's requests and passes its responses on, each when the client has taken the one before it. Lives until
// the method has ended.
class StreamedCall : public std::enable_shared_from_this<StreamedCall> {
 public:
  StreamedCall(std::shared_ptr<const RestCall> call, std::vector<std::unique_ptr<Message>> requests)
      : call_(std::move(call)),
        events_(absl::StrContains(absl::AsciiStrToLower(call_->exchange->request().Header("accept")), kRestEvents)),
        requests_(std::move(requests)) {}

  void Begin() {
    MethodStream::Events events;
    events.message = [self = shared_from_this()](const Message& message) { self->OnMessage(message); };
    events.written = [self = shared_from_this()] { self->WriteNext(); };
    events.end = [self = shared_from_this()](const grpc::Status& status) { self->OnEnd(status); };
    std::shared_ptr<MethodStream> stream = call_->calls->Stream(
        call_->path(), call_->context, NewMessage(*call_->method.output_type()), std::move(events));
    {
      MutexLock lock(mutex_);
      if (!ended_) stream_ = stream;
    }
    call_->exchange->OnGone([stream] { stream->Cancel(); });
    WriteNext();
    stream->Read();
  }

 private:
  std::shared_ptr<MethodStream> stream() {
    MutexLock lock(mutex_);
    return stream_;
  }

  void WriteNext() {
    const std::shared_ptr<MethodStream> stream = this->stream();
    if (stream == nullptr) return;
    if (next_ == requests_.size()) return stream->WritesDone();
    const std::unique_ptr<Message> request = std::move(requests_[next_++]);
    stream->Write(*request);
  }

  void OnMessage(const Message& message) {
    const std::shared_ptr<MethodStream> stream = this->stream();
    if (stream == nullptr) return;
    if (!call_->method.server_streaming()) {
      response_.reset(message.New());
      response_->CopyFrom(message);
      return stream->Read();
    }
    absl::StatusOr<std::string> json = WriteJson(message);
    if (!json.ok()) return stream->Cancel();
    BeginAnswer();
    const bool taken = call_->exchange->Send(
        events_ ? absl::StrCat("data: ", *json, "\n\n") : absl::StrCat(*json, "\n"), [self = shared_from_this()] {
          if (const auto still = self->stream()) still->Read();
        });
    if (!taken) stream->Cancel();
  }

  void OnEnd(const grpc::Status& status) {
    {
      MutexLock lock(mutex_);
      ended_ = true;
      stream_ = nullptr;
    }
    if (!call_->method.server_streaming()) {
      if (!status.ok()) return call_->Fail(status);
      if (response_ == nullptr) return call_->Fail(absl::InternalError("the method gave no response"));
      return AnswerLater(call_, std::move(response_), /*is_json=*/true);
    }
    if (!status.ok() && !begun_) return call_->Fail(status);
    BeginAnswer();
    if (events_) {
      call_->exchange->Send(status.ok() ? "event: end\ndata: {}\n\n"
                                        : absl::StrCat("event: error\ndata: ", ErrorJson(status), "\n\n"));
    } else if (!status.ok()) {
      call_->exchange->Send(absl::StrCat("{\"error\":", ErrorJson(status), "}\n"));
    }
    call_->exchange->End();
  }

  void BeginAnswer() {
    if (std::exchange(begun_, true)) return;
    HttpAnswer head{200, "", events_ ? kRestEvents : kRestLines};
    // Proxies would keep events back otherwise.
    head.headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}};
    call_->exchange->BeginStream(std::move(head));
  }

  const std::shared_ptr<const RestCall> call_;
  const bool events_;  // server-sent
  // Of the method's callbacks, which never overlap as far as each of these goes.
  std::vector<std::unique_ptr<Message>> requests_;
  size_t next_ = 0;
  bool begun_ = false;
  std::unique_ptr<Message> response_;  // of a method with one

  Mutex mutex_;
  std::shared_ptr<MethodStream> stream_ GUARDED_BY(mutex_);  // until the end
  bool ended_ GUARDED_BY(mutex_) = false;
};

absl::StatusOr<std::vector<std::unique_ptr<Message>>> ReadSeveral(const RestCall& call) {
  const std::string body = call.exchange->TakeBody();
  HEED_ASSIGN_OR_RETURN(const std::vector<absl::string_view> values, SplitJson(body, call.options.json));
  std::vector<std::unique_ptr<Message>> requests;
  requests.reserve(values.size());
  for (const absl::string_view value : values) {
    requests.push_back(NewMessage(*call.method.input_type()));
    const absl::Status status = ReadJson(value, call.options.json, *requests.back());
    if (!status.ok()) return InvalidArgument("message ", requests.size(), ": ", status.message());
  }
  return requests;
}

void CallStream(const std::shared_ptr<const RestCall>& call) {
  std::vector<std::unique_ptr<Message>> requests;
  if (call->method.client_streaming()) {
    absl::StatusOr<std::vector<std::unique_ptr<Message>>> read = ReadSeveral(*call);
    if (!read.ok()) return call->Fail(read.status());
    requests = *std::move(read);
  } else {
    requests.push_back(NewMessage(*call->method.input_type()));
    const absl::Status status = ReadOne(*call, /*is_json=*/true, *requests.back());
    if (!status.ok()) return call->Fail(status);
  }
  std::make_shared<StreamedCall>(call, std::move(requests))->Begin();
}

}  // namespace

RestApi::RestApi(std::shared_ptr<const MethodCalls> calls, const std::vector<std::string>& services,
                 RestOptions options)
    : calls_(std::move(calls)), options_(std::move(options)) {
  for (RestRoute& route : RestRoutes(services)) methods_[std::move(route.path)] = route.method;
}

std::vector<std::string> RestApi::MethodsOf(absl::string_view path) const {
  if (methods_.find(path) == methods_.end()) return {};
  return {"POST"};
}

std::vector<std::string> RestApi::Paths() const {
  std::vector<std::string> paths;
  for (const auto& [path, method] : methods_) paths.push_back(path);
  return paths;
}

std::optional<HttpAnswer> RestApi::Refuse(const HttpRequest& head) const {
  const absl::StatusOr<CallContext> context = ContextOf(head);
  if (!context.ok()) return ErrorAnswer(ToGrpcStatus(context.status()));
  if (const absl::Status status = calls_->Check(head.path, *context); !status.ok()) {
    return ErrorAnswer(ToGrpcStatus(status));
  }
  const MethodDescriptor& method = *methods_.find(head.path)->second;
  const bool streams = method.client_streaming() || method.server_streaming();
  const std::string type = head.ContentType();
  // A browser sends a body without a type for any page, and asks nobody before.
  if (type.empty() && !head.Header("origin").empty()) {
    return JsonError(415, "invalid_argument",
                     absl::StrCat("a page must send its Content-Type, such as ", kRestJson, ", with a request"));
  }
  if (type.empty() || type == kRestJson || (type == kRestProto && !streams)) return std::nullopt;
  if (method.client_streaming() && (type == kRestLines || type == "application/jsonl")) return std::nullopt;
  HttpAnswer answer = JsonError(415, "invalid_argument",
                                absl::StrCat("Content-Type: ", type, ": this method takes ", kRestJson,
                                             streams ? "" : absl::StrCat(" or ", kRestProto)));
  answer.headers.emplace_back("Accept-Post", streams ? kRestJson : absl::StrCat(kRestJson, ", ", kRestProto));
  return answer;
}

void RestApi::Serve(std::shared_ptr<HttpExchange> exchange) {
  const HttpRequest& request = exchange->request();
  const MethodDescriptor& method = *methods_.find(request.path)->second;
  absl::StatusOr<CallContext> context = ContextOf(request);
  if (!context.ok()) return exchange->Answer(ErrorAnswer(ToGrpcStatus(context.status())));
  const size_t bytes = request.body.size();
  const bool is_json = request.ContentType() != kRestProto;
  const auto call =
      std::make_shared<const RestCall>(RestCall{std::move(exchange), calls_, method, options_, *std::move(context)});
  call->RunLarge(bytes, [call, is_json] {
    if (call->exchange->gone()) return;
    if (call->method.client_streaming() || call->method.server_streaming()) {
      CallStream(call);
    } else {
      CallUnary(call, is_json);
    }
  });
}

}  // namespace heed
