// SPDX-License-Identifier: Apache-2.0
// The conversations that the server keeps: their states, who may change them when, and where they rest.
//
// A session's present state is immutable: whoever asks takes it (Find) and works beside others. Whoever changes it
// takes the session's only lease (Lease), computes the next state from the present one, and puts it in its place
// (Commit) or lets go (the lease's destructor), which leaves everything as it was.
//
// Where sessions rest (--sessions):
//  - nowhere: in memory alone. Beyond the limits the least recently used one is gone.
//  - in a directory: one file each (server/sessions/session_file.h), written before the change is answered: what was
//    answered survives the server's end, whatever ends it. Beyond the limits the least recently used one leaves memory
//    and comes back when it is asked for. One server at a time has a directory.
//  - in Redis: one key each, changed by a script that compares versions, so that any number of servers carry on any
//    conversation and no change is lost; memory is a cache whose version is checked at every use.
// A session that is idle for longer than the limit is closed. For sessions that are gone the store knows why for some
// time.
//
// Nothing here blocks its caller: what needs a disk or a connection happens on the store's own threads, where the
// callbacks then come; what does not calls back before it returns.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "models/kinds/stateful_model.h"
#include "server/registry/registry.h"
#include "server/sessions/session.h"
#include "server/telemetry/metrics.h"

namespace heed {

struct PlacedSession;
class SessionPlace;
class SessionPlaceQueue;
class SessionStore;
class SessionTable;

// The right to change one session, of one holder at a time. Letting it go without Commit changes nothing. The store
// outlives it.
class SessionLease {
 public:
  ~SessionLease();
  SessionLease(const SessionLease&) = delete;
  SessionLease& operator=(const SessionLease&) = delete;

  // The session as it is.
  const Session& session() const { return *session_; }

 private:
  friend class SessionStore;
  SessionLease(SessionStore& store, std::shared_ptr<const Session> session, std::string revision, int64_t number);

  SessionStore& store_;
  const std::shared_ptr<const Session> session_;
  const std::string revision_;  // of the session, in its place
  const int64_t number_;
};

// Thread-safe.
class SessionStore {
 public:
  template <typename T>
  using Done = std::function<void(absl::StatusOr<T>)>;
  using Found = std::shared_ptr<const Session>;

  // INVALID_ARGUMENT: the place cannot be used, another server uses the directory, or the URL is none. A Redis that
  // does not answer yet is no error: what needs it is UNAVAILABLE while it does not.
  static absl::StatusOr<std::unique_ptr<SessionStore>> Open(const SessionOptions& options, const Registry& registry,
                                                            Metrics& metrics);
  // Stops.
  ~SessionStore();
  SessionStore(const SessionStore&) = delete;
  SessionStore& operator=(const SessionStore&) = delete;

  // A session that begins with `state`. RESOURCE_EXHAUSTED, UNAVAILABLE: it cannot be kept.
  void Create(std::shared_ptr<const StatefulModel> model, std::shared_ptr<const State> state, Done<Found> done);
  // The present version. NOT_FOUND: there is none, and why. ABORTED: its version is not `expected`.
  // FAILED_PRECONDITION: it is of other weights than its model has now, or its model is not of the kind that was asked
  // for. UNAVAILABLE: it cannot be read at the moment, or its model is loading or failed to load.
  void Find(const std::string& id, ModelKind kind, std::optional<int64_t> expected_version, Done<Found> done);
  // The right to change it. As Find; and ABORTED: somebody else has it. A request_id that the session remembers is
  // found whatever `expected_version` is: the holder looks for it in session().records.
  void Lease(const std::string& id, ModelKind kind, std::optional<int64_t> expected_version,
             const std::string& request_id, Done<std::unique_ptr<SessionLease>> done);
  // Puts `state` in the session's place, with the next version, and gives the lease up. `response` makes the answer
  // that is kept under `request_id`, unless that is empty, from the new session. ABORTED: another server changed it
  // meanwhile; UNAVAILABLE: it cannot be written; NOT_FOUND: it was closed meanwhile: nothing has changed. With Redis,
  // UNAVAILABLE may also say that nobody knows whether it was written: the same request_id tells, later.
  void Commit(std::unique_ptr<SessionLease> lease, std::shared_ptr<const State> state, const std::string& request_id,
              std::function<std::string(const Session&)> response, Done<Found> done);
  // Ends it. NOT_FOUND as Find.
  void Close(const std::string& id, std::function<void(absl::Status)> done);

  // The session as bytes for Import here or elsewhere (server/sessions/session_file.h), without its records; and back.
  // INVALID_ARGUMENT: no export, of another format version, or damaged, or the model is not of `kind`;
  // FAILED_PRECONDITION: of other weights; RESOURCE_EXHAUSTED: it holds more than a session may.
  std::string Export(const Session& session) const;
  // `model_name`: empty: as the export names it. `check`: whether a model may be used, by its name; its error is
  // Import's.
  void Import(absl::string_view data, const std::string& model_name, ModelKind kind,
              const std::function<absl::Status(absl::string_view model)>& check, Done<Found> done);

