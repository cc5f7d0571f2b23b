// SPDX-License-Identifier: Apache-2.0
// Damaged model directories: each is refused with a message that names the file and what is wrong with it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "files/checkpoint.h"
#include "files/safetensors_writer.h"
#include "files/tensor_values.h"
#include "models/architectures.h"
#include "models/probe.h"
#include "nlohmann/json.hpp"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class DamagedDirectory : public testing::Test {
 protected:
  // A whole copy of a fixture.
  void Copy(const std::string& fixture = "marian-swish") {
    std::filesystem::remove_all(directory_.path() / "model");
    std::filesystem::copy(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + fixture, directory_.path() / "model");
  }
  std::string Load() {
    const auto model = LoadModel(directory_.File("model"));
    return model.ok() ? "loaded" : model.status().ToString();
  }
  void Set(const std::string& file, const std::string& field, const json& value) {
    json object = json::parse(directory_.Read("model/" + file));
    if (value.is_discarded()) {
      object.erase(field);
    } else {
      object[field] = value;
    }
    directory_.Write("model/" + file, object.dump());
  }
  // The message after one field was changed.
  std::string With(const std::string& file, const std::string& field, const json& value) {
    Copy();
    Set(file, field, value);
    return Load();
  }
  // What is wrong with a language model's tokenizer is named; `file` holds the vocabulary.
  void CheckTokenizerFiles(const std::string& fixture, const std::string& file, const std::string& tokenizer_class) {
    Copy(fixture);
    EXPECT_EQ(Load(), "loaded");
    const std::string whole = directory_.Read("model/" + file);
    std::filesystem::remove(directory_.path() / "model" / file);
    EXPECT_THAT(Load(), AllOf(HasSubstr("NOT_FOUND"), HasSubstr(file)));
    directory_.Write("model/" + file, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n");
    EXPECT_THAT(Load(), AllOf(HasSubstr(file + ": is a git-lfs pointer"), HasSubstr("git lfs pull")));
    directory_.Write("model/" + file, "");
    EXPECT_THAT(Load(), AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr(file)));
    directory_.Write("model/" + file, whole);
    directory_.Write("model/tokenizer_config.json", "[1]");
    EXPECT_THAT(Load(), AllOf(HasSubstr("tokenizer_config.json"), HasSubstr("not a JSON object")));
    directory_.Write("model/tokenizer_config.json", "{\"tokenizer_class\": \"BertTokenizer\"}");
    EXPECT_THAT(Load(), AllOf(HasSubstr("tokenizer_config.json: tokenizer_class is \"BertTokenizer\""),
                              HasSubstr("only " + tokenizer_class + " is served")));
    std::filesystem::remove(directory_.path() / "model/tokenizer_config.json");
    EXPECT_EQ(Load(), "loaded");
  }
  std::string Without(const std::string& file) {
    Copy();
    std::filesystem::remove(directory_.path() / "model" / file);
    return Load();
  }

  TemporaryDirectory directory_;
  const json absent_ = json(json::value_t::discarded);
};

TEST_F(DamagedDirectory, TheCopyItselfLoads) {
  Copy();
  EXPECT_EQ(Load(), "loaded");
}

TEST_F(DamagedDirectory, MissingFilesAreNamed) {
  EXPECT_THAT(Without("config.json"), AllOf(HasSubstr("NOT_FOUND"), HasSubstr("config.json")));
  EXPECT_THAT(Without("model.safetensors"),
              AllOf(HasSubstr("NOT_FOUND"), HasSubstr("model.safetensors"), HasSubstr("pytorch_model.bin")));
  EXPECT_THAT(Without("source.spm"), AllOf(HasSubstr("NOT_FOUND"), HasSubstr("source.spm: No such file")));
  EXPECT_THAT(Without("target.spm"), AllOf(HasSubstr("NOT_FOUND"), HasSubstr("target.spm: No such file")));
  EXPECT_THAT(Without("vocab.json"), AllOf(HasSubstr("NOT_FOUND"), HasSubstr("vocab.json")));
  EXPECT_EQ(Without("generation_config.json"), "loaded");
  EXPECT_EQ(Without("tokenizer_config.json"), "loaded");
}

