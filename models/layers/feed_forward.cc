// SPDX-License-Identifier: Apache-2.0
#include "models/layers/feed_forward.h"

#include "base/status_macros.h"

namespace heed {

absl::StatusOr<FeedForward> FeedForward::Load(const WeightReader& reader, absl::string_view first,
                                              absl::string_view second, int64_t d_model, int64_t inner,
                                              Activation activation, GemmBackend backend) {
  FeedForward layer;
  HEED_ASSIGN_OR_RETURN(layer.first_, reader.ReadLinears({first}, inner, d_model, activation, backend));
  HEED_ASSIGN_OR_RETURN(layer.second_, reader.ReadLinears({second}, d_model, inner, Activation::kNone, backend));
  return layer;
}

void FeedForward::AddTo(MatrixView x, Context& context) const {
  Arena::Scope scope(context.arena);
  const MatrixView inner = TakeMatrix(context.arena, x.rows, first_.out());
  first_.Apply(x, inner, context);
  second_.AddTo(inner, x, context);
}

}  // namespace heed
