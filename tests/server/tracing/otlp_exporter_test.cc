// SPDX-License-Identifier: Apache-2.0
#include "server/tracing/otlp_exporter.h"

#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "tests/support/fake_collector.h"
#include "tests/support/metric_samples.h"

namespace heed {
namespace {

using grpc::StatusCode;
using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::Pair;
using ::testing::SizeIs;

class OtlpExporterTest : public ::testing::Test {
 protected:
  OtlpExporterTest() {
    options_.target = collector_.address();
    options_.credentials = grpc::InsecureChannelCredentials();
    options_.interval = milliseconds(1);
    options_.first_backoff = milliseconds(1);
  }

  void Start() { exporter_ = std::make_unique<OtlpExporter>(options_, queue_, metrics_); }
  void AddRequest(const std::string& method) {
    RequestSpans request;
    request.trace_id = {1, 2};
    request.id = 3;
    request.method = method;
    queue_.Add(std::move(request));
  }
  void WaitForMetric(const std::string& result, int value) {
    const std::string line = absl::StrCat("heed_trace_spans_total{result=\"", result, "\"} ", value, "\n");
    while (!HasSample(metrics_.Text(), line)) std::this_thread::yield();
  }
  static grpc::Status RetryIn(StatusCode code, int nanos) {
    google::rpc::Status details;
    google::rpc::RetryInfo info;
    info.mutable_retry_delay()->set_nanos(nanos);
    details.set_code(code);
    details.add_details()->PackFrom(info);
    return grpc::Status(code, "later", details.SerializeAsString());
  }

  FakeCollector collector_;
  Metrics metrics_;
  SpanQueue queue_{1000, metrics_};
  OtlpExporterOptions options_;
  std::unique_ptr<OtlpExporter> exporter_;
};

TEST_F(OtlpExporterTest, SendsWhatComesWithItsResource) {
  options_.resource = {{"service.name", "ours"}};
  Start();
  AddRequest("one");
  WaitForMetric("exported", 1);
  AddRequest("two");
  WaitForMetric("exported", 2);
  const auto spans = collector_.WaitForSpans(2);
  EXPECT_EQ(spans[0].name(), "one");
  EXPECT_EQ(spans[1].name(), "two");
  EXPECT_THAT(AttributesOf(collector_.requests()[0].resource_spans(0).resource()),
              Contains(Pair("service.name", "ours")));
}

TEST_F(OtlpExporterTest, WhatTheCollectorCannotTakeNowIsSentAgain) {
  collector_.Answer(grpc::Status(StatusCode::UNAVAILABLE, "starting"));
  collector_.Answer(grpc::Status(StatusCode::UNAVAILABLE, "starting"));
  collector_.Answer(RetryIn(StatusCode::RESOURCE_EXHAUSTED, 1'000'000));
  Start();
  AddRequest("one");
  EXPECT_THAT(collector_.WaitForSpans(1), SizeIs(1));
  WaitForMetric("exported", 1);
  WaitForMetric("failed", 0);
}

TEST_F(OtlpExporterTest, WhatTheCollectorRefusesForGoodHasFailedAndTheNextIsSent) {
  collector_.Answer(grpc::Status(StatusCode::INVALID_ARGUMENT, "no"));
  collector_.Answer(grpc::Status(StatusCode::RESOURCE_EXHAUSTED, "no, and no word of later"));
  Start();
  AddRequest("one");
  WaitForMetric("failed", 1);
  AddRequest("two");
  WaitForMetric("failed", 2);
  AddRequest("three");
  EXPECT_EQ(collector_.WaitForSpans(1)[0].name(), "three");
  WaitForMetric("exported", 1);
}

TEST_F(OtlpExporterTest, GivesABatchUpAfterAWhile) {
  for (int i = 0; i < 1000; ++i) collector_.Answer(grpc::Status(StatusCode::UNAVAILABLE, "away"));
  options_.max_retrying = milliseconds(5);
  Start();
  AddRequest("one");
  WaitForMetric("failed", 1);
}

TEST_F(OtlpExporterTest, SpansThatTheCollectorRejectsHaveFailed) {
  collector_.Reject(1);
  options_.interval = hours(1);
  options_.max_batch_spans = 3;
  Start();
  for (const char* name : {"one", "two", "three"}) AddRequest(name);
  WaitForMetric("exported", 2);
  WaitForMetric("failed", 1);
}

TEST_F(OtlpExporterTest, StoppingSendsWhatIsQueued) {
  options_.interval = hours(1);
  options_.max_batch_spans = 2;
  Start();
  AddRequest("one");
  exporter_->Stop(hours(1));
  EXPECT_THAT(collector_.WaitForSpans(1), SizeIs(1));
  AddRequest("too late");
  WaitForMetric("dropped", 1);
}

TEST_F(OtlpExporterTest, StoppingTriesOnceMoreWithoutWaiting) {
  collector_.Answer(grpc::Status(StatusCode::UNAVAILABLE, "starting"));
  options_.first_backoff = hours(1);
  options_.max_retrying = hours(2);
  options_.max_backoff = hours(1);
  Start();
  AddRequest("one");
  collector_.WaitForCalls(1);
  exporter_->Stop(hours(1));
  EXPECT_THAT(collector_.WaitForSpans(1), SizeIs(1));
}

TEST_F(OtlpExporterTest, StoppingDoesNotWaitForACollectorThatHangs) {
  collector_.Hold();
  options_.timeout = hours(1);
  Start();
  AddRequest("one");
  collector_.WaitForCalls(1);
  AddRequest("two");
  exporter_->Stop(milliseconds(1));
  WaitForMetric("failed", 2);
}

}  // namespace
}  // namespace heed
