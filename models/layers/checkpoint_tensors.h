// The tensors of a model's checkpoint, read by name; keeps account of those that were read, so that one which the
// configuration does not name is noticed instead of silently left out of the network.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/linear/linear.h"
#include "files/checkpoint.h"

namespace heed {

// Borrows the checkpoint. Not thread-safe. Errors are INVALID_ARGUMENT and name the file, the tensor and both shapes.
class CheckpointTensors {
 public:
  explicit CheckpointTensors(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}

  bool Has(const std::string& name) const { return checkpoint_.Find(name) != nullptr; }
  // Values, row-major. A dimension of -1 takes any size but 0.
  absl::StatusOr<std::vector<float>> Read(const std::string& name, const std::vector<int64_t>& shape);
  // Zeros of that size if the tensor is not there.
  absl::StatusOr<std::vector<float>> ReadOrZeros(const std::string& name, const std::vector<int64_t>& shape);
  // A layer of `in` inputs, NAME.weight [out, in] and NAME.bias [out]; the bias may be absent. `out` -1: as the file
  // has.
  absl::StatusOr<Linear> ReadLinear(const std::string& name, int64_t out, int64_t in, Activation activation);
  // A tensor that a checkpoint may hold and that no computation needs, such as a counter of training steps.
  void Ignore(const std::string& name) { read_.insert(name); }
  absl::Status CheckAllRead() const;
  // How many values were read, each tensor counted once.
  int64_t weights() const { return weights_; }

 private:
  const Checkpoint& checkpoint_;
  std::set<std::string> read_;
  int64_t weights_ = 0;
};

// A linear layer [out, in] of weights and bias that were computed.
Linear MakeLinear(const std::vector<float>& weight, const std::vector<float>& bias, Activation activation,
                  GemmBackend backend);

}  // namespace heed
