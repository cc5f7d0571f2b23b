// SPDX-License-Identifier: Apache-2.0
// What we promise ourselves: a condition that only a bug of ours can break.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace heed {

[[noreturn]] inline void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace heed

// Ends the process, with the place, if the condition does not hold. For what is cheap to ask. Input from outside gets
// an absl::Status instead.
#define HEED_CHECK(condition)                                              \
  do {                                                                     \
    if (!(condition)) ::heed::CheckFailed(#condition, __FILE__, __LINE__); \
  } while (false)

// The same in builds with HEED_DCHECKS (the sanitizers' presets); elsewhere the condition is not evaluated.
#ifdef HEED_DCHECKS
#define HEED_DCHECK(condition) HEED_CHECK(condition)
#else
#define HEED_DCHECK(condition) \
  do {                         \
    if (false) {               \
      (void)(condition);       \
    }                          \
  } while (false)
#endif
