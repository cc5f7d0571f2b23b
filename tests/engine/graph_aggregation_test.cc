// SPDX-License-Identifier: Apache-2.0
#include "engine/graph/graph_aggregation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "engine/graph/node_projections.h"
#include "tests/support/naive.h"

namespace heed {
namespace {

constexpr auto kGat = GraphConvolution::kGat;
constexpr auto kGatv2 = GraphConvolution::kGatv2;
constexpr auto kGcn = GraphConvolution::kGcn;

struct Shape {
  GraphConvolution kind;
  int64_t heads, channels;
  bool concat, residual, add_self_loops;
  int64_t edge_width;
};

std::string Name(const Shape& shape) {
  const char* kinds[] = {"gat", "gatv2", "gcn"};
  return std::string(kinds[static_cast<int>(shape.kind)]) + "_" + std::to_string(shape.heads) + "x" +
         std::to_string(shape.channels) + (shape.concat ? "" : "_mean") + (shape.residual ? "_residual" : "") +
         (shape.add_self_loops ? "" : "_no_loops") + (shape.edge_width > 0 ? "_edges" : "");
}

// Targets of every size about which the pass makes a difference: none, whole vectors and not, whole chunks and not, a
// hub; with edges that occur twice and, where `loops`, loops.
class RandomPass {
 public:
  RandomPass(const Shape& shape, bool loops, uint32_t seed) {
    const std::vector<int64_t> degrees = {0, 1, 2, 3, 7, 8, 9, 31, 1023, 1024, 1025, 2048, 2049, 10000, 5, 0};
    constexpr int64_t kNodes = 300;
    const std::vector<float> draws = naive::RandomFloats(20000, seed);
    offsets_.push_back(0);
    size_t draw = 0;
    for (size_t i = 0; i < degrees.size(); ++i) {
      for (int64_t e = 0; e < degrees[i]; ++e) {
        int32_t source = static_cast<int32_t>((draws[draw++] + 1) / 2 * (kNodes - 1));
        if (source == static_cast<int32_t>(i)) source = kNodes - 1;
        if (loops && e % 5 == 2) source = static_cast<int32_t>(i);
        sources_.push_back(source);
      }
      offsets_.push_back(static_cast<int64_t>(sources_.size()));
    }
    pass.layout = {shape.kind, shape.heads, shape.channels, shape.residual, shape.concat};
    table_ = naive::RandomMatrix(kNodes, pass.layout.width(), seed + 1);
    // What the padding of heads holds is zero by contract.
    for (int64_t i = 0; i < kNodes; ++i) {
      for (int64_t h = 0; h < shape.heads; ++h) {
        for (int64_t c = shape.channels; c < pass.layout.head_stride(); ++c) {
          table_.row(i)[h * pass.layout.head_stride() + c] = 0;
          if (shape.kind == GraphConvolution::kGatv2) {
            table_.row(i)[pass.layout.own_column() + h * pass.layout.head_stride() + c] = 0;
          }
        }
      }
    }
    edge_features_ = naive::RandomFloats(static_cast<int64_t>(sources_.size()) * shape.edge_width, seed + 2);
    const int64_t map_width =
        shape.kind == GraphConvolution::kGat ? pass.layout.score_stride() : pass.layout.values_width();
    edge_map_ = naive::RandomFloats(shape.edge_width * map_width, seed + 3);
    attention_ = naive::RandomFloats(pass.layout.values_width(), seed + 4);
    for (int64_t c = 0; c < pass.layout.values_width(); ++c) {
      if (c % pass.layout.head_stride() >= shape.channels) attention_[static_cast<size_t>(c)] = 0;
    }
    norm_ = naive::RandomFloats(kNodes, seed + 5);
    loop_weight_ = naive::RandomFloats(kNodes, seed + 6);
    if (!shape.add_self_loops) std::fill(loop_weight_.begin(), loop_weight_.end(), 0.0f);
    bias_ = naive::RandomFloats(pass.layout.out(), seed + 7);
    out_ = Matrix(static_cast<int64_t>(degrees.size()), pass.layout.out());
    edge_coefficients_.resize(sources_.size() * static_cast<size_t>(shape.heads));
    loop_coefficients_.resize(degrees.size() * static_cast<size_t>(shape.heads));

    pass.add_self_loops = shape.add_self_loops;
    pass.offsets = offsets_.data();
    pass.sources = sources_.data();
    pass.has_loops = loops;
    pass.edge_features = edge_features_.data();
    pass.edge_width = shape.edge_width;
    pass.UseTable(table_.view());
    pass.edge_map = edge_map_.data();
    pass.attention = attention_.data();
    pass.norm = norm_.data();
    pass.loop_weight = loop_weight_.data();
    pass.edge_weights = shape.kind == GraphConvolution::kGcn && shape.edge_width > 0;
    pass.bias = bias_.data();
    pass.out = out_.view();
    pass.edge_coefficients = edge_coefficients_.data();
    pass.loop_coefficients = loop_coefficients_.data();
  }

