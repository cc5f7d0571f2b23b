// SPDX-License-Identifier: Apache-2.0
#include "models/xlnet_tasks/xlnet_fill_in.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "base/check.h"

namespace heed {
namespace {

constexpr int32_t kNotFilled = -1;
constexpr size_t kNoGap = static_cast<size_t>(-1);

bool IsLikelierFilling(float a, float b) { return a > b; }

}  // namespace

XlnetFillIn::XlnetFillIn(const XlnetNetwork& network, const TextTokenizer& tokenizer, FillInRequest request,
                         XlnetGapText text, std::vector<int32_t> banned)
    : network_(network),
      tokenizer_(tokenizer),
      request_(std::move(request)),
      text_(std::move(text)),
      banned_(std::move(banned)),
      held_(network.config().layers, network.config().d_model) {
  HEED_CHECK(!text_.tokens.empty() && !text_.gaps.empty());
  for (const XlnetGapText::Gap& gap : text_.gaps) {
    Gap& own = gaps_.emplace_back();
    own.width = gap.pieces;
    if (!gap.candidates.empty()) {
      // Until it is filled it is as wide as its shortest candidate.
      const auto shortest = std::min_element(gap.candidates.begin(), gap.candidates.end(),
                                             [](const auto& a, const auto& b) { return a.size() < b.size(); });
      own.width = static_cast<int64_t>(shortest->size());
    }
    own.ids.assign(static_cast<size_t>(own.width), kNotFilled);
    own.sights.resize(own.ids.size());
    own.best.resize(own.ids.size());
  }
  BeginTurn();
}

bool XlnetFillIn::IsInTurn(size_t gap, size_t piece) const {
  if (gaps_[gap].is_filled || gaps_[gap].ids[piece] != kNotFilled) return false;
  if (request_.order != FillOrder::kLeftToRight) return true;
  for (size_t g = 0; g <= gap; ++g) {
    for (size_t p = 0; p < gaps_[g].ids.size(); ++p) {
      if (gaps_[g].ids[p] == kNotFilled) return g == gap && (p == piece || HasCandidates(g));
    }
  }
  return false;
}

void XlnetFillIn::BeginTurn() {
  jobs_.clear();
  next_job_ = 0;
  bool has_free = false;
  for (size_t g = 0; g < gaps_.size(); ++g) {
    Gap& gap = gaps_[g];
    if (gap.is_filled) continue;
    for (size_t p = 0; p < gap.ids.size(); ++p) has_free = has_free || (!HasCandidates(g) && IsInTurn(g, p));
    if (!HasCandidates(g) || !IsInTurn(g, 0)) continue;
    gap.found.clear();
    for (const std::vector<int32_t>& ids : text_.gaps[g].candidates) gap.found.push_back({ids, 0, {}});
    std::set<size_t> lengths;
    for (const Filling& filling : gap.found) lengths.insert(filling.ids.size());
    for (const size_t length : lengths) jobs_.push_back({false, g, length});
  }
  if (has_free) jobs_.insert(jobs_.begin(), Job{});
}

int64_t XlnetFillIn::RowsOf(const Job& job) const {
  int64_t rows = 0;
  if (job.is_free) {
    rows = is_held_ ? static_cast<int64_t>(filled_.size() - held_filled_)
                    : text_tokens() + static_cast<int64_t>(filled_.size());
    for (const Gap& gap : gaps_) rows += std::count(gap.ids.begin(), gap.ids.end(), kNotFilled);
    return rows;
  }
  for (const Filling& filling : gaps_[job.gap].found) {
    if (filling.ids.size() == job.length) rows += 2 * static_cast<int64_t>(job.length);
  }
  return rows + text_tokens() + static_cast<int64_t>(filled_.size());
}

size_t XlnetFillIn::JobsOfStep() const {
  size_t end = next_job_;
  int64_t rows = 0;
  while (end < jobs_.size() && (end == next_job_ || rows + RowsOf(jobs_[end]) <= kXlnetStepRows)) {
    rows += RowsOf(jobs_[end++]);
  }
  return end;
}

int64_t XlnetFillIn::next_rows() const {
  int64_t rows = 0;
  for (size_t i = next_job_; i < JobsOfStep(); ++i) rows += RowsOf(jobs_[i]);
  return std::max<int64_t>(1, rows);
}

int64_t XlnetFillIn::longest_input() const {
  int64_t gap_tokens = 0, rows = 0;
  for (size_t g = 0; g < gaps_.size(); ++g) {
    size_t longest = gaps_[g].ids.size();
    int64_t here = 0;
    for (const std::vector<int32_t>& ids : text_.gaps[g].candidates) {
      longest = std::max(longest, ids.size());
      here += 2 * static_cast<int64_t>(ids.size());
    }
    gap_tokens += static_cast<int64_t>(longest);
    rows = std::max(rows, here);
  }
  return text_tokens() + gap_tokens + rows;
}

int64_t XlnetFillIn::peak_bytes() const {
  const int64_t rows = std::max(kXlnetStepRows, longest_input());
  const int64_t heads = rows * static_cast<int64_t>(sizeof(XlnetRow) + 2 * sizeof(KeyRange));
  const int64_t logits = static_cast<int64_t>(gaps_.size()) * network_.config().vocabulary;
  const int64_t attention = request_.return_attention ? rows * longest_input() : 0;
  return network_.StepBytes(rows, 2 * longest_input()) + heads +
         (logits + attention) * static_cast<int64_t>(sizeof(float)) +
         XlnetKeys::Bytes(network_.config().layers, network_.config().d_model, longest_input()) + answer_bytes();
}

int64_t XlnetFillIn::answer_bytes() const {
  constexpr int64_t kFillingBytes = 96, kPieceBytes = 48;
  int64_t bytes = static_cast<int64_t>(request_.text.size());
  int64_t gap_tokens = 0;
  for (const Gap& gap : gaps_) {
    bytes += request_.top_k * (kFillingBytes + gap.width * kPieceBytes);
    gap_tokens += gap.width;
  }
  if (request_.return_attention) bytes += gap_tokens * longest_input() * static_cast<int64_t>(sizeof(float));
  return bytes;
}

std::vector<int64_t> XlnetFillIn::GapPositions(size_t gap, int64_t width) const {
  std::vector<int64_t> positions;
  int64_t before = 0;
  for (size_t g = 0; g < gaps_.size(); ++g) {
    positions.push_back(text_.gaps[g].place + before);
    before += g == gap ? width : gaps_[g].width;
  }
  return positions;
}

int64_t XlnetFillIn::TextPosition(int64_t token, const std::vector<int64_t>& gap_positions, size_t gap,
                                  int64_t width) const {
  // Behind the last gap that stands before it.
  for (size_t g = gaps_.size(); g-- > 0;) {
    if (text_.gaps[g].place > token) continue;
    return gap_positions[g] + (g == gap ? width : gaps_[g].width) + token - text_.gaps[g].place;
  }
  return token;
}

XlnetRow& XlnetFillIn::AddRow(XlnetPass& pass, int32_t token, int64_t position, std::vector<KeyRange> sees) {
  sees_.push_back(std::make_unique<std::vector<KeyRange>>(std::move(sees)));
  XlnetRow& row = pass.rows.emplace_back();
  row.token = token;
  row.position = position;
  row.sees = *sees_.back();
  return row;
}

void XlnetFillIn::AddText(XlnetPass& pass, size_t gap, int64_t width) {
  const std::vector<int64_t> positions = GapPositions(gap, width);
  sees_.push_back(std::make_unique<std::vector<KeyRange>>(1, KeyRange{0, text_tokens()}));
  for (int64_t i = 0; i < text_tokens(); ++i) {
    XlnetRow& row = pass.rows.emplace_back();
    row.token = text_.tokens[static_cast<size_t>(i)];
    row.position = TextPosition(i, positions, gap, width);
    row.sees = *sees_[sees_.size() - 1];
  }
}

// The filled pieces from `first` on, each of which sees the text, those before it and itself.
void XlnetFillIn::AddFilled(XlnetPass& pass, size_t first, size_t gap, int64_t width) {
  const std::vector<int64_t> positions = GapPositions(gap, width);
  for (size_t i = first; i < filled_.size(); ++i) {
    const auto [g, p] = filled_[i];
    AddRow(pass, gaps_[g].ids[p], positions[g] + static_cast<int64_t>(p),
           {{0, text_tokens() + static_cast<int64_t>(i) + 1}});
  }
}

void XlnetFillIn::Ask(const Asked& asked, XlnetPass& pass, NextTokenQuery query, std::vector<NextTokenQuery>& queries) {
  asked_.push_back(asked);
  all_.push_back(nullptr);
  attention_.push_back(nullptr);
  if (!asked.job.is_free && asked.candidate < 0) {
    all_.back() = std::make_unique<std::vector<float>>(static_cast<size_t>(network_.config().vocabulary));
    query.all = all_.back()->data();
  }
  if (request_.return_attention) {
    attention_.back() = std::make_unique<std::vector<float>>();
    pass.rows.back().attention = attention_.back().get();
  }
  queries.push_back(query);
}

void XlnetFillIn::AppendFree(const Job& job, std::vector<XlnetPass>& passes, std::vector<NextTokenQuery>& queries) {
  XlnetPass pass;
  pass.held = &held_;
  pass.keep = true;
  if (!is_held_) {
    held_filled_ = 0;
    held_positions_.clear();
    AddText(pass, kNoGap, 0);
  } else {
    pass.first_key = held_.size();
  }
  AddFilled(pass, held_filled_, kNoGap, 0);
  pass.keep = !pass.rows.empty();
  pass.held_positions = held_positions_;
  const size_t contents = pass.rows.size();
  const std::vector<int64_t> positions = GapPositions(kNoGap, 0);
  for (size_t g = 0; g < gaps_.size(); ++g) {
    for (size_t p = 0; p < gaps_[g].ids.size(); ++p) {
      if (HasCandidates(g) || !IsInTurn(g, p)) continue;
      AddRow(pass, kQueryRow, positions[g] + static_cast<int64_t>(p),
             {{0, text_tokens() + static_cast<int64_t>(filled_.size())}});
      NextTokenQuery query;
      query.top = request_.top_k;
      query.banned = banned_;
      Ask({job, g, p, -1}, pass, query, queries);
    }
  }
  // Behind the rows' own use of the positions held so far, which are those before first_key.
  for (size_t i = 0; i < contents; ++i) held_positions_.push_back(pass.rows[i].position);
  pass.held_positions = held_positions_;
  held_filled_ = filled_.size();
  is_held_ = true;
  passes.push_back(std::move(pass));
}

// Each candidate's pieces see the text, what was filled and the pieces before them.
void XlnetFillIn::AppendCandidates(const Job& job, std::vector<XlnetPass>& passes,
                                   std::vector<NextTokenQuery>& queries) {
  const Gap& gap = gaps_[job.gap];
  const int64_t width = static_cast<int64_t>(job.length);
  XlnetPass pass;
  AddText(pass, job.gap, width);
  AddFilled(pass, 0, job.gap, width);
  const int64_t position = GapPositions(job.gap, width)[job.gap];
  const int64_t before = static_cast<int64_t>(pass.rows.size());
  std::vector<int64_t> first_key(gap.found.size());
  for (size_t c = 0; c < gap.found.size(); ++c) {
    const std::vector<int32_t>& ids = gap.found[c].ids;
    if (ids.size() != job.length) continue;
    first_key[c] = static_cast<int64_t>(pass.rows.size());
    for (int64_t p = 0; p + 1 < width; ++p) {
      AddRow(pass, ids[static_cast<size_t>(p)], position + p, {{0, before}, {first_key[c], first_key[c] + p + 1}});
    }
  }
  AddRow(pass, kQueryRow, position, {{0, before}});
  Ask({job, job.gap, 0, -1}, pass, {}, queries);
  for (size_t c = 0; c < gap.found.size(); ++c) {
    if (gap.found[c].ids.size() != job.length) continue;
    for (int64_t p = 1; p < width; ++p) {
      AddRow(pass, kQueryRow, position + p, {{0, before}, {first_key[c], first_key[c] + p}});
      NextTokenQuery query;
      query.target = gap.found[c].ids[static_cast<size_t>(p)];
      query.rank = false;
      Ask({job, job.gap, static_cast<size_t>(p), static_cast<int64_t>(c)}, pass, query, queries);
    }
  }
  passes.push_back(std::move(pass));
}

void XlnetFillIn::AppendPasses(std::vector<XlnetPass>& passes, std::vector<NextTokenQuery>& queries) {
  sees_.clear();
  asked_.clear();
  all_.clear();
  attention_.clear();
  step_end_ = JobsOfStep();
  for (size_t i = next_job_; i < step_end_; ++i) {
    if (jobs_[i].is_free) {
      AppendFree(jobs_[i], passes, queries);
    } else {
      AppendCandidates(jobs_[i], passes, queries);
    }
  }
}

// What the weights of an answer's row are of.
XlnetFillIn::Sight XlnetFillIn::SightOf(size_t index) const {
  Sight sight;
  if (attention_[index] == nullptr) return sight;
  const std::vector<float>& weights = *attention_[index];
  const size_t tokens = text_.tokens.size();
  sight.text.assign(weights.begin(), weights.begin() + static_cast<int64_t>(tokens));
  for (size_t i = 0; i < filled_.size(); ++i) sight.pieces.push_back({filled_[i], weights[tokens + i]});
  const Asked& asked = asked_[index];
  if (asked.job.is_free || asked.candidate < 0) return sight;
  size_t key = tokens + filled_.size();
  for (size_t c = 0; c < static_cast<size_t>(asked.candidate); ++c) {
    const bool is_there = gaps_[asked.gap].found[c].ids.size() == asked.job.length;
    key += is_there ? asked.job.length - 1 : 0;
  }
  for (size_t p = 0; p < asked.piece; ++p) sight.pieces.push_back({Piece{asked.gap, p}, weights[key + p]});
  return sight;
}

void XlnetFillIn::TakeAnswer(size_t index, const NextTokenAnswer& answer) {
  const Asked& asked = asked_[index];
  Gap& gap = gaps_[asked.gap];
  if (asked.job.is_free) {
    gap.best[asked.piece] = answer.best;
    gap.sights[asked.piece] = SightOf(index);
    return;
  }
  for (size_t c = 0; c < gap.found.size(); ++c) {
    Filling& filling = gap.found[c];
    if (filling.ids.size() != asked.job.length) continue;
    if (asked.candidate >= 0 && static_cast<size_t>(asked.candidate) != c) continue;
    filling.log_probability +=
        asked.candidate >= 0 ? answer.log_probability : (*all_[index])[static_cast<size_t>(filling.ids[0])];
    if (request_.return_attention) filling.sights.push_back(SightOf(index));
  }
}

void XlnetFillIn::Take(ConstMatrixView, absl::Span<NextTokenAnswer> answers, Context&) {
  for (size_t i = 0; i < asked_.size(); ++i) {
    const bool is_free = asked_[i].job.is_free;
    const bool has_best = !answers[i].best.empty() && std::isfinite(answers[i].best[0].logit);
    if (!std::isfinite(answers[i].log_normalizer) || (is_free && !has_best)) {
      return Finish(
          absl::InternalError("the model computed probabilities that are not numbers: its weights are damaged"));
    }
    TakeAnswer(i, answers[i]);
  }
  next_job_ = step_end_;
  if (next_job_ == jobs_.size()) EndTurn();
}

// Of the turn's pieces the one whose likeliest token is likelier than the others'; of a gap with candidates its first.
XlnetFillIn::Piece XlnetFillIn::MostCertain() const {
  Piece best;
  float most = -std::numeric_limits<float>::infinity();
  for (size_t g = 0; g < gaps_.size(); ++g) {
    for (size_t p = 0; p < gaps_[g].ids.size(); ++p) {
      if (!IsInTurn(g, p)) continue;
      float value = 0;
      if (HasCandidates(g)) {
        value = -std::numeric_limits<float>::infinity();
        for (const Filling& filling : gaps_[g].found) value = std::max(value, filling.log_probability);
      } else {
        value = gaps_[g].best[p][0].logit;
      }
      if (value > most) {
        most = value;
        best = {g, p};
      }
    }
  }
  return best;
}

void XlnetFillIn::FillByCandidate(size_t g) {
  Gap& gap = gaps_[g];
  std::stable_sort(gap.found.begin(), gap.found.end(), [](const Filling& a, const Filling& b) {
    return IsLikelierFilling(a.log_probability, b.log_probability);
  });
  const Filling& best = gap.found.front();
  is_held_ = is_held_ && static_cast<int64_t>(best.ids.size()) == gap.width;
  gap.ids = best.ids;
  gap.width = static_cast<int64_t>(best.ids.size());
  gap.sights = best.sights;
  gap.log_probability = best.log_probability;
  gap.is_filled = true;
  for (size_t p = 0; p < gap.ids.size(); ++p) filled_.push_back({g, p});
}

// With the likeliest token. Once the gap is filled, its other fillings differ in this piece.
void XlnetFillIn::Fill(Piece piece) {
  if (HasCandidates(piece.gap)) return FillByCandidate(piece.gap);
  Gap& gap = gaps_[piece.gap];
  const std::vector<Candidate>& best = gap.best[piece.piece];
  gap.ids[piece.piece] = best[0].id;
  filled_.push_back(piece);
  if (std::count(gap.ids.begin(), gap.ids.end(), kNotFilled) == 0) {
    gap.is_filled = true;
    for (const Candidate& candidate : best) {
      Filling& filling = gap.found.emplace_back(Filling{gap.ids, gap.log_probability + candidate.logit, {}});
      filling.ids[piece.piece] = candidate.id;
    }
  }
  gap.log_probability += best[0].logit;
}

// The likeliest fillings of a gap whose pieces are independent of each other.
void XlnetFillIn::FillAtOnce(size_t g) {
  if (HasCandidates(g)) return FillByCandidate(g);
  Gap& gap = gaps_[g];
  gap.found = {{{}, 0, {}}};
  for (const std::vector<Candidate>& best : gap.best) {
    std::vector<Filling> longer;
    for (const Filling& filling : gap.found) {
      for (const Candidate& candidate : best) {
        Filling& next = longer.emplace_back(filling);
        next.ids.push_back(candidate.id);
        next.log_probability += candidate.logit;
      }
    }
    std::stable_sort(longer.begin(), longer.end(), [](const Filling& a, const Filling& b) {
      return IsLikelierFilling(a.log_probability, b.log_probability);
    });
    if (longer.size() > static_cast<size_t>(request_.top_k)) longer.resize(static_cast<size_t>(request_.top_k));
    gap.found = std::move(longer);
  }
  gap.ids = gap.found[0].ids;
  gap.log_probability = gap.found[0].log_probability;
  gap.is_filled = true;
}

void XlnetFillIn::EndTurn() {
  if (request_.order == FillOrder::kAtOnce) {
    for (size_t g = 0; g < gaps_.size(); ++g) FillAtOnce(g);
    return Conclude();
  }
  Fill(MostCertain());
  if (std::all_of(gaps_.begin(), gaps_.end(), [](const Gap& gap) { return gap.is_filled; })) return Conclude();
  BeginTurn();
}

GapFilling XlnetFillIn::FillingOf(const Filling& filling) const {
  GapFilling result;
  result.text = tokenizer_.Decode(filling.ids);
  for (const int32_t id : filling.ids) result.tokens.push_back(tokenizer_.Piece(id));
  result.log_probability = filling.log_probability;
  return result;
}

void XlnetFillIn::Conclude() {
  int64_t end = 0;  // of what was copied of the text
  result_.tokens = text_tokens();
  for (size_t g = 0; g < gaps_.size(); ++g) {
    const Gap& gap = gaps_[g];
    std::vector<GapFilling>& fillings = result_.gaps.emplace_back();
    for (size_t i = 0; i < gap.found.size() && i < static_cast<size_t>(request_.top_k); ++i) {
      fillings.push_back(FillingOf(gap.found[i]));
    }
    result_.filled_text.append(request_.text, static_cast<size_t>(end), static_cast<size_t>(text_.gaps[g].start - end));
    result_.filled_text += fillings.front().text;
    end = text_.gaps[g].end;
    result_.log_probability += static_cast<double>(gap.log_probability);
    result_.tokens += gap.width;
  }
  result_.filled_text.append(request_.text, static_cast<size_t>(end));
  held_.Replace(0, 0);
  if (request_.return_attention) ConcludeAttention();
  Finish();
}

void XlnetFillIn::ConcludeAttention() {
  const std::vector<int64_t> positions = GapPositions(kNoGap, 0);
  result_.token_texts.resize(static_cast<size_t>(result_.tokens));
  std::vector<int64_t> text_columns;
  for (int64_t i = 0; i < text_tokens(); ++i) {
    const int64_t position = TextPosition(i, positions, kNoGap, 0);
    text_columns.push_back(1 + position);
    result_.token_texts[static_cast<size_t>(position)] = tokenizer_.Piece(text_.tokens[static_cast<size_t>(i)]);
  }
  result_.attention.columns = 1 + result_.tokens;
  for (size_t g = 0; g < gaps_.size(); ++g) {
    for (size_t p = 0; p < gaps_[g].ids.size(); ++p, ++result_.attention.rows) {
      result_.token_texts[static_cast<size_t>(positions[g]) + p] = tokenizer_.Piece(gaps_[g].ids[p]);
      std::vector<float>& weights = result_.attention.weights;
      const size_t row = weights.size();
      weights.resize(row + static_cast<size_t>(result_.attention.columns));
      const Sight& sight = gaps_[g].sights[p];
      for (size_t i = 0; i < sight.text.size(); ++i)
        weights[row + static_cast<size_t>(text_columns[i])] = sight.text[i];
      for (const auto& [piece, weight] : sight.pieces) {
        weights[row + static_cast<size_t>(1 + positions[piece.gap]) + piece.piece] = weight;
      }
    }
  }
}

}  // namespace heed
