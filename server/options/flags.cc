// SPDX-License-Identifier: Apache-2.0
#include "server/options/flags.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/flags/help_text.h"
#include "base/flags/man_page.h"
#include "base/flags/shell_completion.h"
#include "base/invalid_argument.h"
#include "base/listen_address.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "engine/graph/graph.h"
#include "server/http/cross_origin.h"
#include "server/registry/model_precisions.h"
#include "server/registry/version_policy.h"
#include "server/tracing/trace_endpoint.h"

namespace heed {
namespace {

using ModelLimits = decltype(ServerOptions::model_limits);

constexpr int64_t kMaxCount = int64_t{1} << 40;
constexpr int64_t kMaxBytes = int64_t{1} << 50;
constexpr double kMaxSeconds = 1'000'000;

absl::Status CheckAddress(absl::string_view value) { return ListenAddress::Parse(value).status(); }
absl::Status CheckAddressOrEmpty(absl::string_view value) {
  return value.empty() ? absl::OkStatus() : CheckAddress(value);
}
absl::Status CheckOrigins(absl::string_view value) { return CrossOrigin::ParseOrigins(value).status(); }
absl::Status CheckTraceEndpoint(absl::string_view value) {
  return value.empty() ? absl::OkStatus() : TraceEndpoint::Parse(value).status();
}
absl::Status CheckVersions(absl::string_view value) { return VersionPolicies::Parse(value).status(); }

absl::Status CheckPrecisions(absl::string_view value) {
  return ModelPrecisions::Parse(PrecisionName(Precision::kF32), value).status();
}

void AddModelFlags(ServerOptions& options, FlagTable& flags) {
  flags.AddSection("Models");
  flags.AddString("models", &options.models, "DIRECTORY",
                  "Directory of models, one per sub-directory. A Hugging Face cache and the directory of one model "
                  "work too. Empty uses share/heed/models of the installation, or else weights.");
  flags.AddString("model_name", &options.model_name, "NAME",
                  "Name of the model when --models is the directory of one model. Empty uses the directory's name.");
  flags.AddString("model_versions", &options.model_versions, "POLICY,...", CheckVersions,
                  "Versions to serve: latest:N for every model, and NAME=latest:N or NAME=V+V for one.");
  flags.AddChoice("precision", &options.precision, PrecisionNames(),
                  "Precision of the linear layers of every model. bf16 serves f32 where the machine has no fast bf16; "
                  "models that only have f32 keep it. The log says so.");
  flags.AddString("model_precision", &options.model_precision, "MODEL=PRECISION,...", CheckPrecisions,
                  "Precision of single models in place of --precision, as in en-de=int8,books=f32.");
  flags.AddDouble("poll_models_s", &options.poll_models_s, 0, kMaxSeconds, "SECONDS",
                  "Interval at which the server looks for changed model directories and loads them. 0 never looks.");
  flags.AddDouble("session_pin_s", &options.session_pin_s, 0, kMaxSeconds, "SECONDS",
                  "How long a replaced model version stays in memory for the sessions that were opened with it.");
  flags.AddChoice("ready_when", &options.ready_when, {"any", "all"},
                  "Whether the server reports that it is ready as soon as any model serves, or only when all do.");
}

void AddListenFlags(ServerOptions& options, FlagTable& flags) {
  flags.AddSection("Addresses");
  flags.AddString("listen", &options.listen, "HOST:PORT", CheckAddress,
                  "Where gRPC listens: HOST:PORT, [IPV6]:PORT, :PORT for every address, or unix:PATH. Port 0 picks a "
                  "free port, which the log names.");
  flags.AddString("metrics_listen", &options.metrics_listen, "HOST:PORT", CheckAddressOrEmpty,
                  "Where HTTP answers GET /metrics, /livez, /readyz and /buildinfo. Empty turns this port off.");
  flags.AddString("http_listen", &options.http_listen, "HOST:PORT", CheckAddressOrEmpty,
                  "Where HTTP takes requests for models, as JSON and as other programs' APIs. It has the certificates, "
                  "tokens and limits of gRPC. Empty turns this port off.");
  flags.AddBool("record_metrics", &options.record_metrics,
                "Count requests, steps and queues. If false, /metrics shows only the process.");
}

void AddSecurityFlags(ServerOptions& options, FlagTable& flags) {
  flags.AddSection("Security");
  flags.AddString("tls_cert", &options.tls_cert, "FILE",
                  "PEM file with the server's certificate and its intermediates. Empty means no encryption.");
  flags.AddString("tls_key", &options.tls_key, "FILE", "PEM file with the certificate's private key.");
  flags.AddString(
      "tls_client_ca", &options.tls_client_ca, "FILE",
      "PEM file with authorities. Clients must present a certificate that one of them signed. Empty asks for "
      "none.");
  flags.AddDouble("tls_reload_s", &options.tls_reload_s, 0, kMaxSeconds, "SECONDS",
                  "Interval at which the certificate files are checked. New connections use a change after this time.");
  flags.AddString(
      "tokens", &options.tokens, "FILE",
      "File of lines \"NAME TOKEN RIGHTS LIMITS\": RIGHTS is infer, manage or infer,manage; LIMITS are optional. It is "
      "read again when it changes. Empty admits everyone.");
  flags.AddBool("management", &options.management,
                "Let clients put, update and delete stored graphs, and load and unload models.");
}

// The flags that --model_limits may set for a model.
void AddLimitFlags(ServerOptions& options, FlagTable& flags) {
  flags.AddSection("Limits of each model");
  flags.AddInt("max_queued_requests", &options.max_queued_requests, "REQUESTS", 1, kMaxCount,
               "Maximum requests that wait for a model. More fail with RESOURCE_EXHAUSTED.");
  flags.AddInt("max_queued_tasks", &options.max_queued_tasks, "TASKS", 1, kMaxCount,
               "Maximum tasks (sentences, graphs) that wait for a model, and that one request may hold. More fail with "
               "RESOURCE_EXHAUSTED.");
  flags.AddInt("max_queued_rows", &options.max_queued_rows, "ROWS", 1, kMaxCount,
               "Maximum rows (packed tokens, nodes) that wait for a model, and that one request may hold. More fail "
               "with RESOURCE_EXHAUSTED.");
  flags.AddInt("max_batch_rows", &options.max_batch_rows, "ROWS", 1, kMaxCount,
               "Maximum rows (packed tokens, nodes) of a step. More give higher throughput, fewer give shorter steps.");
  flags.AddInt("max_running_tasks", &options.max_running_tasks, "TASKS", 1, kMaxCount,
               "Maximum tasks (sentences, graphs) of a model that run at the same time. The others wait.");
  flags.AddInt("max_cache_bytes", &options.max_cache_bytes, "BYTES", 1, kMaxBytes,
               "Maximum memory of a model's running tasks. Other tasks wait until there is room.");
  flags.AddInt("max_response_bytes", &options.max_response_bytes, "BYTES", 1, int64_t{1} << 31,
               "Maximum size of a response. A request for more fails with RESOURCE_EXHAUSTED, before it is computed "
               "where the size is known.");
}

// "max_batch_rows=64" into the limits of one model.
absl::Status AddModelLimit(absl::string_view text, std::map<std::string, std::string>& limits) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
  const auto& [name, value] = parts;
  ServerOptions ignored;
  FlagTable flags;
  AddLimitFlags(ignored, flags);
  const FlagInfo* const flag = flags.Find(name);
  if (flag == nullptr || flag->action) {
    std::vector<std::string> known;
    for (const FlagInfo& info : flags.flags()) {
      if (!info.action) known.push_back(info.name);
    }
    return InvalidArgument("\"", name, "\" is no limit of a model; known are ", absl::StrJoin(known, ", "));
  }
  if (name.size() == text.size()) {
    return InvalidArgument(flag->name, " needs a value, as in ", flag->name, "=", flag->unit);
  }
  if (const absl::Status status = flags.Set(name, std::string(value)); !status.ok()) {
    return InvalidArgument(absl::StripPrefix(status.message(), "--"));  // a limit, not a flag
  }
  const auto [before, added] = limits.emplace(flag->name, value);
  if (added) return absl::OkStatus();
  return InvalidArgument(flag->name, ": is given twice, as ", before->second, " and ", value);
}

// "en-de:max_queued_requests=64,max_batch_rows=256;ntm-babi:..." A model need not exist (yet).
absl::StatusOr<ModelLimits> ParseModelLimits(absl::string_view text) {
  ModelLimits models;
  for (absl::string_view entry : absl::StrSplit(text, ';', absl::SkipEmpty())) {
    const size_t colon = entry.rfind(':');  // a name may hold one
    if (colon == 0 || colon == entry.npos) {
      return InvalidArgument("\"", entry, "\" is not MODEL:LIMIT=VALUE,...");
    }
    const absl::string_view model = entry.substr(0, colon);
    const auto [limits, added] = models.try_emplace(std::string(model));
    if (!added) return InvalidArgument("model \"", model, "\" is named twice");
    for (absl::string_view limit : absl::StrSplit(entry.substr(colon + 1), ',')) {
      const absl::Status status = AddModelLimit(limit, limits->second);
      if (!status.ok()) return InvalidArgument("model \"", model, "\": ", status.message());
    }
  }
  return models;
}

void AddModelLimitsFlag(ServerOptions& options, FlagTable& flags) {
  const auto set = [&options](absl::string_view value) -> absl::Status {
    HEED_ASSIGN_OR_RETURN(options.model_limits, ParseModelLimits(value));
    return absl::OkStatus();
  };
  flags.AddParsed("model_limits", "MODEL:LIMIT=VALUE,...;...", set,
                  "Limits of single models, as in en-de:max_batch_rows=256;cora:max_running_tasks=8. The limits are "
                  "the flags above.");
}

void AddThreadFlags(ServerOptions& options, FlagTable& flags) {
  flags.AddSection("Threads");
  flags.AddInt("threads", &options.threads, "THREADS", 0, 1024,
               "Number of threads that run models. 0 uses the cgroup's CPU quota, or the number of cores without one.");
  flags.AddInt("executors", &options.executors, "STEPS", 0, 1024,
               "Number of steps that run at the same time, each on threads/executors threads. 0 chooses by load: one "
               "step on all "
               "threads when there is little to do, more when each has enough.");
}

void AddGraphFlags(ServerOptions& options, FlagTable& flags) {
  flags.AddSection("Translations");
  flags.AddInt(
      "translation_cache_bytes", &options.translation_cache_bytes, "BYTES", 0, kMaxBytes,
      "Memory for translated sentences: the same one with the same options is then computed once. Beyond it the "
      "least recently used one is dropped. 0 keeps none.");
  flags.AddSection("Stored graphs");
  flags.AddString("graphs", &options.graphs, "DIRECTORY",
                  "Directory for stored graphs, created if it does not exist. Empty keeps them only in memory.");
  flags.AddDouble("graph_save_interval_s", &options.graph_save_interval_s, 0, kMaxSeconds, "SECONDS",
                  "Maximum time before an update of a stored graph is written. A crash can lose this much.");
  flags.AddInt("max_graph_bytes", &options.max_graph_bytes, "BYTES", 1, kMaxBytes,
               "Maximum memory of stored graphs, their precomputed outputs and graphs that arrive. More fail with "
               "RESOURCE_EXHAUSTED.");
  flags.AddInt("max_graph_nodes", &options.max_graph_nodes, "NODES", 1, kMaxGraphNodes,
               "Maximum nodes of a stored graph. Larger graphs fail with INVALID_ARGUMENT.");
  flags.AddInt("max_inline_nodes", &options.max_inline_nodes, "NODES", 1, kMaxGraphNodes,
               "Maximum nodes of a graph that a request carries. Larger graphs fail with INVALID_ARGUMENT.");
}

void AddSessionFlags(ServerOptions& options, FlagTable& flags) {
  flags.AddSection("Sessions");
  flags.AddString("sessions", &options.sessions, "PLACE",
                  "Where sessions are stored: a directory, or redis[s]://[[USER]:PASSWORD@]HOST:PORT[/DATABASE]; "
                  "HEED_REDIS_PASSWORD "
                  "may hold the password. Empty keeps them only in memory.");
  flags.AddString("redis_ca", &options.redis_ca, "FILE",
                  "PEM file with the authorities that may have signed the certificate of Redis, with rediss://. Empty "
                  "trusts the system's.");
  flags.AddString("redis_cert", &options.redis_cert, "FILE",
                  "PEM file with the certificate to present to Redis. It needs --redis_key. Empty presents none.");
  flags.AddString("redis_key", &options.redis_key, "FILE", "PEM file with the key of --redis_cert.");
  flags.AddDouble("session_idle_s", &options.session_idle_s, 0, kMaxSeconds, "SECONDS",
                  "Time after which an unused session is closed. 0 never closes one.");
  flags.AddInt(
      "max_sessions", &options.max_sessions, "SESSIONS", 1, kMaxCount,
      "Maximum sessions in memory. Beyond it the least recently used session is evicted, and lost if --sessions "
      "is empty.");
  flags.AddInt("max_session_bytes", &options.max_session_bytes, "BYTES", 1, kMaxBytes,
               "Maximum memory of sessions. Beyond it sessions are evicted as for --max_sessions.");
  flags.AddInt("max_stored_sessions", &options.max_stored_sessions, "SESSIONS", 1, kMaxCount,
               "Maximum sessions in the directory of --sessions. More fail with RESOURCE_EXHAUSTED. Redis has its own "
               "maxmemory.");
  flags.AddInt("session_facts", &options.session_facts, "FACTS", 1, kMaxCount,
               "Maximum facts in a session. More fail with RESOURCE_EXHAUSTED.");
  flags.AddInt("session_tokens", &options.session_tokens, "TOKENS", 1, kMaxCount,
               "Maximum tokens that the memory of a session with a language model holds. More fail with "
               "RESOURCE_EXHAUSTED. A Transformer-XL's memory stays at its mem_len, however much it reads.");
}

void AddConnectionFlags(ServerOptions& options, FlagTable& flags) {
  constexpr int64_t kMaxConnections = 10'000'000;
  flags.AddSection("Connections");
  flags.AddInt("max_message_bytes", &options.max_message_bytes, "BYTES", 1024, (int64_t{1} << 31) - 1,
               "Maximum size of a request message. Larger messages fail with RESOURCE_EXHAUSTED.");
  flags.AddInt("max_concurrent_streams", &options.max_concurrent_streams, "CALLS", 1, 1 << 30,
               "Maximum calls in progress on one connection. The client holds back the others.");
  flags.AddDouble(
      "max_connection_age_s", &options.max_connection_age_s, 0, kMaxSeconds, "SECONDS",
      "Age at which the server asks a connection to close, so that clients find new servers. 0 never asks.");
  flags.AddDouble("max_connection_age_grace_s", &options.max_connection_age_grace_s, 0, kMaxSeconds, "SECONDS",
                  "Time that calls on such a connection have left before it is cut off.");
  flags.AddDouble("min_ping_interval_s", &options.min_ping_interval_s, 0, kMaxSeconds, "SECONDS",
                  "Minimum interval between a client's pings. A client that keeps pinging faster is cut off.");
  flags.AddDouble(
      "keepalive_s", &options.keepalive_s, 0, kMaxSeconds, "SECONDS",
      "Silence after which the server pings a peer. A peer that does not answer in as long, at most 20 s, is "
      "cut off. 0 never pings.");
  flags.AddInt("max_connections", &options.max_connections, "CONNECTIONS", 0, kMaxConnections,
               "Maximum open gRPC connections. More are closed at once. 0 means 10000, or fewer if the limit of file "
               "descriptors is low.");
  flags.AddInt("max_connections_per_address", &options.max_connections_per_address, "CONNECTIONS", -1, kMaxConnections,
               "Maximum connections from one IPv4 address or IPv6 /64 network. 0 means no limit; -1 means half of "
               "--max_connections, except for loopback addresses.");
  flags.AddInt("max_grpc_bytes", &options.max_grpc_bytes, "BYTES", 1 << 20, kMaxBytes,
               "Maximum memory of gRPC's buffers. Beyond it reads slow down and new connections are closed.");
  flags.AddInt("max_stream_events", &options.max_stream_events, "EVENTS", 1, kMaxCount,
               "Maximum events of a stream that wait for its reader. Beyond it the request is parked.");
  flags.AddDouble(
      "max_reader_lag_s", &options.max_reader_lag_s, 0, kMaxSeconds, "SECONDS",
      "Maximum time that a request stays parked before it ends with ABORTED. After as long again the reader "
      "is cut off.");
}

void AddHttpFlags(ServerOptions& options, FlagTable& flags) {
  flags.AddSection("HTTP");
  flags.AddBool("http_page", &options.http_page,
                "Serve a page at / on which a person tries the models in a browser. It has no rights of its own.");
  flags.AddInt("http_threads", &options.http_threads, "THREADS", 1, 64,
               "Threads that read and write HTTP. None of them waits for a model.");
  flags.AddString("http_cors_origins", &options.http_cors_origins, "ORIGIN,...", CheckOrigins,
                  "Origins whose pages may read answers in a browser, as https://example.com. * allows every page. "
                  "Empty allows none.");
  flags.AddInt(
      "max_http_connections", &options.max_http_connections, "CONNECTIONS", 0, 10'000'000,
      "Maximum open HTTP connections. Beyond it the address that has most loses the one that has waited for longest. "
      "0 means 10000, or fewer if there are few file descriptors.");
  flags.AddInt(
      "max_http_bytes", &options.max_http_bytes, "BYTES", 1 << 20, kMaxBytes,
      "Maximum memory of the bodies of all HTTP requests and of answers that wait for their readers. Beyond it "
      "requests are refused with 503.");
  flags.AddDouble("http_idle_s", &options.http_idle_s, 0.1, kMaxSeconds, "SECONDS",
                  "Time that an HTTP connection may wait for its next request before it is closed.");
  flags.AddDouble("http_transfer_s", &options.http_transfer_s, 0.1, kMaxSeconds, "SECONDS",
                  "Time that a request's head, a body or an answer may take on its way, and a second more for each 16 "
                  "KiB. A slower client is cut off.");
}

void AddOperationFlags(ServerOptions& options, FlagTable& flags) {
  flags.AddSection("Stopping");
  flags.AddDouble("lame_duck_s", &options.lame_duck_s, 0, kMaxSeconds, "SECONDS",
                  "Time after SIGTERM during which the server accepts requests while its health is NOT_SERVING.");
  flags.AddDouble("drain_timeout_s", &options.drain_timeout_s, 0, kMaxSeconds, "SECONDS",
                  "Time that accepted requests have after SIGTERM before they end with UNAVAILABLE.");
  flags.AddSection("Logs");
  flags.AddChoice("log_level", &options.log_level, {"debug", "info", "warn", "error"},
                  "Lowest level that is logged. debug logs every request, but never its text.");
  flags.AddChoice("log_format", &options.log_format, {"logfmt", "json"},
                  "Format of log lines: logfmt (event key=value ...) or one JSON object per line.");
  flags.AddDouble("slow_request_ms", &options.slow_request_ms, 0, 1'000'000'000, "MILLISECONDS",
                  "Duration from which a request is counted and logged as slow. 0 counts none.");
  flags.AddSection("Traces");
  flags.AddString("trace_endpoint", &options.trace_endpoint, "ENDPOINT", CheckTraceEndpoint,
                  "OpenTelemetry collector that gets a trace of each request, over OTLP/gRPC: HOST:PORT, or "
                  "https://HOST:PORT with encryption. Empty traces nothing.");
  flags.AddString("trace_ca", &options.trace_ca, "FILE",
                  "PEM file with the authorities that may have signed the collector's certificate, with https://. "
                  "Empty trusts the system's.");
  flags.AddDouble("trace_sample_ratio", &options.trace_sample_ratio, 0, 1, "RATIO",
                  "Part of the requests that are traced. Where a request has a traceparent, its sampled flag decides "
                  "instead.");
  flags.AddInt("trace_queue_spans", &options.trace_queue_spans, "SPANS", 256, 10'000'000,
               "Maximum spans that wait to be sent. More are dropped and counted; no request waits.");
}

// The flags that choose what the program does.
struct ProgramFlags {
  std::string config;
  std::string completion;

