// SPDX-License-Identifier: Apache-2.0
#include "models/text/byte_pairs.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <queue>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/code_points.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/mapped_file.h"
#include "base/status_macros.h"
#include "base/utf8.h"

namespace heed {
namespace {

constexpr absl::string_view kEnd = "</w>";
constexpr absl::string_view kVersion = "#version:";

// The bytes without carriage returns, blanks and line ends around them, as subword-nmt reads a line.
absl::string_view Stripped(absl::string_view line) {
  const size_t begin = line.find_first_not_of("\r\n ");
  if (begin == line.npos) return "";
  return line.substr(begin, line.find_last_not_of("\r\n ") + 1 - begin);
}

}  // namespace

// A word while its symbols merge.
class BytePairs::Word {
 public:
  Word(const BytePairs& pairs, absl::string_view text) : pairs_(pairs), text_(text) {
    for (int32_t i = 0; i < static_cast<int32_t>(text.size());) {
      const int32_t begin = i;
      NextCodePoint(text, i);
      Append(begin, i, text.substr(static_cast<size_t>(begin), static_cast<size_t>(i - begin)));
    }
    Node& last = nodes_.back();
    if (pairs.end_is_symbol_) {
      Append(last.end, last.end, kEnd);
    } else {
      last.symbol = pairs.FindSymbol(absl::StrCat(text.substr(static_cast<size_t>(last.begin)), kEnd));
    }
    nodes_.back().next = kNone;
  }

  std::vector<absl::string_view> Merged() {
    for (size_t i = 0; i + 1 < nodes_.size(); ++i) Propose(static_cast<int32_t>(i));
    while (!candidates_.empty()) MergeFirst();
    std::vector<absl::string_view> pieces;
    for (int32_t i = 0; i != kNone; i = nodes_[static_cast<size_t>(i)].next) {
      const Node& node = nodes_[static_cast<size_t>(i)];
      if (node.end == node.begin) continue;  // the end of the word
      pieces.push_back(text_.substr(static_cast<size_t>(node.begin), static_cast<size_t>(node.end - node.begin)));
    }
    return pieces;
  }

 private:
  static constexpr int32_t kNone = -1;
  // A symbol of the word. The left one of two that merge becomes the result.
  struct Node {
    int32_t begin = 0, end = 0;  // bytes of the word
    int32_t symbol = 0;          // negative: no merge has it
    int32_t previous = kNone, next = kNone;
    bool merged_away = false;
  };
  using Candidate = std::pair<int32_t, int32_t>;  // rank of a merge, and the node that is its left part

  void Append(int32_t begin, int32_t end, absl::string_view symbol) {
    const auto index = static_cast<int32_t>(nodes_.size());
    nodes_.push_back({begin, end, pairs_.FindSymbol(symbol), index - 1, index + 1});
  }

  const Merge* MergeAt(int32_t left) const {
    const Node& node = nodes_[static_cast<size_t>(left)];
    if (node.merged_away || node.next == kNone) return nullptr;
    return pairs_.Find(node.symbol, nodes_[static_cast<size_t>(node.next)].symbol);
  }

  void Propose(int32_t left) {
    if (left == kNone) return;
    if (const Merge* merge = MergeAt(left)) candidates_.emplace(merge->rank, left);
  }

  // The first merge of the file that is possible, at all places. What it makes possible comes later, even if that is
  // before it in the file.
  void MergeFirst() {
    const int32_t rank = candidates_.top().first;
    results_.clear();
    for (; !candidates_.empty() && candidates_.top().first == rank; candidates_.pop()) {
      const int32_t left = candidates_.top().second;
      const Merge* merge = MergeAt(left);
      if (merge == nullptr || merge->rank != rank) continue;  // another merge came before it
      Node& node = nodes_[static_cast<size_t>(left)];
      Node& right = nodes_[static_cast<size_t>(node.next)];
      node.symbol = merge->result;
      node.end = right.end;
      node.next = right.next;
      right.merged_away = true;
      if (node.next != kNone) nodes_[static_cast<size_t>(node.next)].previous = left;
      results_.push_back(left);
    }
    for (const int32_t result : results_) {
      Propose(nodes_[static_cast<size_t>(result)].previous);
      Propose(result);
    }
  }

