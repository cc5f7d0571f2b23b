// SPDX-License-Identifier: Apache-2.0
// heed.v1.QuestionAnsweringService's single requests end to end.
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "gtest/gtest.h"
#include "heed/v1/models.grpc.pb.h"
#include "tests/server/services/question_server.h"

namespace heed {
namespace {

using grpc::StatusCode;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr StatusCode kInvalid = StatusCode::INVALID_ARGUMENT;

std::vector<std::string> Facts(int count) {
  std::vector<std::string> facts;
  for (int i = 0; i < count; ++i) facts.push_back("fact");
  return facts;
}

class QuestionsTest : public QuestionServerTest {
 protected:
  // That the session is as it was opened, and free to be changed.
  void ExpectUntouched(const std::string& session) {
    const v1::AskResponse response = Ask(session);
    EXPECT_EQ(response.session().version(), 1);
    EXPECT_EQ(response.session().fact_count(), 0);
    EXPECT_EQ(Tell(session, {"afterwards"}).session().version(), 2);
  }
};

TEST_P(QuestionsTest, AnswersQuestionsAboutAStory) {
  Start();
  v1::AnswerRequest request = AnswerRequest({"mary went home", "john has 1 cat"}, {"where", "what is 7", "who"});
  request.mutable_questions(0)->set_after_fact_count(1);
  request.mutable_questions(2)->set_after_fact_count(0);
  const v1::AnswerResponse response = Called(&Stub::Answer, request);
  EXPECT_EQ(response.model(), "stories");
  EXPECT_THAT(response.unknown_words(), ElementsAre("1"));
  ASSERT_EQ(response.answers_size(), 3);
  EXPECT_EQ(response.answers(0).text(), "mary went home");
  EXPECT_THAT(response.answers(0).unknown_words(), IsEmpty());
  EXPECT_EQ(response.answers(1).text(), "john has 1 cat");
  EXPECT_THAT(response.answers(1).unknown_words(), ElementsAre("7"));
  EXPECT_EQ(response.answers(2).text(), "nothing");
  ASSERT_EQ(response.answers(1).candidates_size(), 1);
  EXPECT_EQ(response.answers(1).candidates(0).text(), "john has 1 cat");
  EXPECT_EQ(response.answers(1).candidates(0).probability(), 0.5f);
  EXPECT_EQ(response.answers(1).facts_size() + response.answers(1).reads_size(), 0);
}

TEST_P(QuestionsTest, CandidatesAttributionAndReadsComeOnRequest) {
  Start();
  v1::AnswerRequest request = AnswerRequest({"a", "b"}, {"what"});
  request.mutable_options()->set_top_k(0);
  request.mutable_options()->set_return_attribution(true);
  request.mutable_options()->set_return_reads(true);
  v1::QuestionAnswer answer = Called(&Stub::Answer, request).answers(0);
  ASSERT_EQ(answer.candidates_size(), 3);
  EXPECT_EQ(answer.candidates(1).text(), "a");
  EXPECT_EQ(answer.candidates(2).text(), "nothing");
  ASSERT_EQ(answer.facts_size(), 2);
  EXPECT_EQ(answer.facts(0).fact(), 1);
  EXPECT_EQ(answer.facts(0).text(), "b");
  EXPECT_EQ(answer.facts(0).weight(), 0.5f);
  ASSERT_EQ(answer.reads_size(), 2);
  const v1::QuestionAnswer::Read& read = answer.reads(1);
  EXPECT_EQ(read.step(), 0);
  EXPECT_EQ(read.head(), 1);
  EXPECT_THAT(read.weights(), ElementsAre(0.25f, 0.25f, 0.25f, 0.25f));
  EXPECT_EQ(read.strength(), 0);
  EXPECT_EQ(read.gate(), 1);
  EXPECT_THAT(read.shifts(), ElementsAre(0, 1, 0));
  EXPECT_THAT(read.shift_offsets(), ElementsAre(-1, 0, 1));
  EXPECT_EQ(read.sharpening(), 1);

  request.mutable_options()->set_top_k(2);
  answer = Called(&Stub::Answer, request).answers(0);
  EXPECT_EQ(answer.candidates_size(), 2);
}

TEST_P(QuestionsTest, BadRequestsAreInvalidAndNameTheFieldAndBothValues) {
  options_.max_queued_tasks = 3;
  Start();
  const std::string session = Open();
  const std::string long_sentence = "a b c d e f g h i j k";
  EXPECT_EQ(ErrorOf(&Stub::Answer, AnswerRequest({"a"}, {}), kInvalid), "questions: 0, at least 1");
  EXPECT_EQ(ErrorOf(&Stub::Tell, TellRequest(session, {}), kInvalid), "facts: 0, at least 1");
  EXPECT_EQ(ErrorOf(&Stub::Ask, AskRequest(session, {}), kInvalid), "questions: 0, at least 1");
  EXPECT_EQ(ErrorOf(&Stub::Answer, AnswerRequest(Facts(4), {"what"}), kInvalid), "facts: 4, at most 3");
  EXPECT_EQ(ErrorOf(&Stub::Tell, TellRequest(session, Facts(4)), kInvalid), "facts: 4, at most 3");
  EXPECT_EQ(ErrorOf(&Stub::Ask, AskRequest(session, {"a", "b", "c", "d"}), kInvalid), "questions: 4, at most 3");
  EXPECT_THAT(ErrorOf(&Stub::Answer, AnswerRequest({"a", " "}, {"what"}), kInvalid), HasSubstr("facts[1]: is empty"));
  EXPECT_THAT(ErrorOf(&Stub::Tell, TellRequest(session, {"a", long_sentence}), kInvalid),
              HasSubstr("facts[1]: has 11 words, the model reads at most 10"));
  EXPECT_THAT(ErrorOf(&Stub::Ask, AskRequest(session, {"a", ""}), kInvalid), HasSubstr("questions[1]: is empty"));

  v1::AnswerRequest answer = AnswerRequest({"a"}, {"what"});
  answer.mutable_questions(0)->set_after_fact_count(2);
  EXPECT_THAT(ErrorOf(&Stub::Answer, answer, kInvalid),
              AllOf(HasSubstr("questions[0].after_fact_count: 2"), HasSubstr("the number of facts, 1")));
  answer = AnswerRequest({"a"}, {"what"});
  answer.mutable_options()->set_top_k(-1);
  EXPECT_EQ(ErrorOf(&Stub::Answer, answer, kInvalid), "options.top_k: -1, must be at least 0, all");
  v1::AskRequest ask = AskRequest(session, {"what"});
  ask.mutable_options()->set_top_k(-2);
  EXPECT_EQ(ErrorOf(&Stub::Ask, ask, kInvalid), "options.top_k: -2, must be at least 0, all");
  v1::TellRequest tell = TellRequest(session, {"a"});
  tell.set_request_id(std::string(129, 'x'));
  EXPECT_EQ(ErrorOf(&Stub::Tell, tell, kInvalid), "request_id: has 129 bytes, at most 128");
  ExpectUntouched(session);
}

TEST_P(QuestionsTest, ModelIsFoundByNameOrByItsKind) {
  AddModel("broken");
  Start();
  v1::AnswerRequest answer = AnswerRequest({"a"}, {"what"});
  v1::OpenSessionRequest open;
  answer.set_model("stories");
  open.set_model("stories");
  EXPECT_EQ(Called(&Stub::Answer, answer).model(), "stories");
  EXPECT_EQ(Called(&Stub::OpenSession, open).session().model(), "stories");
  answer.set_model("none");
  open.set_model("none");
  EXPECT_THAT(ErrorOf(&Stub::Answer, answer, StatusCode::NOT_FOUND), HasSubstr("there is no \"none\""));
  EXPECT_THAT(ErrorOf(&Stub::OpenSession, open, StatusCode::NOT_FOUND), HasSubstr("there is no \"none\""));
  answer.set_model("words");
  open.set_model("words");
  EXPECT_THAT(ErrorOf(&Stub::Answer, answer, kInvalid), HasSubstr("\"words\" is a translator"));
  EXPECT_THAT(ErrorOf(&Stub::OpenSession, open, kInvalid), HasSubstr("\"words\" is a translator"));
  answer.set_model("broken");
  open.set_model("broken");
  EXPECT_THAT(ErrorOf(&Stub::Answer, answer, StatusCode::UNAVAILABLE), HasSubstr("config.json: is broken"));
  EXPECT_THAT(ErrorOf(&Stub::OpenSession, open, StatusCode::UNAVAILABLE), HasSubstr("config.json: is broken"));
  WaitForMetric("heed_rejections_total{model=\"broken\",reason=\"model_unavailable\"} 2");
  WaitForMetric(
      "heed_requests_total{code=\"UNAVAILABLE\",method=\"heed.v1.QuestionAnsweringService/Answer\",model=\"broken\"} "
      "1");
  WaitForMetric(
      "heed_requests_total{code=\"UNAVAILABLE\",method=\"heed.v1.QuestionAnsweringService/"
      "OpenSession\",model=\"broken\"} 1");
}

TEST_P(QuestionsTest, SeveralModelsNeedAName) {
  AddModel("tales");
  Start();
  EXPECT_THAT(ErrorOf(&Stub::OpenSession, v1::OpenSessionRequest(), kInvalid), HasSubstr("stories, tales"));
  v1::OpenSessionRequest open;
  open.set_model("tales");
  EXPECT_EQ(Called(&Stub::OpenSession, open).session().model(), "tales");
}

TEST_P(QuestionsTest, SessionGoesOnFromFactToQuestion) {
  options_.session_idle_s = 90;
  Start();
  const v1::QuestionSession opened = Called(&Stub::OpenSession, v1::OpenSessionRequest()).session();
  EXPECT_EQ(opened.model(), "stories");
  EXPECT_EQ(opened.version(), 1);
  EXPECT_EQ(opened.fact_count(), 0);
  EXPECT_EQ(opened.idle_limit().seconds(), 90);
  EXPECT_EQ(Ask(opened.name()).answers(0).text(), "nothing");

  const v1::TellResponse told = Tell(opened.name(), {"a 1", "b 2", "c 1"});
  EXPECT_EQ(told.session().name(), opened.name());
  EXPECT_EQ(told.session().version(), 2);
  EXPECT_EQ(told.session().fact_count(), 3);
  EXPECT_THAT(told.unknown_words(), ElementsAre("1", "2"));
  EXPECT_FALSE(told.repeated_request());
  EXPECT_EQ(Tell(opened.name(), {"d"}).session().version(), 3);

  const v1::AskResponse asked = Called(&Stub::Ask, AskRequest(opened.name(), {"what", "and 5"}));
  EXPECT_EQ(asked.session().version(), 3);
  EXPECT_EQ(asked.session().fact_count(), 4);
  EXPECT_EQ(asked.session().idle_limit().seconds(), 90);
  ASSERT_EQ(asked.answers_size(), 2);
  EXPECT_EQ(asked.answers(0).text(), "d");
  EXPECT_THAT(asked.answers(1).unknown_words(), ElementsAre("5"));
}

TEST_P(QuestionsTest, TellIsAllOrNothing) {
  Start();
  const std::string session = Open();
  EXPECT_THAT(ErrorOf(&Stub::Tell, TellRequest(session, {"a", "b", "now fail"}), StatusCode::INTERNAL),
              HasSubstr("told to fail"));
  ErrorOf(&Stub::Tell, TellRequest(session, {"a", ""}), kInvalid);
  ExpectUntouched(session);
}

TEST_P(QuestionsTest, MoreFactsThanASessionHoldsAreResourceExhaustedWithoutARetryHint) {
  options_.session_facts = 3;
  Start();
  const std::string session = Open();
  Tell(session, {"a", "b"});
  grpc::ClientContext context;
  v1::TellResponse response;
  const grpc::Status status = stub_->Tell(&context, TellRequest(session, {"c", "d"}), &response);
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), "facts: the session would hold 4 facts, at most --session_facts=3");
  EXPECT_EQ(context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 0u);
  EXPECT_EQ(Tell(session, {"c"}).session().fact_count(), 3);
  EXPECT_EQ(Ask(session).answers(0).text(), "c");
}

