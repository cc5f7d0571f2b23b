// SPDX-License-Identifier: Apache-2.0
#include "client/lib/translation_client.h"

#include <gtest/gtest.h>

#include "client/lib/channel.h"
#include "tests/client/fake_server.h"
#include "tests/support/unserved_address.h"

namespace heed::client {
namespace {

using std::chrono::milliseconds;

CallOptions Quick() {
  CallOptions options;
  options.retry = {.first_delay = milliseconds(1), .max_delay = milliseconds(2), .unavailable_for = milliseconds(5)};
  return options;
}

v1::TranslateRequest SearchRequest(const std::string& text) {
  v1::TranslateRequest request;
  request.add_texts(text);
  return request;
}

TEST(TranslationClient, TranslatesAndTriesAgainWhenTheQueueIsFull) {
  FakeServer server([](const std::string&, int attempt) { return attempt < 4 ? QueueFull() : grpc::Status::OK; });
  const TranslationClient client(MakeChannel(server.address()), Quick());
  v1::TranslateResponse response;
  ASSERT_TRUE(client.Translate(SearchRequest("Hello."), response).ok());
  EXPECT_EQ(response.translations(0).text(), "[Hello.]");
  EXPECT_EQ(server.attempts("Hello."), 4);
}

TEST(TranslationClient, ReturnsTheServersStatus) {
  FakeServer server([](const std::string&, int) { return grpc::Status(grpc::StatusCode::NOT_FOUND, "no model 'x'"); });
  const TranslationClient client(MakeChannel(server.address()), Quick());
  v1::TranslateResponse response;
  EXPECT_EQ(StatusText(client.Translate(SearchRequest("a"), response)), "NOT_FOUND: no model 'x'");
}

TEST(TranslationClient, GivesUpOnAMissingServerAfterAWhile) {
  const UnservedAddress unserved;
  const TranslationClient client(MakeChannel(unserved.text()), Quick());
  v1::TranslateResponse response;
  EXPECT_EQ(client.Translate(SearchRequest("a"), response).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(TranslationClient, StopEndsTheWaitForAnotherTry) {
  std::stop_source stop;
  FakeServer server([&](const std::string&, int) {
    stop.request_stop();
    return QueueFull();
  });
  CallOptions options;
  options.retry.first_delay = options.retry.max_delay = std::chrono::hours(1);
  options.stop = stop.get_token();
  const TranslationClient client(MakeChannel(server.address()), options);
  v1::TranslateResponse response;
  EXPECT_FALSE(client.Translate(SearchRequest("a"), response).ok());
  EXPECT_EQ(server.attempts("a"), 1);
}

TEST(TranslationClient, StreamStopsWhenEventsAreNoLongerWanted) {
  FakeServer server;
  v1::TranslateStreamResponse event;
  event.set_delta("x");
  server.SetEvents({event, event, event});
  const TranslationClient client(MakeChannel(server.address()), Quick());
  int events = 0;
  client.TranslateStream(StreamRequestOf(SearchRequest("a")),
                         [&](const v1::TranslateStreamResponse&) { return ++events < 2; });
  EXPECT_EQ(events, 2);
}

}  // namespace
}  // namespace heed::client
