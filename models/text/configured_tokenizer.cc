// SPDX-License-Identifier: Apache-2.0
#include "models/text/configured_tokenizer.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "models/moses/moses_characters.h"
#include "models/moses/moses_detokenizer.h"
#include "models/moses/moses_tokenizer.h"
#include "models/text/byte_pairs.h"
#include "models/text/load_subwords.h"
#include "models/text/lower_case.h"
#include "models/text/subwords.h"
#include "models/text/vocabulary_file.h"

namespace heed {
namespace {

enum class Kind { kSentencePiece, kBytePairs, kWords };

// config.json's object.
struct Settings {
  Kind kind = Kind::kWords;
  std::string source_language, target_language;
  bool moses = false;
  MosesTokenizer::Options moses_options;
  bool lowercase = false;
  bool restricted = false;  // to pieces of the vocabulary
  std::string separator;
};

absl::StatusOr<Settings> ReadSettings(JsonFields& fields) {
  constexpr Choice<Kind> kKinds[] = {
      {"sentencepiece", Kind::kSentencePiece}, {"bpe", Kind::kBytePairs}, {"words", Kind::kWords}};
  Settings settings;
  fields.Only(
      {"kind", "source_language", "target_language", "moses", "lowercase", "restrict_to_vocabulary", "bpe_separator"});
  settings.kind = fields.OneOf("kind", kKinds, "");
  settings.source_language = fields.String("source_language", "");
  settings.target_language = fields.String("target_language", "");
  settings.lowercase = fields.Bool("lowercase", false);
  settings.restricted = fields.Bool("restrict_to_vocabulary", false);
  if (settings.restricted && settings.kind == Kind::kWords) {
    fields.Wrong("restrict_to_vocabulary", "but the kind is words, which are not cut");
  }
  settings.separator = fields.String("bpe_separator", "@@");
  if (fields.Has("bpe_separator") && settings.kind != Kind::kBytePairs) {
    fields.Wrong("bpe_separator", "but the kind is not bpe");
  }
  if (settings.separator.empty()) fields.Wrong("bpe_separator", "which is empty");
  settings.moses = fields.Has("moses");
  if (settings.moses) {
    if (!fields.Value("moses").is_object()) fields.Wrong("moses", "which is not an object");
    for (const char* name : {"source_language", "target_language"}) {
      if (!fields.Has(name)) fields.Missing(name);
      if (HasMosesRules(fields.String(name, ""))) continue;
      fields.Wrong(name, absl::StrCat("which has no rules of Moses; there are those of ", MosesLanguages()));
    }
    HEED_RETURN_IF_ERROR(fields.status());
    JsonFields moses = fields.Inner("moses");
    moses.Only({"escape", "aggressive_hyphens"});
    settings.moses_options.escape = moses.Bool("escape", true);
    settings.moses_options.aggressive_hyphens = moses.Bool("aggressive_hyphens", false);
    HEED_RETURN_IF_ERROR(moses.status());
  }
  HEED_RETURN_IF_ERROR(fields.status());
  return settings;
}

// Whether a directory has an entry of this name. A link to nothing is one: it is not the same as no file.
bool IsThere(const std::string& path) {
  std::error_code error;
  return std::filesystem::symlink_status(path, error).type() != std::filesystem::file_type::not_found;
}

// A vocabulary and the way to its tokens, of the source or of the target.
class Side {
 public:
  // `name`: "source" or "target". `special`: ids that no text becomes.
  static absl::StatusOr<Side> Load(const std::string& directory, const std::string& name, const Settings& settings,
                                   int64_t size, std::vector<int32_t> special, std::optional<int32_t> unknown) {
    Side side;
    side.settings_ = settings;
    side.special_ = std::move(special);
    side.unknown_ = unknown;
    const std::string& language = name == "source" ? settings.source_language : settings.target_language;
    if (settings.moses) {
      side.tokenizer_.emplace(language, settings.moses_options);
      side.detokenizer_.emplace(language);
    }
    HEED_RETURN_IF_ERROR(side.LoadFiles(absl::StrCat(directory, "/", name), size));
    return side;
  }

  // Appends the tokens of a text.
  void Encode(absl::string_view text, EncodedText& encoded) const {
    std::vector<std::string> spellings = WordsIn(text);
    std::vector<std::string> tokens = spellings;
    if (settings_.lowercase) {
      for (std::string& token : tokens) token = LowerCase(token);
    }
    if (settings_.kind != Kind::kWords) spellings = tokens = PiecesOf(tokens);
    for (size_t i = 0; i < tokens.size(); ++i) {
      const std::optional<int32_t> id = IdOf(tokens[i]);
      if (!id) continue;
      encoded.ids.push_back(*id);
      encoded.spellings.push_back(std::move(spellings[i]));
    }
  }

