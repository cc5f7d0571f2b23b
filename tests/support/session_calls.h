// SPDX-License-Identifier: Apache-2.0
// What tests of sessions share: a registry whose only model is a fake, and a session store's calls, each waited for.
#pragma once

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/registry/registry.h"
#include "server/sessions/session_store.h"
#include "tests/support/fake_question_answerer.h"
#include "tests/support/recording_observer.h"
#include "tests/support/temporary_directory.h"

namespace heed {

// A registry with one model, "fake-qa", or several of the same kind.
class FakeModels {
 public:
  explicit FakeModels(const std::string& fingerprint = "print", const std::vector<std::string>& names = {"fake-qa"}) {
    for (const std::string& name : names) {
      std::filesystem::create_directory(root_.path() / name);
      root_.Write(name + "/config.json", "{}");
    }
    registry_ = *Registry::Open(root_.path().string(),
                                [fingerprint](const std::string&, const std::string& name,
                                              Precision) -> absl::StatusOr<std::shared_ptr<const Model>> {
                                  return std::make_shared<FakeQuestionAnswerer>(name, fingerprint);
                                });
  }
  FakeModels& Load() {
    registry_->LoadAll(observer_);
    return *this;
  }
  const Registry& registry() const { return *registry_; }
  std::shared_ptr<const QuestionAnswerer> model(const std::string& name = "fake-qa") const {
    return std::dynamic_pointer_cast<const QuestionAnswerer>(*registry_->Find(name));
  }

 private:
  TemporaryDirectory root_;
  RecordingObserver observer_;
  std::unique_ptr<Registry> registry_;
};

inline std::vector<std::string> Facts(const Session& session) {
  return static_cast<const FakeState&>(*session.state).texts();
}

class SessionCalls {
 public:
  using Found = SessionStore::Found;
  using Lease = std::unique_ptr<SessionLease>;
  static constexpr ModelKind kKind = ModelKind::kQuestionAnswerer;

  explicit SessionCalls(SessionStore& store) : store_(store) {}

  absl::StatusOr<Found> Create(const FakeModels& models, std::vector<std::string> facts = {}) {
    return Await<absl::StatusOr<Found>>(
        [&](auto done) { store_.Create(models.model(), std::make_shared<FakeState>(std::move(facts)), done); });
  }
  absl::StatusOr<Found> Find(const std::string& id, std::optional<int64_t> expected = std::nullopt) {
    return Await<absl::StatusOr<Found>>([&](auto done) { store_.Find(id, kKind, expected, done); });
  }
  absl::StatusOr<Lease> Take(const std::string& id, std::optional<int64_t> expected = std::nullopt,
                             const std::string& request_id = "") {
    return Await<absl::StatusOr<Lease>>([&](auto done) { store_.Lease(id, kKind, expected, request_id, done); });
  }
  absl::StatusOr<Found> Commit(Lease lease, std::vector<std::string> facts, const std::string& request_id = "") {
    return Await<absl::StatusOr<Found>>([&](auto done) {
      store_.Commit(
          std::move(lease), std::make_shared<FakeState>(std::move(facts)), request_id,
          [](const Session& session) { return "version " + std::to_string(session.version); }, done);
    });
  }
  // What the service does: tells one more fact, unless the request was carried out before.
  absl::StatusOr<Found> Tell(const std::string& id, const std::string& fact, const std::string& request_id = "") {
    absl::StatusOr<Lease> lease = Take(id, std::nullopt, request_id);
    if (!lease.ok()) return lease.status();
    const Session session = (*lease)->session();
    if (!request_id.empty() && session.FindRecord(request_id) != nullptr) return std::make_shared<Session>(session);
    std::vector<std::string> facts = Facts(session);
    facts.push_back(fact);
    return Commit(*std::move(lease), std::move(facts), request_id);
  }
  absl::Status Close(const std::string& id) {
    return Await<absl::Status>([&](auto done) { store_.Close(id, done); });
  }
  absl::StatusOr<Found> Import(const std::string& data, const std::string& model_name = "") {
    return Await<absl::StatusOr<Found>>([&](auto done) {
      store_.Import(
          data, model_name, kKind, [](absl::string_view) { return absl::OkStatus(); }, done);
    });
  }

 private:
  template <typename Result, typename Call>
  static Result Await(const Call& call) {
    auto promise = std::make_shared<std::promise<Result>>();
    std::future<Result> result = promise->get_future();
    call([promise](Result one) { promise->set_value(Own(std::move(one))); });
    return result.get();
  }
  // A status shares its text with its copies, on other threads; how is hidden from the thread sanitizer.
  static absl::Status Own(const absl::Status& status) { return absl::Status(status.code(), status.message()); }
  template <typename T>
  static absl::StatusOr<T> Own(absl::StatusOr<T> result) {
    if (result.ok()) return result;
    return Own(result.status());
  }

  SessionStore& store_;
};

}  // namespace heed
