// SPDX-License-Identifier: Apache-2.0
// What scoring and generation need of a language model: to read tokens into a memory, and to say how likely each next
// token is.
//
// A network knows nothing of texts, requests or search.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/core/context.h"
#include "engine/kernels/logits.h"
#include "models/kinds/stateful_model.h"

namespace heed {

// What a network keeps of the tokens that one stream has read: keys and values in blocks, each immutable once it is
// full or shared. The network's own type; one thread at a time.
class TextMemory {
 public:
  virtual ~TextMemory() = default;
  // A memory that goes on from here by itself. Copies pointers: the blocks are shared, and whoever writes next to a
  // shared block that is not full copies that block first.
  virtual std::unique_ptr<TextMemory> Fork() const = 0;
  // Of all it points to, whether shared or not.
  virtual int64_t bytes() const = 0;
  // The blocks that other memories may share.
  virtual std::vector<SharedPart> shared_parts() const = 0;
  // Read so far, and how many of them it still holds.
  virtual int64_t tokens_read() const = 0;
  virtual int64_t tokens_held() const = 0;
  // For CausalNetwork::ParseMemory of a network of the same weights: the same memory, to the bit.
  virtual std::string Serialize() const = 0;
};

// Asks about the token that follows the first `after` tokens of a reading. Nothing can follow nothing: if the memory
// had read nothing, `after` is at least 1.
struct NextTokenQuery {
  int64_t after = 0;
  std::optional<int32_t> target;            // its log-probability and rank
  bool rank = true;                         // of the target; needs more work than its log-probability
  int top = 0;                              // how many of the likeliest
  absl::Span<const int32_t> banned;         // tokens that cannot be, ascending; they keep their share of probability
  float* all = nullptr;                     // out, if not null: [vocabulary] log-probabilities, banned ones -infinity
  std::vector<float>* attention = nullptr;  // out, if not null: weights of the last layer, the mean of its heads: first
                                            // those of what stands before all tokens (rows of zeros) together, then
                                            // those of the tokens held that it sees, oldest first
};

struct NextTokenAnswer {
  // false: the token sees none before it (an XLNet with same_length at the beginning), so that nothing is likely.
  bool is_defined = true;
  float log_probability = 0;    // of the target
  int64_t rank = 0;             // 1 + the number of tokens that are likelier, with rank
  std::vector<Candidate> best;  // `logit` is the log-probability; best first
  float log_normalizer = 0;     // the network's own logit = log-probability + this; 0 where it has none of its own
};

// One stream's part of a step.
struct Reading {
  TextMemory* memory = nullptr;              // reads `tokens`
  absl::Span<const int32_t> tokens;          // may be empty if the query is about what follows the memory
  absl::Span<const NextTokenQuery> queries;  // by ascending `after`
  absl::Span<NextTokenAnswer> answers;       // one for each query
};

inline constexpr int64_t kMaxSegmentTokens = 1 << 24;
// That one memory may have read. No counter comes near it.
inline constexpr int64_t kMaxTokensRead = int64_t{1} << 48;

struct MemoryOptions {
  int64_t segment_tokens = 0;    // ScoreOptions::segment_tokens, at most kMaxSegmentTokens
  bool as_hugging_face = false;  // GenerateMode::kAsHuggingFace
};

// Immutable after load, thread-safe.
class CausalNetwork {
 public:
  virtual ~CausalNetwork() = default;

  virtual int64_t vocabulary() const = 0;
  virtual int64_t weights() const = 0;
  virtual int64_t resident_bytes() const = 0;
  // Whether tokens see more or less of the memory by their place in a segment, so that segment_tokens means something.
  virtual bool has_segments() const = 0;
  // Whether MemoryOptions::as_hugging_face means something. Then the first reading is the whole prompt.
  virtual bool has_hugging_face_mode() const = 0;

  virtual std::unique_ptr<TextMemory> NewMemory(const MemoryOptions& options) const = 0;
  // INVALID_ARGUMENT says what is wrong with the bytes, which may come from anywhere.
  virtual absl::StatusOr<std::unique_ptr<TextMemory>> ParseMemory(absl::string_view bytes) const = 0;
  // An upper bound of the bytes that reading `tokens` more adds to a memory, and of those that the step itself needs.
  virtual int64_t MemoryBytes(int64_t tokens_before, int64_t tokens) const = 0;

  // Takes each reading's tokens and answers its queries. Readings have memories of their own. A reading's answers and
  // memory do not depend, to the bit, on the readings beside it, nor on how its stream was cut into readings (but for
  // the first one in as_hugging_face mode).
  virtual void Read(absl::Span<const Reading> readings, Context& context) const = 0;
};

}  // namespace heed
