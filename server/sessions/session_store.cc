// SPDX-License-Identifier: Apache-2.0
#include "server/sessions/session_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "server/platform/random_name.h"
#include "server/sessions/session_file.h"
#include "server/sessions/session_limits.h"
#include "server/sessions/session_place.h"
#include "server/sessions/session_place_queue.h"
#include "server/sessions/session_table.h"
#include "server/telemetry/log.h"

namespace heed {
namespace {

constexpr size_t kSessionNameBytes = 16;

constexpr int kPlaceThreads = 8;
// Of each thread of the place. Bounds the memory and the wait while the place is slow.
constexpr size_t kMaxPlaceJobs = 512;
// How often sessions that are idle for too long are looked for: so many times in the limit, but not all the time.
constexpr int kSweepsPerLimit = 16;
constexpr std::chrono::milliseconds kLeastSweepInterval(100);
constexpr std::chrono::minutes kMaxSweepInterval(1);
// Files of idle sessions that may wait for their removal, of the thousands of jobs that the place's queue takes.
constexpr size_t kMaxIdleRemovals = 512;

absl::Status ShuttingDown() { return absl::UnavailableError("the server is shutting down"); }
absl::Status Closed() { return absl::NotFoundError("session: it was closed"); }
absl::Status Leased() { return absl::AbortedError("session: another request is changing it: try again"); }

absl::Status Prefixed(absl::string_view prefix, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(prefix, " ", status.message()));
}

// Enough of a session's name to find it in a log, too little to use it.
std::string Mention(const std::string& id) { return id.substr(0, 8); }

std::string IsOfAnotherKind(const Model& model, ModelKind kind) {
  return absl::StrCat("is of \"", model.spec().name, "\", which is a ", KindName(model.kind()), ", not a ",
                      KindName(kind));
}

LeavingMemory Leaving(const SessionPlace* place) {
  if (place == nullptr) return LeavingMemory::kGone;
  return place->shared() ? LeavingMemory::kDropped : LeavingMemory::kRest;
}

absl::Status StatusOf(const absl::Status& status) { return status; }
template <typename T>
absl::Status StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// What the place answers, its time and its failures counted. That a session is gone or has changed is no failure.
template <typename Call>
auto Measured(Metrics& metrics, absl::string_view operation, const Call& call) {
  const std::string_view label(operation.data(), operation.size());
  const TimePoint start = Clock::now();
  auto result = call();
  metrics.Observe(Metric::kSessionPlaceSeconds, {label}, ToSeconds(Clock::now() - start));
  const absl::Status status = StatusOf(result);
  if (!status.ok() && !absl::IsNotFound(status) && !absl::IsAborted(status)) {
    metrics.Add(Metric::kSessionPlaceFailures, {label});
  }
  return result;
}

}  // namespace

SessionLease::SessionLease(SessionStore& store, std::shared_ptr<const Session> session, std::string revision,
                           int64_t number)
    : store_(store), session_(std::move(session)), revision_(std::move(revision)), number_(number) {}

SessionLease::~SessionLease() { store_.Release(*this); }

absl::StatusOr<std::unique_ptr<SessionStore>> SessionStore::Open(const SessionOptions& options,
                                                                 const Registry& registry, Metrics& metrics) {
  HEED_ASSIGN_OR_RETURN(std::unique_ptr<SessionPlace> place, OpenSessionPlace(options));
  std::unique_ptr<SessionStore> store(new SessionStore(options, registry, metrics, std::move(place)));
  if (store->place_ != nullptr && !store->Shared()) HEED_RETURN_IF_ERROR(store->FindResting());
  return store;
}

SessionStore::SessionStore(const SessionOptions& options, const Registry& registry, Metrics& metrics,
                           std::unique_ptr<SessionPlace> place)
    : options_(options),
      registry_(registry),
      metrics_(metrics),
      place_(std::move(place)),
      table_(std::make_unique<SessionTable>(options, Leaving(place_.get()))),
      noted_(options.now()) {
  {
    MutexLock lock(mutex_);
    PublishMetrics();
  }
  if (place_ != nullptr) {
    for (const char* operation : {"read", "write", "remove"}) {
      metrics_.Add(Metric::kSessionPlaceFailures, {operation}, 0);
    }
  }
  if (place_ != nullptr) queue_ = std::make_unique<SessionPlaceQueue>(kPlaceThreads, kMaxPlaceJobs);
  if (options_.idle_limit > Clock::duration::zero()) sweeper_ = std::thread([this] { Sweep(); });
}

SessionStore::~SessionStore() { Stop(); }

