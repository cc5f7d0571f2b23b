// SPDX-License-Identifier: Apache-2.0
// XLNet (Yang et al. 2019) from a Hugging Face directory: whatever its weights have a head for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "models/language/causal_language_model.h"
#include "models/language_text/xlnet_tokenizer.h"
#include "models/xlnet/xlnet_network.h"
#include "models/xlnet_tasks/xlnet_fill_in.h"
#include "models/xlnet_tasks/xlnet_heads.h"
#include "models/xlnet_tasks/xlnet_input.h"

namespace heed {

// Immutable, thread-safe.
class Xlnet : public CausalLanguageModel {
 public:
  // What a directory that says nothing sane reads at once: all tokens of a text see each other.
  static constexpr int64_t kDefaultMaxTokens = 2048;

  // `parts.tokenizer` is an XlnetTokenizer.
  Xlnet(Parts parts, std::shared_ptr<const XlnetNetwork> network, std::unique_ptr<const XlnetHeads> heads,
        int64_t max_tokens);

  absl::StatusOr<std::unique_ptr<ScoreTask>> StartScore(ScoreRequest request, const StartLimits& limits) const override;
  absl::StatusOr<std::unique_ptr<FillInTask>> StartFillIn(FillInRequest request,
                                                          const StartLimits& limits) const override;
  absl::StatusOr<std::unique_ptr<TextClassificationTask>> StartClassify(TextClassificationRequest request,
                                                                        const StartLimits& limits) const override;
  absl::StatusOr<std::unique_ptr<TagTask>> StartTag(TagRequest request, const StartLimits& limits) const override;
  absl::StatusOr<std::unique_ptr<AnswerFromTextTask>> StartAnswer(AnswerFromTextRequest request,
                                                                  const StartLimits& limits) const override;
  absl::StatusOr<std::unique_ptr<EmbedTask>> StartEmbed(EmbedRequest request, const StartLimits& limits) const override;

 protected:
  void StepOthers(absl::Span<Task* const> tasks, Context& context) const override;

 private:
  const XlnetConfig& config() const { return network_->config(); }
  absl::StatusOr<XlnetInputOptions> InputOptions(int64_t max_tokens, Overlong overlong) const;
  absl::Status CheckAttention(bool return_attention, const XlnetInputs& inputs) const;
  absl::Status TokenizeAround(const FillInRequest& request, XlnetGapText& text) const;
  absl::StatusOr<std::vector<int32_t>> CandidateTokens(const std::string& field, const std::string& candidate,
                                                       bool begins_word, const TextOptions& options) const;
  absl::StatusOr<XlnetInputs> ChoiceInputs(const TextClassificationRequest& request,
                                           const std::vector<TextToken>& first, const XlnetInputOptions& options) const;

  const std::shared_ptr<const XlnetNetwork> network_;
  const std::unique_ptr<const XlnetHeads> heads_;
  const XlnetTokens special_;
  const int64_t max_tokens_;
};

// Reads config.json, the weights, spiece.model, tokenizer_config.json and generation_config.json of a directory.
// `precision`: of its linear layers, as LoadModel's.
absl::StatusOr<std::shared_ptr<const LanguageModel>> LoadXlnet(const std::string& path, const std::string& name,
                                                               Precision precision = Precision::kF32);

}  // namespace heed
