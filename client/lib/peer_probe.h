// SPDX-License-Identifier: Apache-2.0
// Who listens at an address, found out with a socket of our own: gRPC only says that a server is unavailable.
#pragma once

#include <chrono>
#include <string>

namespace heed::client {

enum class Peer {
  kUnknown,  // not tried: the address is a list, or of a form that only gRPC resolves
  kNobody,   // nothing takes the connection
  kHttp2,    // HTTP/2 in plain text, as a gRPC server without TLS speaks
  kTls,
  kSilent,  // takes the connection and says nothing in time
  kOther,
};

// Of "host:port" or "unix:path". Opens a connection, sends the first message of a TLS handshake, and looks at the first
// bytes that come back. Blocks for at most about `limit`, apart from the look-up of a name.
Peer ProbePeer(const std::string& address, std::chrono::milliseconds limit);

// False: connections to this address are refused, or its socket is not there. True for what is kUnknown above, too.
bool MayListen(const std::string& address, std::chrono::milliseconds limit);

}  // namespace heed::client
