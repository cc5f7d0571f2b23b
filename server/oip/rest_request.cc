// SPDX-License-Identifier: Apache-2.0
#include "server/oip/rest_request.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/json.h"
#include "base/little_endian.h"
#include "base/status_macros.h"
#include "nlohmann/json.hpp"
#include "server/oip/infer_parameters.h"
#include "server/oip/rest_datatype.h"
#include "server/oip/tensor_shape.h"

namespace heed {
namespace {

using inference::InferParameter;
using inference::ModelInferRequest;
using Json = nlohmann::json;

constexpr size_t kMaxDimensions = 32;

// What a JSON value that is neither a list nor an object is.
using Scalar = std::variant<std::nullptr_t, bool, int64_t, uint64_t, double, const std::string*>;

bool IsNull(const Scalar& value) { return std::holds_alternative<std::nullptr_t>(value); }

const std::string* TextOf(const Scalar& value) {
  const auto* text = std::get_if<const std::string*>(&value);
  return text == nullptr ? nullptr : *text;
}

// For a message.
std::string Shown(const Scalar& value) {
  struct Show {
    std::string operator()(std::nullptr_t) const { return "null"; }
    std::string operator()(bool one) const { return one ? "true" : "false"; }
    std::string operator()(int64_t one) const { return absl::StrCat(one); }
    std::string operator()(uint64_t one) const { return absl::StrCat(one); }
    std::string operator()(double one) const { return absl::StrCat(one); }
    std::string operator()(const std::string* one) const { return Quoted(*one, 64); }
  };
  return std::visit(Show{}, value);
}

// What the elements of an input are read as.
struct TensorForm {
  std::string datatype;
  std::vector<int64_t> shape;
};

template <typename T>
absl::Status AppendWhole(const Scalar& value, std::string& raw) {
  if (const auto* number = std::get_if<uint64_t>(&value); number != nullptr && std::in_range<T>(*number)) {
    PutNumber(raw, static_cast<T>(*number));
    return absl::OkStatus();
  }
  if (const auto* number = std::get_if<int64_t>(&value); number != nullptr && std::in_range<T>(*number)) {
    PutNumber(raw, static_cast<T>(*number));
    return absl::OkStatus();
  }
  return InvalidArgument("is ", Shown(value), ", must be a whole number from ", std::numeric_limits<T>::min(), " to ",
                         std::numeric_limits<T>::max());
}

template <typename T>
absl::Status AppendReal(const Scalar& value, std::string& raw) {
  T number = 0;
  if (const auto* real = std::get_if<double>(&value)) {
    number = static_cast<T>(*real);
    if (std::isinf(number)) return InvalidArgument("is ", Shown(value), ", which is beyond the datatype's range");
  } else if (const auto* positive = std::get_if<uint64_t>(&value)) {
    number = static_cast<T>(*positive);
  } else if (const auto* negative = std::get_if<int64_t>(&value)) {
    number = static_cast<T>(*negative);
  } else if (const std::string* text = TextOf(value); text != nullptr && *text == "NaN") {
    number = std::numeric_limits<T>::quiet_NaN();
  } else if (text != nullptr && (*text == "Infinity" || *text == "-Infinity")) {
    number = (*text)[0] == '-' ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::infinity();
  } else {
    return InvalidArgument("is ", Shown(value), ", must be a number, \"NaN\", \"Infinity\" or \"-Infinity\"");
  }
  PutNumber(raw, number);
  return absl::OkStatus();
}

absl::Status AppendElement(Datatype type, const Scalar& value, std::string& raw) {
  switch (type) {
    case Datatype::kBool:
      if (const auto* truth = std::get_if<bool>(&value)) {
        PutNumber<uint8_t>(raw, *truth ? 1 : 0);
        return absl::OkStatus();
      }
      return InvalidArgument("is ", Shown(value), ", must be true or false");
    case Datatype::kInt8:
      return AppendWhole<int8_t>(value, raw);
    case Datatype::kInt16:
      return AppendWhole<int16_t>(value, raw);
    case Datatype::kInt32:
      return AppendWhole<int32_t>(value, raw);
    case Datatype::kInt64:
      return AppendWhole<int64_t>(value, raw);
    case Datatype::kUint8:
      return AppendWhole<uint8_t>(value, raw);
    case Datatype::kUint16:
      return AppendWhole<uint16_t>(value, raw);
    case Datatype::kUint32:
      return AppendWhole<uint32_t>(value, raw);
    case Datatype::kUint64:
      return AppendWhole<uint64_t>(value, raw);
    case Datatype::kFp32:
      return AppendReal<float>(value, raw);
    case Datatype::kFp64:
      return AppendReal<double>(value, raw);
    case Datatype::kBytes:
      if (const std::string* text = TextOf(value)) {
        PutNumber<uint32_t>(raw, static_cast<uint32_t>(text->size()));
        raw.append(*text);
        return absl::OkStatus();
      }
      return InvalidArgument("is ", Shown(value), ", must be text");
    case Datatype::kFp16:
    case Datatype::kBf16:
      break;
  }
  return absl::InternalError("elements without a form in JSON");
}

// Takes the elements of one input, and knows whether they are where the shape says.
class ElementReader {
 public:
  // INVALID_ARGUMENT: elements of this form cannot come in JSON. `json_bytes`: of all the JSON.
  absl::Status Begin(const TensorForm& form, size_t json_bytes, std::string& raw) {
    const DatatypeInfo* info = FindDatatype(form.datatype);
    if (info == nullptr) {
      return InvalidArgument("datatype: is ", Quoted(form.datatype), ", must be one of ",
                             absl::StrJoin(kDatatypes, ", ", [](std::string* out, const DatatypeInfo& one) {
                               out->append(one.name.data(), one.name.size());
                             }));
    }
    if (info->datatype == Datatype::kFp16 || info->datatype == Datatype::kBf16) {
      return InvalidArgument(
          "data: elements of ", info->name,
          " have no form in JSON; send them as bytes behind it, with the parameter binary_data_size");
    }
    const std::optional<int64_t> count = ElementCount(form.shape);
    if (!count) return InvalidArgument("shape: ", ShapeText(form.shape), " has more elements than 2^62");
    type_ = info->datatype;
    shape_ = form.shape;
    expected_ = *count;
    nesting_ = Nesting::kUnknown;
    count_ = 0;
    lists_.assign(1, 0);
    raw_ = &raw;
    // An element takes at least two bytes of JSON.
    if (info->element_bytes > 0 && expected_ <= static_cast<int64_t>(json_bytes / 2)) {
      raw.reserve(static_cast<size_t>(expected_ * info->element_bytes));
    }
    return absl::OkStatus();
  }

