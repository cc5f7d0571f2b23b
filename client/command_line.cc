#include "client/command_line.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/channel.h"
#include "client/exit_code.h"
#include "client/model_choice.h"
#include "client/translation_client.h"

namespace heed::client {

std::optional<int> ParseCommand(const CommandHelp& help, FlagTable& flags, const std::vector<std::string>& arguments,
                                size_t most, std::vector<std::string>& others, Console& console) {
  absl::StatusOr<std::vector<std::string>> parsed = flags.Parse(arguments);
  if (parsed.ok() && flags.help_wanted()) {
    console.out << "Usage: " << help.synopsis << "\n\n"
                << help.description << "\n\n"
                << flags.Help() << "\n"
                << help.after_flags << std::flush;
    return kExitOk;
  }
  std::string problem;
  if (!parsed.ok()) {
    problem = std::string(parsed.status().message());
  } else if (parsed->size() > most) {
    problem = absl::StrCat("unexpected argument '", (*parsed)[most], "'");
  } else {
    others = *std::move(parsed);
    return std::nullopt;
  }
  return Fail(console, kExitUsage, absl::StrCat(problem, "\nUsage: ", help.synopsis, "\nSee --help for every flag."));
}

int Fail(Console& console, int code, const std::string& message) {
  console.err << "heed: " << message << std::endl;
  return code;
}

void ServerFlags::AddTo(FlagTable& flags, const std::string& deadline_help) {
  flags.AddString("server", &address, "HOST:PORT", "The server's address.");
  flags.AddDouble("deadline", &deadline_seconds, 0, 1e6, "SECONDS", deadline_help);
}

std::chrono::milliseconds ServerFlags::deadline() const {
  return std::chrono::milliseconds(static_cast<int64_t>(deadline_seconds * 1000));
}

int FailCall(Console& console, const std::string& address, grpc::Channel& channel, const grpc::Status& status) {
  if (console.stop.stop_requested()) return Fail(console, kExitInterrupted, "interrupted");
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      // Connected: the server is there and says why it cannot, or takes too long.
      if (channel.GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY) {
        return Fail(console, kExitUnavailable, StatusText(status));
      }
      return Fail(console, kExitUnavailable,
                  absl::StrCat("no answer from a server at ", address, " (", StatusText(status),
                               ")\nStart one with `heed-server --listen=", address,
                               "`, or say where it is with --server=HOST:PORT."));
    case grpc::StatusCode::UNIMPLEMENTED:
      return Fail(console, kExitUnavailable,
                  absl::StrCat("the server at ", address, " is no Heed server that knows this ", "call (",
                               StatusText(status), ")"));
    case grpc::StatusCode::NOT_FOUND:
      return Fail(console, kExitUsage, StatusText(status));
    default:
      return Fail(console, kExitFailed, StatusText(status));
  }
}

std::optional<int> ResolveModel(const std::shared_ptr<grpc::Channel>& channel, const std::string& address,
                                const std::string& kind, const std::string& wanted, std::string& model,
                                Console& console) {
  const TranslationClient client(channel, {.deadline = std::chrono::seconds(10), .stop = console.stop});
  v1::ListModelsResponse models;
  const grpc::Status listed = client.ListModels(models);
  if (!listed.ok()) return FailCall(console, address, *channel, listed);
  absl::StatusOr<std::string> chosen = ChooseModel(models, kind, wanted);
  if (!chosen.ok()) {
    return Fail(console, absl::IsFailedPrecondition(chosen.status()) ? kExitUnavailable : kExitUsage,
                std::string(chosen.status().message()));
  }
  model = *std::move(chosen);
  return std::nullopt;
}

}  // namespace heed::client
