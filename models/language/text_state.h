// SPDX-License-Identifier: Apache-2.0
// What a session of a language model keeps: its memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/kinds/stateful_model.h"
#include "models/language/causal_network.h"

namespace heed {

// Immutable, thread-safe.
class TextState : public State {
 public:
  // `memory` is not null.
  explicit TextState(std::unique_ptr<const TextMemory> memory) : memory_(std::move(memory)) {}

  const TextMemory& memory() const { return *memory_; }
  int64_t bytes() const override { return memory_->bytes(); }
  std::vector<SharedPart> shared_parts() const override { return memory_->shared_parts(); }
  int64_t units() const override { return memory_->tokens_read(); }
  std::string Serialize() const override { return memory_->Serialize(); }

 private:
  const std::unique_ptr<const TextMemory> memory_;
};

}  // namespace heed
