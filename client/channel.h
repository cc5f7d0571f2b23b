// Connections to a server.
#pragma once

#include <memory>
#include <string>

#include "grpcpp/channel.h"
#include "grpcpp/support/status.h"

namespace heed::client {

// A plain-text channel to `address` ("host:port"). Returns at once and connects with the first call; a lost connection
// is tried again every 0.1 to 2 s. Messages of any size are received. Equal addresses share one connection unless
// `own_connection`. Environment proxies are not asked for loopback addresses.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address, bool own_connection = false);

// "NOT_FOUND"
std::string StatusCodeName(grpc::StatusCode code);
// "NOT_FOUND: no model named 'x'"
std::string StatusText(const grpc::Status& status);

}  // namespace heed::client
