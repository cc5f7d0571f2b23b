// SPDX-License-Identifier: Apache-2.0
// heed.v1.QuestionAnsweringService.Chat end to end.
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/services/question_server.h"

namespace heed {
namespace {

using grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::ChatRequest OpenMessage(const std::string& model = "") {
  v1::ChatRequest message;
  message.mutable_open_session()->set_model(model);
  return message;
}
v1::ChatRequest SessionMessage(const std::string& session) {
  v1::ChatRequest message;
  message.set_session(session);
  return message;
}
v1::ChatRequest FactMessage(const std::string& fact) {
  v1::ChatRequest message;
  message.set_fact(fact);
  return message;
}
v1::ChatRequest QuestionMessage(const std::string& question) {
  v1::ChatRequest message;
  message.set_question(question);
  return message;
}

// The client's end of a conversation.
class Conversation {
 public:
  explicit Conversation(v1::QuestionAnsweringService::Stub& stub) : stream_(stub.Chat(&context_)) {}
  ~Conversation() {
    if (!ended_) Cancel();
  }

  void Send(const v1::ChatRequest& message) { EXPECT_TRUE(stream_->Write(message)); }
  v1::ChatResponse Receive() {
    v1::ChatResponse response;
    EXPECT_TRUE(stream_->Read(&response)) << "the stream has ended";
    return response;
  }
  // Which must be answered.
  v1::ChatResponse Say(const v1::ChatRequest& message) {
    Send(message);
    return Receive();
  }
  void SendNoMore() { stream_->WritesDone(); }
  // After the last answer.
  grpc::Status End() {
    v1::ChatResponse response;
    EXPECT_FALSE(stream_->Read(&response)) << response.ShortDebugString();
    ended_ = true;
    return stream_->Finish();
  }
  grpc::Status Cancel() {
    context_.TryCancel();
    ended_ = true;
    return stream_->Finish();
  }
  // What the stream ends with after `message`.
  grpc::Status EndOf(const v1::ChatRequest& message) {
    stream_->Write(message);
    return End();
  }

