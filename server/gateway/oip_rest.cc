// SPDX-License-Identifier: Apache-2.0
#include "server/gateway/oip_rest.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/exception_barrier.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/json.h"
#include "base/status_macros.h"
#include "inference.pb.h"
#include "server/gateway/accepted_encoding.h"
#include "server/gateway/http_status.h"
#include "server/oip/rest_answer.h"
#include "server/oip/rest_request.h"
#include "server/rpc/status.h"

namespace heed {
namespace {

using google::protobuf::Message;

constexpr char kOipJson[] = "application/json";
constexpr char kOipBytes[] = "application/octet-stream";
constexpr char kHeaderLength[] = "Inference-Header-Content-Length";
constexpr char kHeaderLengthName[] = "inference-header-content-length";
// Of the bodies that are not tensors.
constexpr int64_t kMaxSmallBody = 64 << 10;

std::string FullPath(const OipRoute& route) { return absl::StrCat("/inference.GRPCInferenceService/", route.method); }

const OipRoute* FindOipRoute(absl::string_view http_method, absl::string_view path, OipNames& names) {
  for (const OipRoute& route : OipRoutes()) {
    if (route.http_method == http_method && Fits(route, path, names)) return &route;
  }
  return nullptr;
}

std::unique_ptr<Message> NewOipMessage(absl::string_view method, bool request) {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  const auto* service = pool->FindServiceByName("inference.GRPCInferenceService");
  const auto* found = service->FindMethodByName(std::string(method));
  const auto* type = request ? found->input_type() : found->output_type();
  return std::unique_ptr<Message>(google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

// Sets the texts of the message's fields that the path's names stand for.
void SetNames(const OipNames& names, Message& message) {
  static constexpr std::pair<absl::string_view, absl::string_view> kFields[] = {
      {"model", "name"}, {"model", "model_name"},          {"version", "version"}, {"version", "model_version"},
      {"name", "name"},  {"repository", "repository_name"}};
  for (const auto& [name, field_name] : kFields) {
    const auto found = names.find(name);
    const auto* field = message.GetDescriptor()->FindFieldByName(std::string(field_name));
    if (found == names.end() || field == nullptr) continue;
    message.GetReflection()->SetString(&message, field, found->second);
  }
}

absl::Status ReadIndexFilter(const nlohmann::json& body, inference::RepositoryIndexRequest& request) {
  for (const auto& [name, value] : body.items()) {
    if (name != "ready") return InvalidArgument(Quoted(name), " is not known; known are: ready");
    if (!value.is_boolean()) return InvalidField("ready", "must be true or false");
    request.set_ready(value.get<bool>());
  }
  return absl::OkStatus();
}

// `request`: of loading or unloading. The service says which parameters there are.
absl::Status ReadRepositoryParameters(const nlohmann::json& body, Message& request) {
  using Parameters = google::protobuf::Map<std::string, inference::ModelRepositoryParameter>;
  auto* load = dynamic_cast<inference::RepositoryModelLoadRequest*>(&request);
  Parameters& parameters = load != nullptr
                               ? *load->mutable_parameters()
                               : *static_cast<inference::RepositoryModelUnloadRequest&>(request).mutable_parameters();
  for (const auto& [name, value] : body.items()) {
    if (name != "parameters") return InvalidArgument(Quoted(name), " is not known; known are: parameters");
    if (!value.is_object()) return InvalidField("parameters", "must be an object");
    for (const auto& [key, parameter] : value.items()) {
      inference::ModelRepositoryParameter& to = parameters[key];
      if (parameter.is_boolean()) {
        to.set_bool_param(parameter.get<bool>());
      } else if (parameter.is_number_integer()) {
        to.set_int64_param(parameter.get<int64_t>());
      } else if (parameter.is_string()) {
        to.set_string_param(parameter.get<std::string>());
      } else {
        return InvalidField("parameters", Quoted(key), " must be text, a whole number, or true or false");
      }
    }
  }
  return absl::OkStatus();
}

absl::Status ReadSmallBody(const OipRoute& route, const std::string& body, Message& message) {
  if (route.request == OipBody::kNothing) return absl::OkStatus();
  if (body.size() > kMaxSmallBody) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the body has ", body.size(), " bytes, at most ", kMaxSmallBody, " here"));
  }
  if (body.empty()) return absl::OkStatus();
  const absl::StatusOr<nlohmann::json> json = ParseJson(body.begin(), body.end());
  if (!json.ok()) return InvalidArgument("the body is ", json.status().message());
  if (!json->is_object()) return InvalidArgument("the body must be an object");
  if (route.request == OipBody::kIndexFilter) {
    return ReadIndexFilter(*json, static_cast<inference::RepositoryIndexRequest&>(message));
  }
  return ReadRepositoryParameters(*json, message);
}

HttpAnswer JsonAnswer(std::string body, unsigned status = 200) {
  HttpAnswer answer;
  answer.status = status;
  answer.body = std::move(body);
  answer.content_type = kOipJson;
  return answer;
}

HttpAnswer OipError(const grpc::Status& status) {
  HttpAnswer answer = JsonAnswer(WriteRestError(status.error_message()), HttpStatusOf(status.error_code()));
  AddErrorHeaders(status, answer);
  return answer;
}

HttpAnswer OipError(const absl::Status& status) { return OipError(ToGrpcStatus(status)); }

std::string IndexJson(const inference::RepositoryIndexResponse& response) {
  std::string json = "[";
  for (const auto& model : response.models()) {
    absl::StrAppend(&json, json.size() > 1 ? "," : "", WriteRestMessage(model));
  }
  return json + "]";
}

// Each model once, whatever its versions.
std::string ModelNamesJson(const inference::RepositoryIndexResponse& response) {
  nlohmann::json names = nlohmann::json::array();
  for (const auto& model : response.models()) {
    if (names.empty() || names.back() != model.name()) names.push_back(model.name());
  }
  return nlohmann::json{{"models", names}}.dump();
}

HttpAnswer OipAnswer(const OipRoute& route, const OutputForms& outputs, const Message& message) {
  switch (route.answer) {
    case OipBody::kMessage:
      return JsonAnswer(WriteRestMessage(message));
    case OipBody::kLive: {
      const bool live = static_cast<const inference::ServerLiveResponse&>(message).live();
      return JsonAnswer(WriteRestMessage(message), live ? 200 : 503);
    }
    case OipBody::kServerReady: {
      const bool ready = static_cast<const inference::ServerReadyResponse&>(message).ready();
      return JsonAnswer(WriteRestMessage(message), ready ? 200 : 503);
    }
    case OipBody::kModelReady: {
      const bool ready = static_cast<const inference::ModelReadyResponse&>(message).ready();
      return JsonAnswer(WriteRestMessage(message), ready ? 200 : 503);
    }
    case OipBody::kConfig:
      return JsonAnswer(WriteRestMessage(static_cast<const inference::ModelConfigResponse&>(message).config()));
    case OipBody::kIndex:
      return JsonAnswer(IndexJson(static_cast<const inference::RepositoryIndexResponse&>(message)));
    case OipBody::kModelNames:
      return JsonAnswer(ModelNamesJson(static_cast<const inference::RepositoryIndexResponse&>(message)));
    case OipBody::kInfer: {
      absl::StatusOr<RestAnswer> written =
          WriteRestAnswer(static_cast<const inference::ModelInferResponse&>(message), outputs);
      if (!written.ok()) return OipError(written.status());
      HttpAnswer answer = JsonAnswer(std::move(written->body));
      if (written->json_bytes) {
        answer.content_type = kOipBytes;
        answer.headers.emplace_back(kHeaderLength, absl::StrCat(*written->json_bytes));
      }
      return answer;
    }
    case OipBody::kNothing:
    case OipBody::kIndexFilter:
    case OipBody::kParameters:
      break;
  }
  HttpAnswer answer;
  answer.content_type.clear();
  return answer;
}

// Programs send bodies of any type, or none. A page of another origin could do so, too, without that its browser asks
// (Cross-Origin Resource Sharing); of these types it has to ask.
bool IsFromForeignPage(const HttpRequest& head) {
  if (head.method != "POST" || head.Header("origin").empty()) return false;
  const std::string type = head.ContentType();
  return type != kOipJson && type != kOipBytes;
}

}  // namespace

struct OipRest::Request {
  std::shared_ptr<HttpExchange> exchange;
  const OipRoute* route = nullptr;
  OipNames names;
  CallContext context;
  OutputForms outputs;
};

std::vector<std::string> OipRest::MethodsOf(absl::string_view path) const {
  std::vector<std::string> methods;
  OipNames names;
  for (const OipRoute& route : OipRoutes()) {
    const std::string method(route.http_method);
    if (!Fits(route, path, names) || std::find(methods.begin(), methods.end(), method) != methods.end()) continue;
    methods.push_back(method);
  }
  return methods;
}

std::vector<std::string> OipRest::Paths() const {
  std::vector<std::string> paths;
  for (const OipRoute& route : OipRoutes()) {
    if (paths.empty() || paths.back() != route.path) paths.emplace_back(route.path);
  }
  return paths;
}

std::optional<HttpAnswer> OipRest::Refuse(const HttpRequest& head) const {
  OipNames names;
  const OipRoute* route = FindOipRoute(head.method, head.path, names);
  if (route == nullptr) return std::nullopt;
  if (IsFromForeignPage(head)) {
    return ErrorOf(415, "",
                   "a page of another origin must send its Content-Type: application/json or "
                   "application/octet-stream");
  }
  const absl::StatusOr<CallContext> context = ContextOf(head);
  const absl::Status status = context.ok() ? calls_.Check(FullPath(*route), *context) : context.status();
  if (status.ok()) return std::nullopt;
  return OipError(status);
}

HttpAnswer OipRest::ErrorOf(unsigned status, absl::string_view, absl::string_view message) const {
  return JsonAnswer(WriteRestError(message), status);
}

void OipRest::Serve(std::shared_ptr<HttpExchange> exchange) {
  auto request = std::make_shared<Request>();
  request->exchange = std::move(exchange);
  const HttpRequest& http = request->exchange->request();
  request->route = FindOipRoute(http.method, http.path, request->names);
  absl::StatusOr<CallContext> context = ContextOf(http);
  if (!context.ok()) return request->exchange->Answer(OipError(context.status()));
  request->context = *std::move(context);
  const absl::Status status =
      preparation_.Run(static_cast<int64_t>(http.body.size()), [this, request] { Begin(request); });
  if (!status.ok()) request->exchange->Answer(OipError(status));
}

void OipRest::Begin(const std::shared_ptr<Request>& request) const {
  if (request->exchange->gone()) return;
  const absl::Status status = WithoutExceptions([&]() -> absl::Status {
    if (request->route->request == OipBody::kInfer) return Infer(request);
    const std::unique_ptr<Message> message = NewOipMessage(request->route->method, /*request=*/true);
    SetNames(request->names, *message);
    if (request->route->answer == OipBody::kModelNames) {
      static_cast<inference::RepositoryIndexRequest&>(*message).set_ready(true);
    }
    HEED_RETURN_IF_ERROR(ReadSmallBody(*request->route, request->exchange->TakeBody(), *message));
    Call(request, *message);
    return absl::OkStatus();
  });
  if (!status.ok()) request->exchange->Answer(OipError(status));
}

absl::Status OipRest::Infer(const std::shared_ptr<Request>& request) const {
  std::optional<int64_t> json_bytes;
  if (const absl::string_view length = request->exchange->request().Header(kHeaderLengthName); !length.empty()) {
    json_bytes.emplace();
    if (!absl::SimpleAtoi(length, &*json_bytes)) {
      return InvalidArgument(kHeaderLength, " is ", Quoted(length), ", must be a number of bytes");
    }
  }
  const std::string body = request->exchange->TakeBody();
  HEED_ASSIGN_OR_RETURN(RestRequest read, ReadRestRequest(body, json_bytes, {.max_bytes = max_message_bytes_}));
  SetNames(request->names, read.message);
  request->outputs = std::move(read.outputs);
  Call(request, read.message);
  return absl::OkStatus();
}

void OipRest::Call(const std::shared_ptr<Request>& request, const Message& message) const {
  const auto done = [&preparation = preparation_, request](const grpc::Status& status,
                                                           std::unique_ptr<Message> response) {
    if (!status.ok()) return request->exchange->Answer(OipError(status));
    const auto bytes = static_cast<int64_t>(response->ByteSizeLong());
    const auto answer = [request, response = std::shared_ptr<const Message>(std::move(response))] {
      const absl::Status written = WithoutExceptions([&]() -> absl::Status {
        HttpAnswer made = OipAnswer(*request->route, request->outputs, *response);
        CompressAnswer(request->exchange->request(), made);
        request->exchange->Answer(std::move(made));
        return absl::OkStatus();
      });
      if (!written.ok()) request->exchange->Answer(OipError(written));
    };
    // What was computed is answered, however much waits.
    if (!preparation.Run(bytes, answer).ok()) answer();
  };
  const CallHandle handle = calls_.Call(FullPath(*request->route), request->context, message,
                                        NewOipMessage(request->route->method, /*request=*/false), done);
  request->exchange->OnGone([handle] { handle.Cancel(); });
}

}  // namespace heed