  std::vector<float> Run(int team_size) {
    Context context(team_size);
    // In two ranges, as a large graph is computed.
    const AggregationRange ranges[] = {{&pass, 0, 5}, {&pass, 5, pass.out.rows}};
    std::vector<int> seen(static_cast<size_t>(pass.out.rows));
    Aggregate(ranges, context, [&](int64_t range, float* row) {
      const int64_t i = (row - pass.out.data) / pass.out.stride;
      EXPECT_EQ(range, i < 5 ? 0 : 1);
      ++seen[static_cast<size_t>(i)];
    });
    EXPECT_EQ(seen, std::vector<int>(seen.size(), 1));
    std::vector<float> result;
    for (int64_t i = 0; i < pass.out.rows; ++i) {
      result.insert(result.end(), pass.out.row(i), pass.out.row(i) + pass.out.cols);
    }
    return result;
  }

  // The weights of target i's edges and of its added loop for head h, as the papers write them.
  std::vector<double> Weights(int64_t i, int64_t h) const {
    const ProjectionLayout& layout = pass.layout;
    const auto leaky = [&](double x) { return x > 0 ? x : x * static_cast<double>(pass.negative_slope); };
    const bool gcn = layout.kind == GraphConvolution::kGcn;
    const int64_t first = offsets_[static_cast<size_t>(i)], last = offsets_[static_cast<size_t>(i) + 1];
    std::vector<double> mean(static_cast<size_t>(pass.edge_width));
    double others = 0;
    for (int64_t e = first; e < last; ++e) others += sources_[static_cast<size_t>(e)] != i;
    for (int64_t e = first; e < last; ++e) {
      if (sources_[static_cast<size_t>(e)] == i) continue;
      for (size_t k = 0; k < mean.size(); ++k)
        mean[k] += static_cast<double>(pass.edge_features[e * pass.edge_width + static_cast<int64_t>(k)]) / others;
    }
    std::vector<double> weights;
    for (int64_t e = first; e <= last; ++e) {
      const bool loop = e == last;
      if (loop && !pass.add_self_loops) break;
      const int64_t j = loop ? i : sources_[static_cast<size_t>(e)];
      const bool left_out = !loop && pass.add_self_loops && j == i;
      const auto feature = [&](int64_t k) {
        return loop ? mean[static_cast<size_t>(k)] : static_cast<double>(pass.edge_features[e * pass.edge_width + k]);
      };
      double logit = 0;
      if (gcn) {
        const double weight = loop ? static_cast<double>(pass.loop_weight[i]) : pass.edge_weights ? feature(0) : 1.0;
        weights.push_back(left_out ? 0
                                   : static_cast<double>(pass.norm[i]) * weight * static_cast<double>(pass.norm[j]));
        continue;
      }
      if (layout.kind == GraphConvolution::kGat) {
        logit = static_cast<double>(table_.row(j)[layout.values_width() + h]) +
                static_cast<double>(table_.row(i)[layout.own_column() + h]);
        for (int64_t k = 0; k < pass.edge_width; ++k) {
          logit += feature(k) * static_cast<double>(pass.edge_map[k * layout.score_stride() + h]);
        }
        logit = leaky(logit);
      } else {
        for (int64_t c = h * layout.head_stride(); c < h * layout.head_stride() + layout.channels; ++c) {
          double x =
              static_cast<double>(table_.row(j)[c]) + static_cast<double>(table_.row(i)[layout.own_column() + c]);
          for (int64_t k = 0; k < pass.edge_width; ++k) {
            x += feature(k) * static_cast<double>(pass.edge_map[k * layout.values_width() + c]);
          }
          logit += leaky(x) * static_cast<double>(pass.attention[c]);
        }
      }
      weights.push_back(left_out ? 0 : std::exp(logit));
    }
    if (gcn) return weights;
    double sum = 0;
    for (const double weight : weights) sum += weight;
    for (double& weight : weights) weight /= sum == 0 ? 1 : sum;
    return weights;
  }

