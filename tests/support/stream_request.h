// SPDX-License-Identifier: Apache-2.0
// A TranslateRequest as the request of a stream.
#pragma once

#include "heed/v1/translation.pb.h"

namespace heed {

// The fields are the same, and have the same numbers.
inline v1::TranslateStreamRequest StreamRequestOf(const v1::TranslateRequest& request) {
  v1::TranslateStreamRequest stream;
  stream.ParseFromString(request.SerializeAsString());
  return stream;
}

}  // namespace heed