absl::Status SessionStore::FindResting() {
  HEED_ASSIGN_OR_RETURN(const std::vector<RestingSession> resting, place_->List());
  {
    MutexLock lock(mutex_);
    const TimePoint now = options_.now();
    for (const RestingSession& one : resting) table_->AddResting(one.id, now - one.idle);
  }
  CloseIdle();
  LogInfo("sessions", {{"state", "ready"}, {"found", resting.size()}});
  return absl::OkStatus();
}

void SessionStore::Create(std::shared_ptr<const StatefulModel> model, std::shared_ptr<const State> state,
                          Done<Found> done) {
  auto session = std::make_shared<Session>();
  session->id = RandomName(kSessionNameBytes);
  session->model_name = model->spec().name;
  session->fingerprint = model->spec().fingerprint;
  session->state = std::move(state);
  const std::string id = session->id;
  Do(id, [this, session = std::move(session), done = std::move(done)](const absl::Status& refused) {
    done(refused.ok() ? CarryOutCreate(session) : refused);
  });
}

absl::StatusOr<SessionStore::Found> SessionStore::CarryOutCreate(const Found& session) {
  {
    MutexLock lock(mutex_);
    HEED_RETURN_IF_ERROR(table_->CheckRoom());
  }
  HEED_ASSIGN_OR_RETURN(std::string revision, Write(*session, ""));
  HEED_RETURN_IF_ERROR(Keep(session, std::move(revision), nullptr, /*is_new=*/true));
  metrics_.Add(Metric::kSessionEvents, {"opened"});
  return session;
}

void SessionStore::Find(const std::string& id, ModelKind kind, std::optional<int64_t> expected_version,
                        Done<Found> done) {
  Fetch(id, [this, kind, expected_version, done = std::move(done)](const absl::StatusOr<Found>& found) {
    if (!found.ok()) return done(found.status());
    if (absl::Status status = CheckModel(**found, kind); !status.ok()) return done(std::move(status));
    if (absl::Status status = CheckVersion(**found, expected_version); !status.ok()) return done(std::move(status));
    done(*found);
  });
}

void SessionStore::Lease(const std::string& id, ModelKind kind, std::optional<int64_t> expected_version,
                         const std::string& request_id, Done<std::unique_ptr<SessionLease>> done) {
  bool leased = false;
  {
    MutexLock lock(mutex_);
    const SessionEntry* entry = table_->Find(id);
    leased = entry != nullptr && entry->lease != 0;
  }
  if (leased) return done(Leased());
  Fetch(id, [=, this](const absl::StatusOr<Found>& found) {
    if (!found.ok()) return done(found.status());
    absl::StatusOr<std::unique_ptr<SessionLease>> lease = TakeLease(*found);
    if (!lease.ok()) return done(lease.status());
    // It changed, or left memory, since it was fetched.
    if (*lease == nullptr) return Lease(id, kind, expected_version, request_id, done);
    const Session& session = (*lease)->session();
    const bool answered = !request_id.empty() && session.FindRecord(request_id) != nullptr;
    absl::Status refused = CheckModel(session, kind);
    if (refused.ok() && !answered) refused = CheckVersion(session, expected_version);
    if (refused.ok()) return done(std::move(lease));
    lease->reset();  // before whoever asked can ask again
    done(std::move(refused));
  });
}

absl::StatusOr<std::unique_ptr<SessionLease>> SessionStore::TakeLease(const Found& session) {
  MutexLock lock(mutex_);
  const SessionEntry* entry = table_->Find(session->id);
  if (entry == nullptr || entry->session != session) return nullptr;
  if (entry->lease != 0) return Leased();
  const int64_t number = table_->TakeLease(session->id, options_.now());
  return std::unique_ptr<SessionLease>(new SessionLease(*this, session, entry->revision, number));
}

void SessionStore::Release(const SessionLease& lease) {
  MutexLock lock(mutex_);
  table_->ReleaseLease(lease.session().id, lease.number_, options_.now());
}

void SessionStore::Commit(std::unique_ptr<SessionLease> lease, std::shared_ptr<const State> state,
                          const std::string& request_id, std::function<std::string(const Session&)> response,
                          Done<Found> done) {
  auto next = std::make_shared<Session>(lease->session());
  ++next->version;
  next->state = std::move(state);
  if (!request_id.empty()) {
    if (next->records.size() >= kMaxRequestRecords) next->records.erase(next->records.begin());
    std::string answer = response(*next);
    next->records.push_back({request_id, std::move(answer)});
  }
  const std::string id = next->id;
  std::shared_ptr<SessionLease> held = std::move(lease);
  Do(id, [this, held = std::move(held), next = std::move(next), done](const absl::Status& refused) mutable {
    const absl::StatusOr<Found> committed = refused.ok() ? CarryOutCommit(*held, next) : refused;
    held.reset();  // before whoever asked can ask again
    done(committed);
  });
}

