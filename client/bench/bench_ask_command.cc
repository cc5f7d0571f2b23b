// SPDX-License-Identifier: Apache-2.0
// heed bench ask: questions to sessions, or stories with a question, under load.
#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/bench/bench_run.h"
#include "client/bench/bench_story.h"
#include "client/cli/command_input.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/commands/close_sessions.h"
#include "client/commands/story_file.h"
#include "client/lib/question_client.h"

namespace heed::client {
namespace {

constexpr int kOpenLoopSessions = 64;

struct BenchAskSettings {
  ServerFlags server;
  LoadFlags load;
  std::string model;
  std::string story;
  std::optional<int> sessions;
  bool answer = false;
  bool tell = false;
  int session_facts = 500;
  bool why = false;
  bool json = false;
};

CommandHelp BenchAskHelp() {
  return {
      "heed bench ask [flags]",
      "Measures a server under load. Opens sessions, tells each a story, and asks the story's questions, one per\n"
      "request, with the sessions in turn. With --tell it tells each session a fact and asks it a question in turn.\n"
      "With --answer there are no sessions, and each request holds the story and one question. The sessions are\n"
      "closed at the end.\n"
      "In the closed loop a fixed number of requests is in progress at any time, with a row of results for each\n"
      "number. In the open loop requests arrive at random times (Poisson) at a mean rate, whether or not the server\n"
      "keeps up, and latency counts from the time when each was due. Refused requests are errors and are not\n"
      "retried. Percentiles are exact, over all requests.",
      "Exit codes:\n"
      "  0    every request was answered\n"
      "  1    some requests failed, or none was answered in time\n"
      "  2    wrong flags, the story cannot be read, no such model, or several to choose from\n"
      "  3    no server, it went away, or no model that serves\n"
      "  130  interrupted\n"
      "\n"
      "Examples:\n"
      "  heed bench ask --concurrency=1,8,64\n"
      "  heed bench ask --sessions=1000 --concurrency=64 --tell\n"
      "  heed bench ask --answer --story=story.txt --json\n"};
}

std::optional<int> ParseBenchAskSettings(const std::vector<std::string>& arguments, Console& console,
                                         BenchAskSettings& settings) {
  FlagTable flags;
  flags.AddSection("Request");
  settings.server.AddTo(flags, "Maximum time for a request. 0 means no limit.");
  settings.server.AddPriorityTo(flags);
  settings.server.AddModelVersionTo(flags);
  flags.AddString("model", &settings.model, "NAME",
                  "Name of the model. Defaults to the server's only question answerer.");
  settings.load.AddTo(flags);
  flags.AddSection("Request");
  flags.AddString("story", &settings.story, "FILE",
                  "File of facts and questions, one sentence a line as for heed ask. - is standard input. Defaults to "
                  "8 built-in facts and 5 questions.");
  flags.AddInt("sessions", &settings.sessions, 1, 1000000,
               "Number of sessions. Defaults to the largest --concurrency, or to 64 in the open loop.");
  flags.AddBool("tell", &settings.tell, "Tell a fact before each question. Needs the closed loop.");
  flags.AddInt("session_facts", &settings.session_facts, 1, 1000000,
               "Maximum facts in a session with --tell. A session that has as many is replaced by a copy that knows "
               "only the story, which is a request like the others.");
  flags.AddBool("answer", &settings.answer, "Use no sessions, and send the whole story with each question.");
  flags.AddBool("why", &settings.why, "Ask for the facts behind the answers too.");
  flags.AddSection("Output");
  flags.AddBool("json", &settings.json, "Print a JSON object for each row.");
  std::vector<std::string> others;
  if (const auto code = ParseCommand(BenchAskHelp(), flags, arguments, 0, others, console)) return code;
  if (settings.answer && (settings.tell || settings.sessions)) {
    return Fail(console, kExitUsage, "--answer has no sessions: --tell and --sessions are of no use");
  }
  if (const auto code = settings.load.Check(console)) return code;
  if (!settings.tell) return std::nullopt;
  if (!settings.load.closed()) return Fail(console, kExitUsage, "--tell needs --mode=closed");
  const int most = *std::max_element(settings.load.concurrency.begin(), settings.load.concurrency.end());
  if (settings.sessions.value_or(most) >= most) return std::nullopt;
  return Fail(console, kExitUsage,
              absl::StrCat("--tell needs a session for each request on its way: --sessions=", *settings.sessions,
                           ", --concurrency=", most));
}

// Of `name`.
std::optional<int> CheckStory(const BenchAskSettings& settings, const std::string& name, Console& console,
                              const Story& story) {
  if (story.facts.empty() || story.questions.empty()) {
    return Fail(console, kExitUsage,
                absl::StrCat(name, ": the first story has ", story.facts.size(), " facts and ", story.questions.size(),
                             " questions; both are needed"));
  }
  if (settings.tell && static_cast<int64_t>(story.facts.size()) >= settings.session_facts) {
    return Fail(console, kExitUsage,
                absl::StrCat("the story has ", story.facts.size(), " facts, --session_facts=", settings.session_facts,
                             " leaves no room for more"));
  }
  return std::nullopt;
}

std::optional<int> ReadStory(const BenchAskSettings& settings, Console& console, Story& story) {
  if (settings.story.empty()) {
    story = BenchStory();
    return CheckStory(settings, "the built-in story", console, story);
  }
  CommandInput input(console);
  if (const auto code = input.Open(settings.story)) return code;
  StoryReader reader(input.stream(), input.name(), StoryFormat::kSentences);
  absl::StatusOr<std::optional<Story>> read = reader.Next();
  if (!read.ok()) return Fail(console, kExitUsage, std::string(read.status().message()));
  if (read->has_value()) story = **std::move(read);
  return CheckStory(settings, input.name(), console, story);
}

// The sessions of a run, and what is asked of each next. One thread, apart from AskInTurn's requests.
class BenchSessions {
 public:
  using Channels = std::vector<std::shared_ptr<grpc::Channel>>;