TEST_P(QuestionsTest, RepeatedTellHasTheFirstAnswer) {
  Start();
  const std::string session = Open();
  v1::TellRequest request = TellRequest(session, {"a 1"});
  request.set_request_id("first");
  request.set_expected_version(1);
  EXPECT_FALSE(Called(&Stub::Tell, request).repeated_request());
  Tell(session, {"b"});
  const v1::TellResponse again = Called(&Stub::Tell, request);  // whatever version it expects
  EXPECT_TRUE(again.repeated_request());
  EXPECT_EQ(again.session().version(), 2);
  EXPECT_EQ(again.session().fact_count(), 1);
  EXPECT_EQ(again.session().name(), session);
  EXPECT_THAT(again.unknown_words(), ElementsAre("1"));
  EXPECT_EQ(Ask(session).session().version(), 3);
  EXPECT_EQ(Tell(session, {"c"}).session().version(), 4);  // nobody has the session
}

TEST_P(QuestionsTest, RepeatedCommitHasTheFirstAnswers) {
  Start();
  const std::string session = Open();
  Tell(session, {"a"});
  v1::AskRequest request = AskRequest(session, {"what", "and"});
  request.set_commit(true);
  request.set_request_id("first");
  request.mutable_options()->set_top_k(0);
  const v1::AskResponse first = Called(&Stub::Ask, request);
  Tell(session, {"b"});
  v1::AskResponse again = Called(&Stub::Ask, request);
  EXPECT_TRUE(again.repeated_request());
  again.set_repeated_request(false);
  EXPECT_EQ(again.SerializeAsString(), first.SerializeAsString());
}

