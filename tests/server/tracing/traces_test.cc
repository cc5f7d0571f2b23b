// SPDX-License-Identifier: Apache-2.0
// What a collector gets of the requests of a whole server.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "gtest/gtest.h"
#include "tests/server/services/question_server.h"
#include "tests/server/services/translation_server.h"
#include "tests/support/certificate_authority.h"
#include "tests/support/fake_collector.h"
#include "tests/support/http_connection.h"

namespace heed {
namespace {

using Span = FakeCollector::Span;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr char kTranslate[] = "heed.v1.TranslationService/Translate";
constexpr char kTraceId[] = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr char kParentId[] = "00f067aa0ba902b7";

std::string ParentOf(const char* flags) { return absl::StrCat("00-", kTraceId, "-", kParentId, "-", flags); }
std::string Hex(const std::string& bytes) { return absl::BytesToHexString(bytes); }

std::vector<Span> ServerSpans(const std::vector<Span>& spans) {
  std::vector<Span> found;
  for (const Span& span : spans) {
    if (span.kind() == Span::SPAN_KIND_SERVER) found.push_back(span);
  }
  return found;
}

// The names of its children, in the order of their starts. They lie within the span, one behind the other.
std::vector<std::string> PartsOf(const Span& span, const std::vector<Span>& spans) {
  std::vector<Span> parts;
  for (const Span& other : spans) {
    if (other.parent_span_id() == span.span_id()) parts.push_back(other);
  }
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Span& a, const Span& b) { return a.start_time_unix_nano() < b.start_time_unix_nano(); });
  std::vector<std::string> names;
  uint64_t end = span.start_time_unix_nano();
  for (const Span& part : parts) {
    EXPECT_GE(part.start_time_unix_nano(), end) << part.name();
    EXPECT_GE(part.end_time_unix_nano(), part.start_time_unix_nano()) << part.name();
    EXPECT_EQ(part.trace_id(), span.trace_id()) << part.name();
    end = part.end_time_unix_nano();
    names.push_back(part.name());
  }
  EXPECT_LE(end, span.end_time_unix_nano());
  return names;
}

const Span& PartNamed(const std::string& name, const std::vector<Span>& spans) {
  const auto found = std::find_if(spans.begin(), spans.end(), [&](const Span& span) { return span.name() == name; });
  EXPECT_NE(found, spans.end()) << name;
  return *found;
}

class TracesTest : public TranslationServerTest {
 protected:
  TracesTest() { options_.trace_endpoint = collector_.address(); }

  grpc::Status Translate(const std::string& text, const std::map<std::string, std::string>& metadata = {}) {
    grpc::ClientContext context;
    for (const auto& [key, value] : metadata) context.AddMetadata(key, value);
    v1::TranslateRequest request;
    v1::TranslateResponse response;
    request.set_model("fake");
    request.add_texts(text);
    return v1::TranslationService::NewStub(Connect())->Translate(&context, request, &response);
  }

  FakeCollector collector_;
};

TEST_F(TracesTest, ARequestIsASpanWithItsPartsBelowTheCallers) {
  Start();
  ASSERT_TRUE(
      Translate("one two three", {{"traceparent", ParentOf("01")}, {"tracestate", "rojo=1"}, {"x-request-id", "r-1"}})
          .ok());
  const auto spans = collector_.WaitForServerSpan(kTranslate);
  ASSERT_THAT(ServerSpans(spans), SizeIs(1));
  const Span span = ServerSpans(spans)[0];
  EXPECT_EQ(Hex(span.trace_id()), kTraceId);
  EXPECT_EQ(Hex(span.parent_span_id()), kParentId);
  EXPECT_EQ(span.trace_state(), "rojo=1");
  EXPECT_THAT(AttributesOf(span),
              AllOf(Contains(Pair("rpc.system", "grpc")), Contains(Pair("rpc.method", "Translate")),
                    Contains(Pair("rpc.grpc.status_code", "0")), Contains(Pair("client.address", "127.0.0.1")),
                    Contains(Pair("heed.model", "fake")), Contains(Pair("heed.model_version", "1")),
                    Contains(Pair("heed.request_id", "r-1"))));
  EXPECT_THAT(PartsOf(span, spans), ElementsAre("prepare", "wait", "steps", "answer"));
  EXPECT_THAT(AttributesOf(PartNamed("steps", spans)),
              AllOf(Contains(Pair("heed.model", "fake")), Contains(Pair("heed.tasks", "1")),
                    Contains(Pair("heed.steps", "3")), Contains(Pair("heed.mean_batch_rows", "2")),
                    Contains(Key("heed.source_tokens")), Contains(Key("heed.target_tokens"))));
}

