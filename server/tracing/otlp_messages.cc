// SPDX-License-Identifier: Apache-2.0
#include "server/tracing/otlp_messages.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/version.h"
#include "grpcpp/support/status.h"
#include "server/telemetry/tracer.h"

namespace heed {
namespace {

namespace otlp = opentelemetry::proto::trace::v1;
using opentelemetry::proto::common::v1::AnyValue;
using opentelemetry::proto::common::v1::KeyValue;
using Attributes = google::protobuf::RepeatedPtrField<KeyValue>;

// Bits of Span.flags.
constexpr uint32_t kSampled = 1;
constexpr uint32_t kSaysIfRemote = 0x100;
constexpr uint32_t kParentIsRemote = 0x200;

AnyValue& Add(std::string_view key, Attributes& to) {
  KeyValue& attribute = *to.Add();
  attribute.set_key(std::string(key));
  return *attribute.mutable_value();
}

void AddText(std::string_view key, std::string_view value, Attributes& to) {
  if (!value.empty()) Add(key, to).set_string_value(std::string(value));
}

struct ValueSetter {
  AnyValue& to;
  void operator()(int64_t value) const { to.set_int_value(value); }
  void operator()(double value) const { to.set_double_value(value); }
  void operator()(const std::string& value) const { to.set_string_value(value); }
};

// Big-endian, as ids are in messages.
std::string BytesOf(uint64_t number) {
  std::string bytes(sizeof(number), '\0');
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte, number >>= 8) *byte = static_cast<char>(number & 0xff);
  return bytes;
}

uint64_t UnixNanoseconds(TimePoint time, const RequestSpans& request) {
  const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch());
  return static_cast<uint64_t>((nanoseconds + request.unix_offset).count());
}

// Of a server's span, whose client's faults are no errors.
bool IsError(int code) {
  switch (static_cast<grpc::StatusCode>(code)) {
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DATA_LOSS:
      return true;
    default:
      return false;
  }
}

// "ipv4:127.0.0.1:34512", "ipv6:[::1]:34512" (or with the brackets percent-encoded); of others, nothing.
void AddClient(absl::string_view peer, Attributes& to) {
  if (!absl::ConsumePrefix(&peer, "ipv4:") && !absl::ConsumePrefix(&peer, "ipv6:")) return;
  const std::string text = absl::StrReplaceAll(peer, {{"%5B", "["}, {"%5D", "]"}});
  const size_t colon = text.rfind(':');
  absl::string_view host = absl::string_view(text).substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  AddText("client.address", std::string_view(host.data(), host.size()), to);
  int64_t port = 0;
  if (colon != text.npos && absl::SimpleAtoi(text.substr(colon + 1), &port)) Add("client.port", to).set_int_value(port);
}

otlp::Span& AddSpan(const RequestSpans& request, SpanId id, std::string_view name, TimePoint start, TimePoint end,
                    otlp::ScopeSpans& to) {
  otlp::Span& span = *to.add_spans();
  span.set_trace_id(BytesOf(request.trace_id.high) + BytesOf(request.trace_id.low));
  span.set_span_id(BytesOf(id));
  span.set_trace_state(request.tracestate);
  span.set_name(std::string(name));
  span.set_start_time_unix_nano(UnixNanoseconds(start, request));
  span.set_end_time_unix_nano(UnixNanoseconds(std::max(start, end), request));
  return span;
}

void AddServerSpan(const RequestSpans& request, otlp::ScopeSpans& to) {
  otlp::Span& span = AddSpan(request, request.id, request.method, request.start, request.end, to);
  span.set_kind(otlp::Span::SPAN_KIND_SERVER);
  span.set_flags(kSampled | kSaysIfRemote | (request.parent_id == 0 ? 0 : kParentIsRemote));
  if (request.parent_id != 0) span.set_parent_span_id(BytesOf(request.parent_id));
  if (IsError(request.code)) {
    span.mutable_status()->set_code(otlp::Status::STATUS_CODE_ERROR);
    span.mutable_status()->set_message(request.message);
  }
  Attributes& attributes = *span.mutable_attributes();
  if (request.http_method.empty()) {
    AddText("rpc.system", "grpc", attributes);
  } else {
    AddText("network.protocol.name", "http", attributes);
    AddText("http.request.method", request.http_method, attributes);
    AddText("url.path", request.http_path, attributes);
  }
  const std::pair<std::string, std::string> names = absl::StrSplit(request.method, absl::MaxSplits('/', 1));
  AddText("rpc.service", names.first, attributes);
  AddText("rpc.method", names.second, attributes);
  Add("rpc.grpc.status_code", attributes).set_int_value(request.code);
  AddClient(request.peer, attributes);
  AddText("heed.request_id", request.request_id, attributes);
  AddText("heed.model", request.model, attributes);
  if (request.model_version != 0) Add("heed.model_version", attributes).set_int_value(request.model_version);
  if (!request.message.empty() && !IsError(request.code)) AddText("heed.message", request.message, attributes);
  if (request.left_out_parts > 0) Add("heed.left_out_parts", attributes).set_int_value(request.left_out_parts);
}

void AddPart(const RequestSpans& request, const RequestPart& part, otlp::ScopeSpans& to) {
  otlp::Span& span = AddSpan(request, NewSpanId(), part.name, part.start, part.end, to);
  span.set_kind(otlp::Span::SPAN_KIND_INTERNAL);
  span.set_flags(kSampled | kSaysIfRemote);
  span.set_parent_span_id(BytesOf(request.id));
  for (const SpanAttribute& attribute : part.attributes) {
    std::visit(ValueSetter{Add(attribute.key, *span.mutable_attributes())}, attribute.value);
  }
  for (const SpanEvent& event : part.events) {
    otlp::Span::Event& to_event = *span.add_events();
    to_event.set_name(std::string(event.name));
    to_event.set_time_unix_nano(UnixNanoseconds(event.time, request));
  }
}

}  // namespace

opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest ToExportRequest(
    absl::Span<const RequestSpans> requests, const TraceResource& resource) {
  opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest message;
  otlp::ResourceSpans& spans = *message.add_resource_spans();
  for (const auto& [key, value] : resource) AddText(key, value, *spans.mutable_resource()->mutable_attributes());
  otlp::ScopeSpans& scope = *spans.add_scope_spans();
  scope.mutable_scope()->set_name("heed");
  scope.mutable_scope()->set_version(kHeedVersion);
  for (const RequestSpans& request : requests) {
    AddServerSpan(request, scope);
    for (const RequestPart& part : request.parts) AddPart(request, part, scope);
  }
  return message;
}

}  // namespace heed
