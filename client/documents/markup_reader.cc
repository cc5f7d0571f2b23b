// SPDX-License-Identifier: Apache-2.0
#include "client/documents/markup_reader.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/excerpt.h"
#include "base/status_macros.h"
#include "client/documents/marked_text.h"

namespace heed::client {
namespace {

// No place to cut for so many times the wanted length: then anywhere between two nodes.
constexpr size_t kMaxPartFactor = 32;

struct MarkupToken {
  // A declaration is what stands before the root and is not sent; a raw element is a script or a style as a whole.
  enum class Kind { kText, kStart, kEnd, kAlone, kComment, kDeclaration, kRaw };
  Kind kind = Kind::kText;
  size_t begin = 0;
  size_t end = 0;
  std::string name;  // of an element; of HTML in lower case
  size_t match = 0;  // of a start whose end there is: the end's place
};

const absl::flat_hash_set<absl::string_view>& HtmlBlocks() {
  static const absl::flat_hash_set<absl::string_view> kNames = {
      "address", "article", "aside",  "blockquote", "body",  "caption",  "center",     "col",    "colgroup", "dd",
      "details", "dialog",  "div",    "dl",         "dt",    "fieldset", "figcaption", "figure", "footer",   "form",
      "h1",      "h2",      "h3",     "h4",         "h5",    "h6",       "head",       "header", "hr",       "html",
      "legend",  "li",      "link",   "main",       "menu",  "meta",     "nav",        "ol",     "optgroup", "option",
      "p",       "pre",     "script", "section",    "style", "summary",  "table",      "tbody",  "td",       "template",
      "tfoot",   "th",      "thead",  "title",      "tr",    "ul"};
  return kNames;
}

bool IsHtmlVoid(absl::string_view name) {
  static const absl::flat_hash_set<absl::string_view> kNames = {
      "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"};
  return kNames.contains(name);
}

bool IsNameByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("-_:.", absl::string_view(&c, 1)) ||
         static_cast<unsigned char>(c) >= 0x80;
}

class MarkupScanner {
 public:
  MarkupScanner(absl::string_view text, bool xml) : text_(text), xml_(xml) {}

  // The document's tokens, which cover it. An error has the place as its message's beginning: see error_at().
  absl::StatusOr<std::vector<MarkupToken>> Scan() {
    while (at_ < text_.size()) {
      const size_t begin = at_;
      if (text_[at_] != '<') {
        const size_t end = std::min(text_.find('<', at_), text_.size());
        Add(MarkupToken::Kind::kText, end);
        continue;
      }
      const absl::string_view rest = text_.substr(at_);
      if (absl::StartsWith(rest, "<!--")) {
        HEED_RETURN_IF_ERROR(AddUntil(MarkupToken::Kind::kComment, "-->", 4));
      } else if (xml_ && absl::StartsWith(rest, "<![CDATA[")) {
        HEED_RETURN_IF_ERROR(AddUntil(MarkupToken::Kind::kText, "]]>", 9));
      } else if (absl::StartsWith(rest, "<?")) {
        HEED_RETURN_IF_ERROR(
            AddUntil(xml_ ? MarkupToken::Kind::kDeclaration : MarkupToken::Kind::kComment, xml_ ? "?>" : ">", 2));
      } else if (absl::StartsWith(rest, "<!")) {
        HEED_RETURN_IF_ERROR(AddDoctype());
      } else {
        HEED_RETURN_IF_ERROR(AddTag());
      }
      if (at_ == begin) return Wrong(begin, "markup that does not end");  // a bug's guard against standing still
    }
    if (xml_ && !open_.empty())
      return Wrong(tokens_[open_.back()].begin, absl::StrCat("<", tokens_[open_.back()].name, "> is not closed"));
    return std::move(tokens_);
  }

  size_t error_at() const { return error_at_; }

 private:
  absl::Status Wrong(size_t at, std::string message) {
    error_at_ = at;
    return absl::InvalidArgumentError(std::move(message));
  }

  MarkupToken& Add(MarkupToken::Kind kind, size_t end) {
    tokens_.push_back({.kind = kind, .begin = at_, .end = end});
    at_ = end;
    return tokens_.back();
  }

