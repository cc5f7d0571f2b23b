// SPDX-License-Identifier: Apache-2.0
// heed top against a page over HTTP; on a terminal as the program itself, in a pseudo-terminal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "client/cli/exit_code.h"
#include "tests/client/fake_metrics.h"
#include "tests/client/heed_run.h"
#include "tests/client/terminal.h"

namespace heed::client {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

// Ten requests between any two pages.
std::vector<std::string> Pages(int count) {
  FakeMetrics metrics;
  metrics.AddModel("en-de");
  std::vector<std::string> pages;
  for (int i = 0; i < count; ++i) {
    pages.push_back(metrics.Text());
    metrics.Serve("Translate", "en-de", 10, 0.002);
  }
  return pages;
}

TEST(TopCommand, PrintsAsManyFramesAsAskedFor) {
  FakeMetricsServer server(Pages(3));
  const HeedRun run = RunHeedWith({"top", server.flag(), "--interval=0.1", "--count=2"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(server.asked(), 3u);
  const std::vector<std::string> frames = absl::StrSplit(run.out, "\n\n heed top");
  EXPECT_THAT(frames, SizeIs(2));
  EXPECT_THAT(run.out, AllOf(HasSubstr(server.address() + "  v1.2.3"), HasSubstr("\nen-de "), HasSubstr("\nTranslate "),
                             HasSubstr("NODES/S"), Not(HasSubstr("\x1b"))));
  EXPECT_EQ(run.err, "");
}

TEST(TopCommand, JsonHasAnObjectForEachFrame) {
  FakeMetricsServer server(Pages(3));
  const HeedRun run = RunHeedWith({"top", server.flag(), "--interval=0.1", "--count=2", "--json"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  const std::vector<nlohmann::json> frames = JsonLines(run.out);
  ASSERT_THAT(frames, SizeIs(2));
  for (const nlohmann::json& frame : frames) {
    EXPECT_GT(frame["models"][0]["requests_per_second"], 0);
    EXPECT_NEAR(frame["models"][0]["p50_seconds"], 0.00175, 1e-9);
  }
}

TEST(TopCommand, AServerThatGoesAwayIsToldOfAndComesBack) {
  std::vector<std::string> pages = Pages(3);
  pages.insert(pages.begin() + 1, "");
  FakeMetricsServer server(pages);
  const HeedRun run = RunHeedWith({"top", server.flag(), "--interval=0.1", "--count=3", "--json"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  const std::vector<nlohmann::json> frames = JsonLines(run.out);
  ASSERT_THAT(frames, SizeIs(3));
  EXPECT_EQ(frames[0]["servers"][0]["trouble"], "GET /metrics is answered with 503");
  EXPECT_GT(frames[1]["all"]["requests_per_second"], 0);
  EXPECT_GT(frames[2]["all"]["requests_per_second"], 0);
}

TEST(TopCommand, AServerThatIsGoneAtTheEndIsAFailure) {
  FakeMetricsServer server({Pages(1)[0], ""});
  const HeedRun run = RunHeedWith({"top", server.flag(), "--interval=0.1", "--count=1"});
  EXPECT_EQ(run.code, kExitUnavailable);
  EXPECT_THAT(run.out, HasSubstr("no answer for 0s: GET /metrics is answered with 503"));
}

TEST(TopCommand, WithoutAServerItSaysWhereItLooked) {
  std::string address;
  {
    FakeMetricsServer server({""});
    address = server.address();
    const HeedRun run = RunHeedWith({"top", server.flag(), "--count=1"});
    EXPECT_EQ(run.code, kExitUnavailable);
    EXPECT_THAT(run.err, HasSubstr("GET /metrics is answered with 503"));
  }
  const HeedRun run = RunHeedWith({"top", "--metrics=" + address, "--count=1"});
  EXPECT_EQ(run.code, kExitUnavailable);
  EXPECT_THAT(run.err, AllOf(HasSubstr("heed: no metrics of a server at " + address), HasSubstr("refused"),
                             HasSubstr("--metrics=HOST:PORT")));
}

TEST(TopCommand, AnotherProgramsPageIsNoServer) {
  FakeMetricsServer other({"node_load1 0.5\n"});
  EXPECT_THAT(RunHeedWith({"top", other.flag(), "--count=1"}).err, HasSubstr("is not a Heed server's"));
  FakeMetricsServer broken({"<html>\n"});
  EXPECT_THAT(RunHeedWith({"top", broken.flag(), "--count=1"}).err, HasSubstr("line 1: a metric's name is missing"));
}

TEST(TopCommand, WrongFlagsAreNamed) {
  for (const char* address : {"", "8002", "h:0", "h:65536", "h:x", ":1", "::1:8002", "http://h:1", "a:1,b"}) {
    const HeedRun run = RunHeedWith({"top", absl::StrCat("--metrics=", address)});
    EXPECT_EQ(run.code, kExitUsage) << address;
    EXPECT_THAT(run.err, HasSubstr("--metrics")) << address;
  }
  EXPECT_EQ(RunHeedWith({"top", "--interval=0"}).code, kExitUsage);
}

TEST(TopCommand, AnInterruptEndsIt) {
  FakeMetricsServer server(Pages(1));
  std::stop_source stop;
  std::thread interrupt([&] {
    while (server.asked() == 0) std::this_thread::yield();
    stop.request_stop();
  });
  const HeedRun run = RunHeedWith({"top", server.flag(), "--interval=1000"}, "", stop.get_token());
  interrupt.join();
  EXPECT_EQ(run.code, kExitInterrupted);
}

constexpr char kEntered[] = "\x1b[?1049h\x1b[?25l";
constexpr char kLeft[] = "\x1b[?25h\x1b[?1049l";

TEST(TopCommandOnATerminal, DrawsAScreenThatKeysChangeAndLeavesTheTerminalAsItWas) {
  FakeMetricsServer server(Pages(1000));
  Terminal terminal({"top", server.flag(), "--interval=0.1"}, 80, 24);
  terminal.ReadUntil(kEntered);
  terminal.ReadUntil("Translate");
  EXPECT_FALSE(terminal.as_before());
  terminal.Press("s");
  terminal.ReadUntil("sort: REQ/S");
  terminal.Press("h");
  terminal.ReadUntil("OCC%      rows of a step");
  terminal.Press("h");
  terminal.Press("\x1b[B\x1b[A");  // arrows
  terminal.Press("p");
  terminal.ReadUntil("PAUSED");
  terminal.Press("p");
  terminal.ReadUntil(" pause");
  terminal.Resize(200, 50);
  terminal.ReadUntil("NODES/S");
  terminal.Press("q");
  terminal.ReadUntil(kLeft);
  EXPECT_EQ(terminal.WaitForExit(), kExitOk);
  EXPECT_TRUE(terminal.as_before());
}

TEST(TopCommandOnATerminal, InterruptsGiveTheTerminalBack) {
  FakeMetricsServer server(Pages(1000));
  for (const bool key : {true, false}) {
    Terminal terminal({"top", server.flag(), "--interval=0.1"}, 80, 24);
    terminal.ReadUntil("en-de");
    if (key) {
      terminal.Press("\x03");
    } else {
      terminal.Signal(SIGTERM);
    }
    terminal.ReadUntil(kLeft);
    EXPECT_EQ(terminal.WaitForExit(), kExitInterrupted);
    EXPECT_TRUE(terminal.as_before());
  }
}

TEST(TopCommandOnATerminal, FramesOfACountStayThere) {
  FakeMetricsServer server(Pages(1000));
  Terminal terminal({"top", server.flag(), "--interval=0.1", "--count=1"}, 80, 24);
  const std::string text = terminal.ReadUntil("Translate");
  EXPECT_THAT(text, Not(HasSubstr(kEntered)));
  EXPECT_EQ(terminal.WaitForExit(), kExitOk);
}

}  // namespace
}  // namespace heed::client
