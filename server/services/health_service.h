// SPDX-License-Identifier: Apache-2.0
// grpc.health.v1.Health: the server as a whole (""), each of its services by full name, and each model by name.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "server/telemetry/request_log.h"

namespace heed {

// Thread-safe. Outlives the calls it answers.
class HealthService : public grpc::health::v1::Health::CallbackService {
 public:
  // The server as a whole is NOT_SERVING to begin with. `requests` outlives it.
  explicit HealthService(RequestLog& requests);
  ~HealthService() override;

  // Sets what `service` answers and tells its watchers. Nothing after Shutdown.
  void Set(const std::string& service, bool serving);
  // From now on `service`, a gRPC service's full name, answers what the server as a whole does, unless a model has that
  // name.
  void AddService(const std::string& service);
  // What Check would say. False for a service that is not known.
  bool IsServing(const std::string& service) const;
  // Everything is NOT_SERVING from now on. Watches go on.
  void Shutdown();
  // Ends every Watch, those to come included, with UNAVAILABLE, once it has sent the present state.
  void EndWatches();

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                  const grpc::health::v1::HealthCheckRequest* request,
                                  grpc::health::v1::HealthCheckResponse* response) override;
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* context, const grpc::health::v1::HealthCheckRequest* request) override;

 private:
  using ServingStatus = grpc::health::v1::HealthCheckResponse::ServingStatus;
  class Watcher;

  // What `service` answers; SERVICE_UNKNOWN if nothing was set.
  ServingStatus StatusOf(const std::string& service) const REQUIRES(mutex_);
  void TellWatchers() EXCLUDES(mutex_);
  void Forget(Watcher* watcher) EXCLUDES(mutex_);

  RequestLog& requests_;
  mutable Mutex mutex_;
  std::map<std::string, ServingStatus> states_ GUARDED_BY(mutex_);  // of the server ("") and its models
  std::set<std::string> services_ GUARDED_BY(mutex_);
  std::map<Watcher*, std::shared_ptr<Watcher>> watchers_ GUARDED_BY(mutex_);  // until their calls are over
  bool shut_down_ GUARDED_BY(mutex_) = false;
  bool end_watches_ GUARDED_BY(mutex_) = false;
};

}  // namespace heed
