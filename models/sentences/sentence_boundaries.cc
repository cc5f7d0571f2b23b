// SPDX-License-Identifier: Apache-2.0
#include "models/sentences/sentence_boundaries.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/code_points.h"

namespace heed {
namespace {

// Bounds of every look around a full stop, in bytes.
constexpr int32_t kLongestWord = 64;
constexpr int32_t kLongestNote = 24;  // "[citation needed]"
constexpr int kMaxOpeners = 16;       // characters before a sentence's first word
constexpr int kMaxJoinedParts = 5;    // "a. d. h. v."

// A sentence of so many words has most likely ended at a full stop, even if a small letter follows.
constexpr int kManyWords = 10;
// Unknown abbreviations are shorter than this.
constexpr int kLettersOfAWord = 5;
constexpr int kMaxOrdinalDigits = 3;

bool IsEllipsis(UChar32 c) { return c == 0x2026 || c == 0x2025; }
bool IsFullStop(UChar32 c) { return c == '.' || c == 0xff0e || c == 0x2024 || c == 0xfe52; }
bool IsDash(UChar32 c) { return c == '-' || (c >= 0x80 && u_charType(c) == U_DASH_PUNCTUATION); }

bool IsTerminator(UChar32 c, bool semicolon_asks) {
  if (c < 0x80) return c == '.' || c == '!' || c == '?' || (c == ';' && semicolon_asks);
  // Letters are most of a text: they have been answered before the slower property is asked.
  if (u_isalpha(c)) return false;
  return IsEllipsis(c) || c == 0x37e || u_hasBinaryProperty(c, UCHAR_S_TERM) || IsFullStop(c);
}

// A comma, a colon: the sentence goes on.
bool IsContinuation(UChar32 c) {
  if (c == ',' || c == ':' || c == ';') return true;
  return c >= 0x80 && !IsDash(c) && u_getIntPropertyValue(c, UCHAR_SENTENCE_BREAK) == U_SB_SCONTINUE;
}

bool IsCornerQuoteEnd(UChar32 c) { return c == 0x300d || c == 0x300f || c == 0xfe42 || c == 0xfe44 || c == 0xff63; }
bool IsClosingBracket(UChar32 c) { return u_charType(c) == U_END_PUNCTUATION && !IsCornerQuoteEnd(c); }
bool IsOpeningBracket(UChar32 c) { return u_charType(c) == U_START_PUNCTUATION; }
// A quote whose place says whether it opens or closes: languages differ.
bool IsQuote(UChar32 c) {
  const int8_t type = u_charType(c);
  return c == '"' || c == '\'' || type == U_INITIAL_PUNCTUATION || type == U_FINAL_PUNCTUATION;
}

// Scripts that do not put spaces between words, and their punctuation.
bool IsEastAsian(UChar32 c) { return c >= 0x2e80 && (c < 0xac00 || c > 0xd7ff); }

bool IsFootnoteMark(UChar32 c) {
  return c == 0xb9 || c == 0xb2 || c == 0xb3 || (c >= 0x2070 && c <= 0x2079) || c == 0x2020 || c == 0x2021;
}
bool IsEmphasis(UChar32 c) { return c == '*' || c == '_' || c == '~' || c == '`'; }
bool IsPictograph(UChar32 c) { return c >= 0x2190 && u_hasBinaryProperty(c, UCHAR_EXTENDED_PICTOGRAPHIC); }

bool IsVowel(UChar32 c) {
  static constexpr absl::string_view kVowels = "aeiouyáéíóúàèìòùâêîôûäëïöüåæøœãõýаеёиоуыэюяіє";
  for (int32_t i = 0; i < static_cast<int32_t>(kVowels.size());) {
    if (NextCodePoint(kVowels, i) == c) return true;
  }
  return false;
}

bool IsRomanNumeral(absl::string_view word) {
  return !word.empty() && word.find_first_not_of("IVXLCDM") == absl::string_view::npos;
}

// Behind a quotation or a question, Japanese goes on with such a particle: 「どこへ？」と聞いた。
bool IsQuotativeParticle(absl::string_view text) {
  for (absl::string_view adverb : {"とても", "とにかく", "ところ", "とき", "とりあえず"}) {
    if (absl::StartsWith(text, adverb)) return false;
  }
  for (absl::string_view particle : {"と", "って", "の", "を", "に", "へ"}) {
    if (absl::StartsWith(text, particle)) return true;
  }
  return false;
}

// The length of the tag with which text begins, as HTML has them; 0 if there is none.
int32_t TagLength(absl::string_view text, bool closing_only) {
  constexpr size_t kLongestTag = 64;
  if (!absl::StartsWith(text, "<")) return 0;
  const size_t end = text.substr(0, kLongestTag).find('>');
  if (end == absl::string_view::npos || end < 2) return 0;
  const bool closes = text[1] == '/' || absl::StartsWithIgnoreCase(text, "<br");
  if (closing_only ? !closes : text[1] != '/' && !absl::ascii_isalpha(static_cast<unsigned char>(text[1]))) return 0;
  return static_cast<int32_t>(end) + 1;
}

constexpr absl::string_view kSmileys[] = {":-)", ":)", ";-)", ";)", ":-(", ":(", ":-D", ":D", ":-P", ":P"};

enum class First { kUpper, kLower, kCaseless, kDigit, kContinuation, kTerminator, kOther };

// A place where a sentence may end, and what follows.
struct Stop {
  int32_t begin = 0;            // of its terminators
  int32_t terminators = 0;      // their end
  int32_t end = 0;              // behind what closes the sentence
  int32_t next = 0;             // behind the white space
  bool asks = false;            // "!", "?" or another script's stop is among them
  bool needs_no_space = false;  // another script's stop
  int dots = 0;
  bool quote = false, bracket = false, tag = false;  // close it

