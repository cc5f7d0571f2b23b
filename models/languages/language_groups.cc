// SPDX-License-Identifier: Apache-2.0
#include "models/languages/language_groups.h"

#include <unicode/uloc.h>

#include <algorithm>
#include <cstring>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"

namespace heed {
namespace {

constexpr size_t kMaxLanguages = 1000;  // of a list

// Members are languages, and groups of the lines before it.
struct Group {
  absl::string_view codes;
  absl::string_view members;
};

constexpr Group kGroups[] = {
    // Indo-European.
    {"gmq scandinavia", "da fo is nb nn no sv"},
    {"gmw", "af de en fy lb nl sco yi"},
    {"gem", "gmq gmw"},
    {"north_eu", "af da de fo fy is nb nl nn no sv"},
    {"norway", "nb nn no"},
    {"romance", "an ca co es fr fur gl it la lad lij lmo lld mwl nap oc pt rm ro sc scn vec wa"},
    {"roa", "an ast ca co es ext fr frp fur gl it lad lij lmo lld mwl nap oc pms pt rm ro sc scn vec wa"},
    {"itc", "la roa"},
    {"cel celtic", "br cy ga gd gv kw"},
    {"bat", "lt ltg lv sgs"},
    {"zle", "be ru rue uk"},
    {"zlw", "cs csb dsb hsb pl sk szl"},
    {"zls", "bg bs hr mk sl sr sr-Latn"},
    {"sla", "zle zls zlw"},
    {"grk", "el"},
    {"sqj", "sq"},
    {"hyx", "hy"},
    {"inc", "as bho bn dv gu hi kok ks mai mr ne or pa rom sa sd si ur"},
    {"ira", "ckb fa fa-AF ku os ps tg zza"},
    {"iir", "inc ira"},
    {"ine", "bat cel gem grk hyx iir itc sla sqj"},
    // Other families of Europe and its neighbors.
    {"fiu", "chm et fi hu izh krl kv liv mdf mrj myv se sma smj smn sms udm vep vot"},
    {"smi sami", "se sma smj smn sms"},
    {"urj", "fiu"},
    {"trk", "az ba crh cv gag kaa kk ky sah tk tr tt tyv ug uz"},
    {"xgn", "bua mn xal"},
    {"tut", "trk xgn"},
    {"ccs", "ka"},
    {"ccn", "ab ce"},
    {"cau", "ccn ccs"},
    {"euq", "eu"},
    // Africa.
    {"sem", "am ar arc he mt ti"},
    {"ber", "kab shi zgh"},
    {"cus", "om so"},
    {"cdc", "ha"},
    {"afa", "ber cdc cus sem"},
    {"bnt", "bem ki kg lg ln loz lua nd nr nso ny rn rw sn ss st sw tn toi ts tum ve xh zu"},
    {"alv", "ak bnt ee ff ig wo yo"},
    {"nic", "alv bm sg"},
    // Asia, the Pacific.
    {"dra", "kn ml ta te"},
    {"mkh", "km vi"},
    {"aav", "mkh sat"},
    {"tai", "lo th"},
    {"taw", "tai"},
    {"hmx", "hmn"},
    {"zhx", "lzh yue zh"},
    {"tbq", "bo dz my"},
    {"sit", "tbq zhx"},
    {"jpx", "ja"},
    {"phi", "bik ceb fil ilo pag war"},
    {"pqe", "fj haw mi sm to ty"},
    {"poz", "id jv mad mg ms pqe su"},
    {"map", "phi poz"},
    // Creoles, and languages that somebody made.
    {"cpf", "ht mfe"},
    {"cpe", "bi jam tpi"},
    {"cpp", "pap"},
    {"crp", "cpe cpf cpp"},
    {"art", "eo ia ie io jbo vo"},
    {"mul", "aav afa art cau crp dra euq hmx ine jpx ko map nic sit taw tut urj qu ay gn kl"},
};

// Codes of languages that are countries' as well, and more often mean the language in a list of small letters.
constexpr absl::string_view kWidespread[] = {"ar", "bg", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi",
                                             "fr", "he", "hi", "hr", "hu", "id", "is", "it", "ja", "ko", "lt",
                                             "lv", "ms", "nb", "nl", "nn", "no", "pl", "pt", "ro", "ru", "sk",
                                             "sl", "sr", "sv", "th", "tr", "uk", "vi", "zh"};

using Groups = absl::flat_hash_map<std::string, std::vector<std::string>>;

Groups* MakeGroups() {
  auto* groups = new Groups;
  for (const Group& group : kGroups) {
    std::vector<std::string> members;
    for (absl::string_view member : absl::StrSplit(group.members, ' ')) {
      const auto inner = groups->find(member);
      if (inner == groups->end()) {
        members.emplace_back(member);
      } else {
        members.insert(members.end(), inner->second.begin(), inner->second.end());
      }
    }
    absl::c_sort(members);
    members.erase(std::unique(members.begin(), members.end()), members.end());
    for (absl::string_view code : absl::StrSplit(group.codes, ' ')) (*groups)[code] = members;
  }
  return groups;
}

// One language with a region behind it, rather than two languages: "pt_br", "de-AT".
bool IsOneLanguage(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::ByAnyChar("_-"));
  if (parts.size() == 1) return true;
  const absl::string_view last = parts.back();
  return last.size() != 2 || last != absl::AsciiStrToLower(last) || last == parts[0] ||
         !absl::c_linear_search(kWidespread, last);
}

}  // namespace

std::optional<std::vector<std::string>> FindLanguageGroup(absl::string_view code) {
  static const Groups& groups = *MakeGroups();
  const auto found = groups.find(absl::AsciiStrToLower(code));
  if (found == groups.end()) return std::nullopt;
  return found->second;
}

absl::StatusOr<std::vector<LanguageTag>> ParseLanguages(absl::string_view text) {
  std::vector<LanguageTag> languages;
  const auto add = [&languages](absl::string_view one) -> absl::Status {
    std::vector<std::string> codes = {std::string(one)};
    if (auto members = FindLanguageGroup(one)) codes = *std::move(members);
    for (const std::string& code : codes) {
      HEED_ASSIGN_OR_RETURN(LanguageTag tag, ParseLanguageTag(code));
      if (!absl::c_linear_search(languages, tag) && languages.size() < kMaxLanguages) {
        languages.push_back(std::move(tag));
      }
    }
    return absl::OkStatus();
  };
  if (FindLanguageGroup(text) || (IsOneLanguage(text) && ParseLanguageTag(text).ok())) {
    HEED_RETURN_IF_ERROR(add(text));
    return languages;
  }
  std::vector<absl::string_view> parts = absl::StrSplit(text, absl::ByAnyChar("+,; "), absl::SkipEmpty());
  if (parts.size() == 1) parts = absl::StrSplit(text, '_', absl::SkipEmpty());
  if (parts.empty()) parts.push_back(text);
  for (absl::string_view part : parts) HEED_RETURN_IF_ERROR(add(part));
  return languages;
}

bool IsNamedLanguage(const LanguageTag& tag) {
  UErrorCode error = U_ZERO_ERROR;
  UChar name[100];
  const int32_t length = uloc_getDisplayLanguage(tag.language.c_str(), "en", name, 100, &error);
  if (U_FAILURE(error) || error == U_USING_DEFAULT_WARNING) return false;
  return length > 0;
}

}  // namespace heed
