// SPDX-License-Identifier: Apache-2.0
// A Heed server's page of metrics, for commands.
#pragma once

#include <stop_token>
#include <string>

#include "absl/status/statusor.h"
#include "client/cli/console.h"
#include "client/lib/http_page.h"
#include "client/top/metrics_page.h"

namespace heed::client {

inline constexpr char kDefaultMetricsAddress[] = "127.0.0.1:8002";

// Asks `address` for /metrics and reads it; takes a few seconds at most. UNAVAILABLE: no answer; FAILED_PRECONDITION or
// INVALID_ARGUMENT: an answer that is no such page; CANCELLED: a stop request.
absl::StatusOr<MetricsPage> ReadServerMetrics(const HttpAddress& address, const std::stop_token& stop);

// Tells a person that --metrics=`address` gave no page, and why. Returns the exit code.
int FailServerMetrics(Console& console, const std::string& address, const absl::Status& status);

}  // namespace heed::client
