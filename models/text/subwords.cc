// SPDX-License-Identifier: Apache-2.0
#include "models/text/subwords.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <exception>
#include <fstream>
#include <sstream>
#include <string_view>

#include "models/text/normalization_rules.h"

namespace heed {
namespace {

constexpr std::string_view kSpaceMark = "\xe2\x96\x81";  // U+2581, which a piece has in place of a blank

}  // namespace

Subwords::Subwords() : processor_(std::make_unique<sentencepiece::SentencePieceProcessor>()) {}
Subwords::~Subwords() = default;

std::unique_ptr<const Subwords> Subwords::Load(const std::string& path, std::string& error,
                                               const std::vector<std::string>& vocabulary) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    error = "cannot be read";
    return nullptr;
  }
  std::ostringstream bytes;
  bytes << file.rdbuf();
  const std::string model = bytes.str();
  error = DamageOfRules(model);
  if (!error.empty()) return nullptr;
  std::unique_ptr<Subwords> subwords(new Subwords);
  try {
    const sentencepiece::util::Status status = subwords->processor_->LoadFromSerializedProto(model);
    if (!status.ok()) error = status.message();
  } catch (const std::exception& exception) {  // of its trie, as for a piece that begins with a zero byte
    error = exception.what();
  }
  if (!error.empty()) {
    error = "not a SentencePiece model: " + error;
    return nullptr;
  }
  if (subwords->size() == 0) {
    error = "has no pieces";
    return nullptr;
  }
  if (!vocabulary.empty()) {
    const sentencepiece::util::Status status =
        subwords->processor_->SetVocabulary({vocabulary.begin(), vocabulary.end()});
    if (!status.ok()) {
      error = "cannot be restricted to a vocabulary: " + std::string(status.message());
      return nullptr;
    }
  }
  return subwords;
}

std::vector<std::string> Subwords::Encode(const std::string& text) const { return processor_->EncodeAsPieces(text); }

std::vector<SubwordPiece> Subwords::EncodeWithPlaces(const std::string& text) const {
  const sentencepiece::ImmutableSentencePieceText encoded = processor_->EncodeAsImmutableProto(text);
  std::vector<SubwordPiece> pieces;
  pieces.reserve(encoded.pieces_size());
  for (const auto& piece : encoded.pieces()) {
    const size_t end = std::min<size_t>(piece.end(), text.size());
    pieces.push_back({piece.piece(), static_cast<int>(piece.id()), std::min<size_t>(piece.begin(), end), end});
  }
  // Of one character that normalization made several of, the library gives all to the last piece.
  for (size_t i = pieces.size(); i-- > 1;) {
    SubwordPiece& piece = pieces[i - 1];
    const bool shares = piece.begin == piece.end && piece.begin == pieces[i].begin && piece.piece != kSpaceMark;
    if (shares) piece.end = pieces[i].end;
  }
  return pieces;
}

std::string Subwords::Decode(const std::vector<std::string>& pieces) const {
  const std::string decoded = processor_->DecodePieces(pieces);
  std::string text;  // with blanks for the marks that the library leaves in pieces that the model does not have
  for (size_t at = 0; at < decoded.size();) {
    const size_t mark = std::min(decoded.find(kSpaceMark, at), decoded.size());
    text.append(decoded, at, mark - at);
    if (mark < decoded.size()) text += ' ';
    at = mark + kSpaceMark.size();
  }
  constexpr char kSpace[] = " \t\n\v\f\r";
  const size_t end = text.find_last_not_of(kSpace);
  if (end == text.npos) return "";
  text.resize(end + 1);
  return text.substr(text.find_first_not_of(kSpace));
}

int Subwords::size() const { return processor_->GetPieceSize(); }

const std::string& Subwords::piece(int i) const { return processor_->IdToPiece(i); }

int Subwords::Find(const std::string& piece) const { return processor_->PieceToId(piece); }
int Subwords::unknown() const { return processor_->unk_id(); }
bool Subwords::IsControl(int i) const { return processor_->IsControl(i); }

}  // namespace heed
