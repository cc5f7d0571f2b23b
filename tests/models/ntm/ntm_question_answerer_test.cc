// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/invalid_argument.h"
#include "models/architectures.h"
#include "models/kinds/question_answerer.h"
#include "models/ntm/ntm_story.h"
#include "tests/support/advance.h"

namespace heed {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> Facts(size_t count, uint32_t seed = 0) {
  const char* people[] = {"Mary", "John's dog", "Daniel"};
  const char* acts[] = {"moved to the bathroom.", "went back to the hallway.", "left the milk there."};
  std::mt19937 random(seed);
  std::vector<std::string> facts;
  for (size_t i = 0; i < count; ++i) {
    facts.push_back(std::string(people[random() % 3]) + " " + acts[random() % 3]);
  }
  return facts;
}

class NtmQuestionAnswererTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto model = LoadModel(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + GetParam());
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = std::dynamic_pointer_cast<const QuestionAnswerer>(*model);
    ASSERT_NE(model_, nullptr);
  }

  std::unique_ptr<StoryTask> Started(StoryRequest request) const {
    auto task = model_->Start(std::move(request));
    EXPECT_TRUE(task.ok()) << task.status();
    return *std::move(task);
  }
  std::unique_ptr<StoryTask> Run(StoryRequest request) {
    std::unique_ptr<StoryTask> task = Started(std::move(request));
    Advance(*model_, {task.get()}, context_);
    EXPECT_TRUE(task->error().ok()) << task->error();
    return task;
  }
  std::shared_ptr<const State> Tell(std::shared_ptr<const State> state, std::vector<std::string> facts) {
    StoryRequest request;
    request.state = std::move(state);
    request.facts = std::move(facts);
    return Run(std::move(request))->state();
  }
  static StoryRequest Question(std::shared_ptr<const State> state, std::string text = "Where is the milk?") {
    StoryRequest request;
    request.state = std::move(state);
    request.questions = {{std::move(text), {}}};
    request.top = 0;
    request.return_reads = true;
    request.return_attribution = true;
    return request;
  }
  QuestionAnswer Ask(std::shared_ptr<const State> state, std::string text = "Where is the milk?") {
    return Run(Question(std::move(state), std::move(text)))->answers()[0];
  }
  absl::Status StartError(StoryRequest request) const { return model_->Start(std::move(request)).status(); }

  std::shared_ptr<const QuestionAnswerer> model_;
  Context context_{1};
};

void ExpectSame(const QuestionAnswer& a, const QuestionAnswer& b) {
  ASSERT_EQ(a.candidates.size(), b.candidates.size());
  for (size_t i = 0; i < a.candidates.size(); ++i) {
    EXPECT_EQ(a.candidates[i].text, b.candidates[i].text);
    EXPECT_EQ(a.candidates[i].probability, b.candidates[i].probability);
  }
  ASSERT_EQ(a.reads.size(), b.reads.size());
  for (size_t i = 0; i < a.reads.size(); ++i) EXPECT_EQ(a.reads[i].weights, b.reads[i].weights);
  ASSERT_EQ(a.facts.size(), b.facts.size());
  for (size_t i = 0; i < a.facts.size(); ++i) {
    EXPECT_EQ(a.facts[i].fact, b.facts[i].fact);
    EXPECT_EQ(a.facts[i].weight, b.facts[i].weight);
  }
}

TEST_P(NtmQuestionAnswererTest, FactByFactEqualsTheWholeStoryAtOnce) {
  const std::vector<std::string> facts = Facts(12);
  std::shared_ptr<const State> state;
  for (const std::string& fact : facts) state = Tell(state, {fact});
  const std::shared_ptr<const State> whole = Tell(nullptr, facts);
  EXPECT_EQ(state->Serialize(), whole->Serialize());
  EXPECT_EQ(state->units(), 12);
  ExpectSame(Ask(state), Ask(whole));
}

