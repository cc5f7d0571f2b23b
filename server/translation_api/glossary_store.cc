// SPDX-License-Identifier: Apache-2.0
#include "server/translation_api/glossary_store.h"

#include <algorithm>
#include <optional>
#include <unordered_set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "server/platform/random_name.h"

namespace heed {
namespace {

using Row = std::vector<std::string>;
// The columns of a row that are kept; DeepL's CSV has the languages in a third and a fourth one.
constexpr size_t kColumns = 2;
constexpr size_t kMaxNameBytes = 1024;

// The next row of RFC 4180, which `text` moves behind. `lines` grows by the lines that it has. Nothing: a quotation
// mark is not closed.
std::optional<Row> NextCsvRow(absl::string_view& text, size_t& lines) {
  Row row;
  std::string cell;
  bool quoted = false;
  size_t i = 0;
  const auto end_cell = [&row, &cell] {
    if (row.size() < kColumns) row.push_back(std::move(cell));
    cell.clear();
  };
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++lines;
    if (quoted) {
      if (c != '"') {
        cell += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        cell += '"';
        ++i;
      } else {
        quoted = false;
      }
    } else if (c == '"' && absl::StripAsciiWhitespace(cell).empty()) {
      cell.clear();
      quoted = true;
    } else if (c == ',') {
      end_cell();
    } else if (c == '\n') {
      break;
    } else {
      cell += c;
    }
  }
  if (quoted) return std::nullopt;
  end_cell();
  text.remove_prefix(std::min(i + 1, text.size()));
  return row;
}

Row NextTsvRow(absl::string_view& text, size_t& lines) {
  const size_t end = std::min(text.find('\n'), text.size());
  Row row;
  for (const absl::string_view cell : absl::StrSplit(text.substr(0, end), absl::MaxSplits('\t', kColumns))) {
    if (row.size() < kColumns) row.emplace_back(cell);
  }
  ++lines;
  text.remove_prefix(std::min(end + 1, text.size()));
  return row;
}

bool HasControl(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return absl::ascii_iscntrl(static_cast<uint8_t>(c)); });
}

absl::Status WrongLine(size_t line, absl::string_view what) {
  return InvalidField("entries", "line ", line, " ", what);
}

size_t BytesOf(const Glossary& glossary) {
  size_t bytes = glossary.name.size() + sizeof(Glossary);
  for (const auto& [source, target] : glossary.entries) {
    bytes += source.size() + target.size() + sizeof(glossary.entries[0]);
  }
  return bytes;
}

absl::Status Unknown(absl::string_view id) {
  return absl::NotFoundError(absl::StrCat("there is no glossary ", Quoted(id)));
}

}  // namespace

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseGlossary(absl::string_view format,
                                                                               absl::string_view text) {
  if (format != "tsv" && format != "csv") {
    return InvalidField("entries_format", Quoted(format), ", must be \"tsv\" or \"csv\"");
  }
  std::vector<std::pair<std::string, std::string>> entries;
  std::unordered_set<std::string> sources;
  size_t lines = 0;
  while (!text.empty()) {
    const size_t line = lines + 1;
    std::optional<Row> row = format == "csv" ? NextCsvRow(text, lines) : NextTsvRow(text, lines);
    if (!row) return WrongLine(line, "has a quotation mark that is not closed");
    for (std::string& cell : *row) absl::StripAsciiWhitespace(&cell);
    if (row->size() == 1 && (*row)[0].empty()) continue;
    if (row->size() < kColumns || (*row)[0].empty() || (*row)[1].empty()) {
      return WrongLine(line, "has no source phrase, or no target phrase");
    }
    if (HasControl((*row)[0]) || HasControl((*row)[1])) return WrongLine(line, "has a control character");
    if (!sources.insert((*row)[0]).second) {
      return WrongLine(line, absl::StrCat("has the source phrase ", Quoted((*row)[0]), " again"));
    }
    if (entries.size() == GlossaryStore::kMaxEntries) {
      return InvalidField("entries", "has more than ", GlossaryStore::kMaxEntries, " entries");
    }
    entries.emplace_back(std::move((*row)[0]), std::move((*row)[1]));
  }
  return entries;
}

std::string GlossaryAsTsv(const Glossary& glossary) {
  std::string text;
  for (const auto& [source, target] : glossary.entries) absl::StrAppend(&text, source, "\t", target, "\n");
  return text;
}

absl::StatusOr<std::shared_ptr<const Glossary>> GlossaryStore::Add(Glossary glossary) {
  if (glossary.name.empty()) return InvalidField("name", "is not specified");
  if (glossary.name.size() > kMaxNameBytes) {
    return InvalidField("name", "has ", glossary.name.size(), " bytes, more than ", kMaxNameBytes);
  }
  if (glossary.entries.empty()) return InvalidField("entries", "has no entries");
  if (glossary.entries.size() > kMaxEntries) {
    return InvalidField("entries", "has ", glossary.entries.size(), " entries, more than ", kMaxEntries);
  }
  const std::string random = RandomName(16);
  // As a UUID is written, which clients may check.
  glossary.id = absl::StrCat(random.substr(0, 8), "-", random.substr(8, 4), "-", random.substr(12, 4), "-",
                             random.substr(16, 4), "-", random.substr(20));
  const size_t bytes = BytesOf(glossary);
  auto stored = std::make_shared<const Glossary>(std::move(glossary));
  MutexLock lock(mutex_);
  if (glossaries_.size() == kMaxGlossaries) {
    return absl::ResourceExhaustedError(absl::StrCat("the server has ", kMaxGlossaries, " glossaries: delete one"));
  }
  if (bytes_ + bytes > kMaxBytes) {
    return absl::ResourceExhaustedError(absl::StrCat("the glossaries of the server have ", bytes_,
                                                     " bytes, and may not have ", bytes, " more: the limit is ",
                                                     kMaxBytes));
  }
  bytes_ += bytes;
  glossaries_.emplace(stored->id, stored);
  return stored;
}

absl::StatusOr<std::shared_ptr<const Glossary>> GlossaryStore::Find(absl::string_view owner,
                                                                    absl::string_view id) const {
  MutexLock lock(mutex_);
  const auto found = glossaries_.find(id);
  if (found == glossaries_.end() || found->second->owner != owner) return Unknown(id);
  return found->second;
}

absl::Status GlossaryStore::Delete(absl::string_view owner, absl::string_view id) {
  MutexLock lock(mutex_);
  const auto found = glossaries_.find(id);
  if (found == glossaries_.end() || found->second->owner != owner) return Unknown(id);
  bytes_ -= BytesOf(*found->second);
  glossaries_.erase(found);
  return absl::OkStatus();
}

std::vector<std::shared_ptr<const Glossary>> GlossaryStore::List(absl::string_view owner) const {
  std::vector<std::shared_ptr<const Glossary>> list;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, glossary] : glossaries_) {
      if (glossary->owner == owner) list.push_back(glossary);
    }
  }
  std::sort(list.begin(), list.end(),
            [](const auto& a, const auto& b) { return std::pair(a->created, a->id) < std::pair(b->created, b->id); });
  return list;
}

}  // namespace heed
