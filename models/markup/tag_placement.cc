// SPDX-License-Identifier: Apache-2.0
#include "models/markup/tag_placement.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "models/markup/word_links.h"

namespace heed {
namespace {

// Elements within each other that are placed by their words; those further in are placed in proportion. So the time is
// linear in what is nested without end.
constexpr int kMaxFitDepth = 16;
// What of a target word has to be a source word, so that it counts as its translation.
constexpr float kMinShare = 0.25f;
constexpr int32_t kNone = -1;

// An element, or something that stands for itself. Words are numbered: the source's for `first` and `last`, the
// target's for `begin` and `end`.
struct Node {
  enum Kind : uint8_t { kElement, kPoint, kKept };
  Kind kind = kElement;
  int32_t open = kNone, close = kNone;  // tags of the plan; of a point or a kept range `open`
  int32_t kept = kNone;                 // of a kept range
  uint32_t first = 0, last = 0;         // its words
  std::vector<int32_t> children;

  // Where it goes: words [begin, end), or, if there are none, before word `begin` or behind the one before that.
  uint32_t begin = 0, end = 0;
  enum Phase : uint8_t { kBehind, kWithin, kBefore } phase = kWithin;
  bool absent = false;  // nothing to write: a kept range that is a word of the target
  int depth = 0;
};

class TagPlacement {
 public:
  TagPlacement(const MarkupUnit& unit, const UnitPlan& plan, absl::string_view text,
               absl::Span<const AlignedToken> alignment, CopySource copy, std::string& out)
      : unit_(unit), plan_(plan), text_(text), copy_(copy), out_(out) {
    const std::vector<TextRange> places = FindKept(unit.text, unit.kept, text, alignment);
    std::vector<uint32_t> cuts;
    for (const UnitTag& tag : plan.tags) cuts.push_back(tag.at);
    links_ = LinkWords(unit.text, cuts, unit.kept, text, places, alignment);
    word_of_kept_.assign(unit.kept.size(), kNone);
    for (size_t w = 0; w < links_.kept.size(); ++w) {
      if (links_.kept[w] >= 0) word_of_kept_[static_cast<size_t>(links_.kept[w])] = static_cast<int32_t>(w);
    }
    removed_.assign(links_.target.size(), false);
    weight_before_.assign(1, 0);
    for (const float weight : links_.weights) weight_before_.push_back(weight_before_.back() + weight);
    FindSlots();
  }

  void Place() {
    Grow();
    Assign();
    Write();
  }

 private:
  uint32_t words() const { return static_cast<uint32_t>(links_.target.size()); }
  Node& node(int32_t n) { return nodes_[static_cast<size_t>(n)]; }

  // The first source word at or behind an offset.
  uint32_t WordAt(size_t offset) const {
    const auto begins_before = [](const TextWord& word, size_t at) { return word.begin < at; };
    return static_cast<uint32_t>(std::lower_bound(links_.source.begin(), links_.source.end(), offset, begins_before) -
                                 links_.source.begin());
  }

  // For each source word, where the target words that render it begin and end; of one that none renders, those of the
  // nearest behind it and before it.
  void FindSlots() {
    const size_t sources = links_.source.size();
    std::vector<float> best(words());  // of each target word, its strongest link
    std::vector<int32_t> renders(words(), kNone);
    for (uint32_t s = 0; s < sources; ++s) {
      for (const WordLinks::Link& link : links_.LinksOf(s, s + 1)) {
        if (link.weight > best[link.word]) {
          best[link.word] = link.weight;
          renders[link.word] = static_cast<int32_t>(s);
        }
      }
    }
    begin_of_.assign(sources, words());
    end_of_.assign(sources, 0);
    std::vector<bool> known(sources);
    for (uint32_t s = 0; s < sources; ++s) {
      float most = 0;
      for (const WordLinks::Link& link : links_.LinksOf(s, s + 1)) {
        if (link.weight <= most || link.weight < kMinShare * links_.weights[link.word]) continue;
        most = link.weight;
        begin_of_[s] = link.word;
        end_of_[s] = link.word + 1;
        known[s] = true;
      }
      if (!known[s]) continue;
      while (begin_of_[s] > 0 && renders[begin_of_[s] - 1] == static_cast<int32_t>(s)) --begin_of_[s];
      while (end_of_[s] < words() && renders[end_of_[s]] == static_cast<int32_t>(s)) ++end_of_[s];
    }
    for (size_t s = 1; s < sources; ++s) {
      if (!known[s]) end_of_[s] = end_of_[s - 1];
    }
    for (size_t s = sources; s-- > 1;) {
      if (!known[s - 1]) begin_of_[s - 1] = begin_of_[s];
    }
  }

