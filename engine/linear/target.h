// SPDX-License-Identifier: Apache-2.0
// Functions for an instruction set that the rest of the program is not compiled for. Between HEED_BEGIN_TARGET("...")
// and HEED_END_TARGET functions may use it; they are called only where the machine has it. Headers of others stand
// before: what they define inline must stay what every machine can run.
#pragma once

#define HEED_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define HEED_BEGIN_TARGET(features) \
  HEED_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define HEED_END_TARGET HEED_PRAGMA(clang attribute pop)
#else
#define HEED_BEGIN_TARGET(features) HEED_PRAGMA(GCC push_options) HEED_PRAGMA(GCC target features)
#define HEED_END_TARGET HEED_PRAGMA(GCC pop_options)
#endif
