// SPDX-License-Identifier: Apache-2.0
#include "client/documents/plural_forms.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"

namespace heed::client {
namespace {

constexpr int kMaxNesting = 100;
constexpr int kNumbers = 201;

// Computes C's expression of n. An expression that is none has no value.
class PluralExpression {
 public:
  PluralExpression(absl::string_view text, int64_t n) : text_(text), n_(n) {}

  std::optional<int64_t> Value() {
    const int64_t value = Choice();
    Blanks();
    return failed_ || !text_.empty() ? std::nullopt : std::optional(value);
  }

 private:
  void Blanks() { text_ = absl::StripLeadingAsciiWhitespace(text_); }
  bool Take(absl::string_view symbol) {
    Blanks();
    if (!absl::StartsWith(text_, symbol)) return false;
    text_.remove_prefix(symbol.size());
    return true;
  }

  int64_t Choice() {
    if (++nesting_ > kMaxNesting) failed_ = true;
    if (failed_) return 0;
    int64_t value = Binary(0);
    if (Take("?")) {
      const int64_t then = Choice();
      if (!Take(":")) failed_ = true;
      const int64_t otherwise = Choice();
      value = value != 0 ? then : otherwise;
    }
    --nesting_;
    return value;
  }

  // Operators from the loosest to the tightest; longer ones first.
  int64_t Binary(size_t level) {
    static const std::vector<std::vector<absl::string_view>> kLevels = {
        {"||"}, {"&&"}, {"==", "!="}, {"<=", ">=", "<", ">"}, {"+", "-"}, {"*", "/", "%"}};
    if (level == kLevels.size()) return Unary();
    int64_t left = Binary(level + 1);
    while (!failed_) {
      const auto& symbols = kLevels[level];
      const auto symbol = std::find_if(symbols.begin(), symbols.end(), [this](auto text) { return Take(text); });
      if (symbol == symbols.end()) break;
      left = Apply(*symbol, left, Binary(level + 1));
    }
    return left;
  }

  int64_t Apply(absl::string_view symbol, int64_t left, int64_t right) {
    if ((symbol == "/" || symbol == "%") && right == 0) {
      failed_ = true;
      return 0;
    }
    if (symbol == "||") return left != 0 || right != 0;
    if (symbol == "&&") return left != 0 && right != 0;
    if (symbol == "==") return left == right;
    if (symbol == "!=") return left != right;
    if (symbol == "<=") return left <= right;
    if (symbol == ">=") return left >= right;
    if (symbol == "<") return left < right;
    if (symbol == ">") return left > right;
    // As unsigned numbers, which cannot overflow in any way that is undefined.
    const auto a = static_cast<uint64_t>(left);
    const auto b = static_cast<uint64_t>(right);
    if (symbol == "+") return static_cast<int64_t>(a + b);
    if (symbol == "-") return static_cast<int64_t>(a - b);
    if (symbol == "*") return static_cast<int64_t>(a * b);
    return static_cast<int64_t>(symbol == "/" ? a / b : a % b);
  }

  int64_t Unary() {
    if (++nesting_ > kMaxNesting) failed_ = true;
    if (failed_) return 0;
    int64_t value = 0;
    if (Take("!")) {
      value = Unary() == 0;
    } else if (Take("(")) {
      value = Choice();
      if (!Take(")")) failed_ = true;
    } else if (Take("n")) {
      value = n_;
    } else {
      Blanks();
      size_t digits = 0;
      while (digits < text_.size() && absl::ascii_isdigit(static_cast<unsigned char>(text_[digits]))) ++digits;
      if (!absl::SimpleAtoi(text_.substr(0, digits), &value)) failed_ = true;
      text_.remove_prefix(digits);
    }
    --nesting_;
    return value;
  }

