// SPDX-License-Identifier: Apache-2.0
// heed translate of documents, as a script sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "client/cli/exit_code.h"
#include "tests/client/fake_server.h"
#include "tests/client/heed_run.h"

namespace heed::client {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// A directory of the test's own.
class DocumentFiles {
 public:
  DocumentFiles() {
    std::string pattern = testing::TempDir() + "heed-documents-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~DocumentFiles() { std::filesystem::remove_all(path_); }
  std::string Path(const std::string& name) const { return path_ / name; }
  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(Path(name), std::ios::binary) << bytes;
    return Path(name);
  }
  std::string Read(const std::string& name) const {
    std::ostringstream bytes;
    bytes << std::ifstream(Path(name), std::ios::binary).rdbuf();
    return bytes.str();
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator(path_)) names.push_back(file.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  std::filesystem::path path_;
};

std::string SixTexts() { return R"(["One.", "Two.", "Three.", "Four.", "Five.", "Six."])"; }

TEST(TranslateDocument, ReadsAFormatFromStandardInput) {
  FakeServer server;
  const HeedRun run = RunHeedWith({"translate", server.flag(), "--format=srt"},
                                  "1\n00:00:01,000 --> 00:00:02,000\nHello <i>there</i>.\n\nrest");
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out, "1\n00:00:01,000 --> 00:00:02,000\n[Hello <i>there</i>.]\n\n[rest]");
  EXPECT_EQ(run.err, "");
}

TEST(TranslateDocument, GuessesTheFormatFromTheName) {
  FakeServer server;
  const DocumentFiles files;
  const std::string page = files.Write("page.md", "# Title\n\n    code\n");
  EXPECT_EQ(RunHeedWith({"translate", server.flag(), page}).out, "# \\[Title\\]\n\n    code\n");
  EXPECT_EQ(RunHeedWith({"translate", server.flag(), "--format=lines", page}).out, "[# Title]\n\n[    code]\n");
  EXPECT_EQ(RunHeedWith({"translate", server.flag(), "--json", files.Write("x.json", "a\n")}).code, kExitOk);
}

TEST(TranslateDocument, SaysInTheRequestWhatATextHolds) {
  FakeServer server;
  RunHeedWith({"translate", server.flag(), "--format=markdown"}, "Press `x` *now*\n");
  const v1::TranslateRequest marks = server.last_request();
  EXPECT_EQ(marks.texts(0), "Press <k id=\"1\">x</k> <g id=\"2\">now</g>");
  EXPECT_EQ(marks.format(), v1::TEXT_FORMAT_XML);
  EXPECT_THAT(marks.markup().ignored_elements(), ElementsAre("k"));
  EXPECT_THAT(marks.markup().inline_elements(), ElementsAre("g", "x", "k"));
  EXPECT_FALSE(marks.markup().detect_structure());
  RunHeedWith({"translate", server.flag(), "--format=json"}, R"({"a":"Hello {{name}}"})");
  EXPECT_EQ(server.last_request().texts(0), "Hello <k id=\"1\">{{name}}</k>");
  EXPECT_TRUE(server.last_request().do_not_translate().placeholders());
  RunHeedWith({"translate", server.flag(), "--format=json"}, R"({"a":"Hello"})");
  EXPECT_EQ(server.last_request().format(), v1::TEXT_FORMAT_PLAIN);
  RunHeedWith({"translate", server.flag(), "--format=html"}, "<p>Hello</p>");
  EXPECT_EQ(server.last_request().format(), v1::TEXT_FORMAT_HTML);
  EXPECT_FALSE(server.last_request().has_markup());
}

TEST(TranslateDocument, WritesTheOutputAsAWhole) {
  FakeServer server;
  const DocumentFiles files;
  const std::string source = files.Write("en.json", SixTexts());
  files.Write("de.json", "what was there");
  const HeedRun run = RunHeedWith({"translate", server.flag(), "--output=" + files.Path("de.json"), source});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(files.Read("de.json"), R"(["[One.]", "[Two.]", "[Three.]", "[Four.]", "[Five.]", "[Six.]"])");
  EXPECT_THAT(files.Names(), ElementsAre("de.json", "en.json"));
}

TEST(TranslateDocument, ATextThatFailsKeepsItsSourceAndIsTriedByTheNextRun) {
  FakeServer server([](const std::string& text, int attempt) {
    return text == "Two." && attempt == 1 ? grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "texts[0] is odd")
                                          : grpc::Status::OK;
  });
  const DocumentFiles files;
  const std::string source = files.Write("en.json", "[\n\"One.\",\n\"Two.\"]");
  const std::vector<std::string> command = {"translate", server.flag(), "--output=" + files.Path("de.json"), source};
  const HeedRun first = RunHeedWith(command);
  EXPECT_EQ(first.code, kExitFailed);
  EXPECT_THAT(first.err, AllOf(HasSubstr("line 3: INVALID_ARGUMENT: texts[0] is odd; the source stays"),
                               HasSubstr("1 of 2 texts keep their source")));
  EXPECT_EQ(files.Read("de.json"), "[\n\"[One.]\",\n\"Two.\"]");
  const HeedRun second = RunHeedWith(command);
  EXPECT_EQ(second.code, kExitOk) << second.err;
  EXPECT_EQ(files.Read("de.json"), "[\n\"[One.]\",\n\"[Two.]\"]");
  EXPECT_EQ(server.attempts("One."), 1);
  EXPECT_THAT(files.Names(), ElementsAre("de.json", "en.json"));
}