  First first = First::kOther;  // of the first letter or digit that follows, behind quotes and brackets that open
  int32_t first_at = 0;
  bool dash = false;                // before it
  std::string word, second, third;  // of what follows, in lower case
  absl::string_view spelt;          // `word` as it is in the text
  UChar32 behind_word = -1;
};

struct Word {
  absl::string_view text;  // without the full stop behind it
  std::string lower;
  int32_t begin = 0;
  bool capitalized = false;
  bool glued = false;  // part of something longer without white space: an address
  int letters = 0, digits = 0, others = 0;
};

class LineScanner {
 public:
  LineScanner(absl::string_view line, const SentenceRules& rules) : line_(line), rules_(rules) {}

  std::vector<int32_t> Scan() {
    std::vector<int32_t> starts;
    bool space = true;
    for (int32_t i = 0; i < size();) {
      const int32_t at = i;
      const UChar32 c = NextCodePoint(line_, i);
      if (c == '"') quote_is_open_ = !quote_is_open_;
      if (IsSpace(c) != space) words_ += space;
      space = IsSpace(c);
      if (!IsTerminator(c, rules_.semicolon_asks())) continue;
      const Stop stop = Read(at);
      i = stop.terminators;
      if (stop.next == size() || !Ends(stop)) continue;
      starts.push_back(stop.next);
      sentence_ = stop.next;
      sentence_begins_small_ = stop.first == First::kLower;
      words_ = 0;
    }
    return starts;
  }

 private:
  int32_t size() const { return static_cast<int32_t>(line_.size()); }

  int32_t SkipSpace(int32_t i) const {
    for (int32_t before = i; i < size(); before = i) {
      if (!IsSpace(NextCodePoint(line_, i))) return before;
    }
    return size();
  }