  void AddTo(FlagTable& flags) {
    flags.AddSection("Program");
    flags
        .AddString("config", &config, "FILE",
                   "TOML file of NAME = VALUE lines, one for each flag to set. Flags on the command line win.")
        .configurable = false;
    flags.AddAction("print_config", '\0',
                    "Print a configuration file that holds every flag, as a comment with its default.");
    flags
        .AddChoice("completion", &completion, {"bash", "zsh"},
                   "Print a script with which this shell completes the flags.")
        .configurable = false;
    flags.AddAction("man", '\0', "Print the manual page, in troff.");
    flags.AddAction("version", 'v', "Print the version.");
    flags.AddAction("help", 'h', "Print this text.");
    flags.AddAction("help_markdown", '\0', "");
  }
};

CommandPage Page() {
  ServerOptions defaults;
  ProgramFlags program;
  FlagTable flags;
  AddServerFlags(defaults, flags);
  program.AddTo(flags);
  return {.name = "heed-server",
          .summary = "serve attention models over gRPC and HTTP",
          .synopsis = "heed-server [--flag=value | --flag value] ...",
          .description =
              "Serves the models in a directory over gRPC and, with --http_listen, over HTTP. Without flags it listens "
              "only on "
              "the loopback address.",
          .flags = flags.flags(),
          .after_flags =
              "Signals:\n"
              "  SIGTERM or SIGINT finishes the accepted requests and exits with 0.\n"
              "  A second one exits at once.\n"
              "\n"
              "Environment:\n"
              "  HEED_REDIS_PASSWORD       the password of the Redis server in --sessions\n"
              "  OTEL_SERVICE_NAME         the service that traces name, in place of heed-server\n"
              "  OTEL_RESOURCE_ATTRIBUTES  what else traces tell of this process: KEY=VALUE,...\n"
              "\n"
              "Exit codes:\n"
              "  0  stopped by a signal\n"
              "  1  cannot start\n"
              "  2  wrong flags\n"};
}

std::string TextOf(absl::string_view action) {
  if (action == "version") return absl::StrCat("heed-server ", kHeedVersion, "\n");
  if (action == "print_config") return DefaultConfig(Page());
  if (action == "man") return ManPage(ServerPage(), kHeedVersion, "heed");
  if (action == "help_markdown") return MarkdownTable(Page().flags, /*common=*/false);
  return HelpText();
}

// What no flag can check by itself.
absl::Status CheckTogether(const ServerOptions& options) {
  if (options.threads > 0 && options.executors > options.threads) {
    return InvalidArgument("--executors=", options.executors, ": must be at most --threads=", options.threads);
  }
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return InvalidArgument("--tls_cert=", options.tls_cert, ", --tls_key=", options.tls_key,
                           ": one is of no use without the other");
  }
  if (!options.trace_ca.empty() && !absl::StartsWith(options.trace_endpoint, "https://")) {
    return InvalidArgument("--trace_ca=", options.trace_ca,
                           ": is of no use without --trace_endpoint=https://HOST:PORT");
  }
  if (!options.tls_client_ca.empty() && options.tls_cert.empty()) {
    return InvalidArgument("--tls_client_ca=", options.tls_client_ca,
                           ": is of no use without --tls_cert and --tls_key");
  }
  return absl::OkStatus();
}

}  // namespace