absl::StatusOr<SessionStore::Found> SessionStore::CarryOutCommit(const SessionLease& lease, const Found& next) {
  HEED_RETURN_IF_ERROR(CheckKnown(next->id));
  absl::StatusOr<std::string> revision = Write(*next, lease.revision_);
  if (revision.ok()) {
    HEED_RETURN_IF_ERROR(Keep(next, *std::move(revision), &lease, /*is_new=*/false));
    return next;
  }
  // What memory has is not the present version, or nobody knows: the place tells next time.
  if (Shared()) Drop(next->id);
  if (absl::IsAborted(revision.status())) return absl::AbortedError("session: another server changed it meanwhile");
  return absl::IsNotFound(revision.status()) && !Shared() ? WhyGone(next->id) : revision.status();
}

void SessionStore::Close(const std::string& id, std::function<void(absl::Status)> done) {
  if (!IsSessionId(id)) return done(WhyGone(id));
  Do(id, [this, id, done = std::move(done)](const absl::Status& refused) {
    done(refused.ok() ? CarryOutClose(id) : refused);
  });
}

absl::Status SessionStore::CarryOutClose(const std::string& id) {
  CloseIdle(id);
  HEED_RETURN_IF_ERROR(CheckKnown(id));
  if (place_ != nullptr) {
    const absl::Status removed = Remove(id);
    if (absl::IsNotFound(removed) && Shared()) Drop(id);
    // A file that somebody took away is as good as removed.
    if (!removed.ok() && (Shared() || !absl::IsNotFound(removed))) return removed;
  }
  SessionTable::Left left;
  MutexLock lock(mutex_);
  if (!Shared() && table_->Find(id) == nullptr) return table_->WhyGone(id);
  table_->Forget(id, Closed(), left);
  metrics_.Add(Metric::kSessionEvents, {"closed"});
  PublishMetrics();
  return absl::OkStatus();
}

std::string SessionStore::Export(const Session& session) const { return WriteSession(session, false); }

void SessionStore::Import(absl::string_view data, const std::string& model_name, ModelKind kind,
                          const std::function<absl::Status(absl::string_view model)>& check, Done<Found> done) {
  absl::StatusOr<SessionContent> content = ParseSession(data);
  if (!content.ok()) {  // of another format version, too
    return done(InvalidField("data", content.status().message()));
  }
  const std::string& name = model_name.empty() ? content->model_name : model_name;
  if (absl::Status status = check(name); !status.ok()) return done(std::move(status));
  const auto model = FindModel(name);
  if (!model.ok()) return done(model.status());
  if ((*model)->kind() != kind) {
    return done(InvalidField(model_name.empty() ? "data" : "model", IsOfAnotherKind(**model, kind)));
  }
  const absl::StatusOr<Session> session = RestoreSession(*std::move(content), **model);
  if (!session.ok()) return done(Prefixed("data:", session.status()));
  const int64_t held = HeldUnits(**model, *session->state);
  if (absl::Status status = CheckHeldUnits("data", **model, held, options_); !status.ok()) {
    return done(std::move(status));
  }
  Create(*model, session->state, std::move(done));
}

absl::StatusOr<std::shared_ptr<const StatefulModel>> SessionStore::FindModel(const std::string& name) const {
  HEED_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, registry_.Find(name));
  if (auto stateful = std::dynamic_pointer_cast<const StatefulModel>(model)) return stateful;
  return absl::InvalidArgumentError(
      absl::StrCat("model: \"", name, "\" is a ", KindName(model->kind()), ", which keeps no sessions"));
}

absl::StatusOr<std::shared_ptr<const StatefulModel>> SessionStore::ModelOf(const Session& session) const {
  return ModelOf(session.model_name, session.fingerprint);
}

absl::StatusOr<std::shared_ptr<const StatefulModel>> SessionStore::ModelOf(const std::string& name,
                                                                           absl::string_view fingerprint) const {
  // Any version of the session's weights will do, also one that was replaced and is kept for this.
  if (auto same = std::dynamic_pointer_cast<const StatefulModel>(registry_.FindFingerprint(name, fingerprint))) {
    return same;
  }
  auto model = FindModel(name);
  if (!model.ok()) {
    if (absl::IsUnavailable(model.status())) return model.status();
    return absl::FailedPreconditionError(absl::StrCat("session: ", model.status().message()));
  }
  if (absl::Status status = CheckFingerprint(**model, fingerprint); !status.ok()) return Prefixed("session:", status);
  return model;
}

