// SPDX-License-Identifier: Apache-2.0
// heed.v1.LanguageModelingService.ReadTextStream end to end.
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/language/line_buffer.h"
#include "tests/server/language/language_server.h"

namespace heed {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;

// The client's end of a stream.
class Reading {
 public:
  explicit Reading(v1::LanguageModelingService::Stub& stub) : stream_(stub.ReadTextStream(&context_)) {}
  ~Reading() {
    if (!ended_) Cancel();
  }

  bool Send(const v1::ReadTextStreamRequest& message) { return stream_->Write(message); }
  bool Send(const std::string& text) {
    v1::ReadTextStreamRequest message;
    message.set_text(text);
    return Send(message);
  }
  void SendNoMore() { stream_->WritesDone(); }
  bool Receive(v1::ReadTextStreamResponse& response) { return stream_->Read(&response); }
  v1::ReadTextStreamResponse Receive() {
    v1::ReadTextStreamResponse response;
    EXPECT_TRUE(Receive(response)) << "the stream has ended";
    return response;
  }
  // After the last response.
  grpc::Status End() {
    v1::ReadTextStreamResponse response;
    EXPECT_FALSE(Receive(response)) << response.ShortDebugString();
    ended_ = true;
    return stream_->Finish();
  }
  grpc::Status Cancel() {
    context_.TryCancel();
    ended_ = true;
    return stream_->Finish();
  }
  // What the stream ends with after `message`.
  grpc::Status EndOf(const v1::ReadTextStreamRequest& message) {
    Send(message);
    return End();
  }

