// SPDX-License-Identifier: Apache-2.0
// The Open Inference Protocol's parameters: of a request, and of its inputs and outputs. Which of them the server takes
// itself, which are hints that change no answer, which ask for what it does not do, and which are left to the model.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "google/protobuf/message.h"
#include "inference.pb.h"
#include "server/scheduling/priority.h"

namespace heed {

using InferParameters = google::protobuf::Map<std::string, inference::InferParameter>;

// The parameters that every request may have, beside the hints.
inline constexpr absl::string_view kCommonParameters[] = {"priority", "timeout", "triton_enable_empty_final_response"};

// A request's parameters, hints left out.
struct RequestParameters {
  std::optional<Priority> priority;                  // "priority", 0: the default
  std::optional<std::chrono::microseconds> timeout;  // "timeout", 0: none
  bool enable_empty_final_response = false;          // of streams; Triton's C++ client sends it always
  InferParameters model;                             // the others, for the model
};
// INVALID_ARGUMENT names a parameter whose value is wrong, or which asks for something that the server does not do
// (sequences of requests), and says what to do instead.
absl::StatusOr<RequestParameters> ReadParameters(const InferParameters& parameters);

// Hints are taken and change nothing. INVALID_ARGUMENT names the first parameter that is none: shared memory, a
// classification, an unknown one.
absl::Status CheckInputParameters(const InferParameters& parameters);
absl::Status CheckOutputParameters(const InferParameters& parameters);

// A parameter that is a bool or a whole number, or one written as text. INVALID_ARGUMENT names it and what it is.
absl::StatusOr<bool> ToBool(absl::string_view name, const inference::InferParameter& parameter);
absl::StatusOr<int64_t> ToInteger(absl::string_view name, const inference::InferParameter& parameter);

// Sets each field of `options`, a message of options whose fields are scalars, enums or messages of such, for which
// there is a parameter of its name. Enums are named as in the message, in small letters and without their prefix
// ("first"). Numbers and truth values may be written as text. INVALID_ARGUMENT: one that is no option, with those that
// are; or of another type or out of its range.
absl::Status SetOptionsFrom(const InferParameters& parameters, google::protobuf::Message& options);
// Their names and types, for people: "beam_size: integer, ...".
std::string DescribeOptions(const google::protobuf::Descriptor& options);

// `known`: the parameters that the model has, "fan_out, seed".
absl::Status UnknownParameter(absl::string_view name, absl::string_view known);

}  // namespace heed