  absl::Status Element(const Scalar& value) {
    if (nesting_ == Nesting::kUnknown) nesting_ = Nesting::kFlat;
    if (nesting_ == Nesting::kNested && lists_.size() != shape_.size()) {
      return InvalidArgument("data[", count_, "]: is in ", lists_.size(), " lists, but the shape ", ShapeText(shape_),
                             " has ", shape_.size(), " dimensions");
    }
    if (count_ == expected_) return TooMany();
    const absl::Status appended = AppendElement(type_, value, *raw_);
    if (!appended.ok()) return InvalidArgument("data[", count_, "]: ", appended.message());
    ++count_;
    ++lists_.back();
    return absl::OkStatus();
  }

  // A list begins within the list.
  absl::Status BeginList() {
    if (nesting_ == Nesting::kFlat) {
      return InvalidArgument("data: has a list behind ", count_, " elements, must have either lists or elements");
    }
    nesting_ = Nesting::kNested;
    if (lists_.size() >= shape_.size()) {
      return InvalidArgument("data: has more than ", lists_.size(), " lists in each other, but the shape is ",
                             ShapeText(shape_));
    }
    ++lists_.back();
    if (lists_.back() > shape_[lists_.size() - 1]) return WrongList();
    lists_.push_back(0);
    return absl::OkStatus();
  }

  // A list, which may be the last one, ends.
  absl::Status EndList() {
    if (nesting_ == Nesting::kNested && lists_.back() != shape_[lists_.size() - 1]) return WrongList();
    lists_.pop_back();
    if (!lists_.empty() || count_ == expected_) return absl::OkStatus();
    return InvalidArgument("data: has ", count_, " elements, but the shape ", ShapeText(shape_), " says ", expected_);
  }

