// SPDX-License-Identifier: Apache-2.0
#include "files/torch_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "files/safetensors.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::filesystem::path kFixtures = std::filesystem::path(HEED_SOURCE_DIR) / "tests/fixtures/torch-files";

std::string Error(const std::string& path) { return std::string(TorchFile::Open(path).status().message()); }

// What torch.save wrote (tests/fixtures/make_torch_fixtures.py), against the same tensors row by row.
TEST(TorchFileTest, ReadsEveryLayoutThatPyTorchWrites) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFixtures)) {
    if (entry.path().extension() == ".safetensors") names.insert(entry.path().stem());
  }
  ASSERT_GE(names.size(), 13u);
  for (const std::string& name : names) {
    const auto expected = SafetensorsFile::Open(kFixtures / (name + ".safetensors"));
    ASSERT_TRUE(expected.ok()) << expected.status();
    const auto file = TorchFile::Open(kFixtures / (name + ".bin"));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->tensors().size(), expected->tensors().size()) << name;
    for (const auto& [tensor_name, tensor] : expected->tensors()) {
      const auto found = file->tensors().find(tensor_name);
      ASSERT_NE(found, file->tensors().end()) << name << " " << tensor_name;
      EXPECT_EQ(found->second.dtype, tensor.dtype);
      EXPECT_EQ(found->second.shape, tensor.shape);
      ASSERT_EQ(found->second.bytes, tensor.bytes);
      EXPECT_EQ(std::memcmp(found->second.data, tensor.data, tensor.bytes), 0) << name << " " << tensor_name;
    }
  }
}

// Tied tensors are one storage: neither is copied.
TEST(TorchFileTest, SharedTensorsShareTheirBytes) {
  const auto file = TorchFile::Open(kFixtures / "views.bin");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->tensors().at("shared").data, file->tensors().at("tied").data);
}

TEST(TorchFileTest, RefusesWhatIsNoDictionaryOfTensorsByName) {
  const std::pair<const char*, const char*> cases[] = {
      {"os-system", "the pickle asks for posix.system, but only tensors are read"},
      {"legacy-os-system", "the pickle asks for posix.system"},
      {"module", "the pickle asks for torch.nn.modules.container.Sequential"},
      {"legacy-module", "the pickle asks for "},
      {"nested", "entry 'model' is a dict, not a tensor"},
      {"epoch", "entry 'epoch' is an int, not a tensor"},
      {"list", "holds a list, but a dictionary of tensors"},
      {"number-names", "an entry whose name is an int"},
      {"complex", "the pickle asks for torch.ComplexFloatStorage"},
      {"quantized", "the pickle asks for torch._utils._rebuild_qtensor"},
      {"sparse", "the pickle asks for torch._utils._rebuild_sparse_tensor"},
      {"compressed", "is compressed (method 8)"},
      {"plain-pickle", "the pickle asks for torch.storage._load_from_bytes"},
      {"torchscript", "is a TorchScript program"},
  };
  for (const auto& [name, message] : cases) {
    const std::string path = kFixtures / (std::string("refused-") + name + ".bin");
    EXPECT_THAT(Error(path), AllOf(HasSubstr(path), HasSubstr(message))) << name;
  }
}

// Any prefix of a file, and a file with any byte changed, loads or is refused; what loads can be read.
TEST(TorchFileTest, TruncatedAndChangedFilesDoNoHarm) {
  const TemporaryDirectory directory;
  for (const char* name : {"zip.bin", "legacy-views.bin", "zip64.bin"}) {
    std::ifstream stream(kFixtures / name, std::ios::binary);
    const std::string whole((std::istreambuf_iterator<char>(stream)), {});
    for (size_t keep = 0; keep < whole.size(); keep += 17) {
      directory.Write("cut.bin", whole.substr(0, keep));
      EXPECT_FALSE(TorchFile::Open(directory.File("cut.bin")).ok()) << name << " " << keep;
    }
    float sum = 0;
    for (size_t at = 0; at < whole.size(); at += 3) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
      directory.Write("changed.bin", bytes);
      const auto file = TorchFile::Open(directory.File("changed.bin"));
      if (!file.ok()) continue;
      for (const auto& [tensor_name, tensor] : file->tensors()) {
        for (int64_t i = 0; i < tensor.size(); ++i) sum += tensor.ValueAt(i);
      }
    }
    EXPECT_FALSE(sum == 0.5f);  // so that the values are read
  }
}

