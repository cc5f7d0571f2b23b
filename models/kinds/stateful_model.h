// SPDX-License-Identifier: Apache-2.0
// A model that goes on from what it has read: its state is what a session keeps.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/kinds/model.h"

namespace heed {

// A part of a state that other states may share: a block of keys and values.
struct SharedPart {
  const void* identity = nullptr;  // the same for the same part
  int64_t bytes = 0;
};

// What a model remembers of what it has read, and what it needs to say so: a memory network's memory and the facts that
// it was told. Immutable, thread-safe: a change makes another one, so that whoever reads one is never disturbed.
class State {
 public:
  virtual ~State() = default;
  // Memory that it takes, texts and shared parts included.
  virtual int64_t bytes() const = 0;
  // Those of its parts that other states may share, each once. Their bytes are among bytes().
  virtual std::vector<SharedPart> shared_parts() const { return {}; }
  // How much the model has read so far, in units of its kind: facts, tokens.
  virtual int64_t units() const = 0;
  // For StatefulModel::ParseState of a model of the same fingerprint: the same state, to the bit.
  virtual std::string Serialize() const = 0;
};

// Has a ModelSpec::fingerprint. Thread-safe, immutable.
class StatefulModel : public Model {
 public:
  // What a new session begins with.
  virtual std::shared_ptr<const State> NewState() const = 0;
  // State::Serialize's bytes. INVALID_ARGUMENT says what is wrong with them: bytes from anywhere are safe to give.
  virtual absl::StatusOr<std::shared_ptr<const State>> ParseState(absl::string_view bytes) const = 0;
};

}  // namespace heed
