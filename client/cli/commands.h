// SPDX-License-Identifier: Apache-2.0
// The commands of `heed`. Each gets its arguments without its own name and returns an ExitCode. They write results to
// console.out, everything else to console.err, and run on the caller's thread until done or console.stop.
#pragma once

#include <string>
#include <vector>

#include "client/cli/console.h"

namespace heed::client {

int TranslateCommand(const std::vector<std::string>& arguments, Console& console);
int LanguagesCommand(const std::vector<std::string>& arguments, Console& console);
int DetectCommand(const std::vector<std::string>& arguments, Console& console);
int ModelsCommand(const std::vector<std::string>& arguments, Console& console);
int ModelsLoadCommand(const std::vector<std::string>& arguments, Console& console);
int ModelsUnloadCommand(const std::vector<std::string>& arguments, Console& console);
int ClassifyNodesCommand(const std::vector<std::string>& arguments, Console& console);
int ClassifyEdgesCommand(const std::vector<std::string>& arguments, Console& console);
int ClassifyGraphsCommand(const std::vector<std::string>& arguments, Console& console);
int GraphPutCommand(const std::vector<std::string>& arguments, Console& console);
int GraphUpdateCommand(const std::vector<std::string>& arguments, Console& console);
int GraphDescribeCommand(const std::vector<std::string>& arguments, Console& console);
int GraphDeleteCommand(const std::vector<std::string>& arguments, Console& console);
int AskCommand(const std::vector<std::string>& arguments, Console& console);
int ChatCommand(const std::vector<std::string>& arguments, Console& console);
int RunCommand(const std::vector<std::string>& arguments, Console& console);
int ScoreCommand(const std::vector<std::string>& arguments, Console& console);
int GenerateCommand(const std::vector<std::string>& arguments, Console& console);
int ReadCommand(const std::vector<std::string>& arguments, Console& console);
int SessionOpenCommand(const std::vector<std::string>& arguments, Console& console);
int SessionForkCommand(const std::vector<std::string>& arguments, Console& console);
int SessionExportCommand(const std::vector<std::string>& arguments, Console& console);
int SessionImportCommand(const std::vector<std::string>& arguments, Console& console);
int SessionCloseCommand(const std::vector<std::string>& arguments, Console& console);
int FillCommand(const std::vector<std::string>& arguments, Console& console);
int TagCommand(const std::vector<std::string>& arguments, Console& console);
int EmbedCommand(const std::vector<std::string>& arguments, Console& console);
int ClassifyTextsCommand(const std::vector<std::string>& arguments, Console& console);
int FindAnswersCommand(const std::vector<std::string>& arguments, Console& console);
int HealthCommand(const std::vector<std::string>& arguments, Console& console);
int TopCommand(const std::vector<std::string>& arguments, Console& console);
int BenchTranslateCommand(const std::vector<std::string>& arguments, Console& console);
int BenchClassifyCommand(const std::vector<std::string>& arguments, Console& console);
int BenchAskCommand(const std::vector<std::string>& arguments, Console& console);
int BenchScoreCommand(const std::vector<std::string>& arguments, Console& console);
int BenchGenerateCommand(const std::vector<std::string>& arguments, Console& console);
int CompletionCommand(const std::vector<std::string>& arguments, Console& console);
int ManCommand(const std::vector<std::string>& arguments, Console& console);

// The whole of `heed`: finds the command that the first arguments name; help and version.
int RunHeed(const std::vector<std::string>& arguments, Console& console);

}  // namespace heed::client
