// SPDX-License-Identifier: Apache-2.0
#include "models/language_text/xlnet_tokenizer.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/check.h"
#include "base/code_points.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "models/language_text/clean_up_spaces.h"
#include "models/language_text/special_tokens.h"
#include "models/moses/moses_characters.h"
#include "models/text/added_tokens.h"
#include "models/text/load_subwords.h"
#include "models/text/subwords.h"
#include "models/text/vocabulary_file.h"

namespace heed {
namespace {

constexpr absl::string_view kSpaceMark = "\xe2\x96\x81";  // U+2581, which a piece has in place of a blank

// What tokenizer_config.json says.
struct XlnetSettings {
  bool remove_space = true;
  bool keep_accents = false;
  bool lower_case = false;
  bool clean_up = false;
  SpecialToken begin, end, unknown, separator, pad, classification, mask;
  std::vector<SpecialToken> tokens;  // these and others, all that a text may contain
};

absl::StatusOr<XlnetSettings> ReadXlnetSettings(const std::string& directory) {
  HEED_ASSIGN_OR_RETURN(TokenizerFiles files, TokenizerFiles::Read(directory, "XLNetTokenizer"));
  JsonFields& fields = files.fields();
  XlnetSettings settings;
  settings.remove_space = fields.Bool("remove_space", true);
  settings.keep_accents = fields.Bool("keep_accents", false);
  settings.lower_case = fields.Bool("do_lower_case", false);
  settings.clean_up = fields.Bool("clean_up_tokenization_spaces", false);
  if (fields.Has("sp_model_kwargs") && !fields.Value("sp_model_kwargs").empty()) {
    fields.Wrong("sp_model_kwargs", "but only {} is served");
  }
  settings.begin = files.Token("bos_token", {"<s>", true, true});
  settings.end = files.Token("eos_token", {"</s>", true, true});
  settings.unknown = files.Token("unk_token", {"<unk>", true, true});
  settings.separator = files.Token("sep_token", {"<sep>", true, true});
  settings.pad = files.Token("pad_token", {"<pad>", true, true});
  settings.classification = files.Token("cls_token", {"<cls>", true, true});
  settings.mask = files.Token("mask_token", {"<mask>", true, false});
  settings.tokens = files.Additional({{"<eop>", true, true}, {"<eod>", true, true}});
  for (const SpecialToken* token : {&settings.begin, &settings.end, &settings.unknown, &settings.separator,
                                    &settings.pad, &settings.classification, &settings.mask}) {
    settings.tokens.push_back(*token);
  }
  HEED_RETURN_IF_ERROR(fields.status());
  return settings;
}

// White space becomes single blanks, and there is none at the ends.
void RemoveSpace(AlignedText& text) {
  text.Strip();
  AlignedText result;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool space = IsPythonSpace(static_cast<UChar32>(text[i]));
    if (space && result[result.size() - 1] == U' ') continue;
    result.Append(space ? U' ' : text[i], text.origin(i));
  }
  text = std::move(result);
}

// Normalization form KD without combining characters: those that are left have no order of their own to be brought to.
void RemoveAccents(AlignedText& text) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = icu::Normalizer2::getNFKDInstance(error);
  HEED_CHECK(U_SUCCESS(error));
  AlignedText result;
  const auto append = [&](UChar32 c, TextOrigin origin) {
    if (u_getCombiningClass(c) == 0) result.Append(static_cast<char32_t>(c), origin);
  };
  icu::UnicodeString decomposition;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<UChar32>(text[i]);
    if (c < 0x80 || !normalizer->getDecomposition(c, decomposition)) {
      append(c, text.origin(i));
      continue;
    }
    for (int32_t unit = 0; unit < decomposition.length(); unit = decomposition.moveIndex32(unit, 1)) {
      append(decomposition.char32At(unit), text.origin(i));
    }
  }
  text = std::move(result);
}

// As Python's str.isdigit().
bool IsPythonDigit(UChar32 c) {
  const int32_t type = u_getIntPropertyValue(c, UCHAR_NUMERIC_TYPE);
  return type == U_NT_DECIMAL || type == U_NT_DIGIT;
}

