// SPDX-License-Identifier: Apache-2.0
#include "client/commands/translate_lines.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/mutex.h"
#include "base/utf8.h"
#include "base/visible_text.h"
#include "client/cli/command_line.h"
#include "client/cli/exit_code.h"
#include "client/lib/channel.h"
#include "client/lib/request_pipeline.h"
#include "client/lib/translation_client.h"
#include "client/render/heat_map.h"
#include "client/render/progress_bar.h"
#include "client/render/translation_json.h"

namespace heed::client {
namespace {

// A translation, or a part of one, as it is printed: on one line. A file or another program gets the rest of it to the
// byte, a terminal nothing that it would obey.
std::string OneLine(const std::string& text, const Console& console) {
  const std::string line = absl::StrReplaceAll(text, {{"\r\n", " "}, {"\n", " "}, {"\r", " "}});
  return console.out_is_terminal ? VisibleLines(line) : line;
}

grpc::Status CheckLine(const std::string& line) {
  const std::optional<size_t> invalid = FirstInvalidUtf8(line);
  if (!invalid) return grpc::Status::OK;
  return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, absl::StrCat("not UTF-8 at byte ", *invalid + 1));
}

void PrintHeatMaps(const v1::TranslatedSentence& sentence, Console& console) {
  if (sentence.hypotheses_size() == 0) return;
  const std::string map = HeatMap(sentence, sentence.hypotheses(0), console.columns);
  if (!map.empty()) console.out << map << "\n";
}

// Prints the lines of a run in order and remembers how it went. Used by one thread at a time.
class LinePrinter {
 public:
  // `typed`: the lines come from a person, who needs no progress bar.
  LinePrinter(const TranslateSettings& settings, Console& console, int64_t input_bytes, bool typed)
      : settings_(settings),
        console_(console),
        bar_(console.err_is_terminal && !console.out_is_terminal && !typed ? &console.err : nullptr, console.columns,
             std::chrono::steady_clock::now()) {
    progress_.total_bytes = input_bytes;
  }

  void Print(const v1::TranslatedText& translation, int64_t source_bytes) {
    ++progress_.lines;
    if (console_.err_is_terminal && !settings_.json) NoteRoute(translation);
    if (settings_.json) {
      console_.out << TranslationJson(progress_.lines, translation) << "\n";
    } else {
      console_.out << OneLine(translation.text(), console_) << "\n";
      if (settings_.attention) {
        for (const v1::TranslatedSentence& sentence : translation.sentences()) PrintHeatMaps(sentence, console_);
      }
    }
    Finish(source_bytes);
  }

  // Of a line of which something may be printed already, but not its end.
  void PrintFailure(const grpc::Status& status, int64_t source_bytes) {
    ++progress_.lines;
    failed_ = true;
    bar_.Clear();
    console_.out << (settings_.json ? ErrorJson(progress_.lines, status) : "") << "\n";
    Finish(source_bytes);
    Note(console_, absl::StrCat("line ", progress_.lines, ": ", StatusText(status)));
  }

  // Counts a line that was printed as it came.
  void Finish(int64_t source_bytes) {
    console_.out << std::flush;
    progress_.bytes += source_bytes + 1;
    bar_.Update(progress_, std::chrono::steady_clock::now());
  }
  void CountLine() { ++progress_.lines; }

  void PrintOutage(const grpc::Status& status) {
    bar_.Clear();
    NoteWaiting(console_, settings_.server.address, status);
  }

  void ClearBar() { bar_.Clear(); }
  int64_t lines() const { return progress_.lines; }
  bool failed() const { return failed_; }

 private:
  // Says which way a text went, once for each way.
  void NoteRoute(const v1::TranslatedText& translation) {
    if (translation.route_size() == 0) return;
    std::string way = translation.route(0).source_language();
    std::vector<std::string> models;
    for (const v1::TranslationLeg& leg : translation.route()) {
      absl::StrAppend(&way, " > ", leg.target_language());
      models.push_back(leg.model());
    }
    if (!settings_.options.has_languages() || !routes_.insert(way).second) return;
    bar_.Clear();
    Note(console_, VisibleLine(absl::StrCat(way, " with ", absl::StrJoin(models, ", "))));
  }