 private:
  enum class Nesting { kUnknown, kFlat, kNested };

  absl::Status TooMany() const {
    return InvalidArgument("data: has more than ", expected_, " elements, as the shape ", ShapeText(shape_), " says");
  }
  absl::Status WrongList() const {
    const size_t level = lists_.size() - 1;
    return InvalidArgument("data: has a list with ", lists_.back() > shape_[level] ? "at least " : "", lists_.back(),
                           " entries at dimension ", level, ", but the shape is ", ShapeText(shape_));
  }

  Datatype type_ = Datatype::kBytes;
  std::vector<int64_t> shape_;
  int64_t expected_ = 0;
  Nesting nesting_ = Nesting::kUnknown;
  int64_t count_ = 0;           // of elements
  std::vector<int64_t> lists_;  // the lists that are open: their entries so far
  std::string* raw_ = nullptr;
};

// Members that an object may have, and those that it had.
class Members {
 public:
  explicit Members(absl::Span<const absl::string_view> names) : names_(names) {}

  // INVALID_ARGUMENT: there is no such member, or it was there already.
  absl::Status Add(absl::string_view name) {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end()) {
      return InvalidArgument(Quoted(name), " is not known; known are: ", absl::StrJoin(names_, ", "));
    }
    const uint32_t bit = 1u << (found - names_.begin());
    if ((seen_ & bit) != 0) return InvalidArgument(Quoted(name), " is there twice");
    seen_ |= bit;
    return absl::OkStatus();
  }

 private:
  absl::Span<const absl::string_view> names_;
  uint32_t seen_ = 0;
};

constexpr absl::string_view kRequestMembers[] = {"id",      "parameters", "inputs",
                                                 "outputs", "model_name", "model_version"};
constexpr absl::string_view kInputMembers[] = {"name", "shape", "datatype", "parameters", "data"};
constexpr absl::string_view kOutputMembers[] = {"name", "parameters"};

// Builds the request while the JSON is read, without a tree of it. The elements of an input can be read only once its
// datatype and shape are known. Where they come behind `data`, its elements are left out, and the JSON is to be read a
// second time with the forms that the first one found.
class JsonReader final : public nlohmann::json_sax<Json> {
 public:
  // `forms`: of all inputs, as another reader found them; null: they are not known yet. Outlives this.
  JsonReader(size_t json_bytes, const RestRequestLimits& limits, const std::vector<TensorForm>* forms)
      : json_bytes_(json_bytes), limits_(limits), known_forms_(forms) {}

  absl::Status Read(absl::string_view json) {
    Json::sax_parse(json.data(), json.data() + json.size(), this);
    return status_;
  }

  ModelInferRequest& message() { return message_; }
  const std::vector<TensorForm>& forms() const { return forms_; }
  bool needs_forms() const { return needs_forms_; }
  int64_t bytes() const { return bytes_; }
  // Of each input: its bytes behind the JSON, if it has any there.
  const std::vector<std::optional<int64_t>>& binary_sizes() const { return binary_sizes_; }

  bool null() override { return Value(nullptr); }
  bool boolean(bool value) override { return Value(value); }
  bool number_integer(number_integer_t value) override { return Value(int64_t{value}); }
  bool number_unsigned(number_unsigned_t value) override { return Value(uint64_t{value}); }
  bool number_float(number_float_t value, const string_t&) override { return Value(double{value}); }
  bool string(string_t& value) override { return Value(static_cast<const std::string*>(&value)); }
  bool binary(binary_t&) override { return Fail(absl::InternalError("JSON without binary values had one")); }
  bool start_object(size_t) override { return Begin(/*list=*/false); }
  bool start_array(size_t) override { return Begin(/*list=*/true); }
  bool end_object() override { return End(); }
  bool end_array() override { return End(); }

