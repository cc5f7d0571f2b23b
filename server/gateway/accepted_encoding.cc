// SPDX-License-Identifier: Apache-2.0
#include "server/gateway/accepted_encoding.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace heed {
namespace {

constexpr size_t kMinCompressed = 1 << 10;
constexpr size_t kMaxCompressed = 1 << 20;

}  // namespace

std::optional<MessageCompression> AcceptedEncoding(const HttpRequest& request) {
  for (const absl::string_view one : absl::StrSplit(request.Header("accept-encoding"), ',')) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(one, absl::MaxSplits(';', 1));
    double quality = 1;
    absl::string_view weight = absl::StripAsciiWhitespace(parts.second);
    if (absl::ConsumePrefix(&weight, "q=") && (!absl::SimpleAtod(weight, &quality) || quality <= 0)) continue;
    const absl::string_view name = absl::StripAsciiWhitespace(parts.first);
    if (absl::EqualsIgnoreCase(name, "gzip")) return MessageCompression::kGzip;
    if (absl::EqualsIgnoreCase(name, "deflate")) return MessageCompression::kDeflate;
  }
  return std::nullopt;
}

void CompressAnswer(const HttpRequest& request, HttpAnswer& answer) {
  if (answer.body.size() < kMinCompressed || answer.body.size() > kMaxCompressed) return;
  const std::optional<MessageCompression> encoding = AcceptedEncoding(request);
  if (!encoding) return;
  answer.body = DeflateMessage(answer.body, *encoding);
  answer.headers.emplace_back("Content-Encoding", *encoding == MessageCompression::kGzip ? "gzip" : "deflate");
  answer.headers.emplace_back("Vary", "Accept-Encoding");
}

}  // namespace heed