TEST_P(NtmQuestionAnswererTest, AStatelessStoryAnswersAsASessionDoes) {
  const std::vector<std::string> facts = Facts(7);
  StoryRequest story;
  story.facts = facts;
  story.top = 0;
  story.return_reads = story.return_attribution = true;
  // Out of order, several at a place, one before any fact.
  for (const int64_t after : {7, 3, 3, 0, 5}) story.questions.push_back({"Where is Mary?", after});
  const std::unique_ptr<StoryTask> task = Run(story);
  for (size_t i = 0; i < story.questions.size(); ++i) {
    const auto told = static_cast<int64_t>(*story.questions[i].after_facts);
    const auto state = Tell(nullptr, {facts.begin(), facts.begin() + told});
    ExpectSame(task->answers()[i], Ask(told == 0 ? nullptr : state, "Where is Mary?"));
  }
}

TEST_P(NtmQuestionAnswererTest, AskingChangesNothing) {
  const auto state = Tell(nullptr, Facts(5));
  const std::string before = state->Serialize();
  const std::unique_ptr<StoryTask> task = Run(Question(state));
  EXPECT_EQ(task->state(), nullptr);
  EXPECT_EQ(state->Serialize(), before);
}

TEST_P(NtmQuestionAnswererTest, CommittedQuestionsMoveReadHeadsButNotTheMemory) {
  const auto state = std::dynamic_pointer_cast<const NtmState>(Tell(nullptr, Facts(5)));
  StoryRequest request = Question(state);
  request.commit = true;
  const auto after = std::dynamic_pointer_cast<const NtmState>(Run(request)->state());
  ASSERT_NE(after, nullptr);
  const std::vector<float> old_values = state->machine.Values(), new_values = after->machine.Values();
  const MachineLayout& layout = state->machine.layout();
  const auto memory = static_cast<int64_t>(layout.slots * layout.width);
  EXPECT_TRUE(std::equal(old_values.begin(), old_values.begin() + memory, new_values.begin()));
  EXPECT_NE(old_values, new_values);
  EXPECT_EQ(after->units(), 5);
  // Several in one request are the same as one after the other.
  request.questions.push_back({"Where is Mary?", {}});
  StoryRequest second = Question(after, "Where is Mary?");
  second.commit = true;
  const std::unique_ptr<StoryTask> both = Run(request), alone = Run(second);
  EXPECT_EQ(both->state()->Serialize(), alone->state()->Serialize());
  ExpectSame(both->answers()[1], alone->answers()[0]);
}

TEST_P(NtmQuestionAnswererTest, CommittedQuestionsBetweenFactsKeepTheirOrder) {
  const std::vector<std::string> facts = Facts(4);
  StoryRequest request = Question(nullptr);
  request.facts = facts;
  request.commit = true;
  request.questions[0].after_facts = 2;
  const auto together = Run(request)->state();
  StoryRequest middle = Question(Tell(nullptr, {facts[0], facts[1]}));
  middle.commit = true;
  EXPECT_EQ(together->Serialize(), Tell(Run(middle)->state(), {facts[2], facts[3]})->Serialize());
}

TEST_P(NtmQuestionAnswererTest, ForksHaveNothingToDoWithEachOther) {
  const auto common = Tell(nullptr, Facts(4));
  const auto left = Tell(common, {"Mary moved to the bathroom."});
  const auto right = Tell(common, {"Mary went to the hallway."});
  EXPECT_NE(left->Serialize(), right->Serialize());
  EXPECT_EQ(Tell(common, {"Mary moved to the bathroom."})->Serialize(), left->Serialize());
}

TEST_P(NtmQuestionAnswererTest, AStateComesBackFromItsBytesToTheBit) {
  const auto state = Tell(nullptr, Facts(9));
  auto back = model_->ParseState(state->Serialize());
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ((*back)->Serialize(), state->Serialize());
  EXPECT_EQ((*back)->units(), 9);
  ExpectSame(Ask(*back), Ask(state));
  EXPECT_EQ(Tell(*back, Facts(3, 1))->Serialize(), Tell(state, Facts(3, 1))->Serialize());
}