  double Expected(int64_t i, int64_t column) const {
    const ProjectionLayout& layout = pass.layout;
    const int64_t first = offsets_[static_cast<size_t>(i)];
    double value = static_cast<double>(bias_[static_cast<size_t>(column)]);
    if (layout.residual)
      value += static_cast<double>(table_.row(i)[layout.own_column() + layout.residual_column() + column]);
    for (int64_t h = 0; h < layout.heads; ++h) {
      if (layout.concat && column / layout.channels != h) continue;
      const std::vector<double> weights = Weights(i, h);
      const int64_t from = h * layout.head_stride() + column % layout.channels;
      const int64_t edges = offsets_[static_cast<size_t>(i) + 1] - first;
      for (size_t e = 0; e < weights.size(); ++e) {
        const int64_t j = static_cast<int64_t>(e) == edges ? i : sources_[static_cast<size_t>(first) + e];
        value += weights[e] * static_cast<double>(table_.row(j)[from]) /
                 (layout.concat ? 1.0 : static_cast<double>(layout.heads));
      }
    }
    return value;
  }

  // A node's projections, all parts.
  float* row(int64_t node) { return table_.row(node); }
  Matrix& table() { return table_; }
  float bias(int64_t column) const { return bias_[static_cast<size_t>(column)]; }

  GraphAggregation pass;

