// SPDX-License-Identifier: Apache-2.0
#include "client/documents/po_reader.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/excerpt.h"
#include "base/status_macros.h"
#include "client/documents/message_text.h"
#include "client/documents/plural_forms.h"
#include "client/documents/wrapped_text.h"

namespace heed::client {
namespace {

constexpr size_t kMaxEntryBytes = size_t{16} << 20;
constexpr int kPoColumns = 79;

// One keyword with its strings.
struct PoField {
  std::string keyword;    // "msgid", "msgstr[1]"
  size_t first_line = 0;  // of the entry
  size_t end_line = 0;
  std::string text;  // decoded
};

struct PoEntry {
  std::vector<std::string> lines;  // with their ends
  std::vector<PoField> fields;
  std::vector<std::string> flags;
  int64_t line = 1;  // of lines[0] in the file
  bool obsolete = false;

  const PoField* Find(absl::string_view keyword) const {
    const auto found = std::find_if(fields.begin(), fields.end(),
                                    [keyword](const PoField& field) { return field.keyword == keyword; });
    return found == fields.end() ? nullptr : &*found;
  }
  std::string Bytes() const {
    std::string bytes;
    for (const std::string& text : lines) bytes += text;
    return bytes;
  }
  bool is_header() const {
    const PoField* const id = Find("msgid");
    return id != nullptr && id->text.empty() && Find("msgctxt") == nullptr;
  }
};

// The string between quotation marks at the end of a line. An error says what is wrong.
absl::StatusOr<std::string> DecodePo(absl::string_view quoted) {
  quoted = absl::StripAsciiWhitespace(quoted);
  if (quoted.size() < 2 || quoted.front() != '"' || quoted.back() != '"') {
    return absl::InvalidArgumentError(absl::StrCat("expected a string in quotation marks, found ", Quoted(quoted, 40)));
  }
  const absl::string_view inner = quoted.substr(1, quoted.size() - 2);
  std::string text;
  for (size_t i = 0; i < inner.size(); ++i) {
    if (inner[i] == '"') return absl::InvalidArgumentError("a quotation mark within a string: write \\\"");
    if (inner[i] != '\\') {
      text += inner[i];
      continue;
    }
    if (++i == inner.size()) return absl::InvalidArgumentError("a string without its end");
    static constexpr absl::string_view kNames = "ntrabfv\"\\'?";
    static constexpr absl::string_view kValues = "\n\t\r\a\b\f\v\"\\'?";
    const size_t at = kNames.find(inner[i]);
    if (at == absl::string_view::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("an escape that is not understood, ", Quoted(inner.substr(i - 1, 2))));
    }
    text += kValues[at];
  }
  return text;
}

std::string EncodePo(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"},
                                    {"\"", "\\\""},
                                    {"\n", "\\n"},
                                    {"\t", "\\t"},
                                    {"\r", "\\r"},
                                    {"\a", "\\a"},
                                    {"\b", "\\b"},
                                    {"\f", "\\f"},
                                    {"\v", "\\v"}});
}

// `keyword "text"` in lines, as msgcat writes it. `several`: the source has several lines, so that long lines are
// wrapped here, too.
std::string PoLines(absl::string_view keyword, absl::string_view text, bool several, absl::string_view line_end) {
  const size_t newline = text.find('\n');
  const bool inner_newline = newline != absl::string_view::npos && newline + 1 < text.size();
  const std::string whole = EncodePo(text);
  if (!inner_newline && (!several || ColumnsOf(whole) + static_cast<int>(keyword.size()) + 3 <= kPoColumns)) {
    return absl::StrCat(keyword, " \"", whole, "\"", line_end);
  }
  std::string lines = absl::StrCat(keyword, " \"\"", line_end);
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const absl::string_view paragraph = text.substr(0, end == absl::string_view::npos ? end : end + 1);
    text.remove_prefix(paragraph.size());
    std::string line;
    for (size_t i = 0; i < paragraph.size();) {
      // A word with the blanks behind it.
      size_t word = paragraph.find_first_of(" \n", i);
      while (word < paragraph.size() && (paragraph[word] == ' ' || paragraph[word] == '\n')) ++word;
      const std::string encoded = EncodePo(paragraph.substr(i, word == absl::string_view::npos ? word : word - i));
      if (several && !line.empty() && ColumnsOf(line) + ColumnsOf(encoded) + 2 > kPoColumns) {
        absl::StrAppend(&lines, "\"", line, "\"", line_end);
        line.clear();
      }
      line += encoded;
      i = std::min(word, paragraph.size());
    }
    absl::StrAppend(&lines, "\"", line, "\"", line_end);
  }
  return lines;
}

