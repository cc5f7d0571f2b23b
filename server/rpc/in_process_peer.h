// SPDX-License-Identifier: Apache-2.0
// Who makes a call that came to this process over HTTP and goes on to its own services (server/gateway).
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace heed {

// A key of the metadata with the HTTP client's address, for the log.
inline constexpr char kInProcessPeerKey[] = "heed-http-peer";

// Its value, with a secret of this process, so that nobody outside can make one.
std::string SignPeer(absl::string_view peer);
// The address in such a value; empty: this process did not make it.
absl::string_view SignedPeer(absl::string_view value);

}  // namespace heed
