// heed top against a page over HTTP; on a terminal as the program itself, in a pseudo-terminal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <csignal>

#include "client/exit_code.h"
#include "tests/client/fake_metrics.h"
#include "tests/client/heed_run.h"

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

// `heed top` in a terminal of its own.
class Terminal {
 public:
  Terminal(const std::vector<std::string>& flags, int width, int height) {
    winsize size = {.ws_row = static_cast<unsigned short>(height), .ws_col = static_cast<unsigned short>(width)};
    EXPECT_EQ(openpty(&master_, &slave_, nullptr, nullptr, &size), 0);
    EXPECT_EQ(tcgetattr(slave_, &before_), 0);
    std::vector<std::string> words = {HEED_BINARY_DIR "/bin/heed", "top"};
    words.insert(words.end(), flags.begin(), flags.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      login_tty(dup(slave_));
      close(slave_);
      close(master_);
      execv(argv[0], argv.data());
      _exit(127);
    }
  }
  ~Terminal() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(master_);
    close(slave_);
  }

  // What was written, once it has `wanted` behind what was read before; fails after 20 s.
  std::string ReadUntil(const std::string& wanted) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    std::string text;
    while (text.find(wanted) == std::string::npos) {
      pollfd wait = {.fd = master_, .events = POLLIN, .revents = 0};
      char bytes[4096];
      const ssize_t count = poll(&wait, 1, 100) > 0 ? read(master_, bytes, sizeof(bytes)) : 0;
      if (count > 0) text.append(bytes, static_cast<size_t>(count));
      if (std::chrono::steady_clock::now() < end) continue;
      ADD_FAILURE() << "no '" << wanted << "' in: " << text;
      break;
    }
    return text;
  }
  void Press(const std::string& keys) {
    EXPECT_EQ(write(master_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  void Resize(int width, int height) {
    winsize size = {.ws_row = static_cast<unsigned short>(height), .ws_col = static_cast<unsigned short>(width)};
    EXPECT_EQ(ioctl(master_, TIOCSWINSZ, &size), 0);
  }
  void Signal(int signal) const { kill(pid_, signal); }
  int WaitForExit() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }
  bool as_before() const {
    termios now = {};
    tcgetattr(slave_, &now);
    return now.c_lflag == before_.c_lflag && now.c_cc[VSUSP] == before_.c_cc[VSUSP] &&
           now.c_cc[VMIN] == before_.c_cc[VMIN];
  }

 private:
  int master_ = -1;
  int slave_ = -1;  // stays open, so that the terminal outlives the program
  termios before_ = {};
  pid_t pid_ = -1;
};

constexpr char kEntered[] = "\x1b[?1049h\x1b[?25l";
constexpr char kLeft[] = "\x1b[?25h\x1b[?1049l";

TEST(TopCommandOnATerminal, DrawsAScreenThatKeysChangeAndLeavesTheTerminalAsItWas) {
  FakeMetricsServer server(Pages(1000));
  Terminal terminal({server.flag(), "--interval=0.1"}, 80, 24);
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
    Terminal terminal({server.flag(), "--interval=0.1"}, 80, 24);
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
  Terminal terminal({server.flag(), "--interval=0.1", "--count=1"}, 80, 24);
  const std::string text = terminal.ReadUntil("Translate");
  EXPECT_THAT(text, Not(HasSubstr(kEntered)));
  EXPECT_EQ(terminal.WaitForExit(), kExitOk);
}

}  // namespace
}  // namespace heed::client
