// SPDX-License-Identifier: Apache-2.0
#include "server/telemetry/tracer.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/numbers.h"

namespace heed {
namespace {

uint64_t RandomBits() {
  thread_local absl::InsecureBitGen random;
  return random();
}

// Of 16 hexadecimal digits.
uint64_t NumberOf(absl::string_view digits) {
  uint64_t number = 0;
  (void)absl::SimpleHexAtoi(digits, &number);  // ParseTraceparent has looked at them
  return number;
}

std::chrono::nanoseconds UnixOffset() {
  return std::chrono::system_clock::now().time_since_epoch() - Clock::now().time_since_epoch();
}

}  // namespace

Sampler::Sampler(double ratio)
    : threshold_(static_cast<uint64_t>(std::llround((1 - ratio) * static_cast<double>(kRandomBits + 1)))) {}

void RequestTrace::SetEnd(int code, std::string_view message, std::string_view model, int64_t model_version) {
  spans_.code = code;
  spans_.message = std::string(message.substr(0, kMaxMessageBytes));
  spans_.model = std::string(model);
  spans_.model_version = model_version;
}

void RequestTrace::SetOrigin(std::string peer, std::string request_id, std::string http_method, std::string http_path) {
  spans_.peer = std::move(peer);
  spans_.request_id = std::move(request_id);
  spans_.http_method = std::move(http_method);
  spans_.http_path = std::move(http_path);
}

void RequestTrace::Add(RequestPart part) {
  if (spans_.parts.size() < kMaxParts) {
    spans_.parts.push_back(std::move(part));
  } else {
    ++spans_.left_out_parts;
  }
}

void RequestTrace::BeginAnswer(TimePoint now) {
  if (!answer_) answer_ = now;
}

void RequestTrace::Finish(TimePoint now) {
  if (answer_) Add({.name = "answer", .start = *answer_, .end = now, .attributes = {}, .events = {}});
  spans_.end = now;
  queue_.Add(std::move(spans_));
}

std::unique_ptr<RequestTrace> Tracer::Begin(std::string_view method, const std::optional<Traceparent>& parent,
                                            absl::string_view tracestate, TimePoint start) {
  TraceId id;
  if (parent) {
    if (!sampler_.Takes(*parent)) return nullptr;
    const absl::string_view digits = parent->trace_id;
    id = {NumberOf(digits.substr(0, 16)), NumberOf(digits.substr(16))};
  } else {
    id = {RandomBits(), RandomBits()};
    if (!sampler_.Takes(id)) return nullptr;
    id.high = std::max<uint64_t>(id.high, 1);
  }
  RequestSpans spans;
  spans.trace_id = id;
  spans.id = NewSpanId();
  if (parent) {
    spans.parent_id = NumberOf(parent->parent_id);
    spans.tracestate = ParseTracestate(tracestate);
  }
  spans.method = std::string(method);
  spans.start = start;
  spans.unix_offset = UnixOffset();
  return std::make_unique<RequestTrace>(queue_, std::move(spans));
}

SpanId NewSpanId() { return std::max<uint64_t>(RandomBits(), 1); }

}  // namespace heed
