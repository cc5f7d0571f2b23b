// SPDX-License-Identifier: Apache-2.0
// From the flags of heed-server to the options of its parts.
#pragma once

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "grpcpp/server_builder.h"
#include "server/graphs/graph_store.h"
#include "server/http/http_server.h"
#include "server/network/descriptor_budget.h"
#include "server/network/grpc_port.h"
#include "server/options/flags.h"
#include "server/registry/model_loader.h"
#include "server/scheduling/scheduler.h"
#include "server/sessions/session.h"
#include "server/tracing/otlp_exporter.h"

namespace heed {

Clock::duration Seconds(double seconds);

// `threads`: that run models, in all.
SchedulerOptions ToSchedulerOptions(const ServerOptions& options, int threads);
GraphStoreOptions ToGraphStoreOptions(const ServerOptions& options);
SessionOptions ToSessionOptions(const ServerOptions& options);
ModelLoaderOptions ToModelLoaderOptions(const ServerOptions& options);
ConnectionLimits ToConnectionLimits(const ServerOptions& options, const DescriptorBudget& budget);
HttpServerOptions ToHttpServerOptions(const ServerOptions& options, const DescriptorBudget& budget);

// Where traces go. INVALID_ARGUMENT or NOT_FOUND: the file of authorities cannot be used.
absl::StatusOr<OtlpExporterOptions> ToOtlpExporterOptions(const ServerOptions& options);

// How long a peer may leave unanswered what was sent to it: pings, and the kernel's segments.
double KeepaliveAnswerSeconds(const ServerOptions& options);

// gRPC's own limits: sizes of messages, streams, ages of connections, pings, memory and threads.
void SetLimits(const ServerOptions& options, int threads, grpc::ServerBuilder& builder);

}  // namespace heed
