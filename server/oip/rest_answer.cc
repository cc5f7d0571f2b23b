// SPDX-License-Identifier: Apache-2.0
#include "server/oip/rest_answer.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "google/protobuf/descriptor.h"
#include "server/oip/infer_parameters.h"
#include "server/oip/rest_datatype.h"

namespace heed {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using inference::InferParameter;
using inference::ModelInferResponse;

// `text` is UTF-8.
void AppendText(absl::string_view text, std::string& json) {
  static constexpr char kHex[] = "0123456789abcdef";
  json += '"';
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    json.append(text.data() + begin, i - begin);
    begin = i + 1;
    switch (byte) {
      case '"':
      case '\\':
        json += '\\';
        json += static_cast<char>(byte);
        break;
      case '\n':
        json += "\\n";
        break;
      case '\r':
        json += "\\r";
        break;
      case '\t':
        json += "\\t";
        break;
      default:
        json += "\\u00";
        json += kHex[byte >> 4];
        json += kHex[byte & 15];
    }
  }
  json.append(text.data() + begin, text.size() - begin);
  json += '"';
}

// Messages of the server are UTF-8; those of others need not be.
void AppendAnyText(absl::string_view text, std::string& json) {
  if (!FirstInvalidUtf8(text)) return AppendText(text, json);
  std::string valid;
  for (absl::string_view rest = text; !rest.empty();) {
    const size_t bytes = FirstInvalidUtf8(rest).value_or(rest.size());
    valid.append(rest.data(), bytes);
    rest.remove_prefix(bytes);
    if (rest.empty()) break;
    valid += "\xEF\xBF\xBD";
    rest.remove_prefix(1);
  }
  AppendText(valid, json);
}

template <typename T>
void AppendNumber(T number, std::string& json) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(number)) {
      json += "\"NaN\"";
      return;
    }
    if (std::isinf(number)) {
      json += number < 0 ? "\"-Infinity\"" : "\"Infinity\"";
      return;
    }
  }
  char digits[40];
  const std::to_chars_result end = std::to_chars(digits, digits + sizeof(digits), number);
  json.append(digits, static_cast<size_t>(end.ptr - digits));
  // Without a point, readers take it for the integer 0, which has no sign.
  if (std::is_floating_point_v<T> && number == 0 && digits[0] == '-') json += ".0";
}

template <typename T>
void AppendNumbers(absl::string_view raw, std::string& json) {
  for (size_t i = 0; i + sizeof(T) <= raw.size(); i += sizeof(T)) {
    T number;
    std::memcpy(&number, raw.data() + i, sizeof(T));
    if (i > 0) json += ',';
    AppendNumber(number, json);
  }
}

absl::Status AppendTexts(absl::string_view raw, std::string& json) {
  for (int64_t i = 0; raw.size() >= sizeof(uint32_t); ++i) {
    uint32_t length = 0;
    std::memcpy(&length, raw.data(), sizeof(length));
    raw.remove_prefix(sizeof(length));
    const absl::string_view text = raw.substr(0, length);
    raw.remove_prefix(text.size());
    if (FirstInvalidUtf8(text)) {
      return InvalidArgument("element ", i,
                             " is not UTF-8 and has no form in JSON; ask for the output with the "
                             "parameter binary_data");
    }
    if (i > 0) json += ',';
    AppendText(text, json);
  }
  return absl::OkStatus();
}

absl::Status AppendElements(Datatype type, absl::string_view raw, std::string& json) {
  switch (type) {
    case Datatype::kBool:
      for (size_t i = 0; i < raw.size(); ++i) absl::StrAppend(&json, i > 0 ? "," : "", raw[i] != 0 ? "true" : "false");
      return absl::OkStatus();
    case Datatype::kInt8:
      AppendNumbers<int8_t>(raw, json);
      return absl::OkStatus();
    case Datatype::kInt16:
      AppendNumbers<int16_t>(raw, json);
      return absl::OkStatus();
    case Datatype::kInt32:
      AppendNumbers<int32_t>(raw, json);
      return absl::OkStatus();
    case Datatype::kInt64:
      AppendNumbers<int64_t>(raw, json);
      return absl::OkStatus();
    case Datatype::kUint8:
      AppendNumbers<uint8_t>(raw, json);
      return absl::OkStatus();
    case Datatype::kUint16:
      AppendNumbers<uint16_t>(raw, json);
      return absl::OkStatus();
    case Datatype::kUint32:
      AppendNumbers<uint32_t>(raw, json);
      return absl::OkStatus();
    case Datatype::kUint64:
      AppendNumbers<uint64_t>(raw, json);
      return absl::OkStatus();
    case Datatype::kFp32:
      AppendNumbers<float>(raw, json);
      return absl::OkStatus();
    case Datatype::kFp64:
      AppendNumbers<double>(raw, json);
      return absl::OkStatus();
    case Datatype::kBytes:
      return AppendTexts(raw, json);
    case Datatype::kFp16:
    case Datatype::kBf16:
      break;
  }
  return InvalidArgument("its datatype has no form in JSON; ask for the output with the parameter binary_data");
}

