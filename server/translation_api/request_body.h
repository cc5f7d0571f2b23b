// SPDX-License-Identifier: Apache-2.0
// Readers of bodies that hold a request's parameters. Each takes time and memory in proportion to the bytes at most.
//
// INVALID_ARGUMENT says what is wrong with the body, and where.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/translation_api/request_fields.h"

namespace heed {

// An object of JSON. Its texts, numbers, booleans and lists of them are fields; of the same name the last one counts.
// What is nested deeper is not kept. At most kMaxJsonLevels levels (base/json.h).
absl::Status ReadJsonBody(absl::string_view body, RequestFields& fields);

// "a=1&b=two+words&c=%C3%A4".
absl::Status ReadFormBody(absl::string_view body, RequestFields& fields);

// RFC 7578: parts between boundaries, which `content_type` names. Files are left out.
absl::Status ReadMultipartBody(absl::string_view content_type, absl::string_view body, RequestFields& fields);

}  // namespace heed