  // Makes the tree.
  void Grow() {
    nodes_.emplace_back();
    std::vector<int32_t> open = {0};
    std::vector<int32_t> node_of(plan_.tags.size(), kNone);  // of a start tag whose element is open
    size_t next_kept = 0;
    const auto add = [&](Node::Kind kind, uint32_t first, uint32_t last) {
      const auto n = static_cast<int32_t>(nodes_.size());
      nodes_.emplace_back();
      node(n).kind = kind;
      node(n).first = first;
      node(n).last = last;
      node(open.back()).children.push_back(n);
      return n;
    };
    // Kept ranges that are no elements, up to an offset.
    const auto add_kept = [&](size_t offset) {
      for (; next_kept < unit_.kept.size() && unit_.kept[next_kept].begin < offset; ++next_kept) {
        if (plan_.kept[next_kept].is_element) continue;
        const uint32_t word = WordAt(unit_.kept[next_kept].begin);
        node(add(Node::kKept, word, word + 1)).kept = static_cast<int32_t>(next_kept);
      }
    };
    const auto finish = [&](uint32_t word) {
      Node& element = node(open.back());
      element.last = word;
      if (element.open >= 0) node_of[static_cast<size_t>(element.open)] = kNone;
      open.pop_back();
    };
    for (size_t t = 0; t < plan_.tags.size(); ++t) {
      const UnitTag& tag = plan_.tags[t];
      const auto index = static_cast<int32_t>(t);
      add_kept(tag.at);
      const uint32_t word = WordAt(tag.at);
      switch (tag.kind) {
        case UnitTag::kOpen: {
          const int32_t n = add(Node::kElement, word, word);
          node(n).open = index;
          node_of[t] = n;
          open.push_back(n);
          break;
        }
        case UnitTag::kClose: {
          const int32_t element = tag.partner >= 0 ? node_of[static_cast<size_t>(tag.partner)] : kNone;
          if (element >= 0) {
            while (open.back() != element) finish(word);
            node(element).close = index;
            finish(word);
            break;
          }
          // Everything in its parent up to here is in it.
          const auto n = static_cast<int32_t>(nodes_.size());
          nodes_.emplace_back();
          Node& parent = node(open.back());
          node(n).close = index;
          node(n).first = parent.first;
          node(n).last = word;
          node(n).children.swap(parent.children);
          parent.children = {n};
          break;
        }
        case UnitTag::kPoint:
          node(add(Node::kPoint, word, word)).open = index;
          break;
        case UnitTag::kKept: {
          const int32_t n = add(Node::kKept, word, word + 1);
          node(n).open = index;
          node(n).kept = tag.kept;
          next_kept = std::max(next_kept, static_cast<size_t>(tag.kept) + 1);
          break;
        }
      }
    }
    add_kept(unit_.text.size());
    const auto sources = static_cast<uint32_t>(links_.source.size());
    while (!open.empty()) finish(sources);
  }

  // Stretches of target words that are taken, within one parent: begin and end.
  using Taken = std::map<uint32_t, uint32_t>;

  static bool IsTaken(const Taken& taken, uint32_t word) {
    auto next = taken.upper_bound(word);
    return next != taken.begin() && std::prev(next)->second > word;
  }
  // The first taken word at or behind `word`.
  static uint32_t NextTaken(const Taken& taken, uint32_t word) {
    auto next = taken.upper_bound(word);
    if (next != taken.begin() && std::prev(next)->second > word) return word;
    return next == taken.end() ? UINT32_MAX : next->first;
  }

  // Of target words.
  struct Window {
    uint32_t begin = 0, end = 0;
  };
  struct Stretch {
    uint32_t begin = 0, end = 0;
    float score = 0;
  };

