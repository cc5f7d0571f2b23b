// SPDX-License-Identifier: Apache-2.0
// An exported session, a session's file or its key in Redis, as it comes: size and checksum included.
#include <string>

#include "server/sessions/session_file.h"
#include "tests/fuzz/fuzz_target.h"

namespace heed {
namespace {

void Run(absl::string_view input) {
  const absl::StatusOr<SessionContent> content = ParseSession(input);
  if (!content.ok()) {
    HEED_FUZZ_EXPECT(!content.status().message().empty(), "a refusal says why");
    return;
  }
  HEED_FUZZ_EXPECT(content->version >= 1 && content->units >= 0, "a session's numbers");
  HEED_FUZZ_EXPECT(content->records.size() <= kMaxRequestRecords, "a session's records");
  HEED_FUZZ_EXPECT(content->state.size() < input.size(), "a session's state");
}

}  // namespace

HEED_FUZZ_TARGET(session_file, Run, nullptr)

}  // namespace heed
