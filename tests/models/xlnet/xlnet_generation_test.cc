// SPDX-License-Identifier: Apache-2.0
// Texts as transformers' generate makes them, by the model's own searches: tests/fixtures/make_xlnet.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "models/kinds/probe.h"
#include "models/xlnet_tasks/xlnet.h"
#include "tests/models/xlnet/xlnet_fixture.h"

namespace heed {
namespace {

using testing::HasSubstr;

class XlnetGeneration : public testing::TestWithParam<const char*> {
 protected:
  XlnetGeneration() { model_ = *LoadXlnet(XlnetFixturePath(GetParam()), GetParam()); }

  GenerateResult Generate(const GenerateRequest& request) {
    auto task = model_->StartGenerate(request, {});
    EXPECT_TRUE(task.ok()) << task.status();
    Context context(2);
    const absl::Status status = RunToEnd(*model_, **task, context);
    EXPECT_TRUE(status.ok()) << status;
    return (*task)->result();
  }

  XlnetFixture fixture_{GetParam()};
  std::shared_ptr<const LanguageModel> model_;
};

TEST_P(XlnetGeneration, AsTransformersDoesIt) {
  int texts = 0;
  for (const json& expected : fixture_.Cases("generate_text")) {
    const size_t length = expected["tokens"][0].size();
    GenerateRequest request;
    request.prompt = expected["prompt"];
    request.options = model_->default_options();
    request.options.mode = GenerateMode::kAsHuggingFace;
    request.options.beam_size = request.options.n_best = expected["num_beams"];
    request.options.max_tokens = static_cast<int>(length);
    request.options.stop_at_end = request.options.stop_loops = request.options.ban_unknown = false;
    request.options.sample = false;
    request.options.return_tokens = true;
    const GenerateResult result = Generate(request);
    ASSERT_EQ(result.texts.size(), expected["tokens"].size());
    for (size_t i = 0; i < result.texts.size(); ++i) {
      ++texts;
      std::vector<int32_t> ids;
      for (const TokenScore& token : result.texts[i].tokens) ids.push_back(token.id);
      EXPECT_EQ(ids, IdsOf(expected["tokens"][i])) << "text " << i;
      if (!expected.contains("scores")) continue;
      EXPECT_NEAR(result.texts[i].score, expected["scores"][i].get<double>(), kParity);
    }
  }
  EXPECT_GT(texts, 0);
}

// Without transformers' way the prompt's tokens do not see each other, and the text is another.
TEST_P(XlnetGeneration, CausalTextsGoOnFromASession) {
  GenerateRequest request;
  request.prompt = "two birds saw a dog near";
  request.options = model_->default_options();
  request.options.max_tokens = 30;
  request.options.stop_loops = false;
  request.options.return_tokens = true;
  request.options.return_attention = true;
  request.keep_state = true;
  auto task = model_->StartGenerate(request, {});
  ASSERT_TRUE(task.ok()) << task.status();
  Context context(1);
  ASSERT_TRUE(RunToEnd(*model_, **task, context).ok());
  const GenerateResult whole = (*task)->result();
  const auto state = model_->ParseState((*task)->state()->Serialize());
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ((*state)->units(), whole.prompt_tokens + whole.texts[0].token_count);
  request.prompt = "the old";
  request.options.mode = GenerateMode::kAsHuggingFace;
  request.state = *state;
  EXPECT_THAT(model_->StartGenerate(request, {}).status().ToString(), HasSubstr("options.mode"));
}

// They see each other, so that they are one step, which nobody else's request could interrupt.
TEST_P(XlnetGeneration, AsHuggingFaceAPromptHasALimit) {
  GenerateRequest request;
  for (int i = 0; i < 2000; ++i) request.prompt += "the ";
  request.options.max_tokens = 1;
  request.options.mode = GenerateMode::kAsHuggingFace;
  EXPECT_THAT(model_->StartGenerate(request, {}).status().ToString(),
              HasSubstr("which AS_HUGGING_FACE reads in one step, at most 1024"));
  request.options.mode = GenerateMode::kCausal;
  EXPECT_TRUE(model_->StartGenerate(request, {}).ok());
}

INSTANTIATE_TEST_SUITE_P(Fixtures, XlnetGeneration,
                         testing::Values("xlnet-lm", "xlnet-lm-relu-clamp", "xlnet-lm-memory", "xlnet-lm-uni",
                                         "xlnet-lm-untied"));

}  // namespace
}  // namespace heed
