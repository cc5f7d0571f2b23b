// SPDX-License-Identifier: Apache-2.0
// A model: immutable weights that advance tasks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "engine/core/context.h"
#include "engine/linear/precision.h"
#include "engine/linear/quantization_error.h"
#include "models/kinds/kind.h"
#include "models/kinds/task.h"

namespace heed {

// What a loaded model says about itself. Constant.
struct ModelSpec {
  std::string name;             // the directory's
  std::string architecture;     // model_type of config.json: "marian"
  std::string source_language;  // empty where the files do not tell
  std::string target_language;
  int64_t weights = 0;                    // number of weights
  int64_t resident_bytes = 0;             // memory that the weights take as packed for the kernels
  Precision precision = Precision::kF32;  // in which its linear layers are computed
  std::string kernel;                     // what multiplies in that precision on this machine (KernelName)
  // Of the linear layers in 8 bits.
  std::vector<QuantizationError> quantization_errors;
  // What its directory says that has no effect here, though its author may think so: logged once when it is loaded.
  std::vector<std::string> warnings;
  std::string fingerprint;  // hash of configuration and weights, and a precision but f32, of models whose sessions are
                            // kept; else empty
};

// Immutable after load; used by many threads at once.
class Model {
 public:
  virtual ~Model() = default;

  virtual const ModelSpec& spec() const = 0;
  // Which interface it has: that of the kind derives from this class.
  virtual ModelKind kind() const = 0;
  // Advances each of `tasks`, all started by this model and none finished, by one step. A task that fails gets its
  // error and harms no other; a task's results never depend, to the bit, on the tasks beside it.
  virtual void Step(absl::Span<Task* const> tasks, Context& context) const = 0;
  // Takes a small input of its kind to the end, which meets every weight, brings them into memory and fills the caches
  // of the kernels. Not OK: the model cannot answer, and why. On the caller's thread.
  virtual absl::Status Probe(Context& context) const = 0;
};

// The model as the interface of its kind, which must be T.
template <typename T>
const T& ModelAs(const Model& model) {
  const auto* as = dynamic_cast<const T*>(&model);
  HEED_CHECK(as != nullptr);
  return *as;
}
template <typename T>
std::shared_ptr<const T> ModelAs(std::shared_ptr<const Model> model) {
  auto as = std::dynamic_pointer_cast<const T>(std::move(model));
  HEED_CHECK(as != nullptr);
  return as;
}

}  // namespace heed
