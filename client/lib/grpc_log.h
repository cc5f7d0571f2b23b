// SPDX-License-Identifier: Apache-2.0
// gRPC's own log.
#pragma once

namespace heed::client {

// From now on gRPC writes nothing to standard error: what matters of it comes back as the status of a call. Where the
// environment asks for its log, with GRPC_VERBOSITY or GRPC_TRACE, it stays as it is. Before the first use of gRPC.
void SilenceGrpcLog();

}  // namespace heed::client
