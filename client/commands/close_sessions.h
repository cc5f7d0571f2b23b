// SPDX-License-Identifier: Apache-2.0
// The end of the sessions that a command opened.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/cli/console.h"
#include "grpcpp/channel.h"

namespace heed::client {

// Closes them, after an interrupt too; waits 5 s at most for each. Says on console.err which one could not be closed,
// and leaves the others behind it then if the server is gone.
void CloseSessions(const std::shared_ptr<grpc::Channel>& channel, const std::vector<std::string>& sessions,
                   Console& console);

}  // namespace heed::client
