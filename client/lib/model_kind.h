// SPDX-License-Identifier: Apache-2.0
// What models are, as people name it.
#pragma once

#include <string>

#include "heed/v1/models.pb.h"

namespace heed::client {

// "node-classifier" for MODEL_KIND_NODE_CLASSIFIER. Empty: the kind is not known (yet).
std::string KindName(v1::ModelKind kind);

// "int8" for PRECISION_INT8. Empty: the server does not say, or not yet.
std::string PrecisionName(v1::Precision precision);

}  // namespace heed::client
