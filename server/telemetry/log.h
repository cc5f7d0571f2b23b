// SPDX-License-Identifier: Apache-2.0
// What happens, as lines on standard error that a person and a program can read: when, how grave, what, and named
// values.
//
//   2026-11-25T15:40:33.123Z info model name=en-de version=1 state=ready reason="a text, \"quoted\""
//   {"time":"2026-11-25T15:40:33.123Z","level":"info","event":"model","name":"en-de","version":1,"state":"ready"}
//
// A value stays one value, whatever a client or a file put into it: nothing ends a line early. Texts of requests,
// tokens and passwords are never logged. Thread-safe. spdlog is known to log.cc alone.
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>
#include <variant>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace heed {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kLogfmt, kJson };

// From here on lines of `level` and above are written, in `format`. Before: info and above, in logfmt.
void StartLog(LogLevel level, LogFormat format);
// "debug", "info", "warn", "error"; "logfmt", "json". Of nothing else.
LogLevel ParseLogLevel(std::string_view name);
LogFormat ParseLogFormat(std::string_view name);

// NAME=VALUE. Borrows a text for as long as the statement that logs it.
struct LogField {
  using Value = std::variant<std::string_view, int64_t, double, bool>;

  template <typename T>
  LogField(std::string_view field_name, const T& field_value) : name(field_name), value(ToValue(field_value)) {}

  std::string_view name;
  Value value;

 private:
  template <typename T>
  static Value ToValue(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      return value;
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<int64_t>(value);
    } else if constexpr (std::is_floating_point_v<T>) {
      return static_cast<double>(value);
    } else if constexpr (std::is_same_v<T, absl::string_view>) {
      return std::string_view(value.data(), value.size());
    } else {
      return std::string_view(value);
    }
  }
};

// Whether a line of `level` is written: to be asked before what only it needs is made.
bool IsLogged(LogLevel level);
// `event` is a word: what the line is about.
void Log(LogLevel level, std::string_view event, absl::Span<const LogField> fields);

inline void LogDebug(std::string_view event, absl::Span<const LogField> fields) {
  Log(LogLevel::kDebug, event, fields);
}
inline void LogInfo(std::string_view event, absl::Span<const LogField> fields) { Log(LogLevel::kInfo, event, fields); }
inline void LogWarn(std::string_view event, absl::Span<const LogField> fields) { Log(LogLevel::kWarn, event, fields); }
inline void LogError(std::string_view event, absl::Span<const LogField> fields) {
  Log(LogLevel::kError, event, fields);
}

// The line without its time and level: `event` and `fields` in `format`.
std::string LogText(LogFormat format, std::string_view event, absl::Span<const LogField> fields);

}  // namespace heed