 private:
  grpc::ClientContext context_;
  const std::unique_ptr<grpc::ClientReaderWriter<v1::ChatRequest, v1::ChatResponse>> stream_;
  bool ended_ = false;
};

void ExpectStatus(const grpc::Status& status, StatusCode code, const std::string& message) {
  EXPECT_EQ(status.error_code(), code) << status.error_message();
  EXPECT_THAT(status.error_message(), HasSubstr(message));
}

using QuestionChatTest = QuestionServerTest;

TEST_P(QuestionChatTest, EachMessageIsAnsweredInOrder) {
  Start();
  Conversation chat(*stub_);
  const v1::ChatResponse opened = chat.Say(OpenMessage());
  EXPECT_EQ(opened.message_case(), v1::ChatResponse::MESSAGE_NOT_SET);
  EXPECT_EQ(opened.session().model(), "stories");
  EXPECT_EQ(opened.session().version(), 1);

  v1::ChatResponse response = chat.Say(QuestionMessage("what about 5"));
  EXPECT_EQ(response.answer().text(), "nothing");
  EXPECT_THAT(response.answer().unknown_words(), ElementsAre("5"));
  EXPECT_EQ(response.session().version(), 1);

  response = chat.Say(FactMessage("mary has 1 cat"));
  EXPECT_TRUE(response.has_told());
  EXPECT_THAT(response.told().unknown_words(), ElementsAre("1"));
  EXPECT_EQ(response.session().name(), opened.session().name());
  EXPECT_EQ(response.session().version(), 2);
  EXPECT_EQ(response.session().fact_count(), 1);

  v1::ChatRequest question = QuestionMessage("what");
  question.mutable_options()->set_top_k(0);
  question.mutable_options()->set_return_attribution(true);
  response = chat.Say(question);
  EXPECT_EQ(response.answer().text(), "mary has 1 cat");
  EXPECT_EQ(response.answer().candidates_size(), 2);
  EXPECT_EQ(response.answer().facts_size(), 1);
  EXPECT_EQ(response.session().version(), 2);
  EXPECT_EQ(response.session().fact_count(), 1);
  chat.SendNoMore();
  EXPECT_TRUE(chat.End().ok());
  EXPECT_EQ(Ask(opened.session().name()).answers(0).text(), "mary has 1 cat");  // the session stays
}

TEST_P(QuestionChatTest, HalfCloseEndsItAfterTheLastAnswer) {
  Start();
  Conversation chat(*stub_);
  constexpr int kSentences = 200;
  chat.Send(OpenMessage());
  for (int i = 0; i < kSentences; ++i) {
    chat.Send(FactMessage(absl::StrCat("fact ", i)));
    chat.Send(QuestionMessage("what"));
  }
  chat.SendNoMore();
  chat.Receive();
  for (int i = 0; i < kSentences; ++i) {
    EXPECT_EQ(chat.Receive().session().fact_count(), i + 1);
    EXPECT_EQ(chat.Receive().answer().text(), absl::StrCat("fact ", i));
  }
  EXPECT_TRUE(chat.End().ok());
}

TEST_P(QuestionChatTest, GoesOnWithASession) {
  Start();
  const std::string session = Open();
  Tell(session, {"a"});
  Conversation chat(*stub_);
  EXPECT_EQ(chat.Say(SessionMessage(session)).session().version(), 2);
  EXPECT_EQ(chat.Say(QuestionMessage("what")).answer().text(), "a");
  Tell(session, {"b"});  // the chat has the session only while a fact is told
  const v1::ChatResponse response = chat.Say(QuestionMessage("what"));
  EXPECT_EQ(response.answer().text(), "b");
  EXPECT_EQ(response.session().version(), 3);
  EXPECT_EQ(chat.Say(FactMessage("c")).session().version(), 4);
}

TEST_P(QuestionChatTest, BeginsWithAnImport) {
  Start();
  const std::string session = Open();
  Tell(session, {"a"});
  Conversation chat(*stub_);
  v1::ChatRequest import;
  *import.mutable_import_session() = ImportRequest(Called(&Stub::ExportSession, ExportRequest(session)).data());
  const v1::ChatResponse imported = chat.Say(import);
  EXPECT_NE(imported.session().name(), session);
  EXPECT_EQ(imported.session().fact_count(), 1);
  EXPECT_EQ(chat.Say(QuestionMessage("what")).answer().text(), "a");
  chat.Say(FactMessage("b"));
  EXPECT_EQ(Ask(session).answers(0).text(), "a");
}

TEST_P(QuestionChatTest, FirstMessageThatBeginsNothingEndsIt) {
  Start();
  ExpectStatus(Conversation(*stub_).EndOf(FactMessage("a")), StatusCode::INVALID_ARGUMENT, "message 0: is a sentence");
  ExpectStatus(Conversation(*stub_).EndOf(QuestionMessage("a")), StatusCode::INVALID_ARGUMENT,
               "message 0: is a sentence");
  ExpectStatus(Conversation(*stub_).EndOf(v1::ChatRequest()), StatusCode::INVALID_ARGUMENT, "message 0: is empty");
  ExpectStatus(Conversation(*stub_).EndOf(OpenMessage("none")), StatusCode::NOT_FOUND, "there is no \"none\"");
  ExpectStatus(Conversation(*stub_).EndOf(OpenMessage("words")), StatusCode::INVALID_ARGUMENT, "is a translator");
  ExpectStatus(Conversation(*stub_).EndOf(SessionMessage("none")), StatusCode::NOT_FOUND, "session");
  v1::ChatRequest import;
  import.mutable_import_session()->set_data("no session");
  ExpectStatus(Conversation(*stub_).EndOf(import), StatusCode::INVALID_ARGUMENT, "data: ");
  Conversation silent(*stub_);
  silent.SendNoMore();
  ExpectStatus(silent.End(), StatusCode::INVALID_ARGUMENT, "the stream holds no message");
}

TEST_P(QuestionChatTest, SessionInALaterMessageEndsIt) {
  Start();
  for (const v1::ChatRequest& later : {OpenMessage(), SessionMessage("a"), v1::ChatRequest()}) {
    Conversation chat(*stub_);
    chat.Say(OpenMessage());
    chat.Say(FactMessage("a"));
    ExpectStatus(chat.EndOf(later), StatusCode::INVALID_ARGUMENT, "message 2: ");
  }
}

TEST_P(QuestionChatTest, RefusedSentenceIsSaidAndTheConversationGoesOn) {
  options_.session_facts = 1;
  Start();
  Conversation chat(*stub_);
  const std::string session = chat.Say(OpenMessage()).session().name();
  v1::ChatResponse response = chat.Say(FactMessage(" "));
  EXPECT_EQ(response.refusal().code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(response.refusal().message(), "fact: is empty");
  EXPECT_EQ(response.session().name(), session);
  EXPECT_EQ(response.session().version(), 1);

  response = chat.Say(QuestionMessage("a b c d e f g h i j k"));
  EXPECT_EQ(response.refusal().code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(response.refusal().message(), "question: has 11 words, the model reads at most 10");
  v1::ChatRequest question = QuestionMessage("what");
  question.mutable_options()->set_top_k(-1);
  EXPECT_THAT(chat.Say(question).refusal().message(), HasSubstr("options.top_k: -1"));

  EXPECT_TRUE(chat.Say(FactMessage("a")).has_told());
  response = chat.Say(FactMessage("b"));
  EXPECT_EQ(response.refusal().code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(response.refusal().message(), HasSubstr("would hold 2 facts, at most --session_facts=1"));
  EXPECT_EQ(response.session().fact_count(), 1);
  EXPECT_EQ(chat.Say(QuestionMessage("what")).answer().text(), "a");
}

TEST_P(QuestionChatTest, FactIsRefusedWhileAnotherRequestChangesTheSession) {
  Start();
  Conversation chat(*stub_);
  const std::string session = chat.Say(OpenMessage()).session().name();
  stories_->gate().Hold();
  auto tell = Begin(&Stub::Tell, TellRequest(session, {"a"}));
  stories_->gate().WaitUntilHeld();
  const v1::ChatResponse response = chat.Say(FactMessage("b"));
  EXPECT_EQ(response.refusal().code(), StatusCode::ABORTED);
  stories_->gate().Release();
  tell->thread.join();
  EXPECT_EQ(chat.Say(FactMessage("b")).session().fact_count(), 2);
}

TEST_P(QuestionChatTest, OtherErrorsEndIt) {
  Start();
  Conversation failing(*stub_);
  const std::string session = failing.Say(OpenMessage()).session().name();
  failing.Say(FactMessage("a"));
  ExpectStatus(failing.EndOf(FactMessage("fail")), StatusCode::INTERNAL, "told to fail");
  EXPECT_EQ(Ask(session).session().version(), 2);

  Conversation closed(*stub_);
  closed.Say(SessionMessage(session));
  Close(session);
  ExpectStatus(closed.EndOf(QuestionMessage("what")), StatusCode::NOT_FOUND, "it was closed");
}

TEST_P(QuestionChatTest, ClientThatGoesInMidFactLeavesTheSessionWhole) {
  Start();
  Conversation chat(*stub_);
  const std::string session = chat.Say(OpenMessage()).session().name();
  stories_->gate().Hold();
  // The step of another session's story is held, so that the fact is still in the queue when the client goes.
  auto other = Begin(&Stub::Answer, AnswerRequest({}, {"what"}));
  stories_->gate().WaitUntilHeld();
  chat.Send(FactMessage("a"));
  WaitForMetric("heed_queued_requests{model=\"stories\"} 1");
  EXPECT_EQ(chat.Cancel().error_code(), StatusCode::CANCELLED);
  other->context.TryCancel();
  other->thread.join();
  stories_->gate().Release();
  WaitForMetric("heed_requests_in_flight{method=\"heed.v1.QuestionAnsweringService/Chat\"} 0");
  // The server hears of it before the fact's step, or behind it: told or not, never half, and nobody has the session.
  const v1::QuestionSession after = Ask(session).session();
  EXPECT_LE(after.fact_count(), 1);
  EXPECT_EQ(after.version(), after.fact_count() + 1);
  EXPECT_EQ(Tell(session, {"b"}).session().fact_count(), after.fact_count() + 1);
}

TEST_P(QuestionChatTest, ClientThatGoesBetweenMessagesEndsIt) {
  Start();
  Conversation chat(*stub_);
  const std::string session = chat.Say(OpenMessage()).session().name();
  chat.Say(FactMessage("a"));
  chat.Cancel();
  WaitForMetric("heed_requests_in_flight{method=\"heed.v1.QuestionAnsweringService/Chat\"} 0");
  EXPECT_TRUE(HasMetric(
      "heed_requests_total{code=\"CANCELLED\",method=\"heed.v1.QuestionAnsweringService/Chat\",model=\"stories\"} 1"));
  EXPECT_EQ(Ask(session).session().fact_count(), 1);
}

TEST_P(QuestionChatTest, UnreadAnswersStopItsOwnConversationAlone) {
  options_.session_facts = 1'000'000;
  Start();
  // Far more than gRPC's windows take, and nobody reads.
  constexpr int kQuestions = 5'000;
  const std::string session = Open();
  const std::string fact = std::string(10'000, 'a');
  Tell(session, {fact});
  Conversation chat(*stub_);
  std::thread writer([&] {
    chat.Send(SessionMessage(session));
    for (int i = 0; i < kQuestions; ++i) chat.Send(QuestionMessage("what"));
    chat.SendNoMore();
  });
  // Others are served all the while, and the session can be changed.
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Ask(session).answers(0).text(), fact);
  EXPECT_EQ(Tell(session, {fact}).session().fact_count(), 2);
  EXPECT_TRUE(HasMetric("heed_requests_in_flight{method=\"heed.v1.QuestionAnsweringService/Chat\"} 1"));
  chat.Receive();
  for (int i = 0; i < kQuestions; ++i) EXPECT_EQ(chat.Receive().answer().text(), fact);
  writer.join();
  EXPECT_TRUE(chat.End().ok());
}

TEST_P(QuestionChatTest, ShutdownEndsConversationsBehindTheMessageUnderWay) {
  options_.drain_timeout_s = 1000;
  Start();
  Conversation idle(*stub_), busy(*stub_), unopened(*stub_);
  idle.Say(OpenMessage());
  const std::string session = busy.Say(OpenMessage()).session().name();
  stories_->gate().Hold();
  busy.Send(FactMessage("a"));
  stories_->gate().WaitUntilHeld();
  WaitForMetric("heed_requests_in_flight{method=\"heed.v1.QuestionAnsweringService/Chat\"} 3");
  std::thread shutdown([this] { server_->Shutdown(); });
  const std::string refusal = "the server is shutting down";
  ExpectStatus(idle.End(), StatusCode::UNAVAILABLE, refusal);
  ExpectStatus(unopened.End(), StatusCode::UNAVAILABLE, refusal);
  ExpectStatus(Conversation(*stub_).EndOf(OpenMessage()), StatusCode::UNAVAILABLE, refusal);
  stories_->gate().Release();
  EXPECT_EQ(busy.Receive().session().fact_count(), 1);
  ExpectStatus(busy.End(), StatusCode::UNAVAILABLE, refusal);
  shutdown.join();
}

INSTANTIATE_TEST_SUITE_P(Sessions, QuestionChatTest, ::testing::Values(Sessions::kInMemory, Sessions::kInADirectory),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace heed
