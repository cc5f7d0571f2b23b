// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/invalid_argument.h"
#include "models/architectures.h"
#include "models/kinds/sequence_model.h"
#include "models/ntm/ntm_frame.h"
#include "tests/support/advance.h"
#include "tests/support/naive.h"

namespace heed {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;

TEST(FrameSequence, CopyEndsTheDataWithAMarkAndWaitsAsLong) {
  const NtmFrameConfig frame = {FrameTask::kCopy, 2};
  auto framed = FrameSequence(frame, {1, 0, 1, 1}, {});
  ASSERT_TRUE(framed.ok());
  EXPECT_THAT(framed->inputs, ElementsAre(1, 0, 0, 1, 1, 0, 0, 0, 1));
  EXPECT_EQ(framed->rows, 5);
  EXPECT_EQ(framed->first_output, 3);
}

TEST(FrameSequence, RepeatCopyTellsHowOften) {
  NtmFrameConfig frame = {FrameTask::kRepeatCopy, 1};
  frame.max_repeats = 4;
  auto framed = FrameSequence(frame, {1}, 3);
  ASSERT_TRUE(framed.ok());
  EXPECT_THAT(framed->inputs, ElementsAre(1, 0, 0, 0.75f));
  EXPECT_EQ(framed->rows, 5);
  EXPECT_EQ(framed->first_output, 2);
  EXPECT_EQ(FrameSequence(frame, {1}, 5).status(), InvalidField("repeat_count", 5, ", must be 1 to 4"));
  EXPECT_EQ(FrameSequence(frame, {1}, 0).status(), InvalidField("repeat_count", 0, ", must be 1 to 4"));
}

TEST(FrameSequence, RecallMarksItemsAndTheQuery) {
  NtmFrameConfig frame = {FrameTask::kRecall, 1};
  frame.item_rows = 2;
  auto framed = FrameSequence(frame, {0.1f, 0.2f, 0.3f, 0.4f, 0.1f, 0.2f}, {});
  ASSERT_TRUE(framed.ok());
  EXPECT_THAT(framed->inputs, ElementsAreArray(std::vector<float>{
                                  0, 1, 0, 0.1f, 0, 0, 0.2f, 0, 0,  // an item
                                  0, 1, 0, 0.3f, 0, 0, 0.4f, 0, 0,  // another
                                  0, 0, 1, 0.1f, 0, 0, 0.2f, 0, 0,  // the query
                                  0, 0, 1,
                              }));
  EXPECT_EQ(framed->first_output, 10);
  EXPECT_EQ(framed->rows, 12);
  EXPECT_THAT(std::string(FrameSequence(frame, {1, 2, 3}, {}).status().message()),
              HasSubstr("3 rows are not items of 2 rows"));
  EXPECT_THAT(std::string(FrameSequence(frame, {1, 2}, {}).status().message()), HasSubstr("2 rows are not items"));
  EXPECT_THAT(std::string(FrameSequence(frame, {1, 2, 3, 4}, 2).status().message()), HasSubstr("repeats nothing"));
}

TEST(FrameSequence, TooManyRowsAreRefused) {
  const NtmFrameConfig frame = {FrameTask::kCopy, 1};
  EXPECT_FALSE(FrameSequence(frame, std::vector<float>(kMaxSequenceRows / 2), {}).ok());
  EXPECT_TRUE(FrameSequence(frame, std::vector<float>(kMaxSequenceRows / 2 - 1), {}).ok());
}

class NtmSequenceModelTest : public testing::Test {
 protected:
  void SetUp() override {
    auto model = LoadModel(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/ntm-pytorch-ntm");
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = std::dynamic_pointer_cast<const SequenceModel>(*model);
  }
  SequenceRequest Rows(int64_t rows, uint32_t seed) const {
    return {model_->input_width(), naive::RandomFloats(rows * model_->input_width(), seed), {}, {}};
  }
  std::string Error(SequenceRequest request) const {
    return std::string(model_->Start(std::move(request)).status().message());
  }

  std::shared_ptr<const SequenceModel> model_;
};

TEST_F(NtmSequenceModelTest, ManyTogetherAreTheSameAsEachAlone) {
  std::vector<std::vector<float>> alone;
  Context context(1);
  for (uint32_t i = 0; i < 20; ++i) {
    auto task = model_->Start(Rows(1 + i % 7, i));
    Advance(*model_, {task->get()}, context);
    alone.push_back((*task)->result().values);
  }
  Context team(3);
  std::vector<std::unique_ptr<SequenceTask>> tasks;
  std::vector<Task*> running;
  for (uint32_t i = 0; i < 20; ++i) {
    tasks.push_back(*model_->Start(Rows(1 + i % 7, i)));
    running.push_back(tasks.back().get());
  }
  Advance(*model_, running, team);
  for (size_t i = 0; i < 20; ++i) EXPECT_EQ(tasks[i]->result().values, alone[i]) << i;
}

TEST_F(NtmSequenceModelTest, AnswerRowsAreBlankRowsWhoseOutputsAloneComeBack) {
  Context context(1);
  SequenceRequest with = Rows(3, 1), all = Rows(3, 1);
  with.answer_rows = 2;
  all.values.resize(static_cast<size_t>(5 * model_->input_width()));
  auto short_task = model_->Start(with), long_task = model_->Start(all);
  Advance(*model_, {short_task->get(), long_task->get()}, context);
  const std::vector<float>& values = (*long_task)->result().values;
  EXPECT_THAT((*short_task)->result().values,
              ElementsAreArray(values.end() - 2 * model_->output_width(), values.end()));
}

TEST_F(NtmSequenceModelTest, BadRowsAreNamed) {
  SequenceRequest request = Rows(2, 1);
  request.width = 7;
  EXPECT_EQ(Error(request), "width: 7, but the model reads rows of 5");
  request = Rows(2, 1);
  request.values.pop_back();
  EXPECT_EQ(Error(request), "values: 9 numbers are not one or more rows of 5");
  request = Rows(2, 1);
  request.values[7] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Error(request), "values: row 1, column 2 is inf, which is not a finite number");
  request = Rows(2, 1);
  request.answer_rows = 0;
  EXPECT_EQ(Error(request), "answer_row_count: 0, must be at least 1");
  request.answer_rows = kMaxSequenceRows;
  EXPECT_THAT(Error(request), HasSubstr("are more than 65536"));
  request = Rows(2, 1);
  request.repeats = 2;
  EXPECT_THAT(Error(request), HasSubstr("taken as they are"));
  EXPECT_THAT(Error({model_->input_width(), {}, {}, {}}), HasSubstr("0 numbers"));
}

}  // namespace
}  // namespace heed
