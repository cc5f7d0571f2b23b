// SPDX-License-Identifier: Apache-2.0
// The error of input that cannot be used, and the field of a request that it is about.
//
// A status that is about a field carries the field's path beside its message, as a payload. The edge of the server
// sends it as google.rpc.BadRequest, and code between the edge and the model can rename the field or put it into an
// outer one, without looking for it in the message.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace heed {

// INVALID_ARGUMENT with the parts as its message.
template <typename... Parts>
absl::Status InvalidArgument(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// Returns `status` with the payload that says which field it is about. `field` is a path within the request, as
// "texts[3]" or "options.beam_size"; the status's message holds it, at its beginning or behind a place.
absl::Status WithField(absl::Status status, absl::string_view field);

// INVALID_ARGUMENT about `field`: the message is "field: " and the parts.
template <typename... Parts>
absl::Status InvalidField(absl::string_view field, const Parts&... parts) {
  return WithField(InvalidArgument(field, ": ", parts...), field);
}

// The path of the field that the status is about. Empty if it is about none.
std::string FieldOf(const absl::Status& status);

// What the message says behind the name of the field: "40, must be 1 to 32". The whole message if there is no field.
std::string FieldDescription(const absl::Status& status);

// Returns `status`, which is about something within the field `outer`, as one about the whole request: "outer.field:
// ...", or "outer: ..." if the status is about no field. A path that begins with an index follows `outer` directly.
// Codes other than INVALID_ARGUMENT keep their code.
absl::Status WithinField(absl::string_view outer, const absl::Status& status);

}  // namespace heed