// Pickles by hand, in the legacy layout's place of the magic number: what each says is refused by name.
class PickleTest : public testing::Test {
 protected:
  std::string Refusal(const std::string& pickle) {
    absl::string_view bytes = pickle;
    TensorPickle reader;
    return std::string(reader.Read(bytes).status().message());
  }
};

TEST_F(PickleTest, RefusesByName) {
  using namespace std::string_literals;
  EXPECT_THAT(Refusal("\x80\x02"
                      "cos\nsystem\n."s),
              HasSubstr("asks for os.system"));
  EXPECT_THAT(Refusal("\x80\x04\x8c\x08"
                      "builtins\x8c\x04"
                      "eval\x93."s),
              HasSubstr("asks for builtins.eval"));
  EXPECT_THAT(Refusal("\x80\x02"
                      "c\x1b[31mx\ny\n."s),
              HasSubstr("asks for \\x1b[31mx.y"));
  EXPECT_THAT(Refusal("\x80\x01."s), HasSubstr("protocol 1, but 2 to 5"));
  EXPECT_THAT(Refusal("\x80\x02"
                      "I1\n."s),
              HasSubstr("opcode 0x49 at byte 2"));
  EXPECT_THAT(Refusal("\x80\x02"
                      "ctorch\nFloatStorage\n)R."s),
              HasSubstr("calls torch.FloatStorage"));
  EXPECT_THAT(Refusal(""), HasSubstr("ends too soon"));
  EXPECT_THAT(Refusal("\x80\x02."s), HasSubstr("a value that is not there"));
  EXPECT_THAT(Refusal("\x80\x02"
                      "h\x01."s),
              HasSubstr("recalls a value that is not there"));
  EXPECT_THAT(Refusal("\x80\x02X\xff\xff\xff\x7fx."s), HasSubstr("ends too soon"));
}

// A list of a million names, made a dictionary again and again, would take the memory of a million lists.
TEST_F(PickleTest, OperationsAreBounded) {
  using namespace std::string_literals;
  std::string pickle = "\x80\x02]q\x01("s;
  for (int i = 0; i < 100'000; ++i) pickle += "NN\x86"s;
  pickle += "e0"s;
  EXPECT_THAT(Refusal(pickle), HasSubstr("opcode 0x30"));  // POP, which tensors do not need
  pickle.pop_back();
  for (int i = 0; i < 100'000; ++i) pickle += "ccollections\nOrderedDict\nh\x01\x85R"s;
  EXPECT_THAT(Refusal(pickle), HasSubstr("more than 2000000 operations"));
  EXPECT_THAT(Refusal("\x80\x02" + std::string(5'000'000, 'N')), HasSubstr("more than 2000000 operations"));
}

// An expanded tensor is one number in the file and as many as its shape says in memory.
TEST(TorchFileTest, ViewsBeyondTheFilesSizeAreRefused) {
  const TemporaryDirectory directory;
  std::ifstream stream(kFixtures / "legacy.bin", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(stream)), {});
  // layer.weight's size (3, 4) and stride (4, 1): as (127, 127) with strides 0 it would be 64 kB.
  const std::string size = "K\x03K\x04\x86", stride = "K\x04K\x01\x86";
  ASSERT_NE(bytes.find(size), bytes.npos);
  bytes.replace(bytes.find(size), size.size(), "K\x7fK\x7f\x86");
  ASSERT_NE(bytes.find(stride), bytes.npos);
  bytes.replace(bytes.find(stride), stride.size(), std::string("K\0K\0\x86", 5));
  directory.Write("expanded.bin", bytes);
  EXPECT_THAT(Error(directory.File("expanded.bin")),
              AllOf(HasSubstr("tensor 'layer.weight'"), HasSubstr("more memory than the file's")));
}

}  // namespace
}  // namespace heed