TEST_F(DamagedDirectory, BadJsonIsNamed) {
  for (const char* file : {"config.json", "generation_config.json", "vocab.json", "tokenizer_config.json"}) {
    Copy();
    directory_.Write(std::string("model/") + file, "{\"a\": ");
    EXPECT_THAT(Load(), AllOf(HasSubstr(file), HasSubstr("not valid JSON")));
    directory_.Write(std::string("model/") + file, "[1]");
    EXPECT_THAT(Load(), AllOf(HasSubstr(file), HasSubstr("not a JSON object")));
  }
}

// What copies or writes a JSON value recurses: a file of brackets must not end the process.
TEST_F(DamagedDirectory, JsonOfVeryManyLevelsIsRefused) {
  constexpr size_t kLevels = 1'000'000;
  const std::string brackets = std::string(kLevels, '[') + std::string(kLevels, ']');
  const auto refused = [](const char* file) { return AllOf(HasSubstr(file), HasSubstr("more than 64 levels")); };
  for (const char* file : {"config.json", "generation_config.json", "vocab.json", "tokenizer_config.json"}) {
    Copy();
    directory_.Write(std::string("model/") + file, "{\"model_type\": \"marian\", \"a\": " + brackets + "}");
    EXPECT_THAT(Load(), refused(file));
  }
  Copy("ntm-cell");
  directory_.Write("model/config.json", "{\"model_type\": \"ntm\", \"controller\": {\"type\": " + brackets + "}}");
  EXPECT_THAT(Load(), refused("config.json"));
  Copy("ntm-questions");
  directory_.Write("model/vocab.json", "{\"word\": " + brackets + "}");
  EXPECT_THAT(Load(), refused("vocab.json"));
  Copy();
  const std::string header = "{\"a\": " + brackets + "}";
  std::string length(8, '\0');
  for (size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> (8 * i));
  directory_.Write("model/model.safetensors", length + header);
  EXPECT_THAT(Load(), refused("model.safetensors"));
}

TEST_F(DamagedDirectory, WrongFieldsAreNamedWithTheirValue) {
  EXPECT_THAT(With("config.json", "model_type", "bert"),
              AllOf(HasSubstr("UNIMPLEMENTED"), HasSubstr("bert"), HasSubstr("marian")));
  EXPECT_THAT(With("config.json", "model_type", absent_), HasSubstr("model_type is missing"));
  EXPECT_THAT(With("config.json", "d_model", absent_), HasSubstr("d_model is missing"));
  EXPECT_THAT(With("config.json", "d_model", "wide"), HasSubstr("d_model is \"wide\""));
  EXPECT_THAT(With("config.json", "d_model", -4), HasSubstr("d_model is -4"));
  EXPECT_THAT(With("config.json", "d_model", 1e300), HasSubstr("d_model is 1e+300"));
  EXPECT_THAT(With("config.json", "encoder_layers", 1000000), HasSubstr("encoder_layers is 1000000"));
  EXPECT_THAT(With("config.json", "encoder_attention_heads", 5),
              AllOf(HasSubstr("encoder_attention_heads is 5"), HasSubstr("16")));
  EXPECT_THAT(With("config.json", "activation_function", "mish"), AllOf(HasSubstr("UNIMPLEMENTED"), HasSubstr("mish")));
  EXPECT_THAT(With("config.json", "normalize_before", true),
              AllOf(HasSubstr("UNIMPLEMENTED"), HasSubstr("normalize_before")));
  EXPECT_THAT(With("config.json", "eos_token_id", 100000), HasSubstr("eos_token_id is 100000"));
  EXPECT_THAT(With("config.json", "decoder_vocab_size", 50), HasSubstr("decoder_vocab_size is 50"));
  EXPECT_THAT(With("generation_config.json", "num_beams", 0), HasSubstr("num_beams is 0"));
  EXPECT_THAT(With("generation_config.json", "early_stopping", "soon"), HasSubstr("early_stopping is \"soon\""));
  EXPECT_THAT(With("generation_config.json", "bad_words_ids", {{100000}}), HasSubstr("bad_words_ids"));
  EXPECT_THAT(With("generation_config.json", "forced_bos_token_id", 5),
              AllOf(HasSubstr("UNIMPLEMENTED"), HasSubstr("forced_bos_token_id")));
}

