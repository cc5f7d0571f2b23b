// SPDX-License-Identifier: Apache-2.0
// heed ask: stories and questions from a file or from flags, each story one request.
#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "base/visible_text.h"
#include "client/cli/command_input.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/commands/story_file.h"
#include "client/lib/channel.h"
#include "client/lib/question_client.h"
#include "client/lib/request_pipeline.h"
#include "client/render/answer_text.h"
#include "client/render/classification_json.h"
#include "client/render/progress_bar.h"

namespace heed::client {
namespace {

struct AskSettings {
  ServerFlags server;
  std::string model;
  std::optional<std::string> story;
  std::optional<std::string> babi;
  std::vector<std::pair<std::string, std::string>> sentences;  // "fact" or "question", text
  std::optional<int> top;
  bool why = false;
  bool json = false;
  int in_flight = 64;
};

CommandHelp AskHelp() {
  return {
      "heed ask [--story=FILE | --babi=FILE | --fact=TEXT ... --question=TEXT ...] [flags]",
      "Answers questions about stories and prints one line for each question, in order: only the answer, spelled\n"
      "as in the model's data. A question is about the facts before it. In a story file each line is a sentence:\n"
      "one that ends with \"?\" is a question, any other one a fact. \":fact TEXT\" and \":question TEXT\" say which "
      "it\n"
      "is. Blank lines separate stories, which are independent. Without a file the story comes from standard input.\n"
      "The command sends many stories at a time. For a question that fails it prints an empty line; the place and\n"
      "the error go to standard error, and so does each word that the model does not know, once.\n"
      "\n"
      "A bAbI file has lines \"ID text\" and \"ID question<TAB>answer<TAB>supporting IDs\". The ID 1 begins a story. "
      "At\n"
      "the end, standard error says how many answers were right.",
      "Exit codes:\n"
      "  0    every question was answered\n"
      "  1    some questions failed\n"
      "  2    wrong flags, the input cannot be read or is malformed, no such model, or several to choose from\n"
      "  3    no server, it went away, or no model that serves\n"
      "  130  interrupted\n"
      "\n"
      "Examples:\n"
      "  heed ask --fact='Mary went to the kitchen.' --question='Where is Mary?'\n"
      "  heed ask --story=story.txt --top=3 --why\n"
      "  gunzip -c qa1_valid.txt.gz | heed ask --babi=- --why > answers.txt\n"
      "  heed ask --babi=qa1.txt --json | jq -r 'select(.right | not) | .question'\n"};
}

std::optional<int> ParseAskSettings(const std::vector<std::string>& arguments, Console& console,
                                    AskSettings& settings) {
  FlagTable flags;
  flags.AddSection("Request");
  settings.server.AddTo(flags, "Maximum time for a story, with all its retries. 0 means no limit.");
  settings.server.AddPriorityTo(flags);
  settings.server.AddModelVersionTo(flags);
  flags.AddString("model", &settings.model, "NAME",
                  "Name of the model. Defaults to the server's only question answerer.");
  flags.AddInt("in_flight", &settings.in_flight, 1, 100000, "Maximum stories in progress at a time.");
  flags.AddSection("Input");
  flags.AddString("story", &settings.story, "FILE", "File of sentences, one a line. - is standard input, the default.");
  flags.AddString("babi", &settings.babi, "FILE", "File in the format of bAbI, not compressed. - is standard input.");
  flags.AddEach("fact", &settings.sentences, "TEXT", "A fact. May be given again, before and after questions.");
  flags.AddEach("question", &settings.sentences, "TEXT", "A question about the facts before it. May be given again.");
  flags.AddSection("Output");
  flags.AddInt("top", &settings.top, 0, 1000000,
               "Add the N most likely answers and their probabilities, between tabs. 0 adds all answers.");
  flags.AddBool("why", &settings.why,
                "Add the facts behind the answer, strongest first: number (from 0), text and weight, between tabs.");
  flags.AddBool("json", &settings.json,
                "Print a JSON object for each line: story (from 1), line, question, answer, candidates, unknown_words, "
                "unknown_words_of_facts and, if known, facts, expected, right and supporting; or error.");
  std::vector<std::string> others;
  if (const auto code = ParseCommand(AskHelp(), flags, arguments, 0, others, console)) return code;
  if (settings.story.has_value() + settings.babi.has_value() + !settings.sentences.empty() > 1) {
    return Fail(console, kExitUsage, "--story, --babi and --fact with --question exclude each other");
  }
  return std::nullopt;
}

// The lines of an answer, what was right, and how it went. Used by one thread at a time.
class AnswerPrinter {
 public:
  // `place`: the file's name; empty: the sentences are flags. `total_bytes` of the input, for the progress bar; none is
  // drawn for input that is `typed`.
  AnswerPrinter(const AskSettings& settings, std::string place, int64_t total_bytes, bool typed, Console& console)
      : settings_(settings),
        place_(std::move(place)),
        console_(console),
        bar_(console.err_is_terminal && !console.out_is_terminal && !typed ? &console.err : nullptr, console.columns,
             std::chrono::steady_clock::now()) {
    progress_.unit = "questions";
    progress_.total_bytes = total_bytes;
  }

