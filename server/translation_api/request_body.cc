// SPDX-License-Identifier: Apache-2.0
#include "server/translation_api/request_body.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/json.h"
#include "base/status_macros.h"

namespace heed {
namespace {

// What a boundary may have, by RFC 2046.
constexpr size_t kMaxBoundary = 70;
// Of a part of a multipart body: more are no header's.
constexpr size_t kMaxPartHeaders = 16;

// nlohmann-json's events of a body, so that no tree of it is ever built.
class JsonReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit JsonReader(RequestFields& fields) : fields_(fields) {}

  const absl::Status& status() const { return status_; }

  bool null() override {
    if (level_ == 2) fields_.SetNested(name_);  // of a list: no text, and leaving it out would move the others
    return level_ > 0 || Wrong("must be a JSON object, is null");
  }
  bool boolean(bool value) override { return Value(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return Value(absl::StrCat(value)); }
  bool number_unsigned(number_unsigned_t value) override { return Value(absl::StrCat(value)); }
  bool number_float(number_float_t, const string_t& text) override { return Value(text); }
  bool string(string_t& value) override { return Value(std::move(value)); }
  bool binary(binary_t&) override { return Wrong("holds binary data"); }
  bool start_object(size_t) override {
    if (level_ > 0) fields_.SetNested(name_);
    return Enter();
  }
  bool key(string_t& name) override {
    if (level_ == 1) {
      name_ = std::move(name);
      fields_.Reset(name_, false);
      // Each name takes memory, too.
      if (++names_ > kMaxFieldValues) return Wrong(absl::StrCat("has more than ", kMaxFieldValues, " fields"));
    }
    return true;
  }
  bool end_object() override { return Leave(); }
  bool start_array(size_t) override {
    if (level_ == 0) return Wrong("must be a JSON object, is a list");
    if (level_ == 1) {
      fields_.Reset(name_, true);
    } else {
      fields_.SetNested(name_);
    }
    return Enter();
  }
  bool end_array() override { return Leave(); }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return Wrong(absl::StrCat("is not valid JSON, at byte ", position));
  }

 private:
  bool Value(std::string text) {
    if (level_ == 0) return Wrong("must be a JSON object, is a single value");
    if (level_ > 2) return true;
    status_ = fields_.Add(name_, std::move(text));
    return status_.ok();
  }
  bool Enter() {
    return ++level_ <= kMaxJsonLevels ||
           Wrong(absl::StrCat("has more than ", kMaxJsonLevels, " levels of lists and objects"));
  }
  bool Leave() {
    --level_;
    return true;
  }
  bool Wrong(absl::string_view what) {
    if (status_.ok()) status_ = InvalidArgument("the body ", what);
    return false;
  }

