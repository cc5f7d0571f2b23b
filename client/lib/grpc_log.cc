// SPDX-License-Identifier: Apache-2.0
#include "client/lib/grpc_log.h"

#include <cstdlib>

#include "grpc/support/log.h"

namespace heed::client {

void SilenceGrpcLog() {
  if (std::getenv("GRPC_VERBOSITY") != nullptr || std::getenv("GRPC_TRACE") != nullptr) return;
  gpr_set_log_function([](gpr_log_func_args*) {});
}

}  // namespace heed::client
