// SPDX-License-Identifier: Apache-2.0
// The files of page/, as CMake put them into the program.
#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace heed {

struct PageFile {
  absl::string_view name;  // "main.js"
  absl::string_view hash;  // of the bytes
  absl::string_view bytes;
};

// By name.
absl::Span<const PageFile> PageFiles();

}  // namespace heed
