// SPDX-License-Identifier: Apache-2.0
#include "models/markup/placeholders.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/code_points.h"

namespace heed {
namespace {

constexpr size_t kMaxPlaceholder = 256;  // bytes
constexpr size_t kMaxMessage = 2048;     // bytes of {n, plural, ...}
constexpr size_t kMaxAddress = 2048;     // bytes

char At(absl::string_view text, size_t i) { return i < text.size() ? text[i] : 0; }
bool BeginsName(char c) { return absl::ascii_isalpha(c) || c == '_'; }
bool ContinuesName(char c) { return absl::ascii_isalnum(c) || c == '_'; }

// Behind the name at i: letters, digits and signs of `more`; i if there is none.
size_t NameEnd(absl::string_view text, size_t i, absl::string_view more) {
  const size_t limit = std::min(text.size(), i + kMaxPlaceholder);
  while (i < limit && (ContinuesName(text[i]) || more.find(text[i]) != absl::string_view::npos)) ++i;
  return i;
}

// Each of these returns the end of the placeholder that begins at i, or i.

// {n, plural, one {# file} other {# files}}: braces within it are balanced.
size_t MessageEnd(absl::string_view text, size_t i) {
  int depth = 0;
  const size_t limit = std::min(text.size(), i + kMaxMessage);
  for (size_t at = i; at < limit; ++at) {
    if (text[at] == '{') ++depth;
    if (text[at] == '}' && --depth == 0) return at + 1;
  }
  return i;
}

size_t BracesEnd(absl::string_view text, size_t i) {
  if (At(text, i + 1) == '{') {  // {{ user.name | upper }}, {{{raw}}}
    const bool three = At(text, i + 2) == '{';
    const absl::string_view close = three ? "}}}" : "}}";
    const absl::string_view rest = text.substr(i, kMaxPlaceholder);
    const size_t found = rest.find(close, close.size());
    if (found == absl::string_view::npos || found == close.size()) return i;
    const absl::string_view inner = rest.substr(close.size(), found - close.size());
    return inner.find_first_of("{}\n") == absl::string_view::npos ? i + found + close.size() : i;
  }
  if (At(text, i + 1) == '%') {  // {% if user %}
    const size_t found = text.substr(i, kMaxPlaceholder).find("%}");
    return found == absl::string_view::npos ? i : i + found + 2;
  }
  // {}, {0}, {name}, {user.name}, {list[0]}, {price:.2f}, {0!r}, {@link}
  size_t end = NameEnd(text, i + 1, ".[]@$#-");
  const size_t name_end = end;
  if (At(text, end) == ':' || At(text, end) == '!') end = NameEnd(text, end, ".,:!<>=^+-#%$/");
  if (At(text, end) == '}') return end + 1;
  if (name_end == i + 1) return i;
  size_t comma = name_end;
  while (At(text, comma) == ' ' && comma < name_end + 4) ++comma;
  if (At(text, comma) != ',') return i;
  size_t type = comma + 1;
  while (At(text, type) == ' ' && type < comma + 5) ++type;
  const absl::string_view name = text.substr(type, NameEnd(text, type, "") - type);
  for (const absl::string_view known :
       {"plural", "select", "selectordinal", "number", "date", "time", "choice", "spellout", "ordinal", "duration"}) {
    if (name == known) return MessageEnd(text, i);
  }
  return i;
}

// Behind a conversion of printf, from behind the "%" and its name or number on; i if there is none.
size_t ConversionEnd(absl::string_view text, size_t i) {
  size_t end = i;
  while (end < i + 4 && absl::StrContains("-+#0", At(text, end)) && At(text, end) != 0) ++end;
  while (end < i + 8 && (absl::ascii_isdigit(At(text, end)) || At(text, end) == '*')) ++end;
  if (At(text, end) == '.') {
    ++end;
    while (end < i + 16 && (absl::ascii_isdigit(At(text, end)) || At(text, end) == '*')) ++end;
  }
  for (const absl::string_view length : {"hh", "ll", "h", "l", "L", "q", "j", "z", "t"}) {
    if (absl::StartsWith(text.substr(std::min(end, text.size())), length)) {
      end += length.size();
      break;
    }
  }
  const char conversion = At(text, end);
  return conversion != 0 && absl::StrContains("diouxXeEfFgGaAcspn@", conversion) ? end + 1 : i;
}

size_t PercentEnd(absl::string_view text, size_t i) {
  if (At(text, i + 1) == '(') {  // %(name)s
    const size_t name_end = NameEnd(text, i + 2, ".- ");
    if (name_end == i + 2 || At(text, name_end) != ')') return i;
    const size_t end = ConversionEnd(text, name_end + 1);
    return end == name_end + 1 ? i : end;
  }
  if (At(text, i + 1) == '{') {  // %{name}
    const size_t name_end = NameEnd(text, i + 2, ".-");
    return name_end > i + 2 && At(text, name_end) == '}' ? name_end + 1 : i;
  }
  const bool behind_number = i > 0 && (absl::ascii_isdigit(text[i - 1]) || text[i - 1] == '%');
  size_t digits = i + 1;
  while (digits < i + 4 && absl::ascii_isdigit(At(text, digits))) ++digits;
  if (digits > i + 1) {
    if (At(text, digits) == '$') {  // %1$s
      const size_t end = ConversionEnd(text, digits + 1);
      if (end > digits + 1) return end;
    }
    if (!behind_number && !ContinuesName(At(text, digits)) && At(text, digits) != '.' && digits == i + 2)
      return digits;  // %1
  }
  if (behind_number) return i;
  if (BeginsName(At(text, i + 1))) {  // %name%
    const size_t name_end = NameEnd(text, i + 1, ".-");
    if (name_end > i + 2 && At(text, name_end) == '%' && !ContinuesName(At(text, name_end + 1))) return name_end + 1;
  }
  const size_t end = ConversionEnd(text, i + 1);
  // "%s", "%ds", but neither "% des" nor a word: "%increase".
  if (end == i + 1) return i;
  return NameEnd(text, end, "") - end <= 2 ? end : i;
}

size_t DollarEnd(absl::string_view text, size_t i) {
  const char open = At(text, i + 1);  // ${name}, #{name}, $(name)
  if (open != '{' && !(open == '(' && text[i] == '$')) return i;
  const size_t end = NameEnd(text, i + 2, ".-:[]@ ");
  return end > i + 2 && At(text, end) == (open == '{' ? '}' : ')') ? end + 1 : i;
}

size_t BracketsEnd(absl::string_view text, size_t i) {  // [[name]]
  if (At(text, i + 1) != '[') return i;
  const absl::string_view rest = text.substr(i, kMaxPlaceholder);
  const size_t close = rest.find("]]", 2);
  if (close == absl::string_view::npos || close == 2) return i;
  return rest.substr(2, close - 2).find_first_of("[]\n") == absl::string_view::npos ? i + close + 2 : i;
}

size_t TagEnd(absl::string_view text, size_t i) {  // <x id="1"/>, <g id="2">, </g>, <b>
  const bool closes = At(text, i + 1) == '/';
  const size_t name = i + (closes ? 2 : 1);
  if (!BeginsName(At(text, name))) return i;
  const size_t limit = std::min(text.size(), i + kMaxPlaceholder);
  size_t at = NameEnd(text, name, "-:.");
  while (at < limit) {
    const size_t before = at;
    while (at < limit && text[at] == ' ') ++at;
    if (At(text, at) == '>') return at + 1;
    if (closes) return i;
    if (At(text, at) == '/') return At(text, at + 1) == '>' ? at + 2 : i;
    if (at == before) return i;
    at = NameEnd(text, at, "-:.");
    const char quote = At(text, at + 1);
    if (At(text, at) != '=' || (quote != '"' && quote != '\'')) return i;
    at = text.substr(0, limit).find(quote, at + 2);
    if (at == absl::string_view::npos) return i;
    ++at;
  }
  return i;
}

size_t PlaceholderEnd(absl::string_view text, size_t i) {
  switch (text[i]) {
    case '{':
      return BracesEnd(text, i);
    case '%':
      return PercentEnd(text, i);
    case '$':
    case '#':
      return DollarEnd(text, i);
    case '[':
      return BracketsEnd(text, i);
    case '<':
      return TagEnd(text, i);
    default:
      return i;
  }
}

bool IsAddressCharacter(char c) {
  return absl::ascii_isalnum(c) || static_cast<unsigned char>(c) >= 0x80 ||
         absl::StrContains("-._~:/?#[]@!$&'()*+,;=%", c);
}
bool IsHostCharacter(char c) { return absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_'; }
bool IsMailboxCharacter(char c) { return absl::ascii_isalnum(c) || absl::StrContains("-._+", c); }

// `end`, or before it: an address ends before the signs of the sentence that it is in.
size_t WithoutSentenceEnd(absl::string_view text, size_t begin, size_t end) {
  std::ptrdiff_t round = 0, square = 0;  // brackets that are open at the end
  for (size_t i = begin; i < end; ++i) {
    round += (text[i] == '(') - (text[i] == ')');
    square += (text[i] == '[') - (text[i] == ']');
  }
  for (; end > begin; --end) {
    const char last = text[end - 1];
    if (last == ')') {
      if (round++ >= 0) return end;
    } else if (last == ']') {
      if (square++ >= 0) return end;
    } else if (!absl::StrContains(".,;:!?'*_~", last)) {
      return end;
    }
  }
  return end;
}

// The end of a URL that begins at i; i if there is none.
size_t UrlEnd(absl::string_view text, size_t i) {
  size_t host = i;
  for (const absl::string_view scheme : {"https://", "http://", "ftp://", "mailto:", "www."}) {
    if (absl::StartsWithIgnoreCase(text.substr(i, 8), scheme)) host = i + scheme.size();
  }
  if (host == i || !(absl::ascii_isalnum(At(text, host)) || static_cast<unsigned char>(At(text, host)) >= 0x80 ||
                     At(text, host) == '[')) {
    return i;
  }
  size_t end = host;
  const size_t limit = std::min(text.size(), i + kMaxAddress);
  while (end < limit && IsAddressCharacter(text[end])) {
    // Signs beyond ASCII, as a Chinese full stop or U+00A0, end it; letters do not.
    if (static_cast<unsigned char>(text[end]) >= 0x80) {
      auto next = static_cast<int32_t>(end);
      const UChar32 c = NextCodePoint(text, next);
      if (!u_isalnum(c) && !IsCombiningMark(c)) break;
      end = static_cast<size_t>(next);
    } else {
      ++end;
    }
  }
  end = WithoutSentenceEnd(text, host, end);
  return end > host ? end : i;
}

}  // namespace

std::vector<TextRange> FindPlaceholders(absl::string_view text) {
  std::vector<TextRange> found;
  for (size_t i = text.find_first_of("{%$#[<"); i != absl::string_view::npos; i = text.find_first_of("{%$#[<", i)) {
    const size_t end = PlaceholderEnd(text, i);
    if (end > i) found.push_back({i, end});
    i = end > i ? end : i + 1;
  }
  return found;
}

std::vector<TextRange> FindAddresses(absl::string_view text) {
  std::vector<TextRange> found;
  size_t end = 0;  // of the last one
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '@') {
      // A mailbox before it, or nothing: @name, @name@host.
      size_t begin = i;
      while (begin > end && begin + 64 > i && IsMailboxCharacter(text[begin - 1])) --begin;
      if (begin > end && (IsMailboxCharacter(text[begin - 1]) || text[begin - 1] == '@' || text[begin - 1] == '/'))
        continue;
      if (begin > 0 && static_cast<unsigned char>(text[begin - 1]) >= 0x80) {
        if (u_isalnum(CodePointBefore(text, static_cast<int32_t>(begin)))) continue;
      }
      size_t behind = i + 1;
      while (behind < text.size() && behind < i + 256 && IsHostCharacter(text[behind])) ++behind;
      if (begin == i && At(text, behind) == '@') {
        ++behind;
        while (behind < text.size() && behind < i + 512 && IsHostCharacter(text[behind])) ++behind;
      }
      behind = WithoutSentenceEnd(text, i + 1, behind);
      const bool has_host = text.substr(i + 1, behind - i - 1).find('.') != absl::string_view::npos;
      if (behind > i + 2 && (begin == i || has_host)) {
        found.push_back({begin, behind});
        end = behind;
        i = end - 1;
      }
      continue;
    }
    const char c = absl::ascii_tolower(text[i]);
    if (c != 'h' && c != 'f' && c != 'm' && c != 'w') continue;
    if (i > end && absl::ascii_isalnum(text[i - 1])) continue;
    const size_t url_end = UrlEnd(text, i);
    if (url_end == i) continue;
    found.push_back({i, url_end});
    end = url_end;
    i = end - 1;
  }
  return found;
}

}  // namespace heed