void AddServerFlags(ServerOptions& options, FlagTable& flags) {
  AddModelFlags(options, flags);
  AddListenFlags(options, flags);
  AddSecurityFlags(options, flags);
  AddThreadFlags(options, flags);
  AddLimitFlags(options, flags);
  AddModelLimitsFlag(options, flags);
  AddGraphFlags(options, flags);
  AddSessionFlags(options, flags);
  AddConnectionFlags(options, flags);
  AddHttpFlags(options, flags);
  AddOperationFlags(options, flags);
}

ServerOptions OptionsOf(absl::string_view name, const ServerOptions& options) {
  ServerOptions result = options;
  const auto limits = options.model_limits.find(std::string(name));
  if (limits == options.model_limits.end()) return result;
  FlagTable flags;
  AddLimitFlags(result, flags);
  for (const auto& [flag, value] : limits->second) flags.Set(flag, value).IgnoreError();  // checked by --model_limits
  return result;
}

std::string HelpText() { return HelpText(Page()); }

ProgramPage ServerPage() { return {Page(), {}}; }

absl::StatusOr<CommandLine> ParseCommandLine(absl::Span<const absl::string_view> arguments) {
  CommandLine command_line;
  ProgramFlags program;
  FlagTable flags(FlagTable::Repeated::kRefused);
  AddServerFlags(command_line.options, flags);
  program.AddTo(flags);
  HEED_ASSIGN_OR_RETURN(const std::vector<std::string> others,
                        flags.Parse(std::vector<std::string>(arguments.begin(), arguments.end())));
  if (!flags.action().empty()) return CommandLine{CommandLine::Action::kPrint, TextOf(flags.action()), {}};
  if (!others.empty()) {
    return InvalidArgument("\"", others[0], "\" is not a flag; flags are --name=value or --name value");
  }
  if (!program.completion.empty()) {
    return CommandLine{CommandLine::Action::kPrint,
                       program.completion == "bash" ? BashCompletion(ServerPage()) : ZshCompletion(ServerPage()),
                       {}};
  }
  if (!program.config.empty()) {
    const absl::Status status = flags.ReadConfig(program.config);
    if (!status.ok()) return InvalidArgument("--config=", program.config, ": ", status.message());
  }
  HEED_RETURN_IF_ERROR(CheckTogether(command_line.options));
  return command_line;
}

}  // namespace heed