  absl::Status AddUntil(MarkupToken::Kind kind, absl::string_view closing, size_t skipped) {
    const size_t end = text_.find(closing, std::min(at_ + skipped, text_.size()));
    if (end == absl::string_view::npos && xml_)
      return Wrong(at_, absl::StrCat(Quoted(text_.substr(at_, skipped)), " without ", closing));
    Add(kind, end == absl::string_view::npos ? text_.size() : end + closing.size());
    return absl::OkStatus();
  }

  // <!DOCTYPE ...>, with a subset in brackets.
  absl::Status AddDoctype() {
    size_t end = at_;
    bool subset = false;
    char quote = 0;
    for (; end < text_.size(); ++end) {
      const char c = text_[end];
      if (quote != 0) {
        if (c == quote) quote = 0;
      } else if (xml_ && (c == '"' || c == '\'')) {
        quote = c;
      } else if (xml_ && absl::StartsWith(text_.substr(end), "<!--")) {
        end = std::min(text_.find("-->", end), text_.size() - 3) + 2;
      } else if (c == '[') {
        subset = true;
      } else if (c == ']') {
        subset = false;
      } else if (c == '>' && (!subset || !xml_)) {
        break;
      }
    }
    if (end >= text_.size() && xml_) return Wrong(at_, "<! without >");
    Add(MarkupToken::Kind::kDeclaration, std::min(end + 1, text_.size()));
    return absl::OkStatus();
  }

  absl::Status AddTag() {
    const bool closes = at_ + 1 < text_.size() && text_[at_ + 1] == '/';
    const size_t name = at_ + (closes ? 2 : 1);
    size_t name_end = name;
    while (name_end < text_.size() && IsNameByte(text_[name_end])) ++name_end;
    if (name_end == name) {
      if (xml_) return Wrong(at_, "a '<' that begins no tag: write &lt;");
      Add(MarkupToken::Kind::kText, at_ + 1);
      return absl::OkStatus();
    }
    size_t end = name_end;
    char quote = 0;
    while (end < text_.size() && (quote != 0 || text_[end] != '>')) {
      if (quote != 0) {
        if (text_[end] == quote) quote = 0;
      } else if (text_[end] == '"' || text_[end] == '\'') {
        quote = text_[end];
      }
      ++end;
    }
    if (end == text_.size()) {
      if (xml_) return Wrong(at_, "a tag without '>'");
      Add(MarkupToken::Kind::kText, text_.size());
      return absl::OkStatus();
    }
    std::string element(text_.substr(name, name_end - name));
    if (!xml_) absl::AsciiStrToLower(&element);
    if (closes) return AddEnd(std::move(element), end + 1);
    const bool alone = xml_ ? text_[end - 1] == '/' : IsHtmlVoid(element);
    if (!xml_ && (element == "script" || element == "style")) {
      AddRaw(element, end + 1);
      return absl::OkStatus();
    }
    MarkupToken& token = Add(alone ? MarkupToken::Kind::kAlone : MarkupToken::Kind::kStart, end + 1);
    token.name = std::move(element);
    if (!alone) {
      ++open_names_[token.name];
      open_.push_back(tokens_.size() - 1);
    }
    return absl::OkStatus();
  }

  void AddRaw(absl::string_view element, size_t content) {
    const std::string closing = absl::StrCat("</", element);
    size_t end = content;
    while (true) {
      end = std::min(text_.find("</", end), text_.size());
      if (end == text_.size() || absl::StartsWithIgnoreCase(text_.substr(end), closing)) break;
      end += 2;
    }
    end = std::min(text_.find('>', end), text_.size() - 1) + 1;
    Add(MarkupToken::Kind::kRaw, end).name = std::string(element);
  }

