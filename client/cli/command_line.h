// SPDX-License-Identifier: Apache-2.0
// What all commands do alike: flags, the server, messages.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/flags/flag_table.h"
#include "client/cli/console.h"
#include "client/lib/channel.h"
#include "grpcpp/channel.h"
#include "grpcpp/support/status.h"

namespace heed::client {

// A command's page of help, without its flags.
struct CommandHelp {
  std::string synopsis;     // "heed models [flags]"
  std::string description;  // one or more paragraphs
  std::string after_flags;  // exit codes, examples
};

// Parses. Returns an exit code if the command is over: its help or page was asked for (0), or the arguments are wrong
// (2, after a message on console.err). `max_others` is how many arguments that are no flags it takes; they go to
// `others`.
std::optional<int> ParseCommand(const CommandHelp& help, FlagTable& flags, const std::vector<std::string>& arguments,
                                size_t max_others, std::vector<std::string>& others, Console& console);

// "heed: message" on console.err, as VisibleLines shows it. Text from elsewhere that may hold ends of lines goes
// through VisibleLine first.
void Note(Console& console, const std::string& message);
// The same; returns `code`.
int Fail(Console& console, int code, const std::string& message);
// The output could not be written. Silent if nobody reads it any more, else with a message. Returns the exit code.
int FailOutput(Console& console);
// That the command waits for the server at `address`, and why.
void NoteWaiting(Console& console, const std::string& address, const std::string& reason);
void NoteWaiting(Console& console, const std::string& address, const grpc::Status& status);

// The flags of every command.
struct ServerFlags {
  std::string address = "127.0.0.1:50051";
  // Whether the command waits for a server that does not listen yet, and how long, in seconds. None: for a moment if it
  // is one of this machine, which may be starting just now.
  bool awaits_server = true;
  std::optional<double> connect_timeout;
  double deadline_seconds = 0;
  bool tls = false;
  std::string tls_ca;
  std::string tls_cert;
  std::string tls_key;
  std::string token_file;
  bool insecure_token = false;
  std::optional<int> priority;
  int64_t model_version = 0;

  // `deadline_help` says what the deadline is of.
  void AddTo(FlagTable& flags, const std::string& deadline_help);
  // For commands that call a model.
  void AddPriorityTo(FlagTable& flags);
  void AddModelVersionTo(FlagTable& flags);
  std::chrono::milliseconds deadline() const;
  // Reads the files. The token is that of the file or, without one, of the environment's HEED_TOKEN. INVALID_ARGUMENT
  // names the flag: its file cannot be read or holds no token, or it needs another one; or the token would travel in
  // plain text beyond this machine.
  absl::StatusOr<ConnectionSecurity> Security() const;
};

// A channel to the server. Where the flags say so it waits until something listens there, at most their time: what then
// fails is the first call. An exit code after a message on console.err, or none and `channel` is set.
std::optional<int> Connect(const ServerFlags& server, std::shared_ptr<grpc::Channel>& channel, Console& console);
// `count` channels, each with a connection of its own.
std::optional<int> Connect(const ServerFlags& server, int count, std::vector<std::shared_ptr<grpc::Channel>>& channels,
                           Console& console);

// What to tell a person about a call over `channel` that failed as a whole: the server's reason; if no server is
// connected, where one was expected and how to start one, or why it and these flags do not understand each other.
// Returns the exit code.
int FailCall(Console& console, const ServerFlags& server, grpc::Channel& channel, const grpc::Status& status);

// Asks the server for its models and chooses one of `kind` (see ChooseModel). While that depends on a model that is
// loading it waits, after a message: for as long as a request waits for it, and no longer than the flags' deadline. An
// exit code after a message on console.err, or none and `model` is set.
std::optional<int> ResolveModel(const std::shared_ptr<grpc::Channel>& channel, const ServerFlags& server,
                                const std::string& kind, const std::string& wanted, std::string& model,
                                Console& console);

}  // namespace heed::client
