// SPDX-License-Identifier: Apache-2.0
// An exported session with its size, checksum and fingerprint put right, so that what is behind them is reached: its
// state is restored, told a fact and asked a question, and what that leads to can be exported and imported in turn.
//
// Input: a byte that says which model; then the session's bytes.
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "models/kinds/question_answerer.h"
#include "server/sessions/session_file.h"
#include "tests/fuzz/fixture_models.h"
#include "tests/fuzz/fuzz_target.h"
#include "xxhash.h"

namespace heed {
namespace {

constexpr int kMaxSteps = 1000;
constexpr size_t kSizeAt = 12;  // behind "HEEDSESS" and the format version

constexpr const char* kFixtures[] = {"ntm-questions", "ntm-questions-feed-forward", "ntm-questions-few-times"};

std::string PutRight(std::string bytes) {
  if (bytes.size() < kSizeAt + 2 * sizeof(uint64_t)) return bytes;
  const uint64_t size = bytes.size();
  std::memcpy(bytes.data() + kSizeAt, &size, sizeof(size));
  const uint64_t checksum = XXH3_64bits(bytes.data(), bytes.size() - sizeof(uint64_t));
  std::memcpy(bytes.data() + bytes.size() - sizeof(uint64_t), &checksum, sizeof(checksum));
  return bytes;
}

void Run(absl::string_view input) {
  if (input.empty()) return;
  const auto& model = FixtureModel<QuestionAnswerer>(kFixtures[static_cast<uint8_t>(input[0]) % std::size(kFixtures)]);
  const std::string bytes = PutRight(std::string(input.substr(1)));
  absl::StatusOr<SessionContent> content = ParseSession(bytes);
  if (!content.ok()) return;
  content->fingerprint = model.spec().fingerprint;
  absl::StatusOr<Session> session = RestoreSession(*std::move(content), model);
  if (!session.ok()) return;
  HEED_FUZZ_EXPECT(session->state->bytes() > 0, "a state's bytes");

  StoryRequest request;
  request.state = session->state;
  request.facts = {"Mary went to the bathroom."};
  request.questions = {{"Where is Mary?", std::nullopt}};
  request.commit = true;
  request.return_attribution = true;
  request.return_reads = true;
  const int64_t facts = session->state->units();
  absl::StatusOr<std::unique_ptr<StoryTask>> task = model.Start(std::move(request));
  HEED_FUZZ_EXPECT(task.ok(), "a state that was restored is not gone on from");
  std::vector<std::unique_ptr<StoryTask>> tasks;
  tasks.push_back(*std::move(task));
  if (!RunTasks(model, tasks, kMaxSteps)) return;
  session->state = tasks[0]->state();
  HEED_FUZZ_EXPECT(session->state->units() == facts + 1, "the number of facts");

  const std::string exported = WriteSession(*session, /*with_records=*/true);
  absl::StatusOr<SessionContent> again = ParseSession(exported);
  HEED_FUZZ_EXPECT(again.ok(), "an export is not read");
  const absl::StatusOr<Session> imported = RestoreSession(*std::move(again), model);
  HEED_FUZZ_EXPECT(imported.ok(), imported.status().ToString().c_str());
  HEED_FUZZ_EXPECT(imported->state->Serialize() == session->state->Serialize(), "an import is another state");
}

}  // namespace

HEED_FUZZ_TARGET(session_import, Run, nullptr)

}  // namespace heed
