// SPDX-License-Identifier: Apache-2.0
// Recurrent layers against the equations of torch.nn.GRU and torch.nn.LSTM, one sequence and one number at a time.
#include "models/layers/recurrent_layers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "files/checkpoint.h"
#include "files/safetensors_writer.h"
#include "tests/support/naive.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using Row = std::vector<double>;

class RecurrentLayersTest : public testing::Test {
 protected:
  // Layers with random weights, which stay in values_ by name.
  RecurrentLayers Make(const RecurrentLayersConfig& config) {
    config_ = config;
    values_.clear();
    const int64_t gates = (config.cell == CellKind::kGru ? 3 : 4) * config.hidden_size;
    std::vector<TensorToWrite> tensors;
    uint32_t seed = 0;
    for (int64_t k = 0; k < config.layers; ++k) {
      for (int64_t direction = 0; direction < config.directions(); ++direction) {
        const std::string suffix = absl::StrCat("_l", k, direction == 0 ? "" : "_reverse");
        const int64_t inputs = k == 0 ? config.inputs : config.width();
        for (const auto& [name, shape] : {std::pair<std::string, std::vector<int64_t>>{"weight_ih", {gates, inputs}},
                                          {"weight_hh", {gates, config.hidden_size}},
                                          {"bias_ih", {gates}},
                                          {"bias_hh", {gates}}}) {
          const int64_t size = shape.size() == 1 ? shape[0] : shape[0] * shape[1];
          std::vector<float>& values = values_[name + suffix] = naive::RandomFloats(size, ++seed);
          tensors.push_back({name + suffix, DType::kF32, shape, {BytesOf(values)}});
        }
      }
    }
    EXPECT_TRUE(WriteSafetensors(directory_.File("model.safetensors"), tensors, {}).ok());
    checkpoint_.emplace(*Checkpoint::Open(directory_.path().string()));
    auto layers = RecurrentLayers::Load(WeightReader(*checkpoint_), config);
    EXPECT_TRUE(layers.ok()) << layers.status();
    return *std::move(layers);
  }

  double Gate(const std::string& side, const std::string& suffix, int64_t row, const Row& x) const {
    double sum = values_.at("bias_" + side + suffix)[static_cast<size_t>(row)];
    for (size_t i = 0; i < x.size(); ++i) {
      sum += values_.at("weight_" + side + suffix)[static_cast<size_t>(row) * x.size() + i] * x[i];
    }
    return sum;
  }
  // One step of one layer and direction.
  void Step(const std::string& suffix, const Row& x, Row& h, Row& c) const {
    const Row before = h;
    const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
    for (int64_t i = 0; i < config_.hidden_size; ++i) {
      const auto share = [&](const char* side, int64_t gate) {
        return Gate(side, suffix, gate * config_.hidden_size + i, side[0] == 'i' ? x : before);
      };
      const auto sum = [&](int64_t gate) { return share("ih", gate) + share("hh", gate); };
      double& state = h[static_cast<size_t>(i)];
      if (config_.cell == CellKind::kGru) {
        const double reset = sigmoid(sum(0)), update = sigmoid(sum(1));
        state = (1 - update) * std::tanh(share("ih", 2) + reset * share("hh", 2)) + update * state;
      } else {
        double& cell = c[static_cast<size_t>(i)];
        cell = sigmoid(sum(1)) * cell + sigmoid(sum(0)) * std::tanh(sum(2));
        state = sigmoid(sum(3)) * std::tanh(cell);
      }
    }
  }
  // The top layer's outputs of one sequence, and its final states in torch's order.
  std::vector<Row> Expected(std::vector<Row> rows, Row& final_hidden, Row& final_cell) const {
    for (int64_t k = 0; k < config_.layers; ++k) {
      std::vector<Row> above(rows.size());
      for (int64_t direction = 0; direction < config_.directions(); ++direction) {
        Row h(static_cast<size_t>(config_.hidden_size)), c = h;
        for (size_t t = 0; t < rows.size(); ++t) {
          const size_t at = direction == 0 ? t : rows.size() - 1 - t;
          Step(absl::StrCat("_l", k, direction == 0 ? "" : "_reverse"), rows[at], h, c);
          above[at].insert(above[at].end(), h.begin(), h.end());
        }
        final_hidden.insert(final_hidden.end(), h.begin(), h.end());
        final_cell.insert(final_cell.end(), c.begin(), c.end());
      }
      rows = std::move(above);
    }
    return rows;
  }

