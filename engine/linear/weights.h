// Finds a network's tensors in a checkpoint by name, with the shapes that the configuration asks for.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "files/checkpoint.h"
#include "files/safetensors.h"

namespace heed {

// A prefix of names in a checkpoint: a layer takes the scope of its own tensors. Cheap to copy; the checkpoint must
// outlive it.
class WeightScope {
 public:
  // The full names of the tensors that Get gives are added to `read`, if it is not null; it outlives this.
  explicit WeightScope(const Checkpoint& checkpoint, std::set<std::string>* read = nullptr)
      : checkpoint_(&checkpoint), read_(read) {}

  // The scope of the names that begin with this one's prefix, `name` and a dot.
  WeightScope Scope(absl::string_view name) const;

  bool Has(absl::string_view name) const;
  // The file that the tensor is in, or should be.
  const std::string& PathOf(absl::string_view name) const;
  // The tensor `name`, which must be there, of a floating-point type and of this shape, every value a finite float. The
  // error names the file, the tensor and both shapes, or the value and its place.
  absl::StatusOr<const StoredTensor*> Get(absl::string_view name, const std::vector<int64_t>& shape) const;

 private:
  const Checkpoint* checkpoint_;
  std::set<std::string>* read_;
  std::string prefix_;
};

// The index of the first value that is infinite or NaN as a float, which an F64 may become; -1: none is. For the
// floating-point types.
int64_t FirstNonFinite(const StoredTensor& tensor);

// The index of the first value in which two tensors of the same shape differ as floats; -1: they are the same.
int64_t FirstDifference(const StoredTensor& a, const StoredTensor& b);

// The place of value `i` of a tensor of this shape: "[2, 17]".
std::string PlaceName(int64_t i, const std::vector<int64_t>& shape);

// The values of a tensor as floats.
std::vector<float> ReadFloats(const StoredTensor& tensor);

}  // namespace heed
