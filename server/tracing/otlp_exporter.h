// SPDX-License-Identifier: Apache-2.0
// Sends the spans of requests to a collector: OTLP over gRPC.
//
// Source: https://opentelemetry.io/docs/specs/otlp/#otlpgrpc
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"
#include "grpcpp/client_context.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/status.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.grpc.pb.h"
#include "server/telemetry/metrics.h"
#include "server/telemetry/span_queue.h"
#include "server/tracing/trace_resource.h"

namespace heed {

struct OtlpExporterOptions {
  std::string target;  // as gRPC takes it
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  TraceResource resource;
  int64_t max_batch_spans = 512;
  Clock::duration interval = std::chrono::seconds(1);       // after which a smaller batch is sent
  Clock::duration timeout = std::chrono::seconds(10);       // of one try
  Clock::duration first_backoff = std::chrono::seconds(1);  // before the second try; twice that before each other
  Clock::duration max_backoff = std::chrono::seconds(30);
  Clock::duration max_retrying = std::chrono::seconds(60);  // of one batch; then its spans have failed
};

// Takes spans from the queue, a batch at a time, on a thread of its own. A batch that the collector cannot take now is
// tried again; meanwhile the queue fills and drops. The log says when it begins to fail, and when it works again.
// Thread-safe.
class OtlpExporter {
 public:
  // `queue` and `metrics` outlive it.
  OtlpExporter(OtlpExporterOptions options, SpanQueue& queue, Metrics& metrics);
  // Stop, without waiting for the collector.
  ~OtlpExporter();
  OtlpExporter(const OtlpExporter&) = delete;
  OtlpExporter& operator=(const OtlpExporter&) = delete;

  // Closes the queue, sends what it holds for at most `limit`, and ends the thread. A batch that waits to be tried
  // again is tried once more, at once. The first call counts.
  void Stop(Clock::duration limit) EXCLUDES(mutex_);

 private:
  using Request = opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
  using Response = opentelemetry::proto::collector::trace::v1::ExportTraceServiceResponse;

  void Run() EXCLUDES(mutex_);
  // Until it was sent, or has failed. `spans`: that it has.
  void Export(const Request& request, int64_t spans) EXCLUDES(mutex_);
  grpc::Status Try(const Request& request, Response& response) EXCLUDES(mutex_);
  // False: the exporter is to stop.
  bool Rest(Clock::duration delay) EXCLUDES(mutex_);
  void Report(const grpc::Status& status);

  const OtlpExporterOptions options_;
  SpanQueue& queue_;
  Metrics& metrics_;
  const std::unique_ptr<opentelemetry::proto::collector::trace::v1::TraceService::Stub> stub_;
  bool failing_ = false;  // of the thread: what the log said last

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool cut_off_ GUARDED_BY(mutex_) = false;                 // no call is begun any more
  bool done_ GUARDED_BY(mutex_) = false;                    // the thread has nothing left to do
  grpc::ClientContext* call_ GUARDED_BY(mutex_) = nullptr;  // under way; null: there is none

  std::thread thread_;  // constant until Stop
};

}  // namespace heed