  Stop Read(int32_t at) const {
    Stop stop;
    stop.begin = at;
    for (int32_t i = at; i < size();) {
      const UChar32 c = NextCodePoint(line_, i);
      if (!IsTerminator(c, rules_.semicolon_asks())) break;
      if (IsEllipsis(c)) {
        stop.dots += 3;
      } else if (IsFullStop(c)) {
        ++stop.dots;
      } else {
        stop.asks = true;
        stop.needs_no_space = c >= 0x80 && !(c >= 0x203c && c <= 0x2049) && c != 0x37e;
      }
      stop.terminators = i;
    }
    ReadClosing(stop);
    stop.next = SkipSpace(stop.end);
    ReadNext(stop);
    return stop;
  }

  // A quote behind a stop closes if nothing that could be quoted follows at once; otherwise its own direction counts.
  bool Closes(UChar32 quote, int32_t behind) const {
    const UChar32 next = CodePointAt(line_, behind);
    if (next < 0 || IsSpace(next) || IsTerminator(next, false) || IsContinuation(next) || IsDash(next) ||
        u_charType(next) == U_END_PUNCTUATION || (IsQuote(next) && u_charType(next) != U_INITIAL_PUNCTUATION)) {
      return true;
    }
    if (quote == '"') return quote_is_open_;
    return quote == '\'' || u_charType(quote) == U_FINAL_PUNCTUATION;
  }

  void ReadClosing(Stop& stop) const {
    stop.end = ReadAttached(stop, stop.terminators);
    // What closes may stand apart: French's " »", a smiley.
    const int32_t apart = SkipSpace(stop.end);
    int32_t i = apart;
    const UChar32 c = i < size() ? NextCodePoint(line_, i) : -1;
    if (apart == stop.end || c < 0) return;
    const bool closes = c == '"' ? quote_is_open_ && !stop.quote : u_charType(c) == U_FINAL_PUNCTUATION;
    const UChar32 next = CodePointAt(line_, i);
    if (closes && (next < 0 || IsSpace(next) || IsTerminator(next, false) || IsContinuation(next))) {
      stop.quote = true;
      stop.end = ReadAttached(stop, i);
      return;
    }
    for (absl::string_view smiley : kSmileys) {
      if (!absl::StartsWith(line_.substr(static_cast<size_t>(apart)), smiley)) continue;
      const int32_t behind = apart + static_cast<int32_t>(smiley.size());
      if (behind < size() && !IsSpace(CodePointAt(line_, behind))) continue;
      stop.end = behind;
      return;
    }
  }

  // What closes a sentence without white space before it, from byte i on. Returns its end.
  int32_t ReadAttached(Stop& stop, int32_t i) const {
    for (int32_t behind = i; i < size(); i = behind) {
      const UChar32 c = NextCodePoint(line_, behind);
      if (IsCornerQuoteEnd(c)) {
        stop.quote = true;
      } else if (IsClosingBracket(c)) {
        stop.bracket = true;
      } else if (IsQuote(c)) {
        if (!Closes(c, behind)) return i;
        stop.quote = true;
      } else if (c == '[') {
        const absl::string_view note = line_.substr(static_cast<size_t>(behind), kLongestNote);
        const size_t end = note.find(']');
        if (end == absl::string_view::npos || end == 0) return i;
        for (char byte : note.substr(0, end)) {
          if (!absl::ascii_isalnum(static_cast<unsigned char>(byte)) && byte != ' ' && byte != ',' && byte != '-')
            return i;
        }
        behind += static_cast<int32_t>(end) + 1;
      } else if (const int32_t tag = TagLength(line_.substr(static_cast<size_t>(i)), /*closing_only=*/true); tag > 0) {
        stop.tag = true;
        behind = i + tag;
      } else if (!IsFootnoteMark(c) && !IsEmphasis(c) && !IsPictograph(c) && !IsCombiningMark(c) &&
                 !(c >= 0x80 && u_charType(c) == U_FORMAT_CHAR)) {
        return i;
      }
    }
    return i;
  }

  // The letters from byte i on, in lower case; i moves behind them.
  std::string ReadWord(int32_t& i) const {
    std::string word;
    while (i < size() && word.size() < kLongestWord) {
      int32_t behind = i;
      const UChar32 c = NextCodePoint(line_, behind);
      if (!IsLetter(c) && !IsCombiningMark(c)) break;
      AppendLower(c, word);
      i = behind;
    }
    return word;
  }

