// SPDX-License-Identifier: Apache-2.0
#include "server/tracing/trace_resource.h"

#include <limits.h>
#include <unistd.h>

#include <optional>
#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/invalid_argument.h"
#include "base/version.h"

namespace heed {
namespace {

// Nothing: a % is not followed by two hexadecimal digits.
std::optional<std::string> PercentDecoded(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    uint32_t byte = 0;
    const absl::string_view digits = text.substr(i + 1, 2);
    if (digits.size() < 2 || !absl::ascii_isxdigit(static_cast<unsigned char>(digits[0])) ||
        !absl::SimpleHexAtoi(digits, &byte)) {
      return std::nullopt;
    }
    decoded += static_cast<char>(byte);
    i += 2;
  }
  return decoded;
}

std::string HostName() {
  char name[HOST_NAME_MAX + 1] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "";
}

std::string RandomId() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 4; ++i) absl::StrAppend(&id, absl::Hex(random(), absl::kZeroPad8));
  return id;
}

}  // namespace

absl::StatusOr<TraceResource> ParseResourceAttributes(absl::string_view text) {
  TraceResource resource;
  for (const absl::string_view item : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(item, absl::MaxSplits('=', 1));
    const absl::string_view key = absl::StripAsciiWhitespace(parts.first);
    std::optional<std::string> value = PercentDecoded(absl::StripAsciiWhitespace(parts.second));
    if (key.empty() || parts.first.size() == item.size() || !value) {
      return InvalidArgument("\"", item, "\" is not KEY=VALUE with a percent-encoded value");
    }
    resource[std::string(key)] = *std::move(value);
  }
  return resource;
}

TraceResource ResourceOfProcess(TraceResource given, absl::string_view service_name) {
  if (!service_name.empty()) given["service.name"] = std::string(service_name);
  given.try_emplace("service.name", "heed-server");
  given.try_emplace("service.version", kHeedVersion);
  given.try_emplace("service.instance.id", RandomId());
  given.try_emplace("host.name", HostName());
  given.try_emplace("process.pid", absl::StrCat(getpid()));
  return given;
}

}  // namespace heed