TEST_P(NtmQuestionAnswererTest, DamagedBytesAreRefusedOrAreAnotherState) {
  const std::string bytes = Tell(nullptr, Facts(3))->Serialize();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(model_->ParseState(bytes.substr(0, size)).status().code(), absl::StatusCode::kInvalidArgument) << size;
  }
  EXPECT_EQ(model_->ParseState(bytes + "x").status().code(), absl::StatusCode::kInvalidArgument);
  std::mt19937 random(1);
  for (int i = 0; i < 5000; ++i) {
    std::string damaged = bytes;
    for (int flips = 0; flips < 1 + i % 3; ++flips) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    auto state = model_->ParseState(damaged);
    if (!state.ok()) continue;
    // Whatever loads can be told and asked: it answers, or says that it cannot.
    StoryRequest request = Question(*state);
    request.facts = {"Mary moved to the bathroom."};
    std::unique_ptr<StoryTask> task = Started(request);
    Advance(*model_, {task.get()}, context_);
    if (task->error().ok()) {
      EXPECT_EQ(task->state()->units(), (*state)->units() + 1);
    }
  }
}

TEST_P(NtmQuestionAnswererTest, ValuesThatAreNotFiniteAreRefused) {
  std::string bytes = Tell(nullptr, Facts(3))->Serialize();
  const float infinite = std::numeric_limits<float>::infinity();
  std::memcpy(bytes.data() + sizeof(uint32_t) + 5 * sizeof(int64_t), &infinite, sizeof(infinite));
  EXPECT_THAT(std::string(model_->ParseState(bytes).status().message()), HasSubstr("not finite"));
}

TEST_P(NtmQuestionAnswererTest, WeightsThatNoHeadHasAreRefused) {
  const auto state = std::dynamic_pointer_cast<const NtmState>(Tell(nullptr, Facts(3)));
  const MachineLayout& layout = state->machine.layout();
  for (const float weight : {-0.5f, 2.0f}) {
    std::string bytes = state->Serialize();
    const size_t at =
        sizeof(uint32_t) + 5 * sizeof(int64_t) + static_cast<size_t>(layout.slots * layout.width) * sizeof(float);
    std::memcpy(bytes.data() + at, &weight, sizeof(weight));
    EXPECT_THAT(std::string(model_->ParseState(bytes).status().message()), HasSubstr("not from 0 to 1"));
  }
}

TEST_P(NtmQuestionAnswererTest, DamagedCountsAndLengthsAreRefused) {
  const auto state = std::dynamic_pointer_cast<const NtmState>(Tell(nullptr, Facts(3)));
  const std::string bytes = state->Serialize();
  const size_t facts_at =
      sizeof(uint32_t) + 5 * sizeof(int64_t) + static_cast<size_t>(state->machine.layout().values()) * sizeof(float);
  const auto refused = [&](size_t at, uint64_t number) {
    std::string damaged = bytes;
    std::memcpy(damaged.data() + at, &number, sizeof(number));
    return model_->ParseState(damaged).status().code() == absl::StatusCode::kInvalidArgument;
  };
  for (const uint64_t number : {uint64_t{0}, uint64_t{4}, uint64_t{1} << 32, ~uint64_t{0}, uint64_t{1} << 63}) {
    EXPECT_TRUE(refused(facts_at, number)) << "facts " << number;
    EXPECT_TRUE(refused(facts_at + 8, number)) << "length of the first " << number;
    EXPECT_TRUE(refused(sizeof(uint32_t), number)) << "slots " << number;
  }
}