  void ReadNext(Stop& stop) const {
    int32_t i = stop.next;
    UChar32 c = -1;
    for (int skipped = 0; i < size() && skipped < kMaxOpeners; ++skipped) {
      int32_t behind = i;
      c = NextCodePoint(line_, behind);
      const bool symbol = c == '#' || c == '@' || c == '<' || c == '>' || c == 0xbf || c == 0xa1 || c == 0xa7 ||
                          (c >= 0x80 && u_charType(c) == U_OTHER_SYMBOL) || u_charType(c) == U_CURRENCY_SYMBOL ||
                          c == 0x2022 || c == 0xb7 || IsCombiningMark(c);
      if (const int32_t tag = TagLength(line_.substr(static_cast<size_t>(i)), /*closing_only=*/false); tag > 0) {
        behind = i + tag;
      } else if (IsDash(c)) {
        stop.dash = true;
      } else if (!(IsSpace(c) && i > stop.next) && !IsOpeningBracket(c) && !IsQuote(c) && !IsEmphasis(c) && !symbol) {
        break;
      }
      i = behind;
      c = -1;
    }
    stop.first_at = i;
    if (c < 0) return;
    // ".NET"
    int32_t behind = i;
    NextCodePoint(line_, behind);
    if (c == '.' && stop.next > stop.end && IsLetter(CodePointAt(line_, behind))) c = CodePointAt(line_, i = behind);
    if (IsTerminator(c, rules_.semicolon_asks())) {
      stop.first = i == stop.next ? First::kTerminator : First::kOther;
    } else if (IsContinuation(c)) {
      stop.first = First::kContinuation;
    } else if (u_isdigit(c)) {
      stop.first = First::kDigit;
    } else if (IsLetter(c)) {
      const int32_t begin = i;
      stop.word = ReadWord(i);
      stop.spelt = line_.substr(static_cast<size_t>(begin), static_cast<size_t>(i - begin));
      stop.behind_word = CodePointAt(line_, i);
      behind = begin;
      NextCodePoint(line_, behind);
      stop.first = u_isupper(c) || u_istitle(c) ? First::kUpper : u_islower(c) ? First::kLower : First::kCaseless;
      // "iPhones", "b) ..."
      if (stop.first == First::kLower && u_isupper(CodePointAt(line_, behind))) stop.first = First::kUpper;
      if (stop.first == First::kLower && behind == i && stop.behind_word == ')') stop.first = First::kUpper;
      if (stop.first == First::kLower && behind == i && stop.behind_word == '.' && list_letter_ != 0 &&
          c == list_letter_ + 1) {
        stop.first = First::kUpper;
      }
      for (std::string* word : {&stop.second, &stop.third}) {
        if (CodePointAt(line_, i) == '.') ++i;
        i = SkipSpace(i);
        *word = ReadWord(i);
      }
    }
  }

  bool Ends(const Stop& stop) {
    if (stop.first == First::kContinuation || stop.first == First::kTerminator) return false;
    if (stop.next == stop.end && !stop.needs_no_space) return EndsWithoutSpace(stop);
    // "Is it hot?" asked the boy. (He was old!) went home. - said he.
    if (stop.first == First::kLower && (stop.quote || stop.bracket || stop.dash)) return false;
    if (stop.dash && (stop.quote || stop.first == First::kDigit)) return false;
    if (stop.asks) return EndsAfterMark(stop);
    if (stop.dots > 1) return EndsAfterEllipsis(stop);
    return EndsAfterFullStop(stop);
  }

