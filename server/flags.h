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
  // The directory whose sub-directories are models.
  std::string models = "weights";
  // Where gRPC listens, host:port. Anyone who reaches it may use it: open it to others only behind something that asks
  // who they are. Port 0 picks a free one; the log says which.
  std::string listen = "127.0.0.1:50051";
  // Where GET /metrics answers. Empty: nowhere.
  std::string metrics_listen = "127.0.0.1:8002";
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
  // of the machine can read a password given here.
  std::string sessions;
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
  // Events of a stream that may wait for its reader before the request is parked.
  int64_t max_stream_events = 64;
  // How long a request may be parked before it ends with ABORTED: it holds cache memory meanwhile.
  double max_reader_lag_s = 30;
  // How long SIGTERM lets accepted requests run before they end with UNAVAILABLE. Kubernetes kills after 30 s.
  double drain_timeout_s = 25;
  // debug, info, warn or error. debug logs each request (never its text).
  std::string log_level = "info";
};

// One flag: `--name=value`.
struct FlagInfo {
  absl::string_view name;
  absl::string_view unit;  // "address", "directory", "rows", "bytes", "s", ...
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

// `arguments` without the program's name. INVALID_ARGUMENT names the flag: unknown, without a value, out of range,
// given twice, or not a flag at all.
absl::StatusOr<CommandLine> ParseCommandLine(absl::Span<const absl::string_view> arguments);

}  // namespace heed
