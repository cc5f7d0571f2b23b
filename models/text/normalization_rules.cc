// SPDX-License-Identifier: Apache-2.0
#include "models/text/normalization_rules.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace heed {
namespace {

// Of the library's ModelProto and NormalizerSpec.
constexpr uint64_t kNormalizer = 3, kDenormalizer = 5, kRules = 2;

// The library has room for so many matches that begin at one place of a text.
constexpr int kMaxMatches = 32;
constexpr int kLongestKey = 256;  // bytes of what is replaced
constexpr size_t kBytes = 256;

bool TakeVarint(std::string_view& bytes, uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (bytes.empty()) return false;
    const auto byte = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// Calls visit(number, bytes) for each field that holds bytes. False: these are no fields.
template <typename Visit>
bool VisitFields(std::string_view bytes, const Visit& visit) {
  while (!bytes.empty()) {
    uint64_t tag = 0, value = 0;
    if (!TakeVarint(bytes, tag)) return false;
    switch (tag & 7) {
      case 0:
        if (!TakeVarint(bytes, value)) return false;
        continue;
      case 1:
        value = 8;
        break;
      case 2:
        if (!TakeVarint(bytes, value)) return false;
        break;
      case 5:
        value = 4;
        break;
      default:
        return false;
    }
    if (value > bytes.size()) return false;
    if ((tag & 7) == 2) visit(tag >> 3, bytes.substr(0, value));
    bytes.remove_prefix(value);
  }
  return true;
}

// A double array, as Darts-clone (the library's) makes it: a unit leads to its children's block, in which the child of
// byte c stands at the block's place XOR c, and is one if it is labelled c.
class Trie {
 public:
  // `texts`: how many bytes of them there are.
  Trie(std::string_view units, size_t texts) : units_(units.size() / sizeof(uint32_t)), texts_(texts) {
    if (!units_.empty()) std::memcpy(units_.data(), units.data(), units_.size() * sizeof(uint32_t));
    matches_.resize(units_.size(), kUnseen);
  }

  std::string Damage() {
    if (units_.empty()) return "has an empty trie";
    Visit(0, 0);
    return damage_;
  }

 private:
  static constexpr int kUnseen = -1, kUnderWay = -2;

  static bool IsValue(uint32_t unit) { return unit >> 31 != 0; }
  static bool HasValue(uint32_t unit) { return (unit >> 8 & 1) != 0; }
  static size_t Offset(uint32_t unit) { return static_cast<size_t>(unit >> 10) << ((unit & (1u << 9)) >> 6); }

  // The most matches that end at the unit or below it.
  int Visit(size_t place, int length) {
    if (matches_[place] == kUnderWay) return Damaged("has a trie that leads back into itself");
    if (matches_[place] != kUnseen) return matches_[place];
    if (length > kLongestKey) return Damaged("has a trie of very long keys");
    matches_[place] = kUnderWay;
    const uint32_t unit = units_[place];
    const size_t block = place ^ Offset(unit);
    if ((block | (kBytes - 1)) >= units_.size()) return Damaged("has a trie that leads out of itself");
    const bool has_value = HasValue(unit);
    if (has_value && (units_[block] & 0x7fffffff) >= texts_) return Damaged("has a trie that leads out of its texts");
    int below = 0;
    for (size_t byte = 0; byte < kBytes && damage_.empty(); ++byte) {
      const size_t child = block ^ byte;
      if (IsValue(units_[child]) || (units_[child] & 0xff) != byte) continue;
      below = std::max(below, Visit(child, length + 1));
    }
    matches_[place] = below + has_value;
    if (matches_[place] > kMaxMatches) return Damaged("has a trie of too many keys within each other");
    return matches_[place];
  }

  int Damaged(const char* what) {
    if (damage_.empty()) damage_ = what;
    return 0;
  }

  std::vector<uint32_t> units_;
  const size_t texts_;
  std::vector<int> matches_;  // of the units that were visited
  std::string damage_;
};

// The trie's size in bytes (uint32), the trie, the texts, each with a zero byte behind it.
std::string DamageOf(std::string_view rules) {
  uint32_t size = 0;
  if (rules.empty()) return "";  // there are none
  if (rules.size() < sizeof(size)) return "is not whole";
  std::memcpy(&size, rules.data(), sizeof(size));
  rules.remove_prefix(sizeof(size));
  if (size > rules.size()) {
    return "has a trie of " + std::to_string(size) + " bytes, but there are " + std::to_string(rules.size());
  }
  if (size % sizeof(uint32_t) != 0) return "has a trie of " + std::to_string(size) + " bytes, which are no whole units";
  const std::string_view texts = rules.substr(size);
  if (texts.empty() || texts.back() != '\0') return "has a last text without an end";
  return Trie(rules.substr(0, size), texts.size()).Damage();
}

}  // namespace

std::string DamageOfRules(std::string_view model) {
  std::string damage;
  bool whole = true;
  const auto visit_specification = [&](uint64_t number, std::string_view specification) {
    if (number != kNormalizer && number != kDenormalizer) return;
    const char* const name = number == kNormalizer ? "normalizer_spec" : "denormalizer_spec";
    const auto visit_rules = [&](uint64_t field, std::string_view rules) {
      if (field != kRules || !damage.empty()) return;
      damage = DamageOf(rules);
      if (!damage.empty()) damage = std::string(name) + ".precompiled_charsmap " + damage;
    };
    if (!VisitFields(specification, visit_rules)) whole = false;
  };
  if (!VisitFields(model, visit_specification)) whole = false;
  return damage.empty() && !whole ? "not a SentencePiece model: not whole" : damage;
}

}  // namespace heed
