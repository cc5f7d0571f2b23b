// SPDX-License-Identifier: Apache-2.0
// Tasks that need the hidden states of a whole text: its class, and vectors for it. A text is read in stretches, one a
// step, as one segment: what it gives does not depend on where it was cut.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/kinds/language_model.h"
#include "models/text/text_tokenizer.h"
#include "models/transformer_xl/transformer_xl_network.h"

namespace heed {

// A part of a text that is read by itself.
struct TextWindow {
  int64_t first = 0, last = 0;  // its tokens are [first, last) of the text's
};

// What a request makes of its tokens: one window, or several that overlap by half.
struct WindowedText {
  std::vector<TextToken> tokens;
  std::vector<TextWindow> windows;
  bool truncated = false;
};
// `max_tokens` 0: no limit. INVALID_ARGUMENT names the field.
absl::StatusOr<WindowedText> CutText(std::vector<TextToken> tokens, int64_t max_tokens, Overlong overlong);

// The part that the tasks have in common. One thread at a time.
class TransformerXlEncoding {
 public:
  // Hidden states behind layer `layer`. Attention, if it is wanted, of the first window's last token or of all.
  enum class AttentionOf { kNone, kLast, kAll };
  TransformerXlEncoding(const TransformerXlNetwork& network, const TextTokenizer& tokenizer, WindowedText text,
                        int64_t layer, AttentionOf attention);
  virtual ~TransformerXlEncoding() = default;

  // Appends its part of the next step, which points into this object until Take.
  void AppendReading(std::vector<Reading>& readings, std::vector<TransformerXlNetwork::HiddenStates>& wanted);
  // The step is done.
  void Take(Context& context);

 protected:
  // Takes hidden states [rows, d_model] of the text's tokens from `first` on, in order. `ends`: they are the last of
  // their window.
  virtual void TakeStates(ConstMatrixView states, int64_t first, bool ends, Context& context) = 0;
  // All windows were read.
  virtual void Conclude() = 0;

  const std::vector<TextToken>& tokens() const { return text_.tokens; }
  const std::vector<TextWindow>& windows() const { return text_.windows; }
  bool truncated() const { return text_.truncated; }
  int64_t step_rows() const;
  int64_t step_bytes() const;
  int64_t attention_bytes() const;
  // Moves the attention of the first window to an answer, if it is wanted.
  void GiveAttention(std::vector<std::string>& token_texts, TextAttention& attention);

 private:
  int64_t stretch() const;

  const TransformerXlNetwork& network_;
  const TextTokenizer& tokenizer_;
  const WindowedText text_;
  const int64_t layer_;
  const AttentionOf attention_of_;
  std::vector<int32_t> ids_;  // of all tokens
  size_t window_ = 0;
  int64_t next_ = 0;  // token
  std::unique_ptr<TextMemory> memory_;
  Matrix states_;                              // of the step
  std::vector<std::vector<float>> attention_;  // of the step
  std::vector<float> rows_;                    // of the attention so far: [rows, 1 + tokens of the first window]
};

class TransformerXlClassification : public TextClassificationTask, public TransformerXlEncoding {
 public:
  // The network has a classifier of as many outputs as there are `labels`.
  TransformerXlClassification(const TransformerXlNetwork& network, const TextTokenizer& tokenizer, WindowedText text,
                              const std::vector<std::string>& labels, const TextClassificationRequest& request);

  int64_t next_rows() const override { return step_rows(); }
  int64_t peak_bytes() const override { return step_bytes() + answer_bytes(); }
  int64_t answer_bytes() const override;

 private:
  void TakeStates(ConstMatrixView states, int64_t first, bool ends, Context& context) override;
  void Conclude() override;
  void Normalize(std::vector<float>& logits) const;

  const Linear& classifier_;
  const std::vector<std::string>& labels_;
  LabelFunction function_;
  const int top_;
  std::vector<float> scores_;  // the sum over windows
};

class TransformerXlEmbedding : public EmbedTask, public TransformerXlEncoding {
 public:
  // `layer`: the one that the request asks for, from 0 on. The text has one window.
  TransformerXlEmbedding(const TransformerXlNetwork& network, const TextTokenizer& tokenizer, WindowedText text,
                         const EmbedRequest& request, int64_t layer);

  int64_t next_rows() const override { return step_rows(); }
  int64_t peak_bytes() const override { return step_bytes() + answer_bytes(); }
  int64_t answer_bytes() const override;

 private:
  void TakeStates(ConstMatrixView states, int64_t first, bool ends, Context& context) override;
  void Conclude() override;

  const TextTokenizer& tokenizer_;
  const Pooling pooling_;
  const bool normalize_;
  const int64_t width_;
};

}  // namespace heed