TEST_F(DamagedDirectory, WrongShapesAreNamedWithBothShapes) {
  EXPECT_THAT(With("config.json", "encoder_ffn_dim", 25),
              AllOf(HasSubstr("model.encoder.layers.0.fc1.weight"), HasSubstr("[25, 16]"),
                    HasSubstr("but config.json asks for")));
  EXPECT_THAT(With("config.json", "vocab_size", 1000), HasSubstr("decoder_vocab_size"));
  EXPECT_THAT(With("config.json", "decoder_layers", 9),
              AllOf(HasSubstr("model.decoder.layers."), HasSubstr("is missing")));
}

TEST_F(DamagedDirectory, TruncatedAndLyingWeightsAreRefused) {
  Copy();
  const std::string bytes = directory_.Read("model/model.safetensors");
  for (size_t keep : {size_t{0}, size_t{7}, size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
    directory_.Write("model/model.safetensors", bytes.substr(0, keep));
    EXPECT_THAT(Load(), AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("model.safetensors"))) << keep;
  }
  std::string lying = bytes;
  lying[2] = '\x7f';  // the header's length
  directory_.Write("model/model.safetensors", lying);
  EXPECT_THAT(Load(), HasSubstr("header's length"));
}

TEST_F(DamagedDirectory, AMissingTensorIsNamed) {
  Copy();
  std::string bytes = directory_.Read("model/model.safetensors");
  const std::string name = "model.decoder.layers.1.fc2.bias";
  const size_t at = bytes.find(name);
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, name.size(), "model.decoder.layers.1.fc2.bios");
  directory_.Write("model/model.safetensors", bytes);
  EXPECT_THAT(Load(), AllOf(HasSubstr("'model.decoder.layers.1.fc2.bias'"), HasSubstr("is missing")));
}

TEST_F(DamagedDirectory, AWrongTokenizerIsRefused) {
  Copy();
  directory_.Write("model/source.spm", "not a model at all");
  EXPECT_THAT(Load(), AllOf(HasSubstr("source.spm"), HasSubstr("not a SentencePiece model")));
  directory_.Write("model/source.spm", "");
  EXPECT_THAT(Load(), HasSubstr("source.spm"));
  Copy();
  json vocabulary = {{"</s>", 0}, {"<unk>", 1}, {"other", 2}};
  directory_.Write("model/vocab.json", vocabulary.dump());
  EXPECT_THAT(Load(), AllOf(HasSubstr("source.spm"), HasSubstr("not this model's tokenizer")));
  EXPECT_THAT(With("vocab.json", "zebra", 5000), AllOf(HasSubstr("'zebra'"), HasSubstr("5000")));
  EXPECT_THAT(With("vocab.json", "zebra", "five"), AllOf(HasSubstr("'zebra'"), HasSubstr("not a whole number")));
  EXPECT_THAT(With("vocab.json", "zebra", 3), AllOf(HasSubstr("'zebra'"), HasSubstr("both have id 3")));
  EXPECT_THAT(With("vocab.json", "<unk>", absent_), HasSubstr("<unk>"));
}

