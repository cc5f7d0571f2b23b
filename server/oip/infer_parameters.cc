// SPDX-License-Identifier: Apache-2.0
#include "server/oip/infer_parameters.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "google/protobuf/descriptor.h"

namespace heed {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using inference::InferParameter;

std::string ValueText(const InferParameter& parameter) {
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
      return Quoted(parameter.string_param());
    case InferParameter::PARAMETER_CHOICE_NOT_SET:
      break;
  }
  return "not set";
}

absl::Status MustBe(absl::string_view name, const InferParameter& parameter, absl::string_view what) {
  return InvalidField("parameters", "\"", name, "\" is ", ValueText(parameter), ", must be ", what);
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
  if (field.is_repeated()) {  // a list of texts, of which a parameter holds one
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_STRING ||
        parameter.parameter_choice_case() != InferParameter::kStringParam) {
      return MustBe(field.name(), parameter, "text");
    }
    reflection.AddString(&options, &field, parameter.string_param());
    return absl::OkStatus();
  }
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

enum Place : unsigned { kRequest = 1, kInput = 2, kOutput = 4, kAnywhere = 7 };

// A value that asks for nothing: as if the parameter were not there.
bool IsNothing(const InferParameter& parameter) {
  switch (parameter.parameter_choice_case()) {
    case InferParameter::kBoolParam:
      return !parameter.bool_param();
    case InferParameter::kInt64Param:
      return parameter.int64_param() == 0;
    case InferParameter::kUint64Param:
      return parameter.uint64_param() == 0;
    case InferParameter::kDoubleParam:
      return parameter.double_param() == 0;
    case InferParameter::kStringParam: {
      const std::string& text = parameter.string_param();
      return text.empty() || text == "0" || text == "false";
    }
    case InferParameter::PARAMETER_CHOICE_NOT_SET:
      break;
  }
  return true;
}

bool IsAnything(const InferParameter&) { return true; }

// Elements are read as they are, and an encoding would make others of them.
bool IsNotBase64(const InferParameter& parameter) {
  return !absl::EqualsIgnoreCase(parameter.string_param(), "base64");
}

// A parameter that no model has: clients set it for transports, encodings or features of other servers.
struct ProtocolParameter {
  absl::string_view name;
  unsigned places;
  bool (*is_hint)(const InferParameter& parameter);  // whether the answer is the same without it
  absl::string_view refusal;                         // of one that is no hint
};

constexpr absl::string_view kNoSharedMemoryIn =
    "shared memory is not served: send the elements in raw_input_contents or contents";
constexpr absl::string_view kNoSharedMemoryOut =
    "shared memory is not served: the elements come in raw_output_contents";
constexpr absl::string_view kNoSequences =
    "requests of a sequence are not served here: heed.v1.QuestionAnsweringService (OpenSession, Tell, Ask) and "
    "heed.v1.LanguageModelingService (OpenTextSession, ReadText) have sessions, with a memory between requests";

// Where several are there, the first in this order is named.
constexpr ProtocolParameter kProtocolParameters[] = {
    {"binary_data", kAnywhere, IsAnything, ""},
    {"binary_data_output", kAnywhere, IsAnything, ""},
    {"binary_data_size", kAnywhere, IsAnything, ""},
    {"content_type", kAnywhere, IsNotBase64, "elements are not decoded or encoded: send the bytes themselves"},
    {"headers", kAnywhere, IsAnything, ""},
    {"shared_memory_region", kInput, IsNothing, kNoSharedMemoryIn},
    {"shared_memory_byte_size", kInput, IsNothing, kNoSharedMemoryIn},
    {"shared_memory_offset", kInput, IsNothing, kNoSharedMemoryIn},
    {"shared_memory_region", kOutput, IsNothing, kNoSharedMemoryOut},
    {"shared_memory_byte_size", kOutput, IsNothing, kNoSharedMemoryOut},
    {"shared_memory_offset", kOutput, IsNothing, kNoSharedMemoryOut},
    {"classification", kOutput, IsNothing,
     "is not served: a model's classes are outputs of their own, which ModelMetadata lists"},
    {"sequence_id", kRequest, IsNothing, kNoSequences},
    {"sequence_start", kRequest, IsNothing, kNoSequences},
    {"sequence_end", kRequest, IsNothing, kNoSequences},
};

