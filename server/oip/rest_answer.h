// SPDX-License-Identifier: Apache-2.0
// Answers of the Open Inference Protocol as its REST API writes them.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "inference.pb.h"
#include "server/oip/rest_request.h"

namespace heed {

struct RestAnswer {
  std::string body;
  // Of the JSON at the body's beginning, if bytes of outputs follow it: the header Inference-Header-Content-Length.
  std::optional<size_t> json_bytes;
};

// `response`: has all elements in raw_output_contents. Elements in JSON are one flat list. Numbers are as short as they
// can be to be read again as the same number; those that are none are "NaN", "Infinity" and "-Infinity". The body takes
// at most six times the bytes of the response.
//
// INVALID_ARGUMENT: an output that is not wanted as bytes has no other form: it is not UTF-8, or FP16 or BF16.
absl::StatusOr<RestAnswer> WriteRestAnswer(const inference::ModelInferResponse& response, const OutputForms& outputs);

// Any other message of the protocol: fields by their names in the .proto, all that are not messages or members of a
// oneof, whether they were set or not; all integers as numbers, enums as their names.
std::string WriteRestMessage(const google::protobuf::Message& message);

// {"error": "message"}
std::string WriteRestError(absl::string_view message);

}  // namespace heed
