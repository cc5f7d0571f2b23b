// SPDX-License-Identifier: Apache-2.0
// A language model by formula: the next token depends on the last two. Its vocabulary is "w0" to "w9" and a few others.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "models/language/causal_network.h"
#include "models/text/text_tokenizer.h"

namespace heed {

// Words that white space separates. "<end>" is 10, "<unk>" 11.
class TableTokenizer : public TextTokenizer {
 public:
  static constexpr int32_t kEnd = 10, kUnknown = 11;

  TableTokenizer() {
    for (int i = 0; i < 10; ++i) pieces_.push_back("w" + std::to_string(i));
    pieces_.push_back("<end>");
    pieces_.push_back("<unk>");
  }
  absl::StatusOr<std::vector<TextToken>> Encode(absl::string_view text, const TokenizeOptions& options) const override {
    std::vector<TextToken> tokens;
    size_t at = 0;
    while (at < text.size()) {
      if (text[at] == ' ' || text[at] == '\n') {
        ++at;
        continue;
      }
      const size_t end = std::min(text.find_first_of(" \n", at), text.size());
      std::optional<int32_t> id = Find(text.substr(at, end - at));
      if (id && *id >= kEnd && !options.special_tokens) id = std::nullopt;
      tokens.push_back({id.value_or(kUnknown), static_cast<int64_t>(at), static_cast<int64_t>(end), !id});
      at = end;
    }
    return tokens;
  }
  std::string Decode(absl::Span<const int32_t> ids) const override {
    std::vector<std::string> words;
    for (const int32_t id : ids) {
      if (id < kEnd) words.push_back(Piece(id));
    }
    return absl::StrJoin(words, " ");
  }
  const std::string& Piece(int32_t id) const override { return pieces_[static_cast<size_t>(id)]; }
  std::optional<int32_t> Find(absl::string_view piece) const override {
    for (size_t i = 0; i < pieces_.size(); ++i) {
      if (pieces_[i] == piece) return static_cast<int32_t>(i);
    }
    return std::nullopt;
  }
  int64_t size() const override { return static_cast<int64_t>(pieces_.size()); }
  std::optional<int32_t> end_of_text() const override { return kEnd; }
  std::optional<int32_t> unknown() const override { return kUnknown; }
  bool end_is_of_line() const override { return false; }
  const std::vector<int32_t>& special() const override { return special_; }

 private:
  std::vector<std::string> pieces_;
  std::vector<int32_t> special_;
};

class TableMemory : public TextMemory {
 public:
  std::vector<int32_t> tokens;

  std::unique_ptr<TextMemory> Fork() const override { return std::make_unique<TableMemory>(*this); }
  int64_t bytes() const override { return static_cast<int64_t>(tokens.size() * sizeof(int32_t)); }
  std::vector<SharedPart> shared_parts() const override { return {}; }
  int64_t tokens_read() const override { return static_cast<int64_t>(tokens.size()); }
  int64_t tokens_held() const override { return std::min<int64_t>(2, tokens_read()); }
  std::string Serialize() const override { return absl::StrJoin(tokens, " "); }
};

class TableNetwork : public CausalNetwork {
 public:
  // The log-probabilities of what follows `last` behind `before` (-1: nothing).
  static std::vector<float> Next(int32_t before, int32_t last) {
    std::vector<float> logits;
    double sum = 0;
    for (int32_t id = 0; id < 12; ++id) {
      logits.push_back(static_cast<float>(3 * std::sin(7.3 * (before + 2) + 3.1 * (last + 1) * (id + 1.5))));
      sum += std::exp(static_cast<double>(logits.back()));
    }
    for (float& logit : logits) logit -= static_cast<float>(std::log(sum));
    return logits;
  }

  int64_t vocabulary() const override { return 12; }
  int64_t weights() const override { return 0; }
  int64_t resident_bytes() const override { return 0; }
  bool has_segments() const override { return false; }
  bool has_hugging_face_mode() const override { return false; }
  std::unique_ptr<TextMemory> NewMemory(const MemoryOptions&) const override { return std::make_unique<TableMemory>(); }
  absl::StatusOr<std::unique_ptr<TextMemory>> ParseMemory(absl::string_view bytes) const override {
    auto memory = std::make_unique<TableMemory>();
    for (absl::string_view number : absl::StrSplit(bytes, ' ', absl::SkipEmpty())) {
      if (!absl::SimpleAtoi(number, &memory->tokens.emplace_back())) return absl::InvalidArgumentError("not a number");
    }
    return memory;
  }
  int64_t MemoryBytes(int64_t, int64_t tokens) const override { return tokens * 4; }
  void Read(absl::Span<const Reading> readings, Context&) const override {
    for (const Reading& reading : readings) ReadOne(reading);
  }

 private:
  static void ReadOne(const Reading& reading) {
    std::vector<int32_t>& tokens = static_cast<TableMemory*>(reading.memory)->tokens;
    size_t query = 0;
    for (size_t after = 0; after <= reading.tokens.size(); ++after) {
      for (; query < reading.queries.size() && reading.queries[query].after == static_cast<int64_t>(after); ++query) {
        Answer(tokens, reading.queries[query], reading.answers[query]);
      }
      if (after < reading.tokens.size()) tokens.push_back(reading.tokens[after]);
    }
  }
  static void Answer(const std::vector<int32_t>& tokens, const NextTokenQuery& query, NextTokenAnswer& answer) {
    const int32_t before = tokens.size() < 2 ? -1 : tokens[tokens.size() - 2];
    std::vector<float> next = Next(before, tokens.back());
    if (query.target) {
      answer.log_probability = next[static_cast<size_t>(*query.target)];
      answer.rank = 1;
      for (const float other : next) answer.rank += other > answer.log_probability;
    }
    for (const int32_t id : query.banned) next[static_cast<size_t>(id)] = -INFINITY;
    if (query.all != nullptr) std::copy(next.begin(), next.end(), query.all);
    std::vector<Candidate> best(static_cast<size_t>(query.top));
    BestCandidates candidates{best.data(), query.top, 0};
    if (query.top > 0) OfferLogits(next.data(), 12, 0, candidates);
    best.resize(static_cast<size_t>(candidates.count));
    answer.best = std::move(best);
    if (query.attention != nullptr) *query.attention = {0.25f, 0.75f};
  }
};

}  // namespace heed