TEST_F(DamagedDirectory, ARecurrentTranslatorsFilesAreNamed) {
  const std::string fixture = "rnn-reference-joeynmt-luong";
  for (const char* file : {"config.json", "model.safetensors", "source_vocab.txt", "target_vocab.txt"}) {
    Copy(fixture);
    std::filesystem::remove(directory_.path() / "model" / file);
    EXPECT_THAT(Load(), AllOf(HasSubstr("NOT_FOUND"), HasSubstr(file)));
    directory_.Write(std::string("model/") + file,
                     "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n");
    EXPECT_THAT(Load(), AllOf(HasSubstr(std::string(file) + ": is a git-lfs pointer"), HasSubstr("git lfs pull")));
  }
  Copy(fixture);
  const std::string weights = directory_.Read("model/model.safetensors");
  directory_.Write("model/model.safetensors", weights.substr(0, weights.size() / 2));
  EXPECT_THAT(Load(), AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("model.safetensors")));
  Copy(fixture);
  directory_.Write("model/source_vocab.txt", directory_.Read("model/source_vocab.txt") + "more\n");
  EXPECT_THAT(Load(), AllOf(HasSubstr("source_vocab.txt"), HasSubstr("13"), HasSubstr("12")));
  Copy(fixture);
  Set("config.json", "tokenizer", absent_);
  EXPECT_THAT(Load(), HasSubstr("config.json: tokenizer is missing"));
  Set("config.json", "tokenizer", {{"kind", "characters"}});
  EXPECT_THAT(Load(), HasSubstr("tokenizer: kind is \"characters\", which is none of"));
}

TEST_F(DamagedDirectory, ATransformerXlsTokenizerFilesAreNamed) {
  CheckTokenizerFiles("transformer-xl-clamped", "vocab.txt", "TransfoXLTokenizer");
  Copy("transformer-xl-clamped");
  const std::string vocabulary = directory_.Read("model/vocab.txt");
  directory_.Write("model/vocab.txt", vocabulary + "more\n");
  EXPECT_THAT(Load(), AllOf(HasSubstr("vocab.txt: has "), HasSubstr("config.json's vocabulary has")));
  const size_t third = vocabulary.find('\n', vocabulary.find('\n') + 1);
  directory_.Write("model/vocab.txt", "twice\ntwice" + vocabulary.substr(third));
  EXPECT_THAT(Load(), HasSubstr("vocab.txt:2: \"twice\" is in line 1 too"));
  Copy("transformer-xl-clamped");
  Set("tokenizer_config.json", "heed_tokenization", "letters");
  EXPECT_THAT(Load(), AllOf(HasSubstr("tokenizer_config.json: heed_tokenization is \"letters\""),
                            HasSubstr("moses, whitespace, characters, bytes")));
}

TEST_F(DamagedDirectory, AnXlnetsTokenizerFilesAreNamed) {
  CheckTokenizerFiles("xlnet-lm", "spiece.model", "XLNetTokenizer");
  Copy("xlnet-lm");
  directory_.Write("model/spiece.model", directory_.Read("model/spiece.model").substr(0, 200));
  EXPECT_THAT(Load(), HasSubstr("spiece.model: "));
  Copy("xlnet-lm");
  Set("tokenizer_config.json", "sep_token", "<nothing>");
  EXPECT_THAT(Load(), HasSubstr("spiece.model: has no piece \"<nothing>\""));
  Copy("xlnet-lm");
  Set("config.json", "vocab_size", 91);
  EXPECT_THAT(Load(), AllOf(HasSubstr("90"), HasSubstr("91")));
}