  absl::Status AddEnd(std::string element, size_t end) {
    MarkupToken& token = Add(MarkupToken::Kind::kEnd, end);
    token.name = element;
    token.match = tokens_.size();  // none
    if (xml_ && (open_.empty() || tokens_[open_.back()].name != element)) {
      return Wrong(token.begin,
                   absl::StrCat("</", element, "> where ",
                                open_.empty() ? "nothing is open"
                                              : absl::StrCat("</", tokens_[open_.back()].name, "> is expected")));
    }
    if (const auto known = open_names_.find(element); known == open_names_.end() || known->second == 0) {
      return absl::OkStatus();
    }
    while (true) {
      MarkupToken& start = tokens_[open_.back()];
      open_.pop_back();
      --open_names_[start.name];
      if (start.name != element) continue;  // its end is left out
      start.match = tokens_.size() - 1;
      tokens_.back().match = 0;
      break;
    }
    return absl::OkStatus();
  }

  const absl::string_view text_;
  const bool xml_;
  size_t at_ = 0;
  size_t error_at_ = 0;
  std::vector<MarkupToken> tokens_;
  std::vector<size_t> open_;  // starts without their end so far
  absl::flat_hash_map<std::string, int> open_names_;
};

class MarkupReader : public DocumentReader {
 public:
  MarkupReader(TextInput& input, const MarkupOptions& options) : input_(input), options_(options) {}

  absl::StatusOr<std::optional<DocumentPart>> Next() override {
    if (!scanned_) HEED_RETURN_IF_ERROR(Scan());
    if (!ready_) FillRun();
    if (!ready_) return std::nullopt;
    const Run run = *std::exchange(ready_, std::nullopt);
    std::string bytes = text_.substr(run.begin, run.end - run.begin);
    if (!run.words) return KeptPart(std::move(bytes));
    DocumentPart part;
    Segment& segment = part.segments.emplace_back();
    const auto first = text_.begin() + static_cast<std::ptrdiff_t>(counted_);
    const auto words = text_.begin() + static_cast<std::ptrdiff_t>(run.first_word);
    line_ += std::count(first, words, '\n');
    counted_ = run.first_word;
    segment.line = line_;
    segment.format = options_.xml ? v1::TEXT_FORMAT_XML : v1::TEXT_FORMAT_HTML;
    segment.text = bytes;
    part.render = [bytes = std::move(bytes)](Translations translations) {
      return translations[0] ? *translations[0] : bytes;
    };
    return part;
  }

 private:
  // Tokens that go together.
  struct Run {
    size_t begin = 0;
    size_t end = 0;
    bool words = false;
    size_t first_word = 0;
    bool beside_text = false;  // text stands beside its elements
  };
  using Kind = MarkupToken::Kind;

  absl::Status Scan() {
    scanned_ = true;
    HEED_ASSIGN_OR_RETURN(text_, input_.Rest());
    if (!input_.mark().empty()) text_.insert(0, input_.mark());
    MarkupScanner scanner(absl::string_view(text_).substr(input_.mark().size()), options_.xml);
    absl::StatusOr<std::vector<MarkupToken>> tokens = scanner.Scan();
    const size_t mark = input_.mark().size();
    if (!tokens.ok()) {
      const auto end = text_.begin() + static_cast<std::ptrdiff_t>(mark + scanner.error_at());
      return input_.Error(1 + std::count(text_.begin(), end, '\n'), tokens.status().message());
    }
    tokens_ = *std::move(tokens);
    for (MarkupToken& token : tokens_) {
      token.begin += mark;
      token.end += mark;
    }
    if (mark > 0) tokens_.insert(tokens_.begin(), MarkupToken{.kind = Kind::kDeclaration, .end = mark});
    if (mark > 0) {
      for (MarkupToken& token : tokens_) {
        if (token.kind == Kind::kStart && token.match > 0) ++token.match;
      }
    }
    return absl::OkStatus();
  }

  bool IsMatched(const MarkupToken& token) const { return token.kind == Kind::kStart && token.match > 0; }
  bool IsBlock(const MarkupToken& token) const { return !token.name.empty() && HtmlBlocks().contains(token.name); }

  // Whether the content of an element may be parted: not where the server treats it as one, or keeps it.
  bool MayEnter(size_t start) const {
    const MarkupToken& token = tokens_[start];
    const absl::string_view tag = absl::string_view(text_).substr(token.begin, token.end - token.begin);
    if (absl::StrContains(tag, "translate=") || absl::StrContains(tag, "notranslate")) return false;
    if (options_.xml) {
      for (size_t i = start + 1; i < token.match; i = IsMatched(tokens_[i]) ? tokens_[i].match + 1 : i + 1) {
        if (HasText(tokens_[i])) return false;
      }
      return true;
    }
    return token.name != "pre" && token.name != "p" && token.name != "title" && IsBlock(token);
  }

