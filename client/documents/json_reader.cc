// SPDX-License-Identifier: Apache-2.0
#include "client/documents/json_reader.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/code_points.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "client/documents/marked_text.h"
#include "client/documents/message_text.h"

namespace heed::client {
namespace {

constexpr size_t kMaxDepth = 1000;
constexpr size_t kMaxKeptBytes = size_t{1} << 16;  // that wait for the next string

// "user_*" against "user_name": in linear time for each star.
bool MatchKey(absl::string_view pattern, absl::string_view key) {
  size_t p = 0, k = 0, star = absl::string_view::npos, retry = 0;
  while (k < key.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = k;
    } else if (p < pattern.size() && pattern[p] == key[k]) {
      ++p;
      ++k;
    } else if (star != absl::string_view::npos) {
      p = star + 1;
      k = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

// The same with keys in place of characters.
bool MatchPath(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
  size_t p = 0, k = 0, retry = 0;
  std::optional<size_t> star;
  while (k < path.size()) {
    if (p < pattern.size() && pattern[p] == "**") {
      star = p++;
      retry = k;
    } else if (p < pattern.size() && MatchKey(pattern[p], path[k])) {
      ++p;
      ++k;
    } else if (star) {
      p = *star + 1;
      k = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == "**") ++p;
  return p == pattern.size();
}

// What the document's own strings say about how characters are written.
struct JsonSpelling {
  bool escapes_letters = false;  // "\u00e4", and never "ä"
  bool escapes_slashes = false;  // "\/", and never "/"
};

std::string EncodeJson(absl::string_view text, const JsonSpelling& spelling) {
  std::string bytes;
  const auto size = static_cast<int32_t>(text.size());
  for (int32_t i = 0; i < size;) {
    const int32_t begin = i;
    const UChar32 c = NextCodePoint(text, i);
    static constexpr absl::string_view kShort = "\"\\\b\f\n\r\t";
    if (c >= 0 && c < 0x80 && kShort.find(static_cast<char>(c)) != absl::string_view::npos) {
      bytes += '\\';
      bytes += absl::string_view("\"\\bfnrt")[kShort.find(static_cast<char>(c))];
    } else if (c == '/' && spelling.escapes_slashes) {
      bytes += "\\/";
    } else if ((c >= 0 && c < 0x20) || (c >= 0x80 && c < 0x10000 && spelling.escapes_letters)) {
      absl::StrAppendFormat(&bytes, "\\u%04x", c);
    } else if (c >= 0x10000 && spelling.escapes_letters) {
      absl::StrAppendFormat(&bytes, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
    } else {
      absl::StrAppend(&bytes, text.substr(static_cast<size_t>(begin), static_cast<size_t>(i - begin)));
    }
  }
  return bytes;
}

int HexDigits(absl::string_view text) {
  if (text.size() != 4) return -1;
  int value = 0;
  for (const char c : text) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return -1;
    value = value * 16 + (absl::ascii_isdigit(static_cast<unsigned char>(c)) ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return value;
}

struct DecodedJson {
  std::string text;
  bool escaped_letter = false;
  bool escaped_slash = false;
  bool whole = true;  // false: it has half of a surrogate pair, which no UTF-8 has
};

// Decodes a string, without its quotation marks. An error says what is wrong.
absl::StatusOr<DecodedJson> DecodeJson(absl::string_view bytes) {
  DecodedJson decoded;
  for (size_t i = 0; i < bytes.size();) {
    if (static_cast<unsigned char>(bytes[i]) < 0x20) return InvalidArgument("a control character in a string");
    if (bytes[i] != '\\') {
      decoded.text += bytes[i++];
      continue;
    }
    const char kind = i + 1 < bytes.size() ? bytes[i + 1] : ' ';
    if (kind == 'u') {
      int code = HexDigits(bytes.substr(i + 2, 4));
      if (code < 0) return InvalidArgument("a wrong escape ", Quoted(bytes.substr(i, 6)));
      i += 6;
      if (code >= 0xd800 && code < 0xdc00 && absl::StartsWith(bytes.substr(i), "\\u")) {
        const int low = HexDigits(bytes.substr(i + 2, 4));
        if (low >= 0xdc00 && low < 0xe000) {
          code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
          i += 6;
        }
      }
      decoded.escaped_letter = decoded.escaped_letter || code >= 0x80;
      if ((code >= 0xd800 && code < 0xe000) || code == 0) {
        decoded.whole = false;
        continue;
      }
      char utf8[U8_MAX_LENGTH];
      int32_t size = 0;
      U8_APPEND_UNSAFE(utf8, size, code);
      decoded.text.append(utf8, static_cast<size_t>(size));
      continue;
    }
    const size_t at = absl::string_view("\"\\/bfnrt").find(kind);
    if (at == absl::string_view::npos) return InvalidArgument("a wrong escape ", Quoted(bytes.substr(i, 2)));
    decoded.text += absl::string_view("\"\\/\b\f\n\r\t")[at];
    decoded.escaped_slash = decoded.escaped_slash || kind == '/';
    i += 2;
  }
  return decoded;
}

bool IsAddress(absl::string_view text) {
  if (absl::StrContains(text, ' ')) return false;
  return absl::StrContains(text, "://") || absl::StartsWith(text, "mailto:") || absl::StartsWith(text, "data:");
}

class JsonReader : public DocumentReader {
 public:
  JsonReader(TextInput& input, JsonOptions options) : input_(input), options_(std::move(options)) {}

  absl::StatusOr<std::optional<DocumentPart>> Next() override {
    while (true) {
      if (at_ == line_.size()) {
        HEED_ASSIGN_OR_RETURN(std::optional<std::string> line, input_.Line(TextInput::kMaxDocumentBytes));
        if (!std::exchange(begun_, true)) kept_ += input_.mark();
        if (!line) break;
        line_ = *std::move(line);
        at_ = 0;
      }
      const char c = line_[at_];
      if (c == '"') {
        HEED_ASSIGN_OR_RETURN(std::optional<DocumentPart> part, TakeString());
        if (part) return part;
      } else {
        HEED_RETURN_IF_ERROR(TakeOther(c));
      }
      if (kept_.size() > kMaxKeptBytes) return KeptPart(std::exchange(kept_, ""));
    }
    if (!stack_.empty())
      return input_.Error(absl::StrCat("the end is missing, '", stack_.back().object ? "}" : "]", "'"));
    if (state_ != State::kEnd) return input_.Error("the document has no value");
    if (!kept_.empty()) return KeptPart(std::exchange(kept_, ""));
    return std::nullopt;
  }

 private:
  enum class State { kValue, kValueOrClose, kKeyOrClose, kKey, kColon, kCommaOrClose, kEnd };
  struct Level {
    bool object = false;
    int64_t index = 0;
    bool skipped = false;  // what is below is not chosen
    bool chosen = false;   // all that is below is
    char closing() const { return object ? '}' : ']'; }
  };

  absl::Status Unexpected(absl::string_view what) const {
    static constexpr absl::string_view kWanted[] = {
        "a value",     "a value or ']'", "a key or '}'", "a key", "':'", "',' or the end of the list or object",
        "nothing more"};
    return input_.Error(absl::StrCat("expected ", kWanted[static_cast<size_t>(state_)], ", found ", Quoted(what, 20)));
  }

  bool expects_value() const { return state_ == State::kValue || state_ == State::kValueOrClose; }
  void EndValue() { state_ = stack_.empty() ? State::kEnd : State::kCommaOrClose; }

  absl::Status TakeOther(char c) {
    const absl::string_view rest = absl::string_view(line_).substr(at_);
    size_t length = 1;
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      while (length < rest.size() && (rest[length] == ' ' || rest[length] == '\t')) ++length;
    } else if (c == '{' || c == '[') {
      if (!expects_value()) return Unexpected(rest.substr(0, 1));
      if (stack_.size() == kMaxDepth) return input_.Error(absl::StrCat("nested deeper than ", kMaxDepth));
      stack_.push_back({.object = c == '{', .skipped = IsSkipped(), .chosen = IsChosen()});
      path_.push_back(c == '{' ? "" : "0");
      state_ = c == '{' ? State::kKeyOrClose : State::kValueOrClose;
    } else if (c == '}' || c == ']') {
      const bool may =
          state_ == State::kCommaOrClose || state_ == (c == '}' ? State::kKeyOrClose : State::kValueOrClose);
      if (!may || stack_.empty() || stack_.back().closing() != c) return Unexpected(rest.substr(0, 1));
      stack_.pop_back();
      path_.pop_back();
      EndValue();
    } else if (c == ',') {
      if (state_ != State::kCommaOrClose) return Unexpected(",");
      Level& level = stack_.back();
      state_ = level.object ? State::kKey : State::kValue;
      if (!level.object) path_.back() = absl::StrCat(++level.index);
    } else if (c == ':') {
      if (state_ != State::kColon) return Unexpected(":");
      state_ = State::kValue;
    } else {
      while (length < rest.size() && (absl::ascii_isalnum(static_cast<unsigned char>(rest[length])) ||
                                      absl::StrContains("+-.", rest.substr(length, 1)))) {
        ++length;
      }
      const absl::string_view word = rest.substr(0, length);
      const bool is_value = word == "true" || word == "false" || word == "null" ||
                            absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-';
      if (!is_value || !expects_value()) return Unexpected(word);
      EndValue();
    }
    absl::StrAppend(&kept_, rest.substr(0, length));
    at_ += length;
    return absl::OkStatus();
  }

  // Whether what is at path_ is not chosen, with all below.
  bool IsSkipped() const {
    if (stack_.empty()) return false;
    return stack_.back().skipped || (stack_.back().object && absl::StartsWith(path_.back(), "@")) ||
           options_.skipped.Match(path_);
  }

  bool IsChosen() const {
    return options_.keys.empty() || (!stack_.empty() && (stack_.back().chosen || options_.keys.Match(path_)));
  }

  // A key, or a value that stays (none), or a part.
  absl::StatusOr<std::optional<DocumentPart>> TakeString() {
    const absl::string_view rest = absl::string_view(line_).substr(at_);
    size_t end = 1;
    while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2 : 1;
    if (end >= rest.size()) return input_.Error("a string without its end");
    const absl::string_view inner = rest.substr(1, end - 1);
    if (state_ != State::kKey && state_ != State::kKeyOrClose && !expects_value()) {
      return Unexpected(rest.substr(0, end + 1));
    }
    absl::StatusOr<DecodedJson> decoded = DecodeJson(inner);
    if (!decoded.ok()) return input_.Error(decoded.status().message());
    at_ += end + 1;
    Learn(inner, *decoded);
    if (!expects_value()) {
      path_.back() = decoded->text;
      state_ = State::kColon;
      absl::StrAppend(&kept_, "\"", inner, "\"");
      return std::nullopt;
    }
    const bool chosen =
        decoded->whole && HasWords(decoded->text) && !IsAddress(decoded->text) && !IsSkipped() && IsChosen();
    EndValue();
    if (!chosen) {
      absl::StrAppend(&kept_, "\"", inner, "\"");
      return std::nullopt;
    }
    return PartOf(std::string(inner), decoded->text);
  }

  void Learn(absl::string_view bytes, const DecodedJson& decoded) {
    const bool raw =
        std::any_of(bytes.begin(), bytes.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
    raw_letters_ = raw_letters_ || raw;
    spelling_.escapes_letters = !raw_letters_ && (spelling_.escapes_letters || decoded.escaped_letter);
    const bool raw_slash = absl::StrContains(decoded.text, '/') && !decoded.escaped_slash;
    raw_slashes_ = raw_slashes_ || raw_slash;
    spelling_.escapes_slashes = !raw_slashes_ && (spelling_.escapes_slashes || decoded.escaped_slash);
  }

  std::optional<DocumentPart> PartOf(std::string inner, const std::string& text) {
    auto message = std::make_shared<const MessageText>(
        text, MessageOptions{.icu = true, .kept = {.percent = true, .braces = true}});
    DocumentPart part;
    part.segments = message->segments();
    for (Segment& segment : part.segments) segment.line = input_.line();
    part.check = [message](size_t index, const std::string& translation) { return message->Check(index, translation); };
    part.render = [message, before = std::exchange(kept_, ""), inner = std::move(inner),
                   spelling = spelling_](Translations translations) {
      const std::optional<std::string> changed = message->Render(translations);
      return absl::StrCat(before, "\"", changed ? EncodeJson(*changed, spelling) : inner, "\"");
    };
    return part;
  }

  TextInput& input_;
  const JsonOptions options_;
  bool begun_ = false;
  std::string line_;
  size_t at_ = 0;
  std::string kept_;  // before the next part
  State state_ = State::kValue;
  std::vector<Level> stack_;
  std::vector<std::string> path_;  // the key or index of each level
  JsonSpelling spelling_;
  bool raw_letters_ = false;
  bool raw_slashes_ = false;
};

}  // namespace

absl::StatusOr<PathPatterns> PathPatterns::Parse(absl::string_view text) {
  PathPatterns patterns;
  if (text.empty()) return patterns;
  std::vector<std::string> pattern(1);
  const auto end_pattern = [&]() -> absl::Status {
    for (const std::string& key : pattern) {
      if (key.empty()) return InvalidArgument(Quoted(text), " has an empty key: write keys with '.' between them");
    }
    if (pattern.size() == 1) pattern.insert(pattern.begin(), "**");
    patterns.patterns_.push_back(std::exchange(pattern, std::vector<std::string>(1)));
    return absl::OkStatus();
  };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      pattern.back() += text[++i];
    } else if (text[i] == ',') {
      HEED_RETURN_IF_ERROR(end_pattern());
    } else if (text[i] == '.') {
      pattern.emplace_back();
    } else {
      pattern.back() += text[i];
    }
  }
  HEED_RETURN_IF_ERROR(end_pattern());
  return patterns;
}

bool PathPatterns::Match(const std::vector<std::string>& path) const {
  return std::any_of(patterns_.begin(), patterns_.end(),
                     [&path](const std::vector<std::string>& pattern) { return MatchPath(pattern, path); });
}

std::unique_ptr<DocumentReader> ReadJson(TextInput& input, JsonOptions options) {
  return std::make_unique<JsonReader>(input, std::move(options));
}

}  // namespace heed::client
