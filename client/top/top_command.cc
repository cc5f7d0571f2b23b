// SPDX-License-Identifier: Apache-2.0
// heed top: a live server's rates, queues, batches and latencies.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <future>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/visible_text.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/lib/http_page.h"
#include "client/lib/pause.h"
#include "client/top/server_metrics.h"
#include "client/top/terminal_screen.h"
#include "client/top/top_screen.h"
#include "client/top/top_view.h"

namespace heed::client {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Readings = std::vector<TopReading>;

struct TopSettings {
  std::string metrics = kDefaultMetricsAddress;
  double interval_seconds = 2;
  int count = 0;
  bool json = false;

  std::vector<std::string> names;  // of `metrics`
  std::vector<HttpAddress> addresses;
};

CommandHelp TopHelp() {
  return {
      "heed top [flags]",
      "Shows a running server: requests, errors and rejections per second, latencies, queues, how full its batches\n"
      "are, CPU and memory, by model and by method. On a terminal it redraws the screen every interval until you\n"
      "press q (h explains the keys and the columns). Elsewhere, or with --count, it prints one frame after the\n"
      "other. Rates and quantiles are those between two readings of the server's metrics page; quantiles are\n"
      "estimated within the buckets of a histogram, as Prometheus does. A server that does not answer is asked\n"
      "again every interval. Set NO_COLOR to leave out colors.",
      "Exit codes:\n"
      "  0    done\n"
      "  2    wrong flags\n"
      "  3    no server, or none at the last frame of --count\n"
      "  130  interrupted\n"
      "\n"
      "Examples:\n"
      "  heed top\n"
      "  heed top --metrics=10.0.0.1:8002,10.0.0.2:8002 --interval=5    # two servers, and their sums\n"
      "  heed top --count=1 --interval=10                               # one frame, for a script or a report\n"
      "  heed top --json --count=1 | jq '.models[] | {model, requests_per_second, p99_seconds}'\n"};
}

std::optional<int> ParseTopSettings(const std::vector<std::string>& arguments, Console& console,
                                    TopSettings& settings) {
  FlagTable flags;
  flags.AddString("metrics", &settings.metrics, "HOST:PORT,...",
                  "Addresses of the servers' metrics pages (their --metrics_listen). Each server has a line; models "
                  "and methods show sums.");
  flags.AddDouble("interval", &settings.interval_seconds, 0.1, 86400, "SECONDS", "Time between two readings.");
  flags.AddInt("count", &settings.count, 0, 1000000000, "Number of frames to print. 0 prints until interrupted.");
  flags.AddBool("json", &settings.json, "Print a JSON object for each frame. What is not known is null.");
  std::vector<std::string> others;
  if (const auto code = ParseCommand(TopHelp(), flags, arguments, 0, others, console)) return code;
  settings.names = absl::StrSplit(settings.metrics, ',', absl::SkipWhitespace());
  for (const std::string& name : settings.names) {
    absl::StatusOr<HttpAddress> address = ParseHttpAddress(name);
    if (!address.ok()) {
      return Fail(console, kExitUsage, absl::StrCat("--metrics: ", address.status().message()));
    }
    settings.addresses.push_back(*std::move(address));
  }
  if (settings.addresses.empty()) return Fail(console, kExitUsage, "--metrics names no server");
  return std::nullopt;
}

// All at the same time. Blocks.
Readings AskAll(const TopSettings& settings, const std::stop_token& stop) {
  std::vector<std::future<TopReading>> asked;
  for (const HttpAddress& address : settings.addresses) {
    asked.push_back(std::async(std::launch::async, [&address, &stop] {
      absl::StatusOr<MetricsPage> page = ReadServerMetrics(address, stop);
      return TopReading{.page = std::move(page), .time = SteadyClock::now()};
    }));
  }
  Readings readings;
  for (auto& reading : asked) readings.push_back(reading.get());
  return readings;
}

// Of the system's clock, now.
std::string ClockText() {
  const std::time_t now = std::time(nullptr);
  std::tm local = {};
  localtime_r(&now, &local);
  return absl::StrFormat("%02d:%02d:%02d", local.tm_hour, local.tm_min, local.tm_sec);
}

bool ColorsWanted(const Console& console) {
  const char* const none = std::getenv("NO_COLOR");
  return console.out_is_terminal && (none == nullptr || *none == '\0');
}

// If none of them answers.
std::optional<int> FailUnlessAnswered(const TopSettings& settings, const Readings& readings, Console& console) {
  if (console.stop.stop_requested()) return Fail(console, kExitInterrupted, "interrupted");
  if (std::any_of(readings.begin(), readings.end(), [](const TopReading& reading) { return reading.page.ok(); })) {
    return std::nullopt;
  }
  return FailServerMetrics(console, settings.metrics, readings[0].page.status());
}

// Frames one after the other, on console.out.
class FramePrinter {
 public:
  FramePrinter(const TopSettings& settings, Console& console) : settings_(settings), console_(console) {}

  void Print(const TopView& view) {
    if (settings_.json) {
      console_.out << JsonText(TopJson(view)) << std::endl;
      return;
    }
    const TopLayout layout = {.width = console_.out_is_terminal ? console_.columns : kFullWidth,
                              .height = 0,
                              .clock = ClockText(),
                              .interval_seconds = settings_.interval_seconds};
    if (frames_++ > 0) console_.out << "\n";
    for (const StyledLine& line : TopLines(view, layout)) {
      console_.out << (console_.out_is_terminal ? AnsiText(line, ColorsWanted(console_)) : PlainText(line)) << "\n";
    }
    console_.out << std::flush;
  }

