// SPDX-License-Identifier: Apache-2.0
// Puts the tags of a unit into its translation.
#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "models/markup/markup_document.h"
#include "models/markup/unit_plan.h"

namespace heed {

// Appends bytes [begin, end) of the source, with what is translated in them.
using CopySource = absl::FunctionRef<void(uint32_t begin, uint32_t end, std::string& out)>;

// Appends `translation` of `unit`, with every tag and every kept range of the plan once. Takes time linear in both, up
// to a logarithm.
//
// Tags make a tree: elements, and what stands for itself. Each element gets a stretch of the target's words within its
// parent's: the one in which the words aligned with its own outweigh the others most. Stretches of siblings do not
// overlap, so that the tree is nested as before, whatever the alignment says. An element of which only one tag is in
// the unit reaches to the unit's (or its parent's) end, or begin.
void PlaceTags(const MarkupUnit& unit, const UnitPlan& plan, const TranslatedUnit& translation, CopySource copy,
               std::string& out);

}  // namespace heed
