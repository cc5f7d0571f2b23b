// SPDX-License-Identifier: Apache-2.0
// What the commands of language models have alike: flags, the connection, the model.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/flags/flag_table.h"
#include "client/cli/command_line.h"
#include "client/cli/console.h"
#include "grpcpp/channel.h"
#include "heed/v1/language_modeling.pb.h"

namespace heed::client {

// The flags that every command for language models has.
struct TextCommandFlags {
  ServerFlags server;
  std::string model;
  int in_flight = 64;
  bool json = false;

  // Adds the section "Request". `unit` is what a request is about: "line".
  void AddTo(FlagTable& flags, const std::string& unit);
};

// The session that a command works with.
struct TextSessionFlags {
  std::string session;
  std::optional<int> expected_version;

  // `does` says what the command does with it.
  void AddTo(FlagTable& flags, const std::string& does);
  // An exit code after a message, or none.
  std::optional<int> Check(Console& console) const;
};

// Connects, and finds the model. With a session the model may stay empty: the session knows it. An exit code after a
// message, or none.
std::optional<int> ConnectToTextModel(const TextCommandFlags& flags, const std::string& session,
                                      std::shared_ptr<grpc::Channel>& channel, std::string& model, Console& console);

// heed.v1.TextOptions as flags.
struct TextFlags {
  std::string tokenization;
  bool line_end = false;
  bool special_tokens = false;

  // Adds the section "Text".
  void AddTo(FlagTable& flags);
  void Fill(v1::TextOptions& options) const;
};

// What becomes of a text that is too long for the model.
struct OverlongFlags {
  std::string overlong;
  std::optional<int> max_tokens;

  // `default_text`: "refuse".
  void AddTo(FlagTable& flags, const std::string& default_text);
  // Sets the fields `overlong` and `max_tokens` of a request.
  template <typename Request>
  void Fill(Request& request) const {
    request.set_overlong(value());
    if (max_tokens) request.set_max_tokens(*max_tokens);
  }

 private:
  v1::OverlongText value() const;
};

inline constexpr int kMaxSegmentTokens = 1 << 24;

// heed.v1.ScoreOptions as flags.
struct ScoreFlags {
  TextFlags text;
  std::string begin;
  std::string order;
  int top_k = 0;
  std::optional<int> segment_tokens;

  // `with_order`: with --order, which reading into a memory does not have.
  void AddTo(FlagTable& flags, bool with_order);
  void Fill(v1::ScoreOptions& options) const;
};

// heed.v1.GenerateOptions as flags.
struct GenerateFlags {
  TextFlags text;
  std::optional<int> beam;
  std::optional<double> length_penalty;
  std::string early_stopping;
  std::optional<int> no_repeat_ngram;
  std::optional<double> repetition_penalty;
  std::optional<int> max_tokens;
  std::optional<int> min_tokens;
  std::vector<std::pair<std::string, std::string>> stop;
  bool stop_at_end = false;
  bool keep_going = false;
  bool keep_loops = false;
  bool allow_unknown = false;
  std::optional<int> n;
  int alternatives = 0;
  std::string mode;
  bool greedy = false;
  bool sample = false;
  std::optional<double> temperature;
  std::optional<int> top_k;
  std::optional<double> top_p;
  std::optional<uint64_t> seed;

  void AddTo(FlagTable& flags);
  // INVALID_ARGUMENT: flags that do not go together. Ranges that depend on the model are the server's to check.
  absl::Status Fill(v1::GenerateOptions& options) const;
  bool samples() const { return sample || temperature || top_k || top_p || seed; }
};

}  // namespace heed::client
