// SPDX-License-Identifier: Apache-2.0
#include "models/xlnet/xlnet_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "models/xlnet_tasks/xlnet.h"
#include "nlohmann/json.hpp"
#include "tests/models/xlnet/xlnet_fixture.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class XlnetConfigTest : public testing::Test {
 protected:
  json Fixture(const std::string& name) {
    std::ifstream file(XlnetFixturePath(name) + "/config.json");
    return json::parse(file);
  }
  absl::StatusOr<XlnetConfig> Read(const json& config) {
    directory_.Write("config.json", config.dump());
    return ReadXlnetConfig(*JsonFields::Read(directory_.File("config.json")));
  }
  std::string With(const std::string& field, const json& value) {
    json config = Fixture("xlnet-lm");
    config[field] = value;
    return Read(config).status().ToString();
  }

  TemporaryDirectory directory_;
};

TEST_F(XlnetConfigTest, OlderNamesMeanTheSame) {
  json config = Fixture("xlnet-lm");
  config.erase("vocab_size");
  config["n_token"] = 90;
  config["output_past"] = true;
  const auto read = Read(config);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->vocabulary, 90);
  EXPECT_THAT(With("n_token", 91), HasSubstr("n_token is 91, but vocab_size is 90"));
  EXPECT_THAT(With("d_head", 7), HasSubstr("d_head is 7, but d_model / n_head is 8"));
}

TEST_F(XlnetConfigTest, AMemoryThatIsNotNamedIsTheClassDefault) {
  json config = Fixture("xlnet-lm");
  EXPECT_EQ(Read(config)->mem_len, 0);  // null
  config.erase("mem_len");
  EXPECT_EQ(Read(config)->mem_len, 512);
  config["mem_len"] = 1024;
  EXPECT_EQ(Read(config)->mem_len, 1024);
}

TEST_F(XlnetConfigTest, WrongFieldsAreNamedWithTheirValue) {
  EXPECT_THAT(With("n_head", 3), HasSubstr("n_head is 3, which does not divide d_model, 16"));
  EXPECT_THAT(With("bi_data", true), AllOf(HasSubstr("UNIMPLEMENTED"), HasSubstr("bi_data is true")));
  EXPECT_THAT(With("attn_type", "both"), HasSubstr("attn_type is \"both\", which is none of bi, uni"));
  EXPECT_THAT(With("ff_activation", "mish"), AllOf(HasSubstr("UNIMPLEMENTED"), HasSubstr("mish")));
  EXPECT_THAT(With("summary_type", "attn"), AllOf(HasSubstr("UNIMPLEMENTED"), HasSubstr("summary_type")));
  EXPECT_THAT(With("summary_type", "max"), HasSubstr("summary_type is \"max\""));
  EXPECT_THAT(With("summary_proj_to_labels", true), HasSubstr("summary_proj_to_labels"));
  EXPECT_THAT(With("mem_len", -1), HasSubstr("mem_len is -1"));
  EXPECT_THAT(With("clamp_len", "far"), HasSubstr("clamp_len is \"far\""));
  EXPECT_THAT(With("start_n_top", 0), HasSubstr("start_n_top is 0"));
  EXPECT_THAT(With("problem_type", "guess"), HasSubstr("problem_type is \"guess\""));
  EXPECT_THAT(With("id2label", json::object({{"0", "a"}, {"2", "b"}})), HasSubstr("id2label"));
  EXPECT_THAT(With("layer_norm_eps", 2), HasSubstr("layer_norm_eps is 2"));
  EXPECT_THAT(With("architectures", "XLNetModel"), HasSubstr("architectures"));
}

TEST_F(XlnetConfigTest, WeightsThatDoNotFitAreNamed) {
  const auto load = [&](const std::string& fixture, const std::string& field, const json& value) {
    TemporaryDirectory directory;
    std::filesystem::copy(XlnetFixturePath(fixture), directory.path(),
                          std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
    json config = Fixture(fixture);
    config[field] = value;
    directory.Write("config.json", config.dump());
    return LoadXlnet(directory.path().string(), "damaged").status().ToString();
  };
  EXPECT_THAT(load("xlnet-lm", "n_layer", 4), HasSubstr("'transformer.layer.3.rel_attn.q'"));
  EXPECT_THAT(load("xlnet-lm", "n_layer", 2), HasSubstr("transformer.layer.2"));
  EXPECT_THAT(load("xlnet-lm", "d_inner", 33), HasSubstr("[33, 16]"));
  EXPECT_THAT(load("xlnet-lm", "vocab_size", 80), HasSubstr("[80, 16]"));
  EXPECT_THAT(load("xlnet-classify", "id2label", json::object({{"0", "a"}})), HasSubstr("logits_proj.weight"));
  EXPECT_THAT(load("xlnet-lm-untied", "tie_word_embeddings", true), HasSubstr("lm_loss.weight"));
}

}  // namespace
}  // namespace heed
