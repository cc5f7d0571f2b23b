// SPDX-License-Identifier: Apache-2.0
#include "server/messages/message_inflation.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace heed {
namespace {

constexpr int kLargestWindow = 15;
constexpr int kGzipFormat = 16;
constexpr size_t kFirstBytes = 16 << 10;

}  // namespace

absl::StatusOr<std::string> InflateMessage(absl::string_view compressed, MessageCompression compression,
                                           int64_t max_bytes) {
  const bool gzip = compression == MessageCompression::kGzip;
  const auto wrong = [&](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("the message of ", compressed.size(), " bytes is ", what, " (", gzip ? "gzip" : "deflate", ")"));
  };
  if (compressed.size() > std::numeric_limits<uInt>::max()) return wrong("too long to inflate");
  z_stream stream{};
  if (inflateInit2(&stream, kLargestWindow + (gzip ? kGzipFormat : 0)) != Z_OK) {
    return absl::ResourceExhaustedError("the server has no memory to inflate the message");
  }
  const absl::Cleanup end = [&] { inflateEnd(&stream); };
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string message;
  const auto max_size = static_cast<size_t>(max_bytes);
  int result = Z_OK;
  for (size_t size = 0; result != Z_STREAM_END; size = message.size() - stream.avail_out) {
    if (size > max_size) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the message of ", compressed.size(),
                       " compressed bytes inflates to more than --max_message_bytes=", max_bytes));
    }
    // One byte beyond the limit shows that there is more.
    message.resize(std::min(max_size + 1, std::max(kFirstBytes, 2 * size)));
    stream.next_out = reinterpret_cast<Bytef*>(message.data() + size);
    stream.avail_out = static_cast<uInt>(message.size() - size);
    result = inflate(&stream, Z_NO_FLUSH);
    if (result == Z_BUF_ERROR || (result == Z_OK && stream.avail_in == 0 && stream.avail_out > 0)) {
      return wrong("not whole");
    }
    if (result != Z_OK && result != Z_STREAM_END) return wrong("not of the format that its header names");
  }
  message.resize(message.size() - stream.avail_out);
  if (message.size() > max_size) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the message inflates to ", message.size(), " bytes, at most --max_message_bytes=", max_bytes));
  }
  if (stream.avail_in > 0) return wrong("followed by other bytes");
  return message;
}

std::string DeflateMessage(absl::string_view message, MessageCompression compression, CompressionEffort effort) {
  constexpr int kMemoryLevel = 8;  // zlib's default
  z_stream stream{};
  const int window = kLargestWindow + (compression == MessageCompression::kGzip ? kGzipFormat : 0);
  const int level = effort == CompressionEffort::kFastest ? Z_BEST_SPEED : Z_BEST_COMPRESSION;
  if (deflateInit2(&stream, level, Z_DEFLATED, window, kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
  const absl::Cleanup end = [&] { deflateEnd(&stream); };
  std::string compressed(deflateBound(&stream, message.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
  stream.avail_in = static_cast<uInt>(message.size());
  stream.next_out = reinterpret_cast<Bytef*>(compressed.data());
  stream.avail_out = static_cast<uInt>(compressed.size());
  HEED_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  compressed.resize(compressed.size() - stream.avail_out);
  return compressed;
}

}  // namespace heed
