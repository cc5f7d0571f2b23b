// SPDX-License-Identifier: Apache-2.0
// What a search needs of an encoder-decoder network: encode sentences, then advance hypotheses by one token each.
//
// A network holds no search and a search no network: the Transformer and recurrent networks stand behind this, greedy
// and beam search and sampling before it (models/translation/search.h).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "engine/core/context.h"
#include "engine/linear/quantization_error.h"
#include "engine/linear/vocabulary_projection.h"

namespace heed {

// What a network keeps of one sentence: the encoder's output, and what its hypotheses left behind at each position.
// Each hypothesis of a step writes the entry (position, slot); a later hypothesis says for each position whose entry is
// its own past, so nothing is copied when a beam search reorders. The network's own type; one thread at a time.
class DecoderState {
 public:
  virtual ~DecoderState() = default;
};

// One hypothesis in one decoder step.
struct StepRow {
  DecoderState* memory = nullptr;
  int32_t token = 0;                 // input: the token before the one asked for
  int32_t position = 0;              // of `token`, from 0
  int32_t slot = 0;                  // where this row leaves its entry
  const int32_t* history = nullptr;  // [position] slots of the entries before
  float* attention = nullptr;        // out, if not null: [source tokens], weights over the source
  float* alignment = nullptr;        // out, if not null: the same by the heads that align source and translation
};

// Immutable after load, thread-safe.
class Seq2SeqNetwork {
 public:
  virtual ~Seq2SeqNetwork() = default;

  virtual int64_t vocabulary() const = 0;  // of the target
  virtual int64_t max_source_tokens() const = 0;
  virtual int64_t max_target_tokens() const = 0;
  virtual bool has_attention() const = 0;          // whether a step writes StepRow::attention and alignment
  virtual int64_t weights() const = 0;             // number of them
  virtual int64_t resident_bytes() const = 0;      // as packed
  virtual int64_t step_multiply_adds() const = 0;  // of the linear layers, for each row of a step
  virtual const std::vector<QuantizationError>& quantization_errors() const = 0;

  // The memory of one sentence with these source tokens (eos included), for at most `slots` hypotheses beside each
  // other.
  virtual std::unique_ptr<DecoderState> NewMemory(std::vector<int32_t> source, int64_t slots) const = 0;
  // An upper bound of its bytes after `target_tokens` steps.
  virtual int64_t MemoryBytes(int64_t source_tokens, int64_t slots, int64_t target_tokens) const = 0;

  // Encodes the sentences of `memories`, once each, before their first step.
  virtual void Encode(absl::Span<DecoderState* const> memories, Context& context) const = 0;
  // Advances every row by one token; queries and answers as in VocabularyProjection. A row's answer does not depend, to
  // the bit, on the rows beside it.
  virtual void Step(absl::Span<const StepRow> rows, absl::Span<const VocabularyQuery> queries,
                    absl::Span<VocabularyAnswer> answers, Context& context) const = 0;
};

}  // namespace heed
