// SPDX-License-Identifier: Apache-2.0
// What comes over HTTP before it is a message: targets, forms, and bodies of JSON. What SplitJson takes apart lies in
// the text, in order, and what ReadJson takes WriteJson writes so that it is read again as the same.
//
// Input: a byte that stands for what the rest is.
#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/stubs/logging.h"
#include "heed/v1/graphs.pb.h"
#include "heed/v1/translation.pb.h"
#include "server/gateway/json_messages.h"
#include "server/http/cross_origin.h"
#include "server/http/http_target.h"
#include "tests/fuzz/fuzz_target.h"

namespace heed {
namespace {

constexpr JsonLimits kLimits = {.max_depth = 16, .max_elements = 1 << 12};

template <typename Message>
void ReadAsMessage(absl::string_view text) {
  Message message;
  if (!ReadJson(text, kLimits, message).ok()) return;
  const absl::StatusOr<std::string> written = WriteJson(message);
  HEED_FUZZ_EXPECT(written.ok(), "what was read can be written");
  Message again;
  HEED_FUZZ_EXPECT(ReadJson(*written, {}, again).ok(), "what was written can be read");
  HEED_FUZZ_EXPECT(again.SerializeAsString() == message.SerializeAsString(), "the same message");
}

void Split(absl::string_view text) {
  const absl::StatusOr<std::vector<absl::string_view>> values = SplitJson(text, kLimits);
  if (!values.ok()) return;
  const char* at = text.data();
  for (const absl::string_view value : *values) {
    HEED_FUZZ_EXPECT(!value.empty() && value.data() >= at, "values are in order");
    at = value.data() + value.size();
    HEED_FUZZ_EXPECT(at <= text.data() + text.size(), "values are within the text");
    ReadAsMessage<v1::TranslateRequest>(value);
  }
}

void Run(absl::string_view input) {
  static google::protobuf::LogSilencer& silence = *new google::protobuf::LogSilencer;
  (void)silence;
  if (input.empty()) return;
  const absl::string_view text = input.substr(1);
  switch (static_cast<unsigned char>(input[0]) % 5) {
    case 0:
      return ReadAsMessage<v1::TranslateRequest>(text);
    case 1:
      return ReadAsMessage<v1::ClassifyNodesRequest>(text);
    case 2:
      return Split(text);
    case 3:
      if (const auto target = ParseTarget(text); target.ok()) {
        HEED_FUZZ_EXPECT(target->path == "*" || target->path[0] == '/', "a path");
      }
      (void)ParseForm(text);
      return;
    default:
      (void)CrossOrigin::ParseOrigins(text);
  }
}

}  // namespace

HEED_FUZZ_TARGET(http_request, Run, nullptr)

}  // namespace heed
