#include "server/server.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/status_macros.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "server/graphs.h"
#include "server/services/graphs.h"
#include "server/services/health.h"
#include "server/services/models.h"
#include "server/services/questions.h"
#include "server/services/sequences.h"
#include "server/services/translation.h"
#include "server/sessions.h"
#include "server/thread_budget.h"
#include "spdlog/spdlog.h"

namespace heed {
namespace {

// After the accepted requests are done, gRPC still sends their last bytes.
constexpr std::chrono::seconds kLastBytes(2);

// A client that has sent nothing for this long has heard that the server is shutting down.
constexpr std::chrono::milliseconds kQuiet(100);
constexpr std::chrono::seconds kMostRefusing(2);

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
  result.idle_limit = Seconds(options.session_idle_s);
  result.max_sessions = options.max_sessions;
  result.max_bytes = options.max_session_bytes;
  result.max_stored_sessions = options.max_stored_sessions;
  result.max_facts = options.session_facts;
  return result;
}

// The address with the port that was picked, as clients write it.
std::string WithPort(const std::string& address, int port) {
  return absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
}

}  // namespace

// In order of construction: each may use those above it, and is destroyed before them.
struct Server::Parts {
  Parts(const ServerOptions& server_options, int thread_budget, std::unique_ptr<Registry> models)
      : options(server_options),
        threads(thread_budget),
        registry(std::move(models)),
        scheduler(ToSchedulerOptions(options, threads), metrics),
        models_service(*registry),
        translation(*registry, scheduler, metrics, options.max_stream_events),
        sequences(*registry, scheduler, metrics) {}

  // The last parts that can fail.
  absl::Status OpenStores() {
    HEED_ASSIGN_OR_RETURN(sessions, SessionStore::Open(ToSessionOptions(options), *registry, metrics));
    questions = std::make_unique<QuestionsService>(QuestionParts{*registry, scheduler, *sessions, metrics});
    HEED_ASSIGN_OR_RETURN(graphs, GraphStore::Open(ToGraphStoreOptions(options), *registry, scheduler, metrics));
    graphs_service = std::make_unique<GraphsService>(*registry, scheduler, *graphs, metrics, options.max_inline_nodes);
    return absl::OkStatus();
  }

  const ServerOptions options;
  const int threads;
  Metrics metrics;
  const std::unique_ptr<Registry> registry;
  Scheduler scheduler;
  HealthService health;
  ModelsService models_service;
  TranslationService translation;
  SequencesService sequences;
  std::unique_ptr<SessionStore> sessions;
  std::unique_ptr<QuestionsService> questions;
  std::unique_ptr<GraphStore> graphs;
  std::unique_ptr<GraphsService> graphs_service;
  int port = 0;
  int metrics_port = 0;
  std::unique_ptr<grpc::Server> grpc_server;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, Registry::LoadFunction load) {
  absl::StatusOr<std::unique_ptr<Registry>> registry = Registry::Open(options.models, std::move(load));
  if (!registry.ok()) return registry.status();
  const int threads = options.threads > 0 ? static_cast<int>(options.threads) : ThreadBudget();
  auto parts = std::make_unique<Parts>(options, threads, *std::move(registry));
  parts->metrics.Set(Metric::kThreads, {}, threads);
  HEED_RETURN_IF_ERROR(parts->OpenStores());

  if (!options.metrics_listen.empty()) {
    absl::StatusOr<int> port = parts->metrics.Listen(options.metrics_listen);
    if (!port.ok()) return port.status();
    parts->metrics_port = *port;
    spdlog::info("metrics address={}", WithPort(options.metrics_listen, *port));
  }

  for (const ModelStatus& model : parts->registry->List()) {
    parts->health.Set(model.name, false);
    parts->metrics.Set(Metric::kModelReady, {model.name}, 0);
  }
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  // Two servers on one port would each get a part of the requests.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.max_message_bytes));
  // Our methods are callbacks that never block: beside the executors, gRPC needs few threads.
  grpc::ResourceQuota quota("heed");
  quota.SetMaxThreads(std::max(4, 2 * threads));
  builder.SetResourceQuota(quota);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
  builder.AddListeningPort(options.listen, grpc::InsecureServerCredentials(), &parts->port);
  builder.RegisterService(&parts->health);
  builder.RegisterService(&parts->models_service);
  builder.RegisterService(&parts->translation);
  builder.RegisterService(&parts->sequences);
  builder.RegisterService(parts->questions.get());
  builder.RegisterService(parts->graphs_service.get());
  parts->grpc_server = builder.BuildAndStart();
  if (parts->grpc_server == nullptr || parts->port == 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.listen, ": the port is taken or the address is not this machine's"));
  }
  spdlog::info("listening address={}", WithPort(options.listen, parts->port));

  std::unique_ptr<Server> server(new Server(std::move(parts)));
  server->loader_ = std::thread([self = server.get()] { self->LoadModels(); });
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
int Server::metrics_port() const { return parts_->metrics_port; }
const Metrics& Server::metrics() const { return parts_->metrics; }

