// SPDX-License-Identifier: Apache-2.0
#include "models/text/lower_case.h"

#include <unicode/bytestream.h>
#include <unicode/casemap.h>

#include "base/check.h"

namespace heed {

std::string LowerCase(absl::string_view text) {
  std::string lower;
  icu::StringByteSink<std::string> sink(&lower, static_cast<int32_t>(text.size()));
  UErrorCode error = U_ZERO_ERROR;
  icu::CaseMap::utf8ToLower("", 0, {text.data(), static_cast<int32_t>(text.size())}, sink, nullptr, error);
  HEED_CHECK(U_SUCCESS(error));
  return lower;
}

}  // namespace heed
