// SPDX-License-Identifier: Apache-2.0
#include "server/tracing/otlp_messages.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "grpcpp/support/status.h"
#include "gtest/gtest.h"
#include "server/tracing/trace_endpoint.h"
#include "server/tracing/trace_resource.h"
#include "tests/support/fake_collector.h"

namespace heed {
namespace {

using Span = FakeCollector::Span;
using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TimePoint At(int ms) { return TimePoint() + milliseconds(ms); }

RequestSpans Request() {
  RequestSpans request;
  request.trace_id = {0x0102030405060708, 0x090a0b0c0d0e0f10};
  request.id = 0x1112131415161718;
  request.method = "heed.v1.TranslationService/Translate";
  request.start = At(1);
  request.end = At(10);
  request.unix_offset = std::chrono::seconds(1'700'000'000);
  return request;
}

std::vector<Span> Converted(const RequestSpans& request) {
  const auto message = ToExportRequest({request}, {});
  const auto& spans = message.resource_spans(0).scope_spans(0).spans();
  return {spans.begin(), spans.end()};
}

TEST(OtlpMessagesTest, IdsAreBigEndianAndTimesAreUnixNanoseconds) {
  RequestSpans request = Request();
  request.parent_id = 0x2122232425262728;
  request.tracestate = "rojo=1";
  const Span span = Converted(request)[0];
  EXPECT_EQ(span.trace_id(), "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10");
  EXPECT_EQ(span.span_id(), "\x11\x12\x13\x14\x15\x16\x17\x18");
  EXPECT_EQ(span.parent_span_id(), "\x21\x22\x23\x24\x25\x26\x27\x28");
  EXPECT_EQ(span.trace_state(), "rojo=1");
  EXPECT_EQ(span.flags(), 0x301u) << "sampled, and the parent is remote";
  EXPECT_EQ(span.start_time_unix_nano(), 1'700'000'000'001'000'000u);
  EXPECT_EQ(span.end_time_unix_nano(), 1'700'000'000'010'000'000u);
}

TEST(OtlpMessagesTest, ARootHasNoParent) {
  const Span span = Converted(Request())[0];
  EXPECT_EQ(span.parent_span_id(), "");
  EXPECT_EQ(span.flags(), 0x101u);
}

TEST(OtlpMessagesTest, ACallOverGrpcHasTheAttributesOfRpc) {
  RequestSpans request = Request();
  request.peer = "ipv4:10.1.2.3:4567";
  request.request_id = "r-1";
  request.model = "en-de";
  request.model_version = 3;
  const Span span = Converted(request)[0];
  EXPECT_EQ(span.kind(), Span::SPAN_KIND_SERVER);
  EXPECT_EQ(span.name(), "heed.v1.TranslationService/Translate");
  EXPECT_THAT(AttributesOf(span),
              UnorderedElementsAre(Pair("rpc.system", "grpc"), Pair("rpc.service", "heed.v1.TranslationService"),
                                   Pair("rpc.method", "Translate"), Pair("rpc.grpc.status_code", "0"),
                                   Pair("client.address", "10.1.2.3"), Pair("client.port", "4567"),
                                   Pair("heed.request_id", "r-1"), Pair("heed.model", "en-de"),
                                   Pair("heed.model_version", "3")));
}

TEST(OtlpMessagesTest, ARequestOverHttpSaysSo) {
  RequestSpans request = Request();
  request.peer = "ipv6:[::1]:80";
  request.http_method = "POST";
  request.http_path = "/translate";
  const auto attributes = AttributesOf(Converted(request)[0]);
  EXPECT_THAT(attributes, Contains(Pair("http.request.method", "POST")));
  EXPECT_THAT(attributes, Contains(Pair("url.path", "/translate")));
  EXPECT_THAT(attributes, Contains(Pair("network.protocol.name", "http")));
  EXPECT_THAT(attributes, Contains(Pair("client.address", "::1")));
  EXPECT_THAT(attributes, Not(Contains(Key("rpc.system"))));
}

TEST(OtlpMessagesTest, AddressesAsGrpcWritesThem) {
  RequestSpans request = Request();
  request.peer = "ipv6:%5B2001:db8::1%5D:80";
  EXPECT_THAT(AttributesOf(Converted(request)[0]), Contains(Pair("client.address", "2001:db8::1")));
  request.peer = "unix:";
  EXPECT_THAT(AttributesOf(Converted(request)[0]), Not(Contains(Key("client.address"))));
}

TEST(OtlpMessagesTest, OnlyTheServersFaultsAreErrors) {
  RequestSpans request = Request();
  request.message = "texts: is empty";
  request.code = static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_FALSE(Converted(request)[0].has_status());
  EXPECT_THAT(AttributesOf(Converted(request)[0]), Contains(Pair("heed.message", "texts: is empty")));
  request.code = static_cast<int>(grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(Converted(request)[0].status().code(), opentelemetry::proto::trace::v1::Status::STATUS_CODE_ERROR);
  EXPECT_EQ(Converted(request)[0].status().message(), "texts: is empty");
}

TEST(OtlpMessagesTest, PartsAreChildrenWithIdsOfTheirOwn) {
  RequestSpans request = Request();
  RequestPart steps = {"steps", At(3), At(5), {{"heed.steps", int64_t{7}}, {"heed.mean_batch_rows", 2.5}}, {}};
  steps.events.push_back({"first output", At(4)});
  request.parts = {{"wait", At(2), At(3), {}, {}}, steps};
  const auto spans = Converted(request);
  ASSERT_EQ(spans.size(), 3u);
  EXPECT_EQ(spans[1].name(), "wait");
  EXPECT_EQ(spans[2].kind(), Span::SPAN_KIND_INTERNAL);
  for (size_t i : {1, 2}) {
    EXPECT_EQ(spans[i].parent_span_id(), spans[0].span_id());
    EXPECT_EQ(spans[i].trace_id(), spans[0].trace_id());
    EXPECT_EQ(spans[i].span_id().size(), 8u);
  }
  EXPECT_NE(spans[1].span_id(), spans[2].span_id());
  EXPECT_THAT(AttributesOf(spans[2]),
              UnorderedElementsAre(Pair("heed.steps", "7"), Pair("heed.mean_batch_rows", "2.5")));
  ASSERT_EQ(spans[2].events_size(), 1);
  EXPECT_EQ(spans[2].events(0).time_unix_nano(), 1'700'000'000'004'000'000u);
}

TEST(TraceEndpointTest, IsAnAddressOrAUrl) {
  const auto target = [](absl::string_view text) {
    const auto endpoint = TraceEndpoint::Parse(text);
    EXPECT_TRUE(endpoint.ok()) << endpoint.status();
    return absl::StrCat(endpoint->target, endpoint->encrypted ? " encrypted" : "");
  };
  EXPECT_EQ(target("collector:4317"), "collector:4317");
  EXPECT_EQ(target("http://collector:4317"), "collector:4317");
  EXPECT_EQ(target("https://collector:4317/"), "collector:4317 encrypted");
  EXPECT_EQ(target("[::1]:4317"), "[::1]:4317");
  EXPECT_EQ(target("unix:/run/collector.sock"), "unix:/run/collector.sock");
}

TEST(TraceEndpointTest, SaysWhatIsWrong) {
  const auto error = [](absl::string_view text) { return std::string(TraceEndpoint::Parse(text).status().message()); };
  EXPECT_THAT(error("collector"), HasSubstr("names no port"));
  EXPECT_THAT(error(":4317"), HasSubstr("has no host"));
  EXPECT_THAT(error("collector:0"), HasSubstr("has no port"));
  EXPECT_THAT(error("grpc://collector:4317"), HasSubstr("neither HOST:PORT nor a URL of http or https"));
  EXPECT_NE(error("http://collector:4317/v1/traces"), "");
}

TEST(TraceResourceTest, TheEnvironmentCountsMoreThanTheDefaults) {
  const auto given = ParseResourceAttributes("k8s.pod.name=heed-0, service.name=ours,note=a%2Cb%20c");
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_THAT(*given, UnorderedElementsAre(Pair("k8s.pod.name", "heed-0"), Pair("service.name", "ours"),
                                           Pair("note", "a,b c")));
  const TraceResource resource = ResourceOfProcess(*given, "");
  EXPECT_EQ(resource.at("service.name"), "ours");
  for (const char* key : {"service.version", "service.instance.id", "host.name", "process.pid"}) {
    EXPECT_NE(resource.at(key), "") << key;
  }
  EXPECT_EQ(ResourceOfProcess(*given, "theirs").at("service.name"), "theirs");
  EXPECT_EQ(ResourceOfProcess({}, "").at("service.name"), "heed-server");
}

TEST(TraceResourceTest, WhatIsNoAttributeIsAnError) {
  for (const char* text : {"a", "=b", "a=%2", "a=b,c", "a=%zz"}) {
    EXPECT_THAT(std::string(ParseResourceAttributes(text).status().message()), HasSubstr("is not KEY=VALUE")) << text;
  }
  EXPECT_TRUE(ParseResourceAttributes("").ok());
}

}  // namespace
}  // namespace heed
