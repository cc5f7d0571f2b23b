// SPDX-License-Identifier: Apache-2.0
#include "models/search/generation_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "models/architectures.h"
#include "models/translation/marian_config.h"
#include "nlohmann/json.hpp"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// sorted(GenerationConfig().__dict__) of transformers 4.57.6.
constexpr const char* kTransformersFields[] = {"_commit_hash",
                                               "_from_model_config",
                                               "assistant_confidence_threshold",
                                               "assistant_early_exit",
                                               "assistant_lookbehind",
                                               "bad_words_ids",
                                               "begin_suppress_tokens",
                                               "bos_token_id",
                                               "cache_config",
                                               "cache_implementation",
                                               "compile_config",
                                               "constraints",
                                               "decoder_start_token_id",
                                               "disable_compile",
                                               "diversity_penalty",
                                               "do_sample",
                                               "dola_layers",
                                               "early_stopping",
                                               "encoder_no_repeat_ngram_size",
                                               "encoder_repetition_penalty",
                                               "eos_token_id",
                                               "epsilon_cutoff",
                                               "eta_cutoff",
                                               "exponential_decay_length_penalty",
                                               "force_words_ids",
                                               "forced_bos_token_id",
                                               "forced_eos_token_id",
                                               "guidance_scale",
                                               "is_assistant",
                                               "length_penalty",
                                               "low_memory",
                                               "max_length",
                                               "max_matching_ngram_size",
                                               "max_new_tokens",
                                               "max_time",
                                               "min_length",
                                               "min_new_tokens",
                                               "min_p",
                                               "no_repeat_ngram_size",
                                               "num_assistant_tokens",
                                               "num_assistant_tokens_schedule",
                                               "num_beam_groups",
                                               "num_beams",
                                               "num_return_sequences",
                                               "output_attentions",
                                               "output_hidden_states",
                                               "output_logits",
                                               "output_scores",
                                               "pad_token_id",
                                               "penalty_alpha",
                                               "prefill_chunk_size",
                                               "prompt_lookup_num_tokens",
                                               "remove_invalid_values",
                                               "renormalize_logits",
                                               "repetition_penalty",
                                               "return_dict_in_generate",
                                               "return_legacy_cache",
                                               "sequence_bias",
                                               "stop_strings",
                                               "suppress_tokens",
                                               "target_lookbehind",
                                               "temperature",
                                               "token_healing",
                                               "top_k",
                                               "top_p",
                                               "transformers_version",
                                               "typical_p",
                                               "use_cache",
                                               "watermarking_config"};

