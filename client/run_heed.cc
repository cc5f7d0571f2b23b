#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/command_line.h"
#include "client/commands.h"
#include "client/exit_code.h"

namespace heed::client {
namespace {

struct Command {
  const char* name;  // one or two words
  const char* summary;
  int (*run)(const std::vector<std::string>& arguments, Console& console);
};

constexpr std::array<Command, 20> kCommands = {{
    {"translate", "translate lines of text", TranslateCommand},
    {"classify nodes", "classify nodes of a graph", ClassifyNodesCommand},
    {"classify edges", "classify edges of a graph", ClassifyEdgesCommand},
    {"classify graphs", "classify whole graphs", ClassifyGraphsCommand},
    {"graph put", "store a graph on the server", GraphPutCommand},
    {"graph update", "change a stored graph", GraphUpdateCommand},
    {"graph describe", "list the server's graphs", GraphDescribeCommand},
    {"graph delete", "delete a stored graph", GraphDeleteCommand},
    {"ask", "answer questions about stories", AskCommand},
    {"chat", "tell facts and ask questions, line by line", ChatCommand},
    {"run", "run rows of numbers through a model", RunCommand},
    {"models load", "load a model, or its new version", ModelsLoadCommand},
    {"models unload", "take a model out of service", ModelsUnloadCommand},
    {"models", "list the server's models", ModelsCommand},
    {"health", "is the server, or a model, serving?", HealthCommand},
    {"top", "watch a server's rates, queues, batches and latencies", TopCommand},
    {"bench translate", "measure a server under load: text", BenchTranslateCommand},
    {"bench classify", "measure a server under load: graphs", BenchClassifyCommand},
    {"bench ask", "measure a server under load: questions", BenchAskCommand},
    {"bench soak", "a mixed load for a long time: answers and memory", BenchSoakCommand},
}};

std::string Usage() {
  std::string out =
      "Usage: heed COMMAND [flags]\n"
      "\n"
      "Talks to a Heed server (--server=HOST:PORT, default 127.0.0.1:50051).\n"
      "\n"
      "Commands:\n";
  for (const Command& command : kCommands) absl::StrAppendFormat(&out, "  %-16s  %s\n", command.name, command.summary);
  return out +
         "\n"
         "heed COMMAND --help    every flag of a command, its exit codes, examples\n"
         "heed --version         the version of this program\n"
         "\n"
         "Exit codes:\n"
         "  0    done\n"
         "  1    a part of the work failed, or the server is not serving\n"
         "  2    wrong arguments\n"
         "  3    no server, or no model that serves\n"
         "  130  interrupted\n";
}

// The number of arguments that name the command: 0 if they do not.
size_t Matches(const Command& command, const std::vector<std::string>& arguments) {
  const std::vector<std::string> words = absl::StrSplit(command.name, ' ');
  if (arguments.size() < words.size()) return 0;
  return std::equal(words.begin(), words.end(), arguments.begin()) ? words.size() : 0;
}

}  // namespace

int RunHeed(const std::vector<std::string>& arguments, Console& console) {
  for (const Command& command : kCommands) {
    if (const size_t words = Matches(command, arguments)) {
      return command.run({arguments.begin() + static_cast<std::ptrdiff_t>(words), arguments.end()}, console);
    }
  }
  const std::string first = arguments.empty() ? "" : arguments[0];
  const bool group = std::any_of(kCommands.begin(), kCommands.end(),
                                 [&](const Command& command) { return absl::StartsWith(command.name, first + " "); });
  const bool help = first == "--help" || first == "-h" || first == "help" ||
                    (group && arguments.size() > 1 && (arguments[1] == "--help" || arguments[1] == "-h"));
  if (help) {
    console.out << Usage() << std::flush;
    return kExitOk;
  }
  if (first == "--version") {
    console.out << "heed " << HEED_VERSION << std::endl;
    return kExitOk;
  }
  if (first.empty()) {
    console.err << Usage() << std::flush;
    return kExitUsage;
  }
  // Flags, and what follows them, are no part of a name.
  const auto flag = std::find_if(arguments.begin(), arguments.end(),
                                 [](const std::string& argument) { return absl::StartsWith(argument, "-"); });
  const std::string typed = flag == arguments.begin() ? first : absl::StrJoin(arguments.begin(), flag, " ");
  std::vector<std::string> names;
  for (const Command& command : kCommands) names.emplace_back(command.name);
  return Fail(
      console, kExitUsage,
      absl::StrCat("unknown command '", typed, "'; there are: ", absl::StrJoin(names, ", "), "\nSee heed --help."));
}

}  // namespace heed::client
