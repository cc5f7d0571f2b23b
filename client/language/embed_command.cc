// SPDX-License-Identifier: Apache-2.0
// heed embed: vectors of texts.
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/visible_text.h"
#include "client/cli/command_input.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/language/line_run.h"
#include "client/language/text_flags.h"
#include "client/language/text_json.h"
#include "client/language/token_view.h"
#include "client/render/shortest_number.h"

namespace heed::client {
namespace {

struct EmbedSettings {
  TextCommandFlags common;
  TextFlags text;
  OverlongFlags overlong;
  std::string pooling;
  std::optional<int> layer;
  bool normalize = false;
  bool join = false;
  bool attention = false;
  std::string file;  // empty or "-": standard input
};

CommandHelp EmbedHelp() {
  return {
      "heed embed [flags] [FILE]",
      "Prints a vector for each line of FILE, or of standard input: its numbers between tabs. With --pooling=tokens\n"
      "it prints a line for each token, the token and its numbers, and a blank line behind each text. The command\n"
      "sends many lines at a time. For a line that fails it prints an empty line; the number and the error go to\n"
      "standard error.",
      "Exit codes:\n"
      "  0    every line has its vector\n"
      "  1    some lines failed\n"
      "  2    wrong flags, FILE cannot be read, no such model, or several to choose from\n"
      "  3    no server, it went away, or no model that serves\n"
      "  130  interrupted\n"
      "\n"
      "Examples:\n"
      "  heed embed --normalize sentences.txt > vectors.tsv\n"
      "  echo 'A dog.' | heed embed --json --pooling=tokens --layer=-2 | jq '.tokens'\n"};
}

std::optional<int> ParseEmbedSettings(const std::vector<std::string>& arguments, Console& console,
                                      EmbedSettings& settings) {
  FlagTable flags;
  settings.common.AddTo(flags, "line");
  flags.AddSection("Input");
  flags.AddBool("join", &settings.join, "The whole input is one text.");
  settings.overlong.AddTo(flags, "refuse");
  flags.AddSection("Vector");
  flags.AddChoice("pooling", &settings.pooling, {"mean", "last", "summary", "tokens"},
                  "Which vector stands for a text: the mean of its tokens, its last token, what the model's "
                  "classification takes its labels from, or one for each token. Defaults to mean.");
  flags.AddInt("layer", &settings.layer, std::numeric_limits<int>::min(), std::numeric_limits<int>::max(),
               "Layer behind which the vector is taken. 0: the token embeddings. Negative: counted from the last, -1. "
               "Defaults to -1.");
  flags.AddBool("normalize", &settings.normalize, "Scale each vector to length 1.");
  flags.AddSection("Output");
  flags.AddBool("attention", &settings.attention, "Add the attention of the last layer. Needs --json.");
  flags.AddBool("json", &settings.common.json,
                "Print a JSON object for each line: vector or, with --pooling=tokens, tokens (each with token, start, "
                "end and vector); token_count and truncated; or error.");
  settings.text.AddTo(flags);
  std::vector<std::string> others;
  if (const auto code = ParseCommand(EmbedHelp(), flags, arguments, 1, others, console)) return code;
  if (!others.empty()) settings.file = others[0];
  if (settings.attention && !settings.common.json) return Fail(console, kExitUsage, "--attention needs --json");
  return std::nullopt;
}

grpc::Status CheckEmbedding(const v1::EmbedTextsResponse& response) {
  if (response.texts_size() != 1) return grpc::Status(grpc::StatusCode::INTERNAL, "the server sent no vector");
  const v1::EmbedTextsResponse::Text& text = response.texts(0);
  const int rows = text.width() > 0 ? text.values_size() / text.width() : -1;
  if (rows >= 0 && rows * text.width() == text.values_size() && rows >= text.tokens_size()) return grpc::Status::OK;
  return grpc::Status(grpc::StatusCode::INTERNAL,
                      absl::StrCat("the server sent ", text.values_size(), " numbers in vectors of ", text.width()));
}

std::string VectorText(const v1::EmbedTextsResponse::Text& text, int row) {
  std::string out;
  for (int i = 0; i < text.width(); ++i) {
    absl::StrAppend(&out, i > 0 ? "\t" : "", ShortestText(text.values(row * text.width() + i)));
  }
  return out;
}

nlohmann::ordered_json VectorJson(const v1::EmbedTextsResponse::Text& text, int row) {
  nlohmann::ordered_json vector = nlohmann::ordered_json::array();
  for (int i = 0; i < text.width(); ++i) vector.push_back(ShortestNumber(text.values(row * text.width() + i)));
  return vector;
}

void PrintEmbedding(const EmbedSettings& settings, int64_t number, const v1::EmbedTextsResponse::Text& text,
                    Console& console) {
  const bool of_tokens = settings.pooling == "tokens";
  if (!settings.common.json) {
    for (int row = 0; of_tokens && row < text.tokens_size(); ++row) {
      console.out << VisibleLine(text.tokens(row).token()) << "\t" << VectorText(text, row) << "\n";
    }
    console.out << (of_tokens || text.values_size() == 0 ? "" : VectorText(text, 0)) << "\n";
    return;
  }
  using Json = nlohmann::ordered_json;
  Json json = {{"line", number}, {"token_count", text.token_count()}, {"truncated", text.truncated()}};
  if (of_tokens) {
    json["tokens"] = Json::array();
    for (int row = 0; row < text.tokens_size(); ++row) {
      const v1::EmbedTextsResponse::Token& token = text.tokens(row);
      json["tokens"].push_back({{"token", token.token()},
                                {"start", token.start()},
                                {"end", token.end()},
                                {"vector", VectorJson(text, row)}});
    }
  } else {
    json["vector"] = text.values_size() > 0 ? VectorJson(text, 0) : Json::array();
  }
  AddTextAttention(text.attention(), json);
  console.out << JsonText(json) << "\n";
}

v1::EmbedTextsRequest EmbedPrototype(const EmbedSettings& settings) {
  v1::EmbedTextsRequest request;
  if (settings.pooling == "mean") request.set_pooling(v1::EmbedTextsRequest::POOLING_MEAN);
  if (settings.pooling == "last") request.set_pooling(v1::EmbedTextsRequest::POOLING_LAST);
  if (settings.pooling == "summary") request.set_pooling(v1::EmbedTextsRequest::POOLING_SUMMARY);
  if (settings.pooling == "tokens") request.set_pooling(v1::EmbedTextsRequest::POOLING_TOKENS);
  if (settings.layer) request.set_layer(*settings.layer);
  request.set_normalize(settings.normalize);
  settings.overlong.Fill(request);
  settings.text.Fill(*request.mutable_text_options());
  request.set_return_attention(settings.attention);
  return request;
}

}  // namespace

int EmbedCommand(const std::vector<std::string>& arguments, Console& console) {
  EmbedSettings settings;
  if (const auto code = ParseEmbedSettings(arguments, console, settings)) return *code;
  v1::EmbedTextsRequest prototype = EmbedPrototype(settings);
  CommandInput input(console);
  if (const auto code = input.Open(settings.file)) return *code;
  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = ConnectToTextModel(settings.common, "", channel, *prototype.mutable_model(), console)) {
    return *code;
  }
  prototype.set_model_version(settings.common.server.model_version);
  LineWork<v1::EmbedTextsRequest> work;
  work.command = "heed embed";
  work.join = settings.join;
  work.make = [&](const std::string& line) -> absl::StatusOr<v1::EmbedTextsRequest> {
    v1::EmbedTextsRequest request = prototype;
    request.add_texts(line);
    return request;
  };
  work.print = [&](int64_t number, const std::string&, const v1::EmbedTextsResponse& response) {
    const grpc::Status status = CheckEmbedding(response);
    if (status.ok()) PrintEmbedding(settings, number, response.texts(0), console);
    return status;
  };
  return RunLines(settings.common, work, channel, input, console);
}

}  // namespace heed::client
