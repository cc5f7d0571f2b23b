// SPDX-License-Identifier: Apache-2.0
#include "models/text/marian_tokenizer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/json_fields.h"
#include "base/status_macros.h"
#include "models/text/load_subwords.h"

namespace heed {
namespace {

constexpr absl::string_view kUnknown = "<unk>";
constexpr absl::string_view kSpecialPieces[] = {"</s>", "<unk>", "<pad>", "<s>"};

bool IsLanguageCode(absl::string_view piece) {
  return piece.size() > 4 && absl::StartsWith(piece, ">>") && absl::EndsWith(piece, "<<");
}

// A language, a group of them or a list; "cat+oci" of ["cat", "oci"].
std::string ReadLanguages(absl::string_view field, JsonFields& settings) {
  const nlohmann::json& value = settings.Value(field);
  const auto is_string = [](const nlohmann::json& one) { return one.is_string(); };
  if (!value.is_array() || !std::all_of(value.begin(), value.end(), is_string)) return settings.String(field, "");
  return absl::StrJoin(value.get<std::vector<std::string>>(), "+");
}

struct LoadedVocabulary {
  absl::flat_hash_map<std::string, int32_t> ids;
  std::vector<std::string> pieces;
};

// {"piece": id, ...}: ids below `size`, each at most once, <unk> and </s> among the pieces.
absl::StatusOr<LoadedVocabulary> LoadVocabulary(const std::string& path, int32_t size, int32_t eos) {
  HEED_ASSIGN_OR_RETURN(JsonFields fields, JsonFields::Read(path));
  LoadedVocabulary vocabulary;
  vocabulary.pieces.resize(static_cast<size_t>(size));
  for (const auto& [piece, id] : fields.object().items()) {
    const auto wrong = [&path, &p = piece](const auto&... what) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": piece '", p, "' ", what...));
    };
    if (!id.is_number_unsigned()) return wrong("has an id that is not a whole number");
    const uint64_t value = id.get<uint64_t>();
    if (value >= static_cast<uint64_t>(size)) {
      return wrong("has id ", value, ", but config.json's vocabulary has ", size, " ids");
    }
    std::string& known = vocabulary.pieces[value];
    if (!known.empty()) return wrong("and piece '", known, "' both have id ", value);
    known = piece;
    vocabulary.ids[piece] = static_cast<int32_t>(value);
  }
  if (!vocabulary.ids.contains(std::string(kUnknown))) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": has no piece '", kUnknown, "'"));
  }
  if (vocabulary.pieces[static_cast<size_t>(eos)].empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": no piece has id ", eos, ", config.json's eos_token_id"));
  }
  return vocabulary;
}

// Gives the tokens their ids. Each must be free, or the token's already.
absl::Status AddTokens(const AddedTokens& added, const std::string& path, LoadedVocabulary& vocabulary) {
  for (const auto& [content, token] : added.tokens()) {
    const auto wrong = [&, &text = content, id = token.id](const auto&... what) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": the added token '", text, "' has id ", id, ", but ", what...));
    };
    if (token.id >= static_cast<int64_t>(vocabulary.pieces.size())) {
      return wrong("config.json's vocabulary has ", vocabulary.pieces.size(), " ids");
    }
    const auto known = vocabulary.ids.find(content);
    if (known != vocabulary.ids.end() && known->second != token.id) return wrong("as a piece it has ", known->second);
    std::string& piece = vocabulary.pieces[static_cast<size_t>(token.id)];
    if (!piece.empty() && piece != content) return wrong("so has piece '", piece, "'");
    piece = content;
    vocabulary.ids[content] = static_cast<int32_t>(token.id);
  }
  return absl::OkStatus();
}

absl::Status CheckCoverage(const std::string& path, const Subwords& subwords,
                           const absl::flat_hash_map<std::string, int32_t>& ids, absl::string_view vocabulary) {
  int known = 0;
  for (int i = 0; i < subwords.size(); ++i) known += ids.contains(subwords.piece(i));
  if (known * 2 >= subwords.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path, ": only ", known, " of its ", subwords.size(), " pieces are in ",
                                                 vocabulary, ": not this model's tokenizer"));
}

}  // namespace

