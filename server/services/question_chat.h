// SPDX-License-Identifier: Apache-2.0
// heed.v1.QuestionAnsweringService.Chat: conversations, one message after the other.
#pragma once

#include "grpcpp/support/server_callback.h"
#include "heed/v1/questions.pb.h"
#include "server/rpc/call_table.h"
#include "server/rpc/checked_messages.h"
#include "server/session_calls/session_parts.h"

namespace heed {

// The conversations under way. Each reads a message only when the one before it is answered and the answer has gone:
// what the client sends meanwhile waits in gRPC's flow control, and a client that does not read its answers holds no
// lease, no job and no more than one of them. Thread-safe. Outlives the calls it answers.
class QuestionChats {
 public:
  explicit QuestionChats(const SessionParts& parts);
  ~QuestionChats();

  grpc::ServerBidiReactor<Received<v1::ChatRequest>, v1::ChatResponse>* Begin(grpc::CallbackServerContext& context);

  // After Scheduler::Refuse: each conversation, those to come included, ends with UNAVAILABLE as soon as the message
  // that it is about is answered.
  void Refuse();

 private:
  class Chat;

  const SessionParts parts_;
  CallTable<Chat> chats_;
};

}  // namespace heed
