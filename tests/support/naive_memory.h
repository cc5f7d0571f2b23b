// SPDX-License-Identifier: Apache-2.0
// A Neural Turing Machine's heads at its memory, slow and obvious, in double: eq. 2 to 9 of Graves et al. 2014, one
// stage a function.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/kernels/memory_addressing.h"

namespace heed::naive {

// A head's parameters once they are squashed.
struct HeadControls {
  std::vector<double> key;
  double strength = 0, gate = 0, sharpening = 0;
  std::vector<double> shifts;
  std::vector<double> erase, add;  // of a write head
};

struct MemoryState {
  std::vector<std::vector<double>> memory;   // [slots][width]
  std::vector<std::vector<double>> weights;  // [heads][slots]
  std::vector<std::vector<double>> reads;    // [read heads][width]
};

HeadControls Squash(const AddressingConventions& conventions, HeadKind kind, int64_t width,
                    const std::vector<double>& parameters);
std::vector<double> ContentWeights(const AddressingConventions& conventions,
                                   const std::vector<std::vector<double>>& memory, const std::vector<double>& key,
                                   double strength);
std::vector<double> Interpolate(const std::vector<double>& content, const std::vector<double>& before, double gate);
std::vector<double> Shift(const std::vector<double>& weights, const std::vector<int>& offsets,
                          const std::vector<double>& probabilities);
std::vector<double> Sharpen(const AddressingConventions& conventions, const std::vector<double>& weights, double gamma);

// One step of all heads; with `read_only`, of the read heads alone.
void StepMemory(const AddressingConventions& conventions, const std::vector<HeadKind>& heads, int64_t width,
                const std::vector<std::vector<double>>& parameters, bool read_only, MemoryState& state);

}  // namespace heed::naive
