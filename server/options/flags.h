// What an operator can set: one struct, one table of flags that fills it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace heed {

struct ServerOptions {
  // The directory whose sub-directories are models: each holds config.json, or a directory with one for each version,
  // named by its number.
  std::string models = "weights";
  // The name of the model that `models` is itself. Empty: the directory's. KServe mounts every model at /mnt/models and
  // calls it by another name.
  std::string model_name;
  // Which versions are served: a comma-separated list of latest:N, for all models, and NAME=latest:N or NAME=V+V...
  std::string model_versions = "latest:1";
  // How often changed model directories are looked for, to be loaded. 0: never: a directory that is being written would
  // be read half-way.
  double poll_models_s = 0;
  // How long a version that was replaced stays for the sessions that were opened with it, unless a version that serves
  // has the same weights. It holds its memory meanwhile.
  double session_pin_s = 600;
  // When the server as a whole is ready (/readyz, grpc.health.v1): "any": while a version of at least one model serves;
  // "all": while one of each model does, those that were unloaded aside.
  std::string ready_when = "any";
  // Where gRPC listens: what ListenAddress::Parse reads. Anyone who reaches it may use it, unless TLS or tokens ask who
  // they are. Port 0 picks a free one; the log says which.
  std::string listen = "127.0.0.1:50051";
  // Where HTTP answers GET /metrics, /livez, /readyz and /buildinfo, to anyone. Empty: nowhere.
  std::string metrics_listen = "127.0.0.1:8002";
  // Whether requests, steps and queues are counted. It costs next to nothing (tests/bench/serving_bench measures it).
  bool record_metrics = true;
  // PEM files: the server's certificate (with those between it and its authority) and its key. Set both: gRPC is
  // encrypted; neither: plain text.
  std::string tls_cert;
  std::string tls_key;
  // PEM file of authorities. Set: clients must show a certificate that one of them signed.
  std::string tls_client_ca;
  // How long after a change of these files new connections may still meet the old ones. Connections that are there
  // stay: max_connection_age_s ends them.
  double tls_reload_s = 60;
  // File of the tokens of those who may use the server: lines of NAME TOKEN RIGHTS. Empty: anyone may.
  std::string tokens;
  // Whether clients may change what the server has: stored graphs, loaded models.
  bool management = false;
  // Threads that step models. 0: the cgroup's CPU quota, else the cores. More than the machine grants makes steps wait
  // for each other.
  int64_t threads = 0;
  // How many steps may run at the same time, each on threads/executors threads. More lets small models run beside a
  // large one and makes every step slower. At most `threads`.
  int64_t executors = 1;
  // Requests that may wait for each model before RESOURCE_EXHAUSTED. Bounds the wait under overload.
  int64_t max_queued_requests = 1024;
  // Tasks (sentences, graphs) that may wait for each model before RESOURCE_EXHAUSTED, and the most that one request may
  // hold. Bounds memory.
  int64_t max_queued_tasks = 100'000;
  // Rows (packed tokens, nodes) of the first steps of the tasks that may wait for each model before RESOURCE_EXHAUSTED,
  // and the most that one request may hold. Bounds the work that waits.
  int64_t max_queued_rows = 10'000'000;
  // Rows (packed tokens, of which beams count each; nodes) of a step. More gives throughput, less gives shorter steps.
  int64_t max_batch_rows = 512;
  // Tasks (sentences, graphs) of each model that are under way at the same time.
  int64_t max_running_tasks = 256;
  // Memory of each model's running tasks (attention caches, layers' outputs), by its upper bounds. Tasks wait for room;
  // one that is larger counts as three quarters of it.
  int64_t max_cache_bytes = 1 << 30;
  // An answer to a model's request: refused before it is computed if what is asked for would take more, ended with
  // RESOURCE_EXHAUSTED if it comes to more. Streams: each message. Several times this is in memory while it is sent.
  int64_t max_response_bytes = 128 << 20;
  // What --model_limits says: for each model named there, flags (FlagInfo::per_model) and the values that they have for
  // it. OptionsOf puts them in place.
  std::map<std::string, std::map<std::string, std::string>> model_limits;
  // Where stored graphs are kept, made if it is not there. Empty: in memory alone, lost when the server ends.
  std::string graphs;
  // How long after an update its version may be unwritten: what a crash can lose. Less costs more writing.
  double graph_save_interval_s = 5;
  // Memory of the stored graphs' finished versions with their precomputed outputs, and of graphs that arrive, part by
  // part. What would exceed it is RESOURCE_EXHAUSTED. A graph that has arrived, or is read from its file, takes its
  // arrays and what is made of them, each about as large, for a moment, and a version that was replaced lives on while
  // queries read it: leave room for both.
  int64_t max_graph_bytes = int64_t{4} << 30;
  // Nodes of a stored graph; more are INVALID_ARGUMENT.
  int64_t max_graph_nodes = 100'000'000;
  // Nodes of a graph that a request brings; more are INVALID_ARGUMENT. They are built on gRPC's threads.
  int64_t max_inline_nodes = 1'000'000;
  // Where the sessions of question answering are kept: empty: in memory alone, lost when the server ends; a directory,
  // made if it is not there; or redis://[:PASSWORD@]HOST:PORT[/DATABASE], which several servers may share. Other users
  // of the machine can read a password given here, but not the environment's.
  std::string sessions;
  // Of a --sessions=redis://... without one. No flag: from the environment, HEED_REDIS_PASSWORD.
  std::string redis_password;
  // A session that is not used for so long is closed. 0: none is.
  double session_idle_s = 3600;
  // Sessions in memory, and the memory that they take. Beyond either the least recently used one leaves memory: to come
  // back from where sessions are kept, or, where that is memory alone, for good.
  int64_t max_sessions = 100'000;
  int64_t max_session_bytes = int64_t{1} << 30;
  int64_t max_stored_sessions = 1'000'000;
  // Facts that one session may hold; more are RESOURCE_EXHAUSTED.
  int64_t session_facts = 1000;
  // Size of a request message; larger ones are RESOURCE_EXHAUSTED before they are read.
  int64_t max_message_bytes = 16 << 20;
  // Calls under way on one connection; a client's others wait in the client.
  int64_t max_concurrent_streams = 1024;
  // A connection is asked to go (GOAWAY) after so long, give or take a tenth, and cut off after the grace if calls are
  // still under way. 0: never. Lets balanced clients find new servers, and ends those whose certificate was revoked.
  double max_connection_age_s = 0;
  double max_connection_age_grace_s = 30;
  // A client that pings more often than this, three times, is cut off with ENHANCE_YOUR_CALM.
  double min_ping_interval_s = 10;
  // A connection that has been silent for so long is asked whether its peer is still there; one that does not answer
  // within as long, at most 20 s, is closed. 0: never, and what peers hold that vanished without a word stays held.
  double keepalive_s = 60;
  // gRPC connections that may be open; one more is closed at once. 0: 10,000. Fewer where the limit of file descriptors
  // leaves no room for them; the log says how many.
  int64_t max_connections = 0;
  // The same for connections from one IPv4 address or one IPv6 network of 64 bits. 0: only max_connections. -1: half of
  // max_connections, and no limit for loopback addresses, which a proxy beside the server uses for everybody. Unix
  // sockets have only max_connections.
  int64_t max_connections_per_address = -1;
  // Memory of gRPC's own buffers: beyond it reads slow down, and when it is nearly full new connections are closed.
  int64_t max_grpc_bytes = int64_t{1} << 30;
  // Events of a stream that may wait for its reader before the request is parked.
  int64_t max_stream_events = 64;
  // How long a request may be parked before it ends with ABORTED: it holds cache memory meanwhile.
  double max_reader_lag_s = 30;
  // How long after SIGTERM everything is still served, while health says NOT_SERVING: the time that balancers take to
  // look away. Kubernetes kills 30 s after SIGTERM: leave drain_timeout_s its part.
  double lame_duck_s = 0;
  // How long SIGTERM lets accepted requests run before they end with UNAVAILABLE. Kubernetes kills after 30 s.
  double drain_timeout_s = 25;
  // debug, info, warn or error. debug logs each request (never its text).
  std::string log_level = "info";
  // logfmt (event key=value ...) or json (one object a line).
  std::string log_format = "logfmt";
  // A request that takes at least so long is counted and logged as slow; at most a few lines a second. 0: none is.
  double slow_request_ms = 10'000;
};

