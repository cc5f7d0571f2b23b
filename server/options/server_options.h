// SPDX-License-Identifier: Apache-2.0
// What an operator can set. `heed-server --help` says what each option means and what happens at its limit; here is
// only what matters to the code.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace heed {

// Each option is the flag of its name. A unit is in the name: _s, _ms, _bytes, _rows.
struct ServerOptions {
  // Models.
  std::string models;      // empty: those of the installation (server/platform/installed_models.h)
  std::string model_name;  // KServe mounts every model at /mnt/models and calls it by another name
  std::string model_versions = "latest:1";
  std::string precision = "f32";
  std::string model_precision;
  double poll_models_s = 0;    // 0: never; a directory that is being written would be read half-way
  double session_pin_s = 600;  // a version holds its memory meanwhile
  std::string ready_when = "any";

  // Where the server listens.
  std::string listen = "127.0.0.1:50051";
  std::string metrics_listen = "127.0.0.1:8002";
  std::string http_listen;
  bool record_metrics = true;  // costs next to nothing; tests/bench/serving_bench measures it

  // Who may use it.
  std::string tls_cert;
  std::string tls_key;
  std::string tls_client_ca;
  double tls_reload_s = 60;  // open connections stay; max_connection_age_s ends them
  std::string tokens;
  bool management = false;

  // Threads and steps.
  int64_t threads = 0;
  int64_t executors = 0;  // at most `threads`; 0: by load

  // Limits of each model. --model_limits may set them for one model.
  int64_t max_queued_requests = 1024;
  int64_t max_queued_tasks = 100'000;
  int64_t max_queued_rows = 10'000'000;
  int64_t max_batch_rows = 512;
  int64_t max_running_tasks = 256;
  int64_t max_cache_bytes = 1 << 30;       // by upper bounds; a larger task counts as three quarters of it
  int64_t max_response_bytes = 128 << 20;  // several times this is in memory while a response is sent
  // From --model_limits: for each model, flags and their values. OptionsOf puts them in place.
  std::map<std::string, std::map<std::string, std::string>> model_limits;

  // Of translated sentences; one takes about 500 bytes and its two texts.
  int64_t translation_cache_bytes = 0;

  // Stored graphs.
  std::string graphs;
  double graph_save_interval_s = 5;
  // A graph that arrives or is read takes its arrays and what is made of them for a moment, each about as large, and a
  // version that was replaced lives on while queries read it: leave room for both.
  int64_t max_graph_bytes = int64_t{4} << 30;
  int64_t max_graph_nodes = 100'000'000;
  int64_t max_inline_nodes = 1'000'000;  // built on gRPC's threads

  // Sessions.
  std::string sessions;
  std::string redis_ca, redis_cert, redis_key;  // of rediss://
  std::string redis_password;                   // no flag: from the environment, HEED_REDIS_PASSWORD
  double session_idle_s = 3600;
  int64_t max_sessions = 100'000;
  int64_t max_session_bytes = int64_t{1} << 30;
  int64_t max_stored_sessions = 1'000'000;
  int64_t session_facts = 1000;
  int64_t session_tokens = 8192;

  // Connections and messages.
  int64_t max_message_bytes = 16 << 20;
  int64_t max_concurrent_streams = 1024;
  double max_connection_age_s = 0;
  double max_connection_age_grace_s = 30;
  double min_ping_interval_s = 10;  // three more frequent pings end the connection with ENHANCE_YOUR_CALM
  double keepalive_s = 60;
  int64_t max_connections = 0;
  int64_t max_connections_per_address = -1;  // no limit for Unix sockets
  int64_t max_grpc_bytes = int64_t{1} << 30;
  int64_t max_stream_events = 64;
  double max_reader_lag_s = 30;  // a parked request holds cache memory

  // HTTP.
  bool http_page = true;
  int64_t http_threads = 2;
  std::string http_cors_origins;
  int64_t max_http_connections = 0;
  int64_t max_http_bytes = 256 << 20;
  double http_idle_s = 60;
  double http_transfer_s = 20;  // slow clients have a second more for each 16 KiB

  // Stopping. Kubernetes kills 30 s after SIGTERM: both times together must be less.
  double lame_duck_s = 0;
  double drain_timeout_s = 25;

  // Logs.
  std::string log_level = "info";
  std::string log_format = "logfmt";
  double slow_request_ms = 10'000;

  // Traces.
  std::string trace_endpoint;  // empty: nothing is traced
  std::string trace_ca;
  double trace_sample_ratio = 1;  // of requests whose callers did not decide
  int64_t trace_queue_spans = 8192;
  // No flags: from the environment, OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
  std::string trace_service_name, trace_resource;
};

}  // namespace heed