  const TranslateSettings& settings_;
  Console& console_;
  Progress progress_;
  std::set<std::string> routes_;  // that were noted
  ProgressBar bar_;
  bool failed_ = false;
};

// What the end of a run means. `lost` is the error with which the server went away, if it did.
int EndRun(const TranslateSettings& settings, const std::istream& in, Console& console, LinePrinter& printer,
           const grpc::Status& lost) {
  printer.ClearBar();
  if (console.stop.stop_requested()) {
    return Fail(console, kExitInterrupted, absl::StrCat("interrupted after ", printer.lines(), " lines"));
  }
  if (!console.out) return FailOutput(console);
  if (!lost.ok()) {
    return Fail(console, kExitUnavailable,
                absl::StrCat("the server at ", settings.server.address, " went away at line ", printer.lines() + 1,
                             "; the lines before it are printed (", StatusText(lost), ")"));
  }
  if (in.bad()) return Fail(console, kExitUsage, absl::StrCat("cannot read the input after line ", printer.lines()));
  return printer.failed() ? kExitFailed : kExitOk;
}

int TranslateInPipeline(const TranslateSettings& settings, const v1::TranslateRequest& prototype,
                        const std::shared_ptr<grpc::Channel>& channel, std::istream& in, LinePrinter& printer,
                        Console& console) {
  PipelineOptions options;
  options.in_flight = settings.in_flight;
  options.undelivered = 16 * settings.in_flight;
  options.deadline = settings.server.deadline();
  options.on_outage = [&printer](const grpc::Status& status) { printer.PrintOutage(status); };

  Mutex mutex;
  std::deque<int64_t> line_bytes;  // of the lines not yet delivered; guarded by mutex
  grpc::Status lost;               // the pipeline's thread writes it; read when that has finished
  RequestPipeline<v1::TranslateRequest>* running = nullptr;
  const auto deliver = [&](RequestPipeline<v1::TranslateRequest>::Result result) {
    int64_t bytes = 0;
    {
      MutexLock lock(mutex);
      bytes = line_bytes.front();
      line_bytes.pop_front();
    }
    if (result.status.ok() && result.response.translations_size() == 1) {
      printer.Print(result.response.translations(0), bytes);
    } else if (result.status.ok()) {
      printer.PrintFailure(grpc::Status(grpc::StatusCode::INTERNAL, "the server sent no translation"), bytes);
    } else if (result.status.error_code() == grpc::StatusCode::UNAVAILABLE) {
      lost = result.status;
      running->Cancel();
    } else {
      printer.PrintFailure(result.status, bytes);
    }
    if (!console.out) running->Cancel();
  };
  RequestPipeline<v1::TranslateRequest> pipeline(channel, options, deliver);
  running = &pipeline;
  const std::stop_callback cancel(console.stop, [&pipeline] { pipeline.Cancel(); });

  std::string line;
  bool open = true;
  while (open && ReadLine(in, line)) {
    {
      MutexLock lock(mutex);
      line_bytes.push_back(static_cast<int64_t>(line.size()));
    }
    if (const grpc::Status checked = CheckLine(line); !checked.ok()) {
      open = pipeline.Reject(checked);
    } else {
      v1::TranslateRequest request = prototype;
      request.add_texts(line);
      open = pipeline.Submit(std::move(request));
    }
  }
  pipeline.Finish();
  return EndRun(settings, in, console, printer, lost);
}

// Prints the events of one text: its sentences in order, each from its first event on, those that are ahead of their
// turn when it comes.
class StreamPrinter {
 public:
  StreamPrinter(bool attention, Console& console) : attention_(attention), console_(console) {}