  // The links of an element's words, of target words within [begin, end) that are free; ascending, summed.
  std::vector<WordLinks::Link> FreeLinks(const Node& element, uint32_t begin, uint32_t end, const Taken& taken) const {
    std::vector<WordLinks::Link> free;
    for (const WordLinks::Link& link : links_.LinksOf(element.first, element.last)) {
      if (link.word >= begin && link.word < end && !IsTaken(taken, link.word)) free.push_back(link);
    }
    std::sort(free.begin(), free.end(), [](const auto& a, const auto& b) { return a.word < b.word; });
    size_t size = 0;
    for (size_t i = 0; i < free.size(); ++i) {
      if (size > 0 && free[size - 1].word == free[i].word) {
        free[size - 1].weight += free[i].weight;
      } else {
        free[size++] = free[i];
      }
    }
    free.resize(size);
    return free;
  }

  float WeightOf(uint32_t begin, uint32_t end) const { return weight_before_[end] - weight_before_[begin]; }

  // The free stretch in which what is aligned with the element outweighs the rest most; nothing if none does.
  std::optional<Stretch> Fit(const Node& element, uint32_t begin, uint32_t end, const Taken& taken) const {
    std::optional<Stretch> best;
    Stretch running;
    bool any = false;
    for (const WordLinks::Link& link : FreeLinks(element, begin, end, taken)) {
      const float gain = 2 * link.weight - links_.weights[link.word];
      const float gap = any ? WeightOf(running.end, link.word) : 0;
      if (!any || running.score <= gap || NextTaken(taken, running.end) < link.word) {
        running = {link.word, link.word + 1, gain};
      } else {
        running.end = link.word + 1;
        running.score += gain - gap;
      }
      any = true;
      if (running.score > 0 && (!best.has_value() || running.score > best->score)) best = running;
    }
    return best;
  }

  // The stretch from `begin` on, or up to `end`, likewise, for an element that reaches to its parent's end.
  uint32_t FitEnd(const Node& element, uint32_t begin, uint32_t end, bool from_begin) const {
    const std::vector<WordLinks::Link> free = FreeLinks(element, begin, end, {});
    float best = 0, inside = 0;
    uint32_t place = from_begin ? begin : end;
    const auto consider = [&](const WordLinks::Link& link) {
      inside += 2 * link.weight;
      const uint32_t at = from_begin ? link.word + 1 : link.word;
      const float score = inside - (from_begin ? WeightOf(begin, at) : WeightOf(at, end));
      if (score > best) {
        best = score;
        place = at;
      }
    };
    if (from_begin) {
      for (auto link = free.begin(); link != free.end(); ++link) consider(*link);
    } else {
      for (auto link = free.rbegin(); link != free.rend(); ++link) consider(*link);
    }
    return place;
  }

  bool IsSign(uint32_t word) const { return !links_.target[word].has_letters; }
  absl::string_view TargetWord(uint32_t word) const {
    return text_.substr(links_.target[word].begin, links_.target[word].end - links_.target[word].begin);
  }
  absl::string_view SourceWord(uint32_t word) const {
    return absl::string_view(unit_.text)
        .substr(links_.source[word].begin, links_.source[word].end - links_.source[word].begin);
  }

  // Signs at the ends are in the element if they were in the source.
  void FitSigns(const Node& element, uint32_t begin, uint32_t end, const Taken& taken, Stretch& stretch) const {
    const bool sign_first = !links_.source[element.first].has_letters;
    const bool sign_last = !links_.source[element.last - 1].has_letters;
    if (!sign_last) {
      while (stretch.end - stretch.begin > 1 && IsSign(stretch.end - 1)) --stretch.end;
    } else if (stretch.end < end && !IsTaken(taken, stretch.end) &&
               TargetWord(stretch.end) == SourceWord(element.last - 1) &&
               TargetWord(stretch.end - 1) != SourceWord(element.last - 1)) {
      ++stretch.end;
    }
    if (!sign_first) {
      while (stretch.end - stretch.begin > 1 && IsSign(stretch.begin)) ++stretch.begin;
    } else if (stretch.begin > begin && !IsTaken(taken, stretch.begin - 1) &&
               TargetWord(stretch.begin - 1) == SourceWord(element.first) &&
               TargetWord(stretch.begin) != SourceWord(element.first)) {
      --stretch.begin;
    }
  }

