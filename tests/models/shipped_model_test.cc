// The weights that ship: they load, and everyday sentences come out right.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "models/architectures.h"
#include "models/translator.h"

namespace heed {
namespace {

std::string Translate(const Translator& translator, const std::string& text) {
  Context context{1};
  auto started = translator.Start({text}, translator.default_options());
  EXPECT_TRUE(started.ok()) << started.status();
  for (const auto& task : started->tasks) {
    while (!task->finished()) {
      Task* const running[] = {task.get()};
      translator.Step(running, context);
    }
  }
  return started->tasks[0]->result().hypotheses[0].text;
}

TEST(ShippedModel, TranslatesEverydaySentences) {
  const auto model = LoadModel(std::string(HEED_SOURCE_DIR) + "/weights/translator-en-de");
  ASSERT_TRUE(model.ok()) << model.status();
  const auto translator = std::dynamic_pointer_cast<const Translator>(*model);
  ASSERT_NE(translator, nullptr);
  EXPECT_EQ(translator->spec().source_language, "en");
  EXPECT_EQ(translator->spec().target_language, "de");
  EXPECT_EQ(translator->default_options().beam_size, 4);
  const auto is_one_of = [&](const std::string& text, const std::vector<std::string>& right) {
    const std::string translation = Translate(*translator, text);
    EXPECT_NE(std::find(right.begin(), right.end(), translation), right.end()) << text << " -> " << translation;
  };
  is_one_of("Good morning.", {"Guten Morgen.", "Guten Morgen!"});
  is_one_of("I am hungry.", {"Ich habe Hunger.", "Ich bin hungrig.", "Ich habe Hunger!", "Ich bin hungrig!"});
  is_one_of("Where is the station?", {"Wo ist der Bahnhof?"});
  is_one_of("I love you.", {"Ich liebe dich.", "Ich liebe Sie.", "Ich liebe euch.", "Ich liebe dich!"});
}

}  // namespace
}  // namespace heed
