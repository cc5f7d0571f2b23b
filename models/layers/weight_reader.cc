// SPDX-License-Identifier: Apache-2.0
#include "models/layers/weight_reader.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "files/tensor_values.h"

namespace heed {

namespace {

// Values as a checkpoint would hold them.
struct StoredFloats {
  StoredFloats(const std::vector<float>& values, std::vector<int64_t> shape)
      : tensor{DType::kF32, std::move(shape), reinterpret_cast<const std::byte*>(values.data()),
               values.size() * sizeof(float)} {}
  StoredTensor tensor;
};

// A tensor with its rows, and the values within each, in another order; empty: as they are.
struct OrderedTensor {
  OrderedTensor(const StoredTensor& from, const std::vector<int32_t>& rows, const std::vector<int32_t>& columns)
      : tensor(from), bytes(from.bytes) {
    const size_t count = static_cast<size_t>(from.shape[0]), size = DTypeBytes(from.dtype);
    const size_t width = from.bytes / size / count;
    for (size_t i = 0; i < count; ++i) {
      const std::byte* row = from.data + (rows.empty() ? i : static_cast<size_t>(rows[i])) * width * size;
      std::byte* to = bytes.data() + i * width * size;
      for (size_t j = 0; j < width; ++j) {
        std::copy_n(row + (columns.empty() ? j : static_cast<size_t>(columns[j])) * size, size, to + j * size);
      }
    }
    tensor.data = bytes.data();
  }
  StoredTensor tensor;
  std::vector<std::byte> bytes;
};

}  // namespace

std::string WeightReader::FullName(absl::string_view name) const { return absl::StrCat(prefix_, name); }

WeightReader WeightReader::Scope(absl::string_view name) const {
  WeightReader scope = *this;
  scope.prefix_ = absl::StrCat(prefix_, name, ".");
  return scope;
}

bool WeightReader::Has(absl::string_view name) const { return checkpoint_->Find(FullName(name)) != nullptr; }

const std::string& WeightReader::PathOf(absl::string_view name) const { return checkpoint_->PathOf(FullName(name)); }

absl::StatusOr<const StoredTensor*> WeightReader::Get(absl::string_view name, const std::vector<int64_t>& shape) const {
  const std::string full_name = FullName(name);
  const std::string& path = checkpoint_->PathOf(full_name);
  const StoredTensor* tensor = checkpoint_->Find(full_name);
  if (tensor == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": tensor '", full_name, "' of shape ", ShapeName(shape), " is missing"));
  }
  std::vector<int64_t> wanted = shape;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == -1) wanted[i] = i < tensor->shape.size() ? std::max<int64_t>(1, tensor->shape[i]) : 1;
  }
  if (tensor->shape != wanted) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": tensor '", full_name, "' has shape ",
                                                   ShapeName(tensor->shape), ", but config.json asks for ",
                                                   ShapeName(wanted)));
  }
  switch (tensor->dtype) {
    case DType::kF64:
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
      break;
    default:
      return absl::InvalidArgumentError(absl::StrCat(path, ": tensor '", full_name, "' has dtype ",
                                                     DTypeName(tensor->dtype), ", but weights are F32, F16 or BF16"));
  }
  if (const int64_t at = FirstNonFinite(*tensor); at >= 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": tensor '", full_name, "' of shape ",
                                                   ShapeName(tensor->shape), " is ", tensor->ValueAt(at), " at ",
                                                   PlaceName(at, tensor->shape), ", but weights are finite numbers"));
  }
  account_->read.insert(full_name);
  return tensor;
}

absl::StatusOr<std::vector<float>> WeightReader::Read(absl::string_view name, const std::vector<int64_t>& shape) const {
  HEED_ASSIGN_OR_RETURN(const StoredTensor* tensor, Get(name, shape));
  if (account_->counted.insert(FullName(name)).second) account_->weights += tensor->size();
  return ReadFloats(*tensor);
}

absl::StatusOr<std::vector<float>> WeightReader::ReadOrZeros(absl::string_view name,
                                                             const std::vector<int64_t>& shape) const {
  if (Has(name)) return Read(name, shape);
  const int64_t size = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  return std::vector<float>(static_cast<size_t>(size));
}

absl::StatusOr<Linear> WeightReader::ReadLinear(absl::string_view name, int64_t out, int64_t in,
                                                Activation activation) const {
  HEED_ASSIGN_OR_RETURN(const std::vector<float> weight, Read(absl::StrCat(name, ".weight"), {out, in}));
  const int64_t rows = static_cast<int64_t>(weight.size()) / in;
  HEED_ASSIGN_OR_RETURN(const std::vector<float> bias, ReadOrZeros(absl::StrCat(name, ".bias"), {rows}));
  const StoredFloats stored_weight(weight, {rows, in}), stored_bias(bias, {rows});
  const Linear::Part part = {&stored_weight.tensor, &stored_bias.tensor};
  return Make(absl::StrCat(name, ".weight"), absl::MakeConstSpan(&part, 1), activation, GemmBackend::kPacked);
}

