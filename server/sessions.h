// The conversations that the server keeps: their states, who may change them when, and where they rest.
//
// A session's present state is immutable: whoever asks takes it (Find) and works beside others. Whoever changes it takes
// the session's only lease (Lease), computes the next state from the present one, and puts it in its place (Commit) or
// lets go (the lease's destructor), which leaves everything as it was.
//
// Where sessions rest (--sessions):
//  - nowhere: in memory alone. Beyond the limits the least recently used one is gone.
//  - in a directory: one file each (server/session_file.h), written before the change is answered, so that what was
//    answered survives the server's end, whatever ends it. Beyond the limits the least recently used one leaves memory and
//    comes back when it is asked for. One server at a time has a directory.
//  - in Redis: one key each, changed by a script that compares versions, so that any number of servers carry on any
//    conversation and no change is lost; memory is a cache whose version is checked at every use.
// A session that is idle for longer than the limit is closed. For sessions that are gone the store knows why for some time.
//
// Nothing here blocks its caller: what needs a disk or a connection happens on the store's own threads, where the
// callbacks then come; what does not calls back before it returns.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/question_answerer.h"
#include "server/job.h"
#include "server/metrics.h"
#include "server/registry.h"

namespace heed {

struct SessionOptions {
  std::string place;                                 // empty, a directory, or redis://[:PASSWORD@]HOST:PORT[/DATABASE]
  Clock::duration idle_limit = std::chrono::hours(1);  // zero: none
  int64_t max_sessions = 100'000;                    // in memory
  int64_t max_bytes = int64_t{1} << 30;              // in memory
  int64_t max_facts = 1000;                          // of one session
};

// The answer to a change that named itself, kept to be given again.
struct RequestRecord {
  std::string request_id;
  std::string response;  // serialized, as the service made it
};
inline constexpr size_t kMostRequestRecords = 32;  // of one session; the oldest goes

// One version of a session. Immutable.
struct Session {
  std::string id;  // 128 random bits, hexadecimal
  std::string model_name;
  std::string fingerprint;
  int64_t version = 1;
  std::shared_ptr<const State> state;
  std::vector<RequestRecord> records;  // oldest first

  int64_t bytes() const;
};

class SessionStore;

// The right to change one session, of one holder at a time. Letting it go without Commit changes nothing.
class SessionLease {
 public:
  ~SessionLease();
  SessionLease(const SessionLease&) = delete;
  SessionLease& operator=(const SessionLease&) = delete;

  // The session as it is.
  const Session& session() const { return *session_; }

 private:
  friend class SessionStore;
  SessionLease(SessionStore& store, std::shared_ptr<const Session> session);

  SessionStore& store_;
  std::shared_ptr<const Session> session_;
};

// Thread-safe.
class SessionStore {
 public:
  template <typename T>
  using Done = std::function<void(absl::StatusOr<T>)>;
  using Found = std::shared_ptr<const Session>;

  // INVALID_ARGUMENT: the place cannot be used, another server uses the directory, or the URL is none. A Redis that does
  // not answer yet is no error: what needs it is UNAVAILABLE while it does not.
  static absl::StatusOr<std::unique_ptr<SessionStore>> Open(const SessionOptions& options, const Registry& registry,
                                                            Metrics& metrics);
  // Stops.
  ~SessionStore();

  // A session that begins with `state`. RESOURCE_EXHAUSTED, UNAVAILABLE: it cannot be kept.
  void Create(std::shared_ptr<const QuestionAnswerer> model, std::shared_ptr<const State> state, Done<Found> done);
  // The present version. NOT_FOUND: there is none, and why. ABORTED: its version is not `expected`. FAILED_PRECONDITION: it
  // is of other weights than its model has now. UNAVAILABLE: it cannot be read at the moment, or its model is loading or
  // failed to load.
  void Find(const std::string& id, std::optional<int64_t> expected_version, Done<Found> done);
  // The right to change it. As Find; and ABORTED: somebody else has it. A request_id that the session remembers is found
  // whatever `expected_version` is: the holder looks for it in session().records.
  void Lease(const std::string& id, std::optional<int64_t> expected_version, const std::string& request_id,
             Done<std::unique_ptr<SessionLease>> done);
  // Puts `state` in the session's place, with the next version, and gives the lease up. `response` makes the answer that
  // is kept under `request_id`, unless that is empty, from the new session. ABORTED: another server changed
  // it meanwhile; UNAVAILABLE: it cannot be written; NOT_FOUND: it was closed meanwhile: nothing has changed.
  void Commit(std::unique_ptr<SessionLease> lease, std::shared_ptr<const State> state, const std::string& request_id,
              std::function<std::string(const Session&)> response, Done<Found> done);
  // Ends it. NOT_FOUND as Find.
  void Close(const std::string& id, std::function<void(absl::Status)> done);

  // The session as bytes for Import here or elsewhere (server/session_file.h), without its records; and back.
  // INVALID_ARGUMENT: no export, of another format version, or damaged; FAILED_PRECONDITION: of other weights.
  std::string Export(const Session& session) const;
  // `model_name`: empty: as the export names it.
  void Import(absl::string_view data, const std::string& model_name, Done<Found> done);

  // The model of a session, while it has the session's fingerprint.
  absl::StatusOr<std::shared_ptr<const QuestionAnswerer>> ModelOf(const Session& session) const;
  const SessionOptions& options() const;

  // Writes what is not written, ends the threads. Later calls get UNAVAILABLE.
  void Stop();

 private:
  friend class SessionLease;
};

}  // namespace heed
