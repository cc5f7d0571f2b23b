#include "client/command_line.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/exit_code.h"
#include "client/model_choice.h"
#include "client/translation_client.h"
#include "engine/status_macros.h"

namespace heed::client {
namespace {

absl::StatusOr<std::string> ReadFile(absl::string_view flag, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad() || text.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(flag, "=", path, ": cannot be read, or is empty"));
  }
  return text;
}

}  // namespace

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
  flags.AddString(
      "server", &address, "HOST:PORT",
      "The server's address. Several get calls in turn, but for those that are not SERVING: IP:PORT,IP:PORT or "
      "dns:///HOST:PORT.");
  flags.AddDouble("deadline", &deadline_seconds, 0, 1e6, "SECONDS", deadline_help);
  flags.AddBool("tls", &tls, "Speak TLS with the server.");
  flags.AddString("tls_ca", &tls_ca, "FILE",
                  "PEM: who may have signed the server's certificate (default: whom this system trusts).");
  flags.AddString("tls_cert", &tls_cert, "FILE", "PEM: the certificate to show to a server that asks for one.");
  flags.AddString("tls_key", &tls_key, "FILE", "PEM: that certificate's key.");
  flags.AddString("token_file", &token_file, "FILE",
                  "Holds the token that the server asks for (default: the environment's HEED_TOKEN, or none).");
  flags.AddBool("insecure_token", &insecure_token, "Send the token in plain text, beyond this machine, too.");
}

std::chrono::milliseconds ServerFlags::deadline() const {
  return std::chrono::milliseconds(static_cast<int64_t>(deadline_seconds * 1000));
}

absl::StatusOr<ConnectionSecurity> ServerFlags::Security() const {
  ConnectionSecurity security{.tls = tls};
  for (const auto& [flag, path] : {std::pair("--tls_ca", tls_ca), std::pair("--tls_cert", tls_cert)}) {
    if (!tls && !path.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(flag, "=", path, ": is of no use without --tls"));
    }
  }
  if (tls_cert.empty() != tls_key.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tls_cert=", tls_cert, ", --tls_key=", tls_key, ": one is of no use without the other"));
  }
  if (!tls_ca.empty()) {
    HEED_ASSIGN_OR_RETURN(security.authorities, ReadFile("--tls_ca", tls_ca));
  }
  if (!tls_cert.empty()) {
    HEED_ASSIGN_OR_RETURN(security.certificate, ReadFile("--tls_cert", tls_cert));
    HEED_ASSIGN_OR_RETURN(security.key, ReadFile("--tls_key", tls_key));
  }
  const std::string source = token_file.empty() ? "HEED_TOKEN" : absl::StrCat("--token_file=", token_file);
  if (token_file.empty()) {
    const char* const variable = std::getenv("HEED_TOKEN");
    security.token = variable == nullptr ? "" : variable;
  } else {
    HEED_ASSIGN_OR_RETURN(security.token, ReadFile("--token_file", token_file));
  }
  absl::StripAsciiWhitespace(&security.token);
  if (security.token.empty()) {
    if (token_file.empty()) return security;
    return absl::InvalidArgumentError(absl::StrCat(source, ": holds no token"));
  }
  if (!std::all_of(security.token.begin(), security.token.end(), absl::ascii_isgraph)) {
    return absl::InvalidArgumentError(absl::StrCat(source, ": holds more than one word, or what no token is made of"));
  }
  if (!tls && !insecure_token && !IsLoopback(address)) {
    return absl::InvalidArgumentError(absl::StrCat(source, ": the token would travel to --server=", address,
                                                   " in plain text; use --tls, or --insecure_token if it may"));
  }
  return security;
}

std::optional<int> Connect(const ServerFlags& server, std::shared_ptr<grpc::Channel>& channel, Console& console) {
  const absl::StatusOr<ConnectionSecurity> security = server.Security();
  if (!security.ok()) return Fail(console, kExitUsage, std::string(security.status().message()));
  channel = MakeChannel(server.address, *security);
  return std::nullopt;
}

std::optional<int> Connect(const ServerFlags& server, int count, std::vector<std::shared_ptr<grpc::Channel>>& channels,
                           Console& console) {
  const absl::StatusOr<ConnectionSecurity> security = server.Security();
  if (!security.ok()) return Fail(console, kExitUsage, std::string(security.status().message()));
  for (int i = 0; i < count; ++i) channels.push_back(MakeChannel(server.address, *security, /*own_connection=*/true));
  return std::nullopt;
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
    case grpc::StatusCode::UNAUTHENTICATED:
      return Fail(
          console, kExitUsage,
          absl::StrCat(StatusText(status), "\nGive one with --token_file=FILE, or in the environment's HEED_TOKEN."));
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
