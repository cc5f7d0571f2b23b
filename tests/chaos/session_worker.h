// SPDX-License-Identifier: Apache-2.0
// Conversations, and what the server acknowledged of each.
//
// A change whose end nobody knows (its deadline passed, Redis was away) is sent again with the same request_id until it
// is known: then the session has it once. What a conversation over a stream that broke had said and was not answered is
// settled by the next change: the session has the first few of it, in order, and nothing twice.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "heed/v1/questions.grpc.pb.h"
#include "tests/chaos/worker.h"

namespace heed::chaos {

class SessionWorker : public Worker {
 public:
  using Worker::Worker;
  void Step(const std::stop_token& stop) override;
  void Verify() override;
  void Clear() override;

 private:
  struct Known {
    std::string id;
    int64_t version = 1;
    std::vector<std::string> facts;
    bool committed = false;  // a question has moved its read heads
    std::variant<std::monostate, v1::TellRequest, v1::AskRequest> pending;
    bool begun = false;                          // the pending change may have been made, or be under way
    std::vector<std::string> uncertain;          // said over a stream that broke
    std::map<std::string, std::string> answers;  // to questions, at this version
  };

  void Open();
  void Tell(Known& known, const std::stop_token& stop);
  void AskAndCommit(Known& known, const std::stop_token& stop);
  // Until what became of the pending change is known, or `stop`. False: it is not known.
  bool Settle(Known& known, const std::stop_token& stop);
  // One try. True: it is known.
  bool TryPending(Known& known);
  void Told(Known& known, const v1::TellRequest& request, const v1::TellResponse& response);
  void Ask(Known& known);
  void Fork(Known& known);
  void ExportAndImport(Known& known);
  void Chat(Known& known);
  // False: nobody knows yet whether it is closed.
  bool Close(const Known& known);
  void Changed(Known& known, int64_t version);
  // The server's view of it is ours.
  // The session that was made of one that is known.
  void AddCopy(Known copy, const v1::QuestionSession& session, absl::string_view after);
  void CheckSession(const Known& known, const v1::QuestionSession& session, absl::string_view after);
  std::string NewRequestId();

  std::vector<Known> sessions_;
  std::vector<Known> closing_;  // whose Close nobody knows the end of
  int64_t requests_ = 0;
};

}  // namespace heed::chaos