class GenerationSettings : public testing::Test {
 protected:
  GenerationSettings() {
    std::filesystem::copy(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/marian-relu", directory_.path() / "model");
    plain_ = json::parse(directory_.Read("model/generation_config.json"));
  }
  absl::StatusOr<MarianConfig> With(const std::string& field, const json& value) {
    json settings = plain_;
    settings[field] = value;
    directory_.Write("model/generation_config.json", settings.dump());
    return ReadMarianConfig(directory_.File("model"));
  }
  std::string Error(const std::string& field, const json& value) { return With(field, value).status().ToString(); }
  // As older directories have it.
  absl::StatusOr<MarianConfig> InConfig(const std::string& field, const json& value) {
    std::filesystem::remove(directory_.path() / "model/generation_config.json");
    json config = json::parse(directory_.Read("model/config.json"));
    config[field] = value;
    directory_.Write("model/config.json", config.dump());
    return ReadMarianConfig(directory_.File("model"));
  }

  TemporaryDirectory directory_;
  json plain_;
};

TEST_F(GenerationSettings, TheTableHasEveryFieldOfTransformers) {
  std::set<std::string> known;
  for (const GenerationField& field : GenerationFields()) EXPECT_TRUE(known.insert(field.name).second) << field.name;
  for (const char* field : kTransformersFields) EXPECT_TRUE(known.contains(field)) << field;
}

TEST_F(GenerationSettings, WhatIsRefusedIsNamedWithItsValue) {
  for (const GenerationField& field : GenerationFields()) {
    if (field.treatment != GenerationTreatment::kRefused) continue;
    EXPECT_THAT(Error(field.name, 7), AllOf(HasSubstr("UNIMPLEMENTED"),
                                            HasSubstr("generation_config.json: " + std::string(field.name) + " is 7")));
    EXPECT_TRUE(With(field.name, nullptr).ok()) << field.name;
    EXPECT_TRUE(With(field.name, json::array()).ok()) << field.name;
    const double neutral = field.neutral == NeutralValue::kOne ? 1 : 0;
    EXPECT_EQ(With(field.name, neutral).ok(), field.neutral != NeutralValue::kNone) << field.name;
  }
  EXPECT_THAT(Error("repetition_penalty", 5.0), HasSubstr("repetition_penalty is 5.0, which is not served"));
  EXPECT_THAT(Error("do_sample", true), HasSubstr("do_sample is true, but only requests choose to sample"));
  EXPECT_TRUE(With("do_sample", false).ok());
  EXPECT_THAT(Error("sequence_bias", {{{5}, 2.0}}), HasSubstr("sequence_bias is a list"));
  EXPECT_THAT(InConfig("encoder_no_repeat_ngram_size", 1).status().ToString(),
              HasSubstr("config.json: encoder_no_repeat_ngram_size is 1"));
}

TEST_F(GenerationSettings, WhatOnlySamplingReadsAndWhatIsUnknownIsAWarning) {
  EXPECT_THAT(With("temperature", 0.7)->generation.warnings,
              ElementsAre(HasSubstr("generation_config.json: temperature is 0.7")));
  EXPECT_THAT(With("top_k", 50)->generation.warnings, IsEmpty());
  EXPECT_THAT(With("max_time", 3)->generation.warnings, ElementsAre(HasSubstr("max_time is 3")));
  EXPECT_THAT(With("new_setting", 1)->generation.warnings,
              ElementsAre(HasSubstr("new_setting is 1, which is no setting")));
  EXPECT_THAT(With("use_cache", false)->generation.warnings, IsEmpty());
  // config.json has other fields, too.
  EXPECT_THAT(InConfig("new_setting", 1)->generation.warnings, IsEmpty());
  const auto model = LoadModel(directory_.File("model"));
  ASSERT_TRUE(model.ok()) << model.status();
}

TEST_F(GenerationSettings, LengthsAreServed) {
  EXPECT_EQ(With("min_length", 9)->generation.default_options.min_tokens, 8);  // without the decoder's first token
  EXPECT_EQ(With("min_new_tokens", 30)->generation.default_options.min_tokens, 30);
  EXPECT_THAT(Error("min_length", 97), HasSubstr("min_length is 97"));
  EXPECT_EQ(With("max_length", 8)->generation.search.max_tokens, 7);
  EXPECT_EQ(With("max_length", 20)->generation.search.max_tokens, 19);
  EXPECT_EQ(With("max_new_tokens", 5)->generation.search.max_new_tokens, 5);
  EXPECT_EQ(With("max_length", 1'000'000'000'000)->generation.search.max_tokens, 95);
  EXPECT_EQ(InConfig("max_length", 8)->generation.search.max_tokens, 7);
  EXPECT_EQ(InConfig("max_length", 20)->generation.search.max_tokens, 0);  // transformers' own default
}

TEST_F(GenerationSettings, AlignmentHeadsAreThoseOfTheNetwork) {
  EXPECT_THAT(With("alignment_heads", json::array())->generation.alignment_heads, IsEmpty());
  EXPECT_THAT(With("alignment_heads", {{1, 0}, {0, 1}})->generation.alignment_heads,
              ElementsAre(AlignmentHead{1, 0}, AlignmentHead{0, 1}));
  for (const json& wrong : {json(3), json({{1}}), json({{9, 0}}), json({{0, 99}}), json({{0, -1}})}) {
    EXPECT_THAT(Error("alignment_heads", wrong),
                HasSubstr("not a list of pairs of a layer below 3 and a head below 5"));
  }
  EXPECT_THAT(Error("alignment_heads", {{1, 0}, {1, 0}}), HasSubstr("which has [1, 0] twice"));
}

TEST_F(GenerationSettings, AListOfOneIdIsThatId) {
  EXPECT_EQ(With("eos_token_id", {7})->generation.search.eos, 7);
  EXPECT_EQ(With("decoder_start_token_id", {90})->generation.search.start, 90);
  EXPECT_TRUE(With("forced_eos_token_id", {7})->generation.search.force_eos);
  EXPECT_THAT(Error("eos_token_id", json::array()), HasSubstr("eos_token_id is a list, but not of one id below 91"));
  EXPECT_THAT(Error("eos_token_id", {91}), HasSubstr("eos_token_id is a list, but not of one id below 91"));
  EXPECT_EQ(InConfig("eos_token_id", {7})->generation.search.eos, 7);
  EXPECT_THAT(InConfig("eos_token_id", {7, 8}).status().ToString(),
              AllOf(HasSubstr("UNIMPLEMENTED"), HasSubstr("eos_token_id is a list of 2, but one id is served")));
}

TEST_F(GenerationSettings, BansMustBeLists) {
  EXPECT_THAT(With("begin_suppress_tokens", {3, 4})->generation.search.banned_first, ElementsAre(3, 4));
  EXPECT_THAT(Error("begin_suppress_tokens", 3), HasSubstr("begin_suppress_tokens is 3"));
  EXPECT_THAT(Error("suppress_tokens", {{"a", 3}}), HasSubstr("suppress_tokens is an object"));
  EXPECT_THAT(Error("bad_words_ids", 3), HasSubstr("bad_words_ids is 3"));
  EXPECT_THAT(Error("num_beams", 33), HasSubstr("num_beams is 33"));
  EXPECT_THAT(Error("length_penalty", 11), HasSubstr("length_penalty is 11"));
}

}  // namespace
}  // namespace heed