 private:
  grpc::ClientContext context_;
  const std::unique_ptr<grpc::ClientReaderWriter<v1::ReadTextStreamRequest, v1::ReadTextStreamResponse>> stream_;
  bool ended_ = false;
};

void ExpectStatus(const grpc::Status& status, StatusCode code, const std::string& message) {
  EXPECT_EQ(status.error_code(), code) << status.error_message();
  EXPECT_EQ(status.error_message(), message);
}

v1::ReadTextStreamRequest OpenMessage(const std::string& text = "") {
  v1::ReadTextStreamRequest message;
  message.mutable_open()->set_model("books");
  message.set_text(text);
  return message;
}
v1::ReadTextStreamRequest SessionMessage(const std::string& session, const std::string& text = "") {
  v1::ReadTextStreamRequest message;
  message.set_session(session);
  message.set_text(text);
  return message;
}

// Lines of words, some of which come again.
std::string Book(size_t bytes) {
  std::string book;
  for (int i = 0; book.size() < bytes; ++i) {
    book += "line " + std::string(1, static_cast<char>('a' + i % 26)) + " goes on and on\n";
  }
  return book;
}

using TextReadStreamTest = LanguageServerTest;

TEST_P(TextReadStreamTest, BookIsReadInParts) {
  options_.session_tokens = 1'000'000;
  Start();
  const std::string book = Book(50'000);
  const v1::TextScore whole = Called(&Stub::Score, ScoreRequest({book})).scores(0);
  for (const bool with_session : {false, true}) {
    const std::string session = Open();
    Reading reading(*stub_);
    v1::ReadTextStreamRequest first = with_session ? SessionMessage(session) : OpenMessage();
    first.mutable_options()->set_return_tokens(true);
    reading.Send(first);
    std::thread sender([&] {
      for (size_t at = 0; at < book.size(); at += 777) reading.Send(book.substr(at, 777));
      reading.SendNoMore();
    });
    double sum = 0;
    int64_t tokens = 0;
    int parts = 0;
    v1::ReadTextStreamResponse response;
    while (reading.Receive(response) && !response.has_total()) {
      ++parts;
      sum += response.score().log_probability();
      tokens += response.score().token_scores_size();
      for (const v1::TokenScore& token : response.score().token_scores()) {
        ASSERT_EQ(book.substr(static_cast<size_t>(token.start()), static_cast<size_t>(token.end() - token.start())),
                  token.token());
      }
      EXPECT_EQ(response.tokens_read(), tokens);
      EXPECT_EQ(book[static_cast<size_t>(response.bytes_read() - 1)], '\n');
      EXPECT_EQ(response.has_session(), with_session);
    }
    sender.join();
    EXPECT_GT(parts, 5);
    EXPECT_EQ(sum, whole.log_probability());
    EXPECT_EQ(response.total().log_probability(), whole.log_probability());
    EXPECT_EQ(response.total().tokens(), whole.tokens());
    EXPECT_EQ(response.total().words(), whole.words());
    EXPECT_EQ(response.total().bytes(), whole.bytes());
    EXPECT_EQ(response.total().perplexity(), whole.perplexity());
    EXPECT_EQ(response.bytes_read(), static_cast<int64_t>(book.size()));
    EXPECT_FALSE(response.has_score());
    EXPECT_TRUE(reading.End().ok());
    if (!with_session) continue;
    EXPECT_EQ(response.session().version(), 1 + parts);
    EXPECT_EQ(SessionNow(session).tokens_read(), tokens);
  }
}

TEST_P(TextReadStreamTest, SmallTextsAreReadAtTheEnd) {
  Start();
  Reading reading(*stub_);
  reading.Send(OpenMessage("to be "));
  reading.Send("or not to be");
  reading.SendNoMore();
  v1::ReadTextStreamResponse response = reading.Receive();
  EXPECT_EQ(response.score().log_probability(), -2 - 2 - 2 - 1 - 1);
  EXPECT_EQ(response.tokens_read(), 6);
  response = reading.Receive();
  EXPECT_EQ(response.total().tokens(), 5);
  EXPECT_TRUE(reading.End().ok());
  Reading nothing(*stub_);
  nothing.Send(OpenMessage());
  nothing.SendNoMore();
  EXPECT_EQ(nothing.Receive().total().tokens(), 0);
  EXPECT_TRUE(nothing.End().ok());
}

TEST_P(TextReadStreamTest, OnlyTheFirstTokenStandsBehindAnEndOfText) {
  Start();
  Reading reading(*stub_);
  v1::ReadTextStreamRequest first = OpenMessage(Book(10'000));
  first.mutable_options()->set_begin(v1::ScoreOptions::BEGIN_END_OF_TEXT);
  reading.Send(first);
  reading.SendNoMore();
  v1::ReadTextStreamResponse response;
  while (reading.Receive(response) && !response.has_total()) {
  }
  EXPECT_EQ(response.total().tokens(), response.tokens_read());
  EXPECT_TRUE(reading.End().ok());
}

TEST_P(TextReadStreamTest, BadMessagesEndTheStream) {
  Start();
  const std::string session = Open();
  v1::ReadTextStreamRequest message;
  message.set_text("a");
  ExpectStatus(Reading(*stub_).EndOf(message), kInvalid,
               "message 0: has neither open nor session, of which the first message has one");
  ExpectStatus(Reading(*stub_).EndOf(SessionMessage("none")), StatusCode::NOT_FOUND,
               "session: there is none of this name, or none any more");
  message = OpenMessage();
  message.mutable_options()->set_top_k(200);
  ExpectStatus(Reading(*stub_).EndOf(message), kInvalid, "message 0.options.top_k: 200, must be 0 to 100");
  message = OpenMessage();
  message.mutable_open()->set_model("stories");
  ExpectStatus(Reading(*stub_).EndOf(message), kInvalid,
               "message 0.model: \"stories\" is a question-answerer, not a language-model");
  {
    Reading reading(*stub_);
    reading.Send(OpenMessage());
    ExpectStatus(reading.EndOf(OpenMessage()), kInvalid,
                 "message 1: has open, session or options, which the first message alone may have");
  }
  {
    Reading reading(*stub_);
    reading.Send(OpenMessage());
    message.Clear();
    message.set_text(std::string((1 << 20) + 1, 'a'));
    ExpectStatus(reading.EndOf(message), kInvalid, "message 1.text: has 1048577 bytes, at most 1048576");
  }
  Reading nothing(*stub_);
  nothing.SendNoMore();
  ExpectStatus(nothing.End(), kInvalid, "the stream holds no message; the first one has open or session");
}

TEST_P(TextReadStreamTest, BrokenStreamLeavesTheSessionAtItsLastPart) {
  options_.session_tokens = 1'000'000;
  Start();
  const std::string session = Open();
  const std::string part = Book(LineBuffer::kLeastPartBytes);
  {
    Reading reading(*stub_);
    reading.Send(SessionMessage(session, part));
    EXPECT_EQ(reading.Receive().session().version(), 2);
    reading.Send("some words of what never comes");
    reading.Cancel();
  }
  WaitForMetric("heed_requests_in_flight{method=\"heed.v1.LanguageModelingService/ReadTextStream\"} 0");
  const v1::TextSession after = SessionNow(session);
  EXPECT_EQ(after.version(), 2);
  EXPECT_EQ(ScoreOf(session, "never"), -2);
  // A part that fails leaves those before it.
  Reading reading(*stub_);
  reading.Send(SessionMessage(session, part));
  EXPECT_EQ(reading.Receive().session().version(), 3);
  reading.Send("fail");
  reading.SendNoMore();
  EXPECT_EQ(reading.End().error_code(), StatusCode::INTERNAL);
  EXPECT_EQ(SessionNow(session).version(), 3);
}

TEST_P(TextReadStreamTest, SessionThatSomebodyElseChangesEndsTheStream) {
  Start();
  const std::string session = Open();
  Reading reading(*stub_);
  reading.Send(SessionMessage(session, Book(LineBuffer::kLeastPartBytes)));
  reading.Receive();
  Read(session, "of somebody else");
  reading.Send("more");
  reading.SendNoMore();
  ExpectStatus(reading.End(), StatusCode::ABORTED, "expected_version: 2, the session has version 3");
}

TEST_P(TextReadStreamTest, MemoryBeyondTheLimitEndsTheStream) {
  options_.session_tokens = 100;
  Start();
  Reading reading(*stub_);
  reading.Send(OpenMessage(Book(LineBuffer::kLeastPartBytes)));
  const grpc::Status status = reading.End();
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("tokens, at most --session_tokens=100"));
}

TEST_P(TextReadStreamTest, ClientThatSendsWithoutReadingIsHeldBack) {
  SetModel({.memory_words = 100});
  Start();
  Reading reading(*stub_);
  reading.Send(OpenMessage());
  const std::string piece = Book(1 << 18);
  books_->gate().Hold();
  // More than gRPC's buffers take: the client cannot send all of it while the model reads nothing.
  std::atomic<int> sent = 0;
  std::thread sender([&] {
    for (; sent < 40 && reading.Send(piece); ++sent) {
    }
    reading.SendNoMore();
  });
  books_->gate().WaitUntilHeld();
  EXPECT_LT(sent, 40);
  books_->gate().Release();
  v1::ReadTextStreamResponse response;
  while (reading.Receive(response) && !response.has_total()) {
  }
  sender.join();
  EXPECT_EQ(response.bytes_read(), static_cast<int64_t>(40 * piece.size()));
  EXPECT_TRUE(reading.End().ok());
}

TEST_P(TextReadStreamTest, ShutdownEndsStreamsBehindTheirPart) {
  options_.drain_timeout_s = 1000;
  Start();
  const std::string session = Open();
  Reading idle(*stub_);
  idle.Send(SessionMessage(session, Book(LineBuffer::kLeastPartBytes)));
  idle.Receive();
  const std::string other = Open();
  Reading busy(*stub_);
  books_->gate().Hold();
  busy.Send(SessionMessage(other, Book(2 * LineBuffer::kLeastPartBytes)));
  books_->gate().WaitUntilHeld();
  std::thread shutdown([this] { server_->Shutdown(); });
  WaitUntilRefused();
  const std::string refusal = "the server is shutting down";
  ExpectStatus(idle.End(), StatusCode::UNAVAILABLE, refusal);
  ExpectStatus(Reading(*stub_).EndOf(SessionMessage(other)), StatusCode::UNAVAILABLE, refusal);
  books_->gate().Release();
  EXPECT_EQ(busy.Receive().session().version(), 2);
  ExpectStatus(busy.End(), StatusCode::UNAVAILABLE, refusal);
  shutdown.join();
}

TEST_P(TextReadStreamTest, SessionOfTheOtherKindIsRefused) {
  Start();
  const auto questions = v1::QuestionAnsweringService::NewStub(ChannelTo(*server_));
  v1::OpenSessionResponse opened;
  grpc::ClientContext context;
  ASSERT_TRUE(questions->OpenSession(&context, {}, &opened).ok());
  ExpectStatus(Reading(*stub_).EndOf(SessionMessage(opened.session().name())), StatusCode::FAILED_PRECONDITION,
               "session: is of \"stories\", which is a question-answerer, not a language-model");
}

INSTANTIATE_TEST_SUITE_P(Sessions, TextReadStreamTest, ::testing::Values(Sessions::kInMemory, Sessions::kInADirectory),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace heed
