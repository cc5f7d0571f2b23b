// SPDX-License-Identifier: Apache-2.0
#include "server/telemetry/trace_context.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace heed {
namespace {

constexpr size_t kVersionDigits = 2;
constexpr size_t kTraceIdDigits = 32;
constexpr size_t kParentIdDigits = 16;
constexpr size_t kFlagsDigits = 2;

// Takes `digits` lower-case hexadecimal digits off the front.
std::optional<absl::string_view> TakeHex(absl::string_view& text, size_t digits) {
  const absl::string_view taken = text.substr(0, digits);
  const bool is_hex = taken.size() == digits && std::all_of(taken.begin(), taken.end(), [](char digit) {
                        return (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f');
                      });
  if (!is_hex) return std::nullopt;
  text.remove_prefix(digits);
  return taken;
}

bool TakeDash(absl::string_view& text) {
  if (text.empty() || text[0] != '-') return false;
  text.remove_prefix(1);
  return true;
}

bool IsZero(absl::string_view digits) {
  return std::all_of(digits.begin(), digits.end(), [](char digit) { return digit == '0'; });
}

}  // namespace

std::optional<Traceparent> ParseTraceparent(absl::string_view text) {
  const auto version = TakeHex(text, kVersionDigits);
  if (!version || *version == "ff" || !TakeDash(text)) return std::nullopt;
  const auto trace_id = TakeHex(text, kTraceIdDigits);
  if (!trace_id || IsZero(*trace_id) || !TakeDash(text)) return std::nullopt;
  const auto parent_id = TakeHex(text, kParentIdDigits);
  if (!parent_id || IsZero(*parent_id) || !TakeDash(text)) return std::nullopt;
  const auto flags = TakeHex(text, kFlagsDigits);
  if (!flags) return std::nullopt;
  // Later versions may add fields.
  if (!text.empty() && (*version == "00" || text[0] != '-')) return std::nullopt;
  constexpr absl::string_view kOddDigits = "13579bdf";  // bit 0 of the flags
  return Traceparent{std::string(*trace_id), std::string(*parent_id), absl::StrContains(kOddDigits, flags->back())};
}

std::string ParseTracestate(absl::string_view text) {
  const bool fits = text.size() <= kLongestTracestate &&
                    std::all_of(text.begin(), text.end(), [](char byte) { return byte >= ' ' && byte < 0x7f; });
  return fits ? std::string(text) : std::string();
}

std::optional<std::string> ParseRequestId(absl::string_view text) {
  const bool fits = !text.empty() && text.size() <= kLongestRequestId &&
                    std::all_of(text.begin(), text.end(), [](char byte) { return byte > ' ' && byte < 0x7f; });
  if (!fits) return std::nullopt;
  return std::string(text);
}

}  // namespace heed
