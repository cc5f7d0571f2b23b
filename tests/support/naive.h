// SPDX-License-Identifier: Apache-2.0
// Slow and obvious implementations, in double: the truth that kernels are compared with.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "engine/core/matrix.h"
#include "engine/kernels/kernels.h"

namespace heed::naive {

// y[m][n] = sum_k x[m][k] weight[n * in + k] + bias[n]
std::vector<double> Linear(ConstMatrixView x, const std::vector<float>& weight, const std::vector<float>& bias);
double Activate(Activation activation, double x);
std::vector<double> LayerNorm(const std::vector<float>& x, const std::vector<float>& scale,
                              const std::vector<float>& shift, double epsilon);
std::vector<double> Softmax(const std::vector<double>& logits);

// The largest error that a sum of `terms` products may have in float, each product at most `magnitude`: every addition
// rounds by at most half a unit in the last place of the sum.
double SumTolerance(int64_t terms, double magnitude);

// Values uniform in [-1, 1], the same for the same seed.
std::vector<float> RandomFloats(int64_t count, uint32_t seed);
// Likewise, rounded to f16.
std::vector<float> RandomHalves(int64_t count, uint32_t seed);
Matrix RandomMatrix(int64_t rows, int64_t cols, uint32_t seed);

}  // namespace heed::naive
