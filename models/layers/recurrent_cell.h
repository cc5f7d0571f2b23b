// SPDX-License-Identifier: Apache-2.0
// One layer of recurrent units, a step at a time: gated recurrent units (Cho et al. 2014) and LSTM (Hochreiter and
// Schmidhuber 1997), with the names and the equations of torch.nn.GRU and torch.nn.LSTM.
//
// A step is h' = Cell(W_ih x + b_ih, W_hh h + b_hh). The first term needs no state: Project computes it for all inputs
// at once, Advance does the rest.
#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "engine/linear/linear.h"
#include "models/layers/weight_reader.h"

namespace heed {

enum class CellKind { kGru, kLstm };

// Immutable after load, thread-safe. What a row gets does not depend, to the bit, on the rows beside it.
class RecurrentCell {
 public:
  // Reads weight_ih, weight_hh, bias_ih and bias_hh of the scope, each with `suffix` at the end of its name: "_l0",
  // "_l1_reverse". The layers are packed for few rows: also an encoder mostly sees one short sentence at a time.
  static absl::StatusOr<RecurrentCell> Load(const WeightReader& scope, absl::string_view suffix, CellKind kind,
                                            int64_t inputs, int64_t hidden_size);
  RecurrentCell() = default;

  CellKind kind() const { return kind_; }
  int64_t hidden_size() const { return hidden_size_; }
  int64_t gates() const { return input_.out(); }  // values of all gates: 3 or 4 hidden_size
  int64_t multiply_adds() const { return input_.in() * input_.out() + recurrent_.in() * recurrent_.out(); }

  // projected [rows, gates()] = W_ih x + b_ih, for x [rows, inputs]; `projected` has room for PaddedStride(gates()).
  void Project(ConstMatrixView x, MatrixView projected, Context& context) const { input_.Apply(x, projected, context); }
  // Advances hidden [rows, hidden_size], and for LSTM cell [rows, hidden_size], by one step, in place. projected(row)
  // points to the row's gates() projected values; it is called on the team's threads.
  void Advance(absl::FunctionRef<const float*(int64_t row)> projected, MatrixView hidden, MatrixView cell,
               Context& context) const;

 private:
  CellKind kind_ = CellKind::kGru;
  int64_t hidden_size_ = 0;
  Linear input_;      // W_ih, b_ih
  Linear recurrent_;  // W_hh, b_hh
};

}  // namespace heed
