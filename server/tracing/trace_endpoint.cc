// SPDX-License-Identifier: Apache-2.0
#include "server/tracing/trace_endpoint.h"

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "base/invalid_argument.h"
#include "base/listen_address.h"
#include "base/status_macros.h"

namespace heed {

absl::StatusOr<TraceEndpoint> TraceEndpoint::Parse(absl::string_view text) {
  TraceEndpoint endpoint;
  endpoint.encrypted = absl::ConsumePrefix(&text, "https://");
  const bool is_url = endpoint.encrypted || absl::ConsumePrefix(&text, "http://");
  if (is_url) absl::ConsumeSuffix(&text, "/");
  if (absl::StrContains(text, "://")) {
    return InvalidArgument("\"", text, "\" is neither HOST:PORT nor a URL of http or https: OTLP goes over gRPC");
  }
  HEED_ASSIGN_OR_RETURN(const ListenAddress address, ListenAddress::Parse(text));
  if (address.unix_path.empty() && (address.host.empty() || address.port == 0)) {
    return InvalidArgument("\"", text, "\" has no ", address.host.empty() ? "host" : "port",
                           "; it is HOST:PORT, as in localhost:4317");
  }
  endpoint.target = std::string(text);
  return endpoint;
}

}  // namespace heed