 private:
  std::vector<int64_t> offsets_;
  std::vector<int32_t> sources_;
  Matrix table_, out_;
  std::vector<float> edge_features_, edge_map_, attention_, norm_, loop_weight_, bias_;
  std::vector<float> edge_coefficients_, loop_coefficients_;
};

class GraphAggregationTest : public testing::TestWithParam<Shape> {};

TEST_P(GraphAggregationTest, IsWhatThePapersSay) {
  for (const bool loops : {false, true}) {
    RandomPass random(GetParam(), loops, 7);
    const std::vector<float> result = random.Run(2);
    const GraphAggregation& pass = random.pass;
    for (int64_t i = 0; i < pass.out.rows; ++i) {
      const int64_t first = pass.offsets[i], degree = pass.offsets[i + 1] - first;
      // Weights of a softmax sum to 1; GCN's here are products of numbers up to 1.
      const bool gcn = pass.layout.kind == GraphConvolution::kGcn;
      const double tolerance = naive::SumTolerance(64 + (gcn ? degree : 0), gcn ? 1.0 : 16.0) + 1e-5;
      for (int64_t c = 0; c < pass.out.cols; c += std::max<int64_t>(1, pass.out.cols / 3)) {
        ASSERT_NEAR(static_cast<double>(result[static_cast<size_t>(i * pass.out.cols + c)]), random.Expected(i, c),
                    tolerance)
            << "target " << i << " of degree " << degree << ", column " << c << ", loops " << loops;
      }
      for (int64_t h = 0; h < pass.layout.heads; h += std::max<int64_t>(1, pass.layout.heads - 1)) {
        const std::vector<double> weights = random.Weights(i, h);
        for (int64_t e = 0; e < degree; ++e) {
          ASSERT_NEAR(static_cast<double>(pass.edge_coefficients[(first + e) * pass.layout.heads + h]),
                      weights[static_cast<size_t>(e)], 1e-5);
        }
        if (pass.add_self_loops) {
          ASSERT_NEAR(static_cast<double>(pass.loop_coefficients[i * pass.layout.heads + h]), weights.back(), 1e-5);
        }
      }
    }
  }
}

TEST_P(GraphAggregationTest, HasTheSameBitsForEveryTeam) {
  RandomPass random(GetParam(), true, 11);
  const std::vector<float> alone = random.Run(1);
  for (const int team_size : {2, 3, 5}) EXPECT_EQ(random.Run(team_size), alone);
}

TEST_P(GraphAggregationTest, HasTheSameBitsForATargetAlone) {
  RandomPass random(GetParam(), true, 12);
  const std::vector<float> together = random.Run(1);
  Context context(1);
  for (int64_t i = 0; i < random.pass.out.rows; ++i) {
    const AggregationRange range = {&random.pass, i, i + 1};
    Aggregate(absl::MakeConstSpan(&range, 1), context, [](int64_t, float*) {});
    const float* alone = random.pass.out.row(i);
    EXPECT_TRUE(std::equal(alone, alone + random.pass.out.cols, together.begin() + i * random.pass.out.cols)) << i;
  }
}

TEST_P(GraphAggregationTest, HasTheSameBitsFromTablesOfItsOwn) {
  RandomPass random(GetParam(), true, 13);
  const std::vector<float> expected = random.Run(2);
  Context context(2);
  const int64_t nodes = random.table().rows();
  NodeProjections projections(random.pass.layout, nodes, random.pass.out.rows);
  for (const auto& [first, last] : {std::pair<int64_t, int64_t>{0, 7}, {7, 100}, {100, nodes}}) {
    projections.Put(first, ConstMatrixView(random.table().view()).Rows(first, last - first), context.team);
  }
  projections.UseIn(random.pass);
  EXPECT_EQ(random.Run(2), expected);
}

// The rows of large tables are fetched ahead, those of small ones not.
TEST_P(GraphAggregationTest, HasTheSameBitsFromLargeTables) {
  RandomPass random(GetParam(), true, 15);
  const std::vector<float> expected = random.Run(1);
  const int64_t apart = 1 + (int64_t{1} << 20) / (random.table().rows() * random.pass.layout.values_width());
  const auto moved = [&](int64_t node) { return node < random.pass.out.rows ? node : node * apart; };
  Matrix table(random.table().rows() * apart, random.table().cols());
  std::vector<float> norm(static_cast<size_t>(table.rows())), loop_weight(norm.size());
  std::vector<int32_t> sources;
  for (int64_t i = 0; i < random.table().rows(); ++i) {
    std::copy_n(random.row(i), table.cols(), table.row(moved(i)));
    norm[static_cast<size_t>(moved(i))] = random.pass.norm[i];
    loop_weight[static_cast<size_t>(moved(i))] = random.pass.loop_weight[i];
  }
  for (int64_t e = 0; e < random.pass.offsets[random.pass.out.rows]; ++e) {
    sources.push_back(static_cast<int32_t>(moved(random.pass.sources[e])));
  }
  random.pass.UseTable(table.view());
  random.pass.sources = sources.data();
  random.pass.norm = norm.data();
  random.pass.loop_weight = loop_weight.data();
  EXPECT_EQ(random.Run(2), expected);
  const std::vector<int64_t> none(static_cast<size_t>(random.pass.out.rows) + 1);
  random.pass.offsets = none.data();
  random.Run(1);
}

// Where all edges weigh the same, the softmax rounds nothing, and the sums can be told to the bit: edges in their
// order, the added loop last, in chunks of kChunkEdges.
TEST_P(GraphAggregationTest, IsSummedInTheOrderOfTheEdges) {
  const Shape& shape = GetParam();
  for (const bool loops : {false, true}) {
    RandomPass random(shape, loops, 14);
    GraphAggregation& pass = random.pass;
    const ProjectionLayout& layout = pass.layout;
    const std::vector<float> zeros(static_cast<size_t>(layout.values_width() * (pass.edge_width + 1)), 0.0f);
    pass.attention = pass.edge_map = zeros.data();
    const std::vector<float> ones(static_cast<size_t>(random.table().rows()), 1.0f);
    pass.norm = ones.data();
    if (shape.add_self_loops) pass.loop_weight = ones.data();
    pass.edge_weights = false;
    for (int64_t n = 0; n < random.table().rows() && shape.kind == kGat; ++n) {
      std::fill_n(random.row(n) + layout.values_width(), layout.score_stride(), 0.0f);
      std::fill_n(random.row(n) + layout.own_column(), layout.score_stride(), 0.0f);
    }
    const std::vector<float> result = random.Run(2);
    for (int64_t i = 0; i < pass.out.rows && layout.concat; ++i) {
      for (int64_t c = 0; c < pass.out.cols; ++c) {
        const int64_t column = c / layout.channels * layout.head_stride() + c % layout.channels;
        float sum = 0, chunk = 0, count = 0;
        for (int64_t e = pass.offsets[i]; e < pass.offsets[i + 1]; ++e) {
          if (e > pass.offsets[i] && (e - pass.offsets[i]) % kChunkEdges == 0) {
            sum += chunk;
            chunk = 0;
          }
          if (pass.sources[e] == i && pass.add_self_loops) continue;
          chunk += random.row(pass.sources[e])[column];
          count += 1;
        }
        if (pass.add_self_loops) {
          chunk += random.row(i)[column];
          count += 1;
        }
        float expected = sum + chunk;
        if (shape.kind != kGcn) expected *= 1.0f / (count + kSoftmaxEpsilon);
        if (layout.residual) expected += random.row(i)[layout.own_column() + layout.residual_column() + c];
        expected += random.bias(c);
        ASSERT_EQ(result[static_cast<size_t>(i * pass.out.cols + c)], expected)
            << "target " << i << ", column " << c << ", loops " << loops;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, GraphAggregationTest,
    testing::Values(Shape{kGat, 8, 8, true, false, true, 0}, Shape{kGat, 1, 7, false, false, true, 0},
                    Shape{kGat, 2, 5, true, true, true, 3}, Shape{kGat, 3, 16, false, true, false, 0},
                    Shape{kGat, 4, 64, true, false, true, 0}, Shape{kGat, 9, 3, true, false, true, 2},
                    Shape{kGat, 16, 4, true, false, false, 1}, Shape{kGat, 1, 130, true, true, true, 0},
                    Shape{kGatv2, 8, 8, true, false, true, 0}, Shape{kGatv2, 3, 5, false, true, true, 2},
                    Shape{kGatv2, 1, 24, true, false, false, 0}, Shape{kGcn, 1, 16, true, false, true, 0},
                    Shape{kGcn, 1, 7, true, true, true, 1}, Shape{kGcn, 1, 64, true, false, false, 0}),
    [](const auto& row) { return Name(row.param); });

TEST(GraphAggregationTest, ALogitFarBelowAllOthersStillHasTheWholeWeightIfItIsAlone) {
  for (const int64_t heads : {1, 8}) {
    RandomPass random({kGat, heads, 8, true, false, true, 0}, false, 3);
    float* own = random.row(0);  // of a target without edges
    std::fill_n(own + random.pass.layout.values_width(), random.pass.layout.score_stride(), -1e36f);
    random.Run(1);
    EXPECT_EQ(random.pass.loop_coefficients[0], 1.0f) << heads;
    EXPECT_FLOAT_EQ(random.pass.out.row(0)[0], own[0] + random.pass.bias[0]) << heads;
  }
}

// An overflow on the way must not end as a plausible number.
TEST(GraphAggregationTest, WhatIsNotANumberStaysSo) {
  for (const int64_t heads : {1, 8}) {
    RandomPass random({kGat, heads, 8, true, false, true, 0}, false, 3);
    const int64_t source = random.pass.sources[random.pass.offsets[3]];
    random.row(source)[random.pass.layout.values_width()] = std::numeric_limits<float>::quiet_NaN();
    random.Run(1);
    EXPECT_TRUE(std::isnan(random.pass.out.row(3)[0])) << heads;
  }
}

}  // namespace
}  // namespace heed
