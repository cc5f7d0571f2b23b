// SPDX-License-Identifier: Apache-2.0
// What this server serves over HTTP, in the form of OpenAPI 3.0: the methods of the typed services and their messages
// from protobuf's descriptors, the Open Inference Protocol's paths from the table of its routes (oip_routes.h), and the
// rest as openapi.json has it.
#pragma once

#include <string>
#include <vector>

#include "nlohmann/json.hpp"

namespace heed {

using OpenApiJson = nlohmann::ordered_json;

// `services`: full names, "heed.v1.TranslationService", as RestApi serves them. inference.GRPCInferenceService is
// described by the protocol's own paths.
OpenApiJson OpenApi(const std::vector<std::string>& services);

// The text of openapi.json.
extern const char kOpenApiByHand[];

}  // namespace heed