// "name":value for each, after `bytes` as binary_data_size, if there are any: {...}.
void AppendParameters(const InferParameters& parameters, std::optional<size_t> bytes, std::string& json) {
  json += '{';
  const char* comma = "";
  if (bytes) {
    absl::StrAppend(&json, "\"binary_data_size\":", *bytes);
    comma = ",";
  }
  // In an order that is the same each time.
  std::map<absl::string_view, const InferParameter*> sorted;
  for (const auto& [name, parameter] : parameters) sorted[name] = &parameter;
  for (const auto& [name, parameter] : sorted) {
    json += comma;
    comma = ",";
    AppendAnyText(name, json);
    json += ':';
    switch (parameter->parameter_choice_case()) {
      case InferParameter::kBoolParam:
        json += parameter->bool_param() ? "true" : "false";
        break;
      case InferParameter::kInt64Param:
        AppendNumber(parameter->int64_param(), json);
        break;
      case InferParameter::kUint64Param:
        AppendNumber(parameter->uint64_param(), json);
        break;
      case InferParameter::kDoubleParam:
        AppendNumber(parameter->double_param(), json);
        break;
      case InferParameter::kStringParam:
        AppendAnyText(parameter->string_param(), json);
        break;
      case InferParameter::PARAMETER_CHOICE_NOT_SET:
        json += "null";
    }
  }
  json += '}';
}

void AppendMember(absl::string_view name, absl::string_view text, std::string& json) {
  if (json.back() != '{') json += ',';
  AppendText(name, json);
  json += ':';
  AppendAnyText(text, json);
}

absl::Status AppendOutput(const ModelInferResponse::InferOutputTensor& output, absl::string_view raw, bool binary,
                          std::string& json) {
  json += '{';
  AppendMember("name", output.name(), json);
  AppendMember("datatype", output.datatype(), json);
  json += ",\"shape\":[";
  for (int i = 0; i < output.shape_size(); ++i) {
    if (i > 0) json += ',';
    AppendNumber(output.shape(i), json);
  }
  json += ']';
  if (binary || !output.parameters().empty()) {
    json += ",\"parameters\":";
    AppendParameters(output.parameters(), binary ? std::optional(raw.size()) : std::nullopt, json);
  }
  if (!binary) {
    const DatatypeInfo* info = FindDatatype(output.datatype());
    if (info == nullptr) return absl::InternalError(absl::StrCat("datatype: is ", Quoted(output.datatype())));
    json += ",\"data\":[";
    HEED_RETURN_IF_ERROR(AppendElements(info->datatype, raw, json));
    json += ']';
  }
  json += '}';
  return absl::OkStatus();
}

void AppendMessage(const Message& message, std::string& json);

// The value of a field that is not repeated (`index` is -1), or one of its values.
void AppendField(const Message& message, const FieldDescriptor& field, int index, std::string& json) {
  const Reflection& reflection = *message.GetReflection();
  const auto get = [&](auto single, auto repeated) {
    return index < 0 ? (reflection.*single)(message, &field) : (reflection.*repeated)(message, &field, index);
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return AppendNumber(get(&Reflection::GetInt32, &Reflection::GetRepeatedInt32), json);
    case FieldDescriptor::CPPTYPE_INT64:
      return AppendNumber(get(&Reflection::GetInt64, &Reflection::GetRepeatedInt64), json);
    case FieldDescriptor::CPPTYPE_UINT32:
      return AppendNumber(get(&Reflection::GetUInt32, &Reflection::GetRepeatedUInt32), json);
    case FieldDescriptor::CPPTYPE_UINT64:
      return AppendNumber(get(&Reflection::GetUInt64, &Reflection::GetRepeatedUInt64), json);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return AppendNumber(get(&Reflection::GetFloat, &Reflection::GetRepeatedFloat), json);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return AppendNumber(get(&Reflection::GetDouble, &Reflection::GetRepeatedDouble), json);
    case FieldDescriptor::CPPTYPE_BOOL:
      json += get(&Reflection::GetBool, &Reflection::GetRepeatedBool) ? "true" : "false";
      return;
    case FieldDescriptor::CPPTYPE_ENUM:
      return AppendAnyText(get(&Reflection::GetEnum, &Reflection::GetRepeatedEnum)->name(), json);
    case FieldDescriptor::CPPTYPE_STRING:
      return AppendAnyText(get(&Reflection::GetString, &Reflection::GetRepeatedString), json);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return AppendMessage(
          index < 0 ? reflection.GetMessage(message, &field) : reflection.GetRepeatedMessage(message, &field, index),
          json);
  }
}

