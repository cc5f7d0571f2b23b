// SPDX-License-Identifier: Apache-2.0
#include "server/languages/language_detector.h"

#include <cld2/internal/cldutil.h>
#include <cld2/internal/generated_language.h>
#include <cld2/internal/generated_ulscript.h>
#include <cld2/internal/getonescriptspan.h>
#include <cld2/internal/lang_script.h>
#include <cld2/internal/utf8statetable.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"

// What Debian's library exports without a header of its own: the tables, and what sorts the hits in them by place.
namespace CLD2 {
extern const UTF8PropObj cld_generated_CjkUni_obj;
extern const CLD2TableSummary kCjkCompat_obj;
extern const CLD2TableSummary kCjkDeltaBi_obj;
extern const CLD2TableSummary kDistinctBiTable_obj;
extern const CLD2TableSummary kQuad_obj;
extern const CLD2TableSummary kQuad_obj2;
extern const CLD2TableSummary kDeltaOcta_obj;
extern const CLD2TableSummary kDistinctOcta_obj;
extern const short kAvgDeltaOctaScore[];  // NOLINT(google-runtime-int): its type there
void LinearizeAll(ScoringContext* context, bool is_cjk, ScoringHitBuffer* hits);
}  // namespace CLD2

namespace heed {
namespace {

constexpr int kLanguages = CLD2::NUM_LANGUAGES;
constexpr size_t kMaxScripts = 8;  // of a text; more do not count
constexpr size_t kMaxBytesOfText = 4 * kMaxDetectedCharacters;
constexpr size_t kMaxBytesOfHtml = 16 * kMaxDetectedCharacters;
constexpr int kMaxBytesOfCloseReading = 200;  // of a span: longer ones tell enough
// Measured (docs/languages.md): what a hit at every letter of a word weighs beside one where CLD2 itself looks; what a
// letter weighs that not every language has; how much likelier a point of score makes a language; by how much one that
// is not given has to be better.
constexpr float kCloseReadingWeight = 0.25F;
constexpr float kLetterWeight = 5;
constexpr size_t kMaxLetters = 6;
constexpr float kLogOddsPerPoint = 0.35F;
constexpr float kOtherLanguagesHandicap = 12;
constexpr float kScriptWeight = 2;  // of each letter, where a script has one language
constexpr float kLeastShare = 0.01F;

// A sign of Chinese or Japanese says as much as some letters.
constexpr int kLettersOfAnIdeograph = 3;
constexpr char kIdeographs[] = "Hani";

using Scores = std::array<float, kLanguages>;

const CLD2::ScoringTables kTables = {
    &CLD2::cld_generated_CjkUni_obj, &CLD2::kCjkCompat_obj,    &CLD2::kCjkDeltaBi_obj,
    &CLD2::kDistinctBiTable_obj,     &CLD2::kQuad_obj,         &CLD2::kQuad_obj2,
    &CLD2::kDeltaOcta_obj,           &CLD2::kDistinctOcta_obj, CLD2::kAvgDeltaOctaScore,
};

// Letters that tell languages of one script apart, beside those that all of them have.
struct Alphabet {
  absl::string_view language;
  absl::string_view letters;
};
constexpr Alphabet kAlphabets[] = {
    {"de", "äöüß"},
    {"fr", "àâæçéèêëîïôœùûüÿ"},
    {"es", "áéíñóúü"},
    {"pt", "áâãàçéêíóôõú"},
    {"it", "àèéìíòóùú"},
    {"nl", "éëïóö"},
    {"pl", "ąćęłńóśźż"},
    {"cs", "áčďéěíňóřšťúůýž"},
    {"sk", "áäčďéíĺľňóôŕšťúýž"},
    {"hu", "áéíóöőúüű"},
    {"ro", "ăâîșțşţ"},
    {"tr", "çğıöşüâ"},
    {"az", "əğıöüşç"},
    {"sv", "åäöé"},
    {"da", "æøåé"},
    {"no", "æøåéô"},
    {"nn", "æøåéô"},
    {"fi", "äöå"},
    {"et", "äöõüšž"},
    {"lv", "āčēģīķļņšūž"},
    {"lt", "ąčęėįšųūž"},
    {"hr", "čćđšž"},
    {"bs", "čćđšž"},
    {"sl", "čšž"},
    {"sq", "çë"},
    {"is", "áðéíóúýþæö"},
    {"ca", "àçéèíïóòúü"},
    {"gl", "áéíñóúü"},
    {"eu", "ñ"},
    {"cy", "âêîôûŵŷ"},
    {"ga", "áéíóú"},
    {"mt", "ċġħż"},
    {"eo", "ĉĝĥĵŝŭ"},
    {"vi", "àáãạảăắằẵặẳâấầẫậẩđèéẹẻẽêềếểễệìíĩỉịòóõọỏôồốổỗộơờớởỡợùúũụủưừứửữựỳýỵỷỹ"},
    {"ru", "ыэёщъ"},
    {"uk", "єіїґщ"},
    {"be", "ўіыэё"},
    {"bg", "ъщ"},
    {"sr", "ђјљњћџ"},
    {"mk", "ѓѕјљњќџ"},
    {"kk", "әғқңөұүһіыэ"},
};

// What a text has in one script.
struct ScriptEvidence {
  CLD2::ULScript script = CLD2::ULScript_Common;
  int letters = 0;  // as they weigh
  Scores scores{};
};

CLD2::Language KnownLanguage(const std::string& code) { return CLD2::GetLanguageFromName(code.c_str()); }

// The languages of CLD2's that the tag stands for; Chinese is two.
std::vector<CLD2::Language> KnownLanguages(const LanguageTag& tag) {
  static constexpr std::pair<absl::string_view, const char*> kOtherCodes[] = {
      {"he", "iw"}, {"jv", "jw"}, {"nb", "no"}, {"fil", "tl"}, {"yue", "zh-Hant"},
  };
  if (tag.language == "zh") {
    if (tag.script == "Hant") return {CLD2::CHINESE_T};
    if (tag.script == "Hans") return {CLD2::CHINESE};
    return {CLD2::CHINESE, CLD2::CHINESE_T};
  }
  for (const auto& [code, other] : kOtherCodes) {
    if (tag.language == code) return {KnownLanguage(other)};
  }
  const CLD2::Language language = KnownLanguage(tag.language);
  if (language == CLD2::UNKNOWN_LANGUAGE || language >= kLanguages) return {};
  return {language};
}

// CLD2's scripts: all of Chinese, Japanese and Korean are one.
std::string KnownScript(const LanguageTag& tag) {
  std::string script = ScriptOf(tag);
  for (const char* one : {"Hans", "Hant", "Jpan", "Kore", "Hira", "Kana", "Hang", "Bopo"}) {
    if (script == one) return kIdeographs;
  }
  return script;
}

class Evidence {
 public:
  Evidence() : hits_(std::make_unique<CLD2::ScoringHitBuffer>()) {}

