#include "server/server.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <future>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/listen_address.h"
#include "base/status_macros.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "server/build_info.h"
#include "server/graphs/graph_store.h"
#include "server/memory_trimmer.h"
#include "server/network/descriptor_budget.h"
#include "server/network/grpc_port.h"
#include "server/network/http_endpoint.h"
#include "server/network/listening_sockets.h"
#include "server/platform/thread_budget.h"
#include "server/registry/model_loader.h"
#include "server/registry/readiness.h"
#include "server/rpc/checked_messages.h"
#include "server/scheduling/preparation.h"
#include "server/security/authorization.h"
#include "server/security/certificates.h"
#include "server/security/credentials.h"
#include "server/security/tokens.h"
#include "server/services/graphs.h"
#include "server/services/health.h"
#include "server/services/inference.h"
#include "server/services/models.h"
#include "server/services/questions.h"
#include "server/services/sequences.h"
#include "server/services/translation.h"
#include "server/sessions/session_store.h"
#include "server/telemetry/log.h"
#include "server/telemetry/request_log.h"

namespace heed {
namespace {

// After the accepted requests are done, gRPC still sends their last bytes.
constexpr std::chrono::seconds kLastBytes(2);

// A client that has sent nothing for this long has heard that the server is shutting down.
constexpr std::chrono::milliseconds kQuiet(100);
constexpr std::chrono::seconds kMaxRefusing(2);

// That a new connection has until the peer has shaken hands, TLS included, and said that it speaks HTTP/2: one that
// says nothing takes the place of another. gRPC would wait for 120 s.
constexpr double kMaxHandshakeSeconds = 20;

// That a peer has to answer the server's ping.
constexpr double kMaxKeepaliveAnswerSeconds = 20;

Clock::duration Seconds(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

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
  result.idle_limit = Seconds(options.session_idle_s);
  result.max_sessions = options.max_sessions;
  result.max_bytes = options.max_session_bytes;
  result.max_stored_sessions = options.max_stored_sessions;
  result.max_facts = options.session_facts;
  return result;
}

int Milliseconds(double seconds) { return static_cast<int>(std::min(seconds * 1000, 2e9)); }

// How long a peer may leave unanswered what was sent to it: pings, and the kernel's segments.
double KeepaliveAnswerSeconds(const ServerOptions& options) {
  return std::min(options.keepalive_s, kMaxKeepaliveAnswerSeconds);
}

absl::StatusOr<ListeningSockets> Listen(absl::string_view flag, const std::string& address, double user_timeout_s = 0) {
  const absl::StatusOr<ListenAddress> parsed = ListenAddress::Parse(address);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("--", flag, "=", address, ": ", parsed.status().message()));
  }
  absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Open(*parsed, Seconds(user_timeout_s));
  if (sockets.ok()) return sockets;
  return absl::Status(sockets.status().code(),
                      absl::StrCat("cannot listen on ", address, " (--", flag, "): ", sockets.status().message()));
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

void LogConnectionLimits(const ServerOptions& options, const ConnectionLimits& limits) {
  std::vector<LogField> fields = {{"max_connections", limits.max_connections},
                                  {"max_connections_per_address", limits.max_per_address},
                                  {"max_file_descriptors", DescriptorLimit()}};
  const bool is_less = options.max_connections > limits.max_connections;
  if (is_less) fields.emplace_back("problem", "the limit of file descriptors leaves no room for --max_connections");
  Log(is_less ? LogLevel::kWarn : LogLevel::kInfo, "connections", fields);
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

}  // namespace

// In order of construction: each may use those above it, and is destroyed before them.
struct Server::Parts {
  Parts(const ServerOptions& server_options, int thread_budget, std::unique_ptr<Registry> models)
      : options(server_options),
        threads(thread_budget),
        scheduler_options(ToSchedulerOptions(options, threads)),
        metrics(options.record_metrics),
        registry(std::move(models)),
        scheduler(scheduler_options, metrics),
        requests(Seconds(options.slow_request_ms / 1000), metrics),
        translation(*registry, jobs(), options.max_stream_events, Seconds(options.max_reader_lag_s)),
        sequences(*registry, jobs()) {}

  JobParts jobs() { return {requests, scheduler, preparation}; }
  MessageLimits message_limits() const { return {.max_bytes = options.max_message_bytes}; }

