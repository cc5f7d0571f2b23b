// SPDX-License-Identifier: Apache-2.0
// Messages of protobuf as JSON, and back: protobuf's own mapping, behind limits that are checked before anything is
// built.
//
// Source: https://protobuf.dev/programming-guides/json/
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace heed {

struct JsonLimits {
  int max_depth = 64;  // of objects and arrays in each other
  // Texts, objects and arrays, at any depth: each takes some 50 bytes of memory, were it empty.
  int64_t max_elements = 2 << 20;
};

// The values in a body of several: the elements of an array, or values one after the other (a line each, or not).
// Whether each is right JSON is for ReadJson to say. INVALID_ARGUMENT: brackets or texts do not end, or there is more
// than the limits allow. Time is that of reading the text once.
absl::StatusOr<std::vector<absl::string_view>> SplitJson(absl::string_view text, const JsonLimits& limits);

// INVALID_ARGUMENT names the field that the message does not have, or the value that does not fit, or says why the text
// is no JSON object. Names may be spelled "maxTokens" or "max_tokens".
absl::Status ReadJson(absl::string_view text, const JsonLimits& limits, google::protobuf::Message& message);

// In one line. Fields with their default are left out, names are as in "maxTokens", 64-bit numbers are texts.
absl::StatusOr<std::string> WriteJson(const google::protobuf::Message& message);

}  // namespace heed
