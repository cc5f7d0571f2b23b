// SPDX-License-Identifier: Apache-2.0
#include "tests/chaos/session_worker.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/lib/channel.h"
#include "tests/chaos/texts.h"

namespace heed::chaos {
namespace {

constexpr char kModel[] = "ntm-babi";
constexpr size_t kMaxSessions = 12;  // of one worker
constexpr size_t kMaxFacts = 60;     // of one session
constexpr std::chrono::seconds kMaxSettling(40);

Expected Kept() {
  Expected expected;
  expected.fault = Fault::kSessionPlace;
  return expected;
}

}  // namespace

void SessionWorker::Step(const std::stop_token& stop) {
  std::erase_if(closing_, [this](const Known& known) { return Close(known); });
  if (sessions_.empty() || (sessions_.size() < kMaxSessions && Chance(0.1))) return Open();
  const auto place = static_cast<size_t>(Draw(0, static_cast<int>(sessions_.size()) - 1));
  Known& known = sessions_[place];
  if (!Settle(known, stop)) return;
  if (known.facts.size() >= kMaxFacts || Chance(0.04)) {
    if (!Close(known)) closing_.push_back(known);
    sessions_.erase(sessions_.begin() + static_cast<std::ptrdiff_t>(place));
    return;
  }
  if (!known.uncertain.empty()) return Tell(known, stop);
  const int what = Draw(0, 99);
  if (what < 40) {
    Tell(known, stop);
  } else if (what < 65) {
    Ask(known);
  } else if (what < 72) {
    AskAndCommit(known, stop);
  } else if (what < 90) {
    Chat(known);
  } else if (sessions_.size() >= kMaxSessions) {
    Ask(known);
  } else if (what < 95) {
    Fork(known);
  } else {
    ExportAndImport(known);
  }
}

std::string SessionWorker::NewRequestId() { return absl::StrCat("change-", ++requests_); }

void SessionWorker::Changed(Known& known, int64_t version) {
  known.version = version;
  known.answers.clear();
}

void SessionWorker::CheckSession(const Known& known, const v1::QuestionSession& session, absl::string_view after) {
  Check(session.version() == known.version && session.fact_count() == static_cast<int64_t>(known.facts.size()), [&] {
    return absl::StrCat("session ", session.name().substr(0, 8), ", ", after, ": the server says version ",
                        session.version(), " and ", session.fact_count(), " facts; acknowledged are version ",
                        known.version, " and ", known.facts.size());
  });
}

void SessionWorker::AddCopy(Known copy, const v1::QuestionSession& session, absl::string_view after) {
  copy.id = session.name();
  copy.version = session.version();
  CheckSession(copy, session, after);
  sessions_.push_back(std::move(copy));
}

void SessionWorker::Open() {
  v1::OpenSessionResponse response;
  const grpc::Status status =
      Call("heed.v1.QuestionAnsweringService/OpenSession", Kept(), [&](grpc::ClientContext& context) {
        v1::OpenSessionRequest request;
        request.set_model(kModel);
        return v1::QuestionAnsweringService::NewStub(AnyChannel())->OpenSession(&context, request, &response);
      });
  if (!status.ok()) return;
  Known known;
  known.id = response.session().name();
  CheckSession(known, response.session(), "opened");
  sessions_.push_back(std::move(known));
}

void SessionWorker::Tell(Known& known, const std::stop_token& stop) {
  v1::TellRequest request;
  request.set_session(known.id);
  request.set_request_id(NewRequestId());
  for (int i = Draw(1, 3); i > 0; --i) request.add_facts(Fact(Draw(0, 1000)));
  known.pending = std::move(request);
  Settle(known, stop);
}

void SessionWorker::AskAndCommit(Known& known, const std::stop_token& stop) {
  v1::AskRequest request;
  request.set_session(known.id);
  request.set_request_id(NewRequestId());
  request.add_questions(Question(Draw(0, 3)));
  request.set_commit(true);
  known.pending = std::move(request);
  Settle(known, stop);
}

bool SessionWorker::Settle(Known& known, const std::stop_token& stop) {
  const auto begun = std::chrono::steady_clock::now();
  while (!std::holds_alternative<std::monostate>(known.pending)) {
    if (TryPending(known)) {
      known.pending = std::monostate();
      known.begun = false;
      return true;
    }
    if (stop.stop_requested()) return false;
    if (std::chrono::steady_clock::now() - begun > kMaxSettling) {
      world_.ledger.Fail(absl::StrCat("session ", known.id.substr(0, 8), ": a change sent again and again for ",
                                      kMaxSettling.count(), " s was not answered"));
      return false;
    }
    Pause(stop, std::chrono::milliseconds(20));
    world_.ledger.Count("changes sent again");
  }
  return true;
}

bool SessionWorker::TryPending(Known& known) {
  Expected expected = Kept();
  // The first try may still have the session; so may a stream that broke.
  if (known.begun || !known.uncertain.empty()) expected.codes = {grpc::StatusCode::ABORTED};
  const auto stub = v1::QuestionAnsweringService::NewStub(AnyChannel());
  grpc::Status status;
  if (const auto* tell = std::get_if<v1::TellRequest>(&known.pending)) {
    v1::TellResponse response;
    status = Call("heed.v1.QuestionAnsweringService/Tell", expected,
                  [&](grpc::ClientContext& context) { return stub->Tell(&context, *tell, &response); });
    if (status.ok()) Told(known, *tell, response);
    if (status.ok() && response.repeated_request()) world_.ledger.Count("changes answered from the record");
  } else {
    const auto& ask = std::get<v1::AskRequest>(known.pending);
    v1::AskResponse response;
    status = Call("heed.v1.QuestionAnsweringService/Ask", expected,
                  [&](grpc::ClientContext& context) { return stub->Ask(&context, ask, &response); });
    if (status.ok()) {
      Changed(known, known.version + 1);
      known.committed = true;
      CheckSession(known, response.session(), "asked, with commit");
    }
    if (status.ok() && response.repeated_request()) world_.ledger.Count("changes answered from the record");
  }
  if (status.ok()) return true;
  if (IsUncertain(status)) known.begun = true;
  if (status.error_code() == grpc::StatusCode::ABORTED) return false;
  // A refusal says that nothing has changed; of an earlier try it says nothing. Any other error is a failure that is
  // noted.
  return !known.begun;
}

void SessionWorker::Told(Known& known, const v1::TellRequest& request, const v1::TellResponse& response) {
  const int64_t before =
      response.session().fact_count() - request.facts_size() - static_cast<int64_t>(known.facts.size());
  if (before > 0 && before <= static_cast<int64_t>(known.uncertain.size())) {
    known.facts.insert(known.facts.end(), known.uncertain.begin(), known.uncertain.begin() + before);
    known.version += before;
    world_.ledger.Count("facts of broken streams that were kept", before);
  }
  known.uncertain.clear();
  known.facts.insert(known.facts.end(), request.facts().begin(), request.facts().end());
  Changed(known, known.version + 1);
  CheckSession(known, response.session(), "told");
}

void SessionWorker::Ask(Known& known) {
  v1::AskRequest request;
  request.set_session(known.id);
  request.add_questions(Question(Draw(0, 3)));
  v1::AskResponse response;
  const grpc::Status status = Call("heed.v1.QuestionAnsweringService/Ask", Kept(), [&](grpc::ClientContext& context) {
    return v1::QuestionAnsweringService::NewStub(AnyChannel())->Ask(&context, request, &response);
  });
  if (!status.ok()) return;
  CheckSession(known, response.session(), "asked");
  const std::string answer = response.answers_size() == 1 ? response.answers(0).SerializeAsString() : "none";
  const auto [place, is_new] = known.answers.emplace(request.questions(0), answer);
  if (is_new) return;
  Check(place->second == answer, [&] {
    return absl::StrCat("session ", known.id.substr(0, 8), ": '", request.questions(0),
                        "' has another answer than before, at the same version");
  });
  world_.ledger.Count("answers compared");
}

void SessionWorker::Fork(Known& known) {
  v1::ForkSessionResponse response;
  const grpc::Status status =
      Call("heed.v1.QuestionAnsweringService/ForkSession", Kept(), [&](grpc::ClientContext& context) {
        v1::ForkSessionRequest request;
        request.set_session(known.id);
        request.set_expected_version(known.version);
        return v1::QuestionAnsweringService::NewStub(AnyChannel())->ForkSession(&context, request, &response);
      });
  if (!status.ok()) return;
  AddCopy(known, response.session(), "forked");
}

void SessionWorker::ExportAndImport(Known& known) {
  const auto stub = v1::QuestionAnsweringService::NewStub(AnyChannel());
  v1::ExportSessionResponse exported;
  grpc::Status status =
      Call("heed.v1.QuestionAnsweringService/ExportSession", Kept(), [&](grpc::ClientContext& context) {
        v1::ExportSessionRequest request;
        request.set_session(known.id);
        return stub->ExportSession(&context, request, &exported);
      });
  if (!status.ok()) return;
  CheckSession(known, exported.session(), "exported");
  v1::ImportSessionRequest request;
  request.set_data(exported.data());
  const bool damaged = Chance(0.2);
  Expected expected = Kept();
  if (damaged) {
    const auto place = static_cast<size_t>(Draw(0, static_cast<int>(request.data().size()) - 1));
    (*request.mutable_data())[place] ^= 0x10;
    expected.codes = {grpc::StatusCode::INVALID_ARGUMENT};
    world_.ledger.Count("damaged imports");
  }
  v1::ImportSessionResponse response;
  status = Call("heed.v1.QuestionAnsweringService/ImportSession", expected,
                [&](grpc::ClientContext& context) { return stub->ImportSession(&context, request, &response); });
  if (!status.ok()) return;
  Check(!damaged, [] { return std::string("Import: took a damaged export"); });
  AddCopy(known, response.session(), "imported");
}

void SessionWorker::Chat(Known& known) {
  std::vector<v1::ChatRequest> turns(static_cast<size_t>(Draw(1, 6)));
  for (v1::ChatRequest& turn : turns) {
    if (Chance(0.6)) {
      turn.set_fact(Fact(Draw(0, 1000)));
    } else {
      turn.set_question(Question(Draw(0, 3)));
    }
  }
  const size_t cancel_at = Chance(0.1) ? static_cast<size_t>(Draw(0, static_cast<int>(turns.size()))) : SIZE_MAX;
  const bool all_at_once = Chance(0.3);
  size_t written = 0;
  size_t answered = 0;
  const grpc::Status status =
      Call("heed.v1.QuestionAnsweringService/Chat", Kept(), [&](grpc::ClientContext& context, bool& cancelled) {
        const auto stub = v1::QuestionAnsweringService::NewStub(AnyChannel());
        const auto stream = stub->Chat(&context);
        v1::ChatRequest begin;
        begin.set_session(known.id);
        v1::ChatResponse response;
        if (!stream->Write(begin) || !stream->Read(&response)) return stream->Finish();
        CheckSession(known, response.session(), "in a chat");
        while (answered < turns.size()) {
          const size_t until = all_at_once ? turns.size() : answered + 1;
          while (written < until && stream->Write(turns[written])) ++written;
          if (answered == cancel_at) {
            cancelled = true;
            context.TryCancel();
            world_.ledger.Count("chats cancelled");
          }
          if (!stream->Read(&response)) return stream->Finish();
          const v1::ChatRequest& turn = turns[answered++];
          if (response.has_refusal()) {
            world_.ledger.Count("turns refused");
            Check(response.refusal().code() == static_cast<int>(grpc::StatusCode::RESOURCE_EXHAUSTED), [&] {
              return absl::StrCat("Chat: a turn was refused: code ", response.refusal().code(), ", ",
                                  response.refusal().message());
            });
          } else if (turn.has_fact()) {
            Check(response.has_told(), [] { return std::string("Chat: a fact was not answered as one"); });
            known.facts.push_back(turn.fact());
            Changed(known, known.version + 1);
          } else {
            Check(response.has_answer(), [] { return std::string("Chat: a question was not answered as one"); });
          }
          CheckSession(known, response.session(), "in a chat's turn");
        }
        stream->WritesDone();
        Check(!stream->Read(&response), [] { return std::string("Chat: more answers than turns"); });
        return stream->Finish();
      });
  if (status.ok()) {
    Check(answered == turns.size(),
          [&] { return absl::StrCat("Chat: ended with OK after ", answered, " answers to ", turns.size(), " turns"); });
    return;
  }
  for (size_t i = answered; i < written; ++i) {
    if (turns[i].has_fact()) known.uncertain.push_back(turns[i].fact());
  }
}

bool SessionWorker::Close(const Known& known) {
  const auto stub = v1::QuestionAnsweringService::NewStub(AnyChannel());
  Expected expected = Kept();
  expected.codes = {grpc::StatusCode::NOT_FOUND};  // an earlier try closed it
  if (!known.uncertain.empty()) expected.codes.insert(grpc::StatusCode::ABORTED);
  v1::CloseSessionRequest request;
  request.set_session(known.id);
  const grpc::Status status =
      Call("heed.v1.QuestionAnsweringService/CloseSession", expected, [&](grpc::ClientContext& context) {
        v1::CloseSessionResponse response;
        return stub->CloseSession(&context, request, &response);
      });
  if (!status.ok() && status.error_code() != grpc::StatusCode::NOT_FOUND) return false;
  v1::AskRequest ask;
  ask.set_session(known.id);
  ask.add_questions(Question(0));
  expected.codes = {grpc::StatusCode::NOT_FOUND};
  v1::AskResponse answer;
  const grpc::Status gone = Call("heed.v1.QuestionAnsweringService/Ask", expected,
                                 [&](grpc::ClientContext& context) { return stub->Ask(&context, ask, &answer); });
  Check(!gone.ok(), [&] { return absl::StrCat("session ", known.id.substr(0, 8), ": answers after it was closed"); });
  return true;
}

void SessionWorker::Verify() {
  const std::stop_token never;
  for (Known& known : sessions_) {
    if (!Settle(known, never)) continue;
    while (!known.uncertain.empty()) Tell(known, never);
    const auto stub = v1::QuestionAnsweringService::NewStub(AnyChannel());
    Expected expected;
    expected.may_expire = false;
    v1::AskRequest ask;
    ask.set_session(known.id);
    ask.add_questions(Question(1));
    v1::AskResponse asked;
    if (!Call("heed.v1.QuestionAnsweringService/Ask", expected, [&](grpc::ClientContext& context) {
           return stub->Ask(&context, ask, &asked);
         }).ok()) {
      continue;
    }
    CheckSession(known, asked.session(), "verified");
    world_.ledger.Count("sessions verified");
    if (known.committed || known.facts.empty()) continue;
    // The same facts told at once, without a session.
    v1::AnswerRequest whole;
    whole.set_model(kModel);
    for (const std::string& fact : known.facts) whole.add_facts(fact);
    whole.add_questions()->set_text(ask.questions(0));
    v1::AnswerResponse answered;
    const grpc::Status status =
        Call("heed.v1.QuestionAnsweringService/Answer", expected,
             [&](grpc::ClientContext& context) { return stub->Answer(&context, whole, &answered); });
    if (!status.ok()) continue;
    Check(answered.answers(0).SerializeAsString() == asked.answers(0).SerializeAsString(), [&] {
      return absl::StrCat("session ", known.id.substr(0, 8), " of ", known.facts.size(),
                          " facts answers otherwise than its facts told at once");
    });
    world_.ledger.Count("answers compared");
  }
}

void SessionWorker::Clear() {
  closing_.insert(closing_.end(), sessions_.begin(), sessions_.end());
  sessions_.clear();
  for (int tries = 0; !closing_.empty() && tries < 100; ++tries) {
    std::erase_if(closing_, [this](const Known& known) { return Close(known); });
  }
  Check(closing_.empty(), [&] { return absl::StrCat(closing_.size(), " sessions could not be closed"); });
}

}  // namespace heed::chaos
