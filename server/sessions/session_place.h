// SPDX-License-Identifier: Apache-2.0
// Where sessions rest, as bytes under their names: what the store (server/sessions/session_store.h) needs of a
// directory or of Redis.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "server/sessions/session.h"

namespace heed {

// What a place has of a session.
struct PlacedSession {
  std::string revision;             // changes with every write
  std::optional<std::string> data;  // none: the caller knows this revision
};

struct RestingSession {
  std::string id;
  Clock::duration idle;  // since it was last used
};

// Thread-safe; calls about one session, NoteUse aside, come one after the other from this server. They may block, for a
// few seconds at most, and do not throw. A write that failed with UNAVAILABLE has changed nothing, unless a place says
// otherwise.
class SessionPlace {
 public:
  virtual ~SessionPlace() = default;

  // True: other servers read and change the sessions, too.
  virtual bool shared() const = 0;
  // What rests here from before; of a place that is not shared.
  virtual absl::StatusOr<std::vector<RestingSession>> List() = 0;

  // `known`: the revision that the caller has; empty: none. NOT_FOUND: there is no such session. UNAVAILABLE: it cannot
  // be read at the moment. Counts as use.
  virtual absl::StatusOr<PlacedSession> Read(const std::string& id, const std::string& known) = 0;
  // Puts `data` in place of the revision `known`; empty: of nothing. The new revision, which is never empty. NOT_FOUND:
  // there is no such session any more; ABORTED: it has another revision; UNAVAILABLE: it cannot be written.
  virtual absl::StatusOr<std::string> Write(const std::string& id, const std::string& known,
                                            absl::string_view data) = 0;
  // NOT_FOUND: there is none. UNAVAILABLE: it cannot be removed.
  virtual absl::Status Remove(const std::string& id) = 0;
  // It was last used so long ago. What cannot be noted is lost.
  virtual void NoteUse(const std::string& id, Clock::duration idle) = 0;
  // Keeps damaged data where it is not taken for a session any more; says what was done with it.
  virtual std::string SetAside(const std::string& id) = 0;
};

// 32 hexadecimal digits in lower case: nothing else is ever looked for.
bool IsSessionId(absl::string_view id);

// `options.place`; null if that is empty. INVALID_ARGUMENT: it cannot be used, another server uses the directory, or it
// is not a URL.
absl::StatusOr<std::unique_ptr<SessionPlace>> OpenSessionPlace(const SessionOptions& options);

}  // namespace heed
