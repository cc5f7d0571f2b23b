// SPDX-License-Identifier: Apache-2.0
// The tensors of sequence models.
#pragma once

#include <memory>

#include "models/kinds/model.h"
#include "server/oip/infer_front.h"

namespace heed {

// `model` is a SequenceModel.
ModelTensors SequenceTensors(const Model& model);
// `model` is a SequenceModel and outlives the front.
std::unique_ptr<InferFront> MakeSequenceFront(const Model& model, const InferLimits& limits);

}  // namespace heed
