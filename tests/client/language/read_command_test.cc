// SPDX-License-Identifier: Apache-2.0
// heed read and heed session as a script sees them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/language/text_pieces.h"
#include "tests/client/fake_server.h"
#include "tests/client/heed_run.h"
#include "tests/support/temporary_directory.h"

namespace heed::client {
namespace {

using testing::HasSubstr;

class ReadCommands : public testing::Test {
 protected:
  ReadCommands() { server_.AddModel("wiki", v1::MODEL_STATE_READY, "language-model"); }

  HeedRun Run(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.push_back(server_.flag());
    return RunHeedWith(arguments, input);
  }

  TemporaryDirectory directory_;
  FakeServer server_;
  FakeTexts& texts_ = server_.texts();
};

TEST_F(ReadCommands, PrintsTheTotal) {
  const HeedRun run = Run({"read"}, "a bb ccc\n");
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out, "-5.0000\t12.1825\t2\n");
  EXPECT_EQ(run.err, "heed: 2 tokens, 3 words: log-probability -5.0000, perplexity 12.18, 0.801 bits per byte\n");
  ASSERT_EQ(texts_.stream_messages.size(), 2u);
  EXPECT_EQ(texts_.stream_messages[0].open().model(), "wiki");
  EXPECT_EQ(texts_.stream_messages[0].text(), "");
  EXPECT_EQ(texts_.stream_messages[1].text(), "a bb ccc\n");
}

TEST_F(ReadCommands, LongTextsTravelInPieces) {
  std::string text;
  while (text.size() < 3 * TextPieces::kPieceBytes) text += "häuser ";
  const std::string path = directory_.File("book");
  std::ofstream(path) << text;
  const HeedRun run = Run({"read", "--json", "--parts", path});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  std::string sent;
  for (const v1::ReadTextStreamRequest& message : texts_.stream_messages) sent += message.text();
  EXPECT_EQ(sent, text);
  EXPECT_GE(texts_.stream_messages.size(), 4u);
  const std::vector<nlohmann::json> lines = JsonLines(run.out);
  EXPECT_EQ(lines.size(), texts_.stream_messages.size());
  EXPECT_EQ(lines.back()["bytes_read"], text.size());
  for (const char* key : {"log_probability", "tokens", "words", "perplexity", "unknown_words"}) {
    EXPECT_TRUE(lines.back().contains(key)) << key;
  }
}

TEST_F(ReadCommands, WhatIsNoTextIsRefused) {
  HeedRun run = Run({"read"}, "ab\xff");
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_EQ(run.err, "heed: standard input: not UTF-8 at byte 3\n");
  run = Run({"read"}, "ab\xc3");
  EXPECT_EQ(run.err, "heed: standard input: not UTF-8 at byte 3\n");
  EXPECT_THAT(Run({"read"}, "\x1f\x8b\x08zip").err, HasSubstr("gunzip -c FILE | heed read"));
  EXPECT_EQ(Run({"read"}, "").code, kExitOk);
}

TEST_F(ReadCommands, ASessionGoesOn) {
  const HeedRun kept = Run({"read", "--keep"}, "a bb ccc\n");
  EXPECT_EQ(kept.code, kExitOk) << kept.err;
  EXPECT_EQ(kept.out, "-5.0000\t12.1825\t2\nt1\n");
  EXPECT_EQ(texts_.last_open.model(), "wiki");
  const HeedRun on = Run({"read", "--session=t1", "--json"}, "d ee\n");
  const nlohmann::json line = JsonLines(on.out).at(0);
  EXPECT_EQ(line["session"]["version"], 3);
  EXPECT_EQ(line["session"]["tokens_read"], 5);
  const HeedRun gone = Run({"read", "--session=t9"}, "a\n");
  EXPECT_EQ(gone.code, kExitUsage);
  EXPECT_EQ(gone.err, "heed: NOT_FOUND: no session 't9'\n");
}

TEST_F(ReadCommands, OptionsAreSent) {
  Run({"read", "--line_end", "--tokenization=moses", "--segment_tokens=32", "--begin=end-of-text"}, "a\n");
  const v1::ReadTextStreamRequest& first = texts_.stream_messages.at(0);
  EXPECT_EQ(first.open().segment_tokens(), 32);
  EXPECT_FALSE(first.options().has_segment_tokens());
  EXPECT_TRUE(first.options().text().append_line_end());
  EXPECT_EQ(first.options().begin(), v1::ScoreOptions::BEGIN_END_OF_TEXT);
  EXPECT_THAT(Run({"read", "--keep", "--session=t1"}).err, HasSubstr("exclude each other"));
  EXPECT_THAT(Run({"read", "--tokens"}).err, HasSubstr("--tokens needs --parts and --json"));
}

TEST_F(ReadCommands, SessionsAreOpenedCopiedKeptAndClosed) {
  const HeedRun opened = Run({"session", "open", "--segment_tokens=16"});
  EXPECT_EQ(opened.code, kExitOk) << opened.err;
  EXPECT_EQ(opened.out, "t1\n");
  EXPECT_EQ(texts_.last_open.segment_tokens(), 16);
  EXPECT_EQ(Run({"session", "fork", "t1"}).out, "t2\n");
  const std::string path = directory_.File("session");
  EXPECT_EQ(Run({"session", "export", "t1", path}).code, kExitOk);
  const HeedRun imported = Run({"session", "import", path, "--json"});
  EXPECT_EQ(JsonLines(imported.out).at(0)["session"], "t3");
  EXPECT_EQ(JsonLines(imported.out).at(0)["model"], "wiki");
  EXPECT_EQ(Run({"session", "close", "t1"}).code, kExitOk);
  const HeedRun again = Run({"session", "close", "t1"});
  EXPECT_EQ(again.code, kExitUsage);
  EXPECT_EQ(again.err, "heed: NOT_FOUND: no session 't1'\n");
  EXPECT_THAT(Run({"session", "fork"}).err, HasSubstr("needs ID; see heed session fork ID"));
  EXPECT_THAT(Run({"session", "import", "/no/such"}).err, HasSubstr("cannot read '/no/such': No such file"));
  EXPECT_THAT(Run({"session", "export", "t2", "/no/such/file"}).err, HasSubstr("cannot write '/no/such/file'"));
}

}  // namespace
}  // namespace heed::client