 private:
  static constexpr int kFullWidth = 1000;  // a pipe takes every column

  const TopSettings& settings_;
  Console& console_;
  int frames_ = 0;
};

int PrintFrames(const TopSettings& settings, TopMonitor& monitor, Console& console) {
  FramePrinter printer(settings, console);
  const auto interval =
      std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(settings.interval_seconds));
  SteadyClock::time_point next = SteadyClock::now();
  for (int frame = 0; settings.count == 0 || frame < settings.count; ++frame) {
    next = std::max(next + interval, SteadyClock::now());
    PauseUntil(next, console.stop);
    Readings readings = AskAll(settings, console.stop);
    if (console.stop.stop_requested()) return Fail(console, kExitInterrupted, "interrupted");
    monitor.Add(std::move(readings));
    printer.Print(monitor.View(SteadyClock::now(), static_cast<double>(std::time(nullptr))));
    if (!console.out) return FailOutput(console);
  }
  return monitor.answering() ? kExitOk : kExitUnavailable;
}

// The screen of a terminal, until the user leaves it.
class TopSession {
 public:
  TopSession(const TopSettings& settings, TopMonitor& monitor, Console& console)
      : settings_(settings),
        monitor_(monitor),
        console_(console),
        colors_(ColorsWanted(console)),
        screen_(STDIN_FILENO, STDOUT_FILENO) {
    layout_.interval_seconds = settings.interval_seconds;
    layout_.clock = ClockText();
  }

  int Run() {
    constexpr std::chrono::milliseconds kLookAround{100};
    const auto interval =
        std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(settings_.interval_seconds));
    std::stop_source leave;  // ends what is asked when the user leaves
    const std::stop_callback forward(console_.stop, [&leave] { leave.request_stop(); });
    SteadyClock::time_point next = SteadyClock::now() + interval;
    std::future<Readings> asked;
    while (!console_.stop.stop_requested() && !screen_.gone() && !done_) {
      if (!asked.valid() && SteadyClock::now() >= next) {
        next = std::max(next + interval, SteadyClock::now());
        asked = std::async(std::launch::async, [&] { return AskAll(settings_, leave.get_token()); });
      }
      if (asked.valid() && asked.wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
        monitor_.Add(asked.get());
        if (!layout_.paused) TakeView();
      }
      Draw();
      Obey(screen_.ReadKey(kLookAround));
    }
    leave.request_stop();
    if (asked.valid()) asked.wait();
    return console_.stop.stop_requested() ? kExitInterrupted : kExitOk;
  }

 private:
  void TakeView() {
    view_ = monitor_.View(SteadyClock::now(), static_cast<double>(std::time(nullptr)));
    layout_.clock = ClockText();
  }

  void Draw() {
    if (!view_) TakeView();
    const ScreenSize size = screen_.size();
    layout_.width = size.width;
    layout_.height = size.height;
    layout_.scroll = std::clamp(layout_.scroll, 0, MostScroll(*view_, layout_));
    std::string text;
    for (const StyledLine& line : TopLines(*view_, layout_)) {
      absl::StrAppend(&text, text.empty() ? "" : "\n", AnsiText(line, colors_));
    }
    if (text == drawn_ && size.width == drawn_size_.width && size.height == drawn_size_.height) return;
    screen_.Draw(text);
    drawn_ = std::move(text);
    drawn_size_ = size;
  }

  void Obey(KeyPress press) {
    switch (press.key) {
      case Key::kNone:
        return;
      case Key::kUp:
        --layout_.scroll;
        return;
      case Key::kDown:
        ++layout_.scroll;
        return;
      case Key::kSuspend:
        screen_.Suspend();
        drawn_.clear();
        return;
      case Key::kCharacter:
        break;
    }
    switch (press.character) {
      case 'q':
      case 'Q':
        done_ = true;
        break;
      case 'p':
      case ' ':
        layout_.paused = !layout_.paused;
        if (!layout_.paused) TakeView();
        break;
      case 's':
        layout_.sort = static_cast<TopSort>((static_cast<int>(layout_.sort) + 1) % kTopSorts);
        break;
      case 'r':
        layout_.reversed = !layout_.reversed;
        break;
      case 'k':
        --layout_.scroll;
        break;
      case 'j':
        ++layout_.scroll;
        break;
      case 'h':
      case '?':
        layout_.help = !layout_.help;
        break;
      case '\x0c':  // Ctrl-L
        drawn_.clear();
        break;
      default:
        break;
    }
  }

  const TopSettings& settings_;
  TopMonitor& monitor_;
  Console& console_;
  const bool colors_;
  TerminalScreen screen_;
  TopLayout layout_;
  std::optional<TopView> view_;
  std::string drawn_;  // what stands on the screen
  ScreenSize drawn_size_;
  bool done_ = false;
};

}  // namespace

int TopCommand(const std::vector<std::string>& arguments, Console& console) {
  TopSettings settings;
  if (const auto code = ParseTopSettings(arguments, console, settings)) return *code;
  TopMonitor monitor(settings.names, SteadyClock::now());
  Readings first = AskAll(settings, console.stop);
  if (const auto code = FailUnlessAnswered(settings, first, console)) return *code;
  monitor.Add(std::move(first));
  if (!console.out_is_terminal || settings.json || settings.count > 0) return PrintFrames(settings, monitor, console);
  return TopSession(settings, monitor, console).Run();
}

}  // namespace heed::client