  const BytePairs& pairs_;
  const absl::string_view text_;
  std::vector<Node> nodes_;
  std::vector<int32_t> results_;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates_;
};

absl::StatusOr<BytePairs> BytePairs::Load(const std::string& path) {
  HEED_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  BytePairs pairs;
  absl::string_view bytes = file.bytes();
  if (const auto at = FirstInvalidUtf8(bytes)) return InvalidArgument(path, ": is not UTF-8 at byte ", *at);
  while (absl::ConsumeSuffix(&bytes, "\n")) {
  }
  int number = 0;
  pairs.end_is_symbol_ = !absl::StartsWith(bytes, kVersion);
  for (absl::string_view line : absl::StrSplit(bytes, '\n')) {
    if (++number == 1 && absl::ConsumePrefix(&line, kVersion)) {
      absl::string_view version = Stripped(line);
      while (absl::ConsumeSuffix(&version, ".0")) {
      }
      if (version != "0.1" && version != "0.2") {
        return InvalidArgument(path, ":1: has version ", Quoted(version), ", known are 0.1 and 0.2");
      }
      pairs.end_is_symbol_ = version == "0.1";
      continue;
    }
    if (const absl::Status status = pairs.Add(Stripped(line)); !status.ok()) {
      return InvalidArgument(path, ":", number, ": ", status.message());
    }
  }
  if (pairs.merges_.empty()) return InvalidArgument(path, ": has no merges");
  return pairs;
}

absl::Status BytePairs::Add(absl::string_view line) {
  const std::vector<std::string> symbols = absl::StrSplit(line, ' ');
  if (symbols.size() != 2 || symbols[0].empty() || symbols[1].empty()) {
    return InvalidArgument(Quoted(line), " is not two symbols with one blank between them");
  }
  if (symbols_.size() > std::numeric_limits<int32_t>::max() - 3) return InvalidArgument("one merge too many");
  const std::pair<int32_t, int32_t> parts = {SymbolOf(symbols[0]), SymbolOf(symbols[1])};
  const int32_t result = SymbolOf(absl::StrCat(symbols[0], symbols[1]));
  const auto rank = static_cast<int32_t>(merges_.size());
  if (!merges_.try_emplace(parts, Merge{rank, result}).second) return absl::OkStatus();
  int32_t& left_bytes = left_bytes_[static_cast<size_t>(result)];
  if (left_bytes == 0) left_bytes = static_cast<int32_t>(symbols[0].size());
  return absl::OkStatus();
}

int32_t BytePairs::SymbolOf(const std::string& text) {
  const auto [found, is_new] = symbols_.try_emplace(text, static_cast<int32_t>(symbols_.size()));
  if (is_new) left_bytes_.push_back(0);
  return found->second;
}

int32_t BytePairs::FindSymbol(absl::string_view text) const {
  const auto found = symbols_.find(text);
  return found == symbols_.end() ? -1 : found->second;
}

const BytePairs::Merge* BytePairs::Find(int32_t left, int32_t right) const {
  if (left < 0 || right < 0) return nullptr;
  const auto found = merges_.find({left, right});
  return found == merges_.end() ? nullptr : &found->second;
}

std::vector<absl::string_view> BytePairs::Split(absl::string_view word) const { return Word(*this, word).Merged(); }

std::vector<std::string> BytePairs::SplitWithin(absl::string_view word, absl::string_view separator,
                                                absl::FunctionRef<bool(absl::string_view)> has) const {
  std::vector<absl::string_view> waiting = Split(word);  // the next one is the last
  std::reverse(waiting.begin(), waiting.end());
  std::vector<std::string> pieces;
  while (!waiting.empty()) {
    const absl::string_view piece = waiting.back();
    waiting.pop_back();
    const bool last = waiting.empty();
    std::string marked = absl::StrCat(piece, last ? "" : separator);
    const auto parts = has(marked) ? std::nullopt : Unmerge(piece, last);
    if (parts) {
      waiting.push_back(parts->second);
      waiting.push_back(parts->first);
    } else {
      pieces.push_back(std::move(marked));
    }
  }
  return pieces;
}

bool BytePairs::CanMake(absl::string_view piece, bool last) const {
  if (piece.empty()) return false;
  int32_t i = 0;
  NextCodePoint(piece, i);
  return static_cast<size_t>(i) == piece.size() || Unmerge(piece, last);
}

std::optional<std::pair<absl::string_view, absl::string_view>> BytePairs::Unmerge(absl::string_view piece,
                                                                                  bool last) const {
  const int32_t symbol = FindSymbol(last ? absl::StrCat(piece, kEnd) : std::string(piece));
  const auto left = symbol < 0 ? 0 : static_cast<size_t>(left_bytes_[static_cast<size_t>(symbol)]);
  if (left == 0) return std::nullopt;
  if (left >= piece.size()) return Unmerge(piece, false);  // version 0.1: the right part is the end of the word
  return std::make_pair(piece.substr(0, left), piece.substr(left));
}

}  // namespace heed
