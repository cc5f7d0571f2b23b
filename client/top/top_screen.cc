// SPDX-License-Identifier: Apache-2.0
#include "client/top/top_screen.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/visible_text.h"
#include "client/render/text_table.h"
#include "client/render/text_width.h"

namespace heed::client {
namespace {

using Number = std::optional<double>;

constexpr char kNothing[] = "-";

// Rates and other numbers: "0", "3.2", "450", "12.3k".
std::string NumberText(Number value) {
  if (!value) return kNothing;
  const double number = *value;
  if (number == 0) return "0";
  if (number < 0.05) return "<0.1";
  if (number < 9.95) return absl::StrFormat("%.1f", number);
  if (number < 9999.5) return absl::StrFormat("%.0f", number);
  if (number < 999950) return absl::StrFormat("%.1fk", number / 1e3);
  return absl::StrFormat("%.1fM", number / 1e6);
}

// What there are so many of: "12", "20000", "123.4k".
std::string CountText(Number count) {
  return count && *count < 99999.5 ? absl::StrFormat("%.0f", *count) : NumberText(count);
}

// Milliseconds, of seconds: "0.41", "3.2", "450", "12.3s".
std::string MillisecondsText(Number seconds) {
  if (!seconds) return kNothing;
  const double ms = *seconds * 1e3;
  if (ms < 0.995) return absl::StrFormat("%.2f", ms);
  if (ms < 9.95) return absl::StrFormat("%.1f", ms);
  if (ms < 9999.5) return absl::StrFormat("%.0f", ms);
  return absl::StrFormat("%.1fs", *seconds);
}

std::string PercentText(Number share) {
  if (!share) return kNothing;
  const double percent = *share * 100;
  return percent > 0 && percent < 9.95 ? absl::StrFormat("%.1f", percent) : absl::StrFormat("%.0f", percent);
}

std::string BytesText(Number bytes) { return bytes ? MemoryText(static_cast<int64_t>(*bytes)) : kNothing; }

// "3d 04h", "4h 05m", "5m 03s", "12s"
std::string DurationText(Number seconds) {
  if (!seconds) return kNothing;
  const auto whole = static_cast<int64_t>(*seconds);
  if (whole >= 86400) return absl::StrFormat("%dd %02dh", whole / 86400, whole / 3600 % 24);
  if (whole >= 3600) return absl::StrFormat("%dh %02dm", whole / 3600, whole / 60 % 60);
  if (whole >= 60) return absl::StrFormat("%dm %02ds", whole / 60, whole % 60);
  return absl::StrFormat("%ds", whole);
}

// "queue_full 3.0, too_large 0.2"
std::string NamedText(const std::vector<std::pair<std::string, double>>& rates) {
  std::string text;
  for (const auto& [name, rate] : rates) absl::StrAppend(&text, text.empty() ? "" : ", ", name, " ", NumberText(rate));
  return text;
}

// The newest `columns` values as bars, the highest of them a full one.
std::string Sparkline(const std::deque<double>& values, int columns) {
  static constexpr const char* kBars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const size_t count = std::min(values.size(), static_cast<size_t>(std::max(columns, 0)));
  const auto first = values.end() - static_cast<std::ptrdiff_t>(count);
  const double most = count == 0 ? 0 : *std::max_element(first, values.end());
  std::string text;
  for (auto value = first; value != values.end(); ++value) {
    const double share = most > 0 ? *value / most : 0;
    text += kBars[static_cast<size_t>(std::lround(std::clamp(share, 0.0, 1.0) * 7))];
  }
  return text;
}

// The first `columns` columns of UTF-8 text.
std::string Cut(const std::string& text, int columns) {
  if (DisplayWidth(text) <= columns) return text;
  std::string out;
  for (size_t i = 0; i < text.size();) {
    size_t length = 1;
    while (i + length < text.size() && (static_cast<unsigned char>(text[i + length]) & 0xC0) == 0x80) ++length;
    const std::string longer = out + text.substr(i, length);
    if (DisplayWidth(longer) > columns) break;
    out = longer;
    i += length;
  }
  return out;
}

int Width(const StyledLine& line) {
  int width = 0;
  for (const StyledText& part : line) width += DisplayWidth(part.text);
  return width;
}

StyledLine CutLine(const StyledLine& line, int columns) {
  StyledLine out;
  int left = columns;
  for (const StyledText& part : line) {
    if (left <= 0) break;
    out.push_back({Cut(part.text, left), part.style});
    left -= DisplayWidth(out.back().text);
  }
  return out;
}

// Facts one behind the other, as many as there is room for in `max_lines` lines.
std::vector<StyledLine> Flow(const std::vector<StyledLine>& facts, int width, size_t max_lines) {
  std::vector<StyledLine> lines;
  for (const StyledLine& fact : facts) {
    const bool fits = !lines.empty() && Width(lines.back()) + 3 + Width(fact) <= width;
    if (!fits && lines.size() == max_lines) continue;
    if (fits) {
      lines.back().push_back({"   "});
    } else {
      lines.emplace_back();
    }
    lines.back().insert(lines.back().end(), fact.begin(), fact.end());
  }
  return lines;
}

StyledLine Fact(const std::string& name, const std::string& value, TextStyle style = TextStyle::kBold) {
  return {{name + " "}, {value, style}};
}

// --- Tables.

template <typename Row>
struct Column {
  std::string title;
  int importance;  // those of the highest numbers go first where there is no room; 0: never
  int width;       // at least, so that numbers that grow do not move the columns
  bool number;
  std::function<std::string(const Row&)> text;
  std::function<TextStyle(const Row&)> style;  // none: plain
};

// The title line and one line for each row.
template <typename Row>
std::vector<StyledLine> Table(const std::vector<Column<Row>>& columns, const std::vector<Row>& rows, int width,
                              const std::string& marked_title, const std::function<bool(const Row&)>& idle) {
  constexpr int kGap = 2;
  std::vector<int> widths;
  std::vector<std::vector<std::string>> cells;  // by column
  for (const Column<Row>& column : columns) {
    widths.push_back(std::max(column.width, DisplayWidth(column.title)));
    std::vector<std::string>& texts = cells.emplace_back();
    for (const Row& row : rows) {
      texts.push_back(column.text(row));
      widths.back() = std::max(widths.back(), DisplayWidth(texts.back()));
    }
  }
  std::vector<bool> shown(columns.size(), true);
  const auto total = [&] {
    int sum = -kGap;
    for (size_t i = 0; i < columns.size(); ++i) sum += shown[i] ? widths[i] + kGap : 0;
    return sum;
  };
  while (total() > width) {
    size_t least = columns.size();
    for (size_t i = 0; i < columns.size(); ++i) {
      const bool candidate = shown[i] && columns[i].importance > 0;
      if (candidate && (least == columns.size() || columns[i].importance > columns[least].importance)) least = i;
    }
    if (least == columns.size()) break;
    shown[least] = false;
  }
  // If even that is too wide, the first column gives way.
  widths[0] = std::max(std::min(widths[0], 8), widths[0] - std::max(0, total() - width));

  std::vector<StyledLine> lines(rows.size() + 1);
  for (size_t i = 0; i < columns.size(); ++i) {
    if (!shown[i]) continue;
    const auto padded = [&](const std::string& text) {
      const std::string cut = Cut(text, widths[i]);
      return columns[i].number ? PadLeft(cut, widths[i]) : PadRight(cut, widths[i]);
    };
    const std::string gap = i == 0 ? "" : std::string(kGap, ' ');
    const bool marked = columns[i].title == marked_title;
    lines[0].push_back({gap, TextStyle::kBold});
    lines[0].push_back({padded(columns[i].title), marked ? TextStyle::kReverse : TextStyle::kBold});
    for (size_t row = 0; row < rows.size(); ++row) {
      const TextStyle calm = idle(rows[row]) ? TextStyle::kDim : TextStyle::kPlain;
      const TextStyle style = columns[i].style ? columns[i].style(rows[row]) : TextStyle::kPlain;
      lines[row + 1].push_back({gap});
      lines[row + 1].push_back({padded(cells[i][row]), style == TextStyle::kPlain ? calm : style});
    }
  }
  for (StyledLine& line : lines) line = CutLine(line, width);
  return lines;
}

TextStyle BadIf(bool bad) { return bad ? TextStyle::kBad : TextStyle::kPlain; }

TextStyle FullnessStyle(Number part, Number whole) {
  if (!part || !whole || !(*whole > 0)) return TextStyle::kPlain;
  return *part >= 0.9 * *whole ? TextStyle::kBad : *part >= 0.5 * *whole ? TextStyle::kWarning : TextStyle::kPlain;
}

std::string StateText(const TopModel& model, size_t servers) {
  if (model.ready.value_or(0) == 0) return "not ready";
  const std::string version = absl::StrCat("v", static_cast<int64_t>(model.version.value_or(0)));
  if (*model.ready >= static_cast<double>(servers)) return version;
  return absl::StrCat(version, " ", *model.ready, "/", servers);
}

const char* SortTitle(TopSort sort) {
  switch (sort) {
    case TopSort::kName:
      return "MODEL";
    case TopSort::kRequests:
      return "REQ/S";
    case TopSort::kP99:
      return "P99 ms";
    case TopSort::kQueued:
      return "QUEUED";
    case TopSort::kBusy:
      return "BUSY%";
  }
  return "";
}

std::vector<Column<TopModel>> ModelColumns(size_t servers) {
  using M = TopModel;
  return {
      {"MODEL", 0, 16, false, [](const M& m) { return m.name; }},
      {"STATE", 1, 5, false, [servers](const M& m) { return StateText(m, servers); },
       [servers](const M& m) { return BadIf(m.ready.value_or(0) < static_cast<double>(servers)); }},
      {SortTitle(TopSort::kRequests), 0, 6, true, [](const M& m) { return NumberText(m.requests); }},
      {"ERR/S", 4, 5, true, [](const M& m) { return NumberText(m.errors); },
       [](const M& m) { return BadIf(m.errors.value_or(0) > 0); }},
      {"REJ/S", 12, 5, true, [](const M& m) { return NumberText(m.rejected); },
       [](const M& m) { return BadIf(m.rejected.value_or(0) > 0); }},
      {"P50 ms", 3, 6, true, [](const M& m) { return MillisecondsText(m.p50); }},
      {"P95 ms", 11, 6, true, [](const M& m) { return MillisecondsText(m.p95); }},
      {SortTitle(TopSort::kP99), 2, 6, true, [](const M& m) { return MillisecondsText(m.p99); }},
      {"WAIT50", 14, 6, true, [](const M& m) { return MillisecondsText(m.queue_p50); }},
      {"WAIT99", 8, 6, true, [](const M& m) { return MillisecondsText(m.queue_p99); }},
      {"FIRST", 10, 5, true, [](const M& m) { return MillisecondsText(m.first_p50); }},
      {SortTitle(TopSort::kQueued), 2, 6, true,
       [](const M& m) {
         return m.max_queued ? absl::StrCat(CountText(m.queued), "/", CountText(m.max_queued)) : CountText(m.queued);
       },
       [](const M& m) { return FullnessStyle(m.queued, m.max_queued); }},
      {"Q.TASKS", 17, 7, true, [](const M& m) { return CountText(m.queued_tasks); }},
      {"RUN", 5, 4, true, [](const M& m) { return CountText(m.running); }},
      {"STEPS/S", 7, 7, true, [](const M& m) { return NumberText(m.steps); }},
      {"ROWS", 6, 5, true, [](const M& m) { return NumberText(m.rows); }},
      {"OCC%", 9, 4, true, [](const M& m) { return PercentText(m.occupancy); }},
      {"TASKS", 13, 5, true, [](const M& m) { return NumberText(m.tasks); }},
      {SortTitle(TopSort::kBusy), 8, 5, true, [](const M& m) { return PercentText(m.busy); }},
      {"TOK/S", 15, 6, true, [](const M& m) { return NumberText(m.tokens); }},
      {"NODES/S", 16, 7, true, [](const M& m) { return NumberText(m.nodes); }},
      {"MIB", 15, 6, true,
       [](const M& m) { return m.resident_bytes ? absl::StrFormat("%.1f", *m.resident_bytes / (1 << 20)) : kNothing; }},
  };
}

std::vector<TopModel> SortedModels(const TopView& view, const TopLayout& layout) {
  std::vector<TopModel> models = view.models;
  const auto key = [&](const TopModel& model) -> double {
    switch (layout.sort) {
      case TopSort::kName:
        return 0;  // as they are
      case TopSort::kRequests:
        return model.requests.value_or(-1);
      case TopSort::kP99:
        return model.p99.value_or(-1);
      case TopSort::kQueued:
        return model.queued.value_or(-1);
      case TopSort::kBusy:
        return model.busy.value_or(-1);
    }
    return 0;
  };
  std::stable_sort(models.begin(), models.end(), [&](const TopModel& a, const TopModel& b) { return key(a) > key(b); });
  if (layout.reversed) std::reverse(models.begin(), models.end());
  return models;
}

std::vector<StyledLine> ModelTable(const TopView& view, const TopLayout& layout) {
  const auto answering = std::count_if(view.servers.begin(), view.servers.end(),
                                       [](const TopServer& server) { return server.trouble.empty(); });
  return Table<TopModel>(ModelColumns(static_cast<size_t>(answering)), SortedModels(view, layout), layout.width,
                         SortTitle(layout.sort),
                         [](const TopModel& m) { return m.requests.value_or(0) == 0 && m.running.value_or(0) == 0; });
}

std::vector<StyledLine> MethodTable(const TopView& view, const TopLayout& layout) {
  using M = TopMethod;
  const std::vector<Column<M>> columns = {
      {"METHOD", 0, 16, false, [](const M& m) { return m.name.substr(m.name.rfind('/') + 1); }},
      {"REQ/S", 0, 6, true, [](const M& m) { return NumberText(m.requests); }},
      {"IN FLIGHT", 4, 9, true, [](const M& m) { return CountText(m.in_flight); }},
      {"P50 ms", 2, 6, true, [](const M& m) { return MillisecondsText(m.p50); }},
      {"P95 ms", 5, 6, true, [](const M& m) { return MillisecondsText(m.p95); }},
      {"P99 ms", 1, 6, true, [](const M& m) { return MillisecondsText(m.p99); }},
      {"CODES per s", 3, 11, false, [](const M& m) { return m.codes.empty() ? kNothing : NamedText(m.codes); },
       [](const M& m) {
         return BadIf(std::any_of(m.codes.begin(), m.codes.end(), [](const auto& c) { return c.first != "OK"; }));
       }},
  };
  return Table<M>(columns, view.methods, layout.width, "",
                  [](const M& m) { return m.requests.value_or(0) == 0 && m.in_flight.value_or(0) == 0; });
}

std::vector<StyledLine> ServerTable(const TopView& view, const TopLayout& layout) {
  using S = TopServer;
  const auto of = [](std::string (*text)(Number), Number TopLoad::*field) {
    return [text, field](const S& s) { return s.trouble.empty() ? text(s.load.*field) : kNothing; };
  };
  const std::vector<Column<S>> columns = {
      {"SERVER", 0, 16, false, [](const S& s) { return s.address; }},
      {"STATE", 0, 8, false,
       [](const S& s) {
         return s.trouble.empty() ? "up " + DurationText(s.uptime) : "no answer for " + DurationText(s.silent_seconds);
       },
       [](const S& s) { return BadIf(!s.trouble.empty()); }},
      {"VERSION", 8, 7, false, [](const S& s) { return s.version.empty() ? kNothing : s.version; }},
      {"READY", 2, 5, true,
       [](const S& s) {
         return s.trouble.empty() ? absl::StrCat(CountText(s.load.models_ready), "/", CountText(s.load.models))
                                  : kNothing;
       },
       [](const S& s) { return BadIf(s.load.models_ready < s.load.models); }},
      {"REQ/S", 0, 6, true, of(NumberText, &TopLoad::requests)},
      {"ERR/S", 3, 5, true, of(NumberText, &TopLoad::errors)},
      {"REJ/S", 6, 5, true, of(NumberText, &TopLoad::rejected)},
      {"P99 ms", 1, 6, true, of(MillisecondsText, &TopLoad::p99)},
      {"CPU", 4, 4, true, of(NumberText, &TopLoad::cores)},
      {"MEMORY", 5, 9, true, of(BytesText, &TopLoad::memory)},
      {"SESSIONS", 7, 8, true, of(CountText, &TopLoad::sessions)},
  };
  return Table<S>(columns, view.servers, layout.width, "", [](const S&) { return false; });
}

// --- The lines above the tables.

StyledLine TitleLine(const TopView& view, const TopLayout& layout) {
  std::string left = " heed top  ";
  if (view.servers.size() == 1) {
    const TopServer& server = view.servers[0];
    absl::StrAppend(&left, server.address);
    if (server.trouble.empty()) {
      absl::StrAppend(&left, "  ", server.version.empty() ? "" : absl::StrCat("v", server.version, "  "), "up ",
                      DurationText(server.uptime));
    }
  } else {
    absl::StrAppend(&left, view.servers.size(), " servers");
  }
  std::string right = absl::StrCat(layout.paused ? "PAUSED  " : "", layout.clock, "  every ",
                                   absl::StrFormat("%g", layout.interval_seconds), " s ");
  const int gap = layout.width - DisplayWidth(left) - DisplayWidth(right);
  if (gap < 1) right.clear();
  // A pipe has no right border.
  const int blanks = right.empty() ? std::max(0, layout.width - DisplayWidth(left)) : gap;
  const std::string text =
      layout.height == 0 ? absl::StrCat(left, "  ", right) : absl::StrCat(left, std::string(blanks, ' '), right);
  return CutLine({{text, TextStyle::kReverse}}, layout.width);
}

std::string MemoryOfLimit(const TopLoad& all) {
  const std::string memory = BytesText(all.memory);
  return all.memory_limit.value_or(0) > 0 ? absl::StrCat(memory, " of ", BytesText(all.memory_limit)) : memory;
}

// "3 (12.0 KiB)"
std::string CountAndBytes(Number count, Number bytes) {
  const std::string text = CountText(count);
  return bytes.value_or(0) > 0 ? absl::StrCat(text, " (", BytesText(bytes), ")") : text;
}

std::vector<StyledLine> Summary(const TopView& view, const TopLayout& layout) {
  const TopLoad& all = view.all;
  std::vector<StyledLine> lines;
  if (view.servers.size() == 1 && !view.servers[0].trouble.empty()) {
    const TopServer& server = view.servers[0];
    lines.push_back(CutLine({{absl::StrCat("no answer for ", DurationText(server.silent_seconds)), TextStyle::kBad},
                             {absl::StrCat(": ", server.trouble)}},
                            layout.width));
    return lines;
  }

  StyledLine requests = Fact("requests", NumberText(all.requests) + "/s");
  if (!all.requests) requests = {{"requests "}, {"measuring", TextStyle::kDim}};
  StyledLine errors =
      Fact("errors", NumberText(all.errors) + "/s", all.errors.value_or(0) > 0 ? TextStyle::kBad : TextStyle::kBold);
  StyledLine rejected = Fact("rejected", NumberText(all.rejected) + "/s",
                             all.rejected.value_or(0) > 0 ? TextStyle::kBad : TextStyle::kBold);
  if (!view.rejections.empty()) rejected.push_back({absl::StrCat(" (", NamedText(view.rejections), ")")});
  const bool unready = all.models_ready < all.models;
  const std::string ready = absl::StrCat(CountText(all.models_ready), "/", CountText(all.models), " ready");
  std::vector<StyledLine> first =
      Flow({requests, Fact("p50", MillisecondsText(all.p50) + " ms"), Fact("p99", MillisecondsText(all.p99) + " ms"),
            Fact("in flight", CountText(all.in_flight)),
            Fact("models", ready, unready ? TextStyle::kBad : TextStyle::kBold)},
           layout.width, 1);
  // The history takes what room is left, if that is enough to show something.
  const int room = std::min(60, layout.width - Width(first[0]) - 3);
  if (room >= 8 && view.history.size() > 1) {
    first[0].push_back({"   "});
    first[0].push_back({Sparkline(view.history, room), TextStyle::kGood});
  }
  lines.push_back(CutLine(first[0], layout.width));

  std::string cores = all.cores ? absl::StrFormat("%.2f", *all.cores) : kNothing;
  if (all.threads) absl::StrAppend(&cores, " of ", CountText(all.threads));
  std::string files = CountText(all.files);
  if (all.max_files) absl::StrAppend(&files, " of ", CountText(all.max_files));
  std::vector<StyledLine> facts = {errors, rejected};
  if (all.slow) {
    facts.push_back(Fact("slow", NumberText(all.slow) + "/s", *all.slow > 0 ? TextStyle::kWarning : TextStyle::kBold));
  }
  facts.push_back(Fact("cpu", cores));
  if (all.throttled) {
    facts.push_back(Fact("throttled", PercentText(all.throttled) + " %",
                         *all.throttled > 0.01 ? TextStyle::kWarning : TextStyle::kBold));
  }
  const TextStyle fullness = FullnessStyle(all.memory, all.memory_limit);
  facts.push_back(Fact("memory", MemoryOfLimit(all), fullness == TextStyle::kPlain ? TextStyle::kBold : fullness));
  facts.push_back(Fact("sessions", CountAndBytes(all.sessions, all.session_bytes)));
  facts.push_back(Fact("graphs", CountAndBytes(all.graphs, all.graph_bytes)));
  facts.push_back(Fact("threads", CountText(all.process_threads)));
  facts.push_back(Fact("fds", files));
  for (StyledLine& line : Flow(facts, layout.width, 3)) lines.push_back(CutLine(line, layout.width));
  return lines;
}

StyledLine KeyLine(const TopLayout& layout) {
  const auto key = [](const char* keys, const std::string& does) {
    return StyledLine{{keys, TextStyle::kBold}, {does}};
  };
  std::vector<StyledLine> lines = Flow({key("q", " quit"), key("p", layout.paused ? " go on" : " pause"),
                                        key("s", absl::StrCat(" sort: ", SortTitle(layout.sort))), key("r", " reverse"),
                                        key("↑↓", " scroll"), key("h", " help")},
                                       layout.width, 1);
  return lines.empty() ? StyledLine() : lines[0];
}

std::vector<StyledLine> HelpLines() {
  std::vector<StyledLine> lines;
  for (const char* line : {"Rates and quantiles are those of the time between the last two pages.",
                           "",
                           "STATE     the version that requests get; x/y: on so many servers",
                           "REQ/S     requests that ended; ERR/S of those, with any code but OK",
                           "REJ/S     requests that were refused before they were queued",
                           "P50 ...   time from a request's arrival to its end, by quantile",
                           "WAIT50    time from a request's submission to its first step; WAIT99",
                           "FIRST     time to a request's first output, median",
                           "QUEUED    requests that wait, of how many may; Q.TASKS their tasks",
                           "RUN       tasks (sentences, graphs, stories) under way",
                           "STEPS/S   steps of the running batch; ROWS, TASKS of a step, on average",
                           "OCC%      rows of a step, of how many it may have",
                           "BUSY%     share of the threads' time that the model's steps take",
                           "TOK/S     tokens translated; NODES/S nodes read; MIB memory of weights",
                           "",
                           "cpu       cores used, of the thread budget; throttled: share of",
                           "          the threads' time that the container's quota held the server up",
                           "",
                           "q quit   p or blank pause   s sort by another column   r reverse",
                           "up, down, k, j scroll the models   h close this"}) {
    lines.push_back({{line}});
  }
  return lines;
}

// Lines of models that there is room for, and whether methods stand below.
struct Heights {
  size_t models = 0;   // title and rows
  size_t methods = 0;  // likewise; 0: none
};

Heights Divide(size_t room, size_t models, size_t methods) {
  constexpr size_t kLeastMethods = 3;
  if (models + 1 + std::min(methods, kLeastMethods) > room) return {.models = std::min(models, room)};
  return {.models = models, .methods = methods == 1 ? 0 : std::min(methods, room - models - 1)};
}

// All but the tables of models and methods.
std::vector<StyledLine> Head(const TopView& view, const TopLayout& layout) {
  std::vector<StyledLine> lines = {TitleLine(view, layout)};
  for (StyledLine& line : Summary(view, layout)) lines.push_back(std::move(line));
  if (view.servers.size() > 1) {
    lines.emplace_back();
    for (StyledLine& line : ServerTable(view, layout)) lines.push_back(std::move(line));
  }
  lines.emplace_back();
  return lines;
}

// Room for the tables below a head of `head` lines.
size_t Room(const TopLayout& layout, size_t head) {
  if (layout.height == 0) return 1 << 20;
  return static_cast<size_t>(std::max(0, layout.height - 1 - static_cast<int>(head)));
}

// With names and reasons as VisibleLine shows them.
TopView Visible(TopView view) {
  const auto show = [](std::string& text) { text = VisibleLine(text); };
  for (TopServer& server : view.servers) {
    for (std::string* const text : {&server.address, &server.trouble, &server.version}) show(*text);
  }
  for (auto& [reason, rate] : view.rejections) show(reason);
  for (TopModel& model : view.models) show(model.name);
  for (TopMethod& method : view.methods) {
    show(method.name);
    for (auto& [code, rate] : method.codes) show(code);
  }
  return view;
}

}  // namespace

std::string PlainText(const StyledLine& line) {
  std::string text;
  for (const StyledText& part : line) absl::StrAppend(&text, part.text);
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

std::string AnsiText(const StyledLine& line, bool colors) {
  std::string text;
  for (const StyledText& part : line) {
    const char* sequence = "";
    switch (part.style) {
      case TextStyle::kPlain:
        break;
      case TextStyle::kDim:
        sequence = "\x1b[2m";
        break;
      case TextStyle::kBold:
        sequence = "\x1b[1m";
        break;
      case TextStyle::kReverse:
        sequence = "\x1b[7m";
        break;
      case TextStyle::kGood:
        sequence = colors ? "\x1b[32m" : "";
        break;
      case TextStyle::kWarning:
        sequence = colors ? "\x1b[1;33m" : "\x1b[1m";
        break;
      case TextStyle::kBad:
        sequence = colors ? "\x1b[1;31m" : "\x1b[1m";
        break;
    }
    absl::StrAppend(&text, sequence, part.text, *sequence == '\0' ? "" : "\x1b[0m");
  }
  return text;
}

std::vector<StyledLine> TopLines(const TopView& given, const TopLayout& layout) {
  const TopView view = Visible(given);
  std::vector<StyledLine> lines = Head(view, layout);
  const size_t room = Room(layout, lines.size());
  if (layout.help) {
    for (const StyledLine& line : HelpLines()) lines.push_back(CutLine(line, layout.width));
  } else {
    const std::vector<StyledLine> models = ModelTable(view, layout);
    const std::vector<StyledLine> methods = MethodTable(view, layout);
    const Heights heights = Divide(room, models.size(), methods.size());
    if (heights.models > 0 && models.size() > 1) {
      lines.push_back(models[0]);
      const size_t most = models.size() - heights.models;
      const size_t first = 1 + std::min(static_cast<size_t>(std::max(0, layout.scroll)), most);
      lines.insert(lines.end(), models.begin() + static_cast<std::ptrdiff_t>(first),
                   models.begin() + static_cast<std::ptrdiff_t>(first + heights.models - 1));
    }
    if (heights.methods > 0) {
      lines.emplace_back();
      lines.insert(lines.end(), methods.begin(), methods.begin() + static_cast<std::ptrdiff_t>(heights.methods));
    }
  }
  if (layout.height == 0) return lines;
  const auto height = static_cast<size_t>(layout.height);
  lines.resize(height > 1 ? height - 1 : height);
  if (height > 1) lines.push_back(KeyLine(layout));
  return lines;
}

int MostScroll(const TopView& given, const TopLayout& layout) {
  const TopView view = Visible(given);
  const size_t room = Room(layout, Head(view, layout).size());
  const size_t models = view.models.size() + 1;
  const size_t methods = view.methods.size() + 1;
  return static_cast<int>(models - std::max<size_t>(1, Divide(room, models, methods).models));
}

}  // namespace heed::client