  void Read(absl::string_view text, bool is_html) {
    CLD2::ScriptScanner scanner(text.data(), static_cast<int>(text.size()), /*is_plain_text=*/!is_html);
    CLD2::LangSpan span;
    size_t letters = 0;
    while (letters < kMaxDetectedCharacters && scanner.GetOneScriptSpanLower(&span)) {
      int of_span = 0;
      for (int i = 0; i < span.text_bytes; ++i) of_span += (span.text[i] & 0xC0) != 0x80 && span.text[i] != ' ';
      letters += static_cast<size_t>(of_span);
      if (of_span > 0) AddSpan(span, of_span, scanner);
    }
  }

  std::vector<std::unique_ptr<ScriptEvidence>>& scripts() { return scripts_; }

 private:
  ScriptEvidence* Of(CLD2::ULScript script) {
    for (const auto& one : scripts_) {
      if (one->script == script) return one.get();
    }
    if (scripts_.size() == kMaxScripts) return nullptr;
    scripts_.push_back(std::make_unique<ScriptEvidence>());
    scripts_.back()->script = script;
    return scripts_.back().get();
  }

  void AddSpan(const CLD2::LangSpan& span, int letters, CLD2::ScriptScanner& scanner) {
    ScriptEvidence* const evidence = Of(span.ulscript);
    if (evidence == nullptr) return;
    const CLD2::ULScriptRType type = CLD2::ULScriptRecognitionType(span.ulscript);
    evidence->letters += letters * (type == CLD2::RTypeCJK ? kLettersOfAnIdeograph : 1);
    if (type == CLD2::RTypeNone || type == CLD2::RTypeOne) {
      const CLD2::Language language = CLD2::DefaultLanguage(span.ulscript);
      if (language < kLanguages) evidence->scores[language] += kScriptWeight * static_cast<float>(letters);
      return;
    }
    CLD2::ScoringContext context;
    std::memset(&context, 0, sizeof(context));
    context.init();
    context.scoringtables = &kTables;
    context.scanner = &scanner;
    context.ulscript = span.ulscript;
    context.prior_chunk_lang = CLD2::UNKNOWN_LANGUAGE;
    const bool is_cjk = type == CLD2::RTypeCJK;
    std::vector<bool> has_hit(static_cast<size_t>(span.text_bytes) + 1);
    // The span begins with a blank.
    for (int begin = 1; begin < span.text_bytes;) {
      hits_->init();
      hits_->ulscript = span.ulscript;
      const int end = is_cjk ? CLD2::GetUniHits(span.text, begin, span.text_bytes, &context, hits_.get())
                             : CLD2::GetQuadHits(span.text, begin, span.text_bytes, &context, hits_.get());
      if (is_cjk) {
        CLD2::GetBiHits(span.text, begin, end, &context, hits_.get());
      } else {
        CLD2::GetOctaHits(span.text, begin, end, &context, hits_.get());
      }
      for (int i = 0; i < hits_->next_base; ++i) has_hit[static_cast<size_t>(hits_->base[i].offset)] = true;
      AddHits(context, is_cjk, 1, evidence->scores);
      if (end <= begin) break;
      begin = end;
    }
    if (is_cjk || span.text_bytes > kMaxBytesOfCloseReading) return;
    for (int i = 1; i < span.text_bytes; ++i) {
      if ((span.text[i] & 0xC0) == 0x80 || span.text[i] == ' ' || has_hit[static_cast<size_t>(i)]) continue;
      hits_->init();
      hits_->ulscript = span.ulscript;
      CLD2::GetQuadHits(span.text, i, i + 1, &context, hits_.get());
      if (hits_->next_base > 0) AddHits(context, is_cjk, kCloseReadingWeight, evidence->scores);
    }
    AddLetters(absl::string_view(span.text, static_cast<size_t>(span.text_bytes)), evidence->scores);
  }

