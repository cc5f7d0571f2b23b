// SPDX-License-Identifier: Apache-2.0
// The tensors of graph models.
#pragma once

#include <memory>

#include "models/kinds/model.h"
#include "server/oip/infer_front.h"

namespace heed {

// `model` is a GraphClassifier.
ModelTensors GraphTensors(const Model& model);
// `model` is a GraphClassifier and outlives the front.
std::unique_ptr<InferFront> MakeGraphFront(const Model& model, const InferLimits& limits);

}  // namespace heed
