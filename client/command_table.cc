#include "client/command_table.h"

#include "client/cli/commands.h"

namespace heed::client {

const std::array<Command, 21>& Commands() {
  static constexpr std::array<Command, 21> kCommands = {{
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
      {"completion", "a script with which the shell completes commands and flags", CompletionCommand},
  }};
  return kCommands;
}

}  // namespace heed::client
