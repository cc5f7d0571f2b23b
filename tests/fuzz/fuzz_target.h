// SPDX-License-Identifier: Apache-2.0
// A fuzz target: a function that takes bytes from anywhere, and how they are best changed. Each *_fuzz.cc defines one.
//
// It runs in two ways. With HEED_FUZZ it is a program of its own with libFuzzer in it, which searches
// (scripts/fuzz.sh). Otherwise all targets are in one program, replay_main.cc, which repeats the seeds and changes of
// them, the same ones each time, as a ctest. A target refuses bytes by returning; whatever breaks a promise of the code
// ends the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "absl/strings/string_view.h"

// Changes bytes in any way, in place, to at most `max_size`; returns how many they are then. libFuzzer's or
// replay_main.cc's.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace heed {

struct FuzzTarget {
  using Run = void(absl::string_view input);
  using Mutate = size_t(uint8_t* data, size_t size, size_t max_size, unsigned seed);

  const char* name;
  Run* run;
  Mutate* mutate;  // null: LLVMFuzzerMutate
};

// A promise that holds for any input.
#define HEED_FUZZ_EXPECT(condition, what)                                            \
  do {                                                                               \
    if (!(condition)) {                                                              \
      std::fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, what, #condition); \
      std::abort();                                                                  \
    }                                                                                \
  } while (false)

#ifdef HEED_FUZZ
#define HEED_FUZZ_TARGET(target, run_function, mutate_function)                                               \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {                                   \
    run_function({reinterpret_cast<const char*>(data), size});                                                \
    return 0;                                                                                                 \
  }                                                                                                           \
  extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {     \
    constexpr FuzzTarget::Mutate* kMutate = mutate_function;                                                  \
    return kMutate == nullptr ? LLVMFuzzerMutate(data, size, max_size) : kMutate(data, size, max_size, seed); \
  }
#else
// The targets of the program.
inline std::vector<FuzzTarget>& FuzzTargets() {
  static std::vector<FuzzTarget> targets;
  return targets;
}
#define HEED_FUZZ_TARGET(target, run_function, mutate_function) \
  [[maybe_unused]] const bool target##_is_known =               \
      (FuzzTargets().push_back({#target, run_function, mutate_function}), true);
#endif

}  // namespace heed
