// SPDX-License-Identifier: Apache-2.0
// Sessions of heed.v1.LanguageModelingService end to end, in memory and in a directory.
#include <memory>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/language/language_server.h"

namespace heed {
namespace {

using grpc::StatusCode;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TextSessionsTest : public LanguageServerTest {
 protected:
  // The session is as it was opened, and nobody is changing it.
  void ExpectUntouched(const std::string& session) {
    EXPECT_EQ(SessionNow(session).version(), 1);
    const v1::TextSession read = Read(session, "a").session();
    EXPECT_EQ(read.version(), 2);
    EXPECT_EQ(read.tokens_read(), 1);
  }
};

// Words of a text of many steps.
std::string LongText(int words) {
  std::string text;
  for (int i = 0; i < words; ++i) text += "word ";
  return text;
}

TEST_P(TextSessionsTest, SessionReadsScoresAndGenerates) {
  options_.session_idle_s = 90;
  Start();
  v1::OpenTextSessionRequest open;
  open.set_model("books");
  const v1::TextSession opened = Called(&Stub::OpenTextSession, open).session();
  EXPECT_EQ(opened.model(), "books");
  EXPECT_EQ(opened.model_version(), 1);
  EXPECT_EQ(opened.version(), 1);
  EXPECT_EQ(opened.tokens_read(), 0);
  EXPECT_EQ(opened.idle_limit().seconds(), 90);

  const v1::ReadTextResponse read = Read(opened.name(), "to be or");
  EXPECT_EQ(read.score().log_probability(), -4);
  EXPECT_EQ(read.score().tokens(), 2);
  EXPECT_EQ(read.session().version(), 2);
  EXPECT_EQ(read.session().tokens_read(), 3);
  EXPECT_EQ(read.session().memory_tokens(), 3);
  EXPECT_GT(read.session().memory_bytes(), 0);
  EXPECT_FALSE(read.repeated_request());
  EXPECT_EQ(Read(opened.name(), "not to be").score().log_probability(), -2 - 1 - 1);

  const v1::ScoreResponse scores = Called(&Stub::Score, ScoreBehind(opened.name(), "be or else"));
  EXPECT_EQ(scores.scores(0).log_probability(), -1 - 1 - 2);
  EXPECT_EQ(scores.model(), "books");
  EXPECT_EQ(scores.model_version(), 1);
  const v1::GenerateResponse generated = Called(&Stub::Generate, GenerateFrom(opened.name(), "", false));
  EXPECT_EQ(generated.texts(0).text(), "to be or");
  EXPECT_EQ(generated.session().version(), 3);
  EXPECT_EQ(SessionNow(opened.name()).version(), 3);  // neither has changed it
}

TEST_P(TextSessionsTest, SessionIsAsGoodAsTheWholeText) {
  Start();
  const std::string session = Open();
  double sum = 0;
  for (const char* part : {"to be or not", "to be that 1", "is the question to"}) {
    sum += Read(session, part).score().log_probability();
  }
  const v1::TextScore whole =
      Called(&Stub::Score, ScoreRequest({"to be or not to be that 1 is the question to"})).scores(0);
  EXPECT_EQ(sum, whole.log_probability());
}

TEST_P(TextSessionsTest, ReadIsAllOrNothing) {
  Start();
  const std::string session = Open();
  EXPECT_THAT(ErrorOf(&Stub::ReadText, ReadRequest(session, LongText(20) + "fail"), StatusCode::INTERNAL),
              HasSubstr("told to fail"));
  EXPECT_EQ(ErrorOf(&Stub::ReadText, ReadRequest(session, ""), kInvalid), "text: is empty");
  ExpectUntouched(session);
}

TEST_P(TextSessionsTest, BadReadsNameTheField) {
  Start();
  const std::string session = Open();
  v1::ReadTextRequest request = ReadRequest(session, "a");
  request.mutable_options()->set_order(v1::ScoreOptions::ORDER_ALL_CONTEXT);
  EXPECT_EQ(ErrorOf(&Stub::ReadText, request, kInvalid),
            "options.order: is ORDER_ALL_CONTEXT, but a session is read from left to right");
  request.mutable_options()->clear_order();
  request.mutable_options()->set_segment_tokens(4);
  EXPECT_EQ(ErrorOf(&Stub::ReadText, request, kInvalid), "options.segment_tokens: 4, but the session has its own");
  v1::ScoreRequest score = ScoreBehind(session, "a");
  score.set_model("stories");
  EXPECT_EQ(ErrorOf(&Stub::Score, score, kInvalid), "model: is \"stories\", but the session is of \"books\"");
  score.set_model("books");
  score.set_model_version(2);
  EXPECT_EQ(ErrorOf(&Stub::Score, score, kInvalid), "model_version: 2, but the session is of version 1");
  v1::OpenTextSessionRequest open;
  open.set_segment_tokens(0);
  EXPECT_EQ(ErrorOf(&Stub::OpenTextSession, open, kInvalid), "segment_tokens: 0, must be at least 1");
  ExpectUntouched(session);
}

TEST_P(TextSessionsTest, CommitGoesOnBehindPromptAndText) {
  Start();
  const std::string session = Open();
  Read(session, "a b");
  v1::GenerateRequest request = GenerateFrom(session, "c", true);
  request.set_request_id("one");
  const v1::GenerateResponse first = Called(&Stub::Generate, request);
  EXPECT_EQ(first.texts(0).text(), "a b c");
  EXPECT_EQ(first.session().version(), 3);
  EXPECT_EQ(first.session().tokens_read(), 6);
  v1::GenerateResponse again = Called(&Stub::Generate, request);
  EXPECT_TRUE(again.repeated_request());
  again.set_repeated_request(false);
  EXPECT_EQ(again.SerializeAsString(), first.SerializeAsString());
  EXPECT_EQ(Called(&Stub::Generate, GenerateFrom(session, "", false)).session().tokens_read(), 6);
}

TEST_P(TextSessionsTest, RepeatedReadHasTheFirstAnswer) {
  Start();
  const std::string session = Open();
  v1::ReadTextRequest request = ReadRequest(session, "a b");
  request.set_request_id("first");
  request.set_expected_version(1);
  EXPECT_FALSE(Called(&Stub::ReadText, request).repeated_request());
  Read(session, "c");
  const v1::ReadTextResponse again = Called(&Stub::ReadText, request);  // whatever version it expects
  EXPECT_TRUE(again.repeated_request());
  EXPECT_EQ(again.session().version(), 2);
  EXPECT_EQ(again.score().log_probability(), -2);
  EXPECT_EQ(SessionNow(session).version(), 3);
  v1::GenerateRequest generate = GenerateFrom(session, "", true);
  generate.set_request_id("first");
  EXPECT_EQ(ErrorOf(&Stub::Generate, generate, kInvalid),
            "request_id: \"first\" was that of a request of the other kind");
}

TEST_P(TextSessionsTest, AnswerThatIsTooLargeToKeepIsRefused) {
  options_.session_tokens = 1'000'000;
  Start();
  const std::string session = Open();
  v1::ReadTextRequest request = ReadRequest(session, LongText(20'000));
  request.mutable_options()->set_return_tokens(true);
  request.set_request_id("first");
  EXPECT_THAT(ErrorOf(&Stub::ReadText, request, StatusCode::RESOURCE_EXHAUSTED),
              HasSubstr("request_id: the session would have to keep an answer of "));
  ExpectUntouched(session);
}

TEST_P(TextSessionsTest, AnotherVersionThanExpectedIsAborted) {
  Start();
  const std::string session = Open();
  Read(session, "a");
  const std::string error = "expected_version: 1, the session has version 2";
  const auto expecting = [](auto request, int64_t version) {
    request.set_expected_version(version);
    return request;
  };
  EXPECT_EQ(ErrorOf(&Stub::ReadText, expecting(ReadRequest(session, "b"), 1), StatusCode::ABORTED), error);
  EXPECT_EQ(ErrorOf(&Stub::Score, expecting(ScoreBehind(session, "b"), 1), StatusCode::ABORTED), error);
  EXPECT_EQ(ErrorOf(&Stub::Generate, expecting(GenerateFrom(session, "b", true), 1), StatusCode::ABORTED), error);
  EXPECT_EQ(ErrorOf(&Stub::Generate, expecting(GenerateFrom(session, "b", false), 1), StatusCode::ABORTED), error);
  EXPECT_EQ(ErrorOf(&Stub::ForkTextSession, expecting(On<v1::ForkTextSessionRequest>(session), 1), StatusCode::ABORTED),
            error);
  Called(&Stub::Score, expecting(ScoreBehind(session, "b"), 2));
  Called(&Stub::ReadText, expecting(ReadRequest(session, "b"), 2));
}

TEST_P(TextSessionsTest, SecondChangeOfASessionIsAbortedAndScoresRunBesideOne) {
  Start();
  const std::string session = Open();
  Read(session, "before");
  books_->gate().Hold();
  auto read = Begin(&Stub::ReadText, ReadRequest(session, "after"));
  books_->gate().WaitUntilHeld();
  const std::string error = "session: another request is changing it: try again";
  EXPECT_EQ(ErrorOf(&Stub::ReadText, ReadRequest(session, "b"), StatusCode::ABORTED), error);
  EXPECT_EQ(ErrorOf(&Stub::Generate, GenerateFrom(session, "", true), StatusCode::ABORTED), error);
  auto score = Begin(&Stub::Score, ScoreBehind(session, "after"));
  WaitForMetric("heed_queued_requests{model=\"books\"} 1");
  books_->gate().Release();
  read->thread.join();
  score->thread.join();
  EXPECT_TRUE(read->status.ok()) << read->status.error_message();
  EXPECT_EQ(score->response.scores(0).log_probability(), -2);  // of the state that was there when it came
  EXPECT_EQ(ScoreOf(session, "after"), -1);
}

TEST_P(TextSessionsTest, CancelledReadLeavesTheSessionAsItWas) {
  options_.session_tokens = 1'000'000;
  Start();
  const std::string session = Open();
  books_->gate().Hold();
  auto read = Begin(&Stub::ReadText, ReadRequest(session, LongText(1'000'000)));  // of 125,000 steps
  books_->gate().WaitUntilHeld();
  read->context.TryCancel();
  read->thread.join();
  EXPECT_EQ(read->status.error_code(), StatusCode::CANCELLED);
  books_->gate().Release();
  WaitForMetric("heed_requests_in_flight{method=\"heed.v1.LanguageModelingService/ReadText\"} 0");
  ExpectUntouched(session);
}

TEST_P(TextSessionsTest, ReadWhoseDeadlinePassesLeavesTheSessionAsItWas) {
  Start();
  const std::string session = Open();
  books_->gate().Hold();
  // On a busy machine the deadline may pass before the server has the request; then a longer one is tried.
  for (int limit_ms = 200; !HasMetric("heed_cancellations_total{model=\"books\",reason=\"deadline\"}"); limit_ms *= 2) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(limit_ms));
    v1::ReadTextResponse response;
    // ABORTED: the server had the one before after all, and has it still.
    ASSERT_THAT(stub_->ReadText(&context, ReadRequest(session, LongText(1000)), &response).error_code(),
                AnyOf(StatusCode::DEADLINE_EXCEEDED, StatusCode::ABORTED));
    // The server began to count when it had the request: its deadline is a little later.
    std::this_thread::sleep_for(std::chrono::milliseconds(limit_ms / 2));
    books_->gate().Release();
    if (HasMetric("heed_requests_in_flight{method=\"heed.v1.LanguageModelingService/ReadText\"")) {
      WaitForMetric("heed_requests_in_flight{method=\"heed.v1.LanguageModelingService/ReadText\"} 0");
    }
    books_->gate().Hold();
  }
  books_->gate().Release();
  ExpectUntouched(session);
}

TEST_P(TextSessionsTest, MoreTokensThanASessionHoldsAreResourceExhaustedWithoutARetryHint) {
  options_.session_tokens = 5;
  Start();
  const std::string session = Open();
  Read(session, "a b c");
  grpc::ClientContext context;
  v1::ReadTextResponse response;
  const grpc::Status status = stub_->ReadText(&context, ReadRequest(session, "d e f"), &response);
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), "text: the session would hold 6 tokens, at most --session_tokens=5");
  EXPECT_EQ(context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 0u);
  EXPECT_EQ(ErrorOf(&Stub::Generate, GenerateFrom(session, "", true), StatusCode::RESOURCE_EXHAUSTED),
            "prompt: the session would hold 6 tokens, at most --session_tokens=5");
  EXPECT_EQ(Read(session, "d e").session().tokens_read(), 5);
  const std::string data = Export(session);
  options_.session_tokens = 4;
  Start();
  v1::ImportTextSessionRequest import;
  import.set_data(data);
  EXPECT_EQ(ErrorOf(&Stub::ImportTextSession, import, StatusCode::RESOURCE_EXHAUSTED),
            "data: the session would hold 5 tokens, at most --session_tokens=4");
}

