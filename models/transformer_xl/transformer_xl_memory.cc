// SPDX-License-Identifier: Apache-2.0
#include "models/transformer_xl/transformer_xl_memory.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/memory/memory.h"
#include "base/invalid_argument.h"
#include "base/little_endian.h"
#include "base/status_macros.h"

namespace heed {
namespace {

constexpr uint32_t kMemoryFormat = 1;
// So many tokens no stream can have read: sums of positions stay far from overflow.

void PutFloats(std::string& bytes, const float* values, int64_t count) {
  bytes.append(reinterpret_cast<const char*>(values), static_cast<size_t>(count) * sizeof(float));
}

// The caller knows that there are enough.
void TakeFloats(absl::string_view& bytes, float* values, int64_t count) {
  const size_t size = static_cast<size_t>(count) * sizeof(float);
  std::memcpy(values, bytes.data(), size);
  bytes.remove_prefix(size);
}

}  // namespace

TransformerXlMemory::TransformerXlMemory(const TransformerXlMemoryShape& shape, int64_t segment,
                                         bool first_reading_is_segment)
    : shape_(shape),
      segment_(segment),
      first_reading_is_segment_(first_reading_is_segment),
      last_hidden_(static_cast<size_t>(shape.d_model)),
      last_query_(static_cast<size_t>(shape.width())) {}

TransformerXlMemory::TransformerXlMemory(const TransformerXlMemory& other)
    : shape_(other.shape_),
      segment_(other.segment_),
      first_segment_(other.first_segment_),
      first_reading_is_segment_(other.first_reading_is_segment_),
      read_(other.read_),
      first_block_(other.first_block_),
      blocks_(other.blocks_),
      last_hidden_(other.last_hidden_),
      last_query_(other.last_query_) {}

std::unique_ptr<TextMemory> TransformerXlMemory::Fork() const {
  owns_last_block_ = false;
  return absl::WrapUnique(new TransformerXlMemory(*this));
}

int64_t TransformerXlMemory::bytes() const {
  return static_cast<int64_t>(blocks_.size()) * shape_.block_bytes() +
         static_cast<int64_t>(sizeof(*this) + (last_hidden_.size() + last_query_.size()) * sizeof(float));
}

std::vector<SharedPart> TransformerXlMemory::shared_parts() const {
  std::vector<SharedPart> parts;
  for (const Block& block : blocks_) parts.push_back({block.get(), shape_.block_bytes()});
  return parts;
}

int64_t TransformerXlMemory::FirstSeen(int64_t position) const {
  int64_t first = 0;
  if (shape_.same_length) {
    first = position - shape_.mem_len + 1;
  } else if (position < first_segment_) {
    first = -shape_.mem_len;
  } else {
    first = position - (position - first_segment_) % segment_ - shape_.mem_len;
  }
  return shape_.zeros_before ? first : std::max<int64_t>(0, first);
}

// What the token read last sees is held too: its attention may be asked for.
int64_t TransformerXlMemory::FirstHeld() const {
  return read_ == 0 ? 0 : std::clamp<int64_t>(FirstSeen(read_ - 1), 0, read_);
}

int64_t TransformerXlMemory::tokens_held() const { return read_ - FirstHeld(); }

TransformerXlMemory::Block TransformerXlMemory::NewBlock() const {
  const size_t bytes = static_cast<size_t>(shape_.block_bytes());
  Block block(static_cast<float*>(AllocateAligned(bytes)), AlignedFree());
  std::fill_n(block.get(), shape_.block_floats(), 0.0f);  // rows that nobody has written yet are multiplied by zeros
  return block;
}

void TransformerXlMemory::Reserve(int64_t tokens) {
  if (tokens == 0) return;
  if (first_reading_is_segment_) {
    first_reading_is_segment_ = false;
    first_segment_ = tokens;
    segment_ = 1;
  }
  if (read_ % kBlockKeys != 0 && !owns_last_block_) {
    Block copy(static_cast<float*>(AllocateAligned(static_cast<size_t>(shape_.block_bytes()))), AlignedFree());
    std::copy_n(blocks_.back().get(), shape_.block_floats(), copy.get());
    blocks_.back() = std::move(copy);
  }
  while ((first_block_ + static_cast<int64_t>(blocks_.size())) * kBlockKeys < read_ + tokens) {
    blocks_.push_back(NewBlock());
  }
  owns_last_block_ = true;
}

void TransformerXlMemory::Advance(int64_t tokens) {
  read_ += tokens;
  for (; (first_block_ + 1) * kBlockKeys <= FirstHeld(); ++first_block_) blocks_.pop_front();
}

void TransformerXlMemory::PutRow(std::string& bytes, int64_t position) const {
  const int64_t lane = position % kBlockKeys;
  std::vector<float> keys(static_cast<size_t>(shape_.head_dim));
  for (int64_t layer = 0; layer < shape_.layers; ++layer) {
    for (int64_t head = 0; head < shape_.heads; ++head) {
      const float* at = At(position / kBlockKeys, layer, head);
      for (int64_t i = 0; i < shape_.head_dim; ++i) keys[static_cast<size_t>(i)] = at[i * kBlockKeys + lane];
      PutFloats(bytes, keys.data(), shape_.head_dim);
      PutFloats(bytes, at + shape_.key_floats() + lane * BlockValueStride(shape_.head_dim), shape_.head_dim);
    }
  }
}

void TransformerXlMemory::TakeRow(absl::string_view& bytes, int64_t position) {
  const int64_t lane = position % kBlockKeys;
  std::vector<float> keys(static_cast<size_t>(shape_.head_dim));
  for (int64_t layer = 0; layer < shape_.layers; ++layer) {
    for (int64_t head = 0; head < shape_.heads; ++head) {
      float* at = At(position / kBlockKeys, layer, head);
      TakeFloats(bytes, keys.data(), shape_.head_dim);
      for (int64_t i = 0; i < shape_.head_dim; ++i) at[i * kBlockKeys + lane] = keys[static_cast<size_t>(i)];
      TakeFloats(bytes, at + shape_.key_floats() + lane * BlockValueStride(shape_.head_dim), shape_.head_dim);
    }
  }
}

// Format, segments, tokens read, the last token's hidden state and query, then keys and values of each position held.
std::string TransformerXlMemory::Serialize() const {
  std::string bytes;
  PutNumber<uint32_t>(bytes, kMemoryFormat);
  PutNumber<uint8_t>(bytes, first_reading_is_segment_);
  PutNumber<int64_t>(bytes, segment_);
  PutNumber<int64_t>(bytes, first_segment_);
  PutNumber<int64_t>(bytes, read_);
  PutFloats(bytes, last_hidden_.data(), shape_.d_model);
  PutFloats(bytes, last_query_.data(), shape_.width());
  for (int64_t position = FirstHeld(); position < read_; ++position) PutRow(bytes, position);
  return bytes;
}

absl::StatusOr<std::unique_ptr<TransformerXlMemory>> TransformerXlMemory::Parse(const TransformerXlMemoryShape& shape,
                                                                                absl::string_view bytes) {
  uint32_t format = 0;
  uint8_t first_reading = 0;
  int64_t segment = 0, first_segment = 0, read = 0;
  if (!TakeNumber(bytes, format) || !TakeNumber(bytes, first_reading) || !TakeNumber(bytes, segment) ||
      !TakeNumber(bytes, first_segment) || !TakeNumber(bytes, read)) {
    return InvalidArgument("a Transformer-XL's memory ends within its header");
  }
  if (format != kMemoryFormat) {
    return InvalidArgument("a Transformer-XL's memory has format ", format, ", but format ", kMemoryFormat, " is read");
  }
  if (first_reading > 1 || segment < 1 || segment > kMaxTokensRead || first_segment < 0 || read < 0 ||
      first_segment > kMaxTokensRead || read > kMaxTokensRead || (first_reading == 1 && read > 0)) {
    return InvalidArgument("a Transformer-XL's memory has read ", read, " tokens, in a first segment of ",
                           first_segment, " and others of ", segment, ", which no memory has");
  }
  auto memory = std::make_unique<TransformerXlMemory>(shape, segment, first_reading == 1);
  memory->first_segment_ = first_segment;
  memory->read_ = read;
  const int64_t first_held = memory->FirstHeld();
  const uint64_t row_floats = static_cast<uint64_t>(2 * shape.layers * shape.width());
  const uint64_t head_floats = static_cast<uint64_t>(shape.d_model + shape.width());
  const uint64_t held = static_cast<uint64_t>(read - first_held);
  // Compared without a product that could overflow: as many rows as there are bytes for.
  const uint64_t floats = bytes.size() / sizeof(float);
  if (bytes.size() % sizeof(float) != 0 || floats < head_floats || (floats - head_floats) % row_floats != 0 ||
      (floats - head_floats) / row_floats != held) {
    return InvalidArgument("a Transformer-XL's memory of ", held, " tokens has ", bytes.size(),
                           " bytes of keys and values, which is not what this network keeps");
  }
  for (size_t i = 0; i < floats; ++i) {
    float value = 0;
    std::memcpy(&value, bytes.data() + i * sizeof(float), sizeof(float));
    if (!std::isfinite(value)) return InvalidArgument("a Transformer-XL's memory holds ", value, " at place ", i);
  }
  TakeFloats(bytes, memory->last_hidden_.data(), shape.d_model);
  TakeFloats(bytes, memory->last_query_.data(), shape.width());
  memory->first_block_ = first_held / kBlockKeys;
  while ((memory->first_block_ + static_cast<int64_t>(memory->blocks_.size())) * kBlockKeys < read) {
    memory->blocks_.push_back(memory->NewBlock());
  }
  memory->owns_last_block_ = true;
  for (int64_t position = first_held; position < read; ++position) memory->TakeRow(bytes, position);
  return memory;
}

}  // namespace heed