  // Of an element whose words have no free target words: the nearest free word to where they should be.
  std::optional<Stretch> NearestFree(const Node& element, uint32_t begin, uint32_t end, const Taken& taken) const {
    constexpr uint32_t kMaxSteps = 3;
    if (begin == end || !std::any_of(links_.source.begin() + element.first, links_.source.begin() + element.last,
                                     [](const TextWord& word) { return word.has_letters; })) {
      return std::nullopt;
    }
    const uint32_t at = std::clamp(element.first == 0 ? begin : end_of_[element.first - 1], begin, end - 1);
    const auto is_free = [&](uint32_t word) { return !IsSign(word) && links_.kept[word] < 0 && !IsTaken(taken, word); };
    for (uint32_t step = 0; step <= kMaxSteps; ++step) {
      if (at + step < end && is_free(at + step)) return Stretch{at + step, at + step + 1};
      if (at >= begin + step && is_free(at - step)) return Stretch{at - step, at - step + 1};
    }
    return std::nullopt;
  }

  static void Take(Taken& taken, const Node& node) {
    if (node.begin < node.end) taken[node.begin] = node.end;
  }

  void Assign() {
    node(0).end = words();
    std::vector<int32_t> stack = {0};
    while (!stack.empty()) {
      const int32_t n = stack.back();
      stack.pop_back();
      AssignChildren(n);
      for (const int32_t child : node(n).children) {
        if (node(child).kind == Node::kElement) stack.push_back(child);
      }
    }
  }

  void AssignChildren(int32_t n) {
    const Node& parent = node(n);
    if (parent.children.empty()) return;
    const uint32_t begin = parent.begin, end = parent.end;
    if (parent.first == parent.last || begin == end) {
      for (const int32_t c : parent.children) {
        Node& child = node(c);
        child.begin = child.end = begin;
        if (child.kind == Node::kKept) SettleKept(child, /*in_place=*/false);
      }
      return;
    }
    Taken taken;
    std::vector<int32_t> elements;
    const bool fits = parent.depth < kMaxFitDepth;
    for (const int32_t c : parent.children) {
      Node& child = node(c);
      const bool same = child.first == parent.first && child.last == parent.last;
      child.depth = parent.depth + (same ? 0 : 1);
      if (child.kind == Node::kElement && child.first < child.last) {
        if (same) {
          child.begin = begin;
          child.end = end;
          Take(taken, child);
        } else {
          elements.push_back(c);
        }
      } else if (child.kind == Node::kKept && fits) {
        SettleKept(child, IsWithin(child.kept, begin, end));
        if (child.open >= 0) Take(taken, child);
      }
    }
    fits ? FitElements(begin, end, elements, taken) : SpreadElements(parent, elements, taken);
    // What is beside an element that reaches to the parent's begin or end stays beside it.
    const Node& first = node(parent.children.front());
    const Node& last = node(parent.children.back());
    Window window{begin, end};
    if (first.kind == Node::kElement && first.open < 0 && first.first < first.last) window.begin = first.end;
    if (last.kind == Node::kElement && last.close < 0 && last.first < last.last) window.end = last.begin;
    for (const int32_t e : elements) {
      if (node(e).begin == node(e).end) PlacePoint(parent, node(e), taken, window);
    }
    for (const int32_t c : parent.children) {
      Node& child = node(c);
      if (child.kind == Node::kKept && !fits) {
        const int32_t word = word_of_kept_[static_cast<size_t>(child.kept)];
        const bool stays =
            IsWithin(child.kept, begin, end) && (child.open < 0 || !IsTaken(taken, static_cast<uint32_t>(word)));
        SettleKept(child, stays);
        if (child.open >= 0) Take(taken, child);
      }
    }
    for (const int32_t c : parent.children) {
      Node& child = node(c);
      const bool empty_element = child.kind == Node::kElement && child.first == child.last;
      const bool lost = child.kind == Node::kKept && !child.absent && child.begin == child.end;
      if (child.kind == Node::kPoint || empty_element || lost) PlacePoint(parent, child, taken, window);
    }
    SortChildren(n);
  }

