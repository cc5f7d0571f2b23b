// SPDX-License-Identifier: Apache-2.0
// Cuts a document into units.
#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "models/markup/markup_document.h"
#include "models/markup/markup_structure.h"
#include "models/markup/markup_tokens.h"
#include "models/markup/unit_plan.h"

namespace heed {

struct CutUnits {
  std::vector<MarkupUnit> units;
  std::vector<UnitPlan> plans;  // one for each
};

// Takes linear time. `roles`: one for each token.
CutUnits CutIntoUnits(absl::string_view source, MarkupKind kind, const std::vector<MarkupToken>& tokens,
                      const std::vector<TokenRole>& roles);

}  // namespace heed
