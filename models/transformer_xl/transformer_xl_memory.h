// SPDX-License-Identifier: Apache-2.0
// What a Transformer-XL keeps of the tokens that one stream has read: keys and values of every layer in blocks of 16
// tokens, as far back as a later token can see.
//
// Keys and values are exact to keep in place of the hidden states that the paper keeps (Dai et al. 2019, section 3.2):
// no positions enter them, and a row's hidden states never change later. The rows of zeros that stand before the first
// token take no storage.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/core/aligned_memory.h"
#include "engine/kernels/block_attention.h"
#include "models/language/causal_network.h"

namespace heed {

// The shape of a network's memories. Constant.
struct TransformerXlMemoryShape {
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t head_dim = 0;
  int64_t d_model = 0;
  int64_t mem_len = 0;
  bool same_length = false;
  bool zeros_before = false;

  int64_t width() const { return heads * head_dim; }
  // Floats of one head's keys in a block, [head_dim, 16], and of its values, [16, BlockValueStride(head_dim)].
  int64_t key_floats() const { return head_dim * kBlockKeys; }
  int64_t value_floats() const { return BlockValueStride(head_dim) * kBlockKeys; }
  int64_t block_floats() const { return layers * heads * (key_floats() + value_floats()); }
  int64_t block_bytes() const { return block_floats() * static_cast<int64_t>(sizeof(float)); }
};

class TransformerXlMemory : public TextMemory {
 public:
  // Segments have `segment` tokens each, with same_length false; the first one has `first_segment`, if that is not 0.
  TransformerXlMemory(const TransformerXlMemoryShape& shape, int64_t segment, bool first_reading_is_segment);
  // Serialize's bytes. INVALID_ARGUMENT says what is wrong with them, which may come from anywhere.
  static absl::StatusOr<std::unique_ptr<TransformerXlMemory>> Parse(const TransformerXlMemoryShape& shape,
                                                                    absl::string_view bytes);

  std::unique_ptr<TextMemory> Fork() const override;
  int64_t bytes() const override;
  std::vector<SharedPart> shared_parts() const override;
  int64_t tokens_read() const override { return read_; }
  int64_t tokens_held() const override;
  std::string Serialize() const override;

  // The first position that the token at `position` sees; negative: a row of zeros before the first token.
  int64_t FirstSeen(int64_t position) const;
  // Makes room for the keys and values of `tokens` more, at positions from tokens_read() on. What others share is
  // copied before it is written to.
  void Reserve(int64_t tokens);
  // Of the block of positions [16 block, 16 block + 16), which holds them, of one layer and head.
  float* Keys(int64_t block, int64_t layer, int64_t head) { return At(block, layer, head); }
  float* Values(int64_t block, int64_t layer, int64_t head) { return At(block, layer, head) + shape_.key_floats(); }
  // The `tokens` reserved have been read: forgets what no later token sees.
  void Advance(int64_t tokens);

  // Of the token read last: its hidden state behind the last layer [d_model], and its query there [width].
  std::vector<float>& last_hidden() { return last_hidden_; }
  std::vector<float>& last_query() { return last_query_; }

 private:
  using Block = std::shared_ptr<float>;
  TransformerXlMemory(const TransformerXlMemory& other);

  Block NewBlock() const;
  float* At(int64_t block, int64_t layer, int64_t head) const {
    return blocks_[static_cast<size_t>(block - first_block_)].get() +
           (layer * shape_.heads + head) * (shape_.key_floats() + shape_.value_floats());
  }
  int64_t FirstHeld() const;
  // Appends, or takes, the keys and values of one position.
  void PutRow(std::string& bytes, int64_t position) const;
  void TakeRow(absl::string_view& bytes, int64_t position);

  TransformerXlMemoryShape shape_;
  int64_t segment_;
  int64_t first_segment_ = 0;      // tokens; 0: as the others
  bool first_reading_is_segment_;  // not known yet: the first reading will be the first segment
  int64_t read_ = 0;
  int64_t first_block_ = 0;  // of those held
  std::deque<Block> blocks_;
  std::vector<float> last_hidden_, last_query_;
  // Whether the last block is nobody else's. A fork may be made of a memory that several threads hold as constant.
  mutable std::atomic<bool> owns_last_block_{false};
};

}  // namespace heed
