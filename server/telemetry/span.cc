// SPDX-License-Identifier: Apache-2.0
#include "server/telemetry/span.h"

#include "absl/strings/str_cat.h"

namespace heed {

std::string HexOf(const TraceId& id) {
  return absl::StrCat(absl::Hex(id.high, absl::kZeroPad16), absl::Hex(id.low, absl::kZeroPad16));
}

std::string HexOf(SpanId id) { return absl::StrCat(absl::Hex(id, absl::kZeroPad16)); }

}  // namespace heed
