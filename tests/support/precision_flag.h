// SPDX-License-Identifier: Apache-2.0
// The flag --precision of programs that load a model without a server.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "engine/linear/precision.h"

namespace heed {

// Takes the last argument --precision=NAME out of `argv`, wherever it stands. Without one: f32. A name that is no
// precision, or one that becomes another on this machine, ends the program with exit code 2: what is measured or
// compared is what was asked for.
inline Precision TakePrecisionFlag(int& argc, char** argv) {
  constexpr absl::string_view kFlag = "--precision=";
  Precision precision = Precision::kF32;
  const auto is_flag = [](const char* argument) { return absl::StartsWith(argument, kFlag); };
  for (int i = 1; i < argc; ++i) {
    if (!is_flag(argv[i])) continue;
    const std::optional<Precision> named = PrecisionNamed(absl::string_view(argv[i]).substr(kFlag.size()));
    if (!named || PrecisionHere(*named) != *named) {
      std::fprintf(stderr, "%s: must be f32, int8, or bf16 where the machine has it\n", argv[i]);
      std::exit(2);
    }
    precision = *named;
  }
  argc = static_cast<int>(std::remove_if(argv + 1, argv + argc, is_flag) - argv);
  return precision;
}

}  // namespace heed
