// SPDX-License-Identifier: Apache-2.0
#include "client/cli/item_list.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace heed::client {
namespace {

bool Parse(absl::string_view text, int64_t& id) { return absl::SimpleAtoi(text, &id); }

bool Parse(absl::string_view text, v1::GraphEdgeId& edge) {
  const std::pair<absl::string_view, absl::string_view> ends = absl::StrSplit(text, absl::MaxSplits(':', 1));
  int64_t source = 0;
  int64_t target = 0;
  if (!Parse(ends.first, source) || !Parse(ends.second, target)) return false;
  edge.set_source(source);
  edge.set_target(target);
  return true;
}

template <typename Item>
absl::StatusOr<std::vector<Item>> ReadLines(std::istream& in, const std::string& name, const char* form) {
  std::vector<Item> items;
  int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const absl::string_view text = absl::StripAsciiWhitespace(line);
    if (text.empty()) continue;
    if (!Parse(text, items.emplace_back())) {
      return absl::InvalidArgumentError(absl::StrCat(name, ", line ", number, ": '", text, "' is not ", form));
    }
  }
  if (in.bad()) return absl::DataLossError(absl::StrCat("cannot read ", name, " after line ", number));
  return items;
}

template <typename Item>
absl::StatusOr<std::vector<Item>> ReadList(const std::string& text, std::istream& in, const char* form) {
  if (text == "@-") return ReadLines<Item>(in, "standard input", form);
  if (!text.empty() && text[0] == '@') {
    const std::string path = text.substr(1);
    std::ifstream file(path);
    if (!file) return absl::NotFoundError(absl::StrCat("cannot read '", path, "': ", std::strerror(errno)));
    return ReadLines<Item>(file, absl::StrCat("'", path, "'"), form);
  }
  std::vector<Item> items;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    if (!Parse(part, items.emplace_back())) {
      return absl::InvalidArgumentError(absl::StrCat("'", part, "' is not ", form));
    }
  }
  return items;
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> ReadNodeList(const std::string& text, std::istream& in) {
  return ReadList<int64_t>(text, in, "a node's id, a whole number");
}

absl::StatusOr<std::vector<v1::GraphEdgeId>> ReadEdgeList(const std::string& text, std::istream& in) {
  return ReadList<v1::GraphEdgeId>(text, in, "an edge, SOURCE:TARGET");
}

std::string EdgeName(const v1::GraphEdgeId& edge) { return absl::StrCat(edge.source(), ":", edge.target()); }

}  // namespace heed::client
