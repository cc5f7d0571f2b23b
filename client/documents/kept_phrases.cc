// SPDX-License-Identifier: Apache-2.0
#include "client/documents/kept_phrases.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"

namespace heed::client {
namespace {

// At most so long: what is longer is text.
constexpr size_t kMaxPlaceholderBytes = 200;

// Whether a directive says itself what it is filled with.
bool NamesItsValue(absl::string_view directive) {
  return absl::StartsWith(directive, "%(") || absl::StrContains(directive, '$') || !absl::StartsWith(directive, "%");
}

// The length of the directive at the beginning of `text`, which is "%"; 0: it is none.
size_t PercentLength(absl::string_view text) {
  size_t i = 1;
  const auto digit = [&] { return i < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[i])); };
  const auto one_of = [&](absl::string_view set) { return i < text.size() && absl::StrContains(set, text[i]); };
  if (one_of("(")) {
    i = text.substr(0, kMaxPlaceholderBytes).find(')');
    if (i == absl::string_view::npos) return 0;
    ++i;
  } else {
    while (digit()) ++i;
    i = one_of("$") && i > 1 ? i + 1 : 1;
  }
  while (one_of("-+#0'I")) ++i;
  while (digit() || one_of(".*")) ++i;
  while (one_of("hlqjztL")) ++i;
  if (absl::StartsWith(text.substr(i), "<PRI") || absl::StartsWith(text.substr(i), "<SCN")) {
    const size_t close = text.substr(0, kMaxPlaceholderBytes).find('>', i);
    return close == absl::string_view::npos ? 0 : close + 1;
  }
  return one_of("diouxXeEfFgGaAcCsSpnmrbB@") ? i + 1 : 0;
}

// The length of {{name}} and the like at the beginning of `text`; 0: there is none.
size_t InterpolationLength(absl::string_view text) {
  static constexpr std::pair<absl::string_view, absl::string_view> kForms[] = {
      {"{{", "}}"}, {"$t(", ")"}, {"${", "}"}, {"%{", "}"}};
  const absl::string_view rest = text.substr(0, kMaxPlaceholderBytes);
  for (const auto& [begin, end] : kForms) {
    if (!absl::StartsWith(rest, begin)) continue;
    const size_t close = rest.find(end, begin.size());
    if (close != absl::string_view::npos && !absl::StrContains(rest.substr(0, close), '\n')) return close + end.size();
  }
  return 0;
}

size_t DirectiveLength(absl::string_view text, const KeptRules& rules) {
  if (rules.number && text[0] == '#') return 1;
  if (rules.percent && text[0] == '%') return PercentLength(text);
  if (rules.braces && text[0] == '{' && !absl::StartsWith(text, "{{")) {
    const size_t close = text.substr(0, kMaxPlaceholderBytes).find_first_of("}\n");
    if (close != absl::string_view::npos && text[close] == '}' && close > 1) return close + 1;
  }
  return 0;
}

template <typename Found>
void ForEachPlaceholder(absl::string_view text, const KeptRules& rules, const Found& found) {
  for (size_t i = 0; i < text.size();) {
    const absl::string_view rest = text.substr(i);
    const size_t interpolation = InterpolationLength(rest);
    const size_t length = interpolation > 0 ? interpolation : DirectiveLength(rest, rules);
    if (length > 0) found(KeptRange{i, i + length}, interpolation > 0);
    const bool escaped = absl::StartsWith(rest, "%%") || absl::StartsWith(rest, "{{");
    i += length > 0 ? length : escaped ? 2 : 1;
  }
}

}  // namespace

std::vector<KeptRange> KeptRangesOf(absl::string_view text, const KeptRules& rules) {
  std::vector<KeptRange> ranges;
  ForEachPlaceholder(text, rules, [&](KeptRange range, bool) { ranges.push_back(range); });
  return ranges;
}

std::vector<std::string> DirectivesOf(absl::string_view text, const KeptRules& rules) {
  std::vector<std::string> directives;
  ForEachPlaceholder(text, rules, [&](KeptRange range, bool interpolation) {
    if (!interpolation) directives.emplace_back(text.substr(range.begin, range.end - range.begin));
  });
  return directives;
}

absl::Status CheckOrder(const std::vector<std::string>& source, const std::vector<std::string>& translation) {
  const auto in_order = [](std::vector<std::string> directives) {
    directives.erase(std::remove_if(directives.begin(), directives.end(), NamesItsValue), directives.end());
    return directives;
  };
  const std::vector<std::string> wanted = in_order(source);
  const std::vector<std::string> found = in_order(translation);
  for (size_t i = 0; i < std::max(wanted.size(), found.size()); ++i) {
    if (i >= found.size()) return InvalidArgument("it lost ", Quoted(wanted[i], 60));
    if (i >= wanted.size()) return InvalidArgument("it has ", Quoted(found[i], 60), ", which the source has not");
    if (wanted[i] != found[i]) {
      return InvalidArgument("it has ", Quoted(found[i], 60), " where the source has ", Quoted(wanted[i], 60));
    }
  }
  return absl::OkStatus();
}

}  // namespace heed::client