  bool IsWithin(int32_t kept, uint32_t begin, uint32_t end) const {
    const int32_t word = word_of_kept_[static_cast<size_t>(kept)];
    // What is no element needs no place within its parent.
    if (word >= 0 && !plan_.kept[static_cast<size_t>(kept)].is_element) return true;
    return word >= static_cast<int32_t>(begin) && word < static_cast<int32_t>(end);
  }

  // A kept range stays where the target has it, or is taken out there.
  void SettleKept(Node& child, bool in_place) {
    const int32_t word = word_of_kept_[static_cast<size_t>(child.kept)];
    if (word >= 0 && (in_place || !plan_.kept[static_cast<size_t>(child.kept)].is_element)) {
      if (child.open < 0) {
        child.absent = true;
        return;
      }
      child.begin = static_cast<uint32_t>(word);
      child.end = child.begin + 1;
      return;
    }
    if (word >= 0) removed_[static_cast<size_t>(word)] = true;
  }

  // Those for which there is no word stay empty.
  void FitElements(uint32_t begin, uint32_t end, const std::vector<int32_t>& elements, Taken& taken) {
    std::vector<int32_t> others;
    for (const int32_t e : elements) {
      Node& element = node(e);
      if (element.open < 0) {  // from the parent's begin on
        element.begin = begin;
        element.end = FitEnd(element, begin, std::min(end, NextTaken(taken, begin)), true);
        Take(taken, element);
      } else if (element.close < 0) {  // up to the parent's end
        uint32_t from = begin;
        if (!taken.empty()) from = std::max(from, std::prev(taken.end())->second);
        element.begin = FitEnd(element, from, end, false);
        element.end = end;
        Take(taken, element);
      } else {
        others.push_back(e);
      }
    }
    const auto larger = [&](int32_t a, int32_t b) {
      return node(a).last - node(a).first > node(b).last - node(b).first;
    };
    std::stable_sort(others.begin(), others.end(), larger);
    std::vector<int32_t> left;
    for (const int32_t e : others) {
      Node& element = node(e);
      std::optional<Stretch> stretch = Fit(element, begin, end, taken);
      if (!stretch.has_value()) {
        left.push_back(e);
        continue;
      }
      FitSigns(element, begin, end, taken, *stretch);
      element.begin = stretch->begin;
      element.end = stretch->end;
      Take(taken, element);
    }
    for (const int32_t e : left) {
      Node& element = node(e);
      // The strongest word of its own, though the others outweigh it.
      std::optional<Stretch> stretch;
      for (const WordLinks::Link& link : FreeLinks(element, begin, end, taken)) {
        if (!stretch.has_value() || link.weight > stretch->score)
          stretch = Stretch{link.word, link.word + 1, link.weight};
      }
      if (!stretch.has_value()) stretch = NearestFree(element, begin, end, taken);
      if (stretch.has_value()) {
        element.begin = stretch->begin;
        element.end = stretch->end;
        Take(taken, element);
      }
    }
  }

  // In proportion: in their order, disjoint.
  void SpreadElements(const Node& parent, const std::vector<int32_t>& elements, Taken& taken) {
    const uint64_t target = parent.end - parent.begin, source = parent.last - parent.first;
    for (const int32_t e : elements) {
      Node& element = node(e);
      element.begin = parent.begin + static_cast<uint32_t>((element.first - parent.first) * target / source);
      element.end = parent.begin + static_cast<uint32_t>((element.last - parent.first) * target / source);
      Take(taken, element);
    }
  }