TEST_P(NtmQuestionAnswererTest, SixtyFourInterleavedSessionsEqualSixtyFourAlone) {
  std::vector<std::string> alone;
  std::vector<QuestionAnswer> answers;
  const auto request = [&](uint32_t i) {
    StoryRequest one = Question(nullptr);
    one.facts = Facts(1 + i % 9, i);
    for (int64_t after = 0; after < static_cast<int64_t>(i % 4); ++after) {
      one.questions.push_back({"Where is Mary?", std::min<int64_t>(after, static_cast<int64_t>(one.facts.size()))});
    }
    return one;
  };
  for (uint32_t i = 0; i < 64; ++i) {
    const std::unique_ptr<StoryTask> task = Run(request(i));
    alone.push_back(task->state()->Serialize());
    answers.insert(answers.end(), task->answers().begin(), task->answers().end());
  }
  for (const int team : {1, 3}) {
    Context context(team);
    std::vector<std::unique_ptr<StoryTask>> tasks;
    std::vector<Task*> running;
    // They do not begin together either.
    for (uint32_t i = 0; i < 64; ++i) {
      tasks.push_back(Started(request(i)));
      running.push_back(tasks.back().get());
      running.erase(std::remove_if(running.begin(), running.end(), [](Task* task) { return task->finished(); }),
                    running.end());
      if (i % 5 == 0 && !running.empty()) model_->Step(running, context);
    }
    Advance(*model_, running, context);
    size_t answer = 0;
    for (size_t i = 0; i < 64; ++i) {
      ASSERT_TRUE(tasks[i]->error().ok());
      EXPECT_EQ(tasks[i]->state()->Serialize(), alone[i]) << i;
      for (const QuestionAnswer& got : tasks[i]->answers()) ExpectSame(got, answers[answer++]);
    }
  }
}

TEST_P(NtmQuestionAnswererTest, ManyQuestionsAtOnePlaceWaitForEachOther) {
  StoryRequest request = Question(nullptr);
  request.facts = Facts(3);
  request.questions.assign(NtmStory::kMaxThoughts * 2 + 5, {"Where is Mary?", 2});
  std::unique_ptr<StoryTask> task = Started(request);
  Task* one = task.get();
  int64_t most = 0;
  while (!task->finished()) {
    EXPECT_GE(task->next_rows(), 1);
    most = std::max(most, task->next_rows());
    model_->Step(absl::MakeConstSpan(&one, 1), context_);
  }
  EXPECT_LE(most, static_cast<int64_t>(NtmStory::kMaxThoughts) + 1);
  for (const QuestionAnswer& answer : task->answers()) ExpectSame(answer, task->answers()[0]);
  EXPECT_EQ(task->state()->units(), 3);
}

TEST_P(NtmQuestionAnswererTest, AttributionNamesFactsThatWereToldAndAddsUpToOneAtMost) {
  const std::vector<std::string> facts = Facts(6);
  const QuestionAnswer answer = Ask(Tell(nullptr, facts));
  ASSERT_FALSE(answer.facts.empty());
  float sum = 0;
  for (size_t i = 0; i < answer.facts.size(); ++i) {
    EXPECT_EQ(answer.facts[i].text, facts[static_cast<size_t>(answer.facts[i].fact)]);
    EXPECT_LE(answer.facts[i].weight, answer.facts[i == 0 ? 0 : i - 1].weight);
    sum += answer.facts[i].weight;
  }
  EXPECT_GT(sum, 0);
  EXPECT_LE(sum, 1.0001f);
  StoryRequest plain = Question(Tell(nullptr, facts));
  plain.return_attribution = plain.return_reads = false;
  plain.top = 1;
  const QuestionAnswer brief = Run(plain)->answers()[0];
  EXPECT_THAT(brief.facts, IsEmpty());
  EXPECT_THAT(brief.reads, IsEmpty());
  EXPECT_EQ(brief.candidates.size(), 1u);
}

