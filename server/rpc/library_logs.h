// SPDX-License-Identifier: Apache-2.0
// What the libraries below would write to standard error by themselves, as lines of our log.
#pragma once

namespace heed {

// From now on gRPC's and protobuf's messages are events "grpc" and "protobuf" of the log, at most a few a second each:
// who connects can make them come as fast as connections do. Once, after StartLog and before either is used.
void TakeLibraryLogs();

}  // namespace heed