  void Print(const v1::TranslateStreamResponse& event) {
    Pending& sentence = pending_[event.sentence_index()];
    if (event.event_case() == v1::TranslateStreamResponse::kDelta) sentence.text += event.delta();
    if (event.event_case() == v1::TranslateStreamResponse::kSentence) sentence.finished = event.sentence();
    for (auto first = pending_.begin(); first != pending_.end() && first->first == current_; first = pending_.begin()) {
      if (!PrintNew(first->second)) break;
      finished_.push_back(*std::move(first->second.finished));
      pending_.erase(first);
      ++current_;
    }
    console_.out << std::flush;
  }

  // Ends the line.
  void Finish() {
    console_.out << "\n";
    if (!attention_) return;
    for (const v1::TranslatedSentence& sentence : finished_) PrintHeatMaps(sentence, console_);
  }

 private:
  struct Pending {
    std::string text;    // as far as it came
    size_t printed = 0;  // of it
    bool separated = false;
    std::optional<v1::TranslatedSentence> finished;
  };

  // True: the sentence is finished and printed as a whole.
  bool PrintNew(Pending& sentence) {
    if (!sentence.separated && (sentence.finished || !sentence.text.empty())) {
      // A sentence that still grows does not say what stands before it.
      console_.out << OneLine(sentence.finished ? sentence.finished->separator() : current_ > 0 ? " " : "", console_);
      sentence.separated = true;
    }
    if (sentence.finished && sentence.finished->hypotheses_size() > 0) {
      const std::string& whole = sentence.finished->hypotheses(0).text();
      // The deltas make up the text; without them (beam search) it comes as a whole.
      if (sentence.text.size() < whole.size()) sentence.text += whole.substr(sentence.text.size());
    }
    console_.out << OneLine(sentence.text.substr(sentence.printed), console_);
    sentence.printed = sentence.text.size();
    return sentence.finished.has_value();
  }

  const bool attention_;
  Console& console_;
  int current_ = 0;  // the first sentence that is not finished
  std::map<int, Pending> pending_;
  std::vector<v1::TranslatedSentence> finished_;
};

int TranslateStreaming(const TranslateSettings& settings, const v1::TranslateRequest& prototype,
                       const TranslationClient& client, std::istream& in, LinePrinter& printer, Console& console) {
  grpc::Status lost;
  std::string line;
  while (lost.ok() && console.out && ReadLine(in, line)) {
    const auto bytes = static_cast<int64_t>(line.size());
    grpc::Status status = CheckLine(line);
    StreamPrinter events(settings.attention, console);
    if (status.ok()) {
      v1::TranslateRequest request = prototype;
      request.add_texts(line);
      status = client.TranslateStream(StreamRequestOf(request), [&](const v1::TranslateStreamResponse& event) {
        events.Print(event);
        return static_cast<bool>(console.out);
      });
    }
    if (console.stop.stop_requested() || !console.out) break;
    if (status.ok()) {
      events.Finish();
      printer.CountLine();
      printer.Finish(bytes);
    } else if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
      lost = status;
    } else {
      printer.PrintFailure(status, bytes);
    }
  }
  return EndRun(settings, in, console, printer, lost);
}

}  // namespace

int TranslateLines(const TranslateSettings& settings, const v1::TranslateRequest& prototype,
                   const std::shared_ptr<grpc::Channel>& channel, CommandInput& input, Console& console) {
  if (input.typed() && console.err_is_terminal) {
    const std::string how = prototype.model().empty()
                                ? absl::StrCat("from ", settings.options.from.empty() ? "auto" : settings.options.from,
                                               " to ", settings.options.to.empty() ? "?" : settings.options.to)
                                : absl::StrCat("with ", prototype.model());
    console.err << "Translating " << VisibleLine(how) << ": one line at a time, Ctrl-D ends." << std::endl;
  }
  LinePrinter printer(settings, console, input.bytes(), input.typed());
  if (!settings.stream) return TranslateInPipeline(settings, prototype, channel, input.stream(), printer, console);
  const TranslationClient client(channel, {.deadline = settings.server.deadline(), .stop = console.stop});
  return TranslateStreaming(settings, prototype, client, input.stream(), printer, console);
}

}  // namespace heed::client
