// SPDX-License-Identifier: Apache-2.0
// What a request's target says: "/v1/models/en%2Dde?key=a+b".
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed {

struct HttpTarget {
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;
};

// INVALID_ARGUMENT: it is no path, or an escape in it is none, or stands for a byte 0 or for text that is no UTF-8.
absl::StatusOr<HttpTarget> ParseTarget(absl::string_view text);

// "a=1&b=x+y", as in a query and in a form (application/x-www-form-urlencoded).
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseForm(absl::string_view text);

}  // namespace heed
