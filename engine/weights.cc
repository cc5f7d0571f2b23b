#include "engine/weights.h"

#include "absl/strings/str_cat.h"

namespace heed {

WeightScope WeightScope::Scope(absl::string_view name) const {
  WeightScope scope(*file_);
  scope.prefix_ = absl::StrCat(prefix_, name, ".");
  return scope;
}

bool WeightScope::Has(absl::string_view name) const { return file_->Find(absl::StrCat(prefix_, name)) != nullptr; }

absl::StatusOr<const StoredTensor*> WeightScope::Get(absl::string_view name, const std::vector<int64_t>& shape) const {
  const std::string full_name = absl::StrCat(prefix_, name);
  const StoredTensor* tensor = file_->Find(full_name);
  if (tensor == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(file_->path(), ": tensor '", full_name, "' of shape ", ShapeName(shape), " is missing"));
  }
  if (tensor->shape != shape) {
    return absl::InvalidArgumentError(absl::StrCat(file_->path(), ": tensor '", full_name, "' has shape ",
                                                   ShapeName(tensor->shape), ", but config.json asks for ",
                                                   ShapeName(shape)));
  }
  switch (tensor->dtype) {
    case DType::kF64:
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
      return tensor;
    default:
      return absl::InvalidArgumentError(absl::StrCat(file_->path(), ": tensor '", full_name, "' has dtype ",
                                                     DTypeName(tensor->dtype), ", but weights are F32, F16 or BF16"));
  }
}

std::vector<float> ReadFloats(const StoredTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.size()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = tensor.ValueAt(static_cast<int64_t>(i));
  return values;
}

}  // namespace heed
