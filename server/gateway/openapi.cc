// SPDX-License-Identifier: Apache-2.0
#include "server/gateway/openapi.h"

#include <cctype>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/version.h"
#include "google/protobuf/descriptor.h"
#include "server/gateway/oip_routes.h"
#include "server/gateway/openapi_schemas.h"
#include "server/gateway/proto_comments.h"
#include "server/security/authorization.h"

namespace heed {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

constexpr char kOip[] = "Open Inference Protocol";
constexpr char kOipService[] = "inference.GRPCInferenceService";

OpenApiJson ReferenceTo(absl::string_view kind, absl::string_view name) {
  return {{"$ref", absl::StrCat("#/components/", kind, "/", name)}};
}

OpenApiJson ContentOf(absl::string_view type, OpenApiJson schema) {
  return {{std::string(type), {{"schema", std::move(schema)}}}};
}

OpenApiJson BinarySchema() { return {{"type", "string"}, {"format", "binary"}}; }

const ServiceDescriptor& ServiceOf(const std::string& name) {
  const ServiceDescriptor* service = DescriptorPool::generated_pool()->FindServiceByName(name);
  HEED_CHECK(service != nullptr);
  return *service;
}

// The comment's first sentence is the summary; all of it the description, unless that is the same.
void DescribeOperation(absl::string_view comment, OpenApiJson& operation) {
  const size_t end = std::min(comment.find(". "), comment.find(".\n"));
  const absl::string_view summary = end == comment.npos ? comment : comment.substr(0, end + 1);
  if (!summary.empty()) operation["summary"] = std::string(summary);
  if (summary != comment) operation["description"] = std::string(comment);
}

// Who may call it: nothing to show, or a token.
void AddSecurity(absl::string_view method_path, OpenApiJson& operation) {
  const std::optional<Right> right = RightOf(method_path);
  if (right == Right::kOpen) {
    operation["security"] = OpenApiJson::array();
    return;
  }
  operation["security"] = OpenApiJson::array({OpenApiJson{{"token", OpenApiJson::array()}}});
  if (right == Right::kInfer || right == Right::kManage) {
    operation["x-heed-right"] = right == Right::kInfer ? "infer" : "manage";
  }
}

void AddHeaders(OpenApiJson& operation) {
  for (const char* name : {"priority", "request_id", "timeout"}) {
    operation["parameters"].push_back(ReferenceTo("parameters", name));
  }
}

OpenApiJson MethodOperation(const MethodDescriptor& method, OpenApiSchemas& schemas) {
  OpenApiJson operation{{"operationId", absl::StrCat(method.service()->name(), "_", method.name())},
                        {"tags", OpenApiJson::array({method.service()->name()})}};
  operation["summary"] = method.name();  // if there is no comment
  DescribeOperation(ProtoCommentOf(method.full_name()), operation);
  AddSecurity(absl::StrCat("/", method.service()->full_name(), "/", method.name()), operation);
  AddHeaders(operation);

  const OpenApiJson request = schemas.Reference(*method.input_type());
  OpenApiJson body;
  if (method.client_streaming()) {
    body = ContentOf("application/json", {{"type", "array"}, {"items", request}});
    body.update(ContentOf("application/x-ndjson", request));
  } else {
    body = ContentOf("application/json", request);
    body.update(ContentOf("application/proto", BinarySchema()));
  }
  operation["requestBody"] = {{"required", true}, {"content", std::move(body)}};

  const OpenApiJson response = schemas.Reference(*method.output_type());
  OpenApiJson answer;
  if (method.server_streaming()) {
    answer = {{"description",
               "Messages as they come: server-sent events where the client accepts them, each with the "
               "JSON of one message, and a last event `end` or `error`; else a line of JSON for each."}};
    answer["content"] = ContentOf("text/event-stream", {{"type", "string"}});
    answer["content"].update(ContentOf("application/x-ndjson", response));
  } else {
    answer = {{"description", "The response."}, {"content", ContentOf("application/json", response)}};
    if (!method.client_streaming()) answer["content"].update(ContentOf("application/proto", BinarySchema()));
  }
  operation["responses"] = {{"200", std::move(answer)}, {"default", ReferenceTo("responses", "Error")}};
  return operation;
}

// The schema of what a route takes or gives; null: nothing.
OpenApiJson OipSchema(OipBody body, const google::protobuf::Descriptor& message, bool request,
                      OpenApiSchemas& schemas) {
  switch (body) {
    case OipBody::kNothing:
      break;
    case OipBody::kMessage:
      return schemas.Reference(message);
    case OipBody::kLive:
      return ReferenceTo("schemas", "oip.Live");
    case OipBody::kServerReady:
    case OipBody::kModelReady:
      return ReferenceTo("schemas", "oip.Ready");
    case OipBody::kConfig:
      return schemas.Reference(*message.FindFieldByName("config")->message_type());
    case OipBody::kInfer:
      return ReferenceTo("schemas", request ? "oip.InferRequest" : "oip.InferResponse");
    case OipBody::kIndexFilter:
      return ReferenceTo("schemas", "oip.IndexFilter");
    case OipBody::kIndex:
      return {{"type", "array"}, {"items", schemas.Reference(*message.FindFieldByName("models")->message_type())}};
    case OipBody::kModelNames:
      return ReferenceTo("schemas", "oip.ModelNames");
    case OipBody::kParameters:
      return ReferenceTo("schemas", "oip.RepositoryParameters");
  }
  return nullptr;
}

// "get_v2_models_model_ready"
std::string OperationId(const OipRoute& route) {
  std::string id = absl::AsciiStrToLower(route.http_method);
  for (const char c : route.path) {
    if (c == '/') id += '_';
    if (absl::ascii_isalnum(static_cast<unsigned char>(c))) id += c;
  }
  return id;
}

OpenApiJson OipOperation(const OipRoute& route, OpenApiSchemas& schemas) {
  const MethodDescriptor& method = *ServiceOf(kOipService).FindMethodByName(std::string(route.method));
  OpenApiJson operation{{"operationId", OperationId(route)}, {"tags", OpenApiJson::array({kOip})}};
  operation["summary"] = std::string(route.summary);
  AddSecurity(absl::StrCat("/inference.GRPCInferenceService/", route.method), operation);
  AddHeaders(operation);
  for (absl::string_view rest = route.path; absl::StrContains(rest, "{");) {
    rest.remove_prefix(rest.find('{') + 1);
    operation["parameters"].push_back({{"name", std::string(rest.substr(0, rest.find('}')))},
                                       {"in", "path"},
                                       {"required", true},
                                       {"schema", {{"type", "string"}}}});
  }
  const bool infer = route.request == OipBody::kInfer;
  if (infer) {
    operation["parameters"].push_back(
        {{"name", "Inference-Header-Content-Length"},
         {"in", "header"},
         {"description", "Bytes of the JSON at the body's beginning, if bytes of inputs follow it."},
         {"schema", {{"type", "integer"}}}});
  }
  if (OpenApiJson request = OipSchema(route.request, *method.input_type(), true, schemas); !request.is_null()) {
    OpenApiJson content = ContentOf("application/json", std::move(request));
    if (infer) content.update(ContentOf("application/octet-stream", BinarySchema()));
    operation["requestBody"] = {{"required", infer}, {"content", std::move(content)}};
  }
  OpenApiJson answer{{"description", "The answer."}};
  if (OpenApiJson response = OipSchema(route.answer, *method.output_type(), false, schemas); !response.is_null()) {
    answer["content"] = ContentOf("application/json", std::move(response));
    if (infer) {
      answer["content"].update(ContentOf("application/octet-stream", BinarySchema()));
      answer["headers"] = {{"Inference-Header-Content-Length", {{"schema", {{"type", "integer"}}}}}};
    }
  }
  operation["responses"] = {{"200", std::move(answer)}, {"default", ReferenceTo("responses", "ErrorText")}};
  return operation;
}

void AddTag(const std::string& name, absl::string_view description, OpenApiJson& document) {
  document["tags"].push_back({{"name", name}, {"description", std::string(description)}});
}

}  // namespace

