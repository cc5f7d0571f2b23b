// SPDX-License-Identifier: Apache-2.0
#include "client/top/top_screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/render/text_width.h"

namespace heed::client {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

TopModel Model(const std::string& name, double requests) {
  return {.name = name,
          .ready = 1,
          .version = 2,
          .requests = requests,
          .errors = 0,
          .rejected = 0,
          .p50 = 0.00041,
          .p95 = 0.0032,
          .p99 = 0.45,
          .queue_p50 = 0.0001,
          .queue_p99 = 12.3,
          .steps = 123,
          .busy = 0.4,
          .rows = 37,
          .occupancy = 0.072,
          .tasks = 3.4,
          .queued = 12,
          .max_queued = 1024,
          .queued_tasks = 40,
          .running = 7,
          .tokens = 12345,
          .resident_bytes = 3 << 19};
}

TopView View() {
  TopView view;
  view.servers = {{.address = "127.0.0.1:8002", .version = "0.1.0", .uptime = 3 * 86400 + 4 * 3600}};
  view.all = {.models = 2,
              .models_ready = 2,
              .requests = 1234,
              .errors = 0,
              .in_flight = 64,
              .rejected = 0,
              .p50 = 0.0032,
              .p99 = 0.045,
              .cores = 1.854,
              .threads = 2,
              .memory = 64 << 20,
              .process_threads = 17,
              .files = 14,
              .max_files = 20000,
              .sessions = 3,
              .session_bytes = 12288,
              .graphs = 0,
              .graph_bytes = 0};
  view.models = {Model("en-de", 100), Model("ntm", 900)};
  view.methods = {{.name = "Ask",
                   .in_flight = 4,
                   .requests = 900,
                   .p50 = 0.001,
                   .p95 = 0.002,
                   .p99 = 0.003,
                   .codes = {{"OK", 899}, {"INTERNAL", 1}}}};
  return view;
}

std::vector<std::string> Lines(const TopView& view, const TopLayout& layout) {
  std::vector<std::string> lines;
  for (const StyledLine& line : TopLines(view, layout)) lines.push_back(PlainText(line));
  return lines;
}

std::string Text(const TopView& view, const TopLayout& layout) { return absl::StrJoin(Lines(view, layout), "\n"); }

TEST(TopScreen, ShowsTheServerItsModelsAndItsMethods) {
  EXPECT_THAT(
      Lines(View(), {.width = 100, .height = 16, .clock = "12:03:44", .interval_seconds = 2}),
      ElementsAre(
          StartsWith(" heed top  127.0.0.1:8002  v0.1.0  up 3d 04h                               "),
          "requests 1234/s   p50 3.2 ms   p99 45 ms   in flight 64   models 2/2 ready",
          "errors 0/s   rejected 0/s   cpu 1.85 of 2   memory 64.0 MiB   sessions 3 (12.0 KiB)   graphs 0",
          "threads 17   fds 14 of 20000", "",
          "MODEL             STATE   REQ/S  ERR/S  P50 ms  P99 ms  WAIT99   QUEUED   RUN  STEPS/S   ROWS  BUSY%",
          "en-de             v2        100      0    0.41     450   12.3s  12/1024     7      123     37     40",
          "ntm               v2        900      0    0.41     450   12.3s  12/1024     7      123     37     40", "",
          "METHOD             REQ/S  IN FLIGHT  P50 ms  P95 ms  P99 ms  CODES per s",
          "Ask                  900          4     1.0     2.0     3.0  OK 899, INTERNAL 1.0", "", "", "", "",
          "q quit   p pause   s sort: MODEL   r reverse   ↑↓ scroll   h help"));
}

TEST(TopScreen, NoLineIsWiderThanTheTerminalAndThereAreNoMoreThanItHas) {
  TopView view = View();
  view.rejections = {{"queue_full", 3}, {"expected_wait", 0.2}};
  for (int i = 0; i < 30; ++i) view.history.push_back(i);
  for (int i = 0; i < 40; ++i) view.models.push_back(Model(absl::StrCat("a-model-with-quite-a-long-name-", i), i));
  for (int i = 0; i < 9; ++i) view.methods.push_back(view.methods[0]);
  for (const auto& [width, height] : {std::pair(80, 24), std::pair(120, 40), std::pair(200, 50), std::pair(30, 10),
                                      std::pair(10, 3), std::pair(1, 1)}) {
    for (const bool help : {false, true}) {
      const std::vector<std::string> lines = Lines(view, {.width = width, .height = height, .help = help});
      EXPECT_THAT(lines, SizeIs(static_cast<size_t>(height)));
      for (const std::string& line : lines) EXPECT_LE(DisplayWidth(line), width) << line;
    }
  }
}

TEST(TopScreen, AWiderTerminalHasMoreColumns) {
  const std::string narrow = Text(View(), {.width = 80, .height = 24});
  EXPECT_THAT(narrow, AllOf(HasSubstr("REQ/S"), HasSubstr("P99 ms"), HasSubstr("QUEUED"), Not(HasSubstr("P95 ms"))));
  const std::string medium = Text(View(), {.width = 120, .height = 40});
  EXPECT_THAT(medium, AllOf(HasSubstr("OCC%"), HasSubstr("FIRST"), HasSubstr("WAIT99"), Not(HasSubstr("NODES/S"))));
  const std::string wide = Text(View(), {.width = 200, .height = 50});
  EXPECT_THAT(wide, AllOf(HasSubstr("NODES/S"), HasSubstr("Q.TASKS"), HasSubstr("MIB"), HasSubstr("12.3k")));
}

TEST(TopScreen, WithoutRoomMethodsGoFirstThenModelsScroll) {
  TopView view = View();
  for (int i = 0; i < 10; ++i) view.models.push_back(Model(absl::StrCat("m", i), i));
  TopLayout layout = {.width = 80, .height = 12};
  EXPECT_THAT(Text(view, layout), AllOf(HasSubstr("en-de"), Not(HasSubstr("m9")), Not(HasSubstr("METHOD"))));
  layout.scroll = MostScroll(view, layout);
  EXPECT_GT(layout.scroll, 0);
  EXPECT_THAT(Text(view, layout), AllOf(HasSubstr("m9"), Not(HasSubstr("en-de")), HasSubstr("REQ/S")));
  const std::string last = Text(view, layout);
  layout.scroll += 100;
  EXPECT_EQ(Text(view, layout), last);
  EXPECT_EQ(MostScroll(view, {.width = 80, .height = 40}), 0);
}

TEST(TopScreen, SortsByTheChosenColumn) {
  const auto first = [](const TopLayout& layout) { return TopLines(View(), layout)[6]; };
  TopLayout layout = {.width = 100, .height = 24};
  EXPECT_THAT(PlainText(first(layout)), StartsWith("en-de"));
  layout.sort = TopSort::kRequests;
  EXPECT_THAT(PlainText(first(layout)), StartsWith("ntm"));
  EXPECT_THAT(Text(View(), layout), HasSubstr("sort: REQ/S"));
  layout.reversed = true;
  EXPECT_THAT(PlainText(first(layout)), StartsWith("en-de"));
}

TEST(TopScreen, AServerThatIsGoneSaysForHowLongAndWhy) {
  TopView view;
  view.servers = {{.address = "h:1", .trouble = "the connection was refused", .silent_seconds = 75}};
  EXPECT_THAT(Text(view, {.width = 80, .height = 24}), HasSubstr("no answer for 1m 15s: the connection was refused\n"));
}

TEST(TopScreen, SeveralServersHaveALineEach) {
  TopView view = View();
  view.servers.push_back({.address = "h:2", .trouble = "gone", .silent_seconds = 7});
  view.servers[0].load = view.all;
  view.all.models_ready = 1;
  const std::string text = Text(view, {.width = 120, .height = 40});
  EXPECT_THAT(text, HasSubstr(" heed top  2 servers"));
  EXPECT_THAT(text, HasSubstr("127.0.0.1:8002    up 3d 04h         0.1.0      2/2    1234"));
  EXPECT_THAT(text, HasSubstr("h:2               no answer for 7s  -            -       -"));
  EXPECT_THAT(text, HasSubstr("models 1/2 ready"));
}

TEST(TopScreen, ToAPipeEveryColumnAndLineIsShown) {
  TopView view = View();
  for (int i = 0; i < 100; ++i) view.models.push_back(Model(absl::StrCat("m", i), i));
  const std::string text = Text(view, {.width = 1000, .height = 0});
  EXPECT_THAT(text, AllOf(HasSubstr("m99"), HasSubstr("NODES/S"), HasSubstr("METHOD"), Not(HasSubstr("q quit"))));
}

TEST(TopScreen, BeforeTheSecondPageItIsMeasuring) {
  TopView view = View();
  view.all.requests = std::nullopt;
  EXPECT_THAT(Text(view, {}), HasSubstr("requests measuring"));
}

TEST(TopScreen, TheHistoryIsDrawnAsBars) {
  TopView view = View();
  view.history = {0, 50, 100, 25};
  EXPECT_THAT(Text(view, {.width = 120, .height = 24}), HasSubstr("   ▁▅█▃\n"));
}

TEST(TopScreen, ColorsAreLeftOutOnRequest) {
  const StyledLine line = {{"bad", TextStyle::kBad}, {" "}, {"good", TextStyle::kGood}, {"x", TextStyle::kReverse}};
  EXPECT_EQ(AnsiText(line, true), "\x1b[1;31mbad\x1b[0m \x1b[32mgood\x1b[0m\x1b[7mx\x1b[0m");
  EXPECT_EQ(AnsiText(line, false), "\x1b[1mbad\x1b[0m good\x1b[7mx\x1b[0m");
  EXPECT_EQ(PlainText(line), "bad goodx");
}

TEST(TopScreen, WhatIsWrongIsMarked) {
  TopView view = View();
  view.models[0].ready = 0;
  view.models[1].errors = 2;
  view.models[1].queued = 1000;
  view.all.slow = 0.5;
  EXPECT_THAT(Text(view, {.width = 120, .height = 24}), HasSubstr("rejected 0/s   slow 0.5/s   cpu"));
  view.all.models_ready = 1;
  std::vector<std::string> bad;
  for (const StyledLine& line : TopLines(view, {.width = 120, .height = 24})) {
    for (const StyledText& part : line) {
      if (part.style == TextStyle::kBad) bad.push_back(PlainText({part}));
    }
  }
  EXPECT_THAT(bad, ElementsAre("1/2 ready", "not ready", "  2.0", "1000/1024", "OK 899, INTERNAL 1.0"));
}

}  // namespace
}  // namespace heed::client
