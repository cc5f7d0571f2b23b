// SPDX-License-Identifier: Apache-2.0
// What one stream asks of a step of an XLNet: rows, and what each of them sees.
//
// The paper's masks are sets here: a row lists the keys that it sees, and a token that no row sees has no row.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "models/xlnet/xlnet_keys.h"

namespace heed {

// Keys [begin, end) of a pass.
struct KeyRange {
  int64_t begin = 0, end = 0;
};

// A row without a token: of the query stream (Yang et al. 2019, section 2.3).
inline constexpr int32_t kQueryRow = -1;

struct XlnetRow {
  int32_t token = kQueryRow;  // of a row of the content stream
  uint8_t type = 0;           // of its segment; only with XlnetPass::has_types
  int64_t position = 0;
  // Ascending, not overlapping, at least one key. A content row sees itself in the paper, so its own key is among them.
  // What it points to outlives the step.
  absl::Span<const KeyRange> sees;
  bool is_output = false;                   // of a content row; query rows are
  std::vector<float>* attention = nullptr;  // out, of an output, if not null: [keys] the last layer's weights, the mean
                                            // of its heads; 0 for what it does not see
};

// One stream. Its keys are those that `held` holds before `first_key`, then those of the content rows in order, which
// are counted from first_key on.
struct XlnetPass {
  XlnetKeys* held = nullptr;
  int64_t first_key = 0;                     // at most held->size(); 0 without
  absl::Span<const int64_t> held_positions;  // by their count; empty: their count is their position
  bool keep = false;                         // the content rows' keys are put into `held`, from first_key on
  bool has_types = false;                    // without, the scores' third term is left out. Only without held keys
  std::vector<XlnetRow> rows;                // content rows first

  int64_t FirstHeld() const { return held == nullptr ? first_key : held->first(); }
};

}  // namespace heed
