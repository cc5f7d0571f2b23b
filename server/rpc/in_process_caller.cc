// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/in_process_caller.h"

#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace heed {
namespace {

const std::string& SecretOfProcess() {
  static const auto& secret = *new std::string([] {
    std::random_device random;
    std::string text;
    for (int i = 0; i < 4; ++i) absl::StrAppend(&text, absl::Hex(random(), absl::kZeroPad8));
    return text + " ";
  }());
  return secret;
}

std::string PercentEncoded(absl::string_view text) {
  std::string encoded;
  for (const char byte : text) {
    if (absl::ascii_isgraph(static_cast<unsigned char>(byte)) && byte != '%') {
      encoded += byte;
    } else {
      absl::StrAppend(
          &encoded, "%",
          absl::AsciiStrToUpper(absl::StrCat(absl::Hex(static_cast<unsigned char>(byte), absl::kZeroPad2))));
    }
  }
  return encoded;
}

}  // namespace

std::string SignCaller(const HttpCaller& caller) {
  const absl::string_view path = absl::string_view(caller.path).substr(0, kMaxSignedPath);
  return absl::StrCat(SecretOfProcess(), PercentEncoded(caller.method), " ", PercentEncoded(path), " ", caller.peer);
}

std::optional<HttpCaller> SignedCaller(absl::string_view value) {
  if (!absl::ConsumePrefix(&value, SecretOfProcess())) return std::nullopt;
  std::pair<std::string, std::string> method_and_rest = absl::StrSplit(value, absl::MaxSplits(' ', 1));
  std::pair<std::string, std::string> path_and_peer = absl::StrSplit(method_and_rest.second, absl::MaxSplits(' ', 1));
  return HttpCaller{std::move(path_and_peer.second), std::move(method_and_rest.first), std::move(path_and_peer.first)};
}

}  // namespace heed
