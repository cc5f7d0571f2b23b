// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <memory>
#include <stop_token>

#include "absl/strings/str_cat.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/lib/http_page.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/client_context.h"

namespace heed::client {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// Without a deadline.
constexpr std::chrono::hours kLongestPage(24);

CommandHelp HealthHelp() {
  return {
      "heed health [flags]",
      "Prints the state of the server, or of one model: SERVING, NOT_SERVING, UNKNOWN or SERVICE_UNKNOWN (there is\n"
      "no such model). It speaks grpc.health.v1, so it works with every gRPC server that does. With --http it asks\n"
      "for the page /readyz, which needs neither certificates nor a token.",
      "Exit codes:\n"
      "  0    SERVING\n"
      "  1    any other state\n"
      "  2    wrong flags\n"
      "  3    no server, or --watch lost it\n"
      "  130  interrupted\n"
      "\n"
      "Examples:\n"
      "  heed health && echo up\n"
      "  heed health --model=translator-en-de\n"
      "  heed health --wait --deadline=30    # for scripts: returns once the server serves\n"
      "  heed health --watch                 # prints every change\n"
      "  heed health --http=127.0.0.1:8002   # of a server that asks for certificates\n"};
}

std::string StateText(const HealthCheckResponse& response) {
  return HealthCheckResponse::ServingStatus_IsValid(response.status())
             ? HealthCheckResponse::ServingStatus_Name(response.status())
             : absl::StrCat("state ", static_cast<int>(response.status()));
}

int Check(Health::Stub& stub, const HealthCheckRequest& request, grpc::ClientContext& context,
          const ServerFlags& server, grpc::Channel& channel, Console& console) {
  HealthCheckResponse response;
  const grpc::Status status = stub.Check(&context, request, &response);
  if (status.error_code() == grpc::StatusCode::NOT_FOUND) {
    console.out << "SERVICE_UNKNOWN" << std::endl;
    return kExitFailed;
  }
  if (!status.ok()) return FailCall(console, server, channel, status);
  console.out << StateText(response) << std::endl;
  return response.status() == HealthCheckResponse::SERVING ? kExitOk : kExitFailed;
}

// Prints every state until the call ends, or the first SERVING if that is waited for.
int Watch(Health::Stub& stub, const HealthCheckRequest& request, grpc::ClientContext& context, bool until_serving,
          const ServerFlags& server, grpc::Channel& channel, Console& console) {
  const auto reader = stub.Watch(&context, request);
  HealthCheckResponse response;
  bool answered = false;
  while (reader->Read(&response)) {
    answered = true;
    console.out << StateText(response) << std::endl;
    if (!console.out) {
      context.TryCancel();
      reader->Finish();
      return FailOutput(console);
    }
    if (until_serving && response.status() == HealthCheckResponse::SERVING) {
      context.TryCancel();
      reader->Finish();
      return kExitOk;
    }
  }
  const grpc::Status status = reader->Finish();
  // Waited in vain for a server that is there.
  if (answered && status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return Fail(console, kExitFailed,
                absl::StrCat("not SERVING within the --deadline of ", server.deadline_seconds, " s"));
  }
  if (status.ok()) return Fail(console, kExitUnavailable, "the server ended the watch");
  return FailCall(console, server, channel, status);
}

int CheckHttp(const std::string& text, std::chrono::milliseconds limit, Console& console) {
  const absl::StatusOr<HttpAddress> address = ParseHttpAddress(text);
  if (!address.ok()) return Fail(console, kExitUsage, absl::StrCat("--http: ", address.status().message()));
  const absl::Status status = GetHttpPage(*address, "/readyz", limit, console.stop).status();
  if (absl::IsCancelled(status)) return kExitInterrupted;
  if (absl::IsUnavailable(status)) {
    return Fail(console, kExitUnavailable, absl::StrCat(text, ": ", status.message()));
  }
  console.out << (status.ok() ? "SERVING" : "NOT_SERVING") << std::endl;
  return status.ok() ? kExitOk : kExitFailed;
}

}  // namespace

int HealthCommand(const std::vector<std::string>& arguments, Console& console) {
  ServerFlags server{.awaits_server = false, .deadline_seconds = 10};
  std::string model;
  std::string http;
  bool watch = false;
  bool wait = false;
  FlagTable flags;
  server.AddTo(flags, "Maximum time to wait. 0 means no limit. --watch has none.");
  flags.AddString("model", &model, "NAME", "Name of the model to ask about. Defaults to the whole server.");
  flags.AddBool("watch", &watch, "Print the state and each change of it until interrupted.");
  flags.AddBool("wait", &wait, "Wait until a server is there and SERVING, at most for the deadline.");
  flags.AddString("http", &http, "HOST:PORT", "Ask the server's HTTP address (its --metrics_listen) instead of gRPC.");
  std::vector<std::string> others;
  if (const auto code = ParseCommand(HealthHelp(), flags, arguments, 0, others, console)) return *code;
  if (watch && wait) return Fail(console, kExitUsage, "--watch and --wait exclude each other");
  if (!http.empty()) {
    if (watch || wait || !model.empty()) {
      return Fail(console, kExitUsage, "--http tells of the whole server, once: not with --model, --watch or --wait");
    }
    return CheckHttp(http, server.deadline_seconds > 0 ? server.deadline() : kLongestPage, console);
  }

  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = Connect(server, channel, console)) return *code;
  const std::unique_ptr<Health::Stub> stub = Health::NewStub(channel);
  HealthCheckRequest request;
  request.set_service(model);
  grpc::ClientContext context;
  context.set_wait_for_ready(wait);
  if (!watch && server.deadline_seconds > 0) context.set_deadline(std::chrono::system_clock::now() + server.deadline());
  const std::stop_callback cancel(console.stop, [&context] { context.TryCancel(); });
  if (watch || wait) return Watch(*stub, request, context, wait, server, *channel, console);
  return Check(*stub, request, context, server, *channel, console);
}

}  // namespace heed::client
