// SPDX-License-Identifier: Apache-2.0
#include "models/text/subwords.h"

#include <sentencepiece_processor.h>

#include <exception>
#include <fstream>
#include <sstream>

#include "models/text/normalization_rules.h"

namespace heed {

Subwords::Subwords() : processor_(std::make_unique<sentencepiece::SentencePieceProcessor>()) {}
Subwords::~Subwords() = default;

std::unique_ptr<const Subwords> Subwords::Load(const std::string& path, std::string& error) {
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
  return subwords;
}

std::vector<std::string> Subwords::Encode(const std::string& text) const { return processor_->EncodeAsPieces(text); }

std::string Subwords::Decode(const std::vector<std::string>& pieces) const { return processor_->DecodePieces(pieces); }

int Subwords::size() const { return processor_->GetPieceSize(); }

const std::string& Subwords::piece(int i) const { return processor_->IdToPiece(i); }

}  // namespace heed