// Whichever of the tied names it is, a copy with other values is not ignored.
TEST_F(DamagedDirectory, ARecurrentTranslatorsTiedTensorsMustBeTheSame) {
  Copy("rnn-reference-tied-scaled");
  auto file = SafetensorsFile::Open(directory_.File("model/model.safetensors"));
  ASSERT_TRUE(file.ok()) << file.status();
  std::map<std::string, std::vector<float>> values;
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const auto& [name, tensor] : file->tensors()) {
    values[name] = ReadFloats(tensor);
    shapes[name] = tensor.shape;
  }
  const auto load = [&] {
    std::vector<TensorToWrite> tensors;
    for (const auto& [name, own] : values) tensors.push_back({name, DType::kF32, shapes[name], {BytesOf(own)}});
    EXPECT_TRUE(WriteSafetensors(directory_.File("model/model.safetensors"), tensors, {}).ok());
    return Load();
  };
  for (const auto& [name, field] :
       {std::pair{"encoder.embedding.weight", "tied_embeddings"}, {"output.weight", "tied_output"}}) {
    values[name] = values["decoder.embedding.weight"];
    shapes[name] = shapes["decoder.embedding.weight"];
    EXPECT_EQ(load(), "loaded") << name;
    values[name][5] += 1;
    EXPECT_THAT(load(), AllOf(HasSubstr(std::string("tensor '") + name + "' is"), HasSubstr("at [0, 5]"),
                              HasSubstr(std::string("set ") + field + " to false")));
    values.erase(name);
  }
}

// The weights as torch.save writes them, without model.safetensors: the same tensors, and the model answers.
TEST_F(DamagedDirectory, EveryKindOfModelLoadsFromPytorchModelBin) {
  for (const char* fixture : {"pyg-gat", "ntm-cell", "marian-swish"}) {
    Copy(fixture);
    const auto expected = Checkpoint::Open(directory_.File("model"));
    ASSERT_TRUE(expected.ok()) << expected.status();
    std::filesystem::remove(directory_.path() / "model/model.safetensors");
    std::filesystem::copy(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/torch-files/model-" + fixture + ".bin",
                          directory_.path() / "model/pytorch_model.bin");
    const auto found = Checkpoint::Open(directory_.File("model"));
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->tensors().size(), expected->tensors().size());
    for (const auto& [name, tensor] : expected->tensors()) {
      ASSERT_NE(found->Find(name), nullptr) << name;
      EXPECT_EQ(ReadFloats(*found->Find(name)), ReadFloats(tensor)) << name;
    }
    const auto model = LoadProbedModel(directory_.File("model"), fixture);
    EXPECT_TRUE(model.ok()) << model.status();
  }
}

TEST_F(DamagedDirectory, GitLfsPointersSayWhatToDo) {
  for (const char* file : {"model.safetensors", "config.json", "generation_config.json", "vocab.json",
                           "tokenizer_config.json", "source.spm", "target.spm"}) {
    Copy();
    directory_.Write(std::string("model/") + file,
                     "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n");
    EXPECT_THAT(Load(), AllOf(HasSubstr(std::string(file) + ": is a git-lfs pointer"), HasSubstr("git lfs pull")));
  }
}

// The tensors of a safetensors file, to write it again with others.
class MarianTensors : public DamagedDirectory {
 protected:
  void SetUp() override {
    Copy("marian-gelu-untied");
    auto file = SafetensorsFile::Open(directory_.File("model/model.safetensors"));
    ASSERT_TRUE(file.ok()) << file.status();
    for (const auto& [name, tensor] : file->tensors()) {
      values_[name] = ReadFloats(tensor);
      shapes_[name] = tensor.shape;
    }
  }
  void Copied(const std::string& from, const std::string& to) {
    values_[to] = values_.at(from);
    shapes_[to] = shapes_.at(from);
  }
  std::string LoadThem() {
    std::vector<TensorToWrite> tensors;
    for (const auto& [name, values] : values_) tensors.push_back({name, DType::kF32, shapes_[name], {BytesOf(values)}});
    EXPECT_TRUE(WriteSafetensors(directory_.File("model/model.safetensors"), tensors, {}).ok());
    return Load();
  }

  std::map<std::string, std::vector<float>> values_;
  std::map<std::string, std::vector<int64_t>> shapes_;
};

