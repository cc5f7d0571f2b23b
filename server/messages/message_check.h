// SPDX-License-Identifier: Apache-2.0
// Whether bytes are a message, before any of it is built: what protobuf's own parser would refuse is named by its
// field, and a message that would take many times its bytes is refused for its elements.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"

namespace heed {

struct MessageLimits {
  // Of the message's bytes, after they were inflated.
  int64_t max_bytes = 16 << 20;
  // Texts, byte strings and messages in it, at any depth: each takes some 50 bytes of memory, were it empty. An entry
  // of a map counts as several.
  int64_t max_elements() const { return max_bytes / 8; }
};

// OK: protobuf parses `bytes` as a `type`, of proto3, and finds no more in it than the limits allow. INVALID_ARGUMENT:
// it would not, or there is more. The message names the field ("texts[3]") and both values. Takes no memory; time is
// that of reading the bytes once.
absl::Status CheckMessage(absl::string_view bytes, const google::protobuf::Descriptor& type,
                          const MessageLimits& limits);

}  // namespace heed
