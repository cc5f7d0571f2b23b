// SPDX-License-Identifier: Apache-2.0
// Transformer-XL (Dai et al. 2019) from a Hugging Face directory: a language model, a classifier of texts, or both.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/language/causal_language_model.h"
#include "models/transformer_xl/transformer_xl_network.h"

namespace heed {

// Immutable, thread-safe.
class TransformerXl : public CausalLanguageModel {
 public:
  // `network` is parts.network, or, if it has no output layer, this model's own. `labels`: of its classifier.
  TransformerXl(Parts parts, const TransformerXlNetwork* network,
                std::unique_ptr<const TransformerXlNetwork> own_network, std::vector<std::string> labels);

  absl::StatusOr<std::unique_ptr<TextClassificationTask>> StartClassify(TextClassificationRequest request,
                                                                        const StartLimits& limits) const override;
  absl::StatusOr<std::unique_ptr<EmbedTask>> StartEmbed(EmbedRequest request, const StartLimits& limits) const override;

 protected:
  void StepOthers(absl::Span<Task* const> tasks, Context& context) const override;

 private:
  const TransformerXlNetwork* const network_;
  const std::unique_ptr<const TransformerXlNetwork> own_network_;
  const std::vector<std::string> labels_;
};

// Reads config.json, the weights, vocab.txt, tokenizer_config.json and generation_config.json of a directory.
// `precision`: of its linear layers, as LoadModel's.
absl::StatusOr<std::shared_ptr<const LanguageModel>> LoadTransformerXl(const std::string& path, const std::string& name,
                                                                       Precision precision = Precision::kF32);

}  // namespace heed
