#include "server/options/flags.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/listen_address.h"
#include "base/nearest_name.h"
#include "engine/graph/graph.h"
#include "server/registry/version_policy.h"

namespace heed {
namespace {

const ServerOptions kDefaults;

FlagInfo Text(absl::string_view name, absl::string_view unit, std::string ServerOptions::*field,
              absl::string_view help) {
  return {name, unit, help, kDefaults.*field, [field](absl::string_view value, ServerOptions& options) {
            options.*field = std::string(value);
            return absl::OkStatus();
          }};
}

FlagInfo OneOf(absl::string_view name, absl::string_view unit, std::string ServerOptions::*field,
               std::vector<std::string> values, absl::string_view help) {
  return {name, unit, help, kDefaults.*field,
          [field, values = std::move(values)](absl::string_view value, ServerOptions& options) {
            if (std::find(values.begin(), values.end(), value) == values.end()) {
              return absl::InvalidArgumentError(absl::StrCat("must be one of ", absl::StrJoin(values, ", ")));
            }
            options.*field = std::string(value);
            return absl::OkStatus();
          }};
}

FlagInfo Address(absl::string_view name, std::string ServerOptions::*field, bool may_be_empty, absl::string_view help) {
  return {name, "host:port", help, kDefaults.*field,
          [field, may_be_empty](absl::string_view value, ServerOptions& options) {
            options.*field = std::string(value);
            if (value.empty() && may_be_empty) return absl::OkStatus();
            return ListenAddress::Parse(value).status();
          }};
}

FlagInfo Versions(absl::string_view name, absl::string_view unit, std::string ServerOptions::*field,
                  absl::string_view help) {
  return {name, unit, help, kDefaults.*field, [field](absl::string_view value, ServerOptions& options) {
            options.*field = std::string(value);
            return VersionPolicies::Parse(value).status();
          }};
}

FlagInfo Bool(absl::string_view name, bool ServerOptions::*field, absl::string_view help) {
  return {name, kBool, help, kDefaults.*field ? "true" : "false",
          [field](absl::string_view value, ServerOptions& options) {
            if (value != "true" && value != "false") return absl::InvalidArgumentError("must be true or false");
            options.*field = value == "true";
            return absl::OkStatus();
          }};
}

FlagInfo Integer(absl::string_view name, absl::string_view unit, int64_t ServerOptions::*field, int64_t least,
                 int64_t most, absl::string_view help) {
  return {name, unit, help, absl::StrCat(kDefaults.*field),
          [field, least, most](absl::string_view value, ServerOptions& options) {
            int64_t number = 0;
            if (!absl::SimpleAtoi(value, &number) || number < least || number > most) {
              return absl::InvalidArgumentError(absl::StrCat("must be a whole number from ", least, " to ", most));
            }
            options.*field = number;
            return absl::OkStatus();
          }};
}

FlagInfo Time(absl::string_view name, absl::string_view unit, double ServerOptions::*field, int64_t most,
              absl::string_view help) {
  return {name, unit, help, absl::StrCat(kDefaults.*field),
          [unit, field, most](absl::string_view value, ServerOptions& options) {
            double number = 0;
            if (!absl::SimpleAtod(value, &number) || !(number >= 0 && number <= static_cast<double>(most))) {
              return absl::InvalidArgumentError(
                  absl::StrCat("must be a number of ", unit == "ms" ? "milliseconds" : "seconds", " from 0 to ", most));
            }
            options.*field = number;
            return absl::OkStatus();
          }};
}

FlagInfo Seconds(absl::string_view name, double ServerOptions::*field, absl::string_view help) {
  return Time(name, "s", field, 1'000'000, help);
}

FlagInfo Milliseconds(absl::string_view name, double ServerOptions::*field, absl::string_view help) {
  return Time(name, "ms", field, 1'000'000'000, help);
}

FlagInfo PerModel(FlagInfo flag) {
  flag.per_model = true;
  return flag;
}

const std::vector<FlagInfo>& Table();

const FlagInfo* FindFlag(absl::string_view name) {
  const auto& table = Table();
  auto flag = std::find_if(table.begin(), table.end(), [&](const FlagInfo& info) { return info.name == name; });
  return flag == table.end() ? nullptr : &*flag;
}

// "; did you mean --models?", or nothing.
std::string Nearest(absl::string_view typed) {
  std::vector<std::string> names = {"help", "version"};
  for (const FlagInfo& flag : Table()) names.emplace_back(flag.name);
  return DidYouMean(absl::StrReplaceAll(typed, {{"-", "_"}}), names, "--");
}

// "max_batch_rows=64" into the limits of one model.
absl::Status SetModelLimit(absl::string_view text, std::map<std::string, std::string>& limits) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
  const auto& [name, value] = parts;
  const FlagInfo* flag = FindFlag(name);
  if (flag == nullptr || !flag->per_model) {
    std::vector<absl::string_view> known;
    for (const FlagInfo& info : Table()) {
      if (info.per_model) known.push_back(info.name);
    }
    return absl::InvalidArgumentError(
        absl::StrCat("\"", name, "\" is no limit of a model; known are ", absl::StrJoin(known, ", ")));
  }
  if (name.size() == text.size()) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": needs a value, as in ", name, "=<", flag->unit, ">"));
  }
  ServerOptions ignored;
  const absl::Status status = flag->set(value, ignored);
  if (!status.ok()) return absl::InvalidArgumentError(absl::StrCat(text, ": ", status.message()));
  const auto [before, added] = limits.emplace(name, value);
  if (added) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, ": is given twice, as ", before->second, " and ", value));
}