  RequestFields& fields_;
  absl::Status status_;
  std::string name_;
  int level_ = 0;
  size_t names_ = 0;
};

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// '+' is a space, "%41" is 'A'. A percent sign without two digits stays, as browsers and servers have it.
std::string DecodeFormText(absl::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 && HexDigit(text[i + 2]) >= 0) {
      decoded += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

// The parameter of a header's value: `name` of `multipart/form-data; name="a b"`. Whether it has it.
bool HeaderParameter(absl::string_view value, absl::string_view name, std::string& parameter) {
  size_t at = value.find(';');
  while (at != absl::string_view::npos) {
    absl::string_view rest = absl::StripLeadingAsciiWhitespace(value.substr(at + 1));
    const size_t equals = rest.find_first_of("=;");
    if (equals == absl::string_view::npos) return false;
    const absl::string_view found = absl::StripAsciiWhitespace(rest.substr(0, equals));
    if (rest[equals] == ';') {
      value = rest;
      at = equals;
      continue;
    }
    rest = absl::StripLeadingAsciiWhitespace(rest.substr(equals + 1));
    std::string text;
    size_t end = 0;
    if (absl::ConsumePrefix(&rest, "\"")) {
      while (end < rest.size() && rest[end] != '"') {
        if (rest[end] == '\\' && end + 1 < rest.size()) ++end;
        text += rest[end++];
      }
      end = std::min(end + 1, rest.size());
    } else {
      end = std::min(rest.find(';'), rest.size());
      text = std::string(absl::StripTrailingAsciiWhitespace(rest.substr(0, end)));
    }
    if (absl::EqualsIgnoreCase(found, name)) {
      parameter = std::move(text);
      return true;
    }
    value = rest.substr(end);
    at = value.find(';');
  }
  return false;
}

absl::Status ReadPart(absl::string_view part, RequestFields& fields) {
  std::string name;
  bool is_file = false;
  for (size_t i = 0; !absl::ConsumePrefix(&part, "\r\n"); ++i) {
    const size_t end = part.find("\r\n");
    if (end == absl::string_view::npos || i == kMaxPartHeaders) {
      return InvalidArgument("the body has a part whose headers do not end");
    }
    const absl::string_view line = part.substr(0, end);
    part.remove_prefix(end + 2);
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos) {
      return InvalidArgument("the body has a part with the header ", Quoted(line), ", which has no colon");
    }
    if (!absl::EqualsIgnoreCase(line.substr(0, colon), "content-disposition")) continue;
    std::string file;
    if (!HeaderParameter(line.substr(colon + 1), "name", name)) {
      return InvalidArgument("the body has a part with the header ", Quoted(line), ", which has no name");
    }
    is_file = HeaderParameter(line.substr(colon + 1), "filename", file);
  }
  if (name.empty()) return InvalidArgument("the body has a part without a name");
  return is_file ? absl::OkStatus() : fields.Add(name, std::string(part));
}

}  // namespace

absl::Status ReadJsonBody(absl::string_view body, RequestFields& fields) {
  JsonReader reader(fields);
  if (!nlohmann::json::sax_parse(body.begin(), body.end(), &reader) && reader.status().ok()) {
    return InvalidArgument("the body is not valid JSON");
  }
  return reader.status();
}

absl::Status ReadFormBody(absl::string_view body, RequestFields& fields) {
  for (absl::string_view pair : absl::StrSplit(body, '&', absl::SkipEmpty())) {
    const size_t equals = std::min(pair.find('='), pair.size());
    const absl::string_view value = equals == pair.size() ? "" : pair.substr(equals + 1);
    HEED_RETURN_IF_ERROR(fields.Add(DecodeFormText(pair.substr(0, equals)), DecodeFormText(value)));
  }
  return absl::OkStatus();
}

absl::Status ReadMultipartBody(absl::string_view content_type, absl::string_view body, RequestFields& fields) {
  std::string boundary;
  if (!HeaderParameter(content_type, "boundary", boundary) || boundary.empty()) {
    return InvalidArgument("the content type is ", Quoted(content_type), ", without a boundary");
  }
  if (boundary.size() > kMaxBoundary) {
    return InvalidArgument("the content type has a boundary of ", boundary.size(), " characters, more than ",
                           kMaxBoundary);
  }
  const std::string opening = absl::StrCat("--", boundary);
  const std::string separator = absl::StrCat("\r\n", opening);
  const absl::Status unended = InvalidArgument("the body does not end with the boundary ", Quoted(opening));
  if (!absl::ConsumePrefix(&body, opening)) {
    const size_t first = body.find(separator);  // behind words for those who read it as mail
    if (first == absl::string_view::npos) return unended;
    body.remove_prefix(first + separator.size());
  }
  while (!absl::StartsWith(body, "--")) {
    const size_t line_end = body.find("\r\n");
    if (line_end == absl::string_view::npos) return unended;
    if (!absl::StripAsciiWhitespace(body.substr(0, line_end)).empty()) {
      return InvalidArgument("the body has ", Quoted(body.substr(0, line_end), 32), " behind a boundary");
    }
    // The line's end may be the one before the next boundary: then the part is empty.
    const size_t end = body.find(separator, line_end);
    if (end == absl::string_view::npos) return unended;
    HEED_RETURN_IF_ERROR(
        ReadPart(end == line_end ? absl::string_view() : body.substr(line_end + 2, end - line_end - 2), fields));
    body.remove_prefix(end + separator.size());
  }
  return absl::OkStatus();
}

}  // namespace heed
