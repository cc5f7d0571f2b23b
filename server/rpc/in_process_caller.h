// SPDX-License-Identifier: Apache-2.0
// Who makes a call that came to this process over HTTP and goes on to its own services (server/gateway).
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace heed {

// A key of the metadata with a SignCaller, for the log and traces.
inline constexpr char kInProcessCallerKey[] = "heed-http-caller";

struct HttpCaller {
  std::string peer;    // the client's address, as gRPC writes it
  std::string method;  // "POST"
  std::string path;    // without the query; as in a URL, percent-encoded, once it was signed
};
inline constexpr size_t kMaxSignedPath = 256;  // bytes; the rest of a longer one is left out

// With a secret of this process, so that nobody outside can make one. What gRPC takes as a value of metadata, whatever
// the path holds.
std::string SignCaller(const HttpCaller& caller);
// Nothing: this process did not make the value.
std::optional<HttpCaller> SignedCaller(absl::string_view value);

}  // namespace heed
