// SPDX-License-Identifier: Apache-2.0
// heed.v1.ModelService: what this server serves.
#pragma once

#include "heed/v1/models.grpc.pb.h"
#include "server/registry/model_loader.h"
#include "server/registry/registry.h"
#include "server/scheduling/scheduler.h"
#include "server/telemetry/request_log.h"

namespace heed {

// Thread-safe. What it is given outlives it.
class ModelService : public v1::ModelService::CallbackService {
 public:
  ModelService(const Registry& registry, ModelLoader& loader, Scheduler& scheduler, RequestLog& requests)
      : registry_(registry), loader_(loader), scheduler_(scheduler), requests_(requests) {}

  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context, const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* ListModelStatistics(grpc::CallbackServerContext* context,
                                                const v1::ListModelStatisticsRequest* request,
                                                v1::ListModelStatisticsResponse* response) override;
  grpc::ServerUnaryReactor* LoadModel(grpc::CallbackServerContext* context, const v1::LoadModelRequest* request,
                                      v1::LoadModelResponse* response) override;
  grpc::ServerUnaryReactor* UnloadModel(grpc::CallbackServerContext* context, const v1::UnloadModelRequest* request,
                                        v1::UnloadModelResponse* response) override;

 private:
  class ChangeCall;
  class ListCall;
  class StatisticsCall;

  const Registry& registry_;
  ModelLoader& loader_;
  Scheduler& scheduler_;
  RequestLog& requests_;
};

}  // namespace heed