  // Who may call what, and by which certificates.
  absl::Status OpenGate() {
    std::unique_ptr<TokenFile> tokens;
    if (!options.tokens.empty()) {
      absl::StatusOr<std::unique_ptr<TokenFile>> opened = TokenFile::Open(options.tokens, Clock::now());
      if (!opened.ok()) {
        return absl::Status(opened.status().code(), absl::StrCat("--tokens=", opened.status().message()));
      }
      tokens = *std::move(opened);
      const absl::StatusOr<ListenAddress> address = ListenAddress::Parse(options.listen);
      if (options.tls_cert.empty() && address.ok() && !address->IsLocal()) {
        LogWarn("tokens", {{"listen", options.listen}, {"problem", "without --tls_cert they travel in plain text"}});
      }
    }
    auto on = [](bool is_on) { return is_on ? "on" : "off"; };
    LogInfo("security", {{"tls", on(!options.tls_cert.empty())},
                         {"client_certificates", on(!options.tls_client_ca.empty())},
                         {"tokens", on(!options.tokens.empty())},
                         {"management", on(options.management)}});
    authorization = std::make_unique<Authorization>(std::move(tokens), options.management, metrics);
    if (!options.tls_cert.empty()) {
      HEED_ASSIGN_OR_RETURN(certificates,
                            CertificateFiles::Open({options.tls_cert, options.tls_key, options.tls_client_ca},
                                                   Seconds(options.tls_reload_s), Clock::now()));
    }
    return absl::OkStatus();
  }

  // The last parts that can fail.
  absl::Status OpenStores() {
    HEED_ASSIGN_OR_RETURN(sessions, SessionStore::Open(ToSessionOptions(options), *registry, metrics));
    questions = std::make_unique<QuestionsService>(
        QuestionParts{*registry, scheduler, *sessions, requests, preparation, message_limits()});
    HEED_ASSIGN_OR_RETURN(graphs, GraphStore::Open(ToGraphStoreOptions(options), *registry, scheduler, metrics));
    graphs_service =
        std::make_unique<GraphsService>(*registry, jobs(), *graphs, options.max_inline_nodes, message_limits());
    return absl::OkStatus();
  }

  void MakeLoader() {
    ModelLoaderOptions loader_options;
    loader_options.poll_interval = Seconds(options.poll_models_s);
    loader = std::make_unique<ModelLoader>(
        loader_options, *registry, [this](const ModelStatus& version) { Tell(version); },
        [this](const auto& model, bool is_default) { return PrecomputeFor(model, is_default); });
    models_service = std::make_unique<ModelsService>(*registry, *loader, requests);
    inference = std::make_unique<InferenceService>(InferenceParts{*registry, *loader, jobs(), health, message_limits(),
                                                                  options.max_inline_nodes, options.max_stream_events,
                                                                  Seconds(options.max_reader_lag_s)});
  }

  // Gives the model's metrics their first values, if they have none: whoever watches them sees the first change, too.
  void ShowModel(const std::string& name);
  // A version was tried or has left.
  void Tell(const ModelStatus& version);
  // Of the graphs that want the outputs of the model that is to take over. They answer without, should it fail.
  absl::Status PrecomputeFor(const std::shared_ptr<const Model>& model, bool is_default);

  absl::Status ListenForHttp() {
    if (options.metrics_listen.empty()) return absl::OkStatus();
    HEED_ASSIGN_OR_RETURN(ListeningSockets sockets, Listen("metrics_listen", options.metrics_listen));
    HttpConnectionLimits limits;
    limits.max_connections = static_cast<size_t>(descriptors.max_http_connections);
    HEED_ASSIGN_OR_RETURN(
        http,
        HttpEndpoint::Serve(std::move(sockets), limits,
                            {{"/buildinfo",
                              [] {
                                return HttpAnswer{200, BuildInfoJson(), "application/json"};
                              }},
                             {"/livez",
                              [] {
                                return HttpAnswer{200, "alive\n"};
                              }},
                             {"/metrics",
                              [this] {
                                return HttpAnswer{200, metrics.Text(), "text/plain; version=0.0.4; charset=utf-8"};
                              }},
                             {"/readyz", [this] { return ReadinessPage(); }}}));
    LogInfo("metrics", {{"address", http->address()}});
    return absl::OkStatus();
  }

