// SPDX-License-Identifier: Apache-2.0
// What all spans of this process have in common.
//
// Source: OpenTelemetry, https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
// https://opentelemetry.io/docs/specs/semconv/resource/
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed {

using TraceResource = std::map<std::string, std::string>;

// "key=value,key=value", percent-encoded, as OTEL_RESOURCE_ATTRIBUTES has it. INVALID_ARGUMENT: it is not that.
absl::StatusOr<TraceResource> ParseResourceAttributes(absl::string_view text);

// `given` and, where it lacks them, service.name, service.version, service.instance.id, host.name and process.pid.
// `service_name`: of OTEL_SERVICE_NAME, which counts more than `given`'s; empty: there is none.
TraceResource ResourceOfProcess(TraceResource given, absl::string_view service_name);

}  // namespace heed
