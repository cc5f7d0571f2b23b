// SPDX-License-Identifier: Apache-2.0
#include "models/layers/recurrent_cell.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/kernels/kernels.h"

namespace heed {
namespace {

// The work of a gate beside its products, in multiply-adds: exponentials and divisions.
constexpr int64_t kWorkPerGate = 16;

}  // namespace

absl::StatusOr<RecurrentCell> RecurrentCell::Load(const WeightReader& scope, absl::string_view suffix, CellKind kind,
                                                  int64_t inputs, int64_t hidden_size) {
  const int64_t gates = (kind == CellKind::kGru ? 3 : 4) * hidden_size;
  const auto layer = [&](const char* side, int64_t in) {
    return scope.ReadLinearOf(absl::StrCat("weight_", side, suffix), absl::StrCat("bias_", side, suffix), gates, in,
                              Activation::kNone, PreferredBackend(RowCount::kFew));
  };
  RecurrentCell cell;
  cell.kind_ = kind;
  cell.hidden_size_ = hidden_size;
  HEED_ASSIGN_OR_RETURN(cell.input_, layer("ih", inputs));
  HEED_ASSIGN_OR_RETURN(cell.recurrent_, layer("hh", hidden_size));
  return cell;
}

void RecurrentCell::Advance(absl::FunctionRef<const float*(int64_t row)> projected, MatrixView hidden, MatrixView cell,
                            Context& context) const {
  const Arena::Scope scope(context.arena);
  const MatrixView recurrent = TakeMatrix(context.arena, hidden.rows, gates());
  recurrent_.Apply(hidden, recurrent, context);
  RunRows(context.team, hidden.rows, kWorkPerGate * gates(), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      if (kind_ == CellKind::kGru) {
        GruCell(projected(i), recurrent.row(i), hidden_size_, hidden.row(i));
      } else {
        LstmCell(projected(i), recurrent.row(i), hidden_size_, hidden.row(i), cell.row(i));
      }
    }
  });
}

}  // namespace heed