OpenApiJson OpenApi(const std::vector<std::string>& services) {
  OpenApiJson document = OpenApiJson::parse(kOpenApiByHand);
  document["info"]["version"] = kHeedVersion;
  OpenApiSchemas schemas(document["components"]["schemas"]);
  OpenApiJson paths = OpenApiJson::object();
  for (const std::string& name : services) {
    if (name == kOipService) continue;  // by its own paths, below
    const ServiceDescriptor& service = ServiceOf(name);
    AddTag(service.name(), ProtoCommentOf(service.full_name()), document);
    for (int i = 0; i < service.method_count(); ++i) {
      paths[absl::StrCat("/", name, "/", service.method(i)->name())]["post"] =
          MethodOperation(*service.method(i), schemas);
    }
  }
  AddTag(kOip, "Version 2, with its binary extension and parts of Triton's, as its clients call it.", document);
  for (const OipRoute& route : OipRoutes()) {
    if (!route.served) continue;
    paths[std::string(route.path)][absl::AsciiStrToLower(route.http_method)] = OipOperation(route, schemas);
  }
  AddTag("LibreTranslate", "LibreTranslate's API, for its clients as they are.", document);
  AddTag("DeepL", "Version 2 of DeepL's API, for its clients as they are.", document);
  AddTag("Server", "About the server.", document);
  for (auto& [path, item] : document["paths"].items()) paths[path] = std::move(item);
  document["paths"] = std::move(paths);
  return document;
}

}  // namespace heed
