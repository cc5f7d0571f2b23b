// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/library_logs.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/stubs/logging.h"
#include "grpc/support/log.h"
#include "server/telemetry/line_budget.h"
#include "server/telemetry/log.h"

namespace heed {
namespace {

constexpr int kMaxLinesPerSecond = 2;

// "file.cc" of a path.
absl::string_view FileName(absl::string_view path) { return path.substr(path.rfind('/') + 1); }

void Write(LineBudget& budget, LogLevel level, std::string_view library, absl::string_view file, int line,
           absl::string_view message) {
  if (!IsLogged(level)) return;
  const std::optional<int64_t> left_out = budget.Take(Clock::now());
  if (!left_out) return;
  Log(level, library, {{"file", FileName(file)}, {"line", line}, {"message", message}, {"left_out", *left_out}});
}

void WriteOfGrpc(gpr_log_func_args* entry) {
  static LineBudget& budget = *new LineBudget(kMaxLinesPerSecond);
  // What gRPC calls an error is most often one of a peer: a handshake that failed, a connection that broke.
  const LogLevel level = entry->severity == GPR_LOG_SEVERITY_ERROR ? LogLevel::kWarn : LogLevel::kDebug;
  Write(budget, level, "grpc", entry->file, entry->line, entry->message);
}

void WriteOfProtobuf(google::protobuf::LogLevel level, const char* file, int line, const std::string& message) {
  static LineBudget& budget = *new LineBudget(kMaxLinesPerSecond);
  const bool is_grave = level == google::protobuf::LOGLEVEL_ERROR || level == google::protobuf::LOGLEVEL_FATAL;
  Write(budget, is_grave ? LogLevel::kWarn : LogLevel::kDebug, "protobuf", file, line, message);
}

}  // namespace

void TakeLibraryLogs() {
  gpr_set_log_function(WriteOfGrpc);
  google::protobuf::SetLogHandler(WriteOfProtobuf);
}

}  // namespace heed
