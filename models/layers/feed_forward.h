// SPDX-License-Identifier: Apache-2.0
// The position-wise feed-forward network (Vaswani et al. 2017, section 3.3): FFN(x) = W2 activation(W1 x + b1) + b2.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "engine/linear/linear.h"
#include "models/layers/weight_reader.h"

namespace heed {

// Immutable once loaded; thread-safe.
class FeedForward {
 public:
  // Reads the layers `first` [inner, d_model] and `second` [d_model, inner].
  static absl::StatusOr<FeedForward> Load(const WeightReader& reader, absl::string_view first, absl::string_view second,
                                          int64_t d_model, int64_t inner, Activation activation, GemmBackend backend);

  // x [rows, d_model]: x += FFN(x).
  void AddTo(MatrixView x, Context& context) const;
  // Of one row.
  int64_t multiply_adds() const { return first_.in() * first_.out() + second_.in() * second_.out(); }

 private:
  Linear first_, second_;
};

}  // namespace heed
