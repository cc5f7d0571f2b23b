// SPDX-License-Identifier: Apache-2.0
// heed.v1.QuestionAnsweringService without models, for the client's tests. The answer to a question is the last word of
// the last fact, or "nothing"; its probability is 0.75, that of "nothing" 0.25. Three quarters of an answer came from
// the last fact, one quarter from the first. Words that begin with "zz" are not known. Sessions are named "s1", "s2"
// and so on, an export is the session's facts, one a line.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "heed/v1/questions.grpc.pb.h"

namespace heed::client {

class FakeQuestions : public v1::QuestionAnsweringService::Service {
 public:
  // Set before the first call. The status of a sentence, a fact or a question; called on gRPC's threads, may block.
  std::function<grpc::Status(const std::string& sentence)> check = [](const std::string&) { return grpc::Status::OK; };
  // Changes what is sent.
  std::function<void(v1::QuestionAnswer&)> edit = [](v1::QuestionAnswer&) {};
  // Before anything is done: of Ask and Fork. Called on gRPC's threads, may block.
  std::function<void(const grpc::ServerContext&)> before_ask = [](const grpc::ServerContext&) {};
  std::function<void(const grpc::ServerContext&)> before_fork = [](const grpc::ServerContext&) {};
  grpc::Status import_status;
  grpc::Status tell_status;
  int64_t max_facts = 1000;  // of a session
  int full_for = 0;          // so many Tell find the queue full

  // What came. Call between requests alone.
  std::vector<v1::AnswerRequest> answer_requests;
  std::vector<v1::AskRequest> ask_requests;
  std::vector<v1::TellRequest> tell_requests;
  std::map<std::string, std::vector<std::string>> sessions;  // facts of the open ones
  std::vector<std::string> closed;

  grpc::Status Answer(grpc::ServerContext*, const v1::AnswerRequest* request, v1::AnswerResponse* response) override {
    {
      const std::lock_guard lock(mutex_);
      answer_requests.push_back(*request);
    }
    for (int i = 0; i < request->facts_size(); ++i) {
      if (const grpc::Status status = Check("facts", i, request->facts(i)); !status.ok()) return status;
      AddUnknown(request->facts(i), *response->mutable_unknown_words());
    }
    for (int i = 0; i < request->questions_size(); ++i) {
      const v1::AnswerRequest::Question& question = request->questions(i);
      if (const grpc::Status status = Check("questions", i, question.text()); !status.ok()) return status;
      const int64_t facts = question.has_after_fact_count() ? question.after_fact_count() : request->facts_size();
      Fill(question.text(), {request->facts().begin(), request->facts().begin() + facts}, request->options(),
           *response->add_answers());
    }
    response->set_model(request->model());
    return grpc::Status::OK;
  }

  grpc::Status OpenSession(grpc::ServerContext*, const v1::OpenSessionRequest*,
                           v1::OpenSessionResponse* response) override {
    const std::lock_guard lock(mutex_);
    Describe(NewSession({}), *response->mutable_session());
    return grpc::Status::OK;
  }

  grpc::Status Tell(grpc::ServerContext* context, const v1::TellRequest* request, v1::TellResponse* response) override {
    const std::lock_guard lock(mutex_);
    tell_requests.push_back(*request);
    if (full_for > 0) {
      --full_for;
      context->AddTrailingMetadata("grpc-retry-pushback-ms", "1");
      return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "the queue is full");
    }
    if (!tell_status.ok()) return tell_status;
    for (const std::string& fact : request->facts()) {
      if (const grpc::Status status = AddFact(request->session(), fact); !status.ok()) return status;
      AddUnknown(fact, *response->mutable_unknown_words());
    }
    Describe(request->session(), *response->mutable_session());
    return grpc::Status::OK;
  }

  grpc::Status Ask(grpc::ServerContext* context, const v1::AskRequest* request, v1::AskResponse* response) override {
    before_ask(*context);
    const std::lock_guard lock(mutex_);
    ask_requests.push_back(*request);
    if (!sessions.contains(request->session())) return Missing(request->session());
    for (const std::string& question : request->questions()) {
      Fill(question, sessions[request->session()], request->options(), *response->add_answers());
    }
    Describe(request->session(), *response->mutable_session());
    return grpc::Status::OK;
  }

  grpc::Status Chat(grpc::ServerContext*,
                    grpc::ServerReaderWriter<v1::ChatResponse, v1::ChatRequest>* stream) override {
    std::string session;
    for (v1::ChatRequest message; stream->Read(&message);) {
      v1::ChatResponse reply;
      if (const grpc::Status status = Reply(message, session, reply); !status.ok()) return status;
      stream->Write(reply);
    }
    return grpc::Status::OK;
  }

  grpc::Status ForkSession(grpc::ServerContext* context, const v1::ForkSessionRequest* request,
                           v1::ForkSessionResponse* response) override {
    before_fork(*context);
    const std::lock_guard lock(mutex_);
    if (!sessions.contains(request->session())) return Missing(request->session());
    Describe(NewSession(sessions[request->session()]), *response->mutable_session());
    return grpc::Status::OK;
  }

  grpc::Status ExportSession(grpc::ServerContext*, const v1::ExportSessionRequest* request,
                             v1::ExportSessionResponse* response) override {
    const std::lock_guard lock(mutex_);
    if (!sessions.contains(request->session())) return Missing(request->session());
    response->set_data(absl::StrJoin(sessions[request->session()], "\n"));
    return grpc::Status::OK;
  }

