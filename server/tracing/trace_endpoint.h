// SPDX-License-Identifier: Apache-2.0
// Where traces go, as a flag names it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed {

struct TraceEndpoint {
  std::string target;  // as gRPC takes it
  bool encrypted = false;

  // HOST:PORT or unix:PATH, in plain text as http:// is, or behind https://. INVALID_ARGUMENT says what is missing or
  // wrong; the caller names `text`. Asks no name server.
  static absl::StatusOr<TraceEndpoint> Parse(absl::string_view text);
};

}  // namespace heed
