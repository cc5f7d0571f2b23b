// SPDX-License-Identifier: Apache-2.0
// Changes protobuf messages by their fields, so that what comes out is a message again: bytes of one that are changed
// without regard to the form mostly are not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "google/protobuf/message.h"

namespace heed {

// The message that an input's first byte stands for; the rest of the input is its bytes.
using MessageOf = std::unique_ptr<google::protobuf::Message>(uint8_t selector);

// FuzzTarget::Mutate, with the target's messages: sets, clears, repeats, swaps and removes fields at any depth. Strings
// stay UTF-8, as others never get past gRPC. One in sixteen is changed without regard to the form.
size_t MutateMessage(uint8_t* data, size_t size, size_t max_size, unsigned seed, MessageOf* message_of);

}  // namespace heed