absl::StatusOr<MarianTokenizer> MarianTokenizer::Load(const std::string& directory, const TokenIds& ids) {
  MarianTokenizer codec;
  bool separate = false;
  absl::StatusOr<JsonFields> settings = JsonFields::Read(absl::StrCat(directory, "/tokenizer_config.json"));
  if (settings.ok()) {
    separate = settings->Bool("separate_vocabs", false);
    codec.source_language_ = ReadLanguages("source_lang", *settings);
    codec.target_language_ = ReadLanguages("target_lang", *settings);
    codec.clean_up_spaces_ = settings->Bool("clean_up_tokenization_spaces", false);
    HEED_RETURN_IF_ERROR(settings->status());
  } else if (!absl::IsNotFound(settings.status())) {
    return settings.status();
  }
  const std::string source_spm = absl::StrCat(directory, "/source.spm");
  const std::string target_spm = absl::StrCat(directory, "/target.spm");
  HEED_ASSIGN_OR_RETURN(codec.source_, LoadSubwords(source_spm));
  HEED_ASSIGN_OR_RETURN(codec.target_, LoadSubwords(target_spm));
  HEED_ASSIGN_OR_RETURN(LoadedVocabulary source,
                        LoadVocabulary(absl::StrCat(directory, "/vocab.json"), ids.source_vocabulary, ids.eos));
  const char* target_file = separate ? "target_vocab.json" : "vocab.json";
  HEED_ASSIGN_OR_RETURN(LoadedVocabulary target,
                        LoadVocabulary(absl::StrCat(directory, "/", target_file), ids.target_vocabulary, ids.eos));
  HEED_RETURN_IF_ERROR(CheckCoverage(source_spm, *codec.source_, source.ids, "vocab.json"));
  HEED_RETURN_IF_ERROR(CheckCoverage(target_spm, *codec.target_, target.ids, target_file));
  HEED_ASSIGN_OR_RETURN(
      codec.added_, AddedTokens::Read(directory, {std::begin(kSpecialPieces), std::end(kSpecialPieces)}, source.ids));
  HEED_RETURN_IF_ERROR(AddTokens(codec.added_, absl::StrCat(directory, "/vocab.json"), source));
  HEED_RETURN_IF_ERROR(AddTokens(codec.added_, absl::StrCat(directory, "/", target_file), target));
  for (const std::string& piece : source.pieces) {
    if (IsLanguageCode(piece)) codec.language_codes_.push_back(piece);
  }
  std::sort(codec.language_codes_.begin(), codec.language_codes_.end());
  codec.eos_ = ids.eos;
  codec.pad_ = ids.pad;
  codec.source_unknown_ = source.ids[kUnknown];
  codec.target_unknown_ = target.ids[kUnknown];
  for (absl::string_view special : kSpecialPieces) {
    source.ids.erase(special);  // such a piece of a text is that text, not the token
    target.ids.erase(special);
  }
  // The tokens themselves stay where they are when the codec moves.
  for (const auto& [content, token] : codec.added_.tokens())
    codec.added_by_id_[static_cast<int32_t>(token.id)] = &token;
  codec.source_ids_ = std::move(source.ids);
  codec.target_ids_ = std::move(target.ids);
  codec.source_pieces_ = std::move(source.pieces);
  codec.target_pieces_ = std::move(target.pieces);
  return codec;
}

void MarianTokenizer::AppendPieces(const Subwords& subwords, const Vocabulary& vocabulary, int32_t unknown,
                                   absl::string_view text, EncodedText& encoded) const {
  for (const AddedTokens::Part& part : added_.Split(text)) {
    if (part.token != nullptr) {
      encoded.ids.push_back(static_cast<int32_t>(part.token->id));
      encoded.spellings.push_back(SourcePiece(encoded.ids.back()));  // of both sides
      continue;
    }
    for (std::string& piece : subwords.Encode(part.text)) {
      const auto found = vocabulary.find(piece);
      encoded.ids.push_back(found == vocabulary.end() ? unknown : found->second);
      encoded.spellings.push_back(std::move(piece));
    }
  }
}

EncodedText MarianTokenizer::EncodeSource(absl::string_view code, absl::string_view text) const {
  EncodedText encoded;
  if (!code.empty()) {
    encoded.ids.push_back(source_ids_.find(code)->second);
    encoded.spellings.emplace_back();
  }
  AppendPieces(*source_, source_ids_, source_unknown_, text, encoded);
  encoded.ids.push_back(eos_);
  encoded.spellings.emplace_back();
  return encoded;
}

std::vector<int32_t> MarianTokenizer::EncodeTargetPrefix(absl::string_view text) const {
  EncodedText encoded;
  AppendPieces(*target_, target_ids_, target_unknown_, text, encoded);
  return std::move(encoded.ids);
}

const AddedToken* MarianTokenizer::AddedTarget(int32_t id) const {
  const auto added = added_by_id_.find(id);
  return added == added_by_id_.end() ? nullptr : added->second;
}

bool MarianTokenizer::IsLeftOut(int32_t id) const {
  if (id == eos_ || id == pad_ || id == target_unknown_) return true;
  const AddedToken* const added = AddedTarget(id);
  return added != nullptr && added->special;
}

std::string MarianTokenizer::Decode(absl::Span<const int32_t> ids, absl::Span<const std::string> spellings) const {
  std::vector<std::string> parts, pieces;  // added tokens, and the text between them
  const auto end_part = [&] {
    // OPUS-MT's vocab.json has pieces that target.spm does not have: it is the union of both sides.
    if (std::string part = target_->Decode(pieces); !part.empty()) parts.push_back(std::move(part));
    pieces.clear();
  };
  for (size_t i = 0; i < ids.size(); ++i) {
    const int32_t id = ids[i];
    if (!spellings.empty() && !spellings[i].empty()) {
      pieces.push_back(spellings[i]);
      continue;
    }
    if (IsLeftOut(id)) continue;
    const std::string& piece = target_pieces_[static_cast<size_t>(id)];
    if (AddedTarget(id) == nullptr) {
      pieces.push_back(piece);
    } else {
      end_part();
      parts.push_back(piece);
    }
  }
  end_part();
  std::string text = absl::StrJoin(parts, " ");
  if (clean_up_spaces_) {
    text = absl::StrReplaceAll(text, {{" .", "."},
                                      {" ?", "?"},
                                      {" !", "!"},
                                      {" ,", ","},
                                      {" ' ", "'"},
                                      {" n't", "n't"},
                                      {" 'm", "'m"},
                                      {" 's", "'s"},
                                      {" 've", "'ve"},
                                      {" 're", "'re"}});
  }
  return text;
}

}  // namespace heed
