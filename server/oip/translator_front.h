// SPDX-License-Identifier: Apache-2.0
// The tensors of translators.
#pragma once

#include <memory>

#include "models/kinds/model.h"
#include "server/oip/infer_front.h"

namespace heed {

// `model` is a Translator.
ModelTensors TranslatorTensors(const Model& model);
// `model` is a Translator and outlives the front.
std::unique_ptr<InferFront> MakeTranslatorFront(const Model& model, const InferLimits& limits);

}  // namespace heed
