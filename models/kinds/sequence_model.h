// SPDX-License-Identifier: Apache-2.0
// Sequences of rows of numbers as a typed front: rows in, rows out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "models/kinds/model.h"

namespace heed {

inline constexpr int64_t kMaxSequenceRows = 65536;  // of one request, blank rows included

struct SequenceRequest {
  int64_t width = 0;          // the model's input width, or that of its frame's data
  std::vector<float> values;  // row-major [rows, width]
  // With rows of data: of a model that repeats them; none: 1.
  std::optional<int64_t> repeats;
  // With rows of the input width: blank rows to append, whose outputs alone are wanted; none: the outputs of all rows.
  std::optional<int64_t> answer_rows;
};

struct SequenceResult {
  int64_t width = 0;
  std::vector<float> values;  // row-major [rows, width]
};

// A sequence being read: each row is one row of a step.
class SequenceTask : public Task {
 public:
  // Set once finished() without an error.
  virtual const SequenceResult& result() const = 0;
};

// Thread-safe, immutable.
class SequenceModel : public Model {
 public:
  ModelKind kind() const final { return ModelKind::kSequenceModel; }
  // Reads two rows of ones.
  absl::Status Probe(Context& context) const override;

  virtual int64_t input_width() const = 0;
  virtual int64_t output_width() const = 0;
  virtual int64_t data_width() const = 0;  // of the frame's rows; 0: no frame

  // Validates, on the caller's thread: INVALID_ARGUMENT names the field and both values.
  virtual absl::StatusOr<std::unique_ptr<SequenceTask>> Start(SequenceRequest request) const = 0;
};

}  // namespace heed