  RecurrentLayersConfig config_;
  std::map<std::string, std::vector<float>> values_;
  TemporaryDirectory directory_;
  std::optional<Checkpoint> checkpoint_;
  Context context_{2};
};

constexpr double kRecurrentTolerance = 2e-5;

TEST_F(RecurrentLayersTest, AgreesWithTheEquationsForSequencesOfDifferentLengths) {
  const std::vector<PackedSequence> sequences = {{0, 3}, {3, 1}, {4, 8}, {12, 3}};
  for (const CellKind cell : {CellKind::kGru, CellKind::kLstm}) {
    for (const bool bidirectional : {false, true}) {
      for (const int64_t depth : {1, 2, 3}) {
        const RecurrentLayers layers = Make({cell, 5, 7, depth, bidirectional});
        const Matrix x = naive::RandomMatrix(15, 5, 99);
        Matrix outputs(15, config_.width()), hidden(4, config_.final_width()), cells(4, config_.final_width());
        layers.Apply(x.view(), sequences, outputs.view(), hidden.view(), cells.view(), context_);
        for (size_t s = 0; s < sequences.size(); ++s) {
          const PackedSequence& sequence = sequences[s];
          std::vector<Row> rows;
          for (int64_t t = 0; t < sequence.length; ++t) {
            const float* row = x.row(sequence.first + t);
            rows.emplace_back(row, row + 5);
          }
          Row final_hidden, final_cell;
          const std::vector<Row> expected = Expected(rows, final_hidden, final_cell);
          for (int64_t t = 0; t < sequence.length; ++t) {
            for (int64_t i = 0; i < config_.width(); ++i) {
              ASSERT_NEAR(outputs.row(sequence.first + t)[i], expected[static_cast<size_t>(t)][static_cast<size_t>(i)],
                          kRecurrentTolerance);
            }
          }
          for (int64_t i = 0; i < config_.final_width(); ++i) {
            const auto at = static_cast<size_t>(i);
            ASSERT_NEAR(hidden.row(static_cast<int64_t>(s))[i], final_hidden[at], kRecurrentTolerance);
            const double expected_cell = cell == CellKind::kLstm ? final_cell[at] : 0;  // a GRU's is not touched
            ASSERT_NEAR(cells.row(static_cast<int64_t>(s))[i], expected_cell, kRecurrentTolerance);
          }
        }
      }
    }
  }
}

TEST_F(RecurrentLayersTest, ASequenceHasTheSameBitsAloneAndAmongOthers) {
  const std::vector<PackedSequence> sequences = {{0, 2}, {2, 9}, {11, 9}, {20, 1}, {21, 5}};
  const RecurrentLayers layers = Make({CellKind::kLstm, 5, 33, 2, true});
  const Matrix x = naive::RandomMatrix(26, 5, 7);
  Matrix outputs(26, config_.width()), hidden(5, config_.final_width()), cells(5, config_.final_width());
  layers.Apply(x.view(), sequences, outputs.view(), hidden.view(), cells.view(), context_);
  for (size_t s = 0; s < sequences.size(); ++s) {
    const PackedSequence whole = {0, sequences[s].length};
    Matrix alone(whole.length, config_.width()), last(1, config_.final_width()), last_cell(1, config_.final_width());
    layers.Apply(x.view().Rows(sequences[s].first, whole.length), {&whole, 1}, alone.view(), last.view(),
                 last_cell.view(), context_);
    for (int64_t t = 0; t < whole.length; ++t) {
      EXPECT_TRUE(std::equal(alone.row(t), alone.row(t) + alone.cols(), outputs.row(sequences[s].first + t))) << s;
    }
    const auto row = static_cast<int64_t>(s);
    EXPECT_TRUE(std::equal(last.row(0), last.row(0) + last.cols(), hidden.row(row))) << s;
    EXPECT_TRUE(std::equal(last_cell.row(0), last_cell.row(0) + last_cell.cols(), cells.row(row))) << s;
  }
}

}  // namespace
}  // namespace heed
