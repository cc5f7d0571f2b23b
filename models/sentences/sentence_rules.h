// SPDX-License-Identifier: Apache-2.0
// What is known about a language's sentences: abbreviations, ordinals, the words with which sentences begin. Data for
// models/sentences/sentences.h and models/sentences/sentence_pieces.h, which hold the rules.
#pragma once

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace heed {

// When a full stop behind a word belongs to that word and does not end the sentence.
enum class Abbreviation : uint8_t {
  kNone,           // it is a word, or not known
  kNeverEnds,      // "Mr.", "z. B.": always
  kBeforeStarter,  // "U.S.", "Inc.", "Mio.": unless a word follows with which sentences begin ("The")
  kBeforeCapital,  // "etc.", "p.m.": unless a capital or a digit follows
  kOfNumber,       // "No.", "Abb.", "стр.": only before a number
};

// The rules of one language or of several together. Immutable, thread-safe.
//
// All words are given in lower case, without the full stop at their end.
class SentenceRules {
 public:
  // `language` is a code as models have it: "en", "deu", "pt_BR", "en_de" for several, "ROMANCE" for a family. Empty
  // and "mul" mean all languages that are known here. A code that is not known here gets what all languages share.
  static SentenceRules For(absl::string_view language);

  // The source language that the last parts of a model's name tell ("opus-mt-en-de": "en"), or nothing.
  static std::string SourceLanguageOfName(absl::string_view model);

  // `capitalized`: the word begins with a capital where it is found.
  Abbreviation Find(absl::string_view word, bool capitalized) const;
  // Sentences often begin with the word, and names hardly ever do.
  bool IsStarter(absl::string_view word) const { return Has(word, kStarter); }
  bool IsConjunction(absl::string_view word) const { return Has(word, kConjunction); }
  // A verb that tells who speaks, as in `"Is it hot?" asked the boy.`
  bool IsSpeechVerb(absl::string_view word) const { return Has(word, kSpeechVerb); }
  // A name that ends with "!" or "?".
  bool IsMarkedName(absl::string_view word) const { return Has(word, kMarkedName); }
  // A number with a full stop is an ordinal behind such a word.
  bool PrecedesOrdinal(absl::string_view word) const { return Has(word, kPrecedesOrdinal); }
  // The word goes on with the number or the time before it: "3. Oktober", "5 p.m. Monday".
  bool FollowsNumber(absl::string_view word) const { return Has(word, kFollowsNumber); }

  bool has_words() const { return has_words_; }  // there is a table of the language
  bool ordinals_have_stop() const {
    return ordinals_ != kNo;
  }                                                         // some language of these writes ordinals with a full stop
  bool only_ordinals() const { return ordinals_ == kAll; }  // all of them do
  bool semicolon_asks() const { return semicolon_asks_; }   // Greek's question mark

 private:
  enum WordUse : uint8_t {
    kStarter = 1,
    kConjunction = 2,
    kSpeechVerb = 4,
    kMarkedName = 8,
    kPrecedesOrdinal = 16,
    kFollowsNumber = 32
  };
  enum Ordinals : uint8_t { kNo, kSome, kAll };
  struct Entry {
    Abbreviation small = Abbreviation::kNone;    // where it begins with a small letter
    Abbreviation capital = Abbreviation::kNone;  // where it begins with a capital: "Gen."
    uint8_t uses = 0;                            // WordUse
  };
  struct Language;
  static const Language kLanguages[];

  bool Has(absl::string_view word, WordUse use) const;
  void Add(const Language& language);
  void AddAbbreviations(absl::string_view words, Abbreviation abbreviation);
  void AddUse(absl::string_view words, WordUse use);

  absl::flat_hash_map<std::string, Entry> words_;
  bool has_words_ = false;
  bool semicolon_asks_ = false;
  Ordinals ordinals_ = kNo;
};

}  // namespace heed
