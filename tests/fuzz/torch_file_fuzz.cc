// SPDX-License-Identifier: Apache-2.0
// A PyTorch file: what TorchFile::Open takes must be safe to read, every value of it, and needs no more memory than
// the file has bytes.
//
// Input: a byte that says what follows. 0: the file itself. 1: the pickle of a zip file whose storages 0, 1, 2 and 3
// have 64 bytes each.
#include <algorithm>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "files/torch_file.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_files.h"

namespace heed {
namespace {

template <typename T>
void Append(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// The fields that a local header and an entry of the directory share, from the version on.
void AppendEntry(std::string& bytes, absl::string_view name, size_t size) {
  Append<uint16_t>(bytes, 20);
  Append<uint32_t>(bytes, 0);  // flags, method: stored
  Append<uint64_t>(bytes, 0);  // time, date, checksum
  Append<uint32_t>(bytes, static_cast<uint32_t>(size));
  Append<uint32_t>(bytes, static_cast<uint32_t>(size));
  Append<uint16_t>(bytes, static_cast<uint16_t>(name.size()));
  Append<uint16_t>(bytes, 0);
}

std::string ZipOf(absl::string_view pickle) {
  std::string file, directory;
  uint16_t entries = 0;
  const auto add = [&](absl::string_view name, absl::string_view content) {
    Append<uint32_t>(directory, 0x02014b50);
    Append<uint16_t>(directory, 20);
    AppendEntry(directory, name, content.size());
    Append<uint64_t>(directory, 0);  // comment, disk, attributes
    Append<uint16_t>(directory, 0);
    Append<uint32_t>(directory, static_cast<uint32_t>(file.size()));
    absl::StrAppend(&directory, name);
    Append<uint32_t>(file, 0x04034b50);
    AppendEntry(file, name, content.size());
    absl::StrAppend(&file, name, content);
    ++entries;
  };
  add("archive/data.pkl", pickle);
  for (const char* key : {"0", "1", "2", "3"}) add(absl::StrCat("archive/data/", key), std::string(64, '\x3f'));
  const size_t begin = file.size();
  file += directory;
  Append<uint32_t>(file, 0x06054b50);
  Append<uint32_t>(file, 0);
  Append<uint16_t>(file, entries);
  Append<uint16_t>(file, entries);
  Append<uint32_t>(file, static_cast<uint32_t>(directory.size()));
  Append<uint32_t>(file, static_cast<uint32_t>(begin));
  Append<uint16_t>(file, 0);
  return file;
}

// The file itself mostly keeps its size, so that what it says of its own layout stays true.
size_t Mutate(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  if (size < 2 || data[0] != 0 || seed % 4 == 0) return LLVMFuzzerMutate(data, size, max_size);
  std::string changed(reinterpret_cast<const char*>(data), size);
  auto* bytes = reinterpret_cast<uint8_t*>(changed.data());
  const size_t length = LLVMFuzzerMutate(bytes + 1, size - 1, size - 1);
  std::copy_n(bytes + 1, std::min(length, size - 1), data + 1);
  return size;
}

void Run(absl::string_view input) {
  if (input.empty()) return;
  const bool is_pickle = input[0] == 1;
  input.remove_prefix(1);
  const std::string bytes = is_pickle ? ZipOf(input) : std::string(input);
  static InputFiles files;
  files.Set("pytorch_model.bin", bytes);
  const absl::StatusOr<TorchFile> file = TorchFile::Open(files.File("pytorch_model.bin"));
  if (!file.ok()) {
    HEED_FUZZ_EXPECT(!file.status().message().empty(), "a refusal says why");
    return;
  }
  for (const auto& [name, tensor] : file->tensors()) {
    HEED_FUZZ_EXPECT(tensor.bytes <= bytes.size(), "a tensor's bytes");
    HEED_FUZZ_EXPECT(tensor.bytes == static_cast<size_t>(tensor.size()) * DTypeBytes(tensor.dtype), "a tensor's shape");
    unsigned sum = 0;
    for (size_t i = 0; i < tensor.bytes; ++i) sum += static_cast<unsigned>(tensor.data[i]);
    [[maybe_unused]] const volatile unsigned read = sum;
  }
}

}  // namespace

HEED_FUZZ_TARGET(torch_file, Run, Mutate)

}  // namespace heed
