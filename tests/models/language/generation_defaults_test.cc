// SPDX-License-Identifier: Apache-2.0
#include "models/language/generation_defaults.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

class GenerationDefaultsTest : public testing::Test {
 protected:
  absl::StatusOr<GenerationDefaults> Read(const std::string& config, const std::string& generation = "") {
    std::ofstream(directory_.path() / "config.json") << config;
    if (!generation.empty()) std::ofstream(directory_.path() / "generation_config.json") << generation;
    auto fields = JsonFields::Read((directory_.path() / "config.json").string());
    EXPECT_TRUE(fields.ok()) << fields.status();
    return ReadGenerationDefaults(directory_.path().string(), *fields);
  }
  TemporaryDirectory directory_;
};

TEST_F(GenerationDefaultsTest, WithoutSettingsSearchIsGreedy) {
  const auto defaults = Read("{}");
  ASSERT_TRUE(defaults.ok()) << defaults.status();
  EXPECT_FALSE(defaults->options.sample);
  EXPECT_EQ(defaults->options.beam_size, 1);
  EXPECT_EQ(defaults->options.sampling.top_k, 0);
  EXPECT_EQ(defaults->max_length, 0);
}

TEST_F(GenerationDefaultsTest, ThePipelinesSettingsStandAboveTheOthers) {
  const auto defaults = Read(R"({"task_specific_params": {"text-generation": {"do_sample": true, "max_length": 250}}})",
                             R"({"max_new_tokens": 30, "top_p": 0.9, "temperature": 0.7})");
  ASSERT_TRUE(defaults.ok()) << defaults.status();
  EXPECT_TRUE(defaults->options.sample);
  EXPECT_EQ(defaults->options.sampling.top_k, 50);  // transformers' own
  EXPECT_FLOAT_EQ(defaults->options.sampling.top_p, 0.9f);
  EXPECT_FLOAT_EQ(defaults->options.sampling.temperature, 0.7f);
  EXPECT_EQ(defaults->options.max_tokens, 30);
  EXPECT_EQ(defaults->max_length, 250);
}

TEST_F(GenerationDefaultsTest, ALengthBeyondTheLimitIsTheLimit) {
  const auto defaults = Read("{}", R"({"max_new_tokens": 99999999999})");
  ASSERT_TRUE(defaults.ok()) << defaults.status();
  EXPECT_EQ(defaults->options.max_tokens, kMaxGeneratedTokens);
}

TEST_F(GenerationDefaultsTest, WhatChangesTextsAndIsNotServedIsRefusedByName) {
  const char* const refused[] = {R"({"min_length": 5})",
                                 R"({"bad_words_ids": [[1]]})",
                                 R"({"renormalize_logits": true})",
                                 R"({"do_sample": true, "typical_p": 0.5})",
                                 R"({"do_sample": true, "num_beams": 4})",
                                 R"({"penalty_alpha": 0.6})"};
  for (const char* json : refused) {
    const auto defaults = Read("{}", json);
    EXPECT_EQ(defaults.status().code(), absl::StatusCode::kUnimplemented) << json << defaults.status();
    EXPECT_TRUE(absl::StrContains(defaults.status().message(), "generation_config.json")) << defaults.status();
  }
  EXPECT_TRUE(Read("{}", R"({"typical_p": 0.5})").ok());  // nothing is drawn
}

}  // namespace
}  // namespace heed
