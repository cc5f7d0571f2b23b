// SPDX-License-Identifier: Apache-2.0
#include "client/top/server_metrics.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/cli/command_line.h"
#include "client/cli/exit_code.h"

namespace heed::client {
namespace {

constexpr std::chrono::milliseconds kLimit{2000};

}  // namespace

absl::StatusOr<MetricsPage> ReadServerMetrics(const HttpAddress& address, const std::stop_token& stop) {
  HEED_ASSIGN_OR_RETURN(const std::string text, GetHttpPage(address, "/metrics", kLimit, stop));
  HEED_ASSIGN_OR_RETURN(MetricsPage page, MetricsPage::Parse(text));
  if (page.Of("heed_build_info").empty()) {
    return absl::FailedPreconditionError("its page of metrics is not a Heed server's");
  }
  return page;
}

int FailServerMetrics(Console& console, const std::string& address, const absl::Status& status) {
  return Fail(console, kExitUnavailable,
              absl::StrCat("no metrics of a server at ", address, " (", status.message(),
                           ")\nStart one with `heed-server --metrics_listen=", address,
                           "`, or say where its metrics are with --metrics=HOST:PORT."));
}

}  // namespace heed::client
