// SPDX-License-Identifier: Apache-2.0
// What answers of other servers' APIs share: how they say that a call failed, and how long until the next try.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "grpcpp/support/status.h"
#include "nlohmann/json.hpp"

namespace heed {

// One line of JSON, always UTF-8.
std::string JsonLine(const nlohmann::ordered_json& json);

// The status code of HTTP that says best what a failed call of ours says: 400 for what no other try changes, 403 for a
// wrong or missing token (as these APIs have it, not 401), 413 for what is too large, 429 for a server that is busy,
// 503 for one that cannot answer now, 504 for a deadline, 500.
unsigned ApiStatusOf(const grpc::Status& status);

// A field of our messages, and what another API calls it.
using FieldName = std::pair<absl::string_view, absl::string_view>;
// The message of a failed call as one about the API's own field, where it begins with a field of ours: "texts[3]: ..."
// as "q[3]: ...".
std::string WithApiField(absl::string_view message, std::initializer_list<FieldName> names);

}  // namespace heed
