// SPDX-License-Identifier: Apache-2.0
#include "server/telemetry/log.h"

#include <atomic>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace heed {
namespace {

constexpr char kLogfmtPattern[] = "%Y-%m-%dT%H:%M:%S.%eZ %l %v";
constexpr char kJsonPattern[] = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})";

std::atomic<LogFormat> format_in_use = LogFormat::kLogfmt;

spdlog::logger& Logger() {
  static const std::shared_ptr<spdlog::logger>& logger = *[] {
    auto made = std::make_shared<spdlog::logger>("heed", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern(kLogfmtPattern, spdlog::pattern_time_type::utc);
    return new std::shared_ptr<spdlog::logger>(std::move(made));
  }();
  return *logger;
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      break;
  }
  return spdlog::level::err;
}

std::string JsonText(std::string_view text) {
  // What is no UTF-8 (a file's name, say) becomes the replacement character.
  return nlohmann::json(std::string(text)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool IsPlain(unsigned char byte) { return byte > ' ' && byte != '"' && byte != '=' && byte != '\\' && byte != 0x7f; }

std::string LogfmtText(std::string_view text) {
  bool plain = !text.empty();
  for (const char byte : text) plain = plain && IsPlain(static_cast<unsigned char>(byte));
  if (plain) return std::string(text);
  std::string quoted = "\"";
  for (const char byte : text) {
    const auto code = static_cast<unsigned char>(byte);
    if (byte == '"' || byte == '\\') {
      quoted += '\\';
      quoted += byte;
    } else if (byte == '\n') {
      quoted += "\\n";
    } else if (code < ' ' || code == 0x7f) {
      absl::StrAppendFormat(&quoted, "\\x%02x", code);
    } else {
      quoted += byte;
    }
  }
  quoted += '"';
  return quoted;
}

std::string ValueText(LogFormat format, const LogField::Value& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    return format == LogFormat::kJson ? JsonText(*text) : LogfmtText(*text);
  }
  if (const auto* number = std::get_if<int64_t>(&value)) return absl::StrCat(*number);
  if (const auto* is = std::get_if<bool>(&value)) return *is ? "true" : "false";
  const double number = std::get<double>(value);
  if (!std::isfinite(number) && format == LogFormat::kJson) return "null";
  return absl::StrFormat("%.6g", number);
}

}  // namespace

void StartLog(LogLevel level, LogFormat format) {
  format_in_use = format;
  Logger().set_pattern(format == LogFormat::kJson ? kJsonPattern : kLogfmtPattern, spdlog::pattern_time_type::utc);
  Logger().set_level(ToSpdlog(level));
}

LogLevel ParseLogLevel(std::string_view name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "warn") return LogLevel::kWarn;
  return name == "error" ? LogLevel::kError : LogLevel::kInfo;
}

LogFormat ParseLogFormat(std::string_view name) { return name == "json" ? LogFormat::kJson : LogFormat::kLogfmt; }

bool IsLogged(LogLevel level) { return Logger().should_log(ToSpdlog(level)); }

void Log(LogLevel level, std::string_view event, absl::Span<const LogField> fields) {
  if (!IsLogged(level)) return;
  const std::string text = LogText(format_in_use, event, fields);
  Logger().log(ToSpdlog(level), spdlog::string_view_t(text.data(), text.size()));
}

std::string LogText(LogFormat format, std::string_view event, absl::Span<const LogField> fields) {
  std::string text;
  if (format == LogFormat::kJson) {
    text = "\"event\":" + JsonText(event);
    for (const LogField& field : fields) {
      text += "," + JsonText(field.name) + ":" + ValueText(format, field.value);
    }
  } else {
    text = event;
    for (const LogField& field : fields) {
      text += ' ';
      text += field.name;
      text += '=';
      text += ValueText(format, field.value);
    }
  }
  return text;
}

}  // namespace heed