// {"key": value, ...}; the keys of the protocol's maps are texts.
void AppendMap(const Message& message, const FieldDescriptor& field, std::string& json) {
  const Reflection& reflection = *message.GetReflection();
  std::map<std::string, const Message*> entries;
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
    entries[entry.GetReflection()->GetString(entry, field.message_type()->map_key())] = &entry;
  }
  json += '{';
  for (const auto& [key, entry] : entries) {
    if (json.back() != '{') json += ',';
    AppendAnyText(key, json);
    json += ':';
    AppendField(*entry, *field.message_type()->map_value(), -1, json);
  }
  json += '}';
}

void AppendMessage(const Message& message, std::string& json) {
  const Reflection& reflection = *message.GetReflection();
  json += '{';
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    if (field.has_presence() && !reflection.HasField(message, &field)) continue;
    if (json.back() != '{') json += ',';
    AppendText(field.name(), json);
    json += ':';
    if (field.is_map()) {
      AppendMap(message, field, json);
    } else if (field.is_repeated()) {
      json += '[';
      for (int j = 0; j < reflection.FieldSize(message, &field); ++j) {
        if (j > 0) json += ',';
        AppendField(message, field, j, json);
      }
      json += ']';
    } else {
      AppendField(message, field, -1, json);
    }
  }
  json += '}';
}

}  // namespace

absl::StatusOr<RestAnswer> WriteRestAnswer(const ModelInferResponse& response, const OutputForms& outputs) {
  if (response.outputs_size() != response.raw_output_contents_size()) {
    return absl::InternalError(absl::StrCat("the response has ", response.outputs_size(), " outputs, but ",
                                            response.raw_output_contents_size(), " raw_output_contents"));
  }
  RestAnswer answer;
  std::string& json = answer.body;
  size_t binary_bytes = 0;
  bool any_binary = false;
  for (int i = 0; i < response.outputs_size(); ++i) {
    if (!outputs.IsBinary(response.outputs(i).name())) continue;
    any_binary = true;
    binary_bytes += response.raw_output_contents(i).size();
  }
  json.reserve(binary_bytes + 256 + 128 * static_cast<size_t>(response.outputs_size()));
  json += '{';
  if (!response.id().empty()) AppendMember("id", response.id(), json);
  AppendMember("model_name", response.model_name(), json);
  AppendMember("model_version", response.model_version(), json);
  if (!response.parameters().empty()) {
    json += ",\"parameters\":";
    AppendParameters(response.parameters(), std::nullopt, json);
  }
  json += ",\"outputs\":[";
  for (int i = 0; i < response.outputs_size(); ++i) {
    const ModelInferResponse::InferOutputTensor& output = response.outputs(i);
    if (i > 0) json += ',';
    const absl::Status status =
        AppendOutput(output, response.raw_output_contents(i), outputs.IsBinary(output.name()), json);
    if (!status.ok()) {
      return absl::Status(status.code(), absl::StrCat("output ", Quoted(output.name()), ": ", status.message()));
    }
  }
  json += "]}";
  if (!any_binary) return answer;
  answer.json_bytes = json.size();
  for (int i = 0; i < response.outputs_size(); ++i) {
    if (outputs.IsBinary(response.outputs(i).name())) answer.body += response.raw_output_contents(i);
  }
  return answer;
}

std::string WriteRestMessage(const Message& message) {
  std::string json;
  AppendMessage(message, json);
  return json;
}

std::string WriteRestError(absl::string_view message) {
  std::string json = "{";
  AppendMember("error", message, json);
  json += '}';
  return json;
}

}  // namespace heed
