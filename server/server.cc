// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/listen_address.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "server/build_info.h"
#include "server/component_options.h"
#include "server/gateway/method_calls.h"
#include "server/gateway/oip_rest.h"
#include "server/gateway/openapi_page.h"
#include "server/gateway/rest_api.h"
#include "server/graphs/graph_store.h"
#include "server/http/http_pages.h"
#include "server/http/http_server.h"
#include "server/language/language_modeling_service.h"
#include "server/memory_trimmer.h"
#include "server/model_lifecycle.h"
#include "server/network/descriptor_budget.h"
#include "server/network/grpc_port.h"
#include "server/network/listening_sockets.h"
#include "server/page/page_handler.h"
#include "server/platform/thread_budget.h"
#include "server/readiness.h"
#include "server/registry/model_loader.h"
#include "server/rpc/checked_messages.h"
#include "server/scheduling/preparation.h"
#include "server/security/authorization.h"
#include "server/security/certificates.h"
#include "server/security/credentials.h"
#include "server/security/tokens.h"
#include "server/services/graph_service.h"
#include "server/services/health_service.h"
#include "server/services/inference_service.h"
#include "server/services/model_service.h"
#include "server/services/question_answering_service.h"
#include "server/services/sequence_service.h"
#include "server/services/translation_service.h"
#include "server/sessions/session_store.h"
#include "server/telemetry/log.h"
#include "server/telemetry/request_log.h"
#include "server/telemetry/span_queue.h"
#include "server/telemetry/tracer.h"
#include "server/tracing/otlp_exporter.h"
#include "server/translation_api/deepl_handler.h"
#include "server/translation_api/libretranslate_handler.h"