  // Whether a part may end before the node at `next`.
  bool MayCut(const Run& run, size_t next) const {
    const MarkupToken& before = tokens_[next - 1];
    const MarkupToken& token = tokens_[next];
    if (options_.xml) return !run.beside_text && !HasText(before) && !HasText(token);
    return (before.kind != Kind::kText && IsBlock(before)) || (token.kind != Kind::kText && IsBlock(token));
  }
  bool HasText(const MarkupToken& token) const {
    return token.kind == Kind::kText &&
           !absl::StripAsciiWhitespace(absl::string_view(text_).substr(token.begin, token.end - token.begin)).empty();
  }

  // Whether the server would find something to translate in a token.
  bool MayHaveWords(const MarkupToken& token) const {
    std::string bytes = text_.substr(token.begin, token.end - token.begin);
    if (token.kind == Kind::kText) return HasWords(bytes);
    if (options_.xml || (token.kind != Kind::kStart && token.kind != Kind::kAlone)) return false;
    absl::AsciiStrToLower(&bytes);
    for (const absl::string_view attribute :
         {"alt=", "title=", "placeholder=", "aria-", "label=", "content=", "value="}) {
      if (absl::StrContains(bytes, attribute)) return true;
    }
    return false;
  }

  void Take(Run& run, size_t first, size_t end) {
    if (run.end == run.begin) run.begin = tokens_[first].begin;
    run.end = tokens_[end - 1].end;
    for (size_t i = first; i < end && !run.words; ++i) {
      run.words = MayHaveWords(tokens_[i]);
      run.first_word = tokens_[i].begin;
      if (run.words && tokens_[i].kind == Kind::kText) {
        while (absl::ascii_isspace(static_cast<unsigned char>(text_[run.first_word]))) ++run.first_word;
      }
    }
    run.beside_text = run.beside_text || HasText(tokens_[first]);
    next_ = end;
  }

  // The next part: nodes that are together about as long as wanted, or bytes that stay.
  void FillRun() {
    Run run;
    while (next_ < tokens_.size()) {
      const MarkupToken& token = tokens_[next_];
      const bool matched = IsMatched(token);
      const size_t after = matched ? token.match + 1 : next_ + 1;
      const size_t bytes = tokens_[after - 1].end - token.begin;
      const bool too_long = matched && bytes > options_.part_bytes;
      // A tag around parts, or what is never sent, is a part of its own.
      const bool enters = too_long && MayEnter(next_);
      const bool leaves = token.kind == Kind::kEnd && (options_.xml || token.match == 0);
      const bool stays =
          enters || leaves || token.kind == Kind::kDeclaration || (token.kind == Kind::kRaw && bytes > 200);
      if (stays) {
        if (run.end > run.begin) break;
        run = {.begin = token.begin, .end = token.end};
        // Its attributes may have words.
        if (enters && MayHaveWords(token) && !options_.xml) {
          run.words = true;
          run.first_word = token.begin;
        }
        ++next_;
        break;
      }
      const size_t length = run.end - run.begin;
      if (length > 0 && length + bytes > options_.part_bytes &&
          (MayCut(run, next_) || length > kMaxPartFactor * options_.part_bytes)) {
        break;
      }
      Take(run, next_, after);
    }
    if (run.end > run.begin) ready_ = run;
  }

  TextInput& input_;
  const MarkupOptions options_;
  bool scanned_ = false;
  std::string text_;
  std::vector<MarkupToken> tokens_;
  size_t next_ = 0;  // token
  std::optional<Run> ready_;
  size_t counted_ = 0;  // lines up to here are in line_
  int64_t line_ = 1;
};

}  // namespace

std::unique_ptr<DocumentReader> ReadMarkup(TextInput& input, const MarkupOptions& options) {
  return std::make_unique<MarkupReader>(input, options);
}

}  // namespace heed::client