TEST_P(QuestionsTest, RequestIdOfTheOtherKindOfRequestIsInvalid) {
  Start();
  const std::string session = Open();
  v1::TellRequest tell = TellRequest(session, {"a"});
  tell.set_request_id("one");
  Called(&Stub::Tell, tell);
  v1::AskRequest ask = AskRequest(session, {"what"});
  ask.set_commit(true);
  ask.set_request_id("one");
  EXPECT_THAT(ErrorOf(&Stub::Ask, ask, kInvalid), HasSubstr("request_id: \"one\""));
  EXPECT_EQ(Tell(session, {"b"}).session().version(), 3);
}

TEST_P(QuestionsTest, FailedRequestLeavesNoRecord) {
  Start();
  const std::string session = Open();
  v1::TellRequest request = TellRequest(session, {"fail"});
  request.set_request_id("one");
  ErrorOf(&Stub::Tell, request, StatusCode::INTERNAL);
  request.set_facts(0, "succeed");
  EXPECT_FALSE(Called(&Stub::Tell, request).repeated_request());
}

TEST_P(QuestionsTest, AnotherVersionThanExpectedIsAborted) {
  Start();
  const std::string session = Open();
  Tell(session, {"a"});
  const std::string error = "expected_version: 1, the session has version 2";
  auto expecting = [](auto request, int64_t version) {
    request.set_expected_version(version);
    return request;
  };
  EXPECT_EQ(ErrorOf(&Stub::Tell, expecting(TellRequest(session, {"b"}), 1), StatusCode::ABORTED), error);
  EXPECT_EQ(ErrorOf(&Stub::Ask, expecting(AskRequest(session, {"b"}), 1), StatusCode::ABORTED), error);
  EXPECT_EQ(ErrorOf(&Stub::ForkSession, expecting(ForkRequest(session), 1), StatusCode::ABORTED), error);
  EXPECT_EQ(ErrorOf(&Stub::ExportSession, expecting(ExportRequest(session), 1), StatusCode::ABORTED), error);
  v1::AskRequest commit = expecting(AskRequest(session, {"b"}), 1);
  commit.set_commit(true);
  EXPECT_EQ(ErrorOf(&Stub::Ask, commit, StatusCode::ABORTED), error);
  Called(&Stub::Ask, expecting(AskRequest(session, {"b"}), 2));
  Called(&Stub::ForkSession, expecting(ForkRequest(session), 2));
  Called(&Stub::ExportSession, expecting(ExportRequest(session), 2));
  Called(&Stub::Tell, expecting(TellRequest(session, {"b"}), 2));
}

