// SPDX-License-Identifier: Apache-2.0
// Where the REST API has each method: for the API itself and for those who describe it.
#pragma once

#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"

namespace heed {

// Always POST. The request's and the response's JSON are protobuf's own: names in lower camel case (both spellings are
// read), 64-bit numbers as texts, bytes in base64, fields with their default left out. Streams as RestApi says.
struct RestRoute {
  std::string path;  // "/heed.v1.TranslationService/Translate"
  const google::protobuf::MethodDescriptor* method = nullptr;
};

// Of the methods of `services` ("heed.v1.TranslationService"), by their order.
std::vector<RestRoute> RestRoutes(const std::vector<std::string>& services);

}  // namespace heed