KeptRules DirectiveRulesOf(const std::vector<std::string>& flags) {
  for (const std::string& flag : flags) {
    if (!absl::EndsWith(flag, "-format") || absl::StartsWith(flag, "no-") || absl::StartsWith(flag, "possible-") ||
        absl::StartsWith(flag, "impossible-")) {
      continue;
    }
    if (absl::StrContains(flag, "brace") || flag == "csharp-format" || flag == "java-format") {
      return {.braces = true};
    }
    for (const absl::string_view other :
         {"qt", "kde", "sh-", "scheme", "lisp", "tcl", "smalltalk", "librep", "boost"}) {
      if (absl::StartsWith(flag, other)) return {};
    }
    return {.percent = true};
  }
  return {};
}

// The value of a header's field, none if it has no such field.
std::optional<std::string> HeaderField(absl::string_view header, absl::string_view name) {
  for (const absl::string_view line : absl::StrSplit(header, '\n')) {
    if (absl::StartsWithIgnoreCase(line, absl::StrCat(name, ":"))) {
      return std::string(absl::StripAsciiWhitespace(line.substr(name.size() + 1)));
    }
  }
  return std::nullopt;
}

std::string WithHeaderField(absl::string_view header, absl::string_view name, absl::string_view value) {
  std::vector<std::string> lines = absl::StrSplit(header, '\n');
  const std::string line = absl::StrCat(name, ": ", value);
  const auto found = std::find_if(lines.begin(), lines.end(), [name](const std::string& known) {
    return absl::StartsWithIgnoreCase(known, absl::StrCat(name, ":"));
  });
  if (found != lines.end()) {
    *found = line;
  } else {
    lines.insert(lines.back().empty() ? lines.end() - 1 : lines.end(), line);
  }
  return absl::StrJoin(lines, "\n");
}

// An entry that is translated.
struct PoTask {
  PoEntry entry;
  std::vector<MessageText> texts;    // of msgid and, if there is one, of msgid_plural
  std::vector<size_t> plural_texts;  // of msgstr[i]: the text that it is a translation of; empty: no plural
  bool mark_fuzzy = false;
};

std::string RenderEntry(const PoTask& task, Translations translations) {
  const PoEntry& entry = task.entry;
  if (std::any_of(translations.begin(), translations.end(), [](const auto& text) { return !text; }))
    return entry.Bytes();
  std::vector<std::string> texts;
  size_t segment = 0;
  for (const MessageText& text : task.texts) {
    const PoField& source = *entry.Find(texts.empty() ? "msgid" : "msgid_plural");
    texts.push_back(text.Render(translations.subspan(segment, text.segments().size())).value_or(source.text));
    segment += text.segments().size();
  }
  const PoField& id = *entry.Find("msgid");
  const absl::string_view line_end = LineEnd(entry.lines[id.first_line]);
  const bool fuzzy = task.mark_fuzzy && std::find(entry.flags.begin(), entry.flags.end(), "fuzzy") == entry.flags.end();
  bool marked = !fuzzy;
  bool written = false;
  std::string bytes;
  for (size_t i = 0; i < entry.lines.size();) {
    const std::string& line = entry.lines[i];
    const auto field = std::find_if(entry.fields.begin(), entry.fields.end(),
                                    [i](const PoField& known) { return known.first_line == i; });
    if (!marked && absl::StartsWith(line, "#,")) {
      absl::StrAppend(&bytes, "#, fuzzy,", absl::string_view(line).substr(2));
      marked = true;
      ++i;
      continue;
    }
    if (!marked && (absl::StartsWith(line, "#|") || field != entry.fields.end())) {
      // A later line of flags would be one too many.
      const bool later = std::any_of(entry.lines.begin() + static_cast<std::ptrdiff_t>(i), entry.lines.end(),
                                     [](const std::string& other) { return absl::StartsWith(other, "#,"); });
      if (!later || field != entry.fields.end()) {
        absl::StrAppend(&bytes, "#, fuzzy", line_end);
        marked = true;
      }
    }
    if (field == entry.fields.end() || !absl::StartsWith(field->keyword, "msgstr")) {
      bytes += line;
      ++i;
      continue;
    }
    i = field->end_line;
    if (std::exchange(written, true)) continue;
    if (task.plural_texts.empty()) {
      bytes += PoLines("msgstr", texts[0], id.end_line - id.first_line > 1, line_end);
    }
    for (size_t form = 0; form < task.plural_texts.size(); ++form) {
      const PoField& source = *entry.Find(task.plural_texts[form] == 0 ? "msgid" : "msgid_plural");
      bytes += PoLines(absl::StrCat("msgstr[", form, "]"), texts[task.plural_texts[form]],
                       source.end_line - source.first_line > 1, line_end);
    }
  }
  return bytes;
}

class PoReader : public DocumentReader {
 public:
  PoReader(TextInput& input, PoOptions options) : input_(input), options_(std::move(options)) {}

