// SPDX-License-Identifier: Apache-2.0
// One session as bytes: what its file, its key in Redis and its export hold.
//
// Little-endian; a text is its length (uint64) and its bytes:
//
//   "HEEDSESS"         8 bytes
//   uint32             format version
//   uint64             size of everything, in bytes
//   text               model's name
//   text               fingerprint of the model's weights
//   int64              session's version, from 1
//   int64              facts told, or tokens read
//   uint32             number of request records, oldest first; for each
//     text, text         request_id, serialized response
//   text               state (models/kinds/stateful_model.h, State::Serialize)
//   uint64             XXH3 of everything before it
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/kinds/stateful_model.h"
#include "server/sessions/session.h"

namespace heed {

inline constexpr uint32_t kSessionFormat = 1;

// What the bytes say, their state not yet parsed.
struct SessionContent {
  std::string model_name;
  std::string fingerprint;
  int64_t version = 1;
  int64_t units = 0;  // State::units
  std::vector<RequestRecord> records;
  absl::string_view state;  // of the bytes that were parsed
};

std::string WriteSession(const Session& session, bool with_records);

// Bytes from anywhere are safe to give. INVALID_ARGUMENT: no session, not all of it, or damaged. UNIMPLEMENTED: of
// another format version.
absl::StatusOr<SessionContent> ParseSession(absl::string_view bytes);

// The content's session, without a name. FAILED_PRECONDITION: `model` has other weights. INVALID_ARGUMENT: the state is
// damaged, or has read another number of facts or tokens than the content says.
absl::StatusOr<Session> RestoreSession(SessionContent content, const StatefulModel& model);

// FAILED_PRECONDITION: the weights of `model` are not those that `fingerprint` is of.
absl::Status CheckFingerprint(const StatefulModel& model, absl::string_view fingerprint);

}  // namespace heed