  absl::string_view text_;
  const int64_t n_;
  int nesting_ = 0;
  bool failed_ = false;
};

}  // namespace

absl::StatusOr<PluralForms> PluralForms::Parse(absl::string_view header) {
  const absl::Status wrong = InvalidArgument("Plural-Forms: ", Quoted(header, 200), " is no rule for plurals");
  int count = 0;
  std::string expression;
  for (const absl::string_view part : absl::StrSplit(header, ';')) {
    const std::pair<absl::string_view, absl::string_view> field = absl::StrSplit(part, absl::MaxSplits('=', 1));
    const absl::string_view name = absl::StripAsciiWhitespace(field.first);
    if (name == "nplurals" && !absl::SimpleAtoi(absl::StripAsciiWhitespace(field.second), &count)) return wrong;
    if (name == "plural") expression = std::string(field.second);
  }
  if (count < 1 || count > 20 || expression.empty() || expression.size() > 2000) return wrong;
  PluralForms forms;
  forms.covered_.resize(static_cast<size_t>(count));
  for (int n = 0; n < kNumbers; ++n) {
    const std::optional<int64_t> form = PluralExpression(expression, n).Value();
    if (!form || *form < 0 || *form >= count) return wrong;
    ++forms.covered_[static_cast<size_t>(*form)];
    if (n == 1) forms.singular_ = static_cast<size_t>(*form);
  }
  return forms;
}

std::string PluralForms::HeaderOf(absl::string_view language) {
  static constexpr absl::string_view kOne = "nplurals=1; plural=0;";
  static constexpr absl::string_view kNotOne = "nplurals=2; plural=(n != 1);";
  static constexpr absl::string_view kAboveOne = "nplurals=2; plural=(n > 1);";
  static constexpr absl::string_view kEastSlavic =
      "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);";
  static constexpr absl::string_view kCzech = "nplurals=3; plural=(n==1 ? 0 : n>=2 && n<=4 ? 1 : 2);";
  static constexpr std::pair<absl::string_view, absl::string_view> kForms[] = {
      {"id ja jv km ko lo ms my th vi wo yo zh su ig", kOne},
      {"af an ast az bg bn ca da de el en eo es et eu fi fo fur fy gl gu ha he hi hu hy ia ie it iw ka kk kl kn ku ky "
       "lb ml mn "
       "mr nb ne nl nn no ny om os pa ps pt rm sc sd si so sq sv sw ta te tk tt ug ur uz xh zu",
       kNotOne},
      {"ak am br fa fil fr guw ht ln mg mi oc tg ti tl tr wa", kAboveOne},
      {"be bs hr ru sr sh uk", kEastSlavic},
      {"cs sk", kCzech},
      {"pl", "nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);"},
      {"lt", "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && (n%100<10 || n%100>=20) ? 1 : 2);"},
      {"lv", "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n != 0 ? 1 : 2);"},
      {"ro mo", "nplurals=3; plural=(n==1 ? 0 : n==0 || (n%100>0 && n%100<20) ? 1 : 2);"},
      {"sl", "nplurals=4; plural=(n%100==1 ? 0 : n%100==2 ? 1 : n%100==3 || n%100==4 ? 2 : 3);"},
      {"ga", "nplurals=5; plural=(n==1 ? 0 : n==2 ? 1 : n<7 ? 2 : n<11 ? 3 : 4);"},
      {"gd", "nplurals=4; plural=(n==1 || n==11 ? 0 : n==2 || n==12 ? 1 : n>2 && n<20 ? 2 : 3);"},
      {"cy", "nplurals=4; plural=(n==1 ? 0 : n==2 ? 1 : n != 8 && n != 11 ? 2 : 3);"},
      {"ar", "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5);"},
      {"mt", "nplurals=4; plural=(n==1 ? 0 : n==0 || (n%100>1 && n%100<11) ? 1 : n%100>10 && n%100<20 ? 2 : 3);"},
      {"is mk", "nplurals=2; plural=(n%10 != 1 || n%100==11);"},
  };
  const std::string tag = absl::AsciiStrToLower(language);
  if (tag == "pt_br" || tag == "pt-br") return std::string(kAboveOne);
  const absl::string_view base = absl::string_view(tag).substr(0, tag.find_first_of("-_@."));
  for (const auto& [languages, header] : kForms) {
    for (const absl::string_view known : absl::StrSplit(languages, ' ')) {
      if (known == base) return std::string(header);
    }
  }
  return "";
}

}  // namespace heed::client
