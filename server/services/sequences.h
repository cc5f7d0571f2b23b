// heed.v1.Sequences: converts, submits, answers. Nothing here waits.
#pragma once

#include "heed/v1/sequences.grpc.pb.h"
#include "server/registry.h"
#include "server/request_log.h"
#include "server/scheduler.h"

namespace heed {

// Thread-safe. All that it is given outlives it; it outlives the calls it answers.
class SequencesService : public v1::Sequences::CallbackService {
 public:
  SequencesService(const Registry& registry, Scheduler& scheduler, RequestLog& requests)
      : registry_(registry), scheduler_(scheduler), requests_(requests) {}

  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, const v1::RunRequest* request,
                                v1::RunResponse* response) override;

 private:
  class RunCall;

  const Registry& registry_;
  Scheduler& scheduler_;
  RequestLog& requests_;
};

}  // namespace heed