TEST(TranslateDocument, ATranslationWithoutThePlaceholderIsNotTaken) {
  FakeServer server;
  server.SetEdit([](v1::TranslatedText& text) { text.set_text("Hallo"); });
  const HeedRun run = RunHeedWith({"translate", server.flag(), "--format=json"}, R"(["Hello {{name}}"])");
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, R"(["Hello {{name}}"])");
  EXPECT_THAT(run.err, HasSubstr("line 1: the translation cannot be used: it lost \"{{name}}\"; the source stays"));
}

TEST(TranslateDocument, ARunThatWasKilledGoesOnWhereItStopped) {
  std::promise<void> fifth;
  std::promise<void> go_on;
  const std::shared_future<void> gone = go_on.get_future().share();
  FakeServer server([&, gone](const std::string& text, int attempt) {
    if (text != "Five." || attempt > 1) return grpc::Status::OK;
    fifth.set_value();
    gone.wait();
    return grpc::Status::OK;
  });
  const DocumentFiles files;
  const std::string source = files.Write("en.json", SixTexts());
  const std::vector<std::string> command = {"translate", server.flag(), "--in_flight=1",
                                            "--output=" + files.Path("de.json"), source};
  std::vector<std::string> words = {HEED_BINARY_DIR "/bin/heed"};
  words.insert(words.end(), command.begin(), command.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    execv(argv[0], argv.data());
    _exit(127);
  }
  fifth.get_future().wait();
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  go_on.set_value();
  EXPECT_FALSE(std::filesystem::exists(files.Path("de.json")));
  EXPECT_TRUE(std::filesystem::exists(files.Path("de.json.heed-journal")));

  const HeedRun run = RunHeedWith(command);
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_THAT(run.err, HasSubstr(" of 6 translations were there from the run before"));
  EXPECT_EQ(files.Read("de.json"), R"(["[One.]", "[Two.]", "[Three.]", "[Four.]", "[Five.]", "[Six.]"])");
  // The fourth may have been on its way into the journal.
  for (const char* const text : {"One.", "Two.", "Three."}) EXPECT_EQ(server.attempts(text), 1) << text;
  EXPECT_THAT(files.Names(), ElementsAre("de.json", "en.json"));
}