  grpc::Status ImportSession(grpc::ServerContext*, const v1::ImportSessionRequest* request,
                             v1::ImportSessionResponse* response) override {
    const std::lock_guard lock(mutex_);
    if (!import_status.ok()) return import_status;
    Describe(NewSession(absl::StrSplit(request->data(), '\n', absl::SkipEmpty())), *response->mutable_session());
    return grpc::Status::OK;
  }

  grpc::Status CloseSession(grpc::ServerContext*, const v1::CloseSessionRequest* request,
                            v1::CloseSessionResponse*) override {
    const std::lock_guard lock(mutex_);
    if (sessions.erase(request->session()) == 0) return Missing(request->session());
    closed.push_back(request->session());
    return grpc::Status::OK;
  }

  // As if it had been idle for too long.
  void Lose(const std::string& session) {
    const std::lock_guard lock(mutex_);
    sessions.erase(session);
  }
  std::vector<std::string> facts(const std::string& session) {
    const std::lock_guard lock(mutex_);
    return sessions[session];
  }

 private:
  static grpc::Status Missing(const std::string& session) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, absl::StrCat("session '", session, "' is closed"));
  }

  grpc::Status Check(const std::string& field, int number, const std::string& sentence) const {
    const grpc::Status status = check(sentence);
    if (status.ok()) return status;
    return grpc::Status(status.error_code(), absl::StrCat(field, "[", number, "] ", status.error_message()));
  }

  grpc::Status Reply(const v1::ChatRequest& message, std::string& session, v1::ChatResponse& reply) {
    if (message.has_fact() || message.has_question()) {
      const grpc::Status status = check(message.has_fact() ? message.fact() : message.question());
      if (status.error_code() == grpc::StatusCode::UNAVAILABLE) return status;
      if (!status.ok()) {
        reply.mutable_refusal()->set_code(status.error_code());
        reply.mutable_refusal()->set_message(status.error_message());
      }
    }
    const std::lock_guard lock(mutex_);
    if (message.has_open_session()) session = NewSession({});
    if (message.message_case() == v1::ChatRequest::kSession) session = message.session();
    if (!sessions.contains(session)) return Missing(session);
    if (!reply.has_refusal() && message.has_fact()) {
      AddUnknown(message.fact(), *reply.mutable_told()->mutable_unknown_words());
      if (const grpc::Status status = AddFact(session, message.fact()); !status.ok()) {
        reply.mutable_refusal()->set_code(status.error_code());
        reply.mutable_refusal()->set_message(status.error_message());
      }
    }
    if (!reply.has_refusal() && message.has_question()) {
      Fill(message.question(), sessions[session], message.options(), *reply.mutable_answer());
    }
    Describe(session, *reply.mutable_session());
    return grpc::Status::OK;
  }

  // With mutex_ held.
  std::string NewSession(std::vector<std::string> facts) {
    const std::string name = absl::StrCat("s", ++opened_);
    sessions[name] = std::move(facts);
    return name;
  }
  grpc::Status AddFact(const std::string& session, const std::string& fact) {
    if (!sessions.contains(session)) return Missing(session);
    std::vector<std::string>& facts = sessions[session];
    if (static_cast<int64_t>(facts.size()) >= max_facts) {
      return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, absl::StrCat("session has ", facts.size(), " facts"));
    }
    facts.push_back(fact);
    return grpc::Status::OK;
  }
  void Describe(const std::string& session, v1::QuestionSession& message) {
    message.set_name(session);
    message.set_model("ntm-babi");
    message.set_fact_count(static_cast<int64_t>(sessions[session].size()));
    message.set_version(message.fact_count() + 1);
    message.mutable_idle_limit()->set_seconds(3600);
  }

  static void AddUnknown(const std::string& sentence, google::protobuf::RepeatedPtrField<std::string>& words) {
    for (const auto word : absl::StrSplit(sentence, absl::ByAnyChar(" .?"), absl::SkipEmpty())) {
      if (absl::StartsWith(word, "zz")) words.Add(std::string(word));
    }
  }

  void Fill(const std::string& question, const std::vector<std::string>& facts,
            const v1::QuestionAnswerOptions& options, v1::QuestionAnswer& answer) const {
    answer.set_text("nothing");
    for (const std::string& fact : facts) {
      for (const auto word : absl::StrSplit(fact, absl::ByAnyChar(" ."), absl::SkipEmpty())) {
        answer.set_text(std::string(word));
      }
    }
    const std::vector<std::pair<std::string, float>> candidates = {{answer.text(), 0.75f}, {"nothing", 0.25f}};
    const int top = options.has_top_k() ? options.top_k() : 1;
    for (size_t i = 0; i < candidates.size() && (top == 0 || static_cast<int>(i) < top); ++i) {
      v1::QuestionAnswer::Candidate& candidate = *answer.add_candidates();
      candidate.set_text(candidates[i].first);
      candidate.set_probability(candidates[i].second);
    }
    AddUnknown(question, *answer.mutable_unknown_words());
    if (options.return_attribution()) {
      if (!facts.empty()) AddWeight(static_cast<int64_t>(facts.size()) - 1, facts.back(), 0.75f, answer);
      if (facts.size() > 1) AddWeight(0, facts.front(), 0.25f, answer);
    }
    if (options.return_reads()) {
      v1::QuestionAnswer::Read& read = *answer.add_reads();
      for (const float weight : {0.0f, 0.5f, 0.0f, 0.5f}) read.add_weights(weight);
    }
    edit(answer);
  }
  static void AddWeight(int64_t number, const std::string& text, float weight, v1::QuestionAnswer& answer) {
    v1::QuestionAnswer::FactWeight& fact = *answer.add_facts();
    fact.set_fact(number);
    fact.set_text(text);
    fact.set_weight(weight);
  }

  std::mutex mutex_;
  int opened_ = 0;
};

}  // namespace heed::client