  BenchSessions(const Story& story, const v1::QuestionAnswerOptions& options, int session_facts)
      : story_(story), options_(options), session_facts_(session_facts) {}

  // Opens one, tells it the story and copies it until there are `count`.
  grpc::Status Open(const QuestionClient& client, const v1::AnswerRequest& prototype, int count) {
    v1::QuestionSession session;
    if (const grpc::Status opened = client.Open(prototype.model(), session, prototype.model_version()); !opened.ok())
      return opened;
    all_.push_back(session.name());
    v1::TellRequest request;
    request.set_session(session.name());
    request.mutable_facts()->Add(story_.facts.begin(), story_.facts.end());
    v1::TellResponse told;
    if (const grpc::Status status = client.Tell(request, told); !status.ok()) return status;
    while (static_cast<int>(all_.size()) < count) {
      if (const grpc::Status status = client.Fork(all_[0], session); !status.ok()) return status;
      all_.push_back(session.name());
    }
    return grpc::Status::OK;
  }

  // All that were opened, those of --tell's copies included.
  const std::vector<std::string>& all() const { return all_; }

  // A question to each in turn.
  SendCall AskInTurn(const Channels& channels) {
    return SendUnaryCalls<v1::AskRequest>(
        channels, [this](size_t number) { return MakeAsk(all_[number % all_.size()], number); }, Count);
  }

  // To each a fact and a question in turn, never two requests at a time; not to the first, which is there to be copied.
  SendCall TellAndAsk(const Channels& channels) {
    for (size_t i = 1; i < all_.size(); ++i) {
      idle_.push_back(turns_.size());
      turns_.push_back({.session = all_[i], .facts = story_.facts.size()});
    }
    // What these make is numbered by turns_.
    const SendCall tell = SendUnaryCalls<v1::TellRequest>(
        channels, [this](size_t place) { return MakeTell(turns_[place]); },
        [](const v1::TellResponse&) { return AnswerCounts(); });
    const SendCall ask = SendUnaryCalls<v1::AskRequest>(
        channels, [this](size_t place) { return MakeAsk(turns_[place].session, turns_[place].asked++); }, Count);
    const SendCall fork = SendUnaryCalls<v1::ForkSessionRequest>(
        channels, [this](size_t) { return MakeFork(); },
        [this](const v1::ForkSessionResponse& response) {
          const v1::QuestionSession& copy = response.session();
          all_.push_back(copy.name());
          fresh_.push_back(copy.name());
          return AnswerCounts();
        });
    return
        [this, tell, ask, fork](size_t, std::chrono::system_clock::time_point deadline, grpc::CompletionQueue& queue) {
          const size_t place = idle_.front();
          idle_.pop_front();
          Turn& turn = turns_[place];
          const bool full = turn.tell_next && turn.facts >= static_cast<size_t>(session_facts_);
          if (full && !fresh_.empty()) {
            turn = {.session = fresh_.back(), .facts = story_.facts.size()};
            fresh_.pop_back();
          }
          const SendCall& send = !turn.tell_next ? ask : turn.facts < static_cast<size_t>(session_facts_) ? tell : fork;
          std::unique_ptr<LoadCall> call = send(place, deadline, queue);
          call->awaited = &send == &fork;  // its copy is one to close
          turn.tell_next = !turn.tell_next;
          call->lease = std::shared_ptr<const void>(nullptr, [this, place](const void*) { idle_.push_back(place); });
          return call;
        };
  }

