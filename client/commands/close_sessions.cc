// SPDX-License-Identifier: Apache-2.0
#include "client/commands/close_sessions.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "client/cli/command_line.h"
#include "client/lib/channel.h"
#include "client/lib/question_client.h"

namespace heed::client {

void CloseSessions(const std::shared_ptr<grpc::Channel>& channel, const std::vector<std::string>& sessions,
                   Console& console) {
  const QuestionClient client(channel, {.deadline = std::chrono::seconds(5)});
  for (const std::string& session : sessions) {
    const grpc::Status status = client.Close(session);
    if (status.ok() || status.error_code() == grpc::StatusCode::NOT_FOUND) continue;
    Note(console, absl::StrCat("session ", session, " could not be closed (", StatusText(status), ")"));
    // One that does not answer would not answer for the others.
    if (status.error_code() == grpc::StatusCode::UNAVAILABLE ||
        status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
      return;
    }
  }
}

}  // namespace heed::client