inline constexpr absl::string_view kBool = "bool";

// One flag: `--name=value` or `--name value`.
struct FlagInfo {
  absl::string_view name;
  absl::string_view unit;  // "host:port", "directory", "rows", "bytes", "s", ...; kBool: the value may be left out
  absl::string_view help;
  std::string default_value;
  // INVALID_ARGUMENT says what the value must be.
  std::function<absl::Status(absl::string_view value, ServerOptions& options)> set;
  bool per_model = false;  // --model_limits may set it for a model
};

// Every flag that sets an option; --help and --version beside them.
absl::Span<const FlagInfo> FlagTable();

// `options` with the limits of the model `name` in place of the general ones. `options` are ParseCommandLine's.
ServerOptions OptionsOf(absl::string_view name, const ServerOptions& options);

// The text of --help: every flag with its unit and default.
std::string HelpText();

enum class Action { kServe, kHelp, kVersion };
struct CommandLine {
  Action action = Action::kServe;
  ServerOptions options;
};

// `arguments` without the program's name: `--name=value` or `--name value`, a bool `--name` or `--name=value`; `-` and
// `_` in names are the same; a value that begins with `--` stands behind `=`. INVALID_ARGUMENT names the flag: unknown
// (and the nearest one's name), without a value, out of range, given twice, without the one that it belongs to, or not
// a flag at all.
absl::StatusOr<CommandLine> ParseCommandLine(absl::Span<const absl::string_view> arguments);

}  // namespace heed
