// SPDX-License-Identifier: Apache-2.0
// The one abstraction of the server: a Task is advanced by Steps of a Model.
//
// A Task is one schedulable unit (a sentence); a Model advances any number of its tasks together. The scheduler knows
// nothing else about either. Batching, streaming, deadlines and cancellation are all built from it, between steps.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <utility>

#include "absl/status/status.h"

namespace heed {

// What a request may take before it is known what it comes to: checked while its tasks are made, so that what would be
// refused afterwards costs nothing first.
struct StartLimits {
  int64_t max_tasks = std::numeric_limits<int64_t>::max();
  int64_t max_rows = std::numeric_limits<int64_t>::max();  // of all first steps together: packed tokens
  // Called between pieces of work of about a millisecond. Anything but OK ends the work with that status: the deadline
  // has passed, or the client is gone. Empty: the work always goes on.
  std::function<absl::Status()> check;

  absl::Status Check() const { return check ? check() : absl::OkStatus(); }
};

// Owned by one request; advanced by one thread at a time, not necessarily the same one at each step.
class Task {
 public:
  virtual ~Task() = default;

  // Rows of work (packed tokens) that the next step adds to a batch: the scheduler's budget. At least 1 until finished.
  virtual int64_t next_rows() const = 0;
  // Upper bound of the memory that this task will ever hold, in bytes: reserved when it is admitted.
  virtual int64_t peak_bytes() const = 0;
  // Upper bound of the memory that the answer takes until it is sent, in bytes, as far as it is known: from how many
  // items the request asks about, and in what detail; once the task has begun also from what it found. 0: it is small.
  virtual int64_t answer_bytes() const { return 0; }
  // True if something became final since it was last taken: text of a stream, or the result.
  virtual bool has_output() const = 0;
  // Result or error is set; there is nothing more to do. A task may be finished before its first step.
  bool finished() const { return finished_; }
  // Why it failed; OK while it has not.
  const absl::Status& error() const { return error_; }
  // Ends the task with `error`, which is not OK: the step that should have advanced it failed as a whole. The task is
  // not stepped again.
  void Fail(absl::Status error) { Finish(std::move(error)); }

 protected:
  void Finish(absl::Status error = absl::OkStatus()) {
    error_ = std::move(error);
    finished_ = true;
  }

 private:
  bool finished_ = false;
  absl::Status error_;
};

}  // namespace heed
