// SPDX-License-Identifier: Apache-2.0
#include "server/services/health_service.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/rpc/call.h"
#include "server/rpc/instant_call.h"

namespace heed {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// One Watch. Shared by the service and whoever is telling it of a change.
class HealthService::Watcher : public Call, public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  Watcher(HealthService& service, grpc::CallbackServerContext& context, std::string name)
      : Call(service.requests_, context, "grpc.health.v1.Health/Watch", CallType::kWatch),
        service_(service),
        name_(std::move(name)) {}

  // Sends the present state unless it was the last one sent; ends the call when it is to end.
  void Advance() EXCLUDES(service_.mutex_) {
    std::optional<grpc::Status> end;
    {
      MutexLock lock(service_.mutex_);
      if (writing_ || ended_) return;
      const ServingStatus status = service_.StatusOf(name_);
      if (gone_) {
        end = grpc::Status(grpc::StatusCode::CANCELLED, "the client has gone");
      } else if (sent_ != status) {
        sent_ = status;
        response_.set_status(status);
        writing_ = true;
      } else if (service_.end_watches_) {
        end = grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server is shutting down");
      } else {
        return;
      }
      ended_ = end.has_value();
    }
    // Only the thread that set writing_ or ended_ comes here.
    // For the record, a watch that the server ends is no failure.
    if (end) {
      End(absl::CancelledError(end->error_message()), /*room_may_come=*/false);
      Finish(*end);
    } else {
      StartWrite(&response_);
    }
  }

  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(service_.mutex_);
      writing_ = false;
      if (!ok) gone_ = true;
    }
    Advance();
  }
  void OnCancel() override {
    {
      MutexLock lock(service_.mutex_);
      gone_ = true;
    }
    Advance();
  }
  void OnDone() override { service_.Forget(this); }

 private:
  bool is_paced_by_client() const override { return true; }

  HealthService& service_;
  const std::string name_;
  HealthCheckResponse response_;  // of the thread that writes
  std::optional<ServingStatus> sent_ GUARDED_BY(service_.mutex_);
  bool writing_ GUARDED_BY(service_.mutex_) = false;
  bool gone_ GUARDED_BY(service_.mutex_) = false;
  bool ended_ GUARDED_BY(service_.mutex_) = false;
};

HealthService::HealthService(RequestLog& requests)
    : requests_(requests), states_{{"", HealthCheckResponse::NOT_SERVING}} {}

HealthService::~HealthService() = default;

void HealthService::Set(const std::string& service, bool serving) {
  {
    MutexLock lock(mutex_);
    if (shut_down_) return;
    states_[service] = serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
  }
  TellWatchers();
}

void HealthService::AddService(const std::string& service) {
  {
    MutexLock lock(mutex_);
    services_.insert(service);
  }
  TellWatchers();
}

bool HealthService::IsServing(const std::string& service) const {
  MutexLock lock(mutex_);
  return StatusOf(service) == HealthCheckResponse::SERVING;
}

void HealthService::Shutdown() {
  {
    MutexLock lock(mutex_);
    shut_down_ = true;
    for (auto& [service, status] : states_) status = HealthCheckResponse::NOT_SERVING;
  }
  TellWatchers();
}

void HealthService::EndWatches() {
  {
    MutexLock lock(mutex_);
    end_watches_ = true;
  }
  TellWatchers();
}

grpc::ServerUnaryReactor* HealthService::Check(grpc::CallbackServerContext* context, const HealthCheckRequest* request,
                                               HealthCheckResponse* response) {
  return AnswerNow(
      requests_, *context, "grpc.health.v1.Health/Check",
      [&]() -> absl::Status {
        {
          MutexLock lock(mutex_);
          response->set_status(StatusOf(request->service()));
        }
        if (response->status() != HealthCheckResponse::SERVICE_UNKNOWN) return absl::OkStatus();
        return absl::NotFoundError(absl::StrCat("there is no model or service \"", request->service(), "\""));
      },
      CallType::kProbe);
}

grpc::ServerWriteReactor<HealthCheckResponse>* HealthService::Watch(grpc::CallbackServerContext* context,
                                                                    const HealthCheckRequest* request) {
  auto watcher = std::make_shared<Watcher>(*this, *context, request->service());
  {
    MutexLock lock(mutex_);
    watchers_[watcher.get()] = watcher;
  }
  watcher->Advance();
  return watcher.get();
}

HealthService::ServingStatus HealthService::StatusOf(const std::string& service) const {
  auto it = states_.find(service);
  if (it == states_.end() && services_.contains(service)) it = states_.find("");
  return it == states_.end() ? HealthCheckResponse::SERVICE_UNKNOWN : it->second;
}

void HealthService::TellWatchers() {
  std::vector<std::shared_ptr<Watcher>> watchers;
  {
    MutexLock lock(mutex_);
    for (auto& [key, watcher] : watchers_) watchers.push_back(watcher);
  }
  for (auto& watcher : watchers) watcher->Advance();
}

void HealthService::Forget(Watcher* watcher) {
  std::shared_ptr<Watcher> last;  // destroyed without the lock
  MutexLock lock(mutex_);
  auto it = watchers_.find(watcher);
  last = std::move(it->second);
  watchers_.erase(it);
}

}  // namespace heed
