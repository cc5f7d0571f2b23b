// SPDX-License-Identifier: Apache-2.0
#include "server/oip/infer_tensors.h"

#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "server/oip/infer_parameters.h"
#include "server/oip/tensor_shape.h"

namespace heed {
namespace {

static_assert(std::endian::native == std::endian::little, "raw contents are little-endian");

using inference::InferTensorContents;
using inference::ModelInferRequest;

std::string Names(absl::Span<const TensorSpec> specs) {
  return absl::StrJoin(specs, ", ", [](std::string* out, const TensorSpec& spec) { absl::StrAppend(out, spec.name); });
}

absl::Status CheckShape(absl::Span<const int64_t> shape, absl::Span<const int64_t> wanted) {
  bool fits = shape.size() == wanted.size();
  for (size_t i = 0; fits && i < shape.size(); ++i) {
    fits = shape[i] >= 0 && (wanted[i] == kAnySize || shape[i] == wanted[i]);
  }
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("shape: is ", ShapeText(shape), ", must be ", ShapeText(wanted), wanted.empty() ? "" : ", -1: any"));
}

template <typename T>
absl::StatusOr<std::vector<T>> FromRaw(absl::string_view raw, int64_t count) {
  const auto bytes = static_cast<uint64_t>(count) * sizeof(T);
  if (static_cast<uint64_t>(count) > std::numeric_limits<uint64_t>::max() / sizeof(T) || raw.size() != bytes) {
    return absl::InvalidArgumentError(absl::StrCat("raw_input_contents: has ", raw.size(), " bytes, but ", count,
                                                   " elements of ", sizeof(T), " bytes are ", bytes));
  }
  std::vector<T> elements(static_cast<size_t>(count));
  if (!raw.empty()) std::memcpy(elements.data(), raw.data(), raw.size());
  return elements;
}

absl::StatusOr<std::vector<std::string>> StringsFromRaw(absl::string_view raw, int64_t count) {
  std::vector<std::string> elements;
  size_t place = 0;
  while (place < raw.size()) {
    const std::string which = absl::StrCat("raw_input_contents: element ", elements.size(), ": ");
    if (static_cast<int64_t>(elements.size()) == count) {
      return absl::InvalidArgumentError(absl::StrCat("raw_input_contents: ", raw.size() - place,
                                                     " bytes are left after ", count, " elements, as the shape says"));
    }
    uint32_t length = 0;
    if (raw.size() - place < sizeof(length)) {
      return absl::InvalidArgumentError(absl::StrCat(which, raw.size() - place, " bytes are left for its length of 4"));
    }
    std::memcpy(&length, raw.data() + place, sizeof(length));
    place += sizeof(length);
    if (length > raw.size() - place) {
      return absl::InvalidArgumentError(
          absl::StrCat(which, "has a length of ", length, ", but ", raw.size() - place, " bytes are left"));
    }
    elements.emplace_back(raw.substr(place, length));
    place += length;
  }
  if (static_cast<int64_t>(elements.size()) != count) {
    return absl::InvalidArgumentError(
        absl::StrCat("raw_input_contents: holds ", elements.size(), " elements, but the shape says ", count));
  }
  return elements;
}

// Each field that holds anything, and how much.
std::vector<std::pair<absl::string_view, int>> FilledFields(const InferTensorContents& contents) {
  std::vector<std::pair<absl::string_view, int>> filled;
  const auto add = [&](absl::string_view field, int size) {
    if (size > 0) filled.emplace_back(field, size);
  };
  add("bool_contents", contents.bool_contents_size());
  add("int_contents", contents.int_contents_size());
  add("int64_contents", contents.int64_contents_size());
  add("uint_contents", contents.uint_contents_size());
  add("uint64_contents", contents.uint64_contents_size());
  add("fp32_contents", contents.fp32_contents_size());
  add("fp64_contents", contents.fp64_contents_size());
  add("bytes_contents", contents.bytes_contents_size());
  return filled;
}

absl::string_view ContentsField(TensorType type) {
  switch (type) {
    case TensorType::kBytes:
      return "bytes_contents";
    case TensorType::kFp32:
      return "fp32_contents";
    case TensorType::kInt64:
      return "int64_contents";
  }
  return {};
}

absl::Status CheckContents(const InferTensorContents& contents, TensorType type, int64_t count) {
  int64_t there = 0;
  for (const auto& [field, size] : FilledFields(contents)) {
    if (field != ContentsField(type)) {
      return absl::InvalidArgumentError(absl::StrCat("contents: ", field, " is filled, but elements of ",
                                                     DatatypeName(type), " belong into ", ContentsField(type)));
    }
    there = size;
  }
  if (there == count) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("contents.", ContentsField(type), ": has ", there, " elements, but the shape says ", count));
}

