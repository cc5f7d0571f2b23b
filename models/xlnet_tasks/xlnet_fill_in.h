// SPDX-License-Identifier: Apache-2.0
// What stands in the gaps of a text. No row sees a gap, so that one pass answers any number of them (Yang et al. 2019,
// section 2.2: any factorization order).
//
// Gap after gap, a filled token gets a row that sees the text and what was filled before it, and later gaps see that
// row; rows of the text never see it, as in training. So the text's keys are computed once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/kinds/language_model.h"
#include "models/text/text_tokenizer.h"
#include "models/xlnet/xlnet_network.h"
#include "models/xlnet_tasks/xlnet_task.h"

namespace heed {

// A request's texts as tokens.
struct XlnetGapText {
  struct Gap {
    int64_t place = 0;           // tokens of context and text before it
    int64_t start = 0, end = 0;  // of the text
    int64_t pieces = 1;          // without candidates
    std::vector<std::vector<int32_t>> candidates;
  };

  std::vector<int32_t> tokens;  // of context and text, but for the gaps; at least one
  std::vector<Gap> gaps;
};

class XlnetFillIn : public FillInTask, public XlnetTask {
 public:
  // The network and the tokenizer outlive it. `banned`: tokens that fill no gap without candidates, ascending.
  XlnetFillIn(const XlnetNetwork& network, const TextTokenizer& tokenizer, FillInRequest request, XlnetGapText text,
              std::vector<int32_t> banned);

  int64_t next_rows() const override;
  int64_t peak_bytes() const override;
  int64_t answer_bytes() const override;

  int64_t depth() const override { return network_.config().layers; }
  bool asks() const override { return true; }
  void AppendPasses(std::vector<XlnetPass>& passes, std::vector<NextTokenQuery>& queries) override;
  void Take(ConstMatrixView outputs, absl::Span<NextTokenAnswer> answers, Context& context) override;

  // Tokens of the longest input that a step reads.
  int64_t longest_input() const;

 private:
  struct Piece {
    size_t gap = 0, piece = 0;
  };
  // Where a gap token looked: the text's tokens, then the pieces that were there.
  struct Sight {
    std::vector<float> text;
    std::vector<std::pair<Piece, float>> pieces;
  };
  struct Filling {
    std::vector<int32_t> ids;
    float log_probability = 0;
    std::vector<Sight> sights;  // with attention, of each piece
  };
  struct Gap {
    int64_t width = 1;                         // tokens that it takes
    std::vector<int32_t> ids;                  // [width]; -1: not filled yet
    std::vector<Sight> sights;                 // [width]
    std::vector<std::vector<Candidate>> best;  // [width]: of the turn, for gaps without candidates
    std::vector<Filling> found;  // of the turn, for gaps with candidates, likeliest first; then the result
    float log_probability = 0;   // of what is filled
    bool is_filled = false;
  };
  // A pass of a turn.
  struct Job {
    bool is_free = true;  // all gaps without candidates that the turn is about; otherwise:
    size_t gap = 0;       // its candidates of `length` tokens
    size_t length = 0;
  };
  // What an answer of a step is about.
  struct Asked {
    Job job;
    size_t gap = 0, piece = 0;
    int64_t candidate = -1;  // -1: of all of that length, or of none
  };

  bool HasCandidates(size_t gap) const { return !text_.gaps[gap].candidates.empty(); }
  int64_t text_tokens() const { return static_cast<int64_t>(text_.tokens.size()); }
  bool IsInTurn(size_t gap, size_t piece) const;
  void BeginTurn();
  int64_t RowsOf(const Job& job) const;
  size_t JobsOfStep() const;
  // Places with the gaps' widths; `gap` has `width` instead.
  std::vector<int64_t> GapPositions(size_t gap, int64_t width) const;
  int64_t TextPosition(int64_t token, const std::vector<int64_t>& gap_positions, size_t gap, int64_t width) const;
  XlnetRow& AddRow(XlnetPass& pass, int32_t token, int64_t position, std::vector<KeyRange> sees);
  void AddText(XlnetPass& pass, size_t gap, int64_t width);
  void AddFilled(XlnetPass& pass, size_t first, size_t gap, int64_t width);
  void AppendFree(const Job& job, std::vector<XlnetPass>& passes, std::vector<NextTokenQuery>& queries);
  void AppendCandidates(const Job& job, std::vector<XlnetPass>& passes, std::vector<NextTokenQuery>& queries);
  void Ask(const Asked& asked, XlnetPass& pass, NextTokenQuery query, std::vector<NextTokenQuery>& queries);
  void TakeAnswer(size_t index, const NextTokenAnswer& answer);
  Sight SightOf(size_t index) const;
  void EndTurn();
  Piece MostCertain() const;
  void Fill(Piece piece);
  void FillByCandidate(size_t gap);
  void FillAtOnce(size_t gap);
  GapFilling FillingOf(const Filling& filling) const;
  void Conclude();
  void ConcludeAttention();

  const XlnetNetwork& network_;
  const TextTokenizer& tokenizer_;
  const FillInRequest request_;
  const XlnetGapText text_;
  const std::vector<int32_t> banned_;
  std::vector<Gap> gaps_;
  std::vector<Piece> filled_;  // in order

  // Keys of the text and of the first `held_filled_` filled pieces, at these positions; only where their widths are
  // still those of the gaps.
  XlnetKeys held_;
  std::vector<int64_t> held_positions_;
  size_t held_filled_ = 0;
  bool is_held_ = false;

  std::vector<Job> jobs_;  // of the turn
  size_t next_job_ = 0;
  size_t step_end_ = 0;  // the step's jobs are [next_job_, step_end_)
  // Of the step.
  std::vector<std::unique_ptr<std::vector<KeyRange>>> sees_;
  std::vector<Asked> asked_;
  std::vector<std::unique_ptr<std::vector<float>>> all_;        // of each of `asked_`: of a first piece of candidates
  std::vector<std::unique_ptr<std::vector<float>>> attention_;  // of each of `asked_`, if asked for
};

}  // namespace heed