TEST(TranslateDocument, OtherOptionsOrARestartUseNothingOfTheRunBefore) {
  FakeServer server([](const std::string& text, int) {
    return text == "Six." ? grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no") : grpc::Status::OK;
  });
  const DocumentFiles files;
  const std::string source = files.Write("en.json", SixTexts());
  const std::string output = "--output=" + files.Path("de.json");
  EXPECT_EQ(RunHeedWith({"translate", server.flag(), output, source}).code, kExitFailed);
  EXPECT_EQ(RunHeedWith({"translate", server.flag(), output, source}).code, kExitFailed);
  EXPECT_EQ(server.attempts("One."), 1);
  EXPECT_EQ(RunHeedWith({"translate", server.flag(), output, "--beam=2", source}).code, kExitFailed);
  EXPECT_EQ(server.attempts("One."), 2);
  EXPECT_EQ(RunHeedWith({"translate", server.flag(), output, "--restart", source}).code, kExitFailed);
  EXPECT_EQ(server.attempts("One."), 3);
}

TEST(TranslateDocument, AnInterruptKeepsWhatIsTranslated) {
  std::stop_source stop;
  FakeServer server([&](const std::string& text, int attempt) {
    if (text == "Four." && attempt == 1) stop.request_stop();
    return grpc::Status::OK;
  });
  const DocumentFiles files;
  const std::string source = files.Write("en.json", SixTexts());
  const std::vector<std::string> command = {"translate", server.flag(), "--in_flight=1",
                                            "--output=" + files.Path("de.json"), source};
  const HeedRun run = RunHeedWith(command, "", stop.get_token());
  EXPECT_EQ(run.code, kExitInterrupted);
  EXPECT_THAT(run.err, AllOf(HasSubstr("interrupted after "), HasSubstr("and the same command goes on from there")));
  EXPECT_THAT(files.Names(), ElementsAre("de.json.heed-journal", "en.json"));
  EXPECT_EQ(RunHeedWith(command).code, kExitOk);
  EXPECT_EQ(server.attempts("One."), 1);
}

TEST(TranslateDocument, ABrokenDocumentIsRefusedAndTheOutputStays) {
  FakeServer server;
  const DocumentFiles files;
  files.Write("de.json", "what was there");
  const HeedRun run = RunHeedWith(
      {"translate", server.flag(), "--output=" + files.Path("de.json"), files.Write("en.json", "[\n\"a\" 1]")});
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_THAT(run.err, HasSubstr("en.json, line 2: expected ',' or the end of the list or object, found \"1\""));
  EXPECT_EQ(files.Read("de.json"), "what was there");
}

TEST(TranslateDocument, ServerErrorsOfEveryTextEndTheRun) {
  FakeServer server(
      [](const std::string&, int) { return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such language"); });
  const HeedRun run = RunHeedWith({"translate", server.flag(), "--format=json"}, SixTexts());
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_THAT(run.err, AllOf(HasSubstr("no such language"), Not(HasSubstr("line 1"))));
}

TEST(TranslateDocument, FlagsThatAreOfNoUseAreRefused) {
  for (const auto& [arguments, message] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--format=srt", "--json_keys=a"}, "--json_keys is of no use with --format=srt"},
           {{"--format=json", "--json_keys=a..b"}, "--json_keys: \"a..b\" has an empty key"},
           {{"--output=x"}, "--output is of no use with --format=lines"},
           {{"--format=srt", "--restart"}, "--restart needs --output"},
           {{"--format=srt", "--stream"}, "need --format=lines, not srt"},
           {{"--format=doc"}, "--format"}}) {
    std::vector<std::string> command = {"translate", "--server=127.0.0.1:1"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const HeedRun run = RunHeedWith(command);
    EXPECT_EQ(run.code, kExitUsage);
    EXPECT_THAT(run.err, HasSubstr(message));
  }
}

}  // namespace
}  // namespace heed::client
