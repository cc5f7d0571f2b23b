#include "server/services/infer_tensors.h"

#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "engine/status_macros.h"
#include "google/protobuf/descriptor.h"
#include "server/excerpt.h"

namespace heed {
namespace {

static_assert(std::endian::native == std::endian::little, "raw contents are little-endian");

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using inference::InferParameter;
using inference::InferTensorContents;
using inference::ModelInferRequest;

constexpr size_t kLongestEcho = 128;

std::string Echo(absl::string_view text) { return absl::StrCat("\"", Excerpt(text, kLongestEcho), "\""); }

std::string ShapeText(absl::Span<const int64_t> shape) { return absl::StrCat("[", absl::StrJoin(shape, ", "), "]"); }

std::string Names(absl::Span<const TensorSpec> specs) {
  return absl::StrJoin(specs, ", ", [](std::string* out, const TensorSpec& spec) { absl::StrAppend(out, spec.name); });
}

// The number of elements; none: more than 2^62.
std::optional<int64_t> Product(absl::Span<const int64_t> shape) {
  int64_t product = 1;
  for (const int64_t size : shape) {
    if (size == 0) return 0;
    if (product > (int64_t{1} << 62) / size) return std::nullopt;
    product *= size;
  }
  return product;
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
    return absl::InvalidArgumentError(absl::StrCat("raw_input_contents: has ", request.raw_input_contents_size(),
                                                   " entries, but there are ", request.inputs_size(), " inputs"));
  }
  InputTensors inputs;
  for (int i = 0; i < request.inputs_size(); ++i) {
    const ModelInferRequest::InferInputTensor& input = request.inputs(i);
    const std::string place = absl::StrCat("inputs[", i, "] ", Echo(input.name()), ": ");
    const auto wrong = [&](absl::string_view message) {
      return absl::InvalidArgumentError(absl::StrCat(place, message));
    };
    const auto spec =
        std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& one) { return one.name == input.name(); });
    if (spec == specs.end()) return wrong(absl::StrCat("the model has no such input; it has: ", Names(specs)));
    if (inputs.Has(spec->name)) return wrong("is there twice");
    if (input.datatype() != DatatypeName(spec->type)) {
      return wrong(absl::StrCat("datatype: is ", Echo(input.datatype()), ", must be ", DatatypeName(spec->type)));
    }
    if (const absl::Status status = CheckShape(input.shape(), spec->shape); !status.ok()) {
      return wrong(status.message());
    }
    const std::optional<int64_t> count = Product(input.shape());
    if (!count) return wrong(absl::StrCat("shape: ", ShapeText(input.shape()), " has more elements than 2^62"));
    if (!input.parameters().empty()) {
      return wrong(absl::StrCat("parameters: ", Echo(input.parameters().begin()->first),
                                " is not known; inputs have none (shared memory is not served)"));
    }
    if (raw && input.has_contents()) {
      return wrong("contents: must not be there beside raw_input_contents");
    }
    Tensor& tensor = inputs.tensors_[spec->name];
    tensor.shape.assign(input.shape().begin(), input.shape().end());
    absl::Status status = raw ? absl::OkStatus() : CheckContents(input.contents(), spec->type, *count);
    const auto take = [&](auto elements) {
      if (elements.ok()) {
        tensor.elements = *std::move(elements);
      } else {
        status = elements.status();
      }
    };
    const InferTensorContents& contents = input.contents();
    if (!status.ok()) return wrong(status.message());
    switch (spec->type) {
      case TensorType::kBytes:
        if (raw) {
          take(StringsFromRaw(request.raw_input_contents(i), *count));
        } else {
          tensor.elements =
              std::vector<std::string>(contents.bytes_contents().begin(), contents.bytes_contents().end());
        }
        break;
      case TensorType::kFp32:
        if (raw) {
          take(FromRaw<float>(request.raw_input_contents(i), *count));
        } else {
          tensor.elements = std::vector<float>(contents.fp32_contents().begin(), contents.fp32_contents().end());
        }
        break;
      case TensorType::kInt64:
        if (raw) {
          take(FromRaw<int64_t>(request.raw_input_contents(i), *count));
        } else {
          tensor.elements = std::vector<int64_t>(contents.int64_contents().begin(), contents.int64_contents().end());
        }
        break;
    }
    if (!status.ok()) return wrong(status.message());
  }
  for (const TensorSpec& spec : specs) {
    if (spec.optional || inputs.Has(spec.name)) continue;
    return absl::InvalidArgumentError(absl::StrCat("inputs: \"", spec.name, "\" (", DatatypeName(spec.type), " ",
                                                   ShapeText(spec.shape), ") is missing"));
  }
  return inputs;
}