  // "3.50", "Node.js", "https://example.com/a?b=1"; but also "What?No!" and "你好!你在哪里".
  bool EndsWithoutSpace(const Stop& stop) {
    const bool at_once = stop.first_at == stop.next;
    if (stop.quote && stop.first == First::kUpper && at_once) return true;
    const UChar32 before = CodePointBefore(line_, stop.begin);
    if (stop.first == First::kCaseless && (at_once || stop.quote)) {
      const bool caseless_before = IsLetter(before) && !u_isupper(before) && !u_islower(before);
      return (stop.asks || (stop.dots == 1 && caseless_before)) && !InAddress(stop.begin);
    }
    if (stop.tag && stop.first == First::kUpper) return true;
    if (stop.asks) {
      const UChar32 next = CodePointAt(line_, stop.next);
      if (next == 0xbf || next == 0xa1) return true;  // the question or call that follows says where it begins
      return stop.first == First::kUpper && at_once && u_islower(before) && !InAddress(stop.begin);
    }
    return stop.dots > 1 && stop.first == First::kUpper && at_once && IsLetter(before) && !InAddress(stop.begin);
  }

  // Whether the run of ASCII without white space around byte `at` holds what addresses and mentions have. Every run is
  // read once.
  bool InAddress(int32_t at) {
    if (at < run_end_) return run_is_address_;
    const auto ends = [](char byte) { return byte <= ' ' || byte == 0x7f; };  // char is signed: so do other scripts
    int32_t begin = at;
    while (begin > 0 && !ends(line_[static_cast<size_t>(begin) - 1])) --begin;
    run_end_ = at + 1;
    while (run_end_ < size() && !ends(line_[static_cast<size_t>(run_end_)])) ++run_end_;
    const absl::string_view run = line_.substr(static_cast<size_t>(begin), static_cast<size_t>(run_end_ - begin));
    run_is_address_ = run.find_first_of("/@=&<>#\\_%") != absl::string_view::npos;
    return run_is_address_;
  }

  bool StarterFollows(const Stop& stop) const { return stop.behind_word != '.' && rules_.IsStarter(stop.word); }

  bool EndsAfterMark(const Stop& stop) const {
    const absl::string_view next = line_.substr(static_cast<size_t>(stop.next));
    if (stop.needs_no_space && stop.next == stop.end) {
      const UChar32 last = CodePointBefore(line_, stop.terminators);
      return !((stop.quote || (last != 0x3002 && last != 0xff61)) && IsQuotativeParticle(next));
    }
    if (stop.needs_no_space) return true;
    // "5! = 120"
    if (stop.first == First::kOther && u_charType(CodePointAt(line_, stop.first_at)) == U_MATH_SYMBOL) return false;
    if (const Word word = WordBefore(stop.begin); rules_.IsMarkedName(word.lower)) {
      return stop.first == First::kUpper && StarterFollows(stop);
    }
    if (stop.first == First::kLower) {
      return !rules_.IsSpeechVerb(stop.word) && !(rules_.IsStarter(stop.word) && rules_.IsSpeechVerb(stop.second));
    }
    // "Is it hot?" Tom asked.
    if (stop.quote && stop.first == First::kUpper && !rules_.IsStarter(stop.word)) {
      return !rules_.IsSpeechVerb(stop.second) && !rules_.IsSpeechVerb(stop.third);
    }
    return true;
  }

  bool EndsAfterEllipsis(const Stop& stop) const {
    if (stop.first == First::kLower || stop.first == First::kDigit) return false;
    // One that stands apart or in brackets leaves something out.
    const UChar32 before = CodePointBefore(line_, stop.begin);
    const bool apart = before < 0 || IsSpace(before) || IsOpeningBracket(before);
    return !apart || StarterFollows(stop);
  }