  std::vector<std::string> ReasonsNotToBeReadyNow(absl::Span<const ModelStatus> models) const {
    ReadinessInputs inputs;
    inputs.loaded = loaded;
    inputs.shutting_down = shutting_down;
    inputs.needs_all = options.ready_when == "all";
    if (grpc_port != nullptr) inputs.not_accepting = grpc_port->NotAccepting();
    return ReasonsNotToBeReady(inputs, models);
  }
  HttpAnswer ReadinessPage() const {
    const std::vector<ModelStatus> models = registry->List();
    const std::vector<std::string> reasons = ReasonsNotToBeReadyNow(models);
    return {reasons.empty() ? 200u : 503u, ReadinessText(reasons, models)};
  }
  // Something that readiness depends on has changed. `loaded_now`: fields of the line that reports the first loading;
  // otherwise a line is logged only if readiness has changed.
  void UpdateReadiness(absl::Span<const LogField> loaded_now = {});
  void OnLoaded(Clock::duration duration);
  void ShutDownHealth() {
    shutting_down = true;
    health.Shutdown();
    metrics.Set(Metric::kReady, {}, 0);
  }

  const ServerOptions options;
  const DescriptorBudget descriptors = ShareDescriptors(DescriptorLimit(), options.max_connections);
  const int threads;
  const SchedulerOptions scheduler_options;
  Metrics metrics;
  const std::unique_ptr<Registry> registry;
  Scheduler scheduler;
  RequestLog requests;
  MemoryTrimmer trimmer{[this] { return requests.in_flight(); }};
  Preparation preparation;
  HealthService health;
  TranslationService translation;
  SequencesService sequences;
  std::unique_ptr<SessionStore> sessions;
  std::unique_ptr<QuestionsService> questions;
  std::unique_ptr<GraphStore> graphs;
  std::unique_ptr<GraphsService> graphs_service;
  std::unique_ptr<Authorization> authorization;
  std::unique_ptr<CertificateFiles> certificates;  // null: plain text
  std::unique_ptr<ModelLoader> loader;
  std::unique_ptr<ModelsService> models_service;
  std::unique_ptr<InferenceService> inference;
  std::deque<CheckedService> checked_services;  // as they are registered
  int port = 0;                                 // of gRPC
  std::atomic<bool> loaded = false;             // each model and each stored graph was tried
  std::atomic<bool> shutting_down = false;
  std::atomic<bool> is_ready = false;  // as was last reported
  std::unique_ptr<GrpcPort> grpc_port;
  std::unique_ptr<grpc::Server> grpc_server;
  std::unique_ptr<HttpEndpoint> http;  // null: nowhere
};

void Server::Parts::UpdateReadiness(absl::Span<const LogField> loaded_now) {
  // Others may do the same meanwhile. Whoever is the last to set it sees what all have changed.
  std::vector<ModelStatus> models;
  std::vector<std::string> reasons;
  bool ready = false;
  do {
    models = registry->List();
    reasons = ReasonsNotToBeReadyNow(models);
    ready = reasons.empty();
    health.Set("", ready);
    metrics.Set(Metric::kReady, {}, ready ? 1 : 0);
  } while (ready != ReasonsNotToBeReadyNow(registry->List()).empty());
  if (!loaded || (is_ready.exchange(ready) == ready && loaded_now.empty())) return;
  auto count = [&](ModelState state) {
    return std::count_if(models.begin(), models.end(), [&](const ModelStatus& one) { return one.state == state; });
  };
  std::vector<LogField> fields = {{"models", count(ModelState::kReady)},
                                  {"unavailable", count(ModelState::kUnavailable)}};
  const std::string reason = absl::StrJoin(reasons, "; ");
  if (!ready) fields.emplace_back("reason", reason);
  fields.insert(fields.end(), loaded_now.begin(), loaded_now.end());
  Log(ready ? LogLevel::kInfo : LogLevel::kWarn, ready ? "ready" : "not_ready", fields);
}

void Server::Parts::OnLoaded(Clock::duration duration) {
  loaded = true;
  UpdateReadiness({{"threads", threads}, {"executors", scheduler_options.executors}, {"seconds", ToSeconds(duration)}});
}

void Server::Parts::ShowModel(const std::string& name) {
  const BatchLimits& limits = scheduler.LimitsOf(name);
  metrics.Set(Metric::kMaxBatchRows, {name}, static_cast<double>(limits.max_batch_rows));
  metrics.Set(Metric::kMaxQueuedRequests, {name}, static_cast<double>(limits.max_queued_jobs));
  for (const char* outcome : {"ok", "failed"}) metrics.Add(Metric::kModelLoads, {name, outcome}, 0);
  for (const Metric gauge : {Metric::kModelReady, Metric::kModelVersion, Metric::kQueuedRequests, Metric::kQueuedTasks,
                             Metric::kRunningTasks}) {
    metrics.Increment(gauge, {name}, 0);
  }
}

void Server::Parts::Tell(const ModelStatus& version) {
  const std::string& name = version.name;
  ShowModel(name);
  if (!version.reason.ok()) {
    metrics.Add(Metric::kModelLoads, {name, "failed"});
    LogError("model", {{"name", name},
                       {"version", version.version},
                       {"state", version.model == nullptr ? "unavailable" : "ready"},
                       {"code", absl::StatusCodeToString(version.reason.code())},
                       {"reason", version.reason.message()}});
  } else if (version.model == nullptr) {
    LogInfo("model", {{"name", name}, {"version", version.version}, {"state", "unloaded"}});
  } else {
    const ModelSpec& spec = version.model->spec();
    metrics.Add(Metric::kModelLoads, {name, "ok"});
    for (const std::string& warning : spec.warnings) {
      LogWarn("model", {{"name", name}, {"version", version.version}, {"warning", warning}});
    }
    LogInfo("model", {{"name", name},
                      {"version", version.version},
                      {"state", "ready"},
                      {"architecture", spec.architecture},
                      {"weights", spec.weights},
                      {"resident_bytes", spec.resident_bytes},
                      {"seconds", version.load_seconds}});
  }
  int64_t default_version = 0;
  int64_t resident_bytes = 0;
  for (const ModelStatus& one : registry->List()) {
    if (one.name != name || one.model == nullptr) continue;
    resident_bytes += one.model->spec().resident_bytes;
    if (one.is_default) default_version = one.version;
  }
  metrics.Set(Metric::kModelReady, {name}, default_version > 0 ? 1 : 0);
  metrics.Set(Metric::kModelVersion, {name}, static_cast<double>(default_version));
  metrics.Set(Metric::kModelResidentBytes, {name}, static_cast<double>(resident_bytes));
  if (version.load_seconds > 0) metrics.Set(Metric::kModelLoadSeconds, {name}, version.load_seconds);
  health.Set(name, default_version > 0);
  UpdateReadiness();
  // Before the graphs are restored, and after they have stopped, there are no outputs to lose.
  if (default_version == 0 && version.state == ModelState::kUnloaded) graphs->Forget(name).IgnoreError();
}

absl::Status Server::Parts::PrecomputeFor(const std::shared_ptr<const Model>& model, bool is_default) {
  auto classifier = std::dynamic_pointer_cast<const GraphClassifier>(model);
  if (!is_default || classifier == nullptr) return absl::OkStatus();
  auto done = std::make_shared<std::promise<absl::Status>>();
  absl::Status status =
      graphs->Precompute(std::move(classifier), [done](const absl::Status& result) { done->set_value(result); });
  if (status.ok()) status = done->get_future().get();
  // Before Restore there are no graphs.
  if (!status.ok() && !absl::IsUnavailable(status)) {
    LogError("graphs", {{"precompute", model->spec().name},
                        {"code", absl::StatusCodeToString(status.code())},
                        {"reason", status.message()}});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, Registry::LoadFunction load) {
  RegistryOptions registry_options;
  HEED_ASSIGN_OR_RETURN(registry_options.policies, VersionPolicies::Parse(options.model_versions));
  registry_options.model_name = options.model_name;
  registry_options.session_pin = Seconds(options.session_pin_s);
  absl::StatusOr<std::unique_ptr<Registry>> registry =
      Registry::Open(options.models, std::move(load), std::move(registry_options));
  if (!registry.ok()) return registry.status();
  if ((*registry)->List().empty()) {
    LogWarn("models", {{"directory", options.models}, {"reason", (*registry)->WhyNone()}});
  }
  const int threads = options.threads > 0 ? static_cast<int>(options.threads) : ThreadBudget();
  auto parts = std::make_unique<Parts>(options, threads, *std::move(registry));
  parts->metrics.Set(Metric::kThreads, {}, threads);
  parts->metrics.Set(Metric::kExecutors, {}, parts->scheduler_options.executors);
  HEED_RETURN_IF_ERROR(parts->OpenGate());
  HEED_RETURN_IF_ERROR(parts->OpenStores());
  parts->MakeLoader();
  for (const ModelStatus& model : parts->registry->List()) {
    parts->health.Set(model.name, false);
    parts->ShowModel(model.name);
  }
  HEED_ASSIGN_OR_RETURN(ListeningSockets sockets, Listen("listen", options.listen, KeepaliveAnswerSeconds(options)));
  parts->port = sockets.port();
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  SetLimits(options, threads, builder);
  const ConnectionLimits limits = ToConnectionLimits(options, parts->descriptors);
  LogConnectionLimits(options, limits);
  parts->grpc_port = std::make_unique<GrpcPort>(
      std::move(sockets), limits, MakeCredentials(*parts->authorization, parts->certificates.get()), builder,
      parts->metrics, [parts = parts.get()] { parts->UpdateReadiness(); });
  HEED_RETURN_IF_ERROR(parts->ListenForHttp());
  // Every service passes through here, so that none of its methods that manage is forgotten.
  const std::pair<const char*, grpc::Service*> services[] = {
      {grpc::health::v1::Health::service_full_name(), &parts->health},
      {v1::Models::service_full_name(), parts->models_service.get()},
      {v1::Translation::service_full_name(), &parts->translation},
      {v1::Sequences::service_full_name(), &parts->sequences},
      {v1::QuestionAnswering::service_full_name(), parts->questions.get()},
      {v1::Graphs::service_full_name(), parts->graphs_service.get()},
      {inference::GRPCInferenceService::service_full_name(), parts->inference.get()},
  };
  for (const auto& [name, service] : services) {
    RefuseManagement(*parts->authorization, name, *service);
    builder.RegisterService(
        &parts->checked_services.emplace_back(name, *service, parts->message_limits(), parts->requests));
    parts->health.AddService(name);
  }
  parts->grpc_server = builder.BuildAndStart();
  if (parts->grpc_server == nullptr) return absl::InternalError("gRPC's server does not start");
  parts->grpc_port->Start();
  LogInfo("listening", {{"address", parts->grpc_port->sockets().address()}});

  std::unique_ptr<Server> server(new Server(std::move(parts)));
  server->parts_->loader->Start([self = server.get(), start = Clock::now()] { self->OnLoaded(start); });
  return server;
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() {
  {
    MutexLock lock(mutex_);
    if (shut_down_) return;
  }
  Stop(Clock::duration::zero());
}

int Server::port() const { return parts_->port; }
int Server::metrics_port() const { return parts_->http == nullptr ? 0 : parts_->http->port(); }
const Metrics& Server::metrics() const { return parts_->metrics; }

void Server::WaitUntilLoaded() {
  MutexLock lock(mutex_);
  while (!loaded_) loaded_changed_.Wait(mutex_);
}

void Server::OnLoaded(TimePoint start) {
  if (parts_->registry->stopped()) return;
  if (!parts_->graphs->Restore()) return;  // stopped on the way
  parts_->OnLoaded(Clock::now() - start);
  MutexLock lock(mutex_);
  loaded_ = true;
  loaded_changed_.NotifyAll();
}

void Server::Shutdown() {
  {
    MutexLock lock(mutex_);
    shut_down_ = true;
  }
  const double lame_duck_s = parts_->options.lame_duck_s;
  if (lame_duck_s > 0) {
    LogInfo("lame_duck", {{"limit_s", lame_duck_s}});
    parts_->ShutDownHealth();
    std::this_thread::sleep_for(Seconds(lame_duck_s));
  }
  Stop(Seconds(parts_->options.drain_timeout_s));
}

void Server::Stop(Clock::duration limit) {
  const TimePoint start = Clock::now();
  LogInfo("draining", {{"limit_s", ToSeconds(limit)}});
  parts_->loader->Stop();
  parts_->ShutDownHealth();
  parts_->scheduler.Refuse();
  parts_->questions->Refuse();
  parts_->inference->Refuse();
  int64_t cut_off = parts_->graphs->Drain(start + limit);  // with the jobs that the changes need
  cut_off += parts_->scheduler.Drain(start + limit);
  parts_->graphs->Stop();
  parts_->sessions->Stop();  // with the changes that the last jobs made
  RefuseUntilQuiet(std::min(start + limit, Clock::now() + kMaxRefusing));
  parts_->health.EndWatches();
  // What was answered may still be on its way to a slow reader: that has the rest of the limit, too. Where no call is
  // left, gRPC would still wait for peers that answer nothing.
  Clock::duration left = kLastBytes;
  if (parts_->requests.in_flight() > 0) left = std::max(left, start + limit - Clock::now());
  parts_->grpc_port->Stop();
  parts_->grpc_server->Shutdown(std::chrono::system_clock::now() +
                                std::chrono::duration_cast<std::chrono::system_clock::duration>(left));
  parts_->loader->Join();
  LogInfo("stopped", {{"cut_off", cut_off}, {"seconds", ToSeconds(Clock::now() - start)}});
}

void Server::RefuseUntilQuiet(TimePoint latest) {
  auto refused = [this] { return parts_->scheduler.refused_by_drain() + parts_->graphs->refused_by_drain(); };
  while (Clock::now() < latest) {
    const int64_t before = refused();
    std::this_thread::sleep_until(std::min(latest, Clock::now() + kQuiet));
    if (refused() == before) return;
  }
}

}  // namespace heed