  // The text of tokens, as the vocabulary spells them.
  std::string Join(const std::vector<std::string>& tokens) const {
    const std::string text =
        settings_.kind == Kind::kSentencePiece ? JoinPieces(tokens) : absl::StrJoin(WordsOf(tokens), " ");
    if (!detokenizer_) return text;
    std::vector<std::string> words;
    for (absl::string_view word : SplitAtPythonSpace(text)) words.emplace_back(word);
    return detokenizer_->Detokenize(words);
  }

  const std::string& token(int32_t id) const { return vocabulary_.token(id); }

 private:
  absl::Status LoadFiles(const std::string& prefix, int64_t size) {
    const std::string vocabulary = absl::StrCat(prefix, "_vocab.txt");
    const bool own_ids = settings_.kind == Kind::kSentencePiece && !IsThere(vocabulary);
    if (own_ids && settings_.restricted) {
      return absl::NotFoundError(absl::StrCat(vocabulary, ": is not there, but restrict_to_vocabulary is true"));
    }
    if (!own_ids) {
      HEED_ASSIGN_OR_RETURN(vocabulary_, VocabularyFile::Load(vocabulary, size));
    }
    if (settings_.kind == Kind::kWords) return absl::OkStatus();
    const std::string path = absl::StrCat(prefix, settings_.kind == Kind::kBytePairs ? ".bpe" : ".spm");
    if (settings_.kind == Kind::kBytePairs) {
      HEED_ASSIGN_OR_RETURN(pairs_, BytePairs::Load(path));
      return CheckCoverage(path, vocabulary, [this](absl::string_view token) {
        const bool last = !absl::ConsumeSuffix(&token, settings_.separator);
        return pairs_.CanMake(token, last);
      });
    }
    HEED_ASSIGN_OR_RETURN(subwords_,
                          LoadSubwords(path, settings_.restricted ? vocabulary_.tokens() : std::vector<std::string>()));
    std::vector<std::string> pieces;
    for (int i = 0; i < subwords_->size(); ++i) pieces.push_back(subwords_->piece(i));
    if (own_ids) {
      HEED_ASSIGN_OR_RETURN(vocabulary_, VocabularyFile::OfPieces(path, std::move(pieces), size));
      return absl::OkStatus();
    }
    std::sort(pieces.begin(), pieces.end());
    return CheckCoverage(path, vocabulary, [&](absl::string_view token) {
      return std::binary_search(pieces.begin(), pieces.end(), token);
    });
  }

  // Files of another model: INVALID_ARGUMENT, if most tokens of the vocabulary file `vocabulary` are none that the file
  // `path` makes.
  absl::Status CheckCoverage(absl::string_view path, absl::string_view vocabulary,
                             absl::FunctionRef<bool(absl::string_view)> makes) const {
    int64_t tokens = 0, made = 0;
    for (size_t id = 0; id < vocabulary_.tokens().size(); ++id) {
      const std::string& token = vocabulary_.tokens()[id];
      if (token.empty() || IsSpecial(static_cast<int32_t>(id))) continue;
      ++tokens;
      made += makes(token);
    }
    if (2 * made >= tokens) return absl::OkStatus();
    return InvalidArgument(path, ": makes only ", made, " of the ", tokens, " tokens of ", vocabulary,
                           ": not this model's tokenizer");
  }

  // The words of a text; SentencePiece without Moses takes the whole text as one.
  std::vector<std::string> WordsIn(absl::string_view text) const {
    if (tokenizer_) return tokenizer_->Tokenize(text);
    if (settings_.kind == Kind::kSentencePiece) return {std::string(text)};
    std::vector<std::string> words;
    for (absl::string_view word : SplitAtPythonSpace(text)) words.emplace_back(word);
    return words;
  }

  std::vector<std::string> PiecesOf(const std::vector<std::string>& words) const {
    if (settings_.kind == Kind::kSentencePiece) return subwords_->Encode(absl::StrJoin(words, " "));
    const auto has = [this](absl::string_view piece) {
      if (!settings_.restricted) return true;
      const std::optional<int32_t> id = vocabulary_.Find(piece);
      return id && !IsSpecial(*id);
    };
    std::vector<std::string> tokens;
    for (const std::string& word : words) {
      for (std::string& piece : pairs_.SplitWithin(word, settings_.separator, has)) tokens.push_back(std::move(piece));
    }
    return tokens;
  }

  // SentencePiece would write its own sign for an unknown token, so that those go between texts of their own.
  std::string JoinPieces(const std::vector<std::string>& tokens) const {
    std::vector<std::string> parts, pieces;
    const auto end_part = [&] {
      if (std::string part = subwords_->Decode(pieces); !part.empty()) parts.push_back(std::move(part));
      pieces.clear();
    };
    for (const std::string& token : tokens) {
      if (unknown_ && token == vocabulary_.token(*unknown_)) {
        end_part();
        parts.push_back(token);
      } else {
        pieces.push_back(token);
      }
    }
    end_part();
    return absl::StrJoin(parts, " ");
  }

