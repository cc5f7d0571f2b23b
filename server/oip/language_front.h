// SPDX-License-Identifier: Apache-2.0
// Language models in the Open Inference Protocol: texts in; scores, generated texts, labels, answers or vectors out, by
// what the model's weights have a head for.
#pragma once

#include <memory>

#include "server/oip/infer_front.h"

namespace heed {

ModelTensors LanguageTensors(const Model& model);
std::unique_ptr<InferFront> MakeLanguageFront(const Model& model, const InferLimits& limits);

}  // namespace heed
