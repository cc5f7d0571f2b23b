// SPDX-License-Identifier: Apache-2.0
// The calls about a session as a whole: open, fork, export, import, close. The store gives their answers, at once or
// later.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "server/messages/expected_version.h"
#include "server/rpc/call.h"
#include "server/session_calls/session_parts.h"

namespace heed {

// Kind, of a service's sessions, has
//
//   static constexpr ModelKind kKind;                                // of their models
//   using Message = ...;                                             // a session on the wire
//   static Message ToProto(const SessionParts&, const Session&);
//   static absl::StatusOr<std::shared_ptr<const State>> NewState(const StatefulModel&, const OpenRequest&);
//
// and its messages have the same fields as v1::OpenSessionRequest and the others. Deletes itself in OnDone.
template <typename Kind>
class StoreCall final : public Call, public grpc::ServerUnaryReactor {
 public:
  StoreCall(const SessionParts& parts, grpc::CallbackServerContext& context, std::string_view method)
      : Call(parts.requests, context, method), parts_(parts) {}

  template <typename Request, typename Response>
  void Open(const Request& request, Response& response) {
    if (!Admitted()) return;
    auto served = LookUp(parts_.registry, request.model(), request.model_version(), Kind::kKind);
    if (!served.ok()) return EndWith(served.status());
    auto model = ModelAs<StatefulModel>(std::move(served->model));
    auto state = Kind::NewState(*model, request);
    if (!state.ok()) return EndWith(state.status());
    parts_.store.Create(std::move(model), *std::move(state), AnswerWith(response));
  }

  template <typename Request, typename Response>
  void Fork(const Request& request, Response& response) {
    if (!Admitted()) return;
    Find(request, [this, &response](const auto& found) {
      if (!found.ok()) return EndWith(found.status());
      auto model = parts_.store.ModelOf(**found);
      if (!model.ok()) return EndWith(model.status());
      parts_.store.Create(*std::move(model), (*found)->state, AnswerWith(response));
    });
  }

  template <typename Request, typename Response>
  void Export(const Request& request, Response& response) {
    if (!Admitted()) return;
    Find(request, [this, &response](const auto& found) {
      if (found.ok()) response.set_data(parts_.store.Export(**found));
      AnswerWith(response)(found);
    });
  }

  template <typename Request, typename Response>
  void Import(const Request& request, Response& response) {
    if (!Admitted()) return;
    room_may_come_ = false;  // for a session that holds too much
    parts_.store.Import(
        request.data(), request.model(), Kind::kKind, [this](absl::string_view model) { return CheckModel(model); },
        AnswerWith(response));
  }

  template <typename Request>
  void Close(const Request& request) {
    if (!Admitted()) return;
    const auto close = [this, session = request.session()] {
      parts_.store.Close(session, [this](const absl::Status& status) { EndWith(status); });
    };
    if (allowed_models() == nullptr || allowed_models()->match_all()) return close();
    parts_.store.Find(request.session(), Kind::kKind, std::nullopt,
                      [this, close](const absl::StatusOr<SessionStore::Found>& found) {
                        const absl::Status status = found.ok() ? CheckModel((*found)->model_name) : found.status();
                        status.ok() ? close() : EndWith(status);
                      });
  }

  void OnDone() override { delete this; }

 private:
  std::string_view model_name() const override { return model_name_; }

  // False: the server is shutting down, and the call has ended.
  bool Admitted() {
    auto admission = parts_.scheduler.Admit();
    if (!admission.ok()) {
      EndWith(admission.status());
      return false;
    }
    admission_ = *std::move(admission);
    return true;
  }

  template <typename Request>
  void Find(const Request& request, SessionStore::Done<SessionStore::Found> done) {
    parts_.store.Find(request.session(), Kind::kKind, ExpectedVersion(request),
                      [this, done = std::move(done)](const absl::StatusOr<SessionStore::Found>& found) {
                        const absl::Status status = found.ok() ? CheckModel((*found)->model_name) : found.status();
                        status.ok() ? done(found) : done(status);
                      });
  }

  // Ends the call with the session that the store gives.
  template <typename Response>
  SessionStore::Done<SessionStore::Found> AnswerWith(Response& response) {
    return [this, &response](const absl::StatusOr<SessionStore::Found>& found) {
      if (found.ok()) {
        *response.mutable_session() = Kind::ToProto(parts_, **found);
        model_name_ = (*found)->model_name;
      }
      EndWith(found.status());
    };
  }

  void EndWith(const absl::Status& status) {
    admission_ = nullptr;
    Finish(End(status, room_may_come_));
  }

  const SessionParts& parts_;
  std::unique_ptr<Scheduler::Admission> admission_;
  std::string model_name_;
  bool room_may_come_ = true;
};

}  // namespace heed