  std::vector<std::string> WordsOf(const std::vector<std::string>& tokens) const {
    if (settings_.kind == Kind::kWords) return tokens;
    std::vector<std::string> words;
    bool goes_on = false;  // the last word
    for (absl::string_view token : tokens) {
      const bool ends = !absl::ConsumeSuffix(&token, settings_.separator);
      if (goes_on) {
        absl::StrAppend(&words.back(), token);
      } else {
        words.emplace_back(token);
      }
      goes_on = !ends;
    }
    return words;
  }

  bool IsSpecial(int32_t id) const { return std::find(special_.begin(), special_.end(), id) != special_.end(); }

  std::optional<int32_t> IdOf(absl::string_view token) const {
    const std::optional<int32_t> id = vocabulary_.Find(token);
    return id && !IsSpecial(*id) ? id : unknown_;
  }

  Settings settings_;
  std::vector<int32_t> special_;
  std::optional<int32_t> unknown_;
  std::optional<MosesTokenizer> tokenizer_;
  std::optional<MosesDetokenizer> detokenizer_;
  VocabularyFile vocabulary_;
  std::unique_ptr<const Subwords> subwords_;  // of kSentencePiece
  BytePairs pairs_;                           // of kBytePairs
};

class ConfiguredTokenizer : public TranslationTokenizer {
 public:
  ConfiguredTokenizer(Side source, Side target, const Settings& settings, const ConfiguredTokenIds& ids)
      : source_(std::move(source)),
        target_(std::move(target)),
        ids_(ids),
        source_language_(settings.source_language),
        target_language_(settings.target_language) {
    style_.marks_blanks = settings.kind == Kind::kSentencePiece;
    if (settings.kind == Kind::kBytePairs) style_.continuation = settings.separator;
    style_.entities = settings.moses;
  }

  EncodedText EncodeSource(absl::string_view /*code*/, absl::string_view text) const override {
    EncodedText encoded;
    const auto append = [&](const std::optional<int32_t>& id) {
      if (!id) return;
      encoded.ids.push_back(*id);
      encoded.spellings.emplace_back();
    };
    append(ids_.source_start);
    source_.Encode(text, encoded);
    append(ids_.source_end);
    return encoded;
  }

  std::vector<int32_t> EncodeTargetPrefix(absl::string_view text) const override {
    EncodedText encoded;
    target_.Encode(text, encoded);
    return std::move(encoded.ids);
  }

  std::string Decode(absl::Span<const int32_t> ids, absl::Span<const std::string> spellings) const override {
    std::vector<std::string> tokens;
    for (size_t i = 0; i < ids.size(); ++i) {
      const bool spelled = !spellings.empty() && !spellings[i].empty();
      if (IsLeftOut(ids[i]) && !spelled) continue;
      const std::string& token = spelled ? spellings[i] : target_.token(ids[i]);
      if (!token.empty()) tokens.push_back(token);
    }
    return target_.Join(tokens);
  }

  const std::string& SourcePiece(int32_t id) const override { return source_.token(id); }
  const std::string& TargetPiece(int32_t id) const override { return target_.token(id); }
  const SpellingStyle& style() const override { return style_; }
  bool IsLeftOut(int32_t id) const override {
    return id == ids_.target_end || id == ids_.target_start || id == ids_.target_pad;
  }
  std::optional<int32_t> target_unknown() const override { return ids_.target_unknown; }
  const std::vector<std::string>& language_codes() const override { return language_codes_; }
  const std::string& source_language() const override { return source_language_; }
  const std::string& target_language() const override { return target_language_; }

 private:
  const Side source_, target_;
  const ConfiguredTokenIds ids_;
  SpellingStyle style_;
  const std::string source_language_, target_language_;
  const std::vector<std::string> language_codes_;  // none
};

// `special` and the other ids that are there.
std::vector<int32_t> Special(std::vector<int32_t> special, std::initializer_list<std::optional<int32_t>> others) {
  for (const std::optional<int32_t>& id : others) {
    if (id) special.push_back(*id);
  }
  return special;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const TranslationTokenizer>> LoadConfiguredTokenizer(const std::string& directory,
                                                                                    JsonFields tokenizer,
                                                                                    const ConfiguredTokenIds& ids) {
  HEED_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(tokenizer));
  std::vector<int32_t> of_source = Special(ids.source_special, {ids.source_start, ids.source_end, ids.source_unknown});
  HEED_ASSIGN_OR_RETURN(Side source, Side::Load(directory, "source", settings, ids.source_vocabulary,
                                                std::move(of_source), ids.source_unknown));
  std::vector<int32_t> of_target =
      Special(ids.target_special, {ids.target_start, ids.target_end, ids.target_unknown, ids.target_pad});
  HEED_ASSIGN_OR_RETURN(Side target, Side::Load(directory, "target", settings, ids.target_vocabulary,
                                                std::move(of_target), ids.target_unknown));
  return std::make_unique<ConfiguredTokenizer>(std::move(source), std::move(target), settings, ids);
}

}  // namespace heed