  // Adds what the hits say of each language. The first of them is the script's default language, which no text has
  // said.
  void AddHits(CLD2::ScoringContext& context, bool is_cjk, float weight, Scores& scores) {
    CLD2::LinearizeAll(&context, is_cjk, hits_.get());
    for (int i = 1; i < hits_->next_linear; ++i) {
      const CLD2::uint32 packed = hits_->linear[i].langprob;
      const CLD2::uint8* const points = CLD2::LgProb2TblEntry(static_cast<int>(packed & 0xFF));
      for (int k = 0; k < 3; ++k) {
        const auto number = static_cast<CLD2::uint8>(packed >> (8 * (k + 1)));
        if (number == 0) continue;
        const CLD2::Language language = CLD2::FromPerScriptNumber(context.ulscript, number);
        if (language < kLanguages) scores[language] += weight * static_cast<float>(CLD2::LgProb3(points, k));
      }
    }
  }

  // Each letter once.
  static void AddLetters(absl::string_view text, Scores& scores) {
    std::vector<absl::string_view> seen;
    for (size_t i = 0; i < text.size() && seen.size() < kMaxLetters;) {
      size_t end = i + 1;
      while (end < text.size() && (text[end] & 0xC0) == 0x80) ++end;
      const absl::string_view letter = text.substr(i, end - i);
      i = end;
      if (letter.size() < 2 || std::find(seen.begin(), seen.end(), letter) != seen.end()) continue;
      bool tells = false;
      for (const Alphabet& alphabet : kAlphabets) {
        if (!absl::StrContains(alphabet.letters, letter)) continue;
        tells = true;
        scores[KnownLanguage(std::string(alphabet.language))] += kLetterWeight;
      }
      if (tells) seen.push_back(letter);
    }
  }

