// SPDX-License-Identifier: Apache-2.0
// Schemas of protobuf messages and enums, as their JSON is.
#pragma once

#include <string>

#include "google/protobuf/descriptor.h"
#include "server/gateway/openapi.h"

namespace heed {

// Messages of inference.proto are as WriteRestMessage writes them: fields by their own names, all integers as numbers.
// All others are in protobuf's own form: "maxTokens", 64-bit integers as text.
class OpenApiSchemas {
 public:
  // `schemas`: where they are added, each under its full name, with those that it refers to. Outlives this.
  explicit OpenApiSchemas(OpenApiJson& schemas) : schemas_(schemas) {}

  // {"$ref": "#/components/schemas/heed.v1.TranslateRequest"}
  OpenApiJson Reference(const google::protobuf::Descriptor& message);
  OpenApiJson Reference(const google::protobuf::EnumDescriptor& names);

 private:
  void AddMessage(const google::protobuf::Descriptor& message);
  OpenApiJson FieldSchema(const google::protobuf::FieldDescriptor& field);
  OpenApiJson ValueSchema(const google::protobuf::FieldDescriptor& field);

  OpenApiJson& schemas_;
};

}  // namespace heed