TEST_P(TextSessionsTest, MemoryThatForgetsReadsOn) {
  SetModel({.memory_words = 8});
  options_.session_tokens = 12;
  Start();
  const std::string session = Open();
  v1::TextSession read;
  for (int i = 0; i < 10; ++i) read = Read(session, LongText(10)).session();
  EXPECT_EQ(read.tokens_read(), 100);
  EXPECT_EQ(read.memory_tokens(), 8);
}

TEST_P(TextSessionsTest, SessionThatWouldTakeTooMuchMemoryIsResourceExhausted) {
  options_.max_session_bytes = 5000;
  Start();
  const std::string session = Open();
  EXPECT_THAT(ErrorOf(&Stub::ReadText, ReadRequest(session, LongText(100)), StatusCode::RESOURCE_EXHAUSTED),
              HasSubstr("bytes, at most --max_session_bytes=5000"));
  ExpectUntouched(session);
}

TEST_P(TextSessionsTest, ForkGoesItsOwnWayAndSharesWhatBothHaveRead) {
  Start();
  const std::string session = Open();
  Read(session, LongText(400));  // 100 blocks of 1000 bytes
  const auto bytes = [this] {
    const std::string text = server_->metrics().Text();
    const std::string name = "\nheed_session_bytes ";
    return std::stod(text.substr(text.find(name) + name.size()));
  };
  const double one = bytes();
  const v1::TextSession fork = Called(&Stub::ForkTextSession, On<v1::ForkTextSessionRequest>(session)).session();
  EXPECT_NE(fork.name(), session);
  EXPECT_EQ(fork.version(), 1);
  EXPECT_EQ(fork.tokens_read(), 400);
  EXPECT_EQ(fork.memory_bytes(), SessionNow(session).memory_bytes());
  EXPECT_LT(bytes(), one + 1000);
  Read(fork.name(), "of the fork alone");
  EXPECT_LT(bytes(), one + 3000);
  EXPECT_EQ(ScoreOf(fork.name(), "fork"), -1);
  EXPECT_EQ(ScoreOf(session, "fork"), -2);
  Close(session);
  EXPECT_EQ(ScoreOf(fork.name(), "word fork"), -2);
  EXPECT_GT(bytes(), 100'000);
  Close(fork.name());
  EXPECT_EQ(bytes(), 0);
}

TEST_P(TextSessionsTest, ExportIsImportedAsANewSession) {
  Start();
  const std::string session = Open();
  Read(session, "a b c d e");
  const std::string data = Export(session);
  Read(session, "f");
  Start();  // elsewhere
  v1::ImportTextSessionRequest import;
  import.set_data(data);
  const v1::TextSession imported = Called(&Stub::ImportTextSession, import).session();
  EXPECT_NE(imported.name(), session);
  EXPECT_EQ(imported.tokens_read(), 5);
  EXPECT_EQ(imported.memory_tokens(), 5);
  EXPECT_EQ(ScoreOf(imported.name(), "e f"), -3);
  const std::string again = Export(imported.name());
  import.set_data(again);
  EXPECT_EQ(Export(Called(&Stub::ImportTextSession, import).session().name()), again);  // to the byte
}

TEST_P(TextSessionsTest, BadImportsAreRefused) {
  AddModel("tales");
  Start();
  v1::OpenTextSessionRequest open;
  open.set_model("books");
  const std::string session = Called(&Stub::OpenTextSession, open).session().name();
  Read(session, "a b");
  v1::ImportTextSessionRequest import;
  import.set_data("no session");
  EXPECT_THAT(ErrorOf(&Stub::ImportTextSession, import, kInvalid), HasSubstr("data: "));
  import.set_data(Export(session));
  import.set_model("tales");
  EXPECT_THAT(ErrorOf(&Stub::ImportTextSession, import, StatusCode::FAILED_PRECONDITION),
              HasSubstr("data: is of weights with the fingerprint fake-fingerprint"));
  import.set_model("stories");
  EXPECT_EQ(ErrorOf(&Stub::ImportTextSession, import, kInvalid),
            "model: is of \"stories\", which is a question-answerer, not a language-model");
}

TEST_P(TextSessionsTest, SessionsOfTheOtherKindAreRefusedByBothServices) {
  Start();
  const auto questions = v1::QuestionAnsweringService::NewStub(ChannelTo(*server_));
  const auto ask = [&](auto method, const auto& request, auto response) {
    grpc::ClientContext context;
    return (questions.get()->*method)(&context, request, &response);
  };
  const std::string text_session = Open();
  v1::OpenSessionResponse opened;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(questions->OpenSession(&context, {}, &opened).ok());
  }
  const std::string question_session = opened.session().name();

  // A session of texts, asked.
  const std::string texts = "session: is of \"books\", which is a language-model, not a question-answerer";
  const auto expect_refused = [&](const grpc::Status& status) {
    EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
    EXPECT_EQ(status.error_message(), texts);
  };
  v1::TellRequest tell;
  tell.set_session(text_session);
  tell.add_facts("a");
  expect_refused(ask(&v1::QuestionAnsweringService::Stub::Tell, tell, v1::TellResponse()));
  v1::AskRequest question;
  question.set_session(text_session);
  question.add_questions("a");
  expect_refused(ask(&v1::QuestionAnsweringService::Stub::Ask, question, v1::AskResponse()));
  expect_refused(ask(&v1::QuestionAnsweringService::Stub::ForkSession, On<v1::ForkSessionRequest>(text_session),
                     v1::ForkSessionResponse()));
  expect_refused(ask(&v1::QuestionAnsweringService::Stub::ExportSession, On<v1::ExportSessionRequest>(text_session),
                     v1::ExportSessionResponse()));
  {
    grpc::ClientContext context;
    auto chat = questions->Chat(&context);
    v1::ChatRequest message;
    message.set_session(text_session);
    chat->Write(message);
    v1::ChatResponse response;
    EXPECT_FALSE(chat->Read(&response));
    expect_refused(chat->Finish());
  }
  v1::ImportSessionRequest import_session;
  import_session.set_data(Export(text_session));
  const grpc::Status imported =
      ask(&v1::QuestionAnsweringService::Stub::ImportSession, import_session, v1::ImportSessionResponse());
  EXPECT_EQ(imported.error_code(), kInvalid);
  EXPECT_EQ(imported.error_message(), "data: is of \"books\", which is a language-model, not a question-answerer");

  // A session of questions, read.
  const std::string of_questions = "session: is of \"stories\", which is a question-answerer, not a language-model";
  constexpr StatusCode kCode = StatusCode::FAILED_PRECONDITION;
  EXPECT_EQ(ErrorOf(&Stub::ReadText, ReadRequest(question_session, "a"), kCode), of_questions);
  EXPECT_EQ(ErrorOf(&Stub::Score, ScoreBehind(question_session, "a"), kCode), of_questions);
  EXPECT_EQ(ErrorOf(&Stub::Generate, GenerateFrom(question_session, "a", true), kCode), of_questions);
  EXPECT_EQ(ErrorOf(&Stub::Generate, GenerateFrom(question_session, "a", false), kCode), of_questions);
  EXPECT_EQ(ErrorOf(&Stub::ForkTextSession, On<v1::ForkTextSessionRequest>(question_session), kCode), of_questions);
  EXPECT_EQ(ErrorOf(&Stub::ExportTextSession, On<v1::ExportTextSessionRequest>(question_session), kCode), of_questions);
  v1::ExportSessionResponse exported;
  grpc::ClientContext context;
  ASSERT_TRUE(questions->ExportSession(&context, On<v1::ExportSessionRequest>(question_session), &exported).ok());
  v1::ImportTextSessionRequest import_text;
  import_text.set_data(exported.data());
  EXPECT_EQ(ErrorOf(&Stub::ImportTextSession, import_text, kInvalid),
            "data: is of \"stories\", which is a question-answerer, not a language-model");
}

