// SPDX-License-Identifier: Apache-2.0
// heed-server: parses flags, runs the server, waits for a signal.
#include <malloc.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/flags/help_text.h"
#include "models/probe.h"
#include "server/network/descriptor_budget.h"
#include "server/options/flags.h"
#include "server/platform/installed_models.h"
#include "server/rpc/library_logs.h"
#include "server/server.h"
#include "server/telemetry/log.h"

namespace {

constexpr int kExitFailure = 1;  // it could not start
constexpr int kExitUsage = 2;    // a flag is wrong

// What is as large as a layer's weights lies in pages of its own, which go back to the system with the model. Left to
// itself the allocator raises this with the first such block that it frees, and keeps the next ones.
constexpr int kOwnPagesBytes = 256 << 10;

// Below it the process was given fewer file descriptors than is usual.
constexpr int64_t kFewDescriptors = 1024;

// What the environment sets in place of flags.
void TakeEnvironment(heed::ServerOptions& options) {
  const std::pair<const char*, std::string*> settings[] = {{"HEED_REDIS_PASSWORD", &options.redis_password},
                                                           {"OTEL_SERVICE_NAME", &options.trace_service_name},
                                                           {"OTEL_RESOURCE_ATTRIBUTES", &options.trace_resource}};
  for (const auto& [name, option] : settings) {
    if (const char* value = std::getenv(name)) *option = value;
  }
}

int Serve(const heed::ServerOptions& options) {
  mallopt(M_MMAP_THRESHOLD, kOwnPagesBytes);
  const int64_t descriptors = heed::RaiseDescriptorLimit();
  if (descriptors < kFewDescriptors) {
    heed::LogWarn("connections", {{"max_file_descriptors", descriptors},
                                  {"problem", "few connections fit; raise it with ulimit -Hn"}});
  }
  // Every thread inherits this: signals are taken by sigwait alone.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets whose peer may be gone

  auto server = heed::Server::Start(options, heed::LoadProbedModel);
  if (!server.ok()) {
    heed::LogError("cannot_start", {{"reason", server.status().message()}});
    return kExitFailure;
  }
  int signal = 0;
  sigwait(&signals, &signal);
  heed::LogInfo("signal", {{"number", signal}});
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);  // from here on one more ends the process at once
  (*server)->Shutdown();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<absl::string_view> arguments(argv + 1, argv + argc);
  auto command_line = heed::ParseCommandLine(arguments);
  if (!command_line.ok()) {
    const std::string error = heed::UsageError(heed::ServerPage().program, command_line.status().message());
    std::fprintf(stderr, "heed-server: %s\n", error.c_str());
    return kExitUsage;
  }
  if (command_line->action == heed::CommandLine::Action::kPrint) {
    std::fputs(command_line->text.c_str(), stdout);
    return std::fflush(stdout) == 0 ? 0 : kExitFailure;
  }
  TakeEnvironment(command_line->options);
  if (command_line->options.models.empty()) command_line->options.models = heed::ModelsOf(heed::ThisProgram());
  heed::StartLog(heed::ParseLogLevel(command_line->options.log_level),
                 heed::ParseLogFormat(command_line->options.log_format));
  heed::TakeLibraryLogs();
  return Serve(command_line->options);
}
