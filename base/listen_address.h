// SPDX-License-Identifier: Apache-2.0
// Where a server listens, as flags and the log write it.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed {

struct ListenAddress {
  std::string host;       // a name or an IP address, without brackets; empty: every address of this machine
  uint16_t port = 0;      // 0: the kernel picks one
  std::string unix_path;  // not empty: a Unix socket, which has neither host nor port

  // HOST:PORT, [IPV6]:PORT, :PORT (every address of this machine, IPv4 and IPv6), unix:PATH or unix:///PATH.
  // INVALID_ARGUMENT says what is missing or wrong; the caller names `text`. Asks no name server.
  static absl::StatusOr<ListenAddress> Parse(absl::string_view text);

  // Whether only this machine reaches it. A name other than localhost is not looked up: false.
  bool IsLocal() const;
};

}  // namespace heed