  absl::StatusOr<std::optional<DocumentPart>> Next() override {
    HEED_ASSIGN_OR_RETURN(std::optional<PoEntry> entry, NextEntry());
    if (!std::exchange(begun_, true) && !input_.mark().empty()) {
      pending_ = std::move(entry);
      return KeptPart(input_.mark());
    }
    if (!entry) return std::nullopt;
    return PartOf(*std::move(entry));
  }

 private:
  // The lines of an entry, or those without one: blank lines, comments.
  absl::StatusOr<std::optional<PoEntry>> NextEntry() {
    if (pending_) return std::exchange(pending_, std::nullopt);
    PoEntry entry;
    size_t bytes = 0;
    bool has_translation = false;
    while (true) {
      if (!line_) {
        HEED_ASSIGN_OR_RETURN(line_, input_.Line());
      }
      if (!line_) break;
      const absl::string_view line = absl::StripAsciiWhitespace(*line_);
      const bool begins =
          !line.empty() && (line[0] == '#' || absl::StartsWith(line, "msgctxt") || IsKeyword(line, "msgid"));
      const bool blank = line.empty();
      if (has_translation && (begins || blank)) break;
      if (blank && entry.fields.empty() && !entry.lines.empty() && entry.obsolete) break;
      if (entry.lines.empty()) entry.line = input_.line();
      if (!blank) HEED_RETURN_IF_ERROR(TakeLine(line, entry));
      if (!entry.fields.empty())
        has_translation = has_translation || absl::StartsWith(entry.fields.back().keyword, "msgstr");
      bytes += line_->size();
      if (bytes > kMaxEntryBytes) return input_.Error(absl::StrCat("an entry of more than ", kMaxEntryBytes, " bytes"));
      entry.lines.push_back(*std::exchange(line_, std::nullopt));
      if (!entry.fields.empty()) entry.fields.back().end_line = entry.lines.size();
      if (blank && entry.fields.empty()) break;  // comments of their own, or nothing
    }
    if (entry.lines.empty()) return std::nullopt;
    if (!entry.fields.empty() && !has_translation) return input_.Error(entry.line, "an entry without msgstr");
    if (!entry.fields.empty() && entry.Find("msgid") == nullptr)
      return input_.Error(entry.line, "an entry without msgid");
    return entry;
  }

  static bool IsKeyword(absl::string_view line, absl::string_view keyword) {
    return absl::StartsWith(line, keyword) && line.size() > keyword.size() &&
           !absl::ascii_isalnum(static_cast<unsigned char>(line[keyword.size()])) && line[keyword.size()] != '_';
  }