// A text for SentencePiece, and for each of its bytes the character that the byte is of.
class PieceSource {
 public:
  explicit PieceSource(const AlignedText& text) : text_(text) {
    for (size_t i = 0; i < text.size(); ++i) {
      AppendUtf8(text[i], utf8_);
      characters_.resize(utf8_.size(), i);
    }
  }

  const std::string& utf8() const { return utf8_; }

  // Where bytes came from; of no bytes, the place where they would be.
  TextOrigin OriginOf(size_t begin, size_t end) const {
    if (begin < end) return text_.OriginOf(characters_[begin], characters_[end - 1] + 1);
    if (characters_.empty()) return {};
    const int32_t at =
        begin < characters_.size() ? text_.origin(characters_[begin]).begin : text_.origin(text_.size() - 1).end;
    return {at, at};
  }

 private:
  const AlignedText& text_;
  std::string utf8_;
  std::vector<size_t> characters_;
};

class SentencePieceTokenizer : public XlnetTokenizer {
 public:
  static absl::StatusOr<std::unique_ptr<const XlnetTokenizer>> Load(const std::string& directory, int64_t vocabulary);

  absl::StatusOr<std::vector<TextToken>> Encode(absl::string_view text, const TokenizeOptions& options) const override;
  std::string Decode(absl::Span<const int32_t> ids) const override;

  const std::string& Piece(int32_t id) const override { return vocabulary_.token(id); }
  std::optional<int32_t> Find(absl::string_view piece) const override { return vocabulary_.Find(piece); }
  int64_t size() const override { return static_cast<int64_t>(vocabulary_.tokens().size()); }
  std::optional<int32_t> end_of_text() const override { return end_of_text_; }
  std::optional<int32_t> unknown() const override { return subwords_->unknown(); }
  bool end_is_of_line() const override { return false; }
  const std::vector<int32_t>& special() const override { return special_; }
  const XlnetTokens& tokens() const override { return tokens_; }

 private:
  // Appends tokens that fine-tuning added behind the pieces of the model.
  absl::Status ReadAdded(const std::string& directory, std::vector<std::string>& pieces);
  absl::Status FindTokens(const std::string& path);
  // Appends the tokens of a part of `text`.
  void AppendPart(absl::string_view text, AlignedText part, std::vector<TextToken>& tokens) const;
  // Appends a piece "12," as "12" and ",".
  void AppendNumberAndComma(absl::string_view text, const PieceSource& source, const SubwordPiece& piece,
                            std::vector<TextToken>& tokens) const;
  void Append(absl::string_view text, TextOrigin origin, int32_t id, std::vector<TextToken>& tokens) const;

  XlnetSettings settings_;
  std::unique_ptr<const Subwords> subwords_;
  VocabularyFile vocabulary_;
  std::vector<SpecialToken> added_;  // that are not special: they are found in any text
  int32_t first_added_ = 0;          // the ids from here on are added tokens
  XlnetTokens tokens_;
  std::optional<int32_t> end_of_text_;
  std::vector<int32_t> special_;
  std::vector<int32_t> hidden_;  // by Decode; ascending
};

absl::StatusOr<std::unique_ptr<const XlnetTokenizer>> SentencePieceTokenizer::Load(const std::string& directory,
                                                                                   int64_t vocabulary) {
  auto tokenizer = std::make_unique<SentencePieceTokenizer>();
  const std::string path = directory + "/spiece.model";
  HEED_ASSIGN_OR_RETURN(tokenizer->settings_, ReadXlnetSettings(directory));
  HEED_ASSIGN_OR_RETURN(tokenizer->subwords_, LoadSubwords(path));
  std::vector<std::string> pieces;
  for (int i = 0; i < tokenizer->subwords_->size(); ++i) pieces.push_back(tokenizer->subwords_->piece(i));
  HEED_RETURN_IF_ERROR(tokenizer->ReadAdded(directory, pieces));
  HEED_ASSIGN_OR_RETURN(tokenizer->vocabulary_, VocabularyFile::OfPieces(path, std::move(pieces), vocabulary));
  HEED_RETURN_IF_ERROR(tokenizer->FindTokens(path));
  return tokenizer;
}

