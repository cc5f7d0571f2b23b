// SPDX-License-Identifier: Apache-2.0
// Whether bytes are a message, before any of it is built: what protobuf's own parser would refuse is named by its
// field, and a message that would take many times its bytes is refused for its elements.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/name_patterns.h"
#include "google/protobuf/descriptor.h"

namespace heed {

struct MessageLimits {
  // Of the message's bytes, after they were inflated.
  int64_t max_bytes = 16 << 20;
  // Texts, byte strings and messages in it, at any depth: each takes some 50 bytes of memory, were it empty. An entry
  // of a map counts as several.
  int64_t max_elements() const { return max_bytes / 8; }
};

// What a message brings and asks for, as the limits of a token count it.
struct RequestSubject {
  // Code points of the texts that a model is to read: what is translated, scored, labeled, told or asked. Ids of tokens
  // in place of a text count one each. Glossaries, options and names do not count, nor do graphs and sequences.
  // (Inputs of the Open Inference Protocol are known only with their model: InputTensors::characters.)
  int64_t characters = 0;
  const NamePatterns* allowed_models = nullptr;  // given. Null: all
  std::optional<std::string> other_model;        // the first that the message names and that is not allowed
};

// Whether a field's content counts as characters, or is the name of a model.
bool CountsAsCharacters(const google::protobuf::FieldDescriptor& field);
bool NamesModel(const google::protobuf::FieldDescriptor& field);

// OK: protobuf parses `bytes` as a `type`, of proto3, and finds no more in it than the limits allow. INVALID_ARGUMENT:
// it would not, or there is more. The message names the field ("texts[3]") and both values. Takes no memory; time is
// that of reading the bytes once. `subject`: null, or added to.
absl::Status CheckMessage(absl::string_view bytes, const google::protobuf::Descriptor& type,
                          const MessageLimits& limits, RequestSubject* subject = nullptr);

}  // namespace heed