  void BeginStory(const Story& story) { story_ = story.number; }
  void EndStory(const Story& story) {
    progress_.bytes += story.bytes;
    console_.out << std::flush;
    bar_.Update(progress_, std::chrono::steady_clock::now());
  }

  void Print(const AskedQuestion& question, const v1::QuestionAnswer& answer, const v1::AnswerResponse& response) {
    ++progress_.lines;
    Warn(response.unknown_words());
    Warn(answer.unknown_words());
    Count(question, &answer);
    if (!settings_.json) {
      console_.out << AnswerLine(answer, {.candidates = settings_.top.has_value(), .facts = settings_.why}) << "\n";
      return;
    }
    nlohmann::ordered_json json = Named(question);
    AddAnswer(answer, json);
    json["unknown_words_of_facts"] = nlohmann::ordered_json(response.unknown_words());
    if (question.expected) {
      json["expected"] = *question.expected;
      json["right"] = answer.text() == *question.expected;
    }
    if (!question.supporting.empty()) json["supporting"] = question.supporting;
    console_.out << JsonText(json) << "\n";
  }

  // `line` is to blame for it.
  void PrintFailure(const AskedQuestion& question, int64_t line, const grpc::Status& status) {
    ++progress_.lines;
    failed_ = true;
    Count(question, nullptr);
    if (settings_.json) {
      nlohmann::ordered_json json = Named(question);
      AddError(status, json);
      console_.out << JsonText(json);
    }
    console_.out << "\n";
    std::string message = absl::StrCat(Place(line), ": ", StatusText(status));
    if (message == last_failure_) return;  // one bad fact fails every question behind it
    bar_.Clear();
    Note(console_, message);
    last_failure_ = std::move(message);
  }

  void PrintOutage(const grpc::Status& status) {
    bar_.Clear();
    NoteWaiting(console_, settings_.server.address, status);
  }

  void PrintSummary() {
    if (judged_ == 0) return;
    const auto percent = [](int64_t part, int64_t whole) {
      return 100 * static_cast<double>(part) / static_cast<double>(whole);
    };
    std::string text =
        absl::StrFormat("%d questions, %d right, error %.1f %%", judged_, right_, percent(judged_ - right_, judged_));
    if (settings_.why && supported_ > 0) {
      absl::StrAppendFormat(&text, "; the strongest fact is a supporting one for %.1f %% (hit@1)",
                            percent(hits_, supported_));
    }
    Note(console_, text);
  }

  void ClearBar() { bar_.Clear(); }
  int64_t lines() const { return progress_.lines; }
  bool failed() const { return failed_; }

 private:
  nlohmann::ordered_json Named(const AskedQuestion& question) const {
    return {{"story", story_}, {"line", question.line}, {"question", question.text}};
  }

  std::string Place(int64_t line) const {
    return place_.empty() ? absl::StrCat("sentence ", line) : absl::StrCat(place_, ", line ", line);
  }

  void Warn(const google::protobuf::RepeatedPtrField<std::string>& unknown_words) {
    for (const std::string& word : unknown_words) {
      if (!warned_.insert(absl::AsciiStrToLower(word)).second) continue;
      bar_.Clear();
      Note(console_, absl::StrCat("the model does not know the word '", VisibleLine(word), "'"));
    }
  }

  void Count(const AskedQuestion& question, const v1::QuestionAnswer* answer) {
    if (question.expected) {
      ++judged_;
      right_ += answer != nullptr && answer->text() == *question.expected;
    }
    if (!question.supporting.empty()) {
      ++supported_;
      hits_ += answer != nullptr && answer->facts_size() > 0 &&
               std::count(question.supporting.begin(), question.supporting.end(), answer->facts(0).fact()) > 0;
    }
  }

