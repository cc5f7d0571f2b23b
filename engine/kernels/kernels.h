// SPDX-License-Identifier: Apache-2.0
// Row-wise kernels: layer norm, activations, recurrent cells.
//
// Each works on one row with a fixed order of summation, so that a row's bits depend on that row and the instruction
// set alone. All on the calling thread; pointers need no alignment.
#pragma once

#include <cmath>
#include <cstdint>

namespace heed {

enum class Activation { kNone, kRelu, kGelu, kGeluTanh, kSwish, kElu, kTanh, kSigmoid };

// x[i] = activation(x[i]). GELU is the exact one, x Phi(x), and kGeluTanh its approximation by a hyperbolic tangent
// (Hendrycks and Gimpel 2016); swish is x sigmoid(x); ELU is exp(x) - 1 for negative x, else x. What is not a number
// stays so.
void Activate(Activation activation, float* x, int64_t count);

// 1 / (1 + exp(-x))
inline float Sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

// x = (x - mean) / sqrt(variance + epsilon) * scale + shift, in place (Ba et al. 2016).
void LayerNorm(float* x, int64_t count, const float* scale, const float* shift, float epsilon);

// One step of `width` LSTM units (Hochreiter and Schmidhuber 1997; with a forget gate), in place. input + recurrent,
// [4, width] each, is what the linear layers gave for the input, forget, candidate and output gates, in torch.nn.LSTM's
// order; a null `recurrent` is zeros:
//   cell = sigmoid(f) cell + sigmoid(i) tanh(g),  hidden = sigmoid(o) tanh(cell)
void LstmCell(const float* input, const float* recurrent, int64_t width, float* hidden, float* cell);

// One step of `width` gated recurrent units (Cho et al. 2014, as in torch.nn.GRU), in place. input and recurrent
// [3, width] hold what the linear layers over the input and over `hidden` gave for the reset gate, the update gate and
// the candidate:
//   r = sigmoid(input_r + recurrent_r),  z likewise,  n = tanh(input_n + r recurrent_n),  hidden = (1 - z) n + z hidden
void GruCell(const float* input, const float* recurrent, int64_t width, float* hidden);

// to[i] = from[i] * factor + add[i]
void ScaleAndAdd(const float* from, float factor, const float* add, float* to, int64_t count);

}  // namespace heed
