// SPDX-License-Identifier: Apache-2.0
// config.json of an XLNet (Yang et al. 2019), as Hugging Face's XLNetConfig writes it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json_fields.h"
#include "engine/kernels/kernels.h"

namespace heed {

// Which hidden states the classification head takes.
enum class XlnetSummary { kLast, kFirst, kMean };

// What the labels of the classification head are.
enum class XlnetProblem { kByLabels, kRegression, kSingleLabel, kMultiLabel };

struct XlnetConfig {
  int64_t vocabulary = 0;
  int64_t d_model = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t d_inner = 0;
  Activation activation = Activation::kGelu;
  float layer_norm_eps = 1e-12f;
  bool causal = false;       // attn_type "uni": no token sees those to its right
  bool same_length = false;  // with `causal`: tokens see as far back as the memory is long
  int64_t mem_len = 0;       // 0: all that was read is kept
  int64_t reuse_len = 0;     // rows of each segment that are kept, from its first on; 0: all
  int64_t clamp_len = 0;     // distances beyond are as this one; 0: none are
  bool tied_output = true;

  XlnetSummary summary = XlnetSummary::kLast;
  bool summary_projection = true;
  Activation summary_activation = Activation::kTanh;
  std::vector<std::string> labels;
  XlnetProblem problem = XlnetProblem::kByLabels;
  int64_t start_n_top = 5;
  int64_t end_n_top = 5;

  std::vector<std::string> architectures;  // of transformers: "XLNetLMHeadModel"

  int64_t head_dim() const { return d_model / heads; }
  bool IsFor(const std::string& task) const;  // "MultipleChoice": whether an architecture has it in its name
};

// Reads the fields of DIRECTORY/config.json. INVALID_ARGUMENT names the file, the field and its value; UNIMPLEMENTED a
// setting that would change answers and is not served.
absl::StatusOr<XlnetConfig> ReadXlnetConfig(JsonFields fields);

}  // namespace heed
