#include "models/layers/checkpoint_tensors.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/linear/weights.h"

namespace heed {
absl::StatusOr<std::vector<float>> CheckpointTensors::Read(const std::string& name, const std::vector<int64_t>& shape) {
  std::vector<int64_t> wanted = shape;
  if (const StoredTensor* tensor = checkpoint_.Find(name); tensor != nullptr && tensor->shape.size() == shape.size()) {
    for (size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] == -1) wanted[i] = std::max<int64_t>(1, tensor->shape[i]);
    }
  }
  HEED_ASSIGN_OR_RETURN(const StoredTensor* tensor, WeightScope(checkpoint_).Get(name, wanted));
  if (read_.insert(name).second) weights_ += tensor->size();
  return ReadFloats(*tensor);
}

absl::StatusOr<std::vector<float>> CheckpointTensors::ReadOrZeros(const std::string& name,
                                                                  const std::vector<int64_t>& shape) {
  if (Has(name)) return Read(name, shape);
  const int64_t size = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  return std::vector<float>(static_cast<size_t>(size));
}

absl::StatusOr<Linear> CheckpointTensors::ReadLinear(const std::string& name, int64_t out, int64_t in,
                                                     Activation activation) {
  HEED_ASSIGN_OR_RETURN(const std::vector<float> weight, Read(absl::StrCat(name, ".weight"), {out, in}));
  const int64_t rows = static_cast<int64_t>(weight.size()) / in;
  HEED_ASSIGN_OR_RETURN(const std::vector<float> bias, ReadOrZeros(absl::StrCat(name, ".bias"), {rows}));
  return MakeLinear(weight, bias, activation, GemmBackend::kPacked);
}

absl::Status CheckpointTensors::CheckAllRead() const {
  for (const auto& [name, tensor] : checkpoint_.tensors()) {
    if (read_.count(name) == 0) {
      return absl::InvalidArgumentError(absl::StrCat(checkpoint_.PathOf(name), ": tensor ", name, " ",
                                                     ShapeName(tensor.shape),
                                                     " belongs to nothing that config.json names"));
    }
  }
  return absl::OkStatus();
}

Linear MakeLinear(const std::vector<float>& weight, const std::vector<float>& bias, Activation activation,
                  GemmBackend backend) {
  const int64_t out = static_cast<int64_t>(bias.size());
  const int64_t in = static_cast<int64_t>(weight.size()) / out;
  const auto stored = [](const std::vector<float>& values, std::vector<int64_t> shape) {
    return StoredTensor{DType::kF32, std::move(shape), reinterpret_cast<const std::byte*>(values.data()),
                        values.size() * sizeof(float)};
  };
  const StoredTensor stored_weight = stored(weight, {out, in}), stored_bias = stored(bias, {out});
  const Linear::Part part = {&stored_weight, &stored_bias};
  return Linear(absl::MakeConstSpan(&part, 1), activation, backend);
}

}  // namespace heed
