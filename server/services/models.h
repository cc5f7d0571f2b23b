// heed.v1.Models: what this server serves.
#pragma once

#include "heed/v1/models.grpc.pb.h"
#include "server/registry.h"

namespace heed {

// Thread-safe. `registry` outlives it.
class ModelsService : public v1::Models::CallbackService {
 public:
  explicit ModelsService(const Registry& registry) : registry_(registry) {}

  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context, const v1::ListModelsRequest* request,
                                 v1::ListModelsResponse* response) override;

 private:
  const Registry& registry_;
};

}  // namespace heed
