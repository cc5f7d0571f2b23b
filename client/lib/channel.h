// SPDX-License-Identifier: Apache-2.0
// Connections to a server.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "grpcpp/channel.h"
#include "grpcpp/support/status.h"

namespace heed::client {

// How a connection is protected, who it says it is, and how urgent its calls are.
struct ConnectionSecurity {
  bool tls = false;         // otherwise plain text
  std::string authorities;  // PEM: who may have signed the server's certificate; empty: whom this system trusts
  std::string certificate;  // PEM: what the client shows; empty: nothing
  std::string key;          // PEM: the certificate's
  std::string token;        // sent with every call; empty: none
  int priority = 0;         // of every call: 1 (the most urgent) to 3; 0: the server's default
};

// A channel to `address`: "host:port"; "ip:port,ip:port" or "dns:///host:port", all of whose addresses get calls in
// turn, but for those whose health is not SERVING. Returns at once and connects with the first call; a lost connection
// is tried again every 0.1 to 2 s. Messages of any size are received. Equal addresses share one connection unless
// `own_connection`. Environment proxies are not asked for loopback addresses.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address, const ConnectionSecurity& security = {},
                                           bool own_connection = false);

// OK, or INVALID_ARGUMENT: why `address` is none that MakeChannel takes, and what it should look like.
absl::Status CheckAddress(const std::string& address);

// Whether what is sent to `address` stays on this machine.
bool IsLoopback(const std::string& address);

// "NOT_FOUND"
std::string StatusCodeName(grpc::StatusCode code);
// "NOT_FOUND: no model named 'x'", as VisibleLine shows it.
std::string StatusText(const grpc::Status& status);

}  // namespace heed::client
