// SPDX-License-Identifier: Apache-2.0
// The kinds of models in the Open Inference Protocol.
#pragma once

#include <memory>

#include "models/kinds/model.h"
#include "server/oip/infer_front.h"

namespace heed {

// What a model's metadata says of its tensors.
ModelTensors TensorsOf(const Model& model);

// A front for one request. `model` outlives it.
std::unique_ptr<InferFront> MakeInferFront(const Model& model, const InferLimits& limits);

}  // namespace heed
