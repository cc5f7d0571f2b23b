// SPDX-License-Identifier: Apache-2.0
#include "client/render/heat_map.h"

#include <gtest/gtest.h>

namespace heed::client {
namespace {

struct Picture {
  v1::TranslatedSentence sentence;
  v1::TranslationHypothesis hypothesis;

  Picture(const std::vector<std::string>& source, const std::vector<std::string>& target,
          const std::vector<float>& weights) {
    for (const std::string& token : source) sentence.add_source_tokens(token);
    for (const std::string& token : target) hypothesis.add_tokens(token);
    v1::TranslationAttention& attention = *hypothesis.mutable_attention();
    attention.set_row_count(static_cast<int>(target.size()));
    attention.set_column_count(static_cast<int>(source.size()));
    for (const float weight : weights) attention.add_weights(weight);
  }
};

TEST(HeatMap, RowsAreTargetTokensUnderAStaircaseOfSourceTokens) {
  const Picture picture({"▁Where", "▁is", "</s>"}, {"▁Wo", "▁für", "</s>"},
                        {0.9f, 0.06f, 0.04f, 0.3f, 0.5f, 0.2f, 0.0f, 0.0f, 1.0f});
  EXPECT_EQ(HeatMap(picture.sentence, picture.hypothesis, 80),
            "     _Where\n"
            "     │  _is\n"
            "     │  │  </s>\n"
            " _Wo ██ ░░ ··\n"
            "_für ▒▒ ▓▓ ▒▒\n"
            "</s> ·· ·· ██\n"
            "     · <0.05  ░ 0.05  ▒ 0.2  ▓ 0.4  █ 0.7\n");
}

TEST(HeatMap, ColumnsGetNarrowerAndThenContinueBelow) {
  const Picture picture({"a", "b", "c", "d"}, {"x"}, {1, 0, 0, 0});
  EXPECT_EQ(HeatMap(picture.sentence, picture.hypothesis, 11).substr(0, 4), "  a\n");
  EXPECT_EQ(HeatMap(picture.sentence, picture.hypothesis, 10),
            "  a\n  │ b\n  │ │ c\n  │ │ │ d\nx █ · · ·\n  · <0.05  ░ 0.05  ▒ 0.2  ▓ 0.4  █ 0.7\n");
  EXPECT_EQ(HeatMap(picture.sentence, picture.hypothesis, 6),
            "  a\n  │b\n  ││c\n  │││d\nx █···\n  · <0.05  ░ 0.05  ▒ 0.2  ▓ 0.4  █ 0.7\n");
  EXPECT_EQ(HeatMap(picture.sentence, picture.hypothesis, 4),
            "  a\n  │b\nx █·\n  c\n  │d\nx ··\n  · <0.05  ░ 0.05  ▒ 0.2  ▓ 0.4  █ 0.7\n");
}

TEST(HeatMap, WideTokensKeepTheColumnsInLine) {
  const Picture picture({"▁a"}, {"你好", "e\u0301"}, {1, 1});
  EXPECT_EQ(HeatMap(picture.sentence, picture.hypothesis, 80),
            "     _a\n你好 ██\n   e\u0301 ██\n     · <0.05  ░ 0.05  ▒ 0.2  ▓ 0.4  █ 0.7\n");
}

TEST(HeatMap, EmptyWithoutWeightsForEveryPair) {
  Picture picture({"a", "b"}, {"x"}, {1});
  EXPECT_EQ(HeatMap(picture.sentence, picture.hypothesis, 80), "");
  picture.hypothesis.clear_attention();
  EXPECT_EQ(HeatMap(picture.sentence, picture.hypothesis, 80), "");
  EXPECT_EQ(HeatMap(v1::TranslatedSentence(), v1::TranslationHypothesis(), 80), "");
}

}  // namespace
}  // namespace heed::client