  bool key(string_t& name) override {
    key_ = std::move(name);
    switch (places_.back()) {
      case Place::kRequest:
        return Check(request_members_.Add(key_));
      case Place::kInput:
      case Place::kOutput:
        return CheckTensor(tensor_members_.Add(key_));
      case Place::kParameters:
        if (++parameters_ > limits_.max_parameters) {
          return Fail(absl::ResourceExhaustedError(
              absl::StrCat("the request has more than ", limits_.max_parameters, " parameters")));
        }
        return true;
      default:
        return true;
    }
  }

  bool parse_error(size_t position, const std::string&, const Json::exception&) override {
    return Fail(InvalidArgument("the body is not valid JSON: at byte ", position, " of ", json_bytes_));
  }

 private:
  // What is open.
  enum class Place { kRequest, kParameters, kInputs, kInput, kOutputs, kOutput, kShape, kData, kSkipped };

  bool Fail(absl::Status status) {
    if (status_.ok()) status_ = std::move(status);
    return false;
  }
  bool Check(absl::Status status) { return status.ok() || Fail(std::move(status)); }
  // About the input or output that is open, if one is.
  bool CheckTensor(const absl::Status& status) {
    if (status.ok()) return true;
    const auto is_open = [&](Place place) { return std::find(places_.begin(), places_.end(), place) != places_.end(); };
    const bool input = is_open(Place::kInput);
    if (!input && !is_open(Place::kOutput)) return Fail(status);
    const std::string field = input ? absl::StrCat("inputs[", message_.inputs_size() - 1, "]")
                                    : absl::StrCat("outputs[", message_.outputs_size() - 1, "]");
    const std::string& name = input ? message_.inputs(message_.inputs_size() - 1).name()
                                    : message_.outputs(message_.outputs_size() - 1).name();
    return Fail(WithField(
        InvalidArgument(field, name.empty() ? "" : absl::StrCat(" ", Quoted(name)), ": ", status.message()), field));
  }
  template <typename... Parts>
  bool FailTensor(const Parts&... parts) {
    return CheckTensor(InvalidArgument(parts...));
  }
  bool Open(Place place) {
    places_.push_back(place);
    if (places_.size() <= static_cast<size_t>(kMaxJsonLevels)) return true;
    return Fail(InvalidArgument("the body has more than ", kMaxJsonLevels, " levels of lists and objects"));
  }

  bool Value(const Scalar& value) {
    if (places_.empty()) return Fail(InvalidArgument("the body is ", Shown(value), ", must be an object"));
    switch (places_.back()) {
      case Place::kRequest:
        return RequestMember(value);
      case Place::kParameters:
        return Parameter(value);
      case Place::kInputs:
        return Fail(InvalidField(absl::StrCat("inputs[", message_.inputs_size(), "]"), "is ", Shown(value),
                                 ", must be an object"));
      case Place::kOutputs:
        return Fail(InvalidField(absl::StrCat("outputs[", message_.outputs_size(), "]"), "is ", Shown(value),
                                 ", must be an object"));
      case Place::kInput:
      case Place::kOutput:
        return TensorMember(value);
      case Place::kShape: {
        const auto* size = std::get_if<uint64_t>(&value);
        std::vector<int64_t>& shape = forms_.back().shape;
        if (size == nullptr || !std::in_range<int64_t>(*size)) {
          return FailTensor("shape[", shape.size(), "]: is ", Shown(value), ", must be a whole number from 0 to ",
                            std::numeric_limits<int64_t>::max());
        }
        if (shape.size() == kMaxDimensions) return FailTensor("shape: has more than ", kMaxDimensions, " dimensions");
        shape.push_back(static_cast<int64_t>(*size));
        return true;
      }
      case Place::kData:
        return CheckTensor(elements_.Element(value)) && CheckBytes();
      case Place::kSkipped:
        return true;
    }
    return true;
  }

  bool RequestMember(const Scalar& value) {
    if (IsNull(value) || key_ == "model_name" || key_ == "model_version") return true;
    if (key_ != "id") {
      return Fail(InvalidField(key_, "is ", Shown(value), ", must be ", key_ == "parameters" ? "an object" : "a list"));
    }
    const std::string* text = TextOf(value);
    if (text == nullptr) return Fail(InvalidField("id", "is ", Shown(value), ", must be text"));
    message_.set_id(*text);
    return true;
  }