  const std::unique_ptr<CLD2::ScoringHitBuffer> hits_;
  std::vector<std::unique_ptr<ScriptEvidence>> scripts_;
};

// A given language, or several that are the same to CLD2.
struct Candidate {
  const LanguageTag* tag = nullptr;
  std::vector<CLD2::Language> known;
  std::string script;
  float score = 0;
};

std::vector<Candidate> Candidates(absl::Span<const LanguageTag> languages) {
  std::vector<Candidate> candidates;
  for (const LanguageTag& tag : languages) {
    Candidate candidate{&tag, KnownLanguages(tag), KnownScript(tag)};
    const auto is_same = [&](const Candidate& other) {
      return !candidate.known.empty() && other.known == candidate.known && other.script == candidate.script;
    };
    const auto same = std::find_if(candidates.begin(), candidates.end(), is_same);
    if (same == candidates.end()) {
      candidates.push_back(std::move(candidate));
    } else if (MatchLanguages(*same->tag, tag) == LanguageMatch::kBroader) {
      same->tag = &tag;
    }
  }
  return candidates;
}

// The first `size` bytes at most, in whole characters.
absl::string_view Beginning(absl::string_view text, size_t size) {
  if (text.size() <= size) return text;
  while (size > 0 && (text[size] & 0xC0) == 0x80) --size;
  return text.substr(0, size);
}

}  // namespace

std::vector<LanguageGuess> DetectLanguage(absl::string_view text, absl::Span<const LanguageTag> languages,
                                          bool is_html) {
  std::vector<Candidate> all = Candidates(languages);
  if (all.empty()) return {};
  Evidence evidence;
  evidence.Read(Beginning(text, is_html ? kMaxBytesOfHtml : kMaxBytesOfText), is_html);
  // The script with the most letters in which one of the languages is written: the others' words are foreign.
  std::stable_sort(evidence.scripts().begin(), evidence.scripts().end(),
                   [](const auto& a, const auto& b) { return a->letters > b->letters; });
  std::vector<Candidate> candidates;
  const Scores* scores = nullptr;
  for (const auto& script : evidence.scripts()) {
    scores = &script->scores;
    for (Candidate& one : all) {
      one.score = 0;
      for (const CLD2::Language language : one.known) one.score = std::max(one.score, (*scores)[language]);
      const bool is_its_script = one.script.empty() || one.script == CLD2::ULScriptCode(script->script);
      if (is_its_script || one.score > 0) candidates.push_back(one);
    }
    if (!candidates.empty()) break;
  }
  if (candidates.empty()) return {};

  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
  const float best = candidates[0].score;
  if (best <= 0) {
    const auto english = std::find_if(candidates.begin(), candidates.end(),
                                      [](const Candidate& one) { return one.tag->language == "en"; });
    // A script that one language alone is written in tells enough.
    const float confidence = candidates.size() == 1 && all.size() > 1 ? 1.0F : 0.0F;
    return {{*(english == candidates.end() ? candidates[0] : *english).tag, confidence}};
  }
  Scores others = *scores;
  for (const Candidate& one : all) {
    for (const CLD2::Language language : one.known) others[language] = 0;
  }
  const float other = *std::max_element(others.begin(), others.end()) - kOtherLanguagesHandicap;
  const auto likelihood = [best](float score) { return std::exp(kLogOddsPerPoint * (score - best)); };
  float sum = likelihood(other);
  for (const Candidate& one : candidates) sum += likelihood(one.score);
  std::vector<LanguageGuess> guesses;
  for (const Candidate& one : candidates) {
    const float share = likelihood(one.score);
    if (share >= kLeastShare) guesses.push_back({*one.tag, share / sum});
  }
  return guesses;
}

}  // namespace heed
