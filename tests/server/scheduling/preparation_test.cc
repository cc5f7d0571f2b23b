// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/preparation.h"

#include <future>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/scheduling/refusal.h"

namespace heed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr PreparationOptions kOptions = {.max_inline_bytes = 10, .max_medium_bytes = 100, .max_waiting_bytes = 150};

TEST(PreparationTest, PreparesSmallRequestsOnTheCallersThread) {
  Preparation preparation(kOptions);
  std::thread::id thread;
  EXPECT_TRUE(preparation.Run(10, [&] { thread = std::this_thread::get_id(); }).ok());
  EXPECT_EQ(thread, std::this_thread::get_id());
}

TEST(PreparationTest, LargerOnesDelayNeitherTheCallerNorThoseOfTheOtherLane) {
  Preparation preparation(kOptions);
  std::promise<void> release;
  std::promise<void> medium, vast;
  EXPECT_TRUE(preparation
                  .Run(101,
                       [&, wait = release.get_future().share()] {
                         wait.wait();
                         vast.set_value();
                       })
                  .ok());
  EXPECT_TRUE(preparation.Run(11, [&] { medium.set_value(); }).ok());
  medium.get_future().wait();  // though the vast one is not done
  release.set_value();
  vast.get_future().wait();
}

TEST(PreparationTest, RefusesWhatALaneHasNoRoomForAndSaysWhenToTryAgain) {
  std::vector<int> done;
  {
    Preparation preparation(kOptions);
    std::promise<void> begun, release;
    EXPECT_TRUE(preparation
                    .Run(50,
                         [&, wait = release.get_future().share()] {
                           begun.set_value();
                           wait.wait();
                           done.push_back(0);
                         })
                    .ok());
    begun.get_future().wait();
    EXPECT_TRUE(preparation.Run(100, [&] { done.push_back(1); }).ok());
    EXPECT_TRUE(preparation.Run(50, [&] { done.push_back(2); }).ok());
    const absl::Status full = preparation.Run(11, [&] { done.push_back(3); });
    EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(full.message(), HasSubstr("150 bytes wait to be prepared, 11 more would exceed 150"));
    EXPECT_EQ(ReasonOf(full), "queue_full");
    EXPECT_GT(RetryDelayOf(full).count(), 0);
    release.set_value();
  }
  EXPECT_THAT(done, ElementsAre(0, 1, 2));  // the destructor runs what waits, in order
}

TEST(PreparationTest, ALaneThatIsEmptyTakesOneOfAnySize) {
  Preparation preparation(kOptions);
  std::promise<void> done;
  EXPECT_TRUE(preparation.Run(1'000'000, [&] { done.set_value(); }).ok());
  done.get_future().wait();
}

}  // namespace
}  // namespace heed
