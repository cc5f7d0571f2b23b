// SPDX-License-Identifier: Apache-2.0
#include "server/sessions/session.h"

#include <algorithm>

namespace heed {

int64_t Session::bytes() const {
  auto bytes = static_cast<int64_t>(sizeof(*this) + id.size() + model_name.size() + fingerprint.size());
  for (const RequestRecord& record : records) {
    bytes += static_cast<int64_t>(sizeof(record) + record.request_id.size() + record.response.size());
  }
  return bytes + state->bytes();
}

const RequestRecord* Session::FindRecord(absl::string_view request_id) const {
  for (const RequestRecord& record : records) {
    if (record.request_id == request_id) return &record;
  }
  return nullptr;
}

}  // namespace heed
