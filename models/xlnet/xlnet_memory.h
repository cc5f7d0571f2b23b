// SPDX-License-Identifier: Apache-2.0
// What an XLNet keeps of a text that it reads from left to right, and what the next token sees of it.
//
// Without mem_len and reuse_len all that was read is kept, and every cut of a text gives the same numbers. Otherwise
// the text is read in segments, as transformers' `mems` work: when a segment ends, the memory becomes the last mem_len
// of its former tokens and the segment's first reuse_len.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/language/causal_network.h"
#include "models/xlnet/xlnet_config.h"
#include "models/xlnet/xlnet_keys.h"
#include "models/xlnet/xlnet_pass.h"

namespace heed {

class XlnetMemory : public TextMemory {
 public:
  static constexpr int64_t kMaxTokens = int64_t{1} << 24;

  XlnetMemory(const XlnetConfig& config, const MemoryOptions& options);
  // Serialize's bytes. INVALID_ARGUMENT says what is wrong with them, which may come from anywhere.
  static absl::StatusOr<std::unique_ptr<XlnetMemory>> Parse(const XlnetConfig& config, absl::string_view bytes);
  // Whether the memory moves on by segments.
  static bool HasSegments(const XlnetConfig& config);

  std::unique_ptr<TextMemory> Fork() const override;
  int64_t bytes() const override { return keys_.bytes(); }
  std::vector<SharedPart> shared_parts() const override { return keys_.shared_parts(); }
  int64_t tokens_read() const override { return read_; }
  int64_t tokens_held() const override { return keys_.size() - keys_.first(); }
  std::string Serialize() const override;

  bool as_hugging_face() const { return as_hugging_face_; }
  XlnetKeys& keys() { return keys_; }
  // Ends the segment if it is full.
  void BeginSegmentIfFull();
  bool is_full() const { return segment_ > 0 && keys_.size() - segment_start_ == segment_; }
  // Tokens that the segment has room for.
  int64_t room() const { return segment_ > 0 ? segment_ - (keys_.size() - segment_start_) : kMaxTokens; }
  // The keys that the content row of the token at `place` sees, counted as XlnetKeys does, and the query row of the
  // token that would be there; maybe none.
  KeyRange SeenByContent(int64_t place) const { return {FirstSeen(place), place + 1}; }
  KeyRange SeenByQuery(int64_t place) const { return {FirstSeen(place), place}; }
  // `tokens` were read; their keys are there.
  void Advance(int64_t tokens) { read_ += tokens; }
  // Whether what was kept of earlier segments has gaps, so that a key's count is not its place in the text.
  bool has_gaps() const { return reuse_len_ > 0; }
  int64_t segment_start() const { return segment_start_; }

  // In transformers' generate: the token read last, whose row sees one token to its right as soon as there is one and
  // is computed again for that; and the first key that the last step's rows see.
  int32_t last_token() const { return last_token_; }
  int64_t window() const { return window_; }
  // The last token's row is to be computed again, beside that of the next one: forgets what they do not see.
  void BeginStep();
  void set_last_token(int32_t token) { last_token_ = token; }

 private:
  XlnetMemory(const XlnetMemory&) = default;
  int64_t FirstSeen(int64_t place) const;

  // Constant after construction.
  int64_t mem_len_, reuse_len_;
  bool same_length_;
  int64_t layers_, width_, vocabulary_;
  bool as_hugging_face_;
  int64_t segment_;  // tokens; 0: there is but one, without end

  int64_t read_ = 0;
  int64_t segment_start_ = 0;  // of keys_
  int64_t window_ = 0;         // of keys_: the first that the segment sees
  int32_t last_token_ = 0;
  XlnetKeys keys_;
};

}  // namespace heed
