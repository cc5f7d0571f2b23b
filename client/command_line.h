// What all commands do alike: flags, the server, messages.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/channel.h"
#include "client/console.h"
#include "client/flags.h"
#include "grpcpp/channel.h"
#include "grpcpp/support/status.h"

namespace heed::client {

// A command's page of help, without its flags.
struct CommandHelp {
  std::string synopsis;     // "heed models [flags]"
  std::string description;  // one or more paragraphs
  std::string after_flags;  // exit codes, examples
};

// Parses. An exit code: the command is over, since help was asked for (0) or the arguments are wrong (2, with a message
// on console.err). `most` is how many arguments that are no flags it takes; they go to `others`.
std::optional<int> ParseCommand(const CommandHelp& help, FlagTable& flags, const std::vector<std::string>& arguments,
                                size_t most, std::vector<std::string>& others, Console& console);

// "heed: message" on console.err; returns `code`.
int Fail(Console& console, int code, const std::string& message);

// The flags of every command.
struct ServerFlags {
  std::string address = "127.0.0.1:50051";
  double deadline_seconds = 0;
  bool tls = false;
  std::string tls_ca;
  std::string tls_cert;
  std::string tls_key;
  std::string token_file;
  bool insecure_token = false;

  // `deadline_help` says what the deadline is of.
  void AddTo(FlagTable& flags, const std::string& deadline_help);
  std::chrono::milliseconds deadline() const;
  // Reads the files. The token is that of the file or, without one, of the environment's HEED_TOKEN. INVALID_ARGUMENT
  // names the flag: its file cannot be read or holds no token, or it needs another one; or the token would travel in
  // plain text beyond this machine.
  absl::StatusOr<ConnectionSecurity> Security() const;
};

// A channel to the server. An exit code after a message on console.err, or none and `channel` is set.
std::optional<int> Connect(const ServerFlags& server, std::shared_ptr<grpc::Channel>& channel, Console& console);
// `count` channels, each with a connection of its own.
std::optional<int> Connect(const ServerFlags& server, int count, std::vector<std::shared_ptr<grpc::Channel>>& channels,
                           Console& console);

// What to tell a person about a call over `channel` that failed as a whole: the server's reason; if no server is
// connected, where one was expected and how to start one. Returns the exit code.
int FailCall(Console& console, const std::string& address, grpc::Channel& channel, const grpc::Status& status);

// Asks the server for its models and chooses one of `kind` (see ChooseModel). An exit code after a message on
// console.err, or none and `model` is set.
std::optional<int> ResolveModel(const std::shared_ptr<grpc::Channel>& channel, const std::string& address,
                                const std::string& kind, const std::string& wanted, std::string& model,
                                Console& console);

}  // namespace heed::client
