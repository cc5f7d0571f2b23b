// SPDX-License-Identifier: Apache-2.0
#include "server/tracing/otlp_exporter.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "grpcpp/create_channel.h"
#include "server/rpc/status.h"
#include "server/telemetry/log.h"
#include "server/tracing/otlp_messages.h"

namespace heed {
namespace {

using opentelemetry::proto::collector::trace::v1::TraceService;

std::unique_ptr<TraceService::Stub> MakeStub(const OtlpExporterOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);  // we try again ourselves, and stop when the server does
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS,
                   static_cast<int>(std::chrono::milliseconds(std::chrono::seconds(10)).count()));
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return TraceService::NewStub(grpc::CreateCustomChannel(options.target, options.credentials, arguments));
}

// Whether the protocol calls for another try. RESOURCE_EXHAUSTED is worth one only where the collector says when.
bool IsWorthAnotherTry(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::ABORTED:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DATA_LOSS:
      return true;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return RetryDelayOf(status).count() > 0;
    default:
      return false;
  }
}

// Between half of it and all of it: servers that lost their collector together do not come back together.
Clock::duration Jittered(Clock::duration backoff) {
  thread_local absl::InsecureBitGen random;
  return std::chrono::duration_cast<Clock::duration>(backoff * absl::Uniform(random, 0.5, 1.0));
}

}  // namespace

OtlpExporter::OtlpExporter(OtlpExporterOptions options, SpanQueue& queue, Metrics& metrics)
    : options_(std::move(options)), queue_(queue), metrics_(metrics), stub_(MakeStub(options_)) {
  for (const char* result : {"exported", "dropped", "failed"}) metrics_.Add(Metric::kTraceSpans, {result}, 0);
  thread_ = std::thread([this] { Run(); });
}

OtlpExporter::~OtlpExporter() { Stop(Clock::duration::zero()); }

void OtlpExporter::Stop(Clock::duration limit) {
  queue_.Close();
  {
    MutexLock lock(mutex_);
    if (std::exchange(stopping_, true)) return;
    changed_.NotifyAll();
    const TimePoint latest = Clock::now() + limit;
    while (!done_ && Clock::now() < latest) changed_.WaitUntil(mutex_, latest);
    cut_off_ = true;
    if (call_ != nullptr) call_->TryCancel();
  }
  thread_.join();
}

void OtlpExporter::Run() {
  // As the executors: throughput, and nobody is pushed aside who serves a request.
  const sched_param parameters{};
  pthread_setschedparam(pthread_self(), SCHED_BATCH, &parameters);
  while (true) {
    const bool is_last = queue_.closed();  // asked first: what comes until then is taken
    const std::vector<RequestSpans> requests = queue_.Take(options_.max_batch_spans, options_.interval);
    if (requests.empty() && is_last) break;
    if (requests.empty()) continue;
    int64_t spans = 0;
    for (const RequestSpans& request : requests) spans += request.span_count();
    Export(ToExportRequest(requests, options_.resource), spans);
  }
  MutexLock lock(mutex_);
  done_ = true;
  changed_.NotifyAll();
}

void OtlpExporter::Export(const Request& request, int64_t spans) {
  const TimePoint latest = Clock::now() + options_.max_retrying;
  Clock::duration backoff = options_.first_backoff;
  bool is_last_try = false;
  while (true) {
    Response response;
    const grpc::Status status = Try(request, response);
    Report(status);
    if (status.ok()) {
      const int64_t rejected = std::clamp<int64_t>(response.partial_success().rejected_spans(), 0, spans);
      metrics_.Add(Metric::kTraceSpans, {"exported"}, static_cast<double>(spans - rejected));
      if (rejected == 0) return;
      metrics_.Add(Metric::kTraceSpans, {"failed"}, static_cast<double>(rejected));
      LogWarn("traces", {{"target", options_.target},
                         {"rejected_spans", rejected},
                         {"problem", response.partial_success().error_message()}});
      return;
    }
    const Clock::duration delay = std::max<Clock::duration>(Jittered(backoff), RetryDelayOf(status));
    if (is_last_try || !IsWorthAnotherTry(status) || Clock::now() + delay > latest) break;
    is_last_try = !Rest(delay);
    backoff = std::min(2 * backoff, options_.max_backoff);
  }
  metrics_.Add(Metric::kTraceSpans, {"failed"}, static_cast<double>(spans));
}

grpc::Status OtlpExporter::Try(const Request& request, Response& response) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::duration_cast<std::chrono::system_clock::duration>(options_.timeout));
  {
    MutexLock lock(mutex_);
    if (cut_off_) return grpc::Status(grpc::StatusCode::CANCELLED, "the server stops");
    call_ = &context;
  }
  grpc::Status status = stub_->Export(&context, request, &response);
  MutexLock lock(mutex_);
  call_ = nullptr;
  return status;
}

bool OtlpExporter::Rest(Clock::duration delay) {
  const TimePoint latest = Clock::now() + delay;
  MutexLock lock(mutex_);
  while (!stopping_ && Clock::now() < latest) changed_.WaitUntil(mutex_, latest);
  return !stopping_;
}

void OtlpExporter::Report(const grpc::Status& status) {
  const bool fails = !status.ok();
  if (std::exchange(failing_, fails) == fails) return;
  if (fails) {
    LogWarn("traces", {{"target", options_.target},
                       {"state", "failing"},
                       {"code", CodeName(status.error_code())},
                       {"problem", status.error_message()}});
  } else {
    LogInfo("traces", {{"target", options_.target}, {"state", "exporting again"}});
  }
}

}  // namespace heed
