// SPDX-License-Identifier: Apache-2.0
// What the .proto files say of their services, methods, messages, fields and enums: protobuf's own descriptors leave it
// out. The build writes the table (make_proto_comments.cc).
#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace heed {

struct ProtoComment {
  absl::string_view name;  // "heed.v1.TranslateRequest.texts"
  absl::string_view text;  // paragraphs, an empty line between two
};

// Ordered by name.
absl::Span<const ProtoComment> ProtoComments();

// Empty: there is no comment.
absl::string_view ProtoCommentOf(absl::string_view name);

}  // namespace heed
