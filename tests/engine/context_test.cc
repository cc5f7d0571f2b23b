// SPDX-License-Identifier: Apache-2.0
#include "engine/core/context.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "engine/kernels/key_value_cache.h"

namespace heed {
namespace {

TEST(Team, RunsEveryPartOnce) {
  for (int size : {1, 2, 5}) {
    Team team(size);
    EXPECT_EQ(team.size(), size);
    for (int64_t parts : {0, 1, 2, 3, 100}) {
      std::vector<std::atomic<int>> times(static_cast<size_t>(parts));
      team.Run(parts, [&](int64_t part) { ++times[static_cast<size_t>(part)]; });
      for (const std::atomic<int>& t : times) EXPECT_EQ(t, 1);
    }
  }
}

TEST(Team, WritesOfACallAreSeenByTheNext) {
  Team team(3);
  std::vector<int64_t> values(64);
  for (int64_t round = 1; round <= 2000; ++round) {
    team.Run(64, [&](int64_t part) { values[static_cast<size_t>(part)] += 1; });
    team.Run(8, [&](int64_t part) {
      for (int64_t i = part * 8; i < part * 8 + 8; ++i) EXPECT_EQ(values[static_cast<size_t>((i + 17) % 64)], round);
    });
  }
}

TEST(Team, RowsAreSharedOutWithoutGapOrOverlap) {
  Team team(2);
  for (int64_t rows : {0, 1, 7, 1000}) {
    std::vector<std::atomic<int>> times(static_cast<size_t>(rows));
    RunRows(team, rows, 1000, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) ++times[static_cast<size_t>(i)];
    });
    for (const std::atomic<int>& t : times) EXPECT_EQ(t, 1);
  }
}

TEST(Arena, GivesAlignedMemoryThatAScopeTakesBack) {
  Arena arena;
  void* first;
  {
    Arena::Scope scope(arena);
    first = arena.Take<float>(3);
    float* second = arena.Take<float>(5);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(second) % 64, 0u);
    EXPECT_NE(first, second);
  }
  Arena::Scope scope(arena);
  EXPECT_EQ(arena.Take<float>(3), first);
}

TEST(Arena, InnerScopesKeepWhatOuterOnesTook) {
  Arena arena;
  Arena::Scope outer(arena);
  int* kept = arena.Take<int>(1 << 20);
  kept[0] = 7;
  for (int i = 0; i < 3; ++i) {
    Arena::Scope inner(arena);
    int* other = arena.Take<int>(1 << 21);
    other[0] = i;
    EXPECT_EQ(kept[0], 7);
  }
}

TEST(Arena, KeepsNoMoreThanItsLimitBetweenSteps) {
  Arena arena(size_t{8} << 20);
  {
    Arena::Scope scope(arena);
    for (int i = 0; i < 5; ++i) arena.Take<char>(size_t{6} << 20);
    EXPECT_GE(arena.allocated_bytes(), size_t{30} << 20);
  }
  EXPECT_LE(arena.allocated_bytes(), size_t{8} << 20);
}

TEST(KeyValueCache, EntriesStayWhereTheyAreAsItGrows) {
  const HeadLayout layout(2, 12);  // 2 cells
  KeyValueCache cache(layout, CellStorage::kF32, 2, 3);
  cache.Reserve(0);
  float* entry = static_cast<float*>(cache.Key(1, 0, 2));
  entry[3] = 5;
  cache.Reserve(100);
  EXPECT_EQ(cache.Key(1, 0, 2), entry);
  EXPECT_EQ(entry[3], 5);
  std::vector<float*> all;  // cells
  std::vector<const void*> keys(101), values(101);
  for (int64_t layer = 0; layer < 2; ++layer) {
    for (int32_t slot = 0; slot < 3; ++slot) {
      const std::vector<int32_t> slots(101, slot);
      cache.PointAt(layer, 101, slots.data(), keys.data(), values.data());
      for (size_t position = 0; position <= 100; ++position) {
        EXPECT_EQ(keys[position], cache.Key(layer, static_cast<int64_t>(position), slot));
        EXPECT_EQ(values[position], cache.Value(layer, static_cast<int64_t>(position), slot));
        for (const int64_t cell : {0, 1}) {
          all.push_back(static_cast<float*>(cache.Key(layer, static_cast<int64_t>(position), slot)) +
                        cell * kCellStride);
          all.push_back(static_cast<float*>(cache.Value(layer, static_cast<int64_t>(position), slot)) +
                        cell * kCellStride);
        }
      }
    }
  }
  std::sort(all.begin(), all.end());
  for (size_t i = 1; i < all.size(); ++i) EXPECT_GE(all[i] - all[i - 1], kCellValues);
  EXPECT_EQ(KeyValueCache::Bytes(layout, CellStorage::kF32, 2, 3, 101), 7 * 16 * 2 * 3 * 2 * 2 * kCellValues * 4);
  // Large blocks are whole large pages.
  EXPECT_EQ(KeyValueCache::Bytes(HeadLayout(8, 64), CellStorage::kF32, 6, 12, 17), 2 * (int64_t{6} << 20));
}

}  // namespace
}  // namespace heed
