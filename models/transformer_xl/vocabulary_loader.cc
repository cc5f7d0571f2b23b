// SPDX-License-Identifier: Apache-2.0
#include "models/transformer_xl/vocabulary_loader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "files/tensor_values.h"
#include "models/layers/tied_tensors.h"

namespace heed {
namespace {

// Rows [first, first + count) of a matrix.
StoredTensor RowsOf(const StoredTensor& matrix, int64_t first, int64_t count) {
  const size_t row_bytes = static_cast<size_t>(matrix.shape[1]) * DTypeBytes(matrix.dtype);
  return {matrix.dtype,
          {count, matrix.shape[1]},
          matrix.data + static_cast<size_t>(first) * row_bytes,
          static_cast<size_t>(count) * row_bytes};
}

StoredTensor StoredFloats(const std::vector<float>& values, std::vector<int64_t> shape) {
  return {DType::kF32, std::move(shape), reinterpret_cast<const std::byte*>(values.data()),
          values.size() * sizeof(float)};
}

// The layer [in, out] of a projection [out, in] as it is stored.
Linear LinearOf(const StoredTensor& weight) {
  const Linear::Part part = {&weight, nullptr};
  return Linear(absl::MakeConstSpan(&part, 1), Activation::kNone, GemmBackend::kPacked);
}

// The same of its transpose.
Linear TransposedLinearOf(const StoredTensor& projection) {
  const int64_t rows = projection.shape[0], cols = projection.shape[1];
  const std::vector<float> values = ReadFloats(projection);
  std::vector<float> transposed(values.size());
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t k = 0; k < cols; ++k) {
      transposed[static_cast<size_t>(k * rows + i)] = values[static_cast<size_t>(i * cols + k)];
    }
  }
  return LinearOf(StoredFloats(transposed, {cols, rows}));
}

}  // namespace

std::string VocabularyLoader::EmbeddingName(int64_t bin) const {
  return absl::StrCat(prefix_, "word_emb.emb_layers.", FileOf(bin), ".weight");
}

std::string VocabularyLoader::OutputName(int64_t bin, const char* what) const {
  return absl::StrCat("crit.out_layers.", FileOf(bin), ".", what);
}

std::string VocabularyLoader::EmbeddingProjectionName(int64_t bin) const {
  return absl::StrCat(prefix_, "word_emb.emb_projs.", FileOf(bin));
}

absl::StatusOr<StoredTensor> VocabularyLoader::Words(int64_t bin, bool of_output) {
  const int64_t first = config_.BinStart(bin), count = config_.BinStart(bin + 1) - first;
  const bool one_table = config_.div_val == 1;
  const std::vector<int64_t> shape = {one_table ? config_.vocabulary : count, config_.BinWidth(bin)};
  const std::string embedding = EmbeddingName(bin), output = OutputName(bin, "weight");
  const StoredTensor* table = nullptr;
  if (config_.tied_embeddings && HasOutput()) {
    const char* field = "tie_word_embeddings";
    HEED_ASSIGN_OR_RETURN(table, ReadTied(root_, {{embedding.c_str(), field}, {output.c_str(), field}}, shape));
  } else {
    HEED_ASSIGN_OR_RETURN(table, root_.Get(of_output ? output : embedding, shape));
  }
  return one_table ? RowsOf(*table, first, count) : *table;
}

absl::StatusOr<const StoredTensor*> VocabularyLoader::EmbeddingProjection(int64_t bin) {
  const std::string name = EmbeddingProjectionName(bin);
  std::vector<std::string> tied;
  for (int64_t i = 0; i < config_.bins() && HasOutput(); ++i) {
    if (config_.tied_projections[static_cast<size_t>(i)] && FileOf(i) == FileOf(bin)) {
      tied.push_back(absl::StrCat("crit.out_projs.", i));
    }
  }
  std::vector<TiedName> names = {{name.c_str(), "tie_projs"}};
  for (const std::string& output : tied) names.push_back({output.c_str(), "tie_projs"});
  return ReadTied(root_, names, {config_.d_model, config_.BinWidth(bin)});
}

absl::StatusOr<const StoredTensor*> VocabularyLoader::OutputProjection(int64_t bin) {
  if (config_.tied_projections[static_cast<size_t>(bin)]) return EmbeddingProjection(bin);
  return root_.Get(absl::StrCat("crit.out_projs.", bin), {config_.d_model, config_.BinWidth(bin)});
}