  bool TensorMember(const Scalar& value) {
    if (IsNull(value)) return true;
    const std::string* text = TextOf(value);
    if (key_ != "name" && key_ != "datatype") {
      return FailTensor(key_, ": is ", Shown(value), ", must be ", key_ == "parameters" ? "an object" : "a list");
    }
    if (text == nullptr) return FailTensor(key_, ": is ", Shown(value), ", must be text");
    if (places_.back() == Place::kOutput) {
      message_.mutable_outputs(message_.outputs_size() - 1)->set_name(*text);
    } else if (key_ == "name") {
      message_.mutable_inputs(message_.inputs_size() - 1)->set_name(*text);
    } else {
      forms_.back().datatype = *text;
      has_datatype_ = true;
    }
    return true;
  }

  bool Parameter(const Scalar& value) {
    if (IsNull(value)) return true;
    InferParameter& parameter = (*open_parameters_)[key_];
    if (const auto* truth = std::get_if<bool>(&value)) parameter.set_bool_param(*truth);
    if (const auto* number = std::get_if<int64_t>(&value)) parameter.set_int64_param(*number);
    if (const auto* real = std::get_if<double>(&value)) parameter.set_double_param(*real);
    if (const std::string* text = TextOf(value)) parameter.set_string_param(*text);
    if (const auto* number = std::get_if<uint64_t>(&value)) {
      if (std::in_range<int64_t>(*number)) {
        parameter.set_int64_param(static_cast<int64_t>(*number));
      } else {
        parameter.set_uint64_param(*number);
      }
    }
    return true;
  }

  bool Begin(bool list) {
    const absl::string_view what = list ? "a list" : "an object";
    if (places_.empty()) {
      if (list) return Fail(InvalidArgument("the body is a list, must be an object"));
      return Open(Place::kRequest);
    }
    switch (places_.back()) {
      case Place::kRequest:
        if (key_ == "model_name" || key_ == "model_version") return Open(Place::kSkipped);
        if (key_ == "id") return Fail(InvalidField("id", "is ", what, ", must be text"));
        if (list != (key_ != "parameters")) {
          return Fail(InvalidField(key_, "is ", what, ", must be ", list ? "an object" : "a list"));
        }
        if (!list) return OpenParameters(*message_.mutable_parameters());
        return Open(key_ == "inputs" ? Place::kInputs : Place::kOutputs);
      case Place::kParameters:
        if (key_ == "headers") return Open(Place::kSkipped);  // a hint, and an object in MLServer's messages
        return CheckTensor(
            InvalidField("parameters", Quoted(key_), " is ", what, ", must be text, a number, or true or false"));
      case Place::kInputs:
      case Place::kOutputs:
        return BeginTensor(list);
      case Place::kInput:
        if (list && key_ == "shape") {
          has_shape_ = true;
          return Open(Place::kShape);
        }
        if (list && key_ == "data") return BeginData();
        [[fallthrough]];
      case Place::kOutput:
        if (!list && key_ == "parameters") {
          return OpenParameters(places_.back() == Place::kInput
                                    ? *message_.mutable_inputs(message_.inputs_size() - 1)->mutable_parameters()
                                    : *message_.mutable_outputs(message_.outputs_size() - 1)->mutable_parameters());
        }
        return FailTensor(key_, ": is ", what, ", must be ",
                          key_ == "parameters"                ? "an object"
                          : key_ == "shape" || key_ == "data" ? "a list"
                                                              : "text");
      case Place::kShape:
        return FailTensor("shape[", forms_.back().shape.size(), "]: is ", what, ", must be a whole number");
      case Place::kData:
        if (!list) return FailTensor("data: has an object, must have elements or lists");
        return CheckTensor(elements_.BeginList()) && Open(Place::kData);
      case Place::kSkipped:
        return Open(Place::kSkipped);
    }
    return true;
  }

  bool OpenParameters(InferParameters& parameters) {
    open_parameters_ = &parameters;
    return Open(Place::kParameters);
  }