absl::StatusOr<InputTensors::Elements> ElementsOfRaw(const std::string& raw, TensorType type, int64_t count) {
  switch (type) {
    case TensorType::kBytes:
      return StringsFromRaw(raw, count);
    case TensorType::kFp32:
      return FromRaw<float>(raw, count);
    case TensorType::kInt64:
      return FromRaw<int64_t>(raw, count);
  }
  return InputTensors::Elements();
}

InputTensors::Elements ElementsOf(const InferTensorContents& contents, TensorType type) {
  switch (type) {
    case TensorType::kBytes:
      return std::vector<std::string>(contents.bytes_contents().begin(), contents.bytes_contents().end());
    case TensorType::kFp32:
      return std::vector<float>(contents.fp32_contents().begin(), contents.fp32_contents().end());
    case TensorType::kInt64:
      return std::vector<int64_t>(contents.int64_contents().begin(), contents.int64_contents().end());
  }
  return {};
}

}  // namespace

absl::string_view DatatypeName(TensorType type) {
  switch (type) {
    case TensorType::kBytes:
      return "BYTES";
    case TensorType::kFp32:
      return "FP32";
    case TensorType::kInt64:
      return "INT64";
  }
  return {};
}

absl::StatusOr<InputTensors> InputTensors::Read(const ModelInferRequest& request, absl::Span<const TensorSpec> specs) {
  const bool raw = request.raw_input_contents_size() > 0;
  if (raw && request.raw_input_contents_size() != request.inputs_size()) {
    return InvalidField("raw_input_contents", "has ", request.raw_input_contents_size(), " entries, but there are ",
                        request.inputs_size(), " inputs");
  }
  InputTensors inputs;
  for (int i = 0; i < request.inputs_size(); ++i) {
    const absl::Status added = inputs.Add(request.inputs(i), raw ? &request.raw_input_contents(i) : nullptr, specs);
    if (!added.ok()) {
      const std::string field = absl::StrCat("inputs[", i, "]");
      return WithField(InvalidArgument(field, " ", Quoted(request.inputs(i).name()), ": ", added.message()), field);
    }
  }
  for (const TensorSpec& spec : specs) {
    if (spec.optional || inputs.Has(spec.name)) continue;
    return InvalidField("inputs", "\"", spec.name, "\" (", DatatypeName(spec.type), " ", ShapeText(spec.shape),
                        ") is missing");
  }
  return inputs;
}

absl::Status InputTensors::Add(const ModelInferRequest::InferInputTensor& input, const std::string* raw,
                               absl::Span<const TensorSpec> specs) {
  const auto spec =
      std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& one) { return one.name == input.name(); });
  if (spec == specs.end()) return InvalidArgument("the model has no such input; it has: ", Names(specs));
  if (Has(spec->name)) return InvalidArgument("is there twice");
  if (input.datatype() != DatatypeName(spec->type)) {
    return InvalidArgument("datatype: is ", Quoted(input.datatype()), ", must be ", DatatypeName(spec->type));
  }
  HEED_RETURN_IF_ERROR(CheckShape(input.shape(), spec->shape));
  const std::optional<int64_t> count = ElementCount(input.shape());
  if (!count) return InvalidArgument("shape: ", ShapeText(input.shape()), " has more elements than 2^62");
  HEED_RETURN_IF_ERROR(CheckInputParameters(input.parameters()));
  if (raw != nullptr && input.has_contents()) {
    return InvalidArgument("contents: must not be there beside raw_input_contents");
  }
  Tensor& tensor = tensors_[spec->name];
  tensor.shape.assign(input.shape().begin(), input.shape().end());
  if (raw != nullptr) {
    HEED_ASSIGN_OR_RETURN(tensor.elements, ElementsOfRaw(*raw, spec->type, *count));
  } else {
    HEED_RETURN_IF_ERROR(CheckContents(input.contents(), spec->type, *count));
    tensor.elements = ElementsOf(input.contents(), spec->type);
  }
  return absl::OkStatus();
}

