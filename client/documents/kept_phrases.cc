// SPDX-License-Identifier: Apache-2.0
#include "client/documents/kept_phrases.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"

namespace heed::client {
namespace {

// At most so long: what is longer is text.
constexpr size_t kMaxPlaceholderBytes = 200;

// Of a directive without a place of its own, the type ("d"); of another one, all of it.
bool HasPlace(absl::string_view directive) {
  return absl::StartsWith(directive, "%(") || absl::StrContains(directive, '$') || absl::StartsWith(directive, "{");
}

// The length of the directive at the beginning of `text`, which is "%"; 0: it is none.
size_t PercentLength(absl::string_view text) {
  size_t i = 1;
  const auto digit = [&] { return i < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[i])); };
  if (i < text.size() && text[i] == '(') {
    i = text.substr(0, kMaxPlaceholderBytes).find(')');
    if (i == absl::string_view::npos) return 0;
    ++i;
  } else {
    const size_t begin = i;
    while (digit()) ++i;
    if (i == begin || i >= text.size() || text[i] != '$') i = begin;
    if (i < text.size() && text[i] == '$') ++i;
  }
  while (i < text.size() && absl::StrContains("-+#0'I", text.substr(i, 1))) ++i;
  while (digit() || (i < text.size() && (text[i] == '.' || text[i] == '*'))) ++i;
  while (i < text.size() && absl::StrContains("hlqjztL", text.substr(i, 1))) ++i;
  if (absl::StartsWith(text.substr(i), "<PRI") || absl::StartsWith(text.substr(i), "<SCN")) {
    const size_t close = text.substr(0, kMaxPlaceholderBytes).find('>', i);
    return close == absl::string_view::npos ? 0 : close + 1;
  }
  if (i < text.size() && absl::StrContains("diouxXeEfFgGaAcCsSpnmrbB@", text.substr(i, 1))) return i + 1;
  return 0;
}

absl::Status CheckKept(std::vector<std::string> wanted, std::vector<std::string> found) {
  std::sort(wanted.begin(), wanted.end());
  std::sort(found.begin(), found.end());
  std::vector<std::string> lost, added;
  std::set_difference(wanted.begin(), wanted.end(), found.begin(), found.end(), std::back_inserter(lost));
  std::set_difference(found.begin(), found.end(), wanted.begin(), wanted.end(), std::back_inserter(added));
  if (!lost.empty()) return InvalidArgument("it lost ", Quoted(lost[0], 60));
  if (!added.empty()) return InvalidArgument("it has ", Quoted(added[0], 60), " more often than the source");
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> InterpolationsOf(absl::string_view text) {
  static constexpr std::pair<absl::string_view, absl::string_view> kForms[] = {
      {"{{", "}}"}, {"$t(", ")"}, {"${", "}"}, {"%{", "}"}};
  std::vector<std::string> found;
  for (size_t i = 0; i < text.size();) {
    size_t length = 0;
    for (const auto& [begin, end] : kForms) {
      if (!absl::StartsWith(text.substr(i), begin)) continue;
      const absl::string_view rest = text.substr(i, kMaxPlaceholderBytes);
      const size_t close = rest.find(end, begin.size());
      if (close == absl::string_view::npos || absl::StrContains(rest.substr(0, close), '\n')) continue;
      length = close + end.size();
      break;
    }
    if (length > 0) found.emplace_back(text.substr(i, length));
    i += std::max<size_t>(length, 1);
  }
  return found;
}

std::vector<std::string> DirectivesOf(absl::string_view text, PlaceholderKind kind) {
  std::vector<std::string> found;
  for (size_t i = 0; i < text.size();) {
    size_t length = 1;
    if (kind == PlaceholderKind::kPercent && text[i] == '%') {
      length = PercentLength(text.substr(i));
      if (length > 0) found.emplace_back(text.substr(i, length));
      if (length == 0) length = absl::StartsWith(text.substr(i), "%%") ? 2 : 1;
    } else if (kind == PlaceholderKind::kBraces && text[i] == '{') {
      const size_t close = text.substr(i, kMaxPlaceholderBytes).find('}');
      if (absl::StartsWith(text.substr(i), "{{")) {
        length = 2;
      } else if (close != absl::string_view::npos) {
        length = close + 1;
        found.emplace_back(text.substr(i, length));
      }
    }
    i += length;
  }
  return found;
}

absl::Status CheckDirectives(absl::string_view source, absl::string_view translation, PlaceholderKind kind) {
  if (kind == PlaceholderKind::kNone) return absl::OkStatus();
  std::vector<std::string> wanted = DirectivesOf(source, kind);
  std::vector<std::string> found = DirectivesOf(translation, kind);
  if (absl::Status kept = CheckKept(wanted, found); !kept.ok()) return kept;
  const auto without_places = [](std::vector<std::string>& directives) {
    directives.erase(std::remove_if(directives.begin(), directives.end(), HasPlace), directives.end());
  };
  without_places(wanted);
  without_places(found);
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] != found[i]) {
      return InvalidArgument("it has ", Quoted(found[i], 60), " where the source has ", Quoted(wanted[i], 60));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckInterpolations(absl::string_view source, absl::string_view translation) {
  return CheckKept(InterpolationsOf(source), InterpolationsOf(translation));
}

}  // namespace heed::client
