// SPDX-License-Identifier: Apache-2.0
// The server as a whole: what it is made of, how it starts and how it ends.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "server/options/flags.h"
#include "server/registry/registry.h"
#include "server/scheduling/scheduler.h"
#include "server/telemetry/metrics.h"

namespace heed {

// Start listens at once; the models load on a thread of their own, one after the other, and then the stored graphs.
// Health is NOT_SERVING until each was tried. Shutdown ends the server. Thread-safe.
class Server {
 public:
  // `load` loads one model directory and checks what it made: models/probe.h's LoadProbedModel. NOT_FOUND or
  // INVALID_ARGUMENT: the directory of models, graphs or sessions cannot be used, or a file of certificates or tokens.
  // UNAVAILABLE: the server cannot listen on an address, because it is taken or belongs to another machine.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options, Registry::LoadFunction load);
  // Shuts down without waiting for requests, if that was not done.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;
  int http_port() const;     // 0: it is not served
  int metrics_port() const;  // the same
  const Metrics& metrics() const;

  // Returns when each model and each stored graph was tried; not to be called at the time of Shutdown or after it.
  void WaitUntilLoaded();

  // Health becomes NOT_SERVING. options.lame_duck_s later new requests are refused with UNAVAILABLE, those that were
  // accepted run on. Returns when they are done, or options.drain_timeout_s later: what is left then ends with
  // UNAVAILABLE. Call once.
  void Shutdown();

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);

  // Every model was tried, since `start`: the graphs are next.
  void OnLoaded(TimePoint start);
  void Stop(Clock::duration limit);
  // gRPC answers CANCELLED to calls that reach it once it is told to shut down, and clients do not try those again. So
  // the server goes on refusing with UNAVAILABLE until no more calls come, at most until `latest`.
  void RefuseUntilQuiet(TimePoint latest);

  const std::unique_ptr<Parts> parts_;

  Mutex mutex_;
  CondVar loaded_changed_;
  bool loaded_ GUARDED_BY(mutex_) = false;
  bool shut_down_ GUARDED_BY(mutex_) = false;
};

}  // namespace heed