 private:
  struct Turn {
    std::string session;
    size_t facts = 0;  // told, counting those on their way
    size_t asked = 0;
    bool tell_next = true;
  };

  static AnswerCounts Count(const v1::AskResponse& response) {
    AnswerCounts counts;
    counts.items = response.answers_size();
    return counts;
  }

  v1::AskRequest MakeAsk(const std::string& session, size_t number) const {
    v1::AskRequest request;
    request.set_session(session);
    request.add_questions(story_.questions[number % story_.questions.size()].text);
    *request.mutable_options() = options_;
    return request;
  }

  v1::TellRequest MakeTell(Turn& turn) const {
    v1::TellRequest request;
    request.set_session(turn.session);
    request.add_facts(story_.facts[turn.facts++ % story_.facts.size()]);
    return request;
  }

  v1::ForkSessionRequest MakeFork() const {
    v1::ForkSessionRequest request;
    request.set_session(all_[0]);
    return request;
  }

  const Story& story_;
  const v1::QuestionAnswerOptions options_;
  const int session_facts_;
  std::vector<std::string> all_;
  std::vector<Turn> turns_;
  std::deque<size_t> idle_;         // of turns_: no request is on its way
  std::vector<std::string> fresh_;  // copies that no turn has yet
};

SendCall AnswerInTurn(const BenchSessions::Channels& channels, const Story& story, const v1::AnswerRequest& prototype) {
  return SendUnaryCalls<v1::AnswerRequest>(
      channels,
      [&story, prototype](size_t number) {
        const AskedQuestion& asked = story.questions[number % story.questions.size()];
        v1::AnswerRequest request = prototype;
        request.mutable_facts()->Add(story.facts.begin(), story.facts.begin() + asked.after_facts);
        request.add_questions()->set_text(asked.text);
        return request;
      },
      [](const v1::AnswerResponse& response) {
        AnswerCounts counts;
        counts.items = response.answers_size();
        return counts;
      });
}

}  // namespace

int BenchAskCommand(const std::vector<std::string>& arguments, Console& console) {
  BenchAskSettings settings;
  if (const auto code = ParseBenchAskSettings(arguments, console, settings)) return *code;
  Story story;
  if (const auto code = ReadStory(settings, console, story)) return *code;
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  if (const auto code = Connect(settings.server, settings.load.connections, channels, console)) return *code;
  v1::AnswerRequest prototype;
  prototype.mutable_options()->set_return_attribution(settings.why);
  if (const auto code = ResolveModel(channels[0], settings.server, kQuestionAnswerer, settings.model,
                                     *prototype.mutable_model(), console)) {
    return *code;
  }
  prototype.set_model_version(settings.server.model_version);

  BenchRun run = {
      .model = prototype.model(),
      .rates = {{"requests/s", "requests_per_second", 10, 1, [](const LoadReport& report) { return report.requests; }},
                {"answers/s", "answers_per_second", 10, 1,
                 [](const LoadReport& report) { return report.counts.items; }}},
      .latency_decimals = 2,
      .json = settings.json};
  const std::string questions = absl::StrCat(story.facts.size(), " facts, ", story.questions.size(), " questions");
  if (settings.answer) {
    run.asked = "a story per request";
    run.input = questions;
    return RunBench(run, settings.load, settings.server, channels, AnswerInTurn(channels, story, prototype), console);
  }

  const int most = settings.load.closed()
                       ? *std::max_element(settings.load.concurrency.begin(), settings.load.concurrency.end())
                       : kOpenLoopSessions;
  const int count = settings.sessions.value_or(most);
  run.asked = settings.tell ? "a fact or a question per request" : "a question per request";
  run.input = absl::StrCat(count, " sessions of ", questions);
  BenchSessions sessions(story, prototype.options(), settings.session_facts);
  const QuestionClient client(channels[0], {.deadline = settings.server.deadline(), .stop = console.stop});
  const grpc::Status opened = sessions.Open(client, prototype, settings.tell ? count + 1 : count);
  int code = kExitOk;
  if (opened.ok()) {
    const SendCall send = settings.tell ? sessions.TellAndAsk(channels) : sessions.AskInTurn(channels);
    code = RunBench(run, settings.load, settings.server, channels, send, console);
  } else {
    code = FailCall(console, settings.server, *channels[0], opened);
  }
  CloseSessions(channels[0], sessions.all(), console);
  return code;
}

}  // namespace heed::client
