// SPDX-License-Identifier: Apache-2.0
// gRPC's port: accepts its connections, within limits, and hands them to the gRPC server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "server/network/listener.h"
#include "server/network/open_connections.h"
#include "server/telemetry/line_budget.h"
#include "server/telemetry/metrics.h"

namespace heed {

// Beyond the limits a new connection is closed at once, counted and logged.
class GrpcPort {
 public:
  // Adds itself to `builder`, whose server speaks with the peers by `credentials`. `changed` is called when
  // NotAccepting has changed, on the port's thread. `metrics` outlives the port.
  GrpcPort(ListeningSockets sockets, const ConnectionLimits& limits,
           std::shared_ptr<grpc::ServerCredentials> credentials, grpc::ServerBuilder& builder, Metrics& metrics,
           std::function<void()> changed);

  const ListeningSockets& sockets() const { return listener_.sockets(); }

  // To be called once the server was started.
  void Start() { listener_.Start(); }
  // Closes the port. To be called before the server is shut down: connections that were accepted are the server's.
  void Stop() { listener_.Stop(); }

  // Why a connection that came now would not be served; OK: it would be, as far as is known. Thread-safe.
  absl::Status NotAccepting() const EXCLUDES(mutex_);

 private:
  void Take(int listening, int connection, const SocketAddress& peer);
  void OnAccepting(const absl::Status& status) EXCLUDES(mutex_);
  void OnTick();
  void Refuse(int connection, const SocketAddress& peer, const char* reason, int64_t limit);
  // Sets NotAccepting, and reports it if it changed. Good news waits for the next tick, so that a port at its limit
  // does not report both many times a second.
  void Update() EXCLUDES(mutex_);

  const std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  const ConnectionLimits limits_;
  Metrics& metrics_;
  const std::function<void()> changed_;

  // Of the listener's thread.
  OpenConnections connections_;
  absl::Status accept_status_;
  LineBudget refusals_{1};

  mutable Mutex mutex_;
  absl::Status not_accepting_ GUARDED_BY(mutex_);

  Listener listener_;  // the last: its thread uses the others
};

}  // namespace heed
