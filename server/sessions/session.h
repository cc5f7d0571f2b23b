// SPDX-License-Identifier: Apache-2.0
// One session, and how many of them there may be.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "models/kinds/stateful_model.h"
#include "server/sessions/deadline_stream.h"

namespace heed {

struct SessionOptions {
  std::string place;           // empty, a directory, or redis[s]://[[USER]:PASSWORD@]HOST:PORT[/DATABASE]
  std::string redis_password;  // of a URL without one
  StreamTls redis_tls;         // of a rediss:// URL
  Clock::duration idle_limit = std::chrono::hours(1);  // zero: none
  int64_t max_sessions = 100'000;                      // in memory
  int64_t max_bytes = int64_t{1} << 30;                // in memory
  int64_t max_stored_sessions = 1'000'000;             // in a directory
  int64_t max_facts = 1000;                            // of one session with a question answerer
  int64_t max_tokens = 8192;                           // in the memory of one session with a language model
  std::function<TimePoint()> now = Clock::now;         // a test's own clock
};

// The answer to a change that named itself, kept to be given again.
struct RequestRecord {
  std::string request_id;
  std::string response;  // serialized, as the service made it
};
inline constexpr size_t kMaxRequestRecords = 32;  // of one session; the oldest goes

// One version of a session. Immutable.
struct Session {
  std::string id;  // 128 random bits, hexadecimal
  std::string model_name;
  std::string fingerprint;
  int64_t version = 1;
  std::shared_ptr<const State> state;
  std::vector<RequestRecord> records;  // oldest first

  int64_t bytes() const;
  const RequestRecord* FindRecord(absl::string_view request_id) const;  // null: there is none
};

}  // namespace heed