  // What has no words goes beside the one that it was beside.
  void PlacePoint(const Node& parent, Node& child, const Taken& taken, const Window& window) {
    if (child.kind == Node::kElement && (child.open < 0 || child.close < 0)) {
      child.begin = child.end = child.open < 0 ? parent.begin : parent.end;
      child.phase = child.open < 0 ? Node::kBefore : Node::kBehind;
      return;
    }
    bool before = false;
    if (child.kind == Node::kElement || child.kind == Node::kPoint) {
      const int32_t first_tag = child.open >= 0 ? child.open : child.close;
      const int32_t last_tag = child.close >= 0 ? child.close : child.open;
      const bool space_before = plan_.tags[static_cast<size_t>(first_tag)].space_before;
      before = space_before || child.first == parent.first;
      if (!space_before && plan_.tags[static_cast<size_t>(last_tag)].space_behind) before = false;
    } else {
      before = child.first == 0;
    }
    const uint32_t behind = child.kind == Node::kKept ? child.last : child.first;
    uint32_t slot = 0;
    if (before || child.first == 0) {
      slot = behind < begin_of_.size() ? begin_of_[behind] : words();
      before = true;
    } else {
      slot = end_of_[child.first - 1];
    }
    slot = std::clamp(slot, window.begin, window.end);
    // Not within a sibling.
    auto next = taken.upper_bound(slot);
    if (next != taken.begin()) {
      const auto& [begin, end] = *std::prev(next);
      if (begin < slot && slot < end) slot = before ? begin : end;
    }
    if (parent.begin < parent.end) {
      if (slot == parent.end) before = false;
      if (slot == parent.begin) before = true;
    }
    child.begin = child.end = slot;
    child.phase = before ? Node::kBefore : Node::kBehind;
  }

  void SortChildren(int32_t n) {
    std::vector<int32_t>& children = node(n).children;
    const auto key = [&](int32_t c) {
      const Node& child = node(c);
      const int phase = child.begin < child.end ? 3 : child.phase;
      return std::make_tuple(child.begin, phase, c);
    };
    // A wrapped child has a smaller number than the one around it, but then they are not siblings: numbers are in
    // order.
    std::sort(children.begin(), children.end(), [&](int32_t a, int32_t b) { return key(a) < key(b); });
  }

  // Writing.

  void Write() {
    struct Frame {
      int32_t node;
      size_t next;
    };
    std::vector<Frame> stack = {{0, 0}};
    while (!stack.empty()) {
      Frame& frame = stack.back();
      const Node& element = node(frame.node);
      if (frame.next == element.children.size()) {
        if (frame.node != 0) {
          if (element.begin < element.end) WriteUpTo(EndOf(element.end));
          WriteTag(element.close);
          if (element.begin == element.end) SpaceBehind(element);
        }
        stack.pop_back();
        continue;
      }
      const int32_t c = element.children[frame.next++];
      const Node& child = node(c);
      if (child.absent) continue;
      if (child.begin < child.end) {
        WriteUpTo(BeginOf(child.begin));
      } else if (child.phase != Node::kWithin) {
        WriteUpTo(child.phase == Node::kBefore ? BeginOf(child.begin) : EndOf(child.begin));
      }
      if (child.begin == child.end && child.kind != Node::kKept) SpaceBefore(child);
      if (child.kind == Node::kElement) {
        WriteTag(child.open);
        stack.push_back({c, 0});
      } else if (child.kind == Node::kKept) {
        WriteKept(child);
      } else {
        WritePoint(child);
      }
    }
    WriteUpTo(text_.size());
  }

  size_t BeginOf(uint32_t word) const { return word < words() ? links_.target[word].begin : text_.size(); }
  size_t EndOf(uint32_t word) const { return word > 0 ? links_.target[word - 1].end : 0; }

  void WriteTag(int32_t tag) {
    if (tag >= 0) copy_(plan_.tags[static_cast<size_t>(tag)].begin, plan_.tags[static_cast<size_t>(tag)].end, out_);
  }

  void WritePoint(const Node& point) {
    WriteTag(point.open);
    SpaceBehind(point);
    if (plan_.tags[static_cast<size_t>(point.open)].glued && at_ < text_.size() && text_[at_] == ' ') ++at_;
  }

