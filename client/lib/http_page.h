// SPDX-License-Identifier: Apache-2.0
// One page of a server over HTTP.
//
// cpp-httplib is known to http_page.cc alone.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>

#include "absl/status/statusor.h"

namespace heed::client {

struct HttpAddress {
  std::string host;
  int port = 0;
};

// "HOST:PORT", with an IPv6 address in brackets. INVALID_ARGUMENT quotes what is not one.
absl::StatusOr<HttpAddress> ParseHttpAddress(const std::string& text);

// The body of GET http://`address``path`, at most 64 MiB. Blocks for `limit` at most to connect and as long again for
// each piece that is read; a stop request ends it, with CANCELLED. UNAVAILABLE: no answer, and why;
// FAILED_PRECONDITION: one whose status is not 200. Environment proxies are not asked.
absl::StatusOr<std::string> GetHttpPage(const HttpAddress& address, const std::string& path,
                                        std::chrono::milliseconds limit, std::stop_token stop);

}  // namespace heed::client