// Whichever of the tied names it is, a copy with other values is not ignored.
TEST_F(MarianTensors, TiedTensorsThatDifferAreRefusedByName) {
  EXPECT_EQ(LoadThem(), "loaded");
  Set("config.json", "tie_word_embeddings", true);
  EXPECT_THAT(LoadThem(), AllOf(HasSubstr("tensor 'lm_head.weight' is"), HasSubstr("'model.shared.weight'"),
                                HasSubstr("set tie_word_embeddings to false")));
  Copied("model.shared.weight", "lm_head.weight");
  EXPECT_EQ(LoadThem(), "loaded");
  for (const char* name : {"model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"}) {
    Copied("model.shared.weight", name);
    EXPECT_EQ(LoadThem(), "loaded") << name;
    values_[name][5] += 1;
    EXPECT_THAT(LoadThem(), AllOf(HasSubstr(std::string("tensor '") + name + "' is"),
                                  HasSubstr("set share_encoder_decoder_embeddings to false")));
    values_.erase(name);
  }
  // One of the names is enough.
  Copied("model.shared.weight", "model.decoder.embed_tokens.weight");
  values_.erase("model.shared.weight");
  values_.erase("lm_head.weight");
  EXPECT_EQ(LoadThem(), "loaded");
  // An output layer that is not tied is no embedding.
  values_.erase("model.decoder.embed_tokens.weight");
  values_["lm_head.weight"] =
      std::vector<float>(static_cast<size_t>(shapes_["lm_head.weight"][0] * shapes_["lm_head.weight"][1]));
  Set("config.json", "tie_word_embeddings", false);
  EXPECT_THAT(LoadThem(), AllOf(HasSubstr("'model.shared.weight'"), HasSubstr("is missing")));
}

TEST_F(MarianTensors, ALayerThatConfigDoesNotHaveIsRefusedAndOthersAreSaid) {
  Copied("model.encoder.layers.0.fc1.bias", "model.encoder.layers.7.fc1.bias");
  EXPECT_THAT(LoadThem(), HasSubstr("tensor 'model.encoder.layers.7.fc1.bias' ["));
  values_.erase("model.encoder.layers.7.fc1.bias");
  Copied("final_logits_bias", "position_ids");
  ASSERT_EQ(LoadThem(), "loaded");
  EXPECT_THAT((*LoadModel(directory_.File("model")))->spec().warnings,
              testing::ElementsAre(HasSubstr("tensor 'position_ids'")));
}

// One value of one tensor, in every kind of model: the first, the last and one in the middle.
TEST_F(DamagedDirectory, AWeightThatIsNotFiniteIsRefusedWithItsTensorAndPlace) {
  for (const char* fixture : {"marian-swish", "marian-separate", "pyg-gat", "pyg-gcn-edge-weights",
                              "pyg-pool-attention", "pyg-edge-mlp-concat", "ntm-defaults", "ntm-questions",
                              "rnn-reference-nematus", "rnn-reference-joeynmt-luong", "rnn-reference-wide-f16"}) {
    Copy(fixture);
    const std::string whole = directory_.Read("model/model.safetensors");
    uint64_t length = 0;
    std::memcpy(&length, whole.data(), 8);
    const json header = json::parse(whole.substr(8, length));
    for (const auto& [name, tensor] : header.items()) {
      if (name == "__metadata__") continue;
      std::string bytes = whole;
      const std::string bad =
          tensor["dtype"] == "F16" ? std::string("\x00\x7e", 2) : std::string("\x00\x00\xc0\x7f", 4);
      bytes.replace(8 + length + tensor["data_offsets"][1].get<size_t>() - bad.size(), bad.size(), bad);
      directory_.Write("model/model.safetensors", bytes);
      EXPECT_THAT(Load(),
                  AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("tensor '" + name + "'"), HasSubstr("is nan at [")))
          << fixture;
    }
  }
}

}  // namespace
}  // namespace heed