  // What has no words has the white space beside it that it had in the source.
  bool HadSpaceBefore(const Node& node) const {
    return plan_.tags[static_cast<size_t>(node.open >= 0 ? node.open : node.close)].space_before;
  }
  bool HadSpaceBehind(const Node& node) const {
    return plan_.tags[static_cast<size_t>(node.close >= 0 ? node.close : node.open)].space_behind;
  }
  bool IsWhole(const Node& node) const { return node.kind == Node::kPoint || (node.open >= 0 && node.close >= 0); }
  void SpaceBefore(const Node& node) {
    if (node.phase == Node::kWithin || !IsWhole(node) || !HadSpaceBefore(node)) return;
    if (at_ > 0 && text_[at_ - 1] != ' ') out_ += ' ';
  }
  void SpaceBehind(const Node& node) {
    if (node.phase == Node::kBefore && IsWhole(node) && HadSpaceBefore(node) && HadSpaceBehind(node)) out_ += ' ';
  }

  void WriteKept(const Node& child) {
    if (child.begin < child.end) {  // the word is written as what it is
      WriteUpTo(EndOf(child.end));
      return;
    }
    if (child.phase == Node::kBehind) out_ += ' ';
    WriteKeptRange(child.kept);
    if (child.phase != Node::kBehind && at_ < text_.size()) out_ += ' ';
  }

  void WriteKeptRange(int32_t kept) {
    const KeptPart& part = plan_.kept[static_cast<size_t>(kept)];
    if (part.begin < part.end) {
      copy_(part.begin, part.end, out_);
    } else {
      const TextRange& range = unit_.kept[static_cast<size_t>(kept)];
      WriteText(absl::string_view(unit_.text).substr(range.begin, range.end - range.begin));
    }
  }

  // The target's text up to byte `end`.
  void WriteUpTo(size_t end) {
    while (next_word_ < words() && links_.target[next_word_].begin < end) {
      const TextWord& word = links_.target[next_word_];
      const int32_t kept = links_.kept[next_word_];
      if (kept >= 0 && (removed_[next_word_] ||
                        plan_.kept[static_cast<size_t>(kept)].begin < plan_.kept[static_cast<size_t>(kept)].end)) {
        if (at_ < word.begin) WriteText(text_.substr(at_, word.begin - at_));
        at_ = std::max<size_t>(at_, word.end);
        if (removed_[next_word_]) {
          if (at_ < text_.size() && text_[at_] == ' ') ++at_;
        } else {
          WriteKeptRange(kept);
        }
      }
      ++next_word_;
    }
    if (at_ >= end) return;
    WriteText(text_.substr(at_, end - at_));
    at_ = end;
  }

  void WriteText(absl::string_view text) {
    if (plan_.place == UnitPlan::kCharacters) {
      absl::StrAppend(&out_, absl::StrReplaceAll(text, {{"]]>", "]]]]><![CDATA[>"}}));
    } else {
      plan_.spelling.Append(text, plan_.rules, plan_.quote, out_);
    }
  }

  const MarkupUnit& unit_;
  const UnitPlan& plan_;
  const absl::string_view text_;
  const CopySource copy_;
  std::string& out_;

  WordLinks links_;
  std::vector<int32_t> word_of_kept_;        // of each kept range, the target word that it is; -1: none
  std::vector<bool> removed_;                // target words that are not written: kept ranges that belong elsewhere
  std::vector<float> weight_before_;         // sums of the weights of target words
  std::vector<uint32_t> begin_of_, end_of_;  // of each source word, its target words
  std::vector<Node> nodes_;                  // the first is the root

  size_t at_ = 0;  // bytes of the target that are written
  uint32_t next_word_ = 0;
};

}  // namespace

void PlaceTags(const MarkupUnit& unit, const UnitPlan& plan, const TranslatedUnit& translation, CopySource copy,
               std::string& out) {
  absl::string_view text = translation.text;
  const absl::string_view trimmed = absl::StripAsciiWhitespace(text);
  const auto shift = static_cast<size_t>(trimmed.data() - text.data());
  if (shift == 0) {
    TagPlacement(unit, plan, trimmed, translation.alignment, copy, out).Place();
    return;
  }
  std::vector<AlignedToken> alignment;
  for (AlignedToken token : translation.alignment) {
    if (token.target.end <= shift) continue;
    token.target.begin = std::max(token.target.begin, shift) - shift;
    token.target.end -= shift;
    alignment.push_back(token);
  }
  TagPlacement(unit, plan, trimmed, alignment, copy, out).Place();
}

}  // namespace heed
