// SPDX-License-Identifier: Apache-2.0
#include "client/lib/question_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/lib/channel.h"
#include "tests/client/fake_server.h"

namespace heed::client {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::SizeIs;

class QuestionClients : public testing::Test {
 protected:
  static CallOptions Quick() {
    return {
        .retry = {.first_delay = milliseconds(1), .max_delay = milliseconds(2), .unavailable_for = milliseconds(5)}};
  }
  v1::TellRequest Fact(const std::string& fact, const std::string& request_id = "") const {
    v1::TellRequest request;
    request.set_session(session_.name());
    request.add_facts(fact);
    request.set_request_id(request_id);
    return request;
  }
  void SetUp() override { ASSERT_TRUE(client_.Open("", session_).ok()); }

  FakeServer server_;
  FakeQuestions& questions_ = server_.questions();
  const QuestionClient client_{MakeChannel(server_.address()), Quick()};
  v1::QuestionSession session_;
  v1::TellResponse told_;
};

TEST_F(QuestionClients, TellsAsksForksExportsImportsAndCloses) {
  ASSERT_TRUE(client_.Tell(Fact("Mary left."), told_).ok());
  EXPECT_EQ(told_.session().fact_count(), 1);
  v1::AskRequest ask;
  ask.set_session(session_.name());
  ask.add_questions("Who?");
  v1::AskResponse answers;
  ASSERT_TRUE(client_.Ask(ask, answers).ok());
  EXPECT_EQ(answers.answers(0).text(), "left");
  v1::QuestionSession copy;
  ASSERT_TRUE(client_.Fork(session_.name(), copy).ok());
  v1::ExportSessionResponse exported;
  ASSERT_TRUE(client_.Export(copy.name(), exported).ok());
  v1::ImportSessionRequest import;
  import.set_data(exported.data());
  v1::QuestionSession imported;
  ASSERT_TRUE(client_.Import(import, imported).ok());
  EXPECT_THAT(questions_.facts(imported.name()), ElementsAre("Mary left."));
  EXPECT_TRUE(client_.Close(copy.name()).ok());
  EXPECT_EQ(client_.Close(copy.name()).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(QuestionClients, FullQueueIsTriedAgain) {
  questions_.full_for = 3;
  EXPECT_TRUE(client_.Tell(Fact("Mary left."), told_).ok());
  EXPECT_THAT(questions_.tell_requests, SizeIs(4));
}

TEST_F(QuestionClients, FullSessionIsNot) {
  questions_.max_facts = 0;
  EXPECT_EQ(client_.Tell(Fact("Mary left.", "id"), told_).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(questions_.tell_requests, SizeIs(1));
}

TEST_F(QuestionClients, ChangeThatMayHaveHappenedIsTriedAgainOnlyWithItsName) {
  questions_.tell_status = grpc::Status(grpc::StatusCode::UNAVAILABLE, "no");
  EXPECT_EQ(client_.Tell(Fact("Mary left."), told_).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(questions_.tell_requests, SizeIs(1));
  EXPECT_EQ(client_.Tell(Fact("Mary left.", "id"), told_).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_GT(questions_.tell_requests.size(), 2u);
}

TEST_F(QuestionClients, ConversationEndsWithTheServersStatus) {
  Conversation conversation(MakeChannel(server_.address()), {});
  v1::ChatRequest message;
  message.set_session("s9");
  v1::ChatResponse reply;
  EXPECT_EQ(StatusText(conversation.Say(message, reply)), "NOT_FOUND: session 's9' is closed");
}

TEST_F(QuestionClients, StopEndsAConversationThatWaits) {
  std::stop_source stop;
  questions_.check = [&](const std::string&) {
    stop.request_stop();
    return grpc::Status::OK;
  };
  Conversation conversation(MakeChannel(server_.address()), stop.get_token());
  v1::ChatRequest message;
  message.set_session(session_.name());
  v1::ChatResponse reply;
  ASSERT_TRUE(conversation.Say(message, reply).ok());
  message.set_question("Who?");
  EXPECT_EQ(conversation.Say(message, reply).error_code(), grpc::StatusCode::CANCELLED);
}

}  // namespace
}  // namespace heed::client