TEST_P(QuestionsTest, CommittedQuestionsStayHeard) {
  Start();
  const std::string session = Open();
  v1::AskRequest request = AskRequest(session, {"one", "two"});
  request.mutable_options()->set_return_reads(true);
  auto heard = [&] { return Called(&Stub::Ask, request).answers(0).reads(0).strength(); };
  EXPECT_EQ(heard(), 0);
  EXPECT_EQ(heard(), 0);
  request.set_commit(true);
  EXPECT_EQ(Called(&Stub::Ask, request).session().version(), 2);
  request.set_commit(false);
  EXPECT_EQ(heard(), 2);
  EXPECT_EQ(Ask(session).session().version(), 2);
}

TEST_P(QuestionsTest, AsksRunBesideEachOtherAndBesideATell) {
  Start();
  const std::string session = Open();
  Tell(session, {"before"});
  stories_->gate().Hold();
  auto tell = Begin(&Stub::Tell, TellRequest(session, {"after"}));
  stories_->gate().WaitUntilHeld();
  std::vector<std::unique_ptr<Pending<v1::AskRequest, v1::AskResponse>>> asks;
  for (int i = 0; i < 4; ++i) asks.push_back(Begin(&Stub::Ask, AskRequest(session, {"what"})));
  WaitForMetric("heed_queued_requests{model=\"stories\"} 4");
  stories_->gate().Release();
  tell->thread.join();
  EXPECT_TRUE(tell->status.ok()) << tell->status.error_message();
  for (auto& ask : asks) {
    ask->thread.join();
    EXPECT_TRUE(ask->status.ok()) << ask->status.error_message();
    EXPECT_EQ(ask->response.answers(0).text(), "before");  // the state that was there when it came
    EXPECT_EQ(ask->response.session().version(), 2);
  }
  EXPECT_EQ(Ask(session).answers(0).text(), "after");
}

