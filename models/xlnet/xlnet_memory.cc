// SPDX-License-Identifier: Apache-2.0
#include "models/xlnet/xlnet_memory.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/invalid_argument.h"
#include "base/little_endian.h"

namespace heed {
namespace {

constexpr uint32_t kFormat = 1;
constexpr int64_t kDefaultSegment = 512;  // tokens: what XLNet was trained with (Yang et al. 2019, section 3.1)

}  // namespace

bool XlnetMemory::HasSegments(const XlnetConfig& config) {
  return config.mem_len > 0 || config.reuse_len > 0 || config.same_length;
}

XlnetMemory::XlnetMemory(const XlnetConfig& config, const MemoryOptions& options)
    : mem_len_(config.mem_len),
      reuse_len_(config.reuse_len),
      same_length_(config.same_length),
      layers_(config.layers),
      width_(config.d_model),
      vocabulary_(config.vocabulary),
      as_hugging_face_(options.as_hugging_face),
      segment_(0),
      keys_(config.layers, config.d_model) {
  if (as_hugging_face_ || !HasSegments(config)) return;
  segment_ = options.segment_tokens > 0 ? options.segment_tokens : mem_len_ > 0 ? mem_len_ : kDefaultSegment;
}

std::unique_ptr<TextMemory> XlnetMemory::Fork() const { return std::unique_ptr<TextMemory>(new XlnetMemory(*this)); }

void XlnetMemory::BeginSegmentIfFull() {
  if (!is_full()) return;
  if (reuse_len_ > 0 && reuse_len_ < segment_) keys_.Replace(segment_start_ + reuse_len_, 0);
  segment_start_ = keys_.size();
  window_ = mem_len_ > 0 ? std::max(keys_.first(), segment_start_ - mem_len_) : keys_.first();
  keys_.DropBefore(window_);
}

int64_t XlnetMemory::FirstSeen(int64_t place) const {
  return same_length_ ? std::max(window_, place - (segment_start_ - window_)) : window_;
}

void XlnetMemory::BeginStep() {
  // transformers cuts to mem_len rows, of which two are dropped: the last token's, and that of a dummy.
  const int64_t frozen = keys_.size() - 1;
  if (mem_len_ > 0) window_ = std::max(window_, frozen - std::max<int64_t>(0, mem_len_ - 2));
  keys_.DropBefore(window_);
}

std::string XlnetMemory::Serialize() const {
  std::string bytes;
  PutNumber<uint32_t>(bytes, kFormat);
  PutNumber<uint8_t>(bytes, as_hugging_face_);
  for (const int64_t number :
       {layers_, width_, segment_, read_, segment_start_, window_, keys_.first(), keys_.size(), int64_t{last_token_}}) {
    PutNumber<int64_t>(bytes, number);
  }
  const size_t row_bytes = static_cast<size_t>(width_) * sizeof(float);
  for (int64_t token = keys_.first(); token < keys_.size(); ++token) {
    for (int64_t layer = 0; layer < layers_; ++layer) {
      bytes.append(reinterpret_cast<const char*>(keys_.Key(layer, token)), row_bytes);
      bytes.append(reinterpret_cast<const char*>(keys_.Value(layer, token)), row_bytes);
    }
  }
  return bytes;
}

absl::StatusOr<std::unique_ptr<XlnetMemory>> XlnetMemory::Parse(const XlnetConfig& config, absl::string_view bytes) {
  const auto wrong = [](const auto&... what) { return InvalidArgument("memory of an XLNet: ", what...); };
  uint32_t format = 0;
  uint8_t mode = 0;
  int64_t layers = 0, width = 0, segment = 0, read = 0, start = 0, window = 0, first = 0, size = 0, last = 0;
  bool is_whole = TakeNumber(bytes, format) && TakeNumber(bytes, mode);
  for (int64_t* number : {&layers, &width, &segment, &read, &start, &window, &first, &size, &last}) {
    is_whole = is_whole && TakeNumber(bytes, *number);
  }
  if (!is_whole) return wrong("ends within its header");
  if (format != kFormat) return wrong("has format ", format, ", this server reads ", kFormat);
  if (layers != config.layers || width != config.d_model) {
    return wrong("is of ", layers, " layers of ", width, ", the model has ", config.layers, " of ", config.d_model);
  }
  if (mode != 0) return wrong("is of generation as Hugging Face's, which no session is");
  const bool has_segments = HasSegments(config);
  const int64_t memory = config.mem_len > 0 ? config.mem_len : kMaxTokens;
  if (segment < 0 || segment > kMaxSegmentTokens || (segment > 0) != has_segments || first < 0 || window < first ||
      window > size || window > start || start > size || size - first > kMaxTokens || read < size ||
      read > kMaxTokensRead || last < 0 || last >= config.vocabulary ||
      (has_segments && (size - start > segment || start - window > memory))) {
    return wrong("says that it has read ", read, " tokens and keeps ", first, " to ", size, " from ", window,
                 " on, with a segment of ", segment, " from ", start, ", which no memory of this model does");
  }
  // Compared without a product that could overflow.
  const uint64_t row_bytes = static_cast<uint64_t>(2 * layers * width) * sizeof(float);
  const uint64_t held = static_cast<uint64_t>(size - first);
  if (bytes.size() % row_bytes != 0 || bytes.size() / row_bytes != held) {
    return wrong("holds ", held, " tokens, but ", bytes.size(), " bytes of keys and values");
  }
  std::vector<float> row(static_cast<size_t>(2 * width));
  auto result = std::make_unique<XlnetMemory>(config, MemoryOptions{segment});
  result->keys_.SkipTo(first);
  result->keys_.Replace(first, size - first);
  for (int64_t token = first; token < size; ++token) {
    for (int64_t layer = 0; layer < layers; ++layer) {
      for (float& value : row) {
        TakeNumber(bytes, value);
        if (!std::isfinite(value)) return wrong("holds ", value, " for token ", token);
      }
      result->keys_.Put(layer, token, row.data(), row.data() + width);
    }
  }
  result->read_ = read;
  result->segment_start_ = start;
  result->window_ = window;
  result->last_token_ = static_cast<int32_t>(last);
  return result;
}

}  // namespace heed
