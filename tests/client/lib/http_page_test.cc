// SPDX-License-Identifier: Apache-2.0
#include "client/lib/http_page.h"

#include <gtest/gtest.h>

#include "tests/client/fake_metrics.h"

namespace heed::client {
namespace {

constexpr std::chrono::milliseconds kLimit{5000};

TEST(ParseHttpAddress, TakesNamesAndBothKindsOfAddresses) {
  for (const auto& [text, host] : {std::pair("heed.example:8002", "heed.example"),
                                   std::pair("10.0.0.1:8002", "10.0.0.1"), std::pair("[::1]:8002", "::1")}) {
    const absl::StatusOr<HttpAddress> address = ParseHttpAddress(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->host, host);
    EXPECT_EQ(address->port, 8002);
  }
}

TEST(ParseHttpAddress, QuotesWhatIsNone) {
  for (const char* text : {"", "h", ":8002", "h:", "h:x", "h:0", "h:65536", "::1:8002", "h:1/metrics", "a@h:1"}) {
    const absl::StatusOr<HttpAddress> address = ParseHttpAddress(text);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_EQ(address.status().message(), absl::StrCat("'", text, "' is no HOST:PORT"));
  }
}

TEST(GetHttpPage, GivesTheBodyOrSaysWhyThereIsNone) {
  HttpAddress address;
  {
    FakeMetricsServer server({"a page\n", ""});
    address = ParseHttpAddress(server.address()).value();
    EXPECT_EQ(GetHttpPage(address, "/metrics", kLimit, {}).value(), "a page\n");
    EXPECT_EQ(GetHttpPage(address, "/metrics", kLimit, {}).status(),
              absl::FailedPreconditionError("GET /metrics is answered with 503"));
    EXPECT_EQ(GetHttpPage(address, "/other", kLimit, {}).status(),
              absl::FailedPreconditionError("GET /other is answered with 404"));
    std::stop_source stop;
    stop.request_stop();
    EXPECT_TRUE(absl::IsCancelled(GetHttpPage(address, "/metrics", kLimit, stop.get_token()).status()));
  }
  EXPECT_TRUE(absl::IsUnavailable(GetHttpPage(address, "/metrics", kLimit, {}).status()));
}

}  // namespace
}  // namespace heed::client
