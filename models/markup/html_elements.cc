// SPDX-License-Identifier: Apache-2.0
#include "models/markup/html_elements.h"

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace heed {
namespace {

constexpr size_t kMaxElementName = 24;  // bytes of the names that are known here

struct Elements {
  absl::flat_hash_map<std::string, uint16_t> traits;

  void Add(absl::string_view names, uint16_t trait) {
    for (const absl::string_view name : absl::StrSplit(names, ' ')) traits[std::string(name)] |= trait;
  }

  Elements() {
    Add("area base br col embed hr img input link meta param source track wbr basefont bgsound frame keygen", kVoid);
    Add("address article aside audio blockquote body button canvas caption center col colgroup datalist dd details "
        "dialog "
        "dir div dl dt fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr "
        "html "
        "label legend li listing main marquee menu nav noframes noscript object ol optgroup option p plaintext pre "
        "search "
        "section select summary table tbody td textarea tfoot th thead title tr ul video xmp",
        kBlock);
    Add("script style xmp iframe noembed noframes plaintext", kRaw);
    Add("title textarea", kPlain);
    Add("code kbd samp var tt pre listing xmp plaintext textarea rt rp", kUntranslated);
    Add("math script style svg iframe noembed noframes template", kUntranslated | kHidden);
    Add("address article aside blockquote center details dialog dir div dl dd dt fieldset figcaption figure footer "
        "form h1 "
        "h2 h3 h4 h5 h6 header hgroup hr li listing main menu nav ol p plaintext pre search section summary table ul "
        "xmp",
        kClosesParagraph);
    Add("b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu "
        "meta "
        "nobr ol p pre ruby s small span strong strike sub sup table tt u ul var",
        kLeavesForeign);
    Add("applet button caption html marquee object table td template th foreignobject", kScope);
    Add("br img input svg math embed iframe", kSeparates);
    traits["math"] &= static_cast<uint16_t>(~kHidden);  // a formula is a noun of its sentence
  }
};

std::string Lower(absl::string_view name) { return absl::AsciiStrToLower(name.substr(0, kMaxElementName + 1)); }

}  // namespace

uint16_t HtmlTraits(absl::string_view name) {
  static const Elements* const elements = new Elements;
  if (name.size() > kMaxElementName) return 0;
  const auto found = elements->traits.find(Lower(name));
  return found == elements->traits.end() ? 0 : found->second;
}

bool IsReadableAttribute(absl::string_view element, absl::string_view attribute) {
  static const auto* const everywhere = new absl::flat_hash_set<std::string>{
      "title", "aria-label", "aria-description", "aria-placeholder", "aria-roledescription", "aria-valuetext"};
  static const auto* const of_elements = new absl::flat_hash_set<std::string>{
      "img alt",       "area alt",      "input alt",    "applet alt",     "input placeholder", "textarea placeholder",
      "table summary", "th abbr",       "option label", "optgroup label", "track label",       "menuitem label",
      "menu label",    "object standby"};
  if (attribute.size() > kMaxElementName || element.size() > kMaxElementName) return false;
  const std::string name = Lower(attribute);
  return everywhere->contains(name) || of_elements->contains(absl::StrCat(Lower(element), " ", name));
}

bool IsReadableValue(absl::string_view input_type) {
  const std::string type = Lower(input_type);
  return type == "submit" || type == "button" || type == "reset";
}

bool IsReadableContent(absl::string_view meta_name) {
  static const auto* const names = new absl::flat_hash_set<std::string>{"description",
                                                                        "keywords",
                                                                        "og:title",
                                                                        "og:description",
                                                                        "og:image:alt",
                                                                        "og:site_name",
                                                                        "twitter:title",
                                                                        "twitter:description",
                                                                        "twitter:image:alt",
                                                                        "dc.title",
                                                                        "dc.description",
                                                                        "dcterms.title",
                                                                        "dcterms.description",
                                                                        "apple-mobile-web-app-title"};
  return names->contains(absl::AsciiStrToLower(meta_name.substr(0, 64)));
}

}  // namespace heed