bool IsProtocolParameter(Place place, absl::string_view name) {
  return std::any_of(
      std::begin(kProtocolParameters), std::end(kProtocolParameters),
      [&](const ProtocolParameter& parameter) { return (parameter.places & place) != 0 && parameter.name == name; });
}

// INVALID_ARGUMENT: one of the above is no hint.
absl::Status CheckProtocolParameters(Place place, const InferParameters& parameters) {
  if (parameters.empty()) return absl::OkStatus();
  for (const ProtocolParameter& known : kProtocolParameters) {
    if ((known.places & place) == 0) continue;
    const auto found = parameters.find(std::string(known.name));
    if (found == parameters.end() || known.is_hint(found->second)) continue;
    return InvalidField("parameters", "\"", known.name, "\" is ", ValueText(found->second), ": ", known.refusal);
  }
  return absl::OkStatus();
}

absl::Status CheckTensorParameters(Place place, const InferParameters& parameters) {
  HEED_RETURN_IF_ERROR(CheckProtocolParameters(place, parameters));
  for (const auto& [name, parameter] : parameters) {
    if (IsProtocolParameter(place, name)) continue;
    std::vector<absl::string_view> hints;
    for (const ProtocolParameter& known : kProtocolParameters) {
      if (known.places == kAnywhere) hints.push_back(known.name);
    }
    return InvalidField("parameters", Quoted(name), " is not known; these are ignored: ", absl::StrJoin(hints, ", "));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RequestParameters> ReadParameters(const InferParameters& parameters) {
  HEED_RETURN_IF_ERROR(CheckProtocolParameters(kRequest, parameters));
  RequestParameters result;
  for (const auto& [name, parameter] : parameters) {
    if (IsProtocolParameter(kRequest, name)) continue;
    if (name == "timeout") {
      HEED_ASSIGN_OR_RETURN(const int64_t timeout, ToInteger(name, parameter));
      if (timeout < 0) {
        return InvalidField("parameters", "\"timeout\" is ", timeout, ", must be at least 0 microseconds");
      }
      // More than a century is none.
      constexpr int64_t kLongest = int64_t{1} << 52;
      if (timeout > 0 && timeout < kLongest) result.timeout = std::chrono::microseconds(timeout);
    } else if (name == "priority") {
      HEED_ASSIGN_OR_RETURN(const int64_t level, ToInteger(name, parameter));
      if (level != 0) {
        HEED_ASSIGN_OR_RETURN(result.priority, ToPriority("parameters: \"priority\"", level));
      }
    } else if (name == "triton_enable_empty_final_response") {
      HEED_ASSIGN_OR_RETURN(result.enable_empty_final_response, ToBool(name, parameter));
    } else {
      result.model[name] = parameter;
    }
  }
  return result;
}

absl::Status CheckInputParameters(const InferParameters& parameters) {
  return CheckTensorParameters(kInput, parameters);
}

absl::Status CheckOutputParameters(const InferParameters& parameters) {
  return CheckTensorParameters(kOutput, parameters);
}

absl::StatusOr<bool> ToBool(absl::string_view name, const InferParameter& parameter) {
  if (parameter.parameter_choice_case() == InferParameter::kBoolParam) return parameter.bool_param();
  if (parameter.parameter_choice_case() == InferParameter::kStringParam) {
    if (parameter.string_param() == "true") return true;
    if (parameter.string_param() == "false") return false;
  }
  return MustBe(name, parameter, "true or false");
}

absl::StatusOr<int64_t> ToInteger(absl::string_view name, const InferParameter& parameter) {
  return ToWhole<int64_t>(name, parameter);
}

absl::Status UnknownParameter(absl::string_view name, absl::string_view known) {
  return InvalidField("parameters", Quoted(name), " is not known; known are: ", absl::StrJoin(kCommonParameters, ", "),
                      ", ", known);
}

absl::Status SetOptionsFrom(const InferParameters& parameters, Message& options) {
  for (const auto& [name, parameter] : parameters) {
    const FieldDescriptor* found = nullptr;
    const FieldDescriptor* parent = nullptr;
    std::vector<std::string> known;
    VisitOptions(*options.GetDescriptor(),
                 [&, &wanted = name](const FieldDescriptor& field, const FieldDescriptor* within) {
                   known.push_back(field.name());
                   if (field.name() != wanted) return;
                   found = &field;
                   parent = within;
                 });
    if (found == nullptr) return UnknownParameter(name, absl::StrJoin(known, ", "));
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
