// SPDX-License-Identifier: Apache-2.0
// heed.v1.SequenceService: converts, submits, answers. Nothing here waits.
#pragma once

#include "heed/v1/sequences.grpc.pb.h"
#include "server/registry/registry.h"
#include "server/rpc/call.h"

namespace heed {

// Thread-safe. All that it is given outlives it; it outlives the calls it answers.
class SequenceService : public v1::SequenceService::CallbackService {
 public:
  SequenceService(const Registry& registry, const JobParts& parts) : registry_(registry), parts_(parts) {}

  grpc::ServerUnaryReactor* RunSequence(grpc::CallbackServerContext* context, const v1::RunSequenceRequest* request,
                                        v1::RunSequenceResponse* response) override;

 private:
  class RunCall;

  const Registry& registry_;
  const JobParts parts_;
};

}  // namespace heed