  bool BeginTensor(bool list) {
    const bool input = places_.back() == Place::kInputs;
    if (list) {
      return Fail(InvalidField(input ? absl::StrCat("inputs[", message_.inputs_size(), "]")
                                     : absl::StrCat("outputs[", message_.outputs_size(), "]"),
                               "is a list, must be an object"));
    }
    if (message_.inputs_size() + message_.outputs_size() == limits_.max_tensors) {
      return Fail(absl::ResourceExhaustedError(
          absl::StrCat("the request has more than ", limits_.max_tensors, " inputs and outputs")));
    }
    tensor_members_ = Members(input ? absl::MakeConstSpan(kInputMembers) : absl::MakeConstSpan(kOutputMembers));
    if (!input) {
      message_.add_outputs();
      return Open(Place::kOutput);
    }
    message_.add_inputs();
    message_.add_raw_input_contents();
    forms_.emplace_back();
    has_shape_ = has_datatype_ = has_data_ = false;
    return Open(Place::kInput);
  }

  bool BeginData() {
    has_data_ = true;
    if (known_forms_ == nullptr && !(has_shape_ && has_datatype_)) {
      needs_forms_ = true;
      return Open(Place::kSkipped);
    }
    const TensorForm& form = known_forms_ == nullptr ? forms_.back() : (*known_forms_)[forms_.size() - 1];
    std::string& raw = *message_.mutable_raw_input_contents(message_.inputs_size() - 1);
    return CheckTensor(elements_.Begin(form, json_bytes_, raw)) && Open(Place::kData);
  }

  // Of the elements that were read so far.
  bool CheckBytes() {
    const std::string& raw = message_.raw_input_contents(message_.inputs_size() - 1);
    if (bytes_ + static_cast<int64_t>(raw.size()) <= limits_.max_bytes) return true;
    return Fail(absl::ResourceExhaustedError(
        absl::StrCat("the elements of the inputs have more than --max_message_bytes=", limits_.max_bytes, " bytes")));
  }

  bool End() {
    const Place place = places_.back();
    // A list within `data` stands in another one.
    if (place == Place::kData && !CheckTensor(elements_.EndList())) return false;
    if (place == Place::kInput && !EndInput()) return false;
    places_.pop_back();
    return true;
  }

  bool EndInput() {
    ModelInferRequest::InferInputTensor& input = *message_.mutable_inputs(message_.inputs_size() - 1);
    if (input.name().empty()) return FailTensor("name is missing");
    if (!has_datatype_) return FailTensor("datatype is missing");
    if (!has_shape_) return FailTensor("shape is missing");
    const InferParameters& parameters = input.parameters();
    const auto size = parameters.find("binary_data_size");
    binary_sizes_.emplace_back();
    if (size != parameters.end()) {
      const absl::StatusOr<int64_t> bytes = ToInteger("binary_data_size", size->second);
      if (!bytes.ok()) return CheckTensor(bytes.status());
      if (*bytes < 0) return FailTensor("parameters: \"binary_data_size\" is ", *bytes, ", must be at least 0");
      if (has_data_) return FailTensor("has data and the parameter binary_data_size, must have one of them");
      binary_sizes_.back() = *bytes;
    } else if (!has_data_ && parameters.find("shared_memory_region") == parameters.end()) {
      return FailTensor("has neither data nor the parameter binary_data_size");
    }
    input.set_datatype(forms_.back().datatype);
    input.mutable_shape()->Assign(forms_.back().shape.begin(), forms_.back().shape.end());
    bytes_ += static_cast<int64_t>(message_.raw_input_contents(message_.inputs_size() - 1).size());
    return true;
  }

  const size_t json_bytes_;
  const RestRequestLimits limits_;
  const std::vector<TensorForm>* const known_forms_;

  absl::Status status_;
  ModelInferRequest message_;
  std::vector<TensorForm> forms_;
  std::vector<std::optional<int64_t>> binary_sizes_;
  bool needs_forms_ = false;
  int64_t bytes_ = 0;  // of the inputs that are whole
  int parameters_ = 0;