  // The model of a session, while it has the session's fingerprint: of the kind that Find or Lease was asked for.
  absl::StatusOr<std::shared_ptr<const StatefulModel>> ModelOf(const Session& session) const;
  const SessionOptions& options() const { return options_; }

  // Closes sessions that are idle for too long, `asked` if it is one of them. The store does so by itself, from time to
  // time and at every use.
  void CloseIdle(const std::string& asked = "") EXCLUDES(mutex_);

  // Carries out what was accepted, ends the threads. Later calls get UNAVAILABLE.
  void Stop() EXCLUDES(mutex_);

 private:
  friend class SessionLease;

  SessionStore(const SessionOptions& options, const Registry& registry, Metrics& metrics,
               std::unique_ptr<SessionPlace> place);

  // Takes note of what rests in the place from before.
  absl::Status FindResting();
  // The present version, from memory if that can tell, or from its place.
  void Fetch(const std::string& id, Done<Found> then) EXCLUDES(mutex_);
  // Nothing: its place has to be asked.
  std::optional<absl::StatusOr<Found>> FromMemory(const std::string& id) EXCLUDES(mutex_);
  // Null: `session` is not the present version any more. ABORTED: somebody else has the lease.
  absl::StatusOr<std::unique_ptr<SessionLease>> TakeLease(const Found& session) EXCLUDES(mutex_);
  void Release(const SessionLease& lease) EXCLUDES(mutex_);
  // The session's model may be used as one of `kind`.
  absl::Status CheckModel(const Session& session, ModelKind kind) const;
  // ABORTED: it has another version.
  static absl::Status CheckVersion(const Session& session, std::optional<int64_t> expected);
  bool Shared() const;  // other servers may change the sessions, too
  // NOT_FOUND: memory knows that there is no such session.
  absl::Status CheckKnown(const std::string& id) const EXCLUDES(mutex_);
  absl::Status WhyGone(const std::string& id) const EXCLUDES(mutex_);
  absl::StatusOr<std::shared_ptr<const StatefulModel>> FindModel(const std::string& name) const;
  absl::StatusOr<std::shared_ptr<const StatefulModel>> ModelOf(const std::string& name,
                                                               absl::string_view fingerprint) const;
  // Carries `job` out on a thread of the place, in the session's order; without a place at once. Refused: the store
  // has stopped, or too many wait.
  void Do(const std::string& id, std::function<void(const absl::Status& refused)> job) EXCLUDES(mutex_);

  // The rest, where there is a place, runs on its threads.
  absl::StatusOr<Found> FromPlace(const std::string& id) EXCLUDES(mutex_);
  absl::StatusOr<Found> Restore(const std::string& id, absl::string_view data) EXCLUDES(mutex_);
  // FAILED_PRECONDITION with the reason; what is damaged is not served any more.
  absl::Status SetAside(const std::string& id, const absl::Status& error) EXCLUDES(mutex_);
  absl::StatusOr<Found> CarryOutCreate(const Found& session) EXCLUDES(mutex_);
  absl::StatusOr<Found> CarryOutCommit(const SessionLease& lease, const Found& next) EXCLUDES(mutex_);
  absl::Status CarryOutClose(const std::string& id) EXCLUDES(mutex_);
  // Puts it in memory, where others make room for it, and gives `lease` up, if there is one.
  // NOT_FOUND: it is not new and was closed meanwhile.
  absl::Status Keep(Found session, std::string revision, const SessionLease* lease, bool is_new) EXCLUDES(mutex_);
  // Memory forgets it, without a reason.
  void Drop(const std::string& id) EXCLUDES(mutex_);
  // Of the place, measured.
  absl::StatusOr<PlacedSession> Read(const std::string& id, const std::string& known);
  absl::StatusOr<std::string> Write(const Session& session, const std::string& known);
  absl::Status Remove(const std::string& id);

  // Closes the sessions that are idle for too long, from time to time.
  void Sweep() EXCLUDES(mutex_);
  // Lets the place know which sessions were used since the last time.
  void NoteUses() EXCLUDES(mutex_);
  void PublishMetrics() REQUIRES(mutex_);

  const SessionOptions options_;
  const Registry& registry_;
  Metrics& metrics_;
  const std::unique_ptr<SessionPlace> place_;  // null: none

  mutable Mutex mutex_;
  CondVar stopping_;
  size_t idle_removals_ GUARDED_BY(mutex_) = 0;  // of files, that wait or are under way
  const std::unique_ptr<SessionTable> table_ PT_GUARDED_BY(mutex_);
  bool stopped_ GUARDED_BY(mutex_) = false;
  TimePoint noted_ GUARDED_BY(mutex_);  // when the place was last told of uses

  std::unique_ptr<SessionPlaceQueue> queue_;  // null: no place
  std::thread sweeper_;                       // constant after construction until Stop
};

}  // namespace heed
