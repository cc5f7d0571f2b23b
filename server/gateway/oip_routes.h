// SPDX-License-Identifier: Apache-2.0
// The paths of the Open Inference Protocol's REST API, and the method of inference.GRPCInferenceService that each is.
#pragma once

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace heed {

// What the body of a request or an answer holds.
enum class OipBody {
  kNothing,
  kMessage,  // the method's message as JSON
  kLive,     // {"live": true}; the other two likewise, with 503 where it is false
  kServerReady,
  kModelReady,
  kConfig,       // the message of the field `config`
  kInfer,        // JSON and bytes, as rest_request.h and rest_answer.h have it
  kIndexFilter,  // {"ready": true}, or nothing
  kIndex,        // the list of the field `models`
  kModelNames,   // {"models": ["name"]}
  kParameters    // {"parameters": {}}, or nothing
};

struct OipRoute {
  absl::string_view http_method;
  absl::string_view path;    // "/v2/models/{model}/ready": a name in braces stands for any one segment
  absl::string_view method;  // "ModelReady"
  OipBody request;
  OipBody answer;
  absl::string_view summary;
  bool served = true;  // otherwise the method answers UNIMPLEMENTED, and says what there is instead
};

// The first that fits a path is the one that serves it.
absl::Span<const OipRoute> OipRoutes();

// What the names in braces stand for.
using OipNames = std::map<std::string, std::string, std::less<>>;

// Whether the path is one of the route's. `path` is decoded; one slash at its end does not matter.
bool Fits(const OipRoute& route, absl::string_view path, OipNames& names);

}  // namespace heed