absl::StatusOr<OutputTensors> OutputTensors::Choose(const ModelInferRequest& request,
                                                    absl::Span<const TensorSpec> specs) {
  OutputTensors outputs;
  const auto want = [&](const TensorSpec& spec) {
    outputs.order_.push_back(&spec);
    outputs.wanted_[spec.name];
  };
  for (int i = 0; i < request.outputs_size(); ++i) {
    const ModelInferRequest::InferRequestedOutputTensor& output = request.outputs(i);
    const std::string place = absl::StrCat("outputs[", i, "] ", Echo(output.name()), ": ");
    const auto spec =
        std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& one) { return one.name == output.name(); });
    if (spec == specs.end()) {
      return absl::InvalidArgumentError(absl::StrCat(place, "the model has no such output; it has: ", Names(specs)));
    }
    if (outputs.Wants(spec->name)) return absl::InvalidArgumentError(absl::StrCat(place, "is named twice"));
    if (!output.parameters().empty()) {
      return absl::InvalidArgumentError(absl::StrCat(place, "parameters: ", Echo(output.parameters().begin()->first),
                                                     " is not known; outputs have none"));
    }
    want(*spec);
  }
  for (const TensorSpec& spec : specs) {
    if (request.outputs_size() == 0 && !spec.optional) want(spec);
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
    *response.add_raw_output_contents() = std::move(output.raw);
  }
}

namespace {

std::string KindOf(const InferParameter& parameter) {
  switch (parameter.parameter_choice_case()) {
    case InferParameter::kBoolParam:
      return parameter.bool_param() ? "true" : "false";
    case InferParameter::kInt64Param:
      return absl::StrCat(parameter.int64_param());
    case InferParameter::kUint64Param:
      return absl::StrCat(parameter.uint64_param());
    case InferParameter::kDoubleParam:
      return absl::StrCat(parameter.double_param());
    case InferParameter::kStringParam:
      return Echo(parameter.string_param());
    case InferParameter::PARAMETER_CHOICE_NOT_SET:
      break;
  }
  return "not set";
}

absl::Status MustBe(absl::string_view name, const InferParameter& parameter, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("parameters: \"", name, "\" is ", KindOf(parameter), ", must be ", what));
}

template <typename T>
absl::StatusOr<T> ToWhole(absl::string_view name, const InferParameter& parameter) {
  bool fits = false;
  T number = 0;
  switch (parameter.parameter_choice_case()) {
    case InferParameter::kInt64Param:
      number = static_cast<T>(parameter.int64_param());
      fits = std::in_range<T>(parameter.int64_param());
      break;
    case InferParameter::kUint64Param:
      number = static_cast<T>(parameter.uint64_param());
      fits = std::in_range<T>(parameter.uint64_param());
      break;
    case InferParameter::kStringParam:
      fits = absl::SimpleAtoi(parameter.string_param(), &number);
      break;
    default:
      break;
  }
  if (fits) return number;
  return MustBe(
      name, parameter,
      absl::StrCat("a whole number from ", std::numeric_limits<T>::min(), " to ", std::numeric_limits<T>::max()));
}

absl::StatusOr<double> ToReal(absl::string_view name, const InferParameter& parameter) {
  double number = 0;
  switch (parameter.parameter_choice_case()) {
    case InferParameter::kDoubleParam:
      return parameter.double_param();
    case InferParameter::kInt64Param:
      return static_cast<double>(parameter.int64_param());
    case InferParameter::kUint64Param:
      return static_cast<double>(parameter.uint64_param());
    case InferParameter::kStringParam:
      if (absl::SimpleAtod(parameter.string_param(), &number)) return number;
      break;
    default:
      break;
  }
  return MustBe(name, parameter, "a number");
}

absl::StatusOr<bool> ToBool(absl::string_view name, const InferParameter& parameter) {
  if (parameter.parameter_choice_case() == InferParameter::kBoolParam) return parameter.bool_param();
  if (parameter.parameter_choice_case() == InferParameter::kStringParam) {
    if (parameter.string_param() == "true") return true;
    if (parameter.string_param() == "false") return false;
  }
  return MustBe(name, parameter, "true or false");
}

// EARLY_STOPPING_FIRST of an enum whose first value is EARLY_STOPPING_UNSPECIFIED: "first".
std::string EnumName(const EnumValueDescriptor& value) {
  absl::string_view prefix = value.type()->value(0)->name();
  absl::ConsumeSuffix(&prefix, "UNSPECIFIED");
  absl::string_view name = value.name();
  absl::ConsumePrefix(&name, prefix);
  return absl::AsciiStrToLower(name);
}