void Server::WaitUntilLoaded() {
  MutexLock lock(mutex_);
  while (!loaded_) loaded_changed_.Wait(mutex_);
}

void Server::LoadModels() {
  const TimePoint start = Clock::now();
  parts_->registry->LoadAll([this](const ModelStatus& model) {
    Metrics& metrics = parts_->metrics;
    const bool ready = model.state == ModelState::kReady;
    metrics.Set(Metric::kModelReady, {model.name}, ready ? 1 : 0);
    metrics.Set(Metric::kModelLoadSeconds, {model.name}, model.load_seconds);
    if (ready) {
      const ModelSpec& spec = model.model->spec();
      metrics.Set(Metric::kModelResidentBytes, {model.name}, static_cast<double>(spec.resident_bytes));
      spdlog::info("model name={} state=ready architecture={} weights={} resident_bytes={} seconds={:.3f}", model.name,
                   spec.architecture, spec.weights, spec.resident_bytes, model.load_seconds);
    } else {
      spdlog::error("model name={} state=unavailable code={} reason=\"{}\"", model.name,
                    absl::StatusCodeToString(model.reason.code()), std::string(model.reason.message()));
    }
    parts_->health.Set(model.name, ready);
  });
  int ready = 0, unavailable = 0, untried = 0;
  for (const ModelStatus& model : parts_->registry->List()) {
    ready += model.state == ModelState::kReady;
    unavailable += model.state == ModelState::kUnavailable;
    untried += model.state == ModelState::kLoading;
  }
  if (untried > 0 || !parts_->graphs->Restore()) return;  // stopped on the way
  parts_->health.Set("", true);
  spdlog::info("ready models={} unavailable={} threads={} executors={} seconds={:.3f}", ready, unavailable,
               parts_->threads, parts_->options.executors, std::chrono::duration<double>(Clock::now() - start).count());
  MutexLock lock(mutex_);
  loaded_ = true;
  loaded_changed_.NotifyAll();
}

void Server::Shutdown() {
  {
    MutexLock lock(mutex_);
    shut_down_ = true;
  }
  Stop(Seconds(parts_->options.drain_timeout_s));
}

void Server::Stop(Clock::duration limit) {
  const TimePoint start = Clock::now();
  spdlog::info("draining limit_s={}", std::chrono::duration<double>(limit).count());
  parts_->registry->Stop();
  parts_->health.Shutdown();
  parts_->scheduler.Refuse();
  parts_->questions->Refuse();
  int64_t cut_off = parts_->graphs->Drain(start + limit);  // with the jobs that the changes need
  cut_off += parts_->scheduler.Drain(start + limit);
  parts_->graphs->Stop();
  parts_->sessions->Stop();  // with the changes that the last jobs made
  RefuseUntilQuiet(std::min(start + limit, Clock::now() + kMostRefusing));
  parts_->health.EndWatches();
  // What was answered may still be on its way to a slow reader: that has the rest of the limit, too.
  const Clock::duration left = std::max<Clock::duration>(start + limit - Clock::now(), kLastBytes);
  parts_->grpc_server->Shutdown(std::chrono::system_clock::now() +
                                std::chrono::duration_cast<std::chrono::system_clock::duration>(left));
  loader_.join();
  spdlog::info("stopped cut_off={} seconds={:.3f}", cut_off,
               std::chrono::duration<double>(Clock::now() - start).count());
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
