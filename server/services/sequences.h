// heed.v1.Sequences: converts, submits, answers. Nothing here waits.
#pragma once

#include "heed/v1/sequences.grpc.pb.h"
#include "server/metrics.h"
#include "server/registry.h"
#include "server/scheduler.h"

namespace heed {

// Thread-safe. All that it is given outlives it; it outlives the calls it answers.
class SequencesService : public v1::Sequences::CallbackService {
 public:
  SequencesService(const Registry& registry, Scheduler& scheduler, Metrics& metrics)
      : registry_(registry), scheduler_(scheduler), metrics_(metrics) {}

  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, const v1::RunRequest* request,
                                v1::RunResponse* response) override;

 private:
  class RunCall;

  const Registry& registry_;
  Scheduler& scheduler_;
  Metrics& metrics_;
};

}  // namespace heed
