// SPDX-License-Identifier: Apache-2.0
#include "server/gateway/proto_comments.h"

#include <algorithm>

namespace heed {

absl::string_view ProtoCommentOf(absl::string_view name) {
  const absl::Span<const ProtoComment> all = ProtoComments();
  const auto found =
      std::lower_bound(all.begin(), all.end(), name,
                       [](const ProtoComment& one, absl::string_view wanted) { return one.name < wanted; });
  return found != all.end() && found->name == name ? found->text : absl::string_view();
}

}  // namespace heed
