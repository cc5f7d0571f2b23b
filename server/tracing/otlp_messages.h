// SPDX-License-Identifier: Apache-2.0
// From the spans of requests to OTLP's messages.
//
// Source: OpenTelemetry, https://opentelemetry.io/docs/specs/otlp/ and the attributes of
// https://opentelemetry.io/docs/specs/semconv/rpc/rpc-spans/ and https://opentelemetry.io/docs/specs/semconv/http/
#pragma once

#include "absl/types/span.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"
#include "server/telemetry/span.h"
#include "server/tracing/trace_resource.h"

namespace heed {

// The spans of all requests as one batch: of each a server's span, and its parts as children of that.
opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest ToExportRequest(
    absl::Span<const RequestSpans> requests, const TraceResource& resource);

}  // namespace heed
