// SPDX-License-Identifier: Apache-2.0
// A safetensors file: what SafetensorsFile::Open takes must be safe to read, every value of it.
#include <string>

#include "files/safetensors.h"
#include "files/tensor_values.h"
#include "models/layers/weight_reader.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_files.h"
#include "tests/fuzz/mutators.h"

namespace heed {
namespace {

void Run(absl::string_view input) {
  static InputFiles files;
  files.Set("model.safetensors", input);
  absl::StatusOr<SafetensorsFile> file = SafetensorsFile::Open(files.File("model.safetensors"));
  if (!file.ok()) return;
  const Checkpoint checkpoint(*std::move(file));
  size_t bytes = 0;
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    HEED_FUZZ_EXPECT(checkpoint.Find(name) == &tensor, "a tensor's name");
    bytes += tensor.bytes;
    const bool integers = tensor.dtype == DType::kI64 || tensor.dtype == DType::kI32;
    for (int64_t i = 0; i < tensor.size() && tensor.bytes > 0; ++i) {
      [[maybe_unused]] const volatile double value =
          integers ? static_cast<double>(tensor.IndexAt(i)) : static_cast<double>(tensor.ValueAt(i));
    }
    if (const auto weight = WeightReader(checkpoint).Get(name, tensor.shape); weight.ok()) {
      HEED_FUZZ_EXPECT(ReadFloats(**weight).size() == static_cast<size_t>(tensor.size()), "a tensor's values");
    }
  }
  HEED_FUZZ_EXPECT(bytes < input.size(), "the tensors' bytes");
}

}  // namespace

HEED_FUZZ_TARGET(safetensors, Run, MutateSafetensors)

}  // namespace heed