TEST_P(NtmQuestionAnswererTest, ReadsTellHowEachHeadWasAddressed) {
  const QuestionAnswer answer = Ask(Tell(nullptr, Facts(4)));
  for (const HeadRead& read : answer.reads) {
    float weights = 0, shifts = 0;
    for (const float weight : read.weights) weights += weight;
    for (const float shift : read.shifts) shifts += shift;
    EXPECT_NEAR(weights, 1, 1e-4);
    EXPECT_NEAR(shifts, 1, 1e-5);
    EXPECT_EQ(read.shifts.size(), model_->shift_offsets().size());
    EXPECT_GT(read.strength, 0);
    EXPECT_GE(read.gate, 0);
    EXPECT_LE(read.gate, 1);
    EXPECT_GE(read.sharpening, 1);
  }
}

TEST_P(NtmQuestionAnswererTest, BadSentencesAreNamed) {
  StoryRequest request = Question(nullptr);
  request.facts = {"Mary moved to the bathroom.", " ... "};
  EXPECT_EQ(StartError(request), WithField(absl::InvalidArgumentError("facts[1] has no word"), "facts[1]"));
  request.facts = {"a b c d e f g h i j k l"};
  EXPECT_EQ(StartError(request),
            WithField(absl::InvalidArgumentError("facts[0] has 12 words, but the model reads at most 11"), "facts[0]"));
  request.facts = {"Mary" + std::string(800, ' ') + "moved"};
  EXPECT_EQ(StartError(request),
            WithField(absl::InvalidArgumentError("facts[0] has 809 bytes, but the model reads at most 11 words of 64"),
                      "facts[0]"));
  request.facts = {};
  request.questions[0].text = "?";
  EXPECT_EQ(StartError(request), WithField(absl::InvalidArgumentError("questions[0] has no word"), "questions[0]"));
  request = Question(nullptr);
  request.questions[0].after_facts = 1;
  EXPECT_EQ(StartError(request),
            InvalidField("questions[0].after_fact_count", 1, ", must be 0 to 0, the number of facts"));
  request.top = -1;
  EXPECT_EQ(StartError(request), InvalidField("options.top_k", -1, ", must be at least 0, all"));
}

TEST_P(NtmQuestionAnswererTest, UnknownWordsAreReportedAsSpeltAndOnce) {
  StoryRequest request = Question(nullptr, "Where is the Zeppelin, the zeppelin?");
  request.facts = {"Mary moved to the Café.", "Daniel went to the Café."};
  const std::unique_ptr<StoryTask> task = Run(request);
  EXPECT_THAT(task->unknown_words(), ElementsAre("Café"));
  EXPECT_THAT(task->answers()[0].unknown_words, ElementsAre("Zeppelin", "zeppelin"));
}

TEST_P(NtmQuestionAnswererTest, BytesOfAStateGrowWithItsFacts) {
  const auto few = Tell(nullptr, Facts(2)), many = Tell(few, Facts(200));
  EXPECT_GT(few->bytes(), static_cast<int64_t>(dynamic_cast<const NtmState&>(*few).machine.bytes()));
  EXPECT_GE(many->bytes() - few->bytes(), 200 * 20);
  EXPECT_LE(many->bytes() - few->bytes(), 200 * 200);
}

TEST_P(NtmQuestionAnswererTest, FingerprintsTellModelsApart) {
  EXPECT_EQ(model_->spec().fingerprint.size(), 32u);
  auto other = LoadModel(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/ntm-questions-few-times");
  ASSERT_TRUE(other.ok());
  EXPECT_NE((*other)->spec().fingerprint, model_->spec().fingerprint);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, NtmQuestionAnswererTest,
                         testing::Values("ntm-questions", "ntm-questions-feed-forward"), [](const auto& fixture) {
                           return std::string(fixture.param) == "ntm-questions" ? "Lstm" : "FeedForward";
                         });

}  // namespace
}  // namespace heed