int64_t InputTensors::characters() const {
  size_t characters = 0;
  for (const auto& [name, tensor] : tensors_) {
    const auto* const texts = std::get_if<std::vector<std::string>>(&tensor.elements);
    if (texts == nullptr) continue;
    for (const std::string& text : *texts) characters += CharacterCount(text);
  }
  return static_cast<int64_t>(characters);
}

absl::StatusOr<OutputTensors> OutputTensors::Choose(const ModelInferRequest& request,
                                                    absl::Span<const TensorSpec> specs, bool stream) {
  OutputTensors outputs;
  const auto want = [&](const TensorSpec& spec) {
    outputs.order_.push_back(&spec);
    outputs.wanted_[spec.name];
  };
  for (int i = 0; i < request.outputs_size(); ++i) {
    const ModelInferRequest::InferRequestedOutputTensor& output = request.outputs(i);
    const std::string field = absl::StrCat("outputs[", i, "]");
    const auto wrong = [&](const auto&... what) {
      return WithField(InvalidArgument(field, " ", Quoted(output.name()), ": ", what...), field);
    };
    const auto spec =
        std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& one) { return one.name == output.name(); });
    if (spec == specs.end()) {
      return wrong("the model has no such output; it has: ", Names(specs));
    }
    if (outputs.Wants(spec->name)) return wrong("is named twice");
    if (const absl::Status status = CheckOutputParameters(output.parameters()); !status.ok()) {
      return wrong(status.message());
    }
    want(*spec);
  }
  for (const TensorSpec& spec : specs) {
    if (request.outputs_size() == 0 && (!spec.optional || (stream && spec.in_streams))) want(spec);
  }
  return outputs;
}

template <typename T>
void OutputTensors::SetNumbers(absl::string_view name, std::vector<int64_t> shape, absl::Span<const T> elements) {
  const auto found = wanted_.find(name);
  if (found == wanted_.end()) return;
  Output& output = found->second;
  output.shape = std::move(shape);
  output.raw.assign(reinterpret_cast<const char*>(elements.data()), elements.size() * sizeof(T));
  output.set = true;
}

void OutputTensors::Set(absl::string_view name, std::vector<int64_t> shape, absl::Span<const float> elements) {
  SetNumbers(name, std::move(shape), elements);
}

void OutputTensors::Set(absl::string_view name, std::vector<int64_t> shape, absl::Span<const int64_t> elements) {
  SetNumbers(name, std::move(shape), elements);
}

void OutputTensors::Set(absl::string_view name, std::vector<int64_t> shape, const std::vector<std::string>& elements) {
  const auto found = wanted_.find(name);
  if (found == wanted_.end()) return;
  Output& output = found->second;
  output.shape = std::move(shape);
  for (const std::string& element : elements) {
    const auto length = static_cast<uint32_t>(element.size());
    output.raw.append(reinterpret_cast<const char*>(&length), sizeof(length));
    output.raw.append(element);
  }
  output.set = true;
}

void OutputTensors::MoveTo(inference::ModelInferResponse& response) {
  for (const TensorSpec* spec : order_) {
    Output& output = wanted_[spec->name];
    if (!output.set) continue;
    inference::ModelInferResponse::InferOutputTensor& tensor = *response.add_outputs();
    tensor.set_name(spec->name);
    tensor.set_datatype(std::string(DatatypeName(spec->type)));
    tensor.mutable_shape()->Assign(output.shape.begin(), output.shape.end());
    *response.add_raw_output_contents() = std::exchange(output.raw, {});
    output.set = false;
  }
}

}  // namespace heed