  bool EndsAfterFullStop(const Stop& stop) {
    const Word word = WordBefore(stop.begin);
    if (word.text.empty())
      return stop.first != First::kLower && stop.first != First::kOther;  // "The dog runs . The cat"
    if (IsListMark(word)) return false;
    if (word.digits > 0 && word.letters == 0 && word.others == 0 && !word.glued) return EndsAfterNumber(stop, word);
    switch (Find(word, stop)) {
      case Abbreviation::kNeverEnds:
        return stop.bracket && StarterFollows(stop);
      case Abbreviation::kBeforeStarter:
        if (stop.quote && stop.first == First::kUpper) return true;
        if (stop.first == First::kLower) return SmallLetterBegins(stop);
        return stop.first == First::kUpper && StarterFollows(stop);
      case Abbreviation::kBeforeCapital:
        if (stop.first == First::kLower) return SmallLetterBegins(stop);
        // "p.m. EST"
        if (stop.spelt.size() > 1 && std::all_of(stop.spelt.begin(), stop.spelt.end(), absl::ascii_isupper))
          return false;
        return stop.first != First::kOther && !rules_.FollowsNumber(stop.word);
      case Abbreviation::kOfNumber:
        if (stop.first == First::kDigit) return false;
        if (stop.first == First::kLower) return SmallLetterBegins(stop);
        if (!StarterFollows(stop) && IsRomanNumeral(stop.spelt)) return false;
        if ((word.capitalized || stop.behind_word == '.') && stop.spelt.size() == 1 && !StarterFollows(stop))
          return false;
        break;
      case Abbreviation::kNone:
        break;
    }
    switch (stop.first) {
      case First::kDigit:
        return !LooksLikeAbbreviation(word);
      case First::kLower:
        return rules_.has_words() && !LooksLikeAbbreviation(word) && SmallLetterBeginsBehind(stop, word);
      default:
        return true;
    }
  }

  bool EndsAfterNumber(const Stop& stop, const Word& number) {
    const Word before = WordBefore(BehindWordBefore(number.begin));
    // In a language that has them every such number may be an ordinal; before a capital, with which nouns and sentences
    // begin alike, the words beside it decide.
    const bool beside = rules_.PrecedesOrdinal(before.lower) || before.text.empty() || before.letters == 0 ||
                        (stop.first == First::kUpper && rules_.FollowsNumber(stop.word));
    const bool ordinal = rules_.ordinals_have_stop() && number.digits <= kMaxOrdinalDigits &&
                         (beside || (rules_.only_ordinals() && stop.first != First::kUpper)) &&
                         rules_.Find(before.lower, before.capitalized) != Abbreviation::kOfNumber;
    switch (stop.first) {
      case First::kDigit:
        return !ordinal;
      case First::kLower:
        return !ordinal && rules_.has_words() && !rules_.IsConjunction(stop.word) &&
               (number.digits > kMaxOrdinalDigits || WriterBeginsSmall() || words_ >= kManyWords);
      case First::kOther:
        return !ordinal;
      default:
        return !ordinal || StarterFollows(stop);
    }
  }

  // "1." before "A dog is running.", also "a." and "IV."; within a line only if the numbers go on.
  bool IsListMark(const Word& word) {
    if (word.glued || word.begin < sentence_ || word.begin - sentence_ > kLongestWord) return false;
    for (int32_t i = sentence_; i < word.begin;) {
      const UChar32 c = NextCodePoint(line_, i);
      if (u_isalnum(c)) return false;
    }
    const bool begins_line = sentence_ == 0;
    if (word.letters == 0 && word.digits > 0) {
      int number = 0;
      const bool plain = word.others == 0 && word.digits <= 3 && absl::SimpleAtoi(word.text, &number);
      const bool nested = word.others > 0 && word.text.find_first_not_of("0123456789.") == absl::string_view::npos;
      if (!(begins_line ? plain || nested : plain && (number == 1 || number == list_number_ + 1))) return false;
      if (plain) list_number_ = number;
      return true;
    }
    if (word.letters == 1 && word.text.size() == 1) {
      const UChar32 letter = word.text[0];
      if (!begins_line && letter != list_letter_ + 1) return false;
      list_letter_ = letter;
      return true;
    }
    if (word.others > 0 || word.digits > 0 || word.letters > 4 || !IsRomanNumeral(word.text)) return false;
    if (!begins_line && list_letter_ != 'I') return false;
    list_letter_ = 'I';
    return true;
  }

