// SPDX-License-Identifier: Apache-2.0
// Early return on error, for functions that return absl::Status or absl::StatusOr.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define HEED_RETURN_IF_ERROR(expression)                                                \
  do {                                                                                  \
    if (absl::Status heed_status = (expression); !heed_status.ok()) return heed_status; \
  } while (false)

#define HEED_CONCAT_INNER(a, b) a##b
#define HEED_CONCAT(a, b) HEED_CONCAT_INNER(a, b)
#define HEED_ASSIGN_OR_RETURN_INNER(result, target, expression) \
  auto result = (expression);                                   \
  if (!result.ok()) return result.status();                     \
  target = std::move(result).value()
// HEED_ASSIGN_OR_RETURN(auto value, Compute());
#define HEED_ASSIGN_OR_RETURN(target, expression) \
  HEED_ASSIGN_OR_RETURN_INNER(HEED_CONCAT(heed_result_, __LINE__), target, expression)