TEST_F(TracesTest, TheCallersFlagDecides) {
  Start();
  ASSERT_TRUE(Translate("a", {{"traceparent", ParentOf("00")}}).ok());
  ASSERT_TRUE(Translate("a", {{"traceparent", ParentOf("01")}, {"x-request-id", "traced"}}).ok());
  const auto spans = ServerSpans(collector_.WaitForServerSpan(kTranslate));
  ASSERT_THAT(spans, SizeIs(1));
  EXPECT_THAT(AttributesOf(spans[0]), Contains(Pair("heed.request_id", "traced")));
}

TEST_F(TracesTest, TheRatioDecidesWhereTheCallerDoesNot) {
  options_.trace_sample_ratio = 0;
  Start();
  ASSERT_TRUE(Translate("a").ok());
  ASSERT_TRUE(Translate("a", {{"traceparent", ParentOf("01")}}).ok());
  EXPECT_THAT(ServerSpans(collector_.WaitForServerSpan(kTranslate)), SizeIs(1));
}

TEST_F(TracesTest, ARequestWithoutACallerBeginsATrace) {
  Start();
  ASSERT_TRUE(Translate("a").ok());
  const auto spans = collector_.WaitForServerSpan(kTranslate);
  EXPECT_EQ(ServerSpans(spans)[0].parent_span_id(), "");
  EXPECT_EQ(ServerSpans(spans)[0].trace_id().size(), 16u);
}

TEST_F(TracesTest, ARequestThatFailsIsTracedAsFarAsItCame) {
  Start();
  EXPECT_EQ(Translate("fail").error_code(), grpc::StatusCode::INTERNAL);
  const auto spans = collector_.WaitForServerSpan(kTranslate);
  const Span span = ServerSpans(spans)[0];
  EXPECT_EQ(span.status().code(), opentelemetry::proto::trace::v1::Status::STATUS_CODE_ERROR);
  EXPECT_THAT(AttributesOf(span), Contains(Pair("rpc.grpc.status_code", "13")));
  EXPECT_THAT(PartsOf(span, spans), ElementsAre("prepare", "wait", "steps", "answer"));
}

TEST_F(TracesTest, ARequestThatWaitsForTheSentenceOfAnotherSaysSo) {
  options_.translation_cache_bytes = 1 << 20;
  Start();
  model_->Hold();
  std::thread first([this] { EXPECT_TRUE(Translate("one two", {{"x-request-id", "first"}}).ok()); });
  model_->WaitUntilHeld();
  std::thread second([this] { EXPECT_TRUE(Translate("one two", {{"x-request-id", "second"}}).ok()); });
  WaitForMetric("heed_translation_cache_sentences_total{model=\"fake\",outcome=\"shared\"} 1");
  model_->Release();
  first.join();
  second.join();
  const auto spans = collector_.WaitForSpans(4 + 1 + 3 + 1);
  for (const Span& span : ServerSpans(spans)) {
    if (AttributesOf(span).at("heed.request_id") != "second") continue;
    EXPECT_THAT(PartsOf(span, spans), ElementsAre("prepare", "wait", "answer"));
    return;
  }
  FAIL() << "the second request has no span";
}

TEST_F(TracesTest, AStreamIsOneSpan) {
  Start();
  grpc::ClientContext context;
  v1::TranslateStreamRequest request;
  request.set_model("fake");
  request.add_texts("one two");
  const auto stream = v1::TranslationService::NewStub(Connect())->TranslateStream(&context, request);
  for (v1::TranslateStreamResponse event; stream->Read(&event);) {
  }
  ASSERT_TRUE(stream->Finish().ok());
  const auto spans = collector_.WaitForServerSpan("heed.v1.TranslationService/TranslateStream");
  ASSERT_THAT(ServerSpans(spans), SizeIs(1));
  EXPECT_THAT(PartsOf(ServerSpans(spans)[0], spans), ElementsAre("prepare", "wait", "steps", "answer"));
  EXPECT_THAT(PartNamed("steps", spans).events(), SizeIs(1)) << "when its first word was there";
}

TEST_F(TracesTest, ARequestOverHttpIsOneSpanThatSaysSo) {
  options_.http_listen = "127.0.0.1:0";
  Start();
  HttpConnection http(server_->http_port());
  ASSERT_TRUE(http.Post("/heed.v1.TranslationService/Translate", R"({"model": "fake", "texts": ["one two"]})",
                        absl::StrCat("traceparent: ", ParentOf("01"), "\r\n")));
  EXPECT_EQ(http.ReadHead().status, 200);
  const auto spans = collector_.WaitForServerSpan(kTranslate);
  ASSERT_THAT(ServerSpans(spans), SizeIs(1));
  const Span span = ServerSpans(spans)[0];
  EXPECT_EQ(Hex(span.parent_span_id()), kParentId);
  EXPECT_THAT(AttributesOf(span),
              AllOf(Contains(Pair("http.request.method", "POST")),
                    Contains(Pair("url.path", "/heed.v1.TranslationService/Translate")),
                    Contains(Pair("client.address", "127.0.0.1")), Not(Contains(Key("rpc.system")))));
  EXPECT_THAT(PartsOf(span, spans), ElementsAre("prepare", "wait", "steps", "answer"));
}

