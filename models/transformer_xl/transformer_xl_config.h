// SPDX-License-Identifier: Apache-2.0
// The configuration of a Transformer-XL's directory, as Hugging Face's TransfoXLConfig (transformers 4.30.2) has it:
// docs/transformer-xl.md says what each field does.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json_fields.h"

namespace heed {

// What a classifier's labels are to each other.
enum class TextProblem { kOneLabel, kSeveralLabels, kRegression };

struct TransformerXlConfig {
  int64_t vocabulary = 0;
  std::vector<int64_t> cutoffs;  // ascending: bin i begins at cutoffs[i - 1]; empty: one bin
  int64_t d_model = 0;
  int64_t d_embed = 0;
  int64_t heads = 0;
  int64_t head_dim = 0;
  int64_t d_inner = 0;
  int64_t layers = 0;
  int64_t div_val = 1;
  bool pre_norm = false;
  int64_t mem_len = 0;
  int64_t clamp_len = 0;  // 0: distances are not clamped
  bool same_length = false;
  bool untie_r = true;                 // each layer has biases of its own
  bool tied_embeddings = true;         // the output layers' weights are the embeddings
  std::vector<bool> tied_projections;  // of each bin: the output's is the embedding's
  bool zeros_before = true;            // rows of zeros stand before the first token (initial_memory)
  int64_t segment_tokens = 1;          // with same_length false: tokens after which the memory moves on
  float norm_epsilon = 1e-5f;
  std::optional<int32_t> eos;
  std::vector<std::string> labels;     // id2label; empty: the directory names none
  std::optional<TextProblem> problem;  // problem_type

  int64_t width() const { return heads * head_dim; }  // of keys, of values
  int64_t bins() const { return static_cast<int64_t>(cutoffs.size()) + 1; }
  // Bin i is the tokens [BinStart(i), BinStart(i + 1)).
  int64_t BinStart(int64_t bin) const;
  int64_t BinOf(int32_t token) const;
  // The width of a bin's embeddings: d_embed / div_val^bin.
  int64_t BinWidth(int64_t bin) const;
  // Whether a bin's embeddings are projected to d_model.
  bool has_projections() const { return div_val > 1 || d_embed != d_model; }
  // The largest distance to a key that has a position of its own; the largest number if nothing bounds it.
  int64_t MaxDistance() const;
};

// Reads `directory`/config.json, whose fields stay in `fields`. Errors name the file, the field and its value, and the
// value that it contradicts. UNIMPLEMENTED: a value that transformers does not serve either.
absl::StatusOr<TransformerXlConfig> ReadTransformerXlConfig(JsonFields& fields);

}  // namespace heed