absl::Status SessionStore::CheckModel(const Session& session, ModelKind kind) const {
  HEED_ASSIGN_OR_RETURN(const auto model, ModelOf(session));
  if (model->kind() == kind) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("session: ", IsOfAnotherKind(*model, kind)));
}

absl::Status SessionStore::CheckVersion(const Session& session, std::optional<int64_t> expected) {
  if (!expected || *expected == session.version) return absl::OkStatus();
  return absl::AbortedError(
      absl::StrCat("expected_version: ", *expected, ", the session has version ", session.version));
}

bool SessionStore::Shared() const { return place_ != nullptr && place_->shared(); }

absl::Status SessionStore::CheckKnown(const std::string& id) const {
  MutexLock lock(mutex_);
  return Shared() || table_->Find(id) != nullptr ? absl::OkStatus() : table_->WhyGone(id);
}

absl::Status SessionStore::WhyGone(const std::string& id) const {
  MutexLock lock(mutex_);
  return table_->WhyGone(id);
}

void SessionStore::Do(const std::string& id, SessionPlaceQueue::Job job) {
  if (queue_ != nullptr) return queue_->Add(id, std::move(job));
  bool stopped = false;
  {
    MutexLock lock(mutex_);
    stopped = stopped_;
  }
  job(stopped ? ShuttingDown() : absl::OkStatus());
}

void SessionStore::Fetch(const std::string& id, Done<Found> then) {
  if (!IsSessionId(id)) return then(WhyGone(id));
  CloseIdle(id);
  if (std::optional<absl::StatusOr<Found>> known = FromMemory(id)) return then(*std::move(known));
  Do(id,
     [this, id, then = std::move(then)](const absl::Status& refused) { then(refused.ok() ? FromPlace(id) : refused); });
}

std::optional<absl::StatusOr<SessionStore::Found>> SessionStore::FromMemory(const std::string& id) {
  MutexLock lock(mutex_);
  if (stopped_) return ShuttingDown();
  if (Shared()) return std::nullopt;
  const SessionEntry* entry = table_->Find(id);
  if (entry == nullptr) return table_->WhyGone(id);
  table_->Use(id, options_.now());  // so that it is not closed while it is read
  if (entry->session == nullptr) return std::nullopt;
  return entry->session;
}

absl::StatusOr<SessionStore::Found> SessionStore::FromPlace(const std::string& id) {
  HEED_RETURN_IF_ERROR(CheckKnown(id));
  SessionEntry known;
  {
    MutexLock lock(mutex_);
    if (const SessionEntry* entry = table_->Find(id)) known = *entry;
  }
  if (!Shared() && known.session != nullptr) return known.session;  // another request has brought it back
  absl::StatusOr<PlacedSession> read = Read(id, known.session == nullptr ? "" : known.revision);
  if (absl::IsNotFound(read.status())) {
    Drop(id);
    return Shared() ? read.status() : WhyGone(id);
  }
  if (!read.ok()) return read.status();
  Found session = known.session;
  if (read->data) {
    HEED_ASSIGN_OR_RETURN(session, Restore(id, *read->data));
    metrics_.Add(Metric::kSessionEvents, {"restored"});
  }
  HEED_RETURN_IF_ERROR(Keep(session, std::move(read->revision), nullptr, /*is_new=*/false));
  return session;
}

absl::StatusOr<SessionStore::Found> SessionStore::Restore(const std::string& id, absl::string_view data) {
  absl::StatusOr<SessionContent> content = ParseSession(data);
  if (!content.ok()) return SetAside(id, content.status());
  HEED_ASSIGN_OR_RETURN(const auto model, ModelOf(content->model_name, content->fingerprint));
  absl::StatusOr<Session> session = RestoreSession(*std::move(content), *model);
  if (!session.ok()) return SetAside(id, session.status());
  session->id = id;
  return std::make_shared<const Session>(*std::move(session));
}

absl::Status SessionStore::SetAside(const std::string& id, const absl::Status& error) {
  std::string reason = absl::StrCat("session: what is kept of it ", error.message());
  if (!absl::IsUnimplemented(error)) {  // another server may read another format
    absl::StrAppend(&reason, place_->SetAside(id));
    SessionTable::Left left;
    MutexLock lock(mutex_);
    table_->Forget(id, absl::FailedPreconditionError(reason), left);
    PublishMetrics();
  }
  LogError("session", {{"id", Mention(id)}, {"state", "unavailable"}, {"reason", reason}});
  return absl::FailedPreconditionError(reason);
}