  const AskSettings& settings_;
  const std::string place_;
  Console& console_;
  Progress progress_;
  ProgressBar bar_;
  int64_t story_ = 0;
  std::set<std::string> warned_;
  std::string last_failure_;
  bool failed_ = false;
  int64_t judged_ = 0;  // questions with an expected answer
  int64_t right_ = 0;
  int64_t supported_ = 0;  // questions with supporting facts
  int64_t hits_ = 0;
};

// N of "facts[N]" in a message.
std::optional<size_t> NamedItem(absl::string_view message, absl::string_view field) {
  const size_t begin = message.find(absl::StrCat(field, "["));
  if (begin == absl::string_view::npos) return std::nullopt;
  const absl::string_view rest = message.substr(begin + field.size() + 1);
  size_t number = 0;
  if (!absl::SimpleAtoi(rest.substr(0, rest.find(']')), &number)) return std::nullopt;
  return number;
}

// The line that an error of a story's request speaks of, or else that of `question`.
int64_t LineToBlame(const Story& story, const AskedQuestion& question, const grpc::Status& status) {
  const std::optional<size_t> fact = NamedItem(status.error_message(), "facts");
  return fact && *fact < story.fact_lines.size() ? story.fact_lines[*fact] : question.line;
}

void AddQuestion(const AskedQuestion& asked, v1::AnswerRequest& request) {
  v1::AnswerRequest::Question& question = *request.add_questions();
  question.set_text(asked.text);
  if (asked.after_facts != request.facts_size()) question.set_after_fact_count(asked.after_facts);
}

// Of questions that follow each other in the story, with the facts before them.
v1::AnswerRequest StoryRequest(const v1::AnswerRequest& prototype, const Story& story,
                               absl::Span<const AskedQuestion> questions) {
  v1::AnswerRequest request = prototype;
  request.mutable_facts()->Add(story.facts.begin(), story.facts.begin() + questions.back().after_facts);
  for (const AskedQuestion& question : questions) AddQuestion(question, request);
  return request;
}

// Gives the next story: from a file, or from the flags. Returns as StoryReader::Next().
using NextStory = std::function<absl::StatusOr<std::optional<Story>>()>;

// The one story that the flags tell.
NextStory FlagStory(const AskSettings& settings) {
  return [&settings, over = false]() mutable -> absl::StatusOr<std::optional<Story>> {
    if (std::exchange(over, true)) return std::nullopt;
    Story story;
    int64_t number = 0;
    for (const auto& [flag, text] : settings.sentences) {
      ++number;
      if (flag == "question") {
        story.questions.push_back(
            {.text = text, .line = number, .after_facts = static_cast<int64_t>(story.facts.size())});
      } else {
        story.facts.push_back(text);
        story.fact_lines.push_back(number);
      }
    }
    return story;
  };
}

class StoryRun {
 public:
  StoryRun(const AskSettings& settings, v1::AnswerRequest prototype, const std::shared_ptr<grpc::Channel>& channel,
           AnswerPrinter& printer, Console& console)
      : settings_(settings),
        prototype_(std::move(prototype)),
        client_(channel, {.deadline = settings.server.deadline(), .stop = console.stop}),
        printer_(printer),
        console_(console),
        pipeline_(channel, Options(), [this](Pipeline::Result result) { Deliver(std::move(result)); }),
        cancel_(console.stop, Cancel{&pipeline_}) {}

  // The exit code, after a message if it is not 0.
  int Run(const NextStory& next) {
    absl::Status read;
    bool open = true;
    bool asked = false;
    while (open) {
      absl::StatusOr<std::optional<Story>> story = next();
      read = story.status();
      if (!read.ok() || !story->has_value()) break;
      if ((*story)->questions.empty()) continue;
      asked = true;
      v1::AnswerRequest request = StoryRequest(prototype_, **story, (*story)->questions);
      {
        MutexLock lock(mutex_);
        stories_.push_back(**std::move(story));
      }
      open = pipeline_.Submit(std::move(request));
    }
    pipeline_.Finish();
    printer_.ClearBar();
    if (console_.stop.stop_requested()) {
      return Fail(console_, kExitInterrupted, absl::StrCat("interrupted after ", printer_.lines(), " questions"));
    }
    if (!console_.out) return FailOutput(console_);
    if (!lost_.ok()) {
      return Fail(console_, kExitUnavailable,
                  absl::StrCat("the server at ", settings_.server.address, " went away at question ",
                               printer_.lines() + 1, "; the answers before it are printed (", StatusText(lost_), ")"));
    }
    if (!read.ok()) return Fail(console_, kExitUsage, std::string(read.message()));
    if (!asked) return Fail(console_, kExitUsage, "there is no question");
    printer_.PrintSummary();
    return printer_.failed() ? kExitFailed : kExitOk;
  }

