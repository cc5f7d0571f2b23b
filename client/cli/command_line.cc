// SPDX-License-Identifier: Apache-2.0
#include "client/cli/command_line.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/flags/help_text.h"
#include "base/status_macros.h"
#include "base/visible_text.h"
#include "client/cli/exit_code.h"
#include "client/cli/model_choice.h"
#include "client/lib/pause.h"
#include "client/lib/peer_probe.h"
#include "client/lib/retry.h"
#include "client/lib/translation_client.h"

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

// How long a server of this machine is waited for that does not listen yet: `heed-server & heed translate`.
constexpr double kLocalServerSeconds = 3;

constexpr std::chrono::milliseconds kProbeLimit{1000};

void AwaitServer(const ServerFlags& server, Console& console) {
  constexpr std::chrono::milliseconds kPause{50};
  const double seconds =
      server.connect_timeout.value_or(server.awaits_server && IsLoopback(server.address) ? kLocalServerSeconds : 0);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (bool noted = false; std::chrono::steady_clock::now() + kPause < end; noted = true) {
    if (MayListen(server.address, kProbeLimit)) return;
    if (!noted) NoteWaiting(console, server.address, "nothing listens there yet");
    if (!Pause(kPause, console.stop)) return;
  }
}

std::optional<int> PrepareConnection(const ServerFlags& server, ConnectionSecurity& security, Console& console) {
  if (const absl::Status checked = CheckAddress(server.address); !checked.ok()) {
    return Fail(console, kExitUsage, absl::StrCat("--server: ", checked.message()));
  }
  absl::StatusOr<ConnectionSecurity> read = server.Security();
  if (!read.ok()) return Fail(console, kExitUsage, std::string(read.status().message()));
  security = *std::move(read);
  AwaitServer(server, console);
  return std::nullopt;
}

// Why there is no connection, and what would help.
std::string Unconnected(const ServerFlags& server, const grpc::Status& status) {
  const std::string& address = server.address;
  const std::string reason = absl::StrCat(" (", StatusText(status), ")");
  const Peer peer = ProbePeer(address, kProbeLimit);
  if (peer == Peer::kTls && !server.tls) {
    return absl::StrCat("the server at ", address, " speaks TLS: add --tls", reason);
  }
  if (peer == Peer::kHttp2 && server.tls) {
    return absl::StrCat("the server at ", address, " speaks no TLS: leave out --tls", reason);
  }
  if (peer == Peer::kTls || absl::StrContains(status.error_message(), "certificate verify failed")) {
    return absl::StrCat("the TLS handshake with the server at ", address, " failed", reason,
                        "\nIs its certificate signed by an authority of --tls_ca=FILE",
                        server.tls_ca.empty() ? " (not given: those that this system trusts)" : "",
                        ", and made out to the name that --server gives? Does it ask for a certificate of yours, "
                        "--tls_cert and --tls_key?");
  }
  if (peer == Peer::kSilent) {
    return absl::StrCat("what listens at ", address, " does not answer: it may be overloaded, or no Heed server",
                        reason);
  }
  if (peer == Peer::kOther) {
    return absl::StrCat("what listens at ", address, " does not answer as a gRPC server does", reason,
                        "\nSay where the server is with --server=HOST:PORT. Is this its --metrics_listen",
                        server.tls ? "?" : ", or does it take --tls?");
  }
  return absl::StrCat("no answer from a server at ", address, reason,
                      "\nStart one with `heed-server --listen=", address,
                      "`, or say where it is with --server=HOST:PORT.");
}

}  // namespace

std::optional<int> ParseCommand(const CommandHelp& help, FlagTable& flags, const std::vector<std::string>& arguments,
                                size_t max_others, std::vector<std::string>& others, Console& console) {
  flags.AddAction("help_markdown", '\0', "");
  const CommandPage page = {.synopsis = help.synopsis,
                            .description = help.description,
                            .flags = flags.flags(),
                            .after_flags = help.after_flags};
  if (console.page != nullptr) {
    *console.page = page;
    return kExitOk;
  }
  absl::StatusOr<std::vector<std::string>> parsed = flags.Parse(arguments);
  if (!parsed.ok()) return Fail(console, kExitUsage, UsageError(page, parsed.status().message()));
  if (!flags.action().empty()) {
    console.out << (flags.action() == "help" ? HelpText(page) : MarkdownTable(page.flags, /*common=*/false))
                << std::flush;
    return kExitOk;
  }
  if (parsed->size() > max_others) {
    return Fail(console, kExitUsage,
                UsageError(page, absl::StrCat("unexpected argument '", (*parsed)[max_others], "'")));
  }
  others = *std::move(parsed);
  return std::nullopt;
}

void Note(Console& console, const std::string& message) {
  console.err << "heed: " << VisibleLines(message) << std::endl;
}

int Fail(Console& console, int code, const std::string& message) {
  Note(console, message);
  return code;
}

int FailOutput(Console& console) {
  if (console.out_closed && console.out_closed()) return kExitOutputClosed;
  return Fail(console, kExitFailed, "cannot write the output");
}

void NoteWaiting(Console& console, const std::string& address, const std::string& reason) {
  Note(console, absl::StrCat("waiting for the server at ", address, " (", reason, ")"));
}

void NoteWaiting(Console& console, const std::string& address, const grpc::Status& status) {
  NoteWaiting(console, address, StatusText(status));
}

