// SPDX-License-Identifier: Apache-2.0
#include "server/messages/page_token.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/invalid_argument.h"

namespace heed {

absl::StatusOr<PageRequest> ReadPageRequest(int32_t page_size, absl::string_view page_token, absl::string_view list) {
  if (page_size < 0) return InvalidField("page_size", page_size, ", must be at least 0");
  PageRequest page;
  if (page_size > 0) page.size = std::min<int64_t>(page_size, kMaxPageSize);
  if (page_token.empty()) return page;
  std::string decoded;
  absl::string_view key;
  if (absl::WebSafeBase64Unescape(page_token, &decoded)) {
    key = decoded;
    if (!absl::ConsumePrefix(&key, absl::StrCat(list, ":"))) key = {};
  }
  if (key.empty()) return InvalidField("page_token", "is not a next_page_token of this method");
  page.after = std::string(key);
  return page;
}

std::string MakePageToken(absl::string_view key, absl::string_view list) {
  return absl::WebSafeBase64Escape(absl::StrCat(list, ":", key));
}

}  // namespace heed
