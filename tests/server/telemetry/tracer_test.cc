// SPDX-License-Identifier: Apache-2.0
#include "server/telemetry/tracer.h"

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/telemetry/span_queue.h"

namespace heed {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TimePoint At(int ms) { return TimePoint() + milliseconds(ms); }

RequestPart Part(std::string_view name) { return {name, At(1), At(2), {}, {}}; }

Traceparent Parent(bool sampled) { return {"4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled}; }

// How many of many traces with ids that are spread evenly are taken.
int Taken(double ratio) {
  const Sampler sampler(ratio);
  int taken = 0;
  for (uint64_t i = 0; i < 1000; ++i) taken += sampler.Takes(TraceId{1, i << 46});
  return taken;
}

TEST(SamplerTest, TakesThePartOfTracesThatTheRatioSays) {
  EXPECT_EQ(Taken(1), 1000);
  EXPECT_EQ(Taken(0), 0);
  EXPECT_NEAR(Taken(0.5), 488, 1) << "the ids are those below 1000/1024";
}

TEST(SamplerTest, AHigherRatioTakesTheSameTracesAndMore) {
  const Sampler few(0.25), many(0.5);
  for (uint64_t i = 0; i < 1000; ++i) {
    const TraceId id{1, i << 46};
    EXPECT_LE(few.Takes(id), many.Takes(id)) << i;
  }
}

TEST(SamplerTest, TheCallersDecisionCounts) {
  EXPECT_TRUE(Sampler(0).Takes(Parent(true)));
  EXPECT_FALSE(Sampler(1).Takes(Parent(false)));
}

class TracerTest : public ::testing::Test {
 protected:
  std::vector<RequestSpans> Take() { return queue_.Take(1000, {}); }

  Metrics metrics_;
  SpanQueue queue_{1000, metrics_};
  Tracer tracer_{1, queue_};
};

TEST_F(TracerTest, ARequestIsAChildOfItsCallersSpan) {
  auto trace = tracer_.Begin("a.B/C", Parent(true), "rojo=1", At(0));
  ASSERT_NE(trace, nullptr);
  EXPECT_EQ(HexOf(trace->spans().trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(HexOf(trace->spans().parent_id), "00f067aa0ba902b7");
  EXPECT_EQ(trace->spans().tracestate, "rojo=1");
  EXPECT_NE(trace->spans().id, 0u);
  EXPECT_EQ(tracer_.Begin("a.B/C", Parent(false), "", At(0)), nullptr);
}

TEST_F(TracerTest, WithoutACallerATraceBegins) {
  auto one = tracer_.Begin("a.B/C", std::nullopt, "rojo=1", At(0));
  auto other = tracer_.Begin("a.B/C", std::nullopt, "", At(0));
  EXPECT_EQ(one->spans().parent_id, 0u);
  EXPECT_EQ(one->spans().tracestate, "") << "which belongs to a traceparent";
  EXPECT_NE(HexOf(one->spans().trace_id), HexOf(other->spans().trace_id));
  EXPECT_EQ(Tracer(0, queue_).Begin("a.B/C", std::nullopt, "", At(0)), nullptr);
}

TEST_F(TracerTest, WhatIsFinishedIsQueuedWithItsParts) {
  auto trace = tracer_.Begin("a.B/C", std::nullopt, "", At(0));
  trace->Add(Part("wait"));
  trace->BeginAnswer(At(5));
  trace->BeginAnswer(At(6));
  trace->Finish(At(9));
  const auto requests = Take();
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_EQ(requests[0].end, At(9));
  ASSERT_THAT(requests[0].parts, SizeIs(2));
  EXPECT_EQ(requests[0].parts[0].name, "wait");
  EXPECT_EQ(requests[0].parts[1].name, "answer");
  EXPECT_EQ(requests[0].parts[1].start, At(5));
  EXPECT_EQ(requests[0].parts[1].end, At(9));
}

TEST_F(TracerTest, ARequestHasABoundedNumberOfParts) {
  auto trace = tracer_.Begin("a.B/C", std::nullopt, "", At(0));
  for (size_t i = 0; i < RequestTrace::kMaxParts + 7; ++i) trace->Add(Part("wait"));
  trace->Finish(At(9));
  const auto requests = Take();
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_THAT(requests[0].parts, SizeIs(RequestTrace::kMaxParts));
  EXPECT_EQ(requests[0].left_out_parts, 7);
}

RequestSpans WithParts(int parts) {
  RequestSpans request;
  for (int i = 0; i < parts; ++i) request.parts.push_back(Part("wait"));
  return request;
}

TEST(SpanQueueTest, DropsAndCountsWhatDoesNotFit) {
  Metrics metrics;
  SpanQueue queue(10, metrics);
  queue.Add(WithParts(4));
  queue.Add(WithParts(5));  // one too many
  queue.Add(WithParts(4));
  EXPECT_THAT(metrics.Text(), HasSubstr("heed_trace_spans_total{result=\"dropped\"} 6"));
  EXPECT_THAT(metrics.Text(), HasSubstr("heed_trace_queued_spans 10"));
  EXPECT_THAT(queue.Take(10, {}), SizeIs(2));
  EXPECT_THAT(metrics.Text(), HasSubstr("heed_trace_queued_spans 0"));
  queue.Add(WithParts(4));
  EXPECT_THAT(queue.Take(10, {}), SizeIs(1)) << "there is room again";
}

TEST(SpanQueueTest, TakesBatchesOfWholeRequestsInOrder) {
  Metrics metrics;
  SpanQueue queue(100, metrics);
  for (int parts : {1, 2, 3, 50}) queue.Add(WithParts(parts));
  const auto sizes = [&] {
    std::vector<size_t> parts;
    for (const RequestSpans& request : queue.Take(10, {})) parts.push_back(request.parts.size());
    return parts;
  };
  EXPECT_THAT(sizes(), ElementsAre(1, 2, 3));
  EXPECT_THAT(sizes(), ElementsAre(50)) << "one that is larger than a batch is one";
  EXPECT_THAT(sizes(), IsEmpty());
}

TEST(SpanQueueTest, TakeWaitsNoLongerThanForHalfAQueue) {
  Metrics metrics;
  SpanQueue queue(10, metrics);
  queue.Add(WithParts(4));
  EXPECT_THAT(queue.Take(512, std::chrono::hours(1)), SizeIs(1)) << "which it cannot hold";
}

TEST(SpanQueueTest, TakeWaitsNoLongerThanForEnough) {
  Metrics metrics;
  SpanQueue queue(100, metrics);
  std::thread adds([&] {
    for (int i = 0; i < 5; ++i) queue.Add(WithParts(1));
  });
  EXPECT_THAT(queue.Take(10, hours(1)), SizeIs(5));
  adds.join();
}

TEST(SpanQueueTest, AClosedQueueGivesWhatItHasAndTakesNothing) {
  Metrics metrics;
  SpanQueue queue(100, metrics);
  queue.Add(WithParts(1));
  queue.Close();
  queue.Add(WithParts(1));
  EXPECT_THAT(queue.Take(10, hours(1)), SizeIs(1));
  EXPECT_THAT(queue.Take(10, hours(1)), IsEmpty());
  EXPECT_THAT(metrics.Text(), HasSubstr("heed_trace_spans_total{result=\"dropped\"} 2"));
}

}  // namespace
}  // namespace heed