absl::Status SentencePieceTokenizer::ReadAdded(const std::string& directory, std::vector<std::string>& pieces) {
  HEED_ASSIGN_OR_RETURN(const AddedTokens added, AddedTokens::Read(directory, {}, {}));
  std::map<int64_t, const AddedToken*> by_id;
  for (const auto& [content, token] : added.tokens()) by_id[token.id] = &token;
  first_added_ = static_cast<int32_t>(pieces.size());
  for (const auto& [id, token] : by_id) {
    const auto next = static_cast<int64_t>(pieces.size());
    if (id < first_added_) {
      if (pieces[static_cast<size_t>(id)] == token->content) continue;
      return InvalidArgument(directory, ": added token ", Quoted(token->content), " has id ", id,
                             ", but spiece.model's piece ", id, " is ", Quoted(pieces[static_cast<size_t>(id)]));
    }
    if (id != next) {
      return InvalidArgument(directory, ": added token ", Quoted(token->content), " has id ", id, ", but ", next,
                             " is the first free one");
    }
    pieces.push_back(token->content);
    const SpecialToken found{token->content, token->lstrip, token->rstrip};
    settings_.tokens.push_back(found);
    if (!token->special) added_.push_back(found);
  }
  return absl::OkStatus();
}

absl::Status SentencePieceTokenizer::FindTokens(const std::string& path) {
  const auto find = [&](const SpecialToken& token) { return vocabulary_.Find(token.content); };
  const std::optional<int32_t> separator = find(settings_.separator), classification = find(settings_.classification);
  if (!separator) return InvalidArgument(path, ": has no piece ", Quoted(settings_.separator.content));
  if (!classification) return InvalidArgument(path, ": has no piece ", Quoted(settings_.classification.content));
  tokens_.separator = *separator;
  tokens_.classification = *classification;
  tokens_.mask = find(settings_.mask);
  tokens_.pad = find(settings_.pad);
  tokens_.end_of_paragraph = vocabulary_.Find("<eop>");
  tokens_.end_of_document = vocabulary_.Find("<eod>");
  end_of_text_ = find(settings_.end);
  for (const SpecialToken* token :
       {&settings_.begin, &settings_.separator, &settings_.pad, &settings_.classification, &settings_.mask}) {
    const std::optional<int32_t> id = find(*token);
    if (id && id != end_of_text_ && id != unknown()) special_.push_back(*id);
  }
  const auto is_text = [this](const SpecialToken& token) {
    return std::any_of(added_.begin(), added_.end(),
                       [&](const SpecialToken& added) { return added.content == token.content; });
  };
  for (const SpecialToken& token : settings_.tokens) {
    const std::optional<int32_t> id = find(token);
    if (id && id != unknown() && !is_text(token)) hidden_.push_back(*id);
  }
  for (std::vector<int32_t>* ids : {&special_, &hidden_}) {
    std::sort(ids->begin(), ids->end());
    ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<TextToken>> SentencePieceTokenizer::Encode(absl::string_view text,
                                                                      const TokenizeOptions& options) const {
  if (options.rules != TokenizerRules::kOwn) {
    return InvalidField("tokenization", options.rules == TokenizerRules::kMoses ? "MOSES" : "WHITESPACE",
                        ", but this model's tokens are pieces of SentencePiece");
  }
  if (options.append_line_end) return InvalidField("append_line_end", "true, but this model has no token of line ends");
  if (text.size() > INT32_MAX) return InvalidArgument("the text has ", text.size(), " bytes, the limit is ", INT32_MAX);
  const std::vector<SpecialToken>& cut_out = options.special_tokens ? settings_.tokens : added_;
  std::vector<TextToken> tokens;
  AlignedText aligned(text);
  if (settings_.lower_case) LowerCaseBetween(cut_out, aligned);
  for (TextPart& part : SplitAtSpecialTokens(aligned, cut_out)) {
    if (part.token == nullptr) {
      AppendPart(text, std::move(part.text), tokens);
      continue;
    }
    const int32_t id = vocabulary_.Find(part.token->content).value_or(subwords_->unknown());
    Append(text, part.text.OriginOf(0, part.text.size()), id, tokens);
  }
  return tokens;
}

void SentencePieceTokenizer::Append(absl::string_view text, TextOrigin origin, int32_t id,
                                    std::vector<TextToken>& tokens) const {
  const TextOrigin place = WithoutSpaces(text, origin);
  tokens.push_back({id, place.begin, place.end, id == subwords_->unknown()});
}

void SentencePieceTokenizer::AppendPart(absl::string_view text, AlignedText part,
                                        std::vector<TextToken>& tokens) const {
  if (settings_.remove_space) RemoveSpace(part);
  part.Replace(U"``", U"\"");
  part.Replace(U"''", U"\"");
  if (!settings_.keep_accents) RemoveAccents(part);
  if (settings_.lower_case) part.LowerCase();
  const PieceSource source(part);
  for (const SubwordPiece& piece : subwords_->EncodeWithPlaces(source.utf8())) {
    int32_t before_comma = static_cast<int32_t>(piece.piece.size()) - 1;
    const bool number =
        before_comma > 0 && piece.piece.back() == ',' && IsPythonDigit(CodePointBefore(piece.piece, before_comma));
    if (number) {
      AppendNumberAndComma(text, source, piece, tokens);
    } else {
      Append(text, source.OriginOf(piece.begin, piece.end), piece.id, tokens);
    }
  }
}

void SentencePieceTokenizer::AppendNumberAndComma(absl::string_view text, const PieceSource& source,
                                                  const SubwordPiece& piece, std::vector<TextToken>& tokens) const {
  const auto id_of = [this](const std::string& name) {
    const int id = subwords_->Find(name);
    return subwords_->IsControl(id) ? subwords_->unknown() : id;
  };
  const bool within_word = !absl::StartsWith(piece.piece, kSpaceMark);
  const std::string number =
      absl::StrReplaceAll(absl::string_view(piece.piece).substr(0, piece.piece.size() - 1), {{kSpaceMark, ""}});
  // Where the number stands in the source: as it is there, or else somewhere in all of the piece.
  const absl::string_view surface = absl::string_view(source.utf8()).substr(piece.begin, piece.end - piece.begin);
  const size_t found = surface.rfind(absl::StrCat(number, ","));
  const bool as_it_is = found != surface.npos;
  const size_t begin = piece.begin + found;
  bool first = true;
  for (SubwordPiece& part : subwords_->EncodeWithPlaces(number)) {
    absl::string_view name = part.piece;
    if (first && within_word) absl::ConsumePrefix(&name, kSpaceMark);
    first = false;
    if (name.empty()) continue;
    const TextOrigin origin =
        as_it_is ? source.OriginOf(begin + part.begin, begin + part.end) : source.OriginOf(piece.begin, piece.end);
    Append(text, origin, id_of(std::string(name)), tokens);
  }
  const size_t comma = begin + number.size();
  Append(text, as_it_is ? source.OriginOf(comma, comma + 1) : source.OriginOf(piece.begin, piece.end), id_of(","),
         tokens);
}

std::string SentencePieceTokenizer::Decode(absl::Span<const int32_t> ids) const {
  std::string text, pieces;
  const auto end_pieces = [&] {
    AlignedText part(absl::StrReplaceAll(pieces, {{kSpaceMark, " "}}));
    part.Strip();
    text += part.Utf8();
    pieces.clear();
  };
  for (const int32_t id : ids) {
    if (std::binary_search(hidden_.begin(), hidden_.end(), id)) continue;
    if (id >= first_added_) {  // is not SentencePiece's, and no blanks are beside it, as in transformers
      end_pieces();
      text += vocabulary_.token(id);
    } else {
      pieces += vocabulary_.token(id);
    }
  }
  end_pieces();
  return settings_.clean_up ? CleanUpSpaces(text) : text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const XlnetTokenizer>> LoadXlnetTokenizer(const std::string& directory,
                                                                         int64_t vocabulary) {
  return SentencePieceTokenizer::Load(directory, vocabulary);
}

}  // namespace heed
