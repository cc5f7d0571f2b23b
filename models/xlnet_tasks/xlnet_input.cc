// SPDX-License-Identifier: Apache-2.0
#include "models/xlnet_tasks/xlnet_input.h"

#include <algorithm>
#include <optional>

#include "absl/types/span.h"
#include "base/invalid_argument.h"

namespace heed {
namespace {

using Tokens = absl::Span<const TextToken>;

// Of one window.
XlnetInput Assemble(Tokens first, int64_t first_skipped, std::optional<Tokens> second, const XlnetTokens& special) {
  XlnetInput input;
  int64_t place = 0;  // where special tokens stand in the text
  const auto add = [&](Tokens tokens, uint8_t type) {
    for (const TextToken& token : tokens) {
      input.tokens.push_back(token);
      input.types.push_back(type);
      place = token.end;
    }
  };
  const auto add_special = [&](int32_t id, uint8_t type) {
    input.tokens.push_back({.id = id, .start = place, .end = place});
    input.types.push_back(type);
  };
  add(first, 0);
  input.first_end = input.size();
  input.first_skipped = first_skipped;
  add_special(special.separator, 0);
  if (second.has_value()) {
    input.second_begin = input.size();
    add(*second, 1);
    input.second_end = input.size();
    add_special(special.separator, 1);
  }
  add_special(special.classification, 2);
  return input;
}

}  // namespace

absl::StatusOr<XlnetInputs> MakeXlnetInputs(absl::string_view field, const std::vector<TextToken>& first,
                                            const std::vector<TextToken>* second, const XlnetInputOptions& options) {
  const Tokens a = first;
  std::optional<Tokens> b;
  if (second != nullptr) b = *second;
  const int64_t specials = second == nullptr ? 2 : 3;
  const int64_t room = options.max_tokens - specials;
  int64_t count_a = static_cast<int64_t>(a.size()), count_b = second == nullptr ? 0 : static_cast<int64_t>(b->size());
  XlnetInputs inputs;
  if (count_a + count_b <= room) {
    inputs.windows.push_back(Assemble(a, 0, b, options.special));
    return inputs;
  }
  if (room < 1 || options.overlong == Overlong::kRefuse) {
    return InvalidField(field, count_a + count_b + specials, " tokens with the special ones, at most ",
                        options.max_tokens, "; overlong says what to do with more");
  }
  const auto part = [](Tokens tokens, int64_t begin, int64_t count) {
    return tokens.subspan(static_cast<size_t>(begin), static_cast<size_t>(count));
  };
  if (options.overlong == Overlong::kTruncate) {
    // The longer one loses its end first.
    while (count_a + count_b > room) --(count_a > count_b ? count_a : count_b);
    if (second != nullptr) b = part(*b, 0, count_b);
    inputs.windows.push_back(Assemble(part(a, 0, count_a), 0, b, options.special));
    inputs.truncated = true;
    return inputs;
  }
  const bool of_first = options.windows_of_first || count_a >= count_b;
  const int64_t total = of_first ? count_a : count_b;
  const int64_t width = room - (of_first ? count_b : count_a);
  if (width < 1) {
    return InvalidField(field, "no room for a window: the text beside it has ", of_first ? count_b : count_a,
                        " tokens, and at most ", options.max_tokens, " are read at once");
  }
  const int64_t step = width - std::min(options.overlap, width / 2);
  for (int64_t begin = 0;; begin += step) {
    const int64_t count = std::min(width, total - begin);
    if (of_first) {
      inputs.windows.push_back(Assemble(part(a, begin, count), begin, b, options.special));
    } else {
      inputs.windows.push_back(Assemble(a, 0, part(*b, begin, count), options.special));
    }
    if (begin + count == total) return inputs;
  }
}

XlnetPass EncodingPass(const XlnetConfig& config, const XlnetInput& input, std::vector<KeyRange>& sights) {
  XlnetPass pass;
  pass.has_types = true;
  const int64_t count = input.size();
  sights.clear();
  for (int64_t i = 0; i < (config.causal ? count : 1); ++i) {
    sights.push_back({config.same_length ? i : 0, config.causal ? i + 1 : count});
  }
  for (int64_t i = 0; i < count; ++i) {
    const size_t at = static_cast<size_t>(i);
    XlnetRow& row = pass.rows.emplace_back();
    row.token = input.tokens[at].id;
    row.type = input.types[at];
    row.position = i;
    row.sees = absl::MakeConstSpan(&sights[config.causal ? at : 0], 1);
  }
  return pass;
}

}  // namespace heed