namespace heed {
namespace {

// After the accepted requests are done, gRPC still sends their last bytes.
constexpr std::chrono::seconds kLastBytes(2);

// That the collector has for what is left in the queue.
constexpr std::chrono::seconds kLastSpans(2);

// A client that has sent nothing for this long has heard that the server is shutting down.
constexpr std::chrono::milliseconds kQuiet(100);
constexpr std::chrono::seconds kMaxRefusing(2);

// Of the pages' port, which takes none.
constexpr int64_t kMaxPageBody = 64 << 10;

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

void LogConnectionLimits(const ServerOptions& options, const ConnectionLimits& limits) {
  std::vector<LogField> fields = {{"max_connections", limits.max_connections},
                                  {"max_connections_per_address", limits.max_per_address},
                                  {"max_file_descriptors", DescriptorLimit()}};
  const bool is_less = options.max_connections > limits.max_connections;
  if (is_less) fields.emplace_back("problem", "the limit of file descriptors leaves no room for --max_connections");
  Log(is_less ? LogLevel::kWarn : LogLevel::kInfo, "connections", fields);
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
        spans(options.trace_queue_spans, metrics),
        tracer(options.trace_sample_ratio, spans),
        requests(Seconds(options.slow_request_ms / 1000), metrics, options.trace_endpoint.empty() ? nullptr : &tracer),
        translation(*registry, jobs(), stream_limits(), options.translation_cache_bytes),
        sequences(*registry, jobs()) {}

  ~Parts() {
    http = nullptr;
    if (method_calls != nullptr) method_calls->Close();  // their ends use http_preparation, whose works begin others
  }

  JobParts jobs() { return {requests, scheduler, preparation}; }
  StreamLimits stream_limits() const { return {options.max_stream_events, Seconds(options.max_reader_lag_s)}; }
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
      for (const std::string& listen : {options.listen, options.http_listen}) {
        const absl::StatusOr<ListenAddress> address = ListenAddress::Parse(listen);
        if (options.tls_cert.empty() && address.ok() && !address->IsLocal()) {
          LogWarn("tokens", {{"listen", listen}, {"problem", "without --tls_cert they travel in plain text"}});
        }
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

  absl::Status StartExporter() {
    if (options.trace_endpoint.empty()) return absl::OkStatus();
    HEED_ASSIGN_OR_RETURN(OtlpExporterOptions exporter_options, ToOtlpExporterOptions(options));
    LogInfo("traces", {{"target", exporter_options.target},
                       {"service", exporter_options.resource["service.name"]},
                       {"sample_ratio", options.trace_sample_ratio}});
    exporter = std::make_unique<OtlpExporter>(std::move(exporter_options), spans, metrics);
    return absl::OkStatus();
  }

  // The last parts that can fail.
  absl::Status OpenStores() {
    HEED_ASSIGN_OR_RETURN(sessions, SessionStore::Open(ToSessionOptions(options), *registry, metrics));
    const SessionParts session_parts = {*registry, scheduler, *sessions, requests, preparation, message_limits()};
    questions = std::make_unique<QuestionAnsweringService>(session_parts);
    texts = std::make_unique<LanguageModelingService>(session_parts, stream_limits());
    HEED_ASSIGN_OR_RETURN(graphs, GraphStore::Open(ToGraphStoreOptions(options), *registry, scheduler, metrics));
    graphs_service =
        std::make_unique<GraphService>(*registry, jobs(), *graphs, options.max_inline_nodes, message_limits());
    return absl::OkStatus();
  }

  void MakeLoader() {
    lifecycle = std::make_unique<ModelLifecycle>(*registry, scheduler, *graphs, metrics, health, readiness);
    loader = std::make_unique<ModelLoader>(ToModelLoaderOptions(options), *registry, *lifecycle);
    models_service = std::make_unique<ModelService>(*registry, *loader, scheduler, requests);
    inference = std::make_unique<InferenceService>(InferenceParts{*registry, *loader, jobs(), health, message_limits(),
                                                                  options.max_inline_nodes, options.max_stream_events,
                                                                  Seconds(options.max_reader_lag_s)});
  }

  // The pages for those who watch the server.
  absl::Status ListenForMetrics() {
    if (options.metrics_listen.empty()) return absl::OkStatus();
    HEED_ASSIGN_OR_RETURN(ListeningSockets sockets, Listen("metrics_listen", options.metrics_listen));
    pages = std::make_unique<HttpPages>(
        HttpPages::Pages{{"/buildinfo",
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
                         {"/readyz", [this] { return readiness.Page(); }}});
    HttpServerOptions page_options;
    page_options.name = "metrics";
    page_options.threads = 1;
    page_options.connections.max_connections = static_cast<size_t>(descriptors.max_http_connections);
    page_options.max_body_bytes = kMaxPageBody;
    HEED_ASSIGN_OR_RETURN(
        metrics_http, HttpServer::Serve(std::move(sockets), std::move(page_options), nullptr, {pages.get()}, metrics));
    LogInfo("metrics", {{"address", metrics_http->address()}});
    return absl::OkStatus();
  }

  // The APIs over HTTP, in front of the services that `grpc_server` has, by their full names.
  absl::Status ServeHttp(ListeningSockets sockets, const std::vector<std::string>& services) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);  // the limits are the services' own
    method_calls = std::make_shared<MethodCalls>(grpc_server->InProcessChannel(arguments), *authorization);
    // Its callers are the threads that read and write for all clients.
    PreparationOptions preparation_options;
    preparation_options.max_inline_bytes = 8 << 10;
    http_preparation = std::make_unique<Preparation>(preparation_options);
    const auto run_large = [preparation = http_preparation.get()](int64_t bytes, std::function<void()> work) {
      return preparation->Run(bytes, std::move(work));
    };
    RestOptions rest_options;
    rest_options.json.max_elements = message_limits().max_elements();
    rest_options.run_large = run_large;
    http_handlers.push_back(
        std::make_unique<LibreTranslateHandler>(*method_calls, *http_preparation, authorization->asks_for_tokens()));
    http_handlers.push_back(std::make_unique<DeepLHandler>(*method_calls, *http_preparation, *authorization));
    http_handlers.push_back(std::make_unique<OipRest>(*method_calls, *http_preparation, options.max_message_bytes));
    http_handlers.push_back(std::make_unique<OpenApiPage>(services));
    if (options.http_page) {
      http_handlers.push_back(std::make_unique<PageHandler>(PageServer{
          kHeedVersion, port, certificates != nullptr, authorization->asks_for_tokens(), options.management}));
    }
    http_handlers.push_back(std::make_unique<RestApi>(method_calls, services, std::move(rest_options)));
    std::vector<HttpHandler*> handlers;
    for (const auto& handler : http_handlers) handlers.push_back(handler.get());
    HttpServerOptions http_options = ToHttpServerOptions(options, descriptors);
    http_options.run_large = run_large;
    HEED_ASSIGN_OR_RETURN(http, HttpServer::Serve(std::move(sockets), std::move(http_options), certificates.get(),
                                                  std::move(handlers), metrics));
    LogInfo("http", {{"address", http->address()}});
    return absl::OkStatus();
  }

  const ServerOptions options;
  const DescriptorBudget descriptors = ShareDescriptors(
      DescriptorLimit(), options.max_connections, options.http_listen.empty() ? -1 : options.max_http_connections);
  const int threads;
  const SchedulerOptions scheduler_options;
  Metrics metrics;
  const std::unique_ptr<Registry> registry;
  Scheduler scheduler;
  SpanQueue spans;
  Tracer tracer;
  std::unique_ptr<OtlpExporter> exporter;  // null: nothing is traced
  RequestLog requests;
  MemoryTrimmer trimmer{[this] { return requests.in_flight(); }};
  Preparation preparation;
  HealthService health{requests};
  Readiness readiness{options.ready_when == "all", *registry, health, metrics};
  TranslationService translation;
  SequenceService sequences;
  std::unique_ptr<SessionStore> sessions;
  std::unique_ptr<QuestionAnsweringService> questions;
  std::unique_ptr<LanguageModelingService> texts;
  std::unique_ptr<GraphStore> graphs;
  std::unique_ptr<GraphService> graphs_service;
  std::unique_ptr<Authorization> authorization;
  std::unique_ptr<CertificateFiles> certificates;  // null: plain text
  std::unique_ptr<ModelLifecycle> lifecycle;
  std::unique_ptr<ModelLoader> loader;
  std::unique_ptr<ModelService> models_service;
  std::unique_ptr<InferenceService> inference;
  std::deque<CheckedService> checked_services;  // as they are registered
  int port = 0;                                 // of gRPC
  std::unique_ptr<GrpcPort> grpc_port;
  std::unique_ptr<grpc::Server> grpc_server;
  std::unique_ptr<HttpPages> pages;
  std::unique_ptr<HttpServer> metrics_http;  // null: nowhere
  // The front over HTTP; nothing of it if it is off.
  std::shared_ptr<const MethodCalls> method_calls;
  std::vector<std::unique_ptr<HttpHandler>> http_handlers;  // in the order in which they are asked
  std::unique_ptr<Preparation> http_preparation;            // works for the handlers, and ends before them
  std::unique_ptr<HttpServer> http;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, Registry::LoadFunction load) {
  RegistryOptions registry_options;
  HEED_ASSIGN_OR_RETURN(registry_options.policies, VersionPolicies::Parse(options.model_versions));
  HEED_ASSIGN_OR_RETURN(registry_options.precisions,
                        ModelPrecisions::Parse(options.precision, options.model_precision));
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
  HEED_RETURN_IF_ERROR(parts->OpenGate());
  HEED_RETURN_IF_ERROR(parts->StartExporter());
  HEED_RETURN_IF_ERROR(parts->OpenStores());
  parts->MakeLoader();
  for (const ModelStatus& model : parts->registry->List()) {
    parts->health.Set(model.name, false);
    parts->lifecycle->Show(model.name);
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
      parts->metrics, [parts = parts.get()] { parts->readiness.SetAccepting(parts->grpc_port->NotAccepting()); });
  HEED_RETURN_IF_ERROR(parts->ListenForMetrics());
  std::optional<ListeningSockets> http_sockets;
  if (!options.http_listen.empty()) {
    HEED_ASSIGN_OR_RETURN(ListeningSockets opened, Listen("http_listen", options.http_listen));
    http_sockets.emplace(std::move(opened));
  }
  // Every service passes through here, so that none of its methods that manage is forgotten.
  const std::pair<const char*, grpc::Service*> services[] = {
      {grpc::health::v1::Health::service_full_name(), &parts->health},
      {v1::ModelService::service_full_name(), parts->models_service.get()},
      {v1::TranslationService::service_full_name(), &parts->translation},
      {v1::SequenceService::service_full_name(), &parts->sequences},
      {v1::QuestionAnsweringService::service_full_name(), parts->questions.get()},
      {v1::LanguageModelingService::service_full_name(), parts->texts.get()},
      {v1::GraphService::service_full_name(), parts->graphs_service.get()},
      {inference::GRPCInferenceService::service_full_name(), parts->inference.get()},
  };
  std::vector<std::string> service_names;
  for (const auto& [name, service] : services) {
    service_names.push_back(name);
    RefuseManagement(*parts->authorization, name, *service);
    builder.RegisterService(&parts->checked_services.emplace_back(name, *service, parts->message_limits(),
                                                                  *parts->authorization, parts->requests));
    parts->health.AddService(name);
  }
  parts->grpc_server = builder.BuildAndStart();
  if (parts->grpc_server == nullptr) return absl::InternalError("gRPC's server does not start");
  parts->grpc_port->Start();
  LogInfo("listening", {{"address", parts->grpc_port->sockets().address()}});
  if (http_sockets) HEED_RETURN_IF_ERROR(parts->ServeHttp(*std::move(http_sockets), service_names));

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
int Server::http_port() const { return parts_->http == nullptr ? 0 : parts_->http->port(); }
int Server::metrics_port() const { return parts_->metrics_http == nullptr ? 0 : parts_->metrics_http->port(); }
const Metrics& Server::metrics() const { return parts_->metrics; }

void Server::WaitUntilLoaded() {
  MutexLock lock(mutex_);
  while (!loaded_) loaded_changed_.Wait(mutex_);
}

void Server::OnLoaded(TimePoint start) {
  if (parts_->registry->stopped()) return;
  if (!parts_->graphs->Restore()) return;  // stopped on the way
  parts_->readiness.OnLoaded(
      {{"threads", parts_->threads},
       {"executors",
        parts_->scheduler_options.executors > 0 ? absl::StrCat(parts_->scheduler_options.executors) : "by load"},
       {"seconds", ToSeconds(Clock::now() - start)}});
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
    parts_->readiness.ShutDown();
    std::this_thread::sleep_for(Seconds(lame_duck_s));
  }
  Stop(Seconds(parts_->options.drain_timeout_s));
}

void Server::Stop(Clock::duration limit) {
  const TimePoint start = Clock::now();
  LogInfo("draining", {{"limit_s", ToSeconds(limit)}});
  if (parts_->http != nullptr) parts_->http->Drain();
  parts_->loader->Stop();
  parts_->readiness.ShutDown();
  parts_->scheduler.Refuse();
  parts_->questions->Refuse();
  parts_->texts->Refuse();
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
  const TimePoint latest = Clock::now() + left;
  if (parts_->http != nullptr) parts_->http->WaitUntilIdle(latest);
  parts_->grpc_port->Stop();
  left = std::max(latest - Clock::now(), Clock::duration::zero());
  parts_->grpc_server->Shutdown(std::chrono::system_clock::now() +
                                std::chrono::duration_cast<std::chrono::system_clock::duration>(left));
  parts_->loader->Join();
  if (parts_->exporter != nullptr) parts_->exporter->Stop(kLastSpans);
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