absl::Status SessionStore::Keep(Found session, std::string revision, const SessionLease* lease, bool is_new) {
  const std::string id = session->id;
  SessionTable::Left left;
  MutexLock lock(mutex_);
  if (!is_new && !Shared() && table_->Find(id) == nullptr) return table_->WhyGone(id);  // it was closed meanwhile
  if (lease != nullptr) {
    table_->ReleaseLease(id, lease->number_, options_.now());
  }
  table_->Put(std::move(session), std::move(revision), options_.now(), left);
  const size_t evicted = table_->MakeRoom(id, left);
  if (evicted > 0) metrics_.Add(Metric::kSessionEvents, {"evicted"}, static_cast<double>(evicted));
  PublishMetrics();
  return absl::OkStatus();
}

void SessionStore::Drop(const std::string& id) {
  SessionTable::Left left;
  MutexLock lock(mutex_);
  table_->Drop(id, left);
  PublishMetrics();
}

absl::StatusOr<PlacedSession> SessionStore::Read(const std::string& id, const std::string& known) {
  return Measured(metrics_, "read", [&] { return place_->Read(id, known); });
}

absl::StatusOr<std::string> SessionStore::Write(const Session& session, const std::string& known) {
  if (place_ == nullptr) return std::string();
  return Measured(metrics_, "write", [&] { return place_->Write(session.id, known, WriteSession(session, true)); });
}

absl::Status SessionStore::Remove(const std::string& id) {
  return Measured(metrics_, "remove", [&] { return place_->Remove(id); });
}

void SessionStore::CloseIdle(const std::string& asked) {
  SessionTable::Left left;
  std::vector<std::string> ids;
  {
    MutexLock lock(mutex_);
    const TimePoint now = options_.now();
    const bool removes = place_ != nullptr && !Shared();
    // Others wait for their turn, so that removing their files leaves room for what requests want of the place.
    const size_t most = removes ? kMaxIdleRemovals - std::min(kMaxIdleRemovals, idle_removals_) : SIZE_MAX;
    ids = table_->Idle(now, most);
    if (table_->IsIdle(asked, now) && std::find(ids.begin(), ids.end(), asked) == ids.end()) ids.push_back(asked);
    if (ids.empty()) return;
    for (const std::string& id : ids) table_->CloseIdle(id, left);
    if (removes) idle_removals_ += ids.size();
    PublishMetrics();
  }
  if (Shared()) return;  // it closes its sessions by itself
  metrics_.Add(Metric::kSessionEvents, {"expired"}, static_cast<double>(ids.size()));
  for (const std::string& id : ids) {
    if (place_ == nullptr) continue;
    queue_->Add(id, [this, id](const absl::Status& refused) {
      // One that cannot be removed is idle for too long at the next start, too.
      if (refused.ok()) Remove(id).IgnoreError();
      MutexLock lock(mutex_);
      --idle_removals_;
    });
  }
}

void SessionStore::NoteUses() {
  std::vector<std::pair<std::string, TimePoint>> used;
  const TimePoint now = options_.now();
  {
    MutexLock lock(mutex_);
    used = table_->UsedSince(std::exchange(noted_, now));
  }
  for (const auto& [id, when] : used) place_->NoteUse(id, now - when);
}

void SessionStore::Sweep() {
  const auto interval =
      std::clamp<Clock::duration>(options_.idle_limit / kSweepsPerLimit, kLeastSweepInterval, kMaxSweepInterval);
  while (true) {
    {
      MutexLock lock(mutex_);
      const TimePoint wake = Clock::now() + (idle_removals_ > 0 ? kLeastSweepInterval : interval);
      while (!stopped_ && Clock::now() < wake) stopping_.WaitUntil(mutex_, wake);
      if (stopped_) return;
    }
    CloseIdle();
    if (place_ != nullptr && !Shared()) NoteUses();
  }
}

void SessionStore::Stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  stopping_.NotifyAll();
  if (sweeper_.joinable()) sweeper_.join();
  if (queue_ != nullptr) queue_->Stop();
  if (place_ != nullptr && !Shared()) NoteUses();
}

void SessionStore::PublishMetrics() {
  metrics_.Set(Metric::kSessions, {}, static_cast<double>(table_->in_memory()));
  metrics_.Set(Metric::kSessionBytes, {}, static_cast<double>(table_->bytes()));
}

}  // namespace heed
