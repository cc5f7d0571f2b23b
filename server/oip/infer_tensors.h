// SPDX-License-Identifier: Apache-2.0
// The Open Inference Protocol's tensors: a request's inputs checked and read, a response's outputs written. Knows
// nothing of what they mean.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "inference.pb.h"

namespace heed {

// The protocol's datatypes that our models' tensors have.
enum class TensorType { kBytes, kFp32, kInt64 };
absl::string_view DatatypeName(TensorType type);

inline constexpr int64_t kAnySize = -1;

// What a model says of a tensor.
struct TensorSpec {
  std::string name;
  TensorType type = TensorType::kBytes;
  std::vector<int64_t> shape;  // kAnySize: of any size
  bool optional = false;       // an input that may be absent; an output that is given only when it is named
  std::string help;            // in a few words
  bool in_streams = false;     // an optional output that streams give without being asked
};

// A request's inputs, all checked. Immutable.
class InputTensors {
 public:
  using Elements = std::variant<std::vector<std::string>, std::vector<float>, std::vector<int64_t>>;

  // INVALID_ARGUMENT names the input, the field and both values: an input that is unknown, missing or there twice;
  // another datatype or shape; a parameter that is no hint; elements that are not as many as the shape says, in more
  // than one place, or not what their encoding says. Takes no more memory than the request's own elements.
  static absl::StatusOr<InputTensors> Read(const inference::ModelInferRequest& request,
                                           absl::Span<const TensorSpec> specs);

  bool Has(absl::string_view name) const { return tensors_.find(name) != tensors_.end(); }
  // Of an input that is there, and of that type.
  const std::vector<int64_t>& shape(absl::string_view name) const { return At(name).shape; }
  const std::vector<std::string>& strings(absl::string_view name) const {
    return std::get<std::vector<std::string>>(At(name).elements);
  }
  const std::vector<float>& floats(absl::string_view name) const {
    return std::get<std::vector<float>>(At(name).elements);
  }
  const std::vector<int64_t>& integers(absl::string_view name) const {
    return std::get<std::vector<int64_t>>(At(name).elements);
  }
  // Of all texts: code points. With CheckMessage's, what the request counts for its sender's limits.
  int64_t characters() const;

 private:
  struct Tensor {
    std::vector<int64_t> shape;
    Elements elements;
  };
  // `raw`: the input's elements; null if they are in its own contents. The error is about the input.
  absl::Status Add(const inference::ModelInferRequest::InferInputTensor& input, const std::string* raw,
                   absl::Span<const TensorSpec> specs);
  const Tensor& At(absl::string_view name) const { return tensors_.find(name)->second; }

  std::map<std::string, Tensor, std::less<>> tensors_;
};

// The outputs that a request wants, of those that a model gives; and the response that they are written to.
class OutputTensors {
 public:
  // All of `specs` but the optional ones, or those that the request names. `stream`: the request came on a stream.
  // INVALID_ARGUMENT: one is unknown or named twice, or has a parameter that is no hint. `specs` outlives it.
  static absl::StatusOr<OutputTensors> Choose(const inference::ModelInferRequest& request,
                                              absl::Span<const TensorSpec> specs, bool stream = false);

  bool Wants(absl::string_view name) const { return wanted_.find(name) != wanted_.end(); }
  // Of an output that is one of `specs`, row-major; nothing happens if it is not wanted.
  void Set(absl::string_view name, std::vector<int64_t> shape, const std::vector<std::string>& elements);
  void Set(absl::string_view name, std::vector<int64_t> shape, absl::Span<const float> elements);
  void Set(absl::string_view name, std::vector<int64_t> shape, absl::Span<const int64_t> elements);

  // Appends those that were set since the last time, in the order in which they are wanted.
  void MoveTo(inference::ModelInferResponse& response);

 private:
  struct Output {
    std::vector<int64_t> shape;
    std::string raw;
    bool set = false;
  };
  template <typename T>
  void SetNumbers(absl::string_view name, std::vector<int64_t> shape, absl::Span<const T> elements);

  std::vector<const TensorSpec*> order_;
  std::map<std::string, Output, std::less<>> wanted_;
};

}  // namespace heed