// "en-de:max_queued_requests=64,max_batch_rows=256;ntm-babi:..." A model need not exist (yet).
absl::Status SetModelLimits(absl::string_view text, ServerOptions& options) {
  decltype(options.model_limits) models;
  for (absl::string_view entry : absl::StrSplit(text, ';', absl::SkipEmpty())) {
    const size_t colon = entry.rfind(':');  // a name may hold one
    if (colon == 0 || colon == entry.npos) {
      return absl::InvalidArgumentError(absl::StrCat("\"", entry, "\" is not MODEL:LIMIT=VALUE,..."));
    }
    const absl::string_view model = entry.substr(0, colon);
    const auto [limits, added] = models.try_emplace(std::string(model));
    if (!added) return absl::InvalidArgumentError(absl::StrCat("model \"", model, "\" is named twice"));
    for (absl::string_view limit : absl::StrSplit(entry.substr(colon + 1), ',')) {
      const absl::Status status = SetModelLimit(limit, limits->second);
      if (!status.ok()) return absl::InvalidArgumentError(absl::StrCat("model \"", model, "\": ", status.message()));
    }
  }
  options.model_limits = std::move(models);
  return absl::OkStatus();
}

const std::vector<FlagInfo>& Table() {
  using O = ServerOptions;
  constexpr int64_t kMost = int64_t{1} << 40;
  static const auto& table = *new std::vector<FlagInfo>{
      Text("models", "directory", &O::models,
           "of models: each sub-directory that has a config.json, or directories 1, 2, ... that do; a Hugging Face "
           "cache; or one model itself"),
      Text("model_name", "name", &O::model_name, "of the model that --models is itself; empty: the directory's name"),
      Versions("model_versions", "policies", &O::model_versions,
               "which versions are served: latest:N, and for one model NAME=latest:N or NAME=V+V, comma-separated"),
      Seconds("poll_models_s", &O::poll_models_s,
              "how often changed model directories are looked for and loaded; 0: never"),
      OneOf("ready_when", "models", &O::ready_when, {"any", "all"},
            "serve, any or all: when /readyz and grpc.health.v1 say that the server as a whole is ready"),
      Address(
          "listen", &O::listen, /*may_be_empty=*/false,
          "where gRPC listens: HOST:PORT, [IPV6]:PORT, :PORT for every address, or unix:PATH; port 0 picks one, the "
          "log says which"),
      Address("metrics_listen", &O::metrics_listen, /*may_be_empty=*/true,
              "where HTTP answers GET /metrics, /livez, /readyz and /buildinfo, as --listen; empty: nowhere"),
      Bool("record_metrics", &O::record_metrics,
           "requests, steps and queues are counted; false: /metrics tells of the process alone"),
      Text("tls_cert", "file", &O::tls_cert, "PEM: the server's certificate and those above it; empty: no encryption"),
      Text("tls_key", "file", &O::tls_key, "PEM: the certificate's key"),
      Text("tls_client_ca", "file", &O::tls_client_ca,
           "PEM: authorities; clients must show a certificate that one of them signed; empty: they show none"),
      Seconds("tls_reload_s", &O::tls_reload_s,
              "how long after a change of these files new connections may still meet the old ones"),
      Text("tokens", "file", &O::tokens,
           "of lines NAME TOKEN RIGHTS, with RIGHTS infer, manage or infer,manage: who may use the server; read again "
           "when it changes; empty: anyone"),
      Bool("management", &O::management,
           "clients may change what the server has: put, update and delete stored graphs, load and unload models"),
      Integer("threads", "threads", &O::threads, 0, 1024,
              "that step models, in all; 0: the cgroup's CPU quota, else the cores"),
      Integer("executors", "executors", &O::executors, 1, 1024,
              "steps that may run at the same time, each on threads/executors threads"),
      PerModel(Integer("max_queued_requests", "requests", &O::max_queued_requests, 1, kMost,
                       "that may wait for each model; beyond it RESOURCE_EXHAUSTED")),
      PerModel(Integer(
          "max_queued_tasks", "tasks", &O::max_queued_tasks, 1, kMost,
          "(sentences, graphs) that may wait for each model; beyond it RESOURCE_EXHAUSTED; also the most of one "
          "request")),
      PerModel(Integer("max_queued_rows", "rows", &O::max_queued_rows, 1, kMost,
                       "(packed tokens, nodes) that may wait for each model; beyond it RESOURCE_EXHAUSTED; also the "
                       "most of one request")),
      PerModel(Integer("max_batch_rows", "rows", &O::max_batch_rows, 1, kMost,
                       "(packed tokens, nodes) of a step: more for throughput, fewer for shorter steps")),
      PerModel(Integer("max_running_tasks", "tasks", &O::max_running_tasks, 1, kMost,
                       "(sentences, graphs) of each model that are under way at the same time")),
      PerModel(Integer("max_cache_bytes", "bytes", &O::max_cache_bytes, 1, int64_t{1} << 50,
                       "of memory of each model's running tasks; others wait for room")),
      PerModel(Integer("max_response_bytes", "bytes", &O::max_response_bytes, 1, int64_t{1} << 31,
                       "of an answer; what asks for more is RESOURCE_EXHAUSTED before it is computed")),
      {"model_limits", "model:limit=value,...;...",
       "other values of the flags from --max_queued_requests to --max_response_bytes for single models, as in "
       "en-de:max_queued_requests=64,max_batch_rows=256;gat-cora:max_running_tasks=8",
       "", SetModelLimits},
      Text("graphs", "directory", &O::graphs, "where stored graphs are kept; empty: in memory alone"),
      Seconds("graph_save_interval_s", &O::graph_save_interval_s,
              "how long an update of a stored graph may be unwritten: what a crash can lose"),
      Integer("max_graph_bytes", "bytes", &O::max_graph_bytes, 1, int64_t{1} << 50,
              "of stored graphs, their precomputed outputs and graphs that arrive; beyond it RESOURCE_EXHAUSTED"),
      Integer("max_graph_nodes", "nodes", &O::max_graph_nodes, 1, kMaxGraphNodes, "of a stored graph"),
      Integer("max_inline_nodes", "nodes", &O::max_inline_nodes, 1, kMaxGraphNodes, "of a graph that a request brings"),
      Text("sessions", "place", &O::sessions,
           "where sessions are kept: a directory, or redis://[:PASSWORD@]HOST:PORT[/DATABASE] (or the password "
           "in the environment: HEED_REDIS_PASSWORD); empty: in memory alone"),
      Seconds("session_pin_s", &O::session_pin_s,
              "that a model version which was replaced stays for sessions opened with it"),
      Seconds("session_idle_s", &O::session_idle_s, "after which a session that is not used is closed; 0: never"),
      Integer("max_sessions", "sessions", &O::max_sessions, 1, kMost,
              "in memory; beyond it the least recently used one leaves it, where sessions are kept in memory alone for "
              "good"),
      Integer("max_session_bytes", "bytes", &O::max_session_bytes, 1, int64_t{1} << 50,
              "of sessions in memory; beyond it as with --max_sessions"),
      Integer(
          "max_stored_sessions", "sessions", &O::max_stored_sessions, 1, kMost,
          "in the directory of --sessions; beyond it opening one is RESOURCE_EXHAUSTED. Redis has its own maxmemory"),
      Integer("session_facts", "facts", &O::session_facts, 1, kMost,
              "that one session may hold; more are RESOURCE_EXHAUSTED"),
      Integer("max_message_bytes", "bytes", &O::max_message_bytes, 1024, (int64_t{1} << 31) - 1,
              "of a request; larger ones are RESOURCE_EXHAUSTED"),
      Integer("max_concurrent_streams", "calls", &O::max_concurrent_streams, 1, 1 << 30,
              "under way on one connection; a client's others wait in the client"),
      Seconds("max_connection_age_s", &O::max_connection_age_s, "after which a connection is asked to go; 0: never"),
      Seconds("max_connection_age_grace_s", &O::max_connection_age_grace_s,
              "that calls of such a connection may still take before they are cut off"),
      Seconds("min_ping_interval_s", &O::min_ping_interval_s,
              "between a client's pings; one that goes on pinging more often is cut off"),
      Seconds("keepalive_s", &O::keepalive_s,
              "after which a silent connection's peer is asked whether it is there; one that does not answer within as "
              "long, at most 20 s, is cut off; 0: never"),
      Integer(
          "max_connections", "connections", &O::max_connections, 0, 10'000'000,
          "of gRPC that may be open; one more is closed at once; 0: 10000, or fewer if the limit of file descriptors "
          "is small"),
      Integer(
          "max_connections_per_address", "connections", &O::max_connections_per_address, -1, 10'000'000,
          "from one IPv4 address or IPv6 /64 network; 0: only --max_connections; -1: half of those, without a limit "
          "for loopback addresses"),
      Integer("max_grpc_bytes", "bytes", &O::max_grpc_bytes, 1 << 20, int64_t{1} << 50,
              "of gRPC's own buffers; beyond it reads slow down and new connections are closed"),
      Integer("max_stream_events", "events", &O::max_stream_events, 1, kMost,
              "of a stream that may wait for its reader before its request is parked"),
      Seconds("max_reader_lag_s", &O::max_reader_lag_s,
              "how long a request may be parked before it ends with ABORTED; a reader that for as long again does not "
              "take what is on its way is cut off"),
      Seconds("lame_duck_s", &O::lame_duck_s,
              "how long after SIGTERM everything is still served, while health says NOT_SERVING"),
      Seconds("drain_timeout_s", &O::drain_timeout_s,
              "how long SIGTERM lets accepted requests run before they end with UNAVAILABLE"),
      OneOf("log_level", "level", &O::log_level, {"debug", "info", "warn", "error"},
            "debug, info, warn or error; debug logs each request, never its text"),
      OneOf("log_format", "format", &O::log_format, {"logfmt", "json"},
            "logfmt (event key=value ...) or json (one object a line)"),
      Milliseconds("slow_request_ms", &O::slow_request_ms,
                   "after which a request is counted and logged as slow; 0: never"),
  };
  return table;
}

}  // namespace

