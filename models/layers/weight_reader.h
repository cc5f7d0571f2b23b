// SPDX-License-Identifier: Apache-2.0
// Reads a network's weights from a checkpoint by name, checks every shape, and keeps account: what was read, how many
// weights these are, and how much memory they take as packed. So a tensor that the configuration does not name is
// noticed instead of silently left out of the network.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/linear/linear.h"
#include "engine/linear/precision.h"
#include "engine/linear/quantization_error.h"
#include "files/checkpoint.h"

namespace heed {

// In which order a layer takes a tensor's outputs and inputs: its number i is number outputs[i], or inputs[i], of the
// file's. Empty: as they are. So the layers around attention put heads side by side (engine/kernels/head_layout.h).
struct LinearOrder {
  std::vector<int32_t> outputs, inputs;
};

// A scope of names: a layer takes the scope of its own tensors. Cheap to copy; all scopes of a reader share its
// account. The checkpoint outlives it. Not thread-safe. Errors are INVALID_ARGUMENT and name the file, the tensor and
// both shapes, or the value that is not finite and its place.
class WeightReader {
 public:
  // `precision`, as PrecisionHere gives it: of the linear layers that it reads.
  explicit WeightReader(const Checkpoint& checkpoint, Precision precision = Precision::kF32)
      : checkpoint_(&checkpoint), precision_(precision), account_(std::make_shared<Account>()) {}

  Precision precision() const { return precision_; }

  // The scope of the names that begin with this one's prefix, `name` and a dot.
  WeightReader Scope(absl::string_view name) const;

  bool Has(absl::string_view name) const;
  // The file that the tensor is in, or should be.
  const std::string& PathOf(absl::string_view name) const;

  // The tensor, which must be there, of a floating-point type and of this shape, every value a finite float. A
  // dimension of -1 takes any size but 0. Marks it as read; does not count its weights.
  absl::StatusOr<const StoredTensor*> Get(absl::string_view name, const std::vector<int64_t>& shape) const;
  // Its values, row-major, whose number is counted once for each tensor.
  absl::StatusOr<std::vector<float>> Read(absl::string_view name, const std::vector<int64_t>& shape) const;
  // Zeros of that size if the tensor is not there.
  absl::StatusOr<std::vector<float>> ReadOrZeros(absl::string_view name, const std::vector<int64_t>& shape) const;
  // A layer of `in` inputs, NAME.weight [out, in] and NAME.bias [out]; the bias may be absent. `out` -1: as the file
  // has.
  absl::StatusOr<Linear> ReadLinear(absl::string_view name, int64_t out, int64_t in, Activation activation) const;
  // The same with the bias that `bias` asks for: it must be there, or is zeros and not read.
  absl::StatusOr<Linear> ReadLinear(absl::string_view name, int64_t out, int64_t in, bool bias, Activation activation,
                                    GemmBackend backend) const;
  // The same of two tensors whose names have another form; an empty `bias`: it is zeros and not read.
  absl::StatusOr<Linear> ReadLinearOf(absl::string_view weight, absl::string_view bias, int64_t out, int64_t in,
                                      Activation activation, GemmBackend backend) const;
  // Several layers of `out` outputs each over the same input, with a bias each, computed as one: their outputs side by
  // side (queries, keys and values), those of each layer in `order`.
  absl::StatusOr<Linear> ReadLinears(const std::vector<absl::string_view>& names, int64_t out, int64_t in,
                                     Activation activation, GemmBackend backend, const LinearOrder& order = {}) const;

  // A tensor that a checkpoint may hold and that no computation needs, such as a counter of training steps.
  void Ignore(absl::string_view name) const;
  // Adds to the account what was read with Get, and what was packed from it.
  void Count(int64_t weights, int64_t bytes) const;
  // Adds a layer that was packed from it in a reduced precision.
  void NoteError(absl::string_view layer, double relative_error) const;

  // Of all scopes together. The full names of the tensors that nobody read.
  std::vector<std::string> Unread() const;
  // INVALID_ARGUMENT: nobody read a tensor.
  absl::Status CheckAllRead() const;
  // "FILE: tensor NAME [SHAPE] belongs to nothing that config.json names"
  std::string DescribeUnread(const std::string& full_name) const;
  // Of the linear layers that were read in a reduced precision, in the order of reading.
  const std::vector<QuantizationError>& quantization_errors() const { return account_->quantization_errors; }
  int64_t weights() const { return account_->weights; }
  int64_t resident_bytes() const { return account_->bytes; }

 private:
  struct Account {
    std::set<std::string, std::less<>> read;     // full names
    std::set<std::string, std::less<>> counted;  // likewise
    std::vector<QuantizationError> quantization_errors;
    int64_t weights = 0;
    int64_t bytes = 0;
  };

  std::string FullName(absl::string_view name) const;
  // The layer that `precision` asks for, noted in the account; `backend` is for f32.
  Linear Make(absl::string_view name, absl::Span<const Linear::Part> parts, Activation activation,
              GemmBackend backend) const;

  const Checkpoint* checkpoint_;
  Precision precision_;
  std::shared_ptr<Account> account_;
  std::string prefix_;
};

// A linear layer [out, in] of weights and bias that were computed, in f32.
Linear MakeLinear(const std::vector<float>& weight, const std::vector<float>& bias, Activation activation,
                  GemmBackend backend);

}  // namespace heed