TEST_F(TracesTest, ProbesAreNotTraced) {
  Start();
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckResponse health;
  ASSERT_TRUE(grpc::health::v1::Health::NewStub(Connect())->Check(&context, {}, &health).ok());
  ASSERT_TRUE(Translate("a").ok());
  EXPECT_THAT(ServerSpans(collector_.WaitForServerSpan(kTranslate)), SizeIs(1));
}

TEST_F(TracesTest, NoRequestSuffersFromACollectorThatIsAway) {
  options_.trace_endpoint = "127.0.0.1:1";
  options_.trace_queue_spans = 256;
  Start();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Translate("a").ok());
  server_->Shutdown();
  EXPECT_THAT(collector_.requests(), IsEmpty());
}

TEST_F(TracesTest, WhatWasTracedIsSentWhenTheServerStops) {
  Start();
  ASSERT_TRUE(Translate("a").ok());
  server_->Shutdown();
  EXPECT_THAT(collector_.requests(), Not(IsEmpty()));
}

TEST_F(TracesTest, TracesAreEncryptedForACollectorOfTheAuthorityThatAFileNames) {
  const CertificateAuthority authority("collectors");
  const TestCertificate own = authority.Issue();
  grpc::SslServerCredentialsOptions tls;
  tls.pem_key_cert_pairs.push_back({own.key, own.certificate});
  FakeCollector collector(grpc::SslServerCredentials(tls));
  options_.trace_endpoint = absl::StrCat("https://", collector.address());
  options_.trace_ca = root_.File("ca.pem");
  EXPECT_THAT(std::string(TryToStart().message()), HasSubstr("ca.pem: cannot be read"));
  root_.Write("ca.pem", authority.certificate());
  Start();
  ASSERT_TRUE(Translate("a").ok());
  EXPECT_THAT(ServerSpans(collector.WaitForServerSpan(kTranslate)), SizeIs(1));
}

class SessionTracesTest : public QuestionServerTest {
 protected:
  SessionTracesTest() { options_.trace_endpoint = collector_.address(); }

  FakeCollector collector_;
};

TEST_P(SessionTracesTest, AChangeOfASessionTellsWhatTheStoreTook) {
  Start();
  Tell(Open(), {"mary has a cat"});
  const auto spans = collector_.WaitForServerSpan("heed.v1.QuestionAnsweringService/Tell");
  for (const Span& span : ServerSpans(spans)) {
    if (span.name() != "heed.v1.QuestionAnsweringService/Tell") continue;
    EXPECT_THAT(PartsOf(span, spans),
                ElementsAre("find session", "prepare", "wait", "steps", "store session", "answer"));
    EXPECT_THAT(AttributesOf(span), Contains(Pair("heed.model", "stories")));
  }
}

TEST_P(SessionTracesTest, EachMessageOfAChatIsASpanWhileTheChatGoesOn) {
  Start();
  grpc::ClientContext context;
  context.AddMetadata("traceparent", ParentOf("01"));
  const auto chat = stub_->Chat(&context);
  v1::ChatRequest message;
  v1::ChatResponse answer;
  message.mutable_open_session();
  ASSERT_TRUE(chat->Write(message) && chat->Read(&answer));
  message.set_fact("mary has a cat");
  ASSERT_TRUE(chat->Write(message) && chat->Read(&answer));
  // Of the first message: its own; of the second, six parts more.
  const auto spans = collector_.WaitForSpans(1 + 1 + 6);
  ASSERT_THAT(ServerSpans(spans), SizeIs(2));
  for (const Span& span : ServerSpans(spans)) EXPECT_EQ(Hex(span.parent_span_id()), kParentId);
  EXPECT_THAT(PartsOf(ServerSpans(spans)[1], spans),
              ElementsAre("find session", "prepare", "wait", "steps", "store session", "answer"));
  chat->WritesDone();
  EXPECT_TRUE(chat->Finish().ok());
}

INSTANTIATE_TEST_SUITE_P(Kept, SessionTracesTest, ::testing::Values(Sessions::kInMemory, Sessions::kInADirectory),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace heed
