// SPDX-License-Identifier: Apache-2.0
#include "tests/support/naive_memory.h"

#include <algorithm>
#include <cmath>

#include "tests/support/naive.h"

namespace heed::naive {
namespace {

double Softplus(double x) { return std::log1p(std::exp(x)); }
double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double Dot(const std::vector<double>& a, const std::vector<double>& b) {
  double dot = 0;
  for (size_t i = 0; i < a.size(); ++i) dot += a[i] * b[i];
  return dot;
}

std::vector<double> Read(const MemoryState& state, const std::vector<double>& weights) {
  std::vector<double> read(state.memory[0].size());
  for (size_t n = 0; n < weights.size(); ++n) {
    for (size_t m = 0; m < read.size(); ++m) read[m] += weights[n] * state.memory[n][m];
  }
  return read;
}

void Write(MemoryState& state, const std::vector<double>& weights, const HeadControls& head) {
  for (size_t n = 0; n < weights.size(); ++n) {
    for (size_t m = 0; m < head.erase.size(); ++m) {
      double& value = state.memory[n][m];
      value = value * (1 - weights[n] * head.erase[m]) + weights[n] * head.add[m];
    }
  }
}

}  // namespace

HeadControls Squash(const AddressingConventions& conventions, HeadKind kind, int64_t width,
                    const std::vector<double>& parameters) {
  std::vector<double> p = parameters;
  if (conventions.clip > 0) {
    for (double& value : p) value = std::clamp<double>(value, -conventions.clip, conventions.clip);
  }
  auto at = p.begin();
  const auto take = [&](int64_t count) {
    std::vector<double> values(at, at + count);
    at += count;
    return values;
  };
  HeadControls head;
  head.key = take(width);
  head.strength = Softplus(*at++);
  head.gate = Sigmoid(*at++);
  head.shifts = Softmax(take(static_cast<int64_t>(conventions.shifts.size())));
  head.sharpening = 1 + Softplus(*at++);
  if (kind == HeadKind::kWrite) {
    head.erase = take(width);
    head.add = take(width);
  }
  if (conventions.tanh_keys) std::for_each(head.key.begin(), head.key.end(), [](double& k) { k = std::tanh(k); });
  std::for_each(head.erase.begin(), head.erase.end(), [](double& e) { e = Sigmoid(e); });
  if (conventions.tanh_adds) std::for_each(head.add.begin(), head.add.end(), [](double& a) { a = std::tanh(a); });
  return head;
}

std::vector<double> ContentWeights(const AddressingConventions& conventions,
                                   const std::vector<std::vector<double>>& memory, const std::vector<double>& key,
                                   double strength) {
  const double epsilon = conventions.cosine_epsilon;
  std::vector<double> scores;
  for (const std::vector<double>& slot : memory) {
    const double key_norm = std::sqrt(Dot(key, key)), norm = std::sqrt(Dot(slot, slot));
    const double divisor = conventions.cosine == CosineForm::kAdded
                               ? key_norm * norm + epsilon
                               : std::max(key_norm, epsilon) * std::max(norm, epsilon);
    scores.push_back(strength * Dot(key, slot) / divisor);
  }
  return Softmax(scores);
}

std::vector<double> Interpolate(const std::vector<double>& content, const std::vector<double>& before, double gate) {
  std::vector<double> gated(content.size());
  for (size_t n = 0; n < gated.size(); ++n) gated[n] = gate * content[n] + (1 - gate) * before[n];
  return gated;
}

std::vector<double> Shift(const std::vector<double>& weights, const std::vector<int>& offsets,
                          const std::vector<double>& probabilities) {
  const int slots = static_cast<int>(weights.size());
  std::vector<double> shifted(weights.size());
  for (int n = 0; n < slots; ++n) {
    for (size_t j = 0; j < offsets.size(); ++j) {
      shifted[static_cast<size_t>(n)] +=
          probabilities[j] * weights[static_cast<size_t>(((n - offsets[j]) % slots + slots) % slots)];
    }
  }
  return shifted;
}

std::vector<double> Sharpen(const AddressingConventions& conventions, const std::vector<double>& weights,
                            double gamma) {
  std::vector<double> sharp(weights.size());
  double sum = conventions.sum_epsilon;
  for (size_t n = 0; n < weights.size(); ++n) sum += sharp[n] = std::pow(weights[n] + conventions.base_epsilon, gamma);
  for (double& weight : sharp) weight /= sum;
  return sharp;
}

void StepMemory(const AddressingConventions& conventions, const std::vector<HeadKind>& heads, int64_t width,
                const std::vector<std::vector<double>>& parameters, bool read_only, MemoryState& state) {
  std::vector<HeadControls> controls;
  for (size_t i = 0; i < heads.size(); ++i) {
    controls.push_back(Squash(conventions, heads[i], width, parameters[i]));
  }
  const auto address = [&](size_t i) {
    const HeadControls& head = controls[i];
    const std::vector<double> content = ContentWeights(conventions, state.memory, head.key, head.strength);
    const std::vector<double> gated = Interpolate(content, state.weights[i], head.gate);
    state.weights[i] = Sharpen(conventions, Shift(gated, conventions.shifts, head.shifts), head.sharpening);
  };
  const auto skipped = [&](size_t i) { return read_only && heads[i] == HeadKind::kWrite; };
  size_t read = 0;
  const auto work = [&](HeadKind kind, size_t i) {
    if (heads[i] != kind || skipped(i)) return;
    if (kind == HeadKind::kRead) {
      state.reads[read++] = Read(state, state.weights[i]);
    } else {
      Write(state, state.weights[i], controls[i]);
    }
  };
  if (conventions.order == HeadOrder::kInterleaved) {
    for (size_t i = 0; i < heads.size(); ++i) {
      if (!skipped(i)) address(i);
      work(heads[i], i);
    }
    return;
  }
  for (size_t i = 0; i < heads.size(); ++i) {
    if (!skipped(i)) address(i);
  }
  const bool reads_first = conventions.order == HeadOrder::kReadsFirst;
  for (const HeadKind kind :
       {reads_first ? HeadKind::kRead : HeadKind::kWrite, reads_first ? HeadKind::kWrite : HeadKind::kRead}) {
    for (size_t i = 0; i < heads.size(); ++i) work(kind, i);
  }
}

}  // namespace heed::naive
