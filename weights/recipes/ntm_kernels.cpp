// SPDX-License-Identifier: Apache-2.0
// One step of a Neural Turing Machine behind its controller, forward and backward, for training on a CPU: the
// activations of the heads' outputs, addressing, one write head and then the read heads (order "interleaved").
// ntm_kernels.py compiles it with the machine's sizes: REAL, SLOTS, SLOT_WIDTH, HEADS (the first writes), SHIFTS (how
// many), SHIFT_LIST, MAX_SHIFT (the largest, either way). Each row of a batch is worked on alone, so that its memory
// stays in the cache.
//
// A row of `outputs` is keys [HEADS, M], numbers [HEADS, S + 3], erase [M], add [M]. With `think` the write head rests.

#include <algorithm>
#include <cmath>
#include <cstring>

namespace {

using Real = REAL;

constexpr int kSlots = SLOTS, kWidth = SLOT_WIDTH, kHeads = HEADS, kShifts = SHIFTS, kPad = MAX_SHIFT;
constexpr int kNumbers = kShifts + 3;
constexpr int kMemory = kSlots * kWidth;
constexpr int kErase = kHeads * (kWidth + kNumbers), kAdd = kErase + kWidth, kOutputs = kAdd + kWidth;
constexpr int kShiftBy[] = {SHIFT_LIST};

Real Sigmoid(Real x) { return 1 / (1 + std::exp(-x)); }
Real Softplus(Real x) { return std::max(x, Real(0)) + std::log1p(std::exp(-std::abs(x))); }

Real Dot(const Real* __restrict a, const Real* __restrict b, int count) {
  Real sum = 0;
  for (int i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

void AddScaled(Real scale, const Real* __restrict from, Real* __restrict to, int count) {
  for (int i = 0; i < count; ++i) to[i] += scale * from[i];
}

void Softmax(const Real* __restrict x, Real* __restrict y, int count) {
  Real largest = x[0];
  for (int i = 1; i < count; ++i) largest = std::max(largest, x[i]);
  Real sum = 0;
  for (int i = 0; i < count; ++i) sum += y[i] = std::exp(x[i] - largest);
  const Real inverse = 1 / sum;
  for (int i = 0; i < count; ++i) y[i] *= inverse;
}

void Lengths(const Real* memory, Real* lengths) {
  for (int n = 0; n < kSlots; ++n) lengths[n] = std::sqrt(Dot(memory + n * kWidth, memory + n * kWidth, kWidth));
}

// What a head's addressing computes on the way; the backward pass takes it up again.
struct Head {
  Real key[kWidth], length, beta, gate, gamma, moves[kShifts];
  Real gated[kSlots + 2 * kPad], shifted[kSlots], logs[kSlots];

  void Numbers(const Real* outputs, int head) {
    const Real* raw = outputs + head * kWidth;
    for (int m = 0; m < kWidth; ++m) key[m] = std::tanh(raw[m]);
    length = std::sqrt(Dot(key, key, kWidth));
    raw = outputs + kHeads * kWidth + head * kNumbers;
    beta = Softplus(raw[0]);
    gate = Sigmoid(raw[1]);
    Softmax(raw + 2, moves, kShifts);
    gamma = 1 + Softplus(raw[2 + kShifts]);
  }

  void Move(const Real* __restrict prior, const Real* __restrict content, Real base) {
    for (int n = 0; n < kSlots; ++n) gated[kPad + n] = prior[n] + gate * (content[n] - prior[n]);
    for (int i = 0; i < kPad; ++i) {
      gated[i] = gated[kSlots + i];
      gated[kPad + kSlots + i] = gated[kPad + i];
    }
    for (int n = 0; n < kSlots; ++n) shifted[n] = base;
    for (int j = 0; j < kShifts; ++j) AddScaled(moves[j], gated + kPad - kShiftBy[j], shifted, kSlots);
    for (int n = 0; n < kSlots; ++n) logs[n] = std::log(shifted[n]);
  }
};

void Address(const Real* outputs, int index, const Real* prior, const Real* memory, const Real* lengths, Real epsilon,
             Real base, Real* similarity, Real* content, Real* weights) {
  Head head;
  head.Numbers(outputs, index);
  Real scaled[kSlots];
  for (int n = 0; n < kSlots; ++n) scaled[n] = Dot(head.key, memory + n * kWidth, kWidth);
  for (int n = 0; n < kSlots; ++n) {
    similarity[n] = scaled[n] / (head.length * lengths[n] + epsilon);
    scaled[n] = head.beta * similarity[n];
  }
  Softmax(scaled, content, kSlots);
  head.Move(prior, content, base);
  for (int n = 0; n < kSlots; ++n) scaled[n] = head.gamma * head.logs[n];
  Softmax(scaled, weights, kSlots);
}

// From the gradient of the head's weights to those of its outputs, its prior weights and the memory (added).
void AddressBackward(const Real* outputs, int index, const Real* prior, const Real* memory, const Real* lengths,
                     Real epsilon, Real base, const Real* similarity, const Real* content, const Real* weights,
                     const Real* d_weights, Real* d_outputs, Real* d_prior, Real* d_memory) {
  Head head;
  head.Numbers(outputs, index);
  head.Move(prior, content, base);
  Real d_shifted[kSlots + 2 * kPad], d_gated[kSlots], d_similarity[kSlots], d_moves[kShifts];
  Real mean = Dot(weights, d_weights, kSlots), d_gamma = 0;
  for (int n = 0; n < kSlots; ++n) {
    const Real d = weights[n] * (d_weights[n] - mean);
    d_gamma += d * head.logs[n];
    d_shifted[kPad + n] = head.gamma * d / head.shifted[n];
  }
  for (int i = 0; i < kPad; ++i) {
    d_shifted[i] = d_shifted[kSlots + i];
    d_shifted[kPad + kSlots + i] = d_shifted[kPad + i];
  }
  std::fill(d_gated, d_gated + kSlots, Real(0));
  for (int j = 0; j < kShifts; ++j) {
    d_moves[j] = Dot(d_shifted + kPad, head.gated + kPad - kShiftBy[j], kSlots);
    AddScaled(head.moves[j], d_shifted + kPad + kShiftBy[j], d_gated, kSlots);
  }
  Real d_gate = 0;
  mean = 0;
  for (int n = 0; n < kSlots; ++n) {
    d_gate += d_gated[n] * (content[n] - prior[n]);
    d_prior[n] += (1 - head.gate) * d_gated[n];
    mean += content[n] * head.gate * d_gated[n];
  }
  Real d_beta = 0, d_length = 0, d_key[kWidth] = {};
  for (int n = 0; n < kSlots; ++n) {
    const Real d = content[n] * (head.gate * d_gated[n] - mean);
    d_beta += d * similarity[n];
    d_similarity[n] = head.beta * d / (head.length * lengths[n] + epsilon);
    d_length -= d_similarity[n] * similarity[n] * lengths[n];
  }
  for (int n = 0; n < kSlots; ++n) {
    const Real* row = memory + n * kWidth;
    const Real own = lengths[n] > 0 ? -d_similarity[n] * similarity[n] * head.length / lengths[n] : Real(0);
    const Real dot = d_similarity[n];
    Real* d_row = d_memory + n * kWidth;
    for (int m = 0; m < kWidth; ++m) {
      d_key[m] += dot * row[m];
      d_row[m] += dot * head.key[m] + own * row[m];
    }
  }
  const Real own = head.length > 0 ? d_length / head.length : Real(0);
  Real* d_raw = d_outputs + index * kWidth;
  for (int m = 0; m < kWidth; ++m) d_raw[m] = (d_key[m] + own * head.key[m]) * (1 - head.key[m] * head.key[m]);
  const Real* raw = outputs + kHeads * kWidth + index * kNumbers;
  d_raw = d_outputs + kHeads * kWidth + index * kNumbers;
  d_raw[0] = d_beta * Sigmoid(raw[0]);
  d_raw[1] = d_gate * head.gate * (1 - head.gate);
  mean = Dot(head.moves, d_moves, kShifts);
  for (int j = 0; j < kShifts; ++j) d_raw[2 + j] = head.moves[j] * (d_moves[j] - mean);
  d_raw[2 + kShifts] = d_gamma * Sigmoid(raw[2 + kShifts]);
}

void Write(const Real* outputs, const Real* weights, const Real* memory, Real* written) {
  Real erase[kWidth], add[kWidth];
  for (int m = 0; m < kWidth; ++m) erase[m] = Sigmoid(outputs[kErase + m]);
  for (int m = 0; m < kWidth; ++m) add[m] = std::tanh(outputs[kAdd + m]);
  for (int n = 0; n < kSlots; ++n) {
    for (int m = 0; m < kWidth; ++m) {
      const Real old = memory[n * kWidth + m];
      written[n * kWidth + m] = old + weights[n] * (add[m] - erase[m] * old);
    }
  }
}

// Turns the gradient of the written memory into that of the memory before; adds to that of the weights.
void WriteBackward(const Real* outputs, const Real* weights, const Real* memory, Real* d_memory, Real* d_weights,
                   Real* d_outputs) {
  Real erase[kWidth], add[kWidth], d_erase[kWidth] = {}, d_add[kWidth] = {};
  for (int m = 0; m < kWidth; ++m) erase[m] = Sigmoid(outputs[kErase + m]);
  for (int m = 0; m < kWidth; ++m) add[m] = std::tanh(outputs[kAdd + m]);
  for (int n = 0; n < kSlots; ++n) {
    const Real* row = memory + n * kWidth;
    Real* d_row = d_memory + n * kWidth;
    const Real weight = weights[n];
    Real d_weight = 0;
    for (int m = 0; m < kWidth; ++m) {
      const Real d = d_row[m];
      d_weight += d * (add[m] - erase[m] * row[m]);
      d_add[m] += weight * d;
      d_erase[m] -= weight * d * row[m];
      d_row[m] = d * (1 - weight * erase[m]);
    }
    d_weights[n] += d_weight;
  }
  for (int m = 0; m < kWidth; ++m) d_outputs[kErase + m] = d_erase[m] * erase[m] * (1 - erase[m]);
  for (int m = 0; m < kWidth; ++m) d_outputs[kAdd + m] = d_add[m] * (1 - add[m] * add[m]);
}

void Forward(const Real* outputs, const Real* prior, const Real* memory, Real* similarity, Real* content, Real* weights,
             Real* written, Real* reads, Real epsilon, Real base, bool think) {
  Real lengths[kSlots];
  Lengths(memory, lengths);
  const Real* now = memory;
  if (think) {
    std::copy(prior, prior + kSlots, weights);
  } else {
    Address(outputs, 0, prior, memory, lengths, epsilon, base, similarity, content, weights);
    Write(outputs, weights, memory, written);
    Lengths(written, lengths);
    now = written;
  }
  for (int head = 1; head < kHeads; ++head) {
    const int at = head * kSlots;
    Address(outputs, head, prior + at, now, lengths, epsilon, base, similarity + at, content + at, weights + at);
    Real* read = reads + (head - 1) * kWidth;
    std::fill(read, read + kWidth, Real(0));
    for (int n = 0; n < kSlots; ++n) AddScaled(weights[at + n], now + n * kWidth, read, kWidth);
  }
}

// d_memory holds the gradient of the memory that the step left, and in the end that of the memory it found; d_weights
// likewise of weights.
void Backward(const Real* outputs, const Real* prior, const Real* memory, const Real* written, const Real* similarity,
              const Real* content, const Real* weights, const Real* d_reads, Real* d_weights, Real* d_memory,
              Real* d_outputs, Real epsilon, Real base, bool think) {
  Real lengths[kSlots], d_new[kSlots];
  const Real* now = think ? memory : written;
  Lengths(now, lengths);
  for (int head = 1; head < kHeads; ++head) {
    const int at = head * kSlots;
    const Real* d_read = d_reads + (head - 1) * kWidth;
    for (int n = 0; n < kSlots; ++n) d_new[n] = d_weights[at + n] + Dot(d_read, now + n * kWidth, kWidth);
    for (int n = 0; n < kSlots; ++n) AddScaled(weights[at + n], d_read, d_memory + n * kWidth, kWidth);
    std::fill(d_weights + at, d_weights + at + kSlots, Real(0));
    AddressBackward(outputs, head, prior + at, now, lengths, epsilon, base, similarity + at, content + at, weights + at,
                    d_new, d_outputs, d_weights + at, d_memory);
  }
  if (think) return;
  std::copy(d_weights, d_weights + kSlots, d_new);
  std::fill(d_weights, d_weights + kSlots, Real(0));
  WriteBackward(outputs, weights, memory, d_memory, d_new, d_outputs);
  Lengths(memory, lengths);
  AddressBackward(outputs, 0, prior, memory, lengths, epsilon, base, similarity, content, weights, d_new, d_outputs,
                  d_weights, d_memory);
}

}  // namespace

extern "C" void ntm_forward(const Real* outputs, const Real* prior, const Real* memory, Real* similarity, Real* content,
                            Real* weights, Real* written, Real* reads, double epsilon, double base, long rows,
                            int think) {
  for (long row = 0; row < rows; ++row) {
    const long w = row * kHeads * kSlots;
    Forward(outputs + row * kOutputs, prior + w, memory + row * kMemory, similarity + w, content + w, weights + w,
            think ? nullptr : written + row * kMemory, reads + row * (kHeads - 1) * kWidth, Real(epsilon), Real(base),
            think != 0);
  }
}

extern "C" void ntm_backward(const Real* outputs, const Real* prior, const Real* memory, const Real* written,
                             const Real* similarity, const Real* content, const Real* weights, const Real* d_reads,
                             Real* d_weights, Real* d_memory, Real* d_outputs, double epsilon, double base, long rows,
                             int think) {
  for (long row = 0; row < rows; ++row) {
    const long w = row * kHeads * kSlots;
    Backward(outputs + row * kOutputs, prior + w, memory + row * kMemory, think ? nullptr : written + row * kMemory,
             similarity + w, content + w, weights + w, d_reads + row * (kHeads - 1) * kWidth, d_weights + w,
             d_memory + row * kMemory, d_outputs + row * kOutputs, Real(epsilon), Real(base), think != 0);
  }
}
