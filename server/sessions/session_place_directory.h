// SPDX-License-Identifier: Apache-2.0
// Sessions in a directory: ID.session is one session's bytes. One server at a time has the directory.
//
// A session's file is written beside it, as ID.session.partial, flushed to disk and then moved: a crash at any moment
// leaves the file that was there, or the new one. The file's time is when the session was last used. A damaged file
// becomes ID.session.damaged, which is never looked at again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/sessions/session_place.h"
#include "server/telemetry/line_budget.h"

namespace heed {

class SessionDirectory : public SessionPlace {
 public:
  // INVALID_ARGUMENT: it cannot be used, or another server uses it.
  static absl::StatusOr<std::unique_ptr<SessionPlace>> Open(const std::string& path);
  ~SessionDirectory() override;

  bool shared() const override { return false; }
  absl::StatusOr<std::vector<RestingSession>> List() override;
  // Revisions are all the same: nobody else changes a session.
  absl::StatusOr<PlacedSession> Read(const std::string& id, const std::string& known) override;
  absl::StatusOr<std::string> Write(const std::string& id, const std::string& known, absl::string_view data) override;
  absl::Status Remove(const std::string& id) override;
  void NoteUse(const std::string& id, Clock::duration idle) override;
  std::string SetAside(const std::string& id) override;

 private:
  SessionDirectory(std::string path, int directory) : path_(std::move(path)), directory_(directory) {}
  // The status of what could not be done, for the reason in errno; logged, once a second at most.
  absl::Status Failed(absl::string_view what);
  // So that what was moved or removed stays so when the machine stops.
  void Flush();

  const std::string path_;
  const int directory_;  // open and locked
  LineBudget failures_{1};
};

}  // namespace heed
