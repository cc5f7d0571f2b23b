// SPDX-License-Identifier: Apache-2.0
// What a task other than reading from left to right gives to each step of an XLNet.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "models/language/causal_network.h"
#include "models/xlnet/xlnet_pass.h"

namespace heed {

// Rows that a task gives to a step at most, but for a text that has more: all its tokens see each other.
inline constexpr int64_t kXlnetStepRows = 1024;

// Implemented by tasks.
class XlnetTask {
 public:
  virtual ~XlnetTask() = default;
  // Layers that its rows go through.
  virtual int64_t depth() const = 0;
  // Appends its part of the next step, which points into the task until Take; and one query for each output, if it
  // asks what is likely there.
  virtual void AppendPasses(std::vector<XlnetPass>& passes, std::vector<NextTokenQuery>& queries) = 0;
  virtual bool asks() const { return false; }
  // The step is done: its outputs [outputs, d_model], and an answer for each if it asks.
  virtual void Take(ConstMatrixView outputs, absl::Span<NextTokenAnswer> answers, Context& context) = 0;
};

}  // namespace heed
