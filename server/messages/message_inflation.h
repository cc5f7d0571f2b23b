// SPDX-License-Identifier: Apache-2.0
// Messages that came compressed, inflated to no more than a message may be: gRPC's own filter measures them afterwards.
// And answers that are to be compressed.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed {

enum class MessageCompression { kDeflate, kGzip };  // gRPC's names: "deflate" is zlib's format

// RESOURCE_EXHAUSTED: it would have more than `max_bytes` bytes, which is found without holding more than those.
// INVALID_ARGUMENT: the bytes are not of that format, or not whole.
absl::StatusOr<std::string> InflateMessage(absl::string_view compressed, MessageCompression compression,
                                           int64_t max_bytes);

enum class CompressionEffort {
  kFastest,   // some 100 MB/s
  kSmallest,  // for what is compressed once and sent often
};

// The other way, for answers over HTTP.
std::string DeflateMessage(absl::string_view message, MessageCompression compression,
                           CompressionEffort effort = CompressionEffort::kFastest);

}  // namespace heed
