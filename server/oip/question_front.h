// SPDX-License-Identifier: Apache-2.0
// The tensors of question answerers.
#pragma once

#include <memory>

#include "models/kinds/model.h"
#include "server/oip/infer_front.h"

namespace heed {

// `model` is a QuestionAnswerer.
ModelTensors QuestionTensors(const Model& model);
// `model` is a QuestionAnswerer and outlives the front.
std::unique_ptr<InferFront> MakeQuestionFront(const Model& model, const InferLimits& limits);

}  // namespace heed