TEST_P(QuestionsTest, SecondChangeOfASessionIsAborted) {
  Start();
  const std::string session = Open();
  stories_->gate().Hold();
  auto tell = Begin(&Stub::Tell, TellRequest(session, {"a"}));
  stories_->gate().WaitUntilHeld();
  v1::AskRequest commit = AskRequest(session, {"what"});
  commit.set_commit(true);
  EXPECT_THAT(ErrorOf(&Stub::Tell, TellRequest(session, {"b"}), StatusCode::ABORTED), HasSubstr("session: "));
  EXPECT_THAT(ErrorOf(&Stub::Ask, commit, StatusCode::ABORTED), HasSubstr("session: "));
  stories_->gate().Release();
  tell->thread.join();
  EXPECT_TRUE(tell->status.ok());
  EXPECT_EQ(Tell(session, {"b"}).session().fact_count(), 2);
}

TEST_P(QuestionsTest, CancelledTellLeavesTheSessionAsItWas) {
  options_.session_facts = 1'000'000;
  Start();
  const std::string session = Open();
  stories_->gate().Hold();
  auto tell = Begin(&Stub::Tell, TellRequest(session, Facts(100'000)));  // as many steps
  stories_->gate().WaitUntilHeld();
  tell->context.TryCancel();
  tell->thread.join();
  EXPECT_EQ(tell->status.error_code(), StatusCode::CANCELLED);
  stories_->gate().Release();
  WaitForMetric("heed_requests_in_flight{method=\"heed.v1.QuestionAnsweringService/Tell\"} 0");
  EXPECT_TRUE(HasMetric("heed_cancellations_total{model=\"stories\",reason=\"client\"} 1"));
  EXPECT_TRUE(HasMetric(
      "heed_requests_total{code=\"CANCELLED\",method=\"heed.v1.QuestionAnsweringService/Tell\",model=\"stories\"} 1"));
  ExpectUntouched(session);
}

TEST_P(QuestionsTest, TellWhoseDeadlinePassesLeavesTheSessionAsItWas) {
  options_.session_facts = 1'000'000;
  Start();
  const std::string session = Open();
  stories_->gate().Hold();
  // On a busy machine the deadline may pass before the server has the request; then a longer one is tried.
  for (int limit_ms = 200; !HasMetric("heed_cancellations_total{model=\"stories\",reason=\"deadline\"}");
       limit_ms *= 2) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(limit_ms));
    v1::TellResponse response;
    // ABORTED: the server had the one before after all, and has it still.
    ASSERT_THAT(stub_->Tell(&context, TellRequest(session, Facts(100'000)), &response).error_code(),
                AnyOf(StatusCode::DEADLINE_EXCEEDED, StatusCode::ABORTED));
    stories_->gate().Release();
    if (HasMetric("heed_requests_in_flight{method=\"heed.v1.QuestionAnsweringService/Tell\"")) {
      WaitForMetric("heed_requests_in_flight{method=\"heed.v1.QuestionAnsweringService/Tell\"} 0");
    }
    stories_->gate().Hold();
  }
  stories_->gate().Release();
  ExpectUntouched(session);
}

TEST_P(QuestionsTest, FullQueueIsResourceExhaustedWithARetryHintAndLetsTheSessionGo) {
  options_.max_queued_requests = 1;
  options_.max_running_tasks = 1;
  Start();
  const std::string session = Open();
  stories_->gate().Hold();
  auto running = Begin(&Stub::Answer, AnswerRequest({}, {"what"}));
  stories_->gate().WaitUntilHeld();
  auto queued = Begin(&Stub::Answer, AnswerRequest({}, {"what"}));
  WaitForMetric("heed_queued_requests{model=\"stories\"} 1");
  for (int i = 0; i < 2; ++i) {  // never ABORTED
    grpc::ClientContext context;
    v1::TellResponse response;
    const grpc::Status status = stub_->Tell(&context, TellRequest(session, {"a"}), &response);
    EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_THAT(status.error_message(), HasSubstr("queue is full"));
    EXPECT_EQ(context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 1u);
  }
  stories_->gate().Release();
  running->thread.join();
  queued->thread.join();
  ExpectUntouched(session);
}

TEST_P(QuestionsTest, PriorityThatDoesNotExistIsInvalid) {
  Start();
  const std::string session = Open();
  auto expect_invalid = [&](auto method, const auto& request, auto response) {
    grpc::ClientContext context;
    context.AddMetadata("heed-priority", "4");
    const grpc::Status status = (stub_.get()->*method)(&context, request, &response);
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(status.error_message(), "heed-priority: \"4\", known are 1 (first) to 3 (last)");
  };
  expect_invalid(&Stub::Answer, AnswerRequest({}, {"what"}), v1::AnswerResponse());
  expect_invalid(&Stub::Tell, TellRequest(session, {"a"}), v1::TellResponse());
  expect_invalid(&Stub::Ask, AskRequest(session, {"what"}), v1::AskResponse());
  grpc::ClientContext context;
  context.AddMetadata("heed-priority", "4");
  auto stream = stub_->Chat(&context);
  v1::ChatRequest message;
  message.set_session(session);
  stream->Write(message);
  EXPECT_FALSE(stream->Read(std::make_unique<v1::ChatResponse>().get()));
  EXPECT_EQ(stream->Finish().error_code(), StatusCode::INVALID_ARGUMENT);
  ExpectUntouched(session);
}

TEST_P(QuestionsTest, ForkGoesItsOwnWay) {
  Start();
  const std::string session = Open();
  v1::TellRequest request = TellRequest(session, {"a"});
  request.set_request_id("one");
  Called(&Stub::Tell, request);
  const v1::QuestionSession fork = Called(&Stub::ForkSession, ForkRequest(session)).session();
  EXPECT_NE(fork.name(), session);
  EXPECT_EQ(fork.model(), "stories");
  EXPECT_EQ(fork.version(), 1);
  EXPECT_EQ(fork.fact_count(), 1);
  Tell(session, {"of the first"});
  Tell(fork.name(), {"of the fork", "alone"});
  EXPECT_EQ(Ask(session).answers(0).text(), "of the first");
  EXPECT_EQ(Ask(session).session().fact_count(), 2);
  EXPECT_EQ(Ask(fork.name()).answers(0).text(), "alone");
  EXPECT_EQ(Ask(fork.name()).session().fact_count(), 3);
  Close(session);
  EXPECT_EQ(Ask(fork.name()).session().fact_count(), 3);
  request.set_session(fork.name());  // which has heard of no request
  EXPECT_FALSE(Called(&Stub::Tell, request).repeated_request());
}

TEST_P(QuestionsTest, ExportIsImportedAsANewSession) {
  Start();
  const std::string session = Open();
  Tell(session, {"a", "b"});
  const v1::ExportSessionResponse exported = Called(&Stub::ExportSession, ExportRequest(session));
  EXPECT_EQ(exported.session().name(), session);
  EXPECT_EQ(exported.session().version(), 2);
  EXPECT_EQ(exported.session().fact_count(), 2);
  Tell(session, {"c"});
  Start();  // elsewhere
  const v1::QuestionSession imported = Called(&Stub::ImportSession, ImportRequest(exported.data())).session();
  EXPECT_NE(imported.name(), session);
  EXPECT_EQ(imported.model(), "stories");
  EXPECT_EQ(imported.version(), 1);
  EXPECT_EQ(imported.fact_count(), 2);
  EXPECT_EQ(Ask(imported.name()).answers(0).text(), "b");
  EXPECT_EQ(Tell(imported.name(), {"d"}).session().fact_count(), 3);
  EXPECT_EQ(Called(&Stub::ImportSession, ImportRequest(exported.data(), "stories")).session().fact_count(), 2);
}

TEST_P(QuestionsTest, ImportOfSomethingElseIsRefused) {
  AddModel("tales");
  Start();
  v1::OpenSessionRequest open;
  open.set_model("stories");
  const std::string session = Called(&Stub::OpenSession, open).session().name();
  Tell(session, {"a", "b"});
  const std::string data = Called(&Stub::ExportSession, ExportRequest(session)).data();
  EXPECT_THAT(ErrorOf(&Stub::ImportSession, ImportRequest(""), kInvalid), HasSubstr("data: "));
  EXPECT_THAT(ErrorOf(&Stub::ImportSession, ImportRequest("no session"), kInvalid), HasSubstr("data: "));
  EXPECT_THAT(ErrorOf(&Stub::ImportSession, ImportRequest(data.substr(0, data.size() - 1)), kInvalid),
              HasSubstr("data: "));
  // Of other weights.
  EXPECT_THAT(ErrorOf(&Stub::ImportSession, ImportRequest(data, "tales"), StatusCode::FAILED_PRECONDITION),
              HasSubstr("data: "));
  EXPECT_THAT(ErrorOf(&Stub::ImportSession, ImportRequest(data, "none"), StatusCode::NOT_FOUND), HasSubstr("\"none\""));
  EXPECT_THAT(ErrorOf(&Stub::ImportSession, ImportRequest(data, "words"), kInvalid), HasSubstr("is a translator"));
}

TEST_P(QuestionsTest, ImportOfMoreFactsThanASessionHoldsIsResourceExhaustedWithoutARetryHint) {
  Start();
  const std::string session = Open();
  Tell(session, {"a", "b"});
  const std::string data = Called(&Stub::ExportSession, ExportRequest(session)).data();
  options_.session_facts = 1;
  Start();
  grpc::ClientContext context;
  v1::ImportSessionResponse response;
  const grpc::Status status = stub_->ImportSession(&context, ImportRequest(data), &response);
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("would hold 2 facts, at most --session_facts=1"));
  EXPECT_EQ(context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 0u);
}

TEST_P(QuestionsTest, ClosedAndUnknownSessionsAreNotFound) {
  Start();
  const std::string session = Open();
  Close(session);
  v1::CloseSessionRequest close;
  close.set_session(session);
  EXPECT_THAT(ErrorOf(&Stub::CloseSession, close, StatusCode::NOT_FOUND), HasSubstr("it was closed"));
  for (const std::string& name : {session, std::string("none"), std::string()}) {
    ErrorOf(&Stub::Tell, TellRequest(name, {"a"}), StatusCode::NOT_FOUND);
    ErrorOf(&Stub::Ask, AskRequest(name, {"a"}), StatusCode::NOT_FOUND);
    ErrorOf(&Stub::ForkSession, ForkRequest(name), StatusCode::NOT_FOUND);
    ErrorOf(&Stub::ExportSession, ExportRequest(name), StatusCode::NOT_FOUND);
  }
  EXPECT_THAT(ErrorOf(&Stub::Ask, AskRequest(session, {"a"}), StatusCode::NOT_FOUND), HasSubstr("it was closed"));
}

TEST_P(QuestionsTest, SessionClosedInMidTellIsNotFound) {
  Start();
  const std::string session = Open();
  stories_->gate().Hold();
  auto tell = Begin(&Stub::Tell, TellRequest(session, {"a"}));
  stories_->gate().WaitUntilHeld();
  Close(session);
  stories_->gate().Release();
  tell->thread.join();
  EXPECT_EQ(tell->status.error_code(), StatusCode::NOT_FOUND) << tell->status.error_message();
}

TEST_P(QuestionsTest, ShutdownFinishesAcceptedTellsAndRefusesTheRest) {
  options_.drain_timeout_s = 1000;
  KeepFiles();
  Start();
  const std::string session = Open();
  stories_->gate().Hold();
  v1::TellRequest request = TellRequest(session, {"a", "b"});
  request.set_request_id("one");
  auto tell = Begin(&Stub::Tell, request);
  stories_->gate().WaitUntilHeld();
  std::thread shutdown([this] { server_->Shutdown(); });
  WaitUntilRefused();
  const std::string refusal = "the server is shutting down";
  EXPECT_EQ(ErrorOf(&Stub::OpenSession, v1::OpenSessionRequest(), StatusCode::UNAVAILABLE), refusal);
  EXPECT_EQ(ErrorOf(&Stub::Tell, TellRequest(session, {"a"}), StatusCode::UNAVAILABLE), refusal);
  EXPECT_EQ(ErrorOf(&Stub::Ask, AskRequest(session, {"a"}), StatusCode::UNAVAILABLE), refusal);
  EXPECT_EQ(ErrorOf(&Stub::Answer, AnswerRequest({}, {"a"}), StatusCode::UNAVAILABLE), refusal);
  EXPECT_EQ(ErrorOf(&Stub::ForkSession, ForkRequest(session), StatusCode::UNAVAILABLE), refusal);
  stories_->gate().Release();
  tell->thread.join();
  EXPECT_TRUE(tell->status.ok()) << tell->status.error_message();
  shutdown.join();

  Start();
  EXPECT_EQ(Ask(session).session().version(), 2);
  const v1::TellResponse again = Called(&Stub::Tell, request);
  EXPECT_TRUE(again.repeated_request());
  EXPECT_EQ(again.session().fact_count(), 2);
}

TEST_P(QuestionsTest, TellThatOutlastsTheShutdownChangesNothing) {
  options_.drain_timeout_s = 0;
  options_.session_facts = 1'000'000;
  KeepFiles();
  Start();
  const std::string session = Open();
  stories_->gate().Hold();
  auto tell = Begin(&Stub::Tell, TellRequest(session, Facts(100'000)));  // as many steps
  stories_->gate().WaitUntilHeld();
  std::thread shutdown([this] { server_->Shutdown(); });
  WaitUntilRefused();
  stories_->gate().Release();
  tell->thread.join();
  EXPECT_EQ(tell->status.error_code(), StatusCode::UNAVAILABLE) << tell->status.error_message();
  shutdown.join();
  Start();
  ExpectUntouched(session);
}

TEST_P(QuestionsTest, SessionOfOtherWeightsIsFailedPrecondition) {
  KeepFiles();
  Start();
  const std::string session = Open();
  Tell(session, {"a"});
  stories_ = std::make_shared<FakeQuestionAnswerer>("stories", "newer-fingerprint");
  Start();
  constexpr StatusCode kCode = StatusCode::FAILED_PRECONDITION;
  ErrorOf(&Stub::Tell, TellRequest(session, {"b"}), kCode);
  ErrorOf(&Stub::Ask, AskRequest(session, {"b"}), kCode);
  ErrorOf(&Stub::ForkSession, ForkRequest(session), kCode);
  ErrorOf(&Stub::ExportSession, ExportRequest(session), kCode);
}

TEST_P(QuestionsTest, ListAndHealthTellOfTheModel) {
  Start();
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  const auto channel =
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials());
  ASSERT_TRUE(v1::ModelService::NewStub(channel)->ListModels(&context, {}, &response).ok());
  EXPECT_EQ(response.models(0).kind(), v1::MODEL_KIND_QUESTION_ANSWERER);
  EXPECT_EQ(response.models(0).fingerprint(), "fake-fingerprint");
  EXPECT_EQ(response.models(1).fingerprint(), "");

  grpc::ClientContext health_context;
  grpc::health::v1::HealthCheckRequest request;
  grpc::health::v1::HealthCheckResponse health;
  request.set_service("stories");
  ASSERT_TRUE(grpc::health::v1::Health::NewStub(channel)->Check(&health_context, request, &health).ok());
  EXPECT_EQ(health.status(), grpc::health::v1::HealthCheckResponse::SERVING);
}

INSTANTIATE_TEST_SUITE_P(Sessions, QuestionsTest, ::testing::Values(Sessions::kInMemory, Sessions::kInADirectory),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace heed