absl::StatusOr<Linear> WeightReader::ReadLinear(absl::string_view name, int64_t out, int64_t in, bool bias,
                                                Activation activation, GemmBackend backend) const {
  return ReadLinearOf(absl::StrCat(name, ".weight"), bias ? absl::StrCat(name, ".bias") : "", out, in, activation,
                      backend);
}

absl::StatusOr<Linear> WeightReader::ReadLinearOf(absl::string_view weight, absl::string_view bias, int64_t out,
                                                  int64_t in, Activation activation, GemmBackend backend) const {
  Linear::Part part = {};
  HEED_ASSIGN_OR_RETURN(part.weight, Get(weight, {out, in}));
  if (!bias.empty()) {
    HEED_ASSIGN_OR_RETURN(part.bias, Get(bias, {out}));
  }
  Linear layer = Make(weight, absl::MakeConstSpan(&part, 1), activation, backend);
  Count(part.weight->size() + (bias.empty() ? 0 : part.bias->size()), layer.resident_bytes());
  return layer;
}

absl::StatusOr<Linear> WeightReader::ReadLinears(const std::vector<absl::string_view>& names, int64_t out, int64_t in,
                                                 Activation activation, GemmBackend backend,
                                                 const LinearOrder& order) const {
  std::vector<Linear::Part> parts;
  std::deque<OrderedTensor> ordered;
  const auto in_order = [&](const StoredTensor* tensor, const std::vector<int32_t>& rows,
                            const std::vector<int32_t>& columns) {
    return rows.empty() && columns.empty() ? tensor : &ordered.emplace_back(*tensor, rows, columns).tensor;
  };
  for (const absl::string_view name : names) {
    HEED_ASSIGN_OR_RETURN(const StoredTensor* weight, Get(absl::StrCat(name, ".weight"), {out, in}));
    HEED_ASSIGN_OR_RETURN(const StoredTensor* bias, Get(absl::StrCat(name, ".bias"), {out}));
    parts.push_back({in_order(weight, order.outputs, order.inputs), in_order(bias, order.outputs, {})});
  }
  Linear layer = Make(absl::StrCat(names.front(), ".weight"), parts, activation, backend);
  Count(layer.weights(), layer.resident_bytes());
  return layer;
}

Linear WeightReader::Make(absl::string_view name, absl::Span<const Linear::Part> parts, Activation activation,
                          GemmBackend backend) const {
  // 8 bits cannot add up more inputs exactly. No layer of a known architecture comes near.
  const bool too_wide = precision_ == Precision::kInt8 && parts.front().weight->shape[1] > QuantizedPanels::kMaxInputs;
  if (precision_ == Precision::kF32 || too_wide) return Linear(parts, activation, backend);
  Linear layer(parts, activation, precision_ == Precision::kInt8 ? GemmBackend::kInt8 : GemmBackend::kBf16);
  NoteError(FullName(name), layer.relative_error());
  return layer;
}

void WeightReader::Ignore(absl::string_view name) const { account_->read.insert(FullName(name)); }

void WeightReader::Count(int64_t weights, int64_t bytes) const {
  account_->weights += weights;
  account_->bytes += bytes;
}

void WeightReader::NoteError(absl::string_view layer, double relative_error) const {
  if (precision_ != Precision::kF32) account_->quantization_errors.push_back({std::string(layer), relative_error});
}

std::vector<std::string> WeightReader::Unread() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : checkpoint_->tensors()) {
    if (!account_->read.contains(name)) names.push_back(name);
  }
  return names;
}

std::string WeightReader::DescribeUnread(const std::string& full_name) const {
  return absl::StrCat(checkpoint_->PathOf(full_name), ": tensor '", full_name, "' ",
                      ShapeName(checkpoint_->Find(full_name)->shape), " belongs to nothing that config.json names");
}

absl::Status WeightReader::CheckAllRead() const {
  const std::vector<std::string> unread = Unread();
  return unread.empty() ? absl::OkStatus() : absl::InvalidArgumentError(DescribeUnread(unread.front()));
}

Linear MakeLinear(const std::vector<float>& weight, const std::vector<float>& bias, Activation activation,
                  GemmBackend backend) {
  const int64_t out = static_cast<int64_t>(bias.size());
  const int64_t in = static_cast<int64_t>(weight.size()) / out;
  const StoredFloats stored_weight(weight, {out, in}), stored_bias(bias, {out});
  const Linear::Part part = {&stored_weight.tensor, &stored_bias.tensor};
  return Linear(absl::MakeConstSpan(&part, 1), activation, backend);
}

}  // namespace heed
