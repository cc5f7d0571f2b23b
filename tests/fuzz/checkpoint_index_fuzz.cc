// SPDX-License-Identifier: Apache-2.0
// An index of shards: whatever it says, only files of its own directory are read, and what is taken agrees with it.
//
// Input: model.safetensors.index.json, beside the shards a.safetensors (tensor x) and b.safetensors (y and z).
#include <string>
#include <vector>

#include "files/checkpoint.h"
#include "files/safetensors_writer.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_files.h"

namespace heed {
namespace {

void WriteShard(const std::string& path, const std::vector<std::string>& names) {
  const std::vector<float> values = {1, 2};
  std::vector<TensorToWrite> tensors;
  for (const std::string& name : names) tensors.push_back({name, DType::kF32, {2}, {BytesOf(values)}});
  HEED_FUZZ_EXPECT(WriteSafetensors(path, tensors, {}).ok(), "a shard cannot be written");
}

void Run(absl::string_view input) {
  static InputFiles& files = []() -> InputFiles& {
    static InputFiles made;
    WriteShard(made.File("a.safetensors"), {"x"});
    WriteShard(made.File("b.safetensors"), {"y", "z"});
    return made;
  }();
  files.Set("model.safetensors.index.json", input);
  const absl::StatusOr<Checkpoint> checkpoint = Checkpoint::Open(files.path());
  if (!checkpoint.ok()) {
    HEED_FUZZ_EXPECT(!checkpoint.status().message().empty(), "a refusal says why");
    return;
  }
  for (const auto& [name, tensor] : checkpoint->tensors()) {
    const std::string& path = checkpoint->PathOf(name);
    HEED_FUZZ_EXPECT(path == files.File(name == "x" ? "a.safetensors" : "b.safetensors"), "a tensor's file");
    HEED_FUZZ_EXPECT(tensor.ValueAt(1) == 2, "a tensor's value");
  }
}

}  // namespace

HEED_FUZZ_TARGET(checkpoint_index, Run, nullptr)

}  // namespace heed
