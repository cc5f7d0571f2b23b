// SPDX-License-Identifier: Apache-2.0
// Durations of messages as numbers.
#pragma once

#include "google/protobuf/duration.pb.h"

namespace heed::client {

inline double ToSeconds(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) + duration.nanos() / 1e9;
}

}  // namespace heed::client
