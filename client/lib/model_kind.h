// SPDX-License-Identifier: Apache-2.0
// The kinds of models, as people name them.
#pragma once

#include <string>

#include "heed/v1/models.pb.h"

namespace heed::client {

// "node-classifier" for MODEL_KIND_NODE_CLASSIFIER. Empty: the kind is not known (yet).
std::string KindName(v1::ModelKind kind);

}  // namespace heed::client