  // What is known of the word, or of the parts that end with it ("z. B."), or of its own end ("l'art", "Dipl.-Ing").
  Abbreviation Find(const Word& word, const Stop& stop) const {
    if (word.glued) return Abbreviation::kNone;
    std::string joined = word.lower;
    int32_t begin = word.begin;
    Abbreviation longest = rules_.Find(word.lower, word.capitalized);
    for (int parts = 1; parts < kMaxJoinedParts; ++parts) {
      const int32_t end = BehindWordBefore(begin);
      if (end == 0 || line_[static_cast<size_t>(end) - 1] != '.') break;
      const Word part = WordBefore(end - 1);
      if (part.letters == 0 || part.letters > 2 || part.digits > 0) break;
      joined = absl::StrCat(part.lower, ".", joined);
      begin = part.begin;
      if (const Abbreviation found = rules_.Find(joined, part.capitalized); found != Abbreviation::kNone)
        longest = found;
    }
    if (longest == Abbreviation::kNone) {
      const absl::string_view whole = word.lower;
      for (absl::string_view mark : {"'", "’", "-"}) {
        const size_t at = whole.rfind(mark);
        if (at == absl::string_view::npos) continue;
        const absl::string_view last = whole.substr(at + mark.size());
        if (last.size() > 1) longest = rules_.Find(last, word.capitalized);
        if (longest != Abbreviation::kNone) return longest;
      }
    }
    if (IsInitials(word)) {
      const bool initial_follows = stop.behind_word == '.' && CountCodePoints(stop.word) == 1;
      if (word.letters == 1 && initial_follows) return Abbreviation::kNeverEnds;  // "А. С. Пушкин", "z. B."
      if (longest == Abbreviation::kNone || longest == Abbreviation::kOfNumber) {
        return stop.first == First::kDigit && longest == Abbreviation::kOfNumber ? longest
                                                                                 : Abbreviation::kBeforeStarter;
      }
    }
    if (longest == Abbreviation::kNone && IsRomanNumeral(word.text) &&
        (rules_.only_ordinals() || stop.first == First::kLower)) {
      return Abbreviation::kBeforeStarter;  // "Friedrich II."
    }
    if (stop.behind_word == '.' &&
        rules_.Find(absl::StrCat(word.lower, ".", stop.word), word.capitalized) != Abbreviation::kNone) {
      return Abbreviation::kNeverEnds;  // "EE. UU."
    }
    return longest;
  }

  static int CountCodePoints(absl::string_view text) {
    int count = 0;
    for (int32_t i = 0; i < static_cast<int32_t>(text.size()); ++count) NextCodePoint(text, i);
    return count;
  }

  // Single letters with full stops or hyphens between them: "F", "J.R.R", "J.-C".
  static bool IsInitials(const Word& word) {
    if (word.letters == 0 || word.digits > 0) return false;
    bool letter = false;
    for (int32_t i = 0; i < static_cast<int32_t>(word.text.size());) {
      const UChar32 c = NextCodePoint(word.text, i);
      if (IsCombiningMark(c)) continue;
      if (!IsLetter(c) && c != '.' && c != '-') return false;
      if (IsLetter(c) && (letter || u_getIntPropertyValue(c, UCHAR_LINE_BREAK) == U_LB_IDEOGRAPHIC)) return false;
      letter = IsLetter(c);
    }
    return true;
  }

  // Short and without a vowel: "hrs", "blvd".
  static bool LooksLikeAbbreviation(const Word& word) {
    if (word.letters > kLettersOfAWord || word.digits > 0 || word.others > 0) return false;
    bool latin_or_cyrillic = false;
    for (int32_t i = 0; i < static_cast<int32_t>(word.lower.size());) {
      const UChar32 c = NextCodePoint(word.lower, i);
      if (IsVowel(c)) return false;
      latin_or_cyrillic = latin_or_cyrillic || u_islower(c);
    }
    return latin_or_cyrillic;
  }