TEST_P(TextSessionsTest, ClosedAndUnknownSessionsAreNotFound) {
  Start();
  const std::string session = Open();
  Close(session);
  for (const std::string& name : {session, std::string("none")}) {
    ErrorOf(&Stub::ReadText, ReadRequest(name, "a"), StatusCode::NOT_FOUND);
    ErrorOf(&Stub::Score, ScoreBehind(name, "a"), StatusCode::NOT_FOUND);
    ErrorOf(&Stub::Generate, GenerateFrom(name, "a", false), StatusCode::NOT_FOUND);
    ErrorOf(&Stub::ForkTextSession, On<v1::ForkTextSessionRequest>(name), StatusCode::NOT_FOUND);
    ErrorOf(&Stub::CloseTextSession, On<v1::CloseTextSessionRequest>(name), StatusCode::NOT_FOUND);
  }
  EXPECT_EQ(ErrorOf(&Stub::ReadText, ReadRequest(session, "a"), StatusCode::NOT_FOUND), "session: it was closed");
}

TEST_P(TextSessionsTest, ShutdownFinishesAcceptedReadsAndRefusesTheRest) {
  options_.drain_timeout_s = 1000;
  KeepFiles();
  Start();
  const std::string session = Open();
  books_->gate().Hold();
  v1::ReadTextRequest request = ReadRequest(session, "a b");
  request.set_request_id("one");
  auto read = Begin(&Stub::ReadText, request);
  books_->gate().WaitUntilHeld();
  std::thread shutdown([this] { server_->Shutdown(); });
  WaitUntilRefused();
  const std::string refusal = "the server is shutting down";
  EXPECT_EQ(ErrorOf(&Stub::ReadText, ReadRequest(session, "a"), StatusCode::UNAVAILABLE), refusal);
  EXPECT_EQ(ErrorOf(&Stub::Score, ScoreRequest({"a"}), StatusCode::UNAVAILABLE), refusal);
  EXPECT_EQ(ErrorOf(&Stub::Score, ScoreBehind(session, "a"), StatusCode::UNAVAILABLE), refusal);
  books_->gate().Release();
  read->thread.join();
  EXPECT_TRUE(read->status.ok()) << read->status.error_message();
  shutdown.join();

  Start();
  EXPECT_EQ(SessionNow(session).version(), 2);
  EXPECT_TRUE(Called(&Stub::ReadText, request).repeated_request());
  EXPECT_EQ(ScoreOf(session, "a b"), -2);
}