absl::Span<const FlagInfo> FlagTable() { return Table(); }

ServerOptions OptionsOf(absl::string_view name, const ServerOptions& options) {
  ServerOptions result = options;
  const auto limits = options.model_limits.find(std::string(name));
  if (limits == options.model_limits.end()) return result;
  for (const auto& [flag, value] : limits->second) FindFlag(flag)->set(value, result).IgnoreError();
  return result;
}

std::string HelpText() {
  std::string text =
      "heed-server serves the models below a directory over gRPC.\n\n"
      "Usage: heed-server [--flag=value | --flag value] ...\n\n";
  for (const FlagInfo& flag : Table()) {
    absl::StrAppendFormat(&text, "  %-34s %s (default: %s)\n", absl::StrCat("--", flag.name, "=<", flag.unit, ">"),
                          flag.help, flag.default_value.empty() ? "empty" : flag.default_value);
  }
  absl::StrAppendFormat(&text, "  %-34s %s\n", "--help", "prints this and exits");
  absl::StrAppendFormat(&text, "  %-34s %s\n", "--version", "prints the version and exits");
  absl::StrAppend(&text,
                  "\nSIGTERM or SIGINT finishes the accepted requests and exits with 0; a second one exits at once.\n");
  return text;
}

absl::StatusOr<CommandLine> ParseCommandLine(absl::Span<const absl::string_view> arguments) {
  CommandLine command_line;
  std::set<absl::string_view> seen;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const absl::string_view argument = arguments[i];
    if (argument == "--help" || argument == "-h") return CommandLine{Action::kHelp, {}};
    if (argument == "--version" || argument == "-v") return CommandLine{Action::kVersion, {}};
    if (!absl::StartsWith(argument, "--")) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", argument, "\" is not a flag; flags are --name=value or --name value"));
    }
    const absl::string_view typed = argument.substr(2, argument.find('=') - 2);
    const FlagInfo* flag = FindFlag(absl::StrReplaceAll(typed, {{"-", "_"}}));
    if (flag == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("--", typed, ": there is no such flag", Nearest(typed)));
    }
    const absl::string_view name = flag->name;
    const absl::string_view* const next = i + 1 < arguments.size() ? &arguments[i + 1] : nullptr;
    absl::string_view value = "true";
    if (typed.size() + 2 < argument.size()) {
      value = argument.substr(typed.size() + 3);
    } else if (flag->unit == kBool) {
      if (next != nullptr && (*next == "true" || *next == "false")) {
        return absl::InvalidArgumentError(
            absl::StrCat("--", name, ": takes a value only behind \"=\", as in --", name, "=", *next));
      }
    } else if (next != nullptr && !absl::StartsWith(*next, "--")) {
      value = *next;
      ++i;
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("--", name, ": needs a value, as in --", name, "=<", flag->unit, ">"));
    }
    if (!seen.insert(name).second) return absl::InvalidArgumentError(absl::StrCat("--", name, ": is given twice"));
    const absl::Status status = flag->set(value, command_line.options);
    if (!status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--", name, "=", value, ": ", status.message()));
    }
  }
  const ServerOptions& options = command_line.options;
  if (options.threads > 0 && options.executors > options.threads) {
    return absl::InvalidArgumentError(
        absl::StrCat("--executors=", options.executors, ": must be at most --threads=", options.threads));
  }
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("--tls_cert=", options.tls_cert, ", --tls_key=", options.tls_key,
                                                   ": one is of no use without the other"));
  }
  if (!options.tls_client_ca.empty() && options.tls_cert.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tls_client_ca=", options.tls_client_ca, ": is of no use without --tls_cert and --tls_key"));
  }
  return command_line;
}

}  // namespace heed