void ServerFlags::AddTo(FlagTable& flags, const std::string& deadline_help) {
  flags.AddDouble("deadline", &deadline_seconds, 0, 1e6, "SECONDS", deadline_help);
  const std::string section = flags.AddSection("Connection", /*common=*/true);
  flags
      .AddString("server", &address, "HOST:PORT",
                 "Address of the server; HEED_SERVER in the environment sets another default. IP:PORT,IP:PORT or "
                 "dns:///HOST:PORT names several, which get calls in turn while they are SERVING.")
      .environment = "HEED_SERVER";
  if (awaits_server) {
    flags
        .AddDouble("connect_timeout", &connect_timeout, 0, 1e6,
                   "Maximum time to wait for a server that does not listen yet. Defaults to 3 for a server on this "
                   "machine, otherwise to 0.")
        .unit = "SECONDS";
  }
  flags.AddBool("tls", &tls, "Connect with TLS.");
  flags.AddString("tls_ca", &tls_ca, "FILE",
                  "PEM file with the authorities that may have signed the server's certificate. Defaults to those that "
                  "this system trusts.");
  flags.AddString("tls_cert", &tls_cert, "FILE", "PEM file with the certificate to present to the server.");
  flags.AddString("tls_key", &tls_key, "FILE", "PEM file with the private key of --tls_cert.");
  flags
      .AddString("token_file", &token_file, "FILE",
                 "File with the token to send. Defaults to the file named by HEED_TOKEN_FILE in the environment, or to "
                 "the token in HEED_TOKEN.")
      .environment = "HEED_TOKEN_FILE";
  flags.AddBool("insecure_token", &insecure_token, "Send the token unencrypted even to another machine.");
  flags.AddSection(section);
}

void ServerFlags::AddPriorityTo(FlagTable& flags) {
  flags.AddInt("priority", &priority, 1, 3,
               "Priority of the requests: 1 is the most urgent, 3 the least. Defaults to the server's default, 2.");
}

void ServerFlags::AddModelVersionTo(FlagTable& flags) {
  flags.AddInt("model_version", &model_version, "VERSION", 0, FlagTable::kNoMaximum,
               "Version of the model to call. 0 is its default version.");
}

std::chrono::milliseconds ServerFlags::deadline() const {
  return std::chrono::milliseconds(static_cast<int64_t>(deadline_seconds * 1000));
}

absl::StatusOr<ConnectionSecurity> ServerFlags::Security() const {
  ConnectionSecurity security{.tls = tls, .priority = priority.value_or(0)};
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
  ConnectionSecurity security;
  if (const auto code = PrepareConnection(server, security, console)) return code;
  channel = MakeChannel(server.address, security);
  return std::nullopt;
}

std::optional<int> Connect(const ServerFlags& server, int count, std::vector<std::shared_ptr<grpc::Channel>>& channels,
                           Console& console) {
  ConnectionSecurity security;
  if (const auto code = PrepareConnection(server, security, console)) return code;
  for (int i = 0; i < count; ++i) channels.push_back(MakeChannel(server.address, security, /*own_connection=*/true));
  return std::nullopt;
}

int FailCall(Console& console, const ServerFlags& server, grpc::Channel& channel, const grpc::Status& status) {
  if (console.stop.stop_requested()) return Fail(console, kExitInterrupted, "interrupted");
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      // Connected: the server is there and says why it cannot, or takes too long.
      if (channel.GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY) {
        return Fail(console, kExitUnavailable, StatusText(status));
      }
      return Fail(console, kExitUnavailable, Unconnected(server, status));
    case grpc::StatusCode::UNIMPLEMENTED:
      return Fail(console, kExitUnavailable,
                  absl::StrCat("the server at ", server.address, " is no Heed server that knows this call (",
                               StatusText(status), ")"));
    case grpc::StatusCode::UNAUTHENTICATED:
      return Fail(
          console, kExitUsage,
          absl::StrCat(StatusText(status), "\nGive one with --token_file=FILE, or in the environment's HEED_TOKEN."));
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::NOT_FOUND:
      return Fail(console, kExitUsage, StatusText(status));
    default:
      return Fail(console, kExitFailed, StatusText(status));
  }
}

std::optional<int> ResolveModel(const std::shared_ptr<grpc::Channel>& channel, const ServerFlags& server,
                                const std::string& kind, const std::string& wanted, std::string& model,
                                Console& console) {
  constexpr std::chrono::milliseconds kPause{50};
  const TranslationClient client(channel, {.deadline = std::chrono::seconds(10), .stop = console.stop});
  std::chrono::milliseconds patience = RetryPolicy().unavailable_for;
  if (server.deadline().count() > 0) patience = std::min(patience, server.deadline());
  const auto end = std::chrono::steady_clock::now() + patience;
  for (bool noted = false;; noted = true) {
    v1::ListModelsResponse models;
    const grpc::Status listed = client.ListModels(models);
    if (!listed.ok()) return FailCall(console, server, *channel, listed);
    absl::StatusOr<std::string> chosen = ChooseModel(models, kind, wanted);
    if (chosen.ok()) {
      model = *std::move(chosen);
      return std::nullopt;
    }
    const std::string reason(chosen.status().message());
    if (!absl::IsUnavailable(chosen.status())) {
      return Fail(console, absl::IsFailedPrecondition(chosen.status()) ? kExitUnavailable : kExitUsage, reason);
    }
    if (std::chrono::steady_clock::now() >= end) {
      return Fail(console, kExitUnavailable, absl::StrCat(reason, " still; `heed health --wait` waits for it"));
    }
    if (!noted) NoteWaiting(console, server.address, reason);
    if (!Pause(kPause, console.stop)) return Fail(console, kExitInterrupted, "interrupted");
  }
}

}  // namespace heed::client
