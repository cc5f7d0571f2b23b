// SPDX-License-Identifier: Apache-2.0
#include "server/gateway/openapi_schemas.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/gateway/proto_comments.h"

namespace heed {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

OpenApiJson SchemaReference(const std::string& name) { return {{"$ref", absl::StrCat("#/components/schemas/", name)}}; }

bool HasPlainJson(const Descriptor& message) { return message.file()->package() == "inference"; }

void DescribeSchema(absl::string_view comment, OpenApiJson& schema) {
  if (!comment.empty()) schema["description"] = std::string(comment);
}

// Those of protobuf's own messages that our files use.
OpenApiJson WellKnown(const Descriptor& message) {
  if (message.full_name() == "google.protobuf.Duration") {
    return {{"type", "string"}, {"pattern", "^-?[0-9]+(\\.[0-9]+)?s$"}, {"example", "1.5s"}};
  }
  return nullptr;
}

}  // namespace

OpenApiJson OpenApiSchemas::Reference(const Descriptor& message) {
  if (OpenApiJson known = WellKnown(message); !known.is_null()) return known;
  if (!schemas_.contains(message.full_name())) AddMessage(message);
  return SchemaReference(message.full_name());
}

OpenApiJson OpenApiSchemas::Reference(const EnumDescriptor& names) {
  if (!schemas_.contains(names.full_name())) {
    OpenApiJson values = OpenApiJson::array();
    std::string text(ProtoCommentOf(names.full_name()));
    for (int i = 0; i < names.value_count(); ++i) {
      const auto& value = *names.value(i);
      values.push_back(value.name());
      const absl::string_view comment = ProtoCommentOf(value.full_name());
      if (!comment.empty()) absl::StrAppend(&text, text.empty() ? "" : "\n\n", value.name(), ": ", comment);
    }
    OpenApiJson& schema = schemas_[names.full_name()] = {{"type", "string"}, {"enum", values}};
    DescribeSchema(text, schema);
  }
  return SchemaReference(names.full_name());
}

void OpenApiSchemas::AddMessage(const Descriptor& message) {
  schemas_[message.full_name()] = OpenApiJson::object();  // a message may refer to itself
  OpenApiJson properties = OpenApiJson::object();
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    properties[HasPlainJson(message) ? field.name() : field.json_name()] = FieldSchema(field);
  }
  std::string text(ProtoCommentOf(message.full_name()));
  for (int i = 0; i < message.real_oneof_decl_count(); ++i) {
    std::vector<std::string> names;
    for (int j = 0; j < message.oneof_decl(i)->field_count(); ++j) {
      const FieldDescriptor& field = *message.oneof_decl(i)->field(j);
      names.push_back(HasPlainJson(message) ? field.name() : field.json_name());
    }
    absl::StrAppend(&text, text.empty() ? "" : "\n\n", "At most one of ", absl::StrJoin(names, ", "), " is there.");
  }
  OpenApiJson& schema = schemas_[message.full_name()];
  schema["type"] = "object";
  DescribeSchema(text, schema);
  schema["properties"] = std::move(properties);
}

OpenApiJson OpenApiSchemas::FieldSchema(const FieldDescriptor& field) {
  const absl::string_view comment = ProtoCommentOf(field.full_name());
  OpenApiJson schema;
  if (field.is_map()) {
    schema = {{"type", "object"}, {"additionalProperties", ValueSchema(*field.message_type()->map_value())}};
  } else if (field.is_repeated()) {
    schema = {{"type", "array"}, {"items", ValueSchema(field)}};
  } else {
    schema = ValueSchema(field);
    // Nothing may stand beside a reference.
    if (schema.contains("$ref") && !comment.empty()) schema = {{"allOf", OpenApiJson::array({schema})}};
  }
  if (!schema.contains("$ref")) DescribeSchema(comment, schema);
  return schema;
}

OpenApiJson OpenApiSchemas::ValueSchema(const FieldDescriptor& field) {
  const bool plain = HasPlainJson(*field.containing_type());
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return {{"type", "integer"}, {"format", "int32"}};
    case FieldDescriptor::CPPTYPE_UINT32:
      return {{"type", "integer"}, {"format", "int64"}, {"minimum", 0}};
    case FieldDescriptor::CPPTYPE_INT64:
      return {{"type", plain ? "integer" : "string"}, {"format", "int64"}};
    case FieldDescriptor::CPPTYPE_UINT64:
      return {{"type", plain ? "integer" : "string"}, {"format", "uint64"}};
    case FieldDescriptor::CPPTYPE_FLOAT:
      return {{"type", "number"}, {"format", "float"}};
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return {{"type", "number"}, {"format", "double"}};
    case FieldDescriptor::CPPTYPE_BOOL:
      return {{"type", "boolean"}};
    case FieldDescriptor::CPPTYPE_ENUM:
      return Reference(*field.enum_type());
    case FieldDescriptor::CPPTYPE_STRING:
      if (field.type() == FieldDescriptor::TYPE_BYTES) return {{"type", "string"}, {"format", "byte"}};
      return {{"type", "string"}};
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return Reference(*field.message_type());
  }
  return {};
}

}  // namespace heed
