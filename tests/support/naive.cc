// SPDX-License-Identifier: Apache-2.0
#include "tests/support/naive.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "files/float16.h"

namespace heed::naive {

std::vector<double> Linear(ConstMatrixView x, const std::vector<float>& weight, const std::vector<float>& bias) {
  std::vector<double> y;
  for (int64_t m = 0; m < x.rows; ++m) {
    for (size_t n = 0; n < bias.size(); ++n) {
      double sum = 0;
      for (int64_t k = 0; k < x.cols; ++k) {
        sum += static_cast<double>(x.row(m)[k]) * weight[n * static_cast<size_t>(x.cols) + static_cast<size_t>(k)];
      }
      y.push_back(sum + bias[n]);
    }
  }
  return y;
}

double Activate(Activation activation, double x) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kGelu:
      return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
    case Activation::kSwish:
      return x / (1 + std::exp(-x));
    case Activation::kElu:
      return x > 0 ? x : std::expm1(x);
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
  }
  return x;
}

std::vector<double> LayerNorm(const std::vector<float>& x, const std::vector<float>& scale,
                              const std::vector<float>& shift, double epsilon) {
  double mean = 0, variance = 0;
  for (float value : x) mean += value / static_cast<double>(x.size());
  for (float value : x) variance += (value - mean) * (value - mean) / static_cast<double>(x.size());
  std::vector<double> y;
  for (size_t i = 0; i < x.size(); ++i)
    y.push_back((x[i] - mean) / std::sqrt(variance + epsilon) * scale[i] + shift[i]);
  return y;
}

std::vector<double> Softmax(const std::vector<double>& logits) {
  const double max = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  std::vector<double> p;
  for (double logit : logits) sum += p.emplace_back(std::exp(logit - max));
  for (double& value : p) value /= sum;
  return p;
}

double SumTolerance(int64_t terms, double magnitude) {
  return 0.5 * 1.1920929e-7 * static_cast<double>(terms + 2) * static_cast<double>(terms) * magnitude / 2 + 1e-7;
}

std::vector<float> RandomFloats(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(random() >> 8) * 0x1p-23f - 1.0f);
  return values;
}

std::vector<float> RandomHalves(int64_t count, uint32_t seed) {
  std::vector<float> values = RandomFloats(count, seed);
  for (float& value : values) value = F32FromF16(F16FromF32(value));
  return values;
}

Matrix RandomMatrix(int64_t rows, int64_t cols, uint32_t seed) {
  Matrix matrix(rows, cols);
  const std::vector<float> values = RandomFloats(rows * cols, seed);
  for (int64_t i = 0; i < rows; ++i) std::copy_n(values.begin() + i * cols, cols, matrix.row(i));
  return matrix;
}

}  // namespace heed::naive
