// SPDX-License-Identifier: Apache-2.0
// A request for ModelInfer as the protocol's REST API writes it: a JSON object and, behind it, the elements of some
// inputs as bytes (extension "binary_tensor_data").
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "inference.pb.h"

namespace heed {

// How the response writes its outputs: as bytes behind the JSON, or as lists in it.
struct OutputForms {
  bool binary = false;               // the request's parameter binary_data_output
  std::map<std::string, bool> each;  // an output's own parameter binary_data, by the output's name

  bool IsBinary(const std::string& output) const {
    const auto found = each.find(output);
    return found == each.end() ? binary : found->second;
  }
};

struct RestRequest {
  // Without model_name and model_version, which the path of the request says. All elements are in raw_input_contents.
  // An input with the parameter shared_memory_region has none; the service refuses it.
  inference::ModelInferRequest message;
  OutputForms outputs;
};

struct RestRequestLimits {
  int64_t max_bytes = 16 << 20;  // of the elements of all inputs
  int max_tensors = 1024;        // inputs and outputs together
  int max_parameters = 4096;     // of the request, its inputs and its outputs together
};

// Reads `body`, whose first `json_bytes` bytes are JSON (nothing: all of them), as the header
// Inference-Header-Content-Length says.
//
// An input's `data` is a list of elements, or lists in lists as the shape says; null elements are refused. BYTES are
// texts, BOOL is true or false, numbers are of their type's range; "NaN", "Infinity" and "-Infinity" are numbers of
// FP32 and FP64. FP16 and BF16 come as bytes only. Members that are null are as if they were not there. The members
// model_name and model_version, which some clients send, are not looked at.
//
// INVALID_ARGUMENT names the field and both values: what is not JSON, or not of this form; elements that are not as
// many as the shape says; bytes that are not as many as binary_data_size says. RESOURCE_EXHAUSTED: more than `limits`.
// Takes no more memory than `limits` and the body's own size, in time that is linear in the body.
absl::StatusOr<RestRequest> ReadRestRequest(absl::string_view body, std::optional<int64_t> json_bytes,
                                            const RestRequestLimits& limits);

}  // namespace heed
