// SPDX-License-Identifier: Apache-2.0
#include "client/command_table.h"

#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"

namespace heed::client {

const std::array<Command, 38>& Commands() {
  static constexpr std::array<Command, 38> kCommands = {{
      {"translate", "translate lines of text", TranslateCommand},
      {"languages", "list the languages that the server translates between", LanguagesCommand},
      {"detect", "guess the languages of texts", DetectCommand},
      {"classify nodes", "classify nodes of a graph", ClassifyNodesCommand},
      {"classify edges", "classify edges of a graph", ClassifyEdgesCommand},
      {"classify graphs", "classify whole graphs", ClassifyGraphsCommand},
      {"classify texts", "label texts, or pairs of texts", ClassifyTextsCommand},
      {"graph put", "store a graph on the server", GraphPutCommand},
      {"graph update", "change a stored graph", GraphUpdateCommand},
      {"graph describe", "list the server's graphs", GraphDescribeCommand},
      {"graph delete", "delete a stored graph", GraphDeleteCommand},
      {"ask", "answer questions about stories", AskCommand},
      {"chat", "tell facts and ask questions, line by line", ChatCommand},
      {"score", "say how likely texts are to a language model", ScoreCommand},
      {"generate", "go on from prompts with a language model", GenerateCommand},
      {"fill", "fill the gaps in texts", FillCommand},
      {"tag", "label each word of texts", TagCommand},
      {"find answers", "find the stretches of a text that answer questions", FindAnswersCommand},
      {"embed", "print vectors of texts", EmbedCommand},
      {"read", "read a text of any length through a model's memory", ReadCommand},
      {"session open", "open a session of a language model", SessionOpenCommand},
      {"session fork", "open a session with the memory of another", SessionForkCommand},
      {"session export", "write a session to a file", SessionExportCommand},
      {"session import", "open a session from a file", SessionImportCommand},
      {"session close", "close a session", SessionCloseCommand},
      {"run", "run rows of numbers through a model", RunCommand},
      {"models load", "load a model, or its new version", ModelsLoadCommand},
      {"models unload", "take a model out of service", ModelsUnloadCommand},
      {"models", "list the server's models", ModelsCommand},
      {"health", "report whether the server, or a model, is serving", HealthCommand},
      {"top", "watch a server's rates, queues, batches and latencies", TopCommand},
      {"bench translate", "measure a server under load with text", BenchTranslateCommand},
      {"bench classify", "measure a server under load with graphs", BenchClassifyCommand},
      {"bench ask", "measure a server under load with questions", BenchAskCommand},
      {"bench score", "measure a server under load with texts to score", BenchScoreCommand},
      {"bench generate", "measure a server under load with prompts", BenchGenerateCommand},
      {"completion", "print a script with which a shell completes commands and flags", CompletionCommand},
      {"man", "print the manual page", ManCommand},
  }};
  return kCommands;
}

CommandPage HeedPage() {
  return {.name = "heed",
          .summary = "talk to a Heed server",
          .synopsis = "heed COMMAND [flags]",
          .description = "Talks to a Heed server, which serves attention models over gRPC.",
          .flags = {},
          .after_flags =
              "Environment:\n"
              "  HEED_SERVER      the default of --server\n"
              "  HEED_TOKEN       the token to send, if there is no file with one\n"
              "  HEED_TOKEN_FILE  the default of --token_file\n"
              "\n"
              "Exit codes:\n"
              "  0    done\n"
              "  1    part of the work failed, the server refused it, or the server is not serving\n"
              "  2    wrong arguments, or the server says that something is invalid, does not exist\n"
              "       or needs a token\n"
              "  3    no server, or no model that serves\n"
              "  130  interrupted\n"
              "  141  nobody reads the output any more, as in `heed ... | head`\n"};
}

ProgramPage HeedProgram() {
  ProgramPage program = {HeedPage(), {}};
  for (const Command& command : Commands()) {
    CommandPage page;
    std::istringstream in;
    std::ostringstream out;
    Console console{.in = in, .out = out, .err = out, .page = &page};
    command.run({}, console);
    page.name = absl::StrCat("heed ", command.name);
    page.summary = command.summary;
    program.commands.push_back(std::move(page));
  }
  return program;
}

}  // namespace heed::client