std::vector<std::string> EnumNames(const FieldDescriptor& field) {
  std::vector<std::string> names;
  for (int i = 1; i < field.enum_type()->value_count(); ++i) names.push_back(EnumName(*field.enum_type()->value(i)));
  return names;
}

absl::Status SetField(const FieldDescriptor& field, const InferParameter& parameter, Message& options) {
  const Reflection& reflection = *options.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      HEED_ASSIGN_OR_RETURN(const int32_t number, ToWhole<int32_t>(field.name(), parameter));
      reflection.SetInt32(&options, &field, number);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      HEED_ASSIGN_OR_RETURN(const int64_t number, ToWhole<int64_t>(field.name(), parameter));
      reflection.SetInt64(&options, &field, number);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      HEED_ASSIGN_OR_RETURN(const uint64_t number, ToWhole<uint64_t>(field.name(), parameter));
      reflection.SetUInt64(&options, &field, number);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_FLOAT: {
      HEED_ASSIGN_OR_RETURN(const double number, ToReal(field.name(), parameter));
      reflection.SetFloat(&options, &field, static_cast<float>(number));
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_BOOL: {
      HEED_ASSIGN_OR_RETURN(const bool value, ToBool(field.name(), parameter));
      reflection.SetBool(&options, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_STRING:
      if (parameter.parameter_choice_case() != InferParameter::kStringParam) {
        return MustBe(field.name(), parameter, "text");
      }
      reflection.SetString(&options, &field, parameter.string_param());
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_ENUM:
      for (int i = 1; i < field.enum_type()->value_count(); ++i) {
        const EnumValueDescriptor& value = *field.enum_type()->value(i);
        if (parameter.parameter_choice_case() != InferParameter::kStringParam ||
            parameter.string_param() != EnumName(value)) {
          continue;
        }
        reflection.SetEnum(&options, &field, &value);
        return absl::OkStatus();
      }
      return MustBe(field.name(), parameter, absl::StrCat("one of ", absl::StrJoin(EnumNames(field), ", ")));
    default:
      return absl::InternalError(absl::StrCat("parameters: \"", field.name(), "\" has a type that is not served"));
  }
}

std::string TypeText(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_FLOAT:
      return "number";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_STRING:
      return "text";
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::StrJoin(EnumNames(field), "|");
    default:
      return "integer";
  }
}

// Calls `visit` with each field that is no message, and with the message field that it stands in, if any.
template <typename Visit>
void VisitOptions(const Descriptor& options, Visit visit) {
  for (int i = 0; i < options.field_count(); ++i) {
    const FieldDescriptor* field = options.field(i);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      visit(*field, nullptr);
      continue;
    }
    for (int j = 0; j < field->message_type()->field_count(); ++j) visit(*field->message_type()->field(j), field);
  }
}

}  // namespace

absl::StatusOr<int64_t> ToInteger(absl::string_view name, const InferParameter& parameter) {
  return ToWhole<int64_t>(name, parameter);
}

absl::Status SetOptionsFrom(const InferParameters& parameters, absl::Span<const absl::string_view> others,
                            Message& options) {
  for (const auto& [name, parameter] : parameters) {
    if (std::find(others.begin(), others.end(), name) != others.end()) continue;
    const FieldDescriptor* found = nullptr;
    const FieldDescriptor* parent = nullptr;
    std::vector<std::string> known(others.begin(), others.end());
    VisitOptions(*options.GetDescriptor(),
                 [&, &wanted = name](const FieldDescriptor& field, const FieldDescriptor* within) {
                   known.push_back(field.name());
                   if (field.name() != wanted) return;
                   found = &field;
                   parent = within;
                 });
    if (found == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("parameters: ", Echo(name), " is not known; known are: ", absl::StrJoin(known, ", ")));
    }
    Message& message = parent == nullptr ? options : *options.GetReflection()->MutableMessage(&options, parent);
    HEED_RETURN_IF_ERROR(SetField(*found, parameter, message));
  }
  return absl::OkStatus();
}

std::string DescribeOptions(const Descriptor& options) {
  std::vector<std::string> all;
  VisitOptions(options, [&](const FieldDescriptor& field, const FieldDescriptor*) {
    all.push_back(absl::StrCat(field.name(), ": ", TypeText(field)));
  });
  return absl::StrJoin(all, ", ");
}

}  // namespace heed
