// SPDX-License-Identifier: Apache-2.0
// Lists in pages: the page_size and the page_token of a request, as Google's API guide has them (AIP-158).
//
// A token names the last item of the page before, by its key. So a list may change between two pages: what was there
// all the time is listed once. Clients take a token as it is.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed {

inline constexpr int64_t kDefaultPageSize = 100;
inline constexpr int64_t kMaxPageSize = 1000;

struct PageRequest {
  int64_t size = kDefaultPageSize;  // items of the page at most
  std::string after;                // the key of the last item of the page before; empty: this is the first page
};

// `list` names the list, so that no other's token is taken for its own. INVALID_ARGUMENT: page_size is negative, or
// page_token is none of this list.
absl::StatusOr<PageRequest> ReadPageRequest(int32_t page_size, absl::string_view page_token, absl::string_view list);

// The token for the page after the item with this key, which is not empty. Keys are ordered as the list is.
std::string MakePageToken(absl::string_view key, absl::string_view list);

}  // namespace heed