  std::vector<Place> places_;
  std::string key_;
  Members request_members_{kRequestMembers};
  Members tensor_members_{kInputMembers};
  InferParameters* open_parameters_ = nullptr;
  bool has_shape_ = false;  // the input that is open
  bool has_datatype_ = false;
  bool has_data_ = false;
  ElementReader elements_;
};

// Moves the bytes behind the JSON to the inputs whose they are.
absl::Status TakeBinary(absl::string_view bytes, const std::vector<std::optional<int64_t>>& sizes,
                        int64_t json_elements, const RestRequestLimits& limits, ModelInferRequest& message) {
  if (static_cast<int64_t>(bytes.size()) + json_elements > limits.max_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the elements of the inputs have more than --max_message_bytes=", limits.max_bytes, " bytes"));
  }
  for (int i = 0; i < message.inputs_size(); ++i) {
    const std::optional<int64_t>& size = sizes[static_cast<size_t>(i)];
    if (!size) continue;
    const ModelInferRequest::InferInputTensor& input = message.inputs(i);
    const std::string field = absl::StrCat("inputs[", i, "]");
    const auto wrong = [&](const auto&... what) {
      return WithField(InvalidArgument(field, " ", Quoted(input.name()), ": parameters: \"binary_data_size\" is ",
                                       *size, ", but ", what...),
                       field);
    };
    if (*size > static_cast<int64_t>(bytes.size())) return wrong(bytes.size(), " bytes are left behind the JSON");
    const DatatypeInfo* info = FindDatatype(input.datatype());
    if (info != nullptr && info->element_bytes > 0) {
      const std::optional<int64_t> count = ElementCount(input.shape());
      if (!count || *count > std::numeric_limits<int64_t>::max() / info->element_bytes ||
          *count * info->element_bytes != *size) {
        return wrong("the shape ", ShapeText(input.shape()), " says ", count ? absl::StrCat(*count) : "more than 2^62",
                     " elements of ", info->element_bytes, " bytes");
      }
    }
    message.set_raw_input_contents(i, bytes.data(), static_cast<size_t>(*size));
    bytes.remove_prefix(static_cast<size_t>(*size));
  }
  if (bytes.empty()) return absl::OkStatus();
  return InvalidArgument("the body has ", bytes.size(), " bytes behind those of the inputs' binary_data_size");
}

absl::Status ReadOutputForms(const ModelInferRequest& message, OutputForms& forms) {
  const auto all = message.parameters().find("binary_data_output");
  if (all != message.parameters().end()) {
    HEED_ASSIGN_OR_RETURN(forms.binary, ToBool("binary_data_output", all->second));
  }
  for (int i = 0; i < message.outputs_size(); ++i) {
    const ModelInferRequest::InferRequestedOutputTensor& output = message.outputs(i);
    const auto one = output.parameters().find("binary_data");
    if (one == output.parameters().end()) continue;
    const absl::StatusOr<bool> binary = ToBool("binary_data", one->second);
    if (!binary.ok()) return WithinField(absl::StrCat("outputs[", i, "]"), binary.status());
    forms.each[output.name()] = *binary;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RestRequest> ReadRestRequest(absl::string_view body, std::optional<int64_t> json_bytes,
                                            const RestRequestLimits& limits) {
  if (json_bytes && (*json_bytes <= 0 || *json_bytes > static_cast<int64_t>(body.size()))) {
    return InvalidArgument("Inference-Header-Content-Length is ", *json_bytes, ", must be the JSON's bytes: 1 to ",
                           body.size(), ", as the body has");
  }
  const absl::string_view json = body.substr(0, json_bytes ? static_cast<size_t>(*json_bytes) : body.size());
  RestRequest request;
  const auto finish = [&](JsonReader& reader) -> absl::StatusOr<RestRequest> {
    request.message = std::move(reader.message());
    HEED_RETURN_IF_ERROR(
        TakeBinary(body.substr(json.size()), reader.binary_sizes(), reader.bytes(), limits, request.message));
    HEED_RETURN_IF_ERROR(ReadOutputForms(request.message, request.outputs));
    return std::move(request);
  };
  JsonReader reader(json.size(), limits, nullptr);
  HEED_RETURN_IF_ERROR(reader.Read(json));
  if (!reader.needs_forms()) return finish(reader);
  reader.message().Clear();
  JsonReader second(json.size(), limits, &reader.forms());
  HEED_RETURN_IF_ERROR(second.Read(json));
  return finish(second);
}

}  // namespace heed
