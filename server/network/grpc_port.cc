// SPDX-License-Identifier: Apache-2.0
#include "server/network/grpc_port.h"

#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/telemetry/log.h"

namespace heed {

GrpcPort::GrpcPort(ListeningSockets sockets, const ConnectionLimits& limits,
                   std::shared_ptr<grpc::ServerCredentials> credentials, grpc::ServerBuilder& builder, Metrics& metrics,
                   std::function<void()> changed)
    : acceptor_(builder.experimental().AddExternalConnectionAcceptor(
          grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, std::move(credentials))),
      limits_(limits),
      metrics_(metrics),
      changed_(std::move(changed)),
      connections_(limits),
      listener_(
          std::move(sockets),
          {[this](int listening, int connection, const SocketAddress& peer) { Take(listening, connection, peer); },
           [this](const absl::Status& status) { OnAccepting(status); }, [this](TimePoint) { OnTick(); }}) {
  metrics_.Set(Metric::kMaxConnections, {}, static_cast<double>(limits.max_connections));
  metrics_.Set(Metric::kConnections, {}, 0);
  metrics_.Set(Metric::kAccepting, {}, 1);
  for (const char* reason : {"max_connections", "max_connections_per_address"}) {
    metrics_.Add(Metric::kRefusedConnections, {reason}, 0);
  }
}

absl::Status GrpcPort::NotAccepting() const {
  MutexLock lock(mutex_);
  return not_accepting_;
}

void GrpcPort::Take(int listening, int connection, const SocketAddress& peer) {
  switch (connections_.Admit(connection, peer, Clock::now())) {
    case OpenConnections::Verdict::kAdmitted: {
      grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
      parameters.listener_fd = listening;
      parameters.fd = connection;
      acceptor_->HandleNewConnection(&parameters);
      break;
    }
    case OpenConnections::Verdict::kTooMany:
      Refuse(connection, peer, "max_connections", limits_.max_connections);
      break;
    case OpenConnections::Verdict::kTooManyOfAddress:
      Refuse(connection, peer, "max_connections_per_address", limits_.max_per_address);
      break;
  }
  metrics_.Set(Metric::kConnections, {}, static_cast<double>(connections_.size()));
  if (connections_.IsFull()) Update();
}

void GrpcPort::OnAccepting(const absl::Status& status) {
  accept_status_ = status;
  if (!status.ok()) Update();
}

void GrpcPort::OnTick() {
  connections_.Sweep();
  metrics_.Set(Metric::kConnections, {}, static_cast<double>(connections_.size()));
  Update();
}

void GrpcPort::Refuse(int connection, const SocketAddress& peer, const char* reason, int64_t limit) {
  metrics_.Add(Metric::kRefusedConnections, {reason});  // before the peer sees it
  close(connection);
  const std::optional<int64_t> left_out = refusals_.Take(Clock::now());
  if (!left_out) return;
  const std::string peer_text = peer.Text();
  std::vector<LogField> fields = {
      {"peer", peer_text}, {"reason", reason}, {"limit", limit}, {"connections", connections_.size()}};
  if (*left_out > 0) fields.emplace_back("left_out", *left_out);
  LogWarn("refused_connection", fields);
}

void GrpcPort::Update() {
  absl::Status status = accept_status_;
  if (status.ok() && connections_.IsFull()) {
    status = absl::ResourceExhaustedError(
        absl::StrCat("all ", limits_.max_connections, " connections (--max_connections) are taken"));
  }
  {
    MutexLock lock(mutex_);
    if (status == not_accepting_) return;
    not_accepting_ = status;
  }
  metrics_.Set(Metric::kAccepting, {}, status.ok() ? 1 : 0);
  if (status.ok()) {
    LogInfo("accepting", {{"connections", connections_.size()}});
  } else {
    LogWarn("not_accepting", {{"reason", status.message()}, {"connections", connections_.size()}});
  }
  changed_();
}

}  // namespace heed