  absl::Status TakeLine(absl::string_view line, PoEntry& entry) {
    if (absl::StartsWith(line, "#~")) {
      entry.obsolete = true;
      return absl::OkStatus();
    }
    if (line[0] == '#') {
      if (!entry.fields.empty()) return input_.Error("a comment within an entry");
      if (absl::StartsWith(line, "#,")) {
        for (const absl::string_view flag : absl::StrSplit(line.substr(2), ',')) {
          entry.flags.emplace_back(absl::StripAsciiWhitespace(flag));
        }
      }
      return absl::OkStatus();
    }
    const size_t quote = line.find('"');
    const absl::string_view keyword = absl::StripAsciiWhitespace(line.substr(0, quote));
    absl::StatusOr<std::string> text = DecodePo(quote == absl::string_view::npos ? "" : line.substr(quote));
    if (!text.ok()) return input_.Error(text.status().message());
    if (keyword.empty()) {
      if (entry.fields.empty()) return input_.Error("a string without a keyword before it");
    } else {
      const bool form = absl::StartsWith(keyword, "msgstr[") && absl::EndsWith(keyword, "]");
      if (!form && keyword != "msgctxt" && keyword != "msgid" && keyword != "msgid_plural" && keyword != "msgstr") {
        return input_.Error(absl::StrCat(Quoted(keyword, 40), " is no keyword of a message file"));
      }
      if (entry.Find(keyword) != nullptr) return input_.Error(absl::StrCat("a second ", keyword));
      entry.fields.push_back({.keyword = std::string(keyword), .first_line = entry.lines.size()});
    }
    entry.fields.back().text += *text;
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<DocumentPart>> PartOf(PoEntry entry) {
    if (entry.fields.empty()) return KeptPart(entry.Bytes());
    if (entry.is_header()) return HeaderPart(entry);
    const PoField* const plural = entry.Find("msgid_plural");
    const bool translated = std::any_of(entry.fields.begin(), entry.fields.end(), [](const PoField& field) {
      return absl::StartsWith(field.keyword, "msgstr") && !field.text.empty();
    });
    if (translated && !options_.retranslate) return KeptPart(entry.Bytes());
    auto task = std::make_shared<PoTask>();
    task->mark_fuzzy = options_.mark_fuzzy;
    const MessageOptions message = {.accelerators = true, .kept = DirectiveRulesOf(entry.flags), .check_order = true};
    DocumentPart part;
    for (const PoField* source : {entry.Find("msgid"), plural}) {
      if (source == nullptr) continue;
      const MessageText& text = task->texts.emplace_back(source->text, message);
      for (Segment segment : text.segments()) {
        segment.line = entry.line + static_cast<int64_t>(source->first_line);
        part.segments.push_back(std::move(segment));
      }
    }
    if (part.segments.empty()) return KeptPart(entry.Bytes());
    if (plural != nullptr) {
      const PluralForms forms = Forms();
      const bool same =
          DirectivesOf(entry.Find("msgid")->text, message.kept) == DirectivesOf(plural->text, message.kept);
      for (size_t form = 0; form < forms.count(); ++form) {
        const bool singular = form == forms.singular() && (same || forms.IsOfOneNumber(form));
        task->plural_texts.push_back(singular ? 0 : 1);
      }
    }
    task->entry = std::move(entry);
    part.check = [task](size_t index, const std::string& translation) -> absl::Status {
      for (const MessageText& text : task->texts) {
        if (index < text.segments().size()) return text.Check(index, translation);
        index -= text.segments().size();
      }
      return absl::OkStatus();
    };
    part.render = [task](Translations translations) { return RenderEntry(*task, translations); };
    return part;
  }

  absl::StatusOr<std::optional<DocumentPart>> HeaderPart(const PoEntry& entry) {
    const PoField* const field = entry.Find("msgstr");
    if (field == nullptr) return input_.Error(entry.line, "a header without msgstr");
    std::string header = field->text;
    if (const auto type = HeaderField(header, "Content-Type")) {
      const size_t at = type->find("charset=");
      const std::string charset = at == std::string::npos ? "" : type->substr(at + 8);
      if (charset == "CHARSET") {
        header = WithHeaderField(header, "Content-Type", absl::StrCat(type->substr(0, at), "charset=UTF-8"));
      } else if (!charset.empty() && !absl::EqualsIgnoreCase(charset, "utf-8") &&
                 !absl::EqualsIgnoreCase(charset, "utf8") && !absl::EqualsIgnoreCase(charset, "us-ascii") &&
                 !absl::EqualsIgnoreCase(charset, "ascii")) {
        return input_.Error(entry.line, absl::StrCat("the header says charset=", Excerpt(charset, 40),
                                                     ": convert the file first, `msgconv -t UTF-8 FILE > NEW`"));
      }
    }
    const std::string& target = options_.target_language;
    const std::string known = HeaderField(header, "Plural-Forms").value_or("");
    const absl::StatusOr<PluralForms> forms = PluralForms::Parse(known);
    const std::string language = HeaderField(header, "Language").value_or("");
    const std::string wanted = absl::StrReplaceAll(target, {{"-", "_"}});
    if (!target.empty()) {
      if (language != wanted) header = WithHeaderField(header, "Language", wanted);
      const std::string own = PluralForms::HeaderOf(target);
      // The forms of a template, or of another language.
      const bool other =
          !language.empty() && language.substr(0, language.find('_')) != wanted.substr(0, wanted.find('_'));
      if ((!forms.ok() || other) && !own.empty()) header = WithHeaderField(header, "Plural-Forms", own);
    }
    plural_header_ = HeaderField(header, "Plural-Forms").value_or("");
    if (header == field->text) return KeptPart(entry.Bytes());
    std::string bytes;
    for (size_t i = 0; i < entry.lines.size(); ++i) {
      if (i == field->first_line) bytes += PoLines("msgstr", header, /*several=*/false, LineEnd(entry.lines[i]));
      if (i < field->first_line || i >= field->end_line) bytes += entry.lines[i];
    }
    return KeptPart(std::move(bytes));
  }

  PluralForms Forms() const {
    for (const std::string& header : {plural_header_, PluralForms::HeaderOf(options_.target_language)}) {
      if (absl::StatusOr<PluralForms> forms = PluralForms::Parse(header); forms.ok()) return *std::move(forms);
    }
    return *PluralForms::Parse("nplurals=2; plural=(n != 1);");
  }

  TextInput& input_;
  const PoOptions options_;
  bool begun_ = false;
  std::optional<std::string> line_;  // read, and not yet part of an entry
  std::optional<PoEntry> pending_;
  std::string plural_header_;
};

}  // namespace

std::unique_ptr<DocumentReader> ReadPo(TextInput& input, PoOptions options) {
  return std::make_unique<PoReader>(input, std::move(options));
}

}  // namespace heed::client
