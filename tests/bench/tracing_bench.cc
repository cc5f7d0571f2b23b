// SPDX-License-Identifier: Apache-2.0
// What a request's trace costs in CPU time: on the threads that serve the request, and on the exporter's, up to the
// bytes of a batch. The thread's own CPU time: what else runs on the machine hardly counts.
//
//   tracing_bench [ROUNDS]
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/telemetry/span_queue.h"
#include "server/telemetry/trace_context.h"
#include "server/telemetry/tracer.h"
#include "server/tracing/otlp_messages.h"
#include "server/tracing/trace_resource.h"

namespace heed {
namespace {

constexpr int kBatch = 100;  // requests; some 500 spans
constexpr char kMethod[] = "heed.v1.TranslationService/Translate";
constexpr char kTraceparent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

double CpuMicroseconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return 1e6 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_nsec);
}

RequestPart Part(std::string_view name) {
  const TimePoint now = Clock::now();
  RequestPart part{.name = name, .start = now, .end = Clock::now(), .attributes = {}, .events = {}};
  part.attributes.reserve(8);
  part.attributes.emplace_back("heed.model", std::string("translator-en-de"));
  return part;
}

// What a translation of one model does.
void Trace(Tracer& tracer, const char* traceparent) {
  const auto trace = tracer.Begin(kMethod, ParseTraceparent(traceparent), "", Clock::now());
  if (trace == nullptr) return;
  trace->Add(Part("prepare"));
  trace->Add(Part("wait"));
  RequestPart steps = Part("steps");
  steps.attributes.emplace_back("heed.tasks", int64_t{1});
  steps.attributes.emplace_back("heed.steps", int64_t{12});
  steps.attributes.emplace_back("heed.mean_batch_rows", 61.5);
  steps.attributes.emplace_back("heed.source_tokens", int64_t{13});
  steps.attributes.emplace_back("heed.target_tokens", int64_t{12});
  steps.events.push_back({"first output", Clock::now()});
  trace->Add(std::move(steps));
  trace->BeginAnswer(Clock::now());
  trace->SetOrigin("ipv4:127.0.0.1:34512", "", "", "");
  trace->SetEnd(0, "", "translator-en-de", 1);
  trace->Finish(Clock::now());
}

// The least of all rounds, for one request.
struct Least {
  double microseconds = 1e9;
  void Take(double all) { microseconds = std::min(microseconds, all / kBatch); }
};

int Run(int rounds) {
  Metrics metrics;
  SpanQueue queue(100'000, metrics);
  Tracer all(1, queue), none(0, queue);
  const TraceResource resource = ResourceOfProcess({}, "");
  Least sampled, not_sampled, exported;
  size_t bytes = 0;
  for (int round = 0; round < rounds; ++round) {
    double start = CpuMicroseconds();
    for (int i = 0; i < kBatch; ++i) Trace(none, "");
    not_sampled.Take(CpuMicroseconds() - start);
    start = CpuMicroseconds();
    for (int i = 0; i < kBatch; ++i) Trace(all, kTraceparent);
    sampled.Take(CpuMicroseconds() - start);
    start = CpuMicroseconds();
    bytes = ToExportRequest(queue.Take(100'000, {}), resource).SerializeAsString().size();
    exported.Take(CpuMicroseconds() - start);
  }
  std::printf("not sampled           %6.2f us a request\n", not_sampled.microseconds);
  std::printf("sampled, its threads  %6.2f us a request\n", sampled.microseconds);
  std::printf("sampled, the exporter %6.2f us a request, %zu bytes\n", exported.microseconds, bytes / kBatch);
  return 0;
}

}  // namespace
}  // namespace heed

int main(int argc, char** argv) { return heed::Run(argc > 1 ? std::atoi(argv[1]) : 200); }