  // The line or the present sentence does: whoever writes so does it throughout.
  bool WriterBeginsSmall() {
    if (!line_begins_small_) {
      UChar32 c = 0;
      for (int32_t i = 0; i < size() && !IsLetter(c);) c = NextCodePoint(line_, i);
      line_begins_small_ = u_islower(c);
    }
    return *line_begins_small_ || sentence_begins_small_;
  }

  // Behind an abbreviation.
  bool SmallLetterBegins(const Stop& stop) {
    return rules_.has_words() && WriterBeginsSmall() && StarterFollows(stop) && !rules_.IsConjunction(stop.word);
  }

  // Behind a word that is not known to be an abbreviation. Models that know single sentences drop what follows one.
  bool SmallLetterBeginsBehind(const Stop& stop, const Word& word) {
    if (word.letters < 2 || word.digits > 0 || word.others > 0) return SmallLetterBegins(stop);
    if (rules_.IsConjunction(stop.word)) return WriterBeginsSmall();
    return word.letters >= kLettersOfAWord || WriterBeginsSmall() || StarterFollows(stop) || words_ >= kManyWords;
  }

  // The end of the word before the white space that ends at byte `end`.
  int32_t BehindWordBefore(int32_t end) const {
    while (end > 0) {
      int32_t before = end;
      if (!IsSpace(PreviousCodePoint(line_, before))) break;
      end = before;
    }
    return end;
  }

  // The word that ends at byte `end`.
  Word WordBefore(int32_t end) const {
    Word word;
    int32_t begin = end;
    while (begin > 0 && end - begin < kLongestWord) {
      int32_t before = begin;
      const UChar32 c = PreviousCodePoint(line_, before);
      const bool letter = IsLetter(c), digit = u_isdigit(c);
      if (!letter && !digit && !IsCombiningMark(c) && c != '.' && c != '-' && c != '\'' && c != 0x2019 && c != 0xb0 &&
          c != 0xad && c != 0x2116) {
        word.glued = !IsSpace(c) && !IsOpeningBracket(c) && !IsQuote(c) && !IsDash(c) && !IsEastAsian(c) && c != '>' &&
                     c != 0xbf && c != 0xa1;
        break;
      }
      // "そしてMr."
      if (IsEastAsian(c) && begin < end && !IsEastAsian(CodePointAt(line_, begin))) break;
      begin = before;
    }
    // A quote that opens is no apostrophe.
    while (begin < end && (line_[static_cast<size_t>(begin)] == '\'' || line_[static_cast<size_t>(begin)] == '-'))
      ++begin;
    word.begin = begin;
    word.text = line_.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    word.glued = word.glued || end - begin >= kLongestWord;
    for (int32_t i = 0; i < static_cast<int32_t>(word.text.size());) {
      const int32_t at = i;
      const UChar32 c = NextCodePoint(word.text, i);
      if (at == 0) word.capitalized = u_isupper(c);
      AppendLower(c, word.lower);
      if (IsLetter(c)) {
        ++word.letters;
      } else if (u_isdigit(c)) {
        ++word.digits;
      } else if (!IsCombiningMark(c) && c != 0xad) {
        ++word.others;
      }
    }
    return word;
  }

  const absl::string_view line_;
  const SentenceRules& rules_;
  int32_t sentence_ = 0;  // where the present one begins
  int32_t run_end_ = 0;   // of the last run that was looked at as an address
  bool run_is_address_ = false;
  int words_ = 0;               // of it
  bool quote_is_open_ = false;  // by an odd number of '"'
  int list_number_ = -1;        // of the last list mark
  UChar32 list_letter_ = 0;
  std::optional<bool> line_begins_small_;
  bool sentence_begins_small_ = false;
};

}  // namespace

std::vector<int32_t> SentenceStarts(absl::string_view line, const SentenceRules& rules) {
  return LineScanner(line, rules).Scan();
}

}  // namespace heed
