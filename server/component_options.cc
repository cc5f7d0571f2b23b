// SPDX-License-Identifier: Apache-2.0
#include "server/component_options.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "grpcpp/resource_quota.h"
#include "server/http/cross_origin.h"
#include "server/telemetry/log.h"
#include "server/tracing/trace_endpoint.h"
#include "server/tracing/trace_resource.h"

namespace heed {
namespace {

// That a new connection has until the peer has shaken hands, TLS included, and said that it speaks HTTP/2: one that
// says nothing takes the place of another. gRPC would wait for 120 s.
constexpr double kMaxHandshakeSeconds = 20;

// That a peer has to answer the server's ping.
constexpr double kMaxKeepaliveAnswerSeconds = 20;

int Milliseconds(double seconds) { return static_cast<int>(std::min(seconds * 1000, 2e9)); }

BatchLimits ToBatchLimits(const ServerOptions& options) {
  BatchLimits result;
  result.max_queued_jobs = options.max_queued_requests;
  result.max_queued_tasks = options.max_queued_tasks;
  result.max_queued_rows = options.max_queued_rows;
  result.max_running_tasks = options.max_running_tasks;
  result.max_batch_rows = options.max_batch_rows;
  result.max_running_bytes = options.max_cache_bytes;
  result.max_answer_bytes = options.max_response_bytes;
  result.max_parked = Seconds(options.max_reader_lag_s);
  return result;
}

}  // namespace

Clock::duration Seconds(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

SchedulerOptions ToSchedulerOptions(const ServerOptions& options, int threads) {
  SchedulerOptions result;
  result.threads = threads;
  result.executors = std::min(static_cast<int>(options.executors), threads);
  result.limits = ToBatchLimits(options);
  for (const auto& [model, limits] : options.model_limits) {
    result.model_limits[model] = ToBatchLimits(OptionsOf(model, options));
  }
  return result;
}

GraphStoreOptions ToGraphStoreOptions(const ServerOptions& options) {
  GraphStoreOptions result;
  result.directory = options.graphs;
  result.save_interval = Seconds(options.graph_save_interval_s);
  result.max_bytes = options.max_graph_bytes;
  result.max_nodes = options.max_graph_nodes;
  return result;
}

SessionOptions ToSessionOptions(const ServerOptions& options) {
  SessionOptions result;
  result.place = options.sessions;
  result.redis_password = options.redis_password;
  result.redis_tls = {options.redis_ca, options.redis_cert, options.redis_key};
  result.idle_limit = Seconds(options.session_idle_s);
  result.max_sessions = options.max_sessions;
  result.max_bytes = options.max_session_bytes;
  result.max_stored_sessions = options.max_stored_sessions;
  result.max_facts = options.session_facts;
  result.max_tokens = options.session_tokens;
  return result;
}

absl::StatusOr<OtlpExporterOptions> ToOtlpExporterOptions(const ServerOptions& options) {
  OtlpExporterOptions result;
  HEED_ASSIGN_OR_RETURN(const TraceEndpoint endpoint, TraceEndpoint::Parse(options.trace_endpoint));
  result.target = endpoint.target;
  result.credentials = grpc::InsecureChannelCredentials();
  if (endpoint.encrypted) {
    grpc::SslCredentialsOptions tls;
    if (!options.trace_ca.empty()) {
      std::ifstream file(options.trace_ca, std::ios::binary);
      tls.pem_root_certs.assign(std::istreambuf_iterator<char>(file), {});
      if (tls.pem_root_certs.empty()) {
        return absl::NotFoundError(absl::StrCat("--trace_ca=", options.trace_ca, ": cannot be read, or is empty"));
      }
    }
    result.credentials = grpc::SslCredentials(tls);
  }
  absl::StatusOr<TraceResource> resource = ParseResourceAttributes(options.trace_resource);
  if (!resource.ok()) {
    LogWarn("traces", {{"problem", resource.status().message()}, {"ignored", "OTEL_RESOURCE_ATTRIBUTES"}});
    resource = TraceResource();
  }
  result.resource = ResourceOfProcess(*std::move(resource), options.trace_service_name);
  return result;
}

double KeepaliveAnswerSeconds(const ServerOptions& options) {
  return std::min(options.keepalive_s, kMaxKeepaliveAnswerSeconds);
}

ModelLoaderOptions ToModelLoaderOptions(const ServerOptions& options) {
  ModelLoaderOptions result;
  result.poll_interval = Seconds(options.poll_models_s);
  return result;
}

ConnectionLimits ToConnectionLimits(const ServerOptions& options, const DescriptorBudget& budget) {
  ConnectionLimits limits;
  limits.max_connections = budget.max_connections;
  limits.max_per_address = options.max_connections_per_address;
  if (options.max_connections_per_address < 0) {
    limits.max_per_address = std::max<int64_t>(1, limits.max_connections / 2);
    limits.limit_loopback = false;
  }
  return limits;
}

HttpServerOptions ToHttpServerOptions(const ServerOptions& options, const DescriptorBudget& budget) {
  HttpServerOptions result;
  result.threads = static_cast<int>(options.http_threads);
  result.connections.max_connections = static_cast<size_t>(budget.max_front_connections);
  result.connections.max_per_origin = static_cast<size_t>(std::max<int64_t>(0, options.max_connections_per_address));
  result.limit_loopback = true;
  if (options.max_connections_per_address < 0) {
    result.connections.max_per_origin = std::max<size_t>(1, result.connections.max_connections / 2);
    result.limit_loopback = false;
  }
  result.connections.max_head = result.connections.max_transfer = Seconds(options.http_transfer_s);
  result.connections.max_idle = Seconds(options.http_idle_s);
  result.max_body_bytes = options.max_message_bytes;
  result.max_bytes = options.max_http_bytes;
  result.cors_origins = CrossOrigin::ParseOrigins(options.http_cors_origins).value();  // was checked with the flags
  return result;
}

void SetLimits(const ServerOptions& options, int threads, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.max_message_bytes));
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);  // CheckedService inflates
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, static_cast<int>(options.max_concurrent_streams));
  if (options.max_connection_age_s > 0) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(options.max_connection_age_s));
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, Milliseconds(options.max_connection_age_grace_s));
  }
  // A little less, so that a client that keeps to the interval is not cut off for pings that travelled unevenly.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             Milliseconds(0.9 * options.min_ping_interval_s));
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(kMaxHandshakeSeconds));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  if (options.keepalive_s > 0) {
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.keepalive_s));
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(KeepaliveAnswerSeconds(options)));
  }
  // Our methods are callbacks that never block: beside the executors, gRPC needs few threads.
  grpc::ResourceQuota quota("heed");
  quota.SetMaxThreads(std::max(4, 2 * threads));
  quota.Resize(static_cast<size_t>(options.max_grpc_bytes));
  builder.SetResourceQuota(quota);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
}

}  // namespace heed
