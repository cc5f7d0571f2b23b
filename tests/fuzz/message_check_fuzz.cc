// SPDX-License-Identifier: Apache-2.0
// Bytes of requests before they are messages: what CheckMessage takes protobuf parses, what it refuses protobuf would
// not have taken; and what compressed bytes inflate to has at most the bytes that were allowed.
//
// Input: a byte that stands for a message's type; then its bytes, as they are or compressed.
#include <memory>
#include <string>

#include "google/protobuf/stubs/logging.h"
#include "heed/v1/graphs.pb.h"
#include "heed/v1/questions.pb.h"
#include "heed/v1/translation.pb.h"
#include "inference.pb.h"
#include "server/messages/message_check.h"
#include "server/messages/message_inflation.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/message_mutator.h"

namespace heed {
namespace {

constexpr MessageLimits kLimits = {.max_bytes = 1 << 20};

std::unique_ptr<google::protobuf::Message> MessageFor(uint8_t selector) {
  switch (selector % 5) {
    case 0:
      return std::make_unique<v1::TranslateRequest>();
    case 1:
      return std::make_unique<v1::AnswerRequest>();
    case 2:
      return std::make_unique<v1::ClassifyNodesRequest>();
    case 3:
      return std::make_unique<v1::ChatRequest>();
    default:
      return std::make_unique<inference::ModelInferRequest>();
  }
}

size_t Mutate(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return seed % 2 == 0 ? MutateMessage(data, size, max_size, seed / 2, MessageFor)
                       : LLVMFuzzerMutate(data, size, max_size);
}

void Run(absl::string_view input) {
  static google::protobuf::LogSilencer& silence = *new google::protobuf::LogSilencer;
  (void)silence;
  if (input.empty()) return;
  const std::unique_ptr<google::protobuf::Message> message = MessageFor(static_cast<uint8_t>(input[0]));
  const absl::string_view bytes = input.substr(1);
  const absl::Status status = CheckMessage(bytes, *message->GetDescriptor(), kLimits);
  const bool parses = message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  HEED_FUZZ_EXPECT(status.ok() == parses, "protobuf's verdict");
  for (const auto compression : {MessageCompression::kGzip, MessageCompression::kDeflate}) {
    const absl::StatusOr<std::string> inflated = InflateMessage(bytes, compression, kLimits.max_bytes);
    HEED_FUZZ_EXPECT(!inflated.ok() || static_cast<int64_t>(inflated->size()) <= kLimits.max_bytes,
                     "a message's bytes");
  }
}

}  // namespace

HEED_FUZZ_TARGET(message_check, Run, Mutate)

}  // namespace heed