absl::StatusOr<AdaptiveBin> VocabularyLoader::ReadOutputBin(int64_t bin) {
  AdaptiveBin read;
  read.first = config_.BinStart(bin);
  read.words = config_.BinStart(bin + 1) - read.first;
  HEED_ASSIGN_OR_RETURN(const StoredTensor words, Words(bin, true));
  const int64_t biases = config_.div_val == 1 ? config_.vocabulary : read.words;
  HEED_ASSIGN_OR_RETURN(const StoredTensor* bias, root_.Get(OutputName(bin, "bias"), {biases}));
  const std::vector<float> all_biases = ReadFloats(*bias);
  const auto first_bias = all_biases.begin() + (config_.div_val == 1 ? read.first : 0);
  read.bias.assign(first_bias, first_bias + read.words);
  const int64_t clusters = config_.bins() - 1;
  if (bin == 0 && clusters > 0) {
    HEED_ASSIGN_OR_RETURN(const StoredTensor* weight, root_.Get("crit.cluster_weight", {clusters, config_.d_embed}));
    HEED_ASSIGN_OR_RETURN(const std::vector<float> cluster_bias, root_.Read("crit.cluster_bias", {clusters}));
    std::vector<float> rows = ReadFloats(words);
    const std::vector<float> cluster_rows = ReadFloats(*weight);
    rows.insert(rows.end(), cluster_rows.begin(), cluster_rows.end());
    read.bias.insert(read.bias.end(), cluster_bias.begin(), cluster_bias.end());
    read.panels = PackRows(StoredFloats(rows, {read.words + clusters, config_.d_embed}));
    root_.Count(weight->size(), 0);
  } else {
    read.panels = PackRows(words);
  }
  read.bias.resize(static_cast<size_t>(read.panels.panels() * kPanelCols));
  root_.Count(words.size() + read.words, read.panels.bytes() + static_cast<int64_t>(read.bias.size() * sizeof(float)));
  read.projected = config_.has_projections();
  if (read.projected) {
    HEED_ASSIGN_OR_RETURN(const StoredTensor* projection, OutputProjection(bin));
    read.projection = TransposedLinearOf(*projection);
    // One that is tied is counted where the embeddings are read.
    const bool tied = config_.tied_projections[static_cast<size_t>(bin)];
    root_.Count(tied ? 0 : projection->size(), read.projection.resident_bytes());
  }
  return read;
}

absl::StatusOr<std::vector<AdaptiveBin>> VocabularyLoader::ReadOutput() {
  std::vector<AdaptiveBin> bins;
  for (int64_t bin = 0; bin < config_.bins(); ++bin) {
    HEED_ASSIGN_OR_RETURN(AdaptiveBin read, ReadOutputBin(bin));
    bins.push_back(std::move(read));
  }
  return bins;
}

absl::StatusOr<std::vector<AdaptiveEmbedding::Bin>> VocabularyLoader::ReadEmbeddings(
    const std::vector<AdaptiveBin>* output, std::vector<PackedPanels>& tables, std::vector<Linear>& projections) {
  const size_t count = static_cast<size_t>(config_.bins());
  tables.reserve(count);
  projections.reserve(count);
  std::vector<AdaptiveEmbedding::Bin> bins(count);
  for (size_t i = 0; i < count; ++i) {
    const int64_t bin = static_cast<int64_t>(i);
    bins[i].first = config_.BinStart(bin);
    if (output != nullptr && config_.tied_embeddings) {
      bins[i].table = &(*output)[i].panels;
    } else {
      HEED_ASSIGN_OR_RETURN(const StoredTensor words, Words(bin, false));
      tables.push_back(PackRows(words));
      bins[i].table = &tables.back();
      root_.Count(words.size(), tables.back().bytes());
    }
    if (!config_.has_projections()) continue;
    if (i == 0 || config_.div_val > 1) {
      HEED_ASSIGN_OR_RETURN(const StoredTensor* projection, EmbeddingProjection(bin));
      projections.push_back(LinearOf(*projection));
      root_.Count(projection->size(), projections.back().resident_bytes());
    }
    bins[i].projection = &projections.back();
  }
  return bins;
}

}  // namespace heed