 private:
  using Pipeline = RequestPipeline<v1::AnswerRequest>;
  struct Cancel {
    Pipeline* pipeline;
    void operator()() const { pipeline->Cancel(); }
  };

  PipelineOptions Options() {
    PipelineOptions options;
    options.in_flight = settings_.in_flight;
    options.undelivered = 16 * settings_.in_flight;
    options.deadline = settings_.server.deadline();
    options.on_outage = [this](const grpc::Status& status) { printer_.PrintOutage(status); };
    return options;
  }

  // On the pipeline's thread, from here on.
  void Deliver(Pipeline::Result result) {
    Story story;
    {
      MutexLock lock(mutex_);
      story = std::move(stories_.front());
      stories_.pop_front();
    }
    printer_.BeginStory(story);
    // One bad sentence fails the whole story: the other questions deserve another try.
    if (result.status.error_code() == grpc::StatusCode::INVALID_ARGUMENT && story.questions.size() > 1) {
      AskEach(story);
    } else if (result.status.error_code() == grpc::StatusCode::UNAVAILABLE) {
      lost_ = result.status;
    } else {
      for (size_t i = 0; i < story.questions.size(); ++i) {
        Print(story, story.questions[i], i, story.questions.size(), result.status, result.response);
      }
    }
    printer_.EndStory(story);
    if (!console_.out || !lost_.ok()) pipeline_.Cancel();
  }

  void AskEach(const Story& story) {
    for (const AskedQuestion& question : story.questions) {
      v1::AnswerResponse response;
      const grpc::Status status = client_.Answer(StoryRequest(prototype_, story, {&question, 1}), response);
      if (console_.stop.stop_requested()) return;
      if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
        lost_ = status;
        return;
      }
      Print(story, question, 0, 1, status, response);
    }
  }

  // The answer `number` of a response that should have `questions` of them.
  void Print(const Story& story, const AskedQuestion& question, size_t number, size_t questions, grpc::Status status,
             const v1::AnswerResponse& response) {
    if (status.ok() && static_cast<size_t>(response.answers_size()) != questions) {
      status = grpc::Status(grpc::StatusCode::INTERNAL, absl::StrCat("the server sent ", response.answers_size(),
                                                                     " answers to ", questions, " questions"));
    }
    if (status.ok()) {
      printer_.Print(question, response.answers(static_cast<int>(number)), response);
    } else {
      printer_.PrintFailure(question, LineToBlame(story, question, status), status);
    }
  }

  const AskSettings& settings_;
  const v1::AnswerRequest prototype_;
  const QuestionClient client_;
  AnswerPrinter& printer_;
  Console& console_;
  Mutex mutex_;
  std::deque<Story> stories_ GUARDED_BY(mutex_);  // not yet delivered
  grpc::Status lost_;                             // the pipeline's thread writes it; read when that has finished
  Pipeline pipeline_;
  const std::stop_callback<Cancel> cancel_;
};

}  // namespace

int AskCommand(const std::vector<std::string>& arguments, Console& console) {
  AskSettings settings;
  if (const auto code = ParseAskSettings(arguments, console, settings)) return *code;
  v1::AnswerRequest prototype;
  if (settings.top) prototype.mutable_options()->set_top_k(*settings.top);
  prototype.mutable_options()->set_return_attribution(settings.why);

  CommandInput input(console);
  const bool flags = !settings.sentences.empty();
  if (const auto code = input.Open(settings.babi.value_or(settings.story.value_or("")))) return *code;
  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = Connect(settings.server, channel, console)) return *code;
  if (const auto code = ResolveModel(channel, settings.server, kQuestionAnswerer, settings.model,
                                     *prototype.mutable_model(), console)) {
    return *code;
  }
  prototype.set_model_version(settings.server.model_version);
  if (!flags && input.typed() && console.err_is_terminal) {
    console.err << "A story for " << VisibleLine(prototype.model())
                << ": one sentence a line, a question ends with \"?\"; an empty "
                << "line or Ctrl-D has it answered. `heed chat` answers line by line." << std::endl;
  }
  AnswerPrinter printer(settings, flags ? "" : input.name(), flags ? -1 : input.bytes(), input.typed(), console);
  StoryRun run(settings, std::move(prototype), channel, printer, console);
  if (flags) return run.Run(FlagStory(settings));
  StoryReader reader(input.stream(), input.name(), settings.babi ? StoryFormat::kBabi : StoryFormat::kSentences);
  return run.Run([&reader] { return reader.Next(); });
}

}  // namespace heed::client