TEST_P(TextSessionsTest, SessionOfOtherWeightsIsFailedPrecondition) {
  KeepFiles();
  Start();
  const std::string session = Open();
  Read(session, "a");
  SetModel({}, "newer-fingerprint");
  Start();
  constexpr StatusCode kCode = StatusCode::FAILED_PRECONDITION;
  EXPECT_THAT(ErrorOf(&Stub::ReadText, ReadRequest(session, "b"), kCode),
              HasSubstr("session: is of weights with the fingerprint fake-fingerprint"));
  ErrorOf(&Stub::Score, ScoreBehind(session, "b"), kCode);
}

TEST_P(TextSessionsTest, StreamGeneratesBehindTheSession) {
  Start();
  const std::string session = Open();
  Read(session, "a b");
  v1::GenerateStreamRequest request;
  request.set_session(session);
  request.mutable_options()->set_max_tokens(2);
  grpc::ClientContext context;
  auto stream = stub_->GenerateStream(&context, request);
  std::string text;
  v1::GenerateStreamResponse event;
  while (stream->Read(&event)) text += event.delta();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(text, "a b");
  EXPECT_EQ(event.result().session().version(), 2);
  EXPECT_EQ(event.result().session().name(), session);
  request.set_session("none");
  grpc::ClientContext other;
  EXPECT_EQ(stub_->GenerateStream(&other, request)->Finish().error_code(), StatusCode::NOT_FOUND);
}

TEST_P(TextSessionsTest, MethodsThatChangeNothingAreFreeOfRecords) {
  Start();
  const std::string session = Open();
  v1::GenerateRequest request = GenerateFrom(session, "a", false);
  request.set_request_id("one");
  EXPECT_EQ(ErrorOf(&Stub::Generate, request, kInvalid), "request_id: names a change, but commit is false");
}

INSTANTIATE_TEST_SUITE_P(Sessions, TextSessionsTest, ::testing::Values(Sessions::kInMemory, Sessions::kInADirectory),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace heed
