// SPDX-License-Identifier: Apache-2.0
#include "base/listen_address.h"

#include <sys/un.h>

#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/excerpt.h"

namespace heed {
namespace {

constexpr size_t kMaxUnixPath = sizeof(sockaddr_un::sun_path) - 1;
constexpr size_t kMaxEcho = 64;  // bytes of a wrong value in a message

absl::StatusOr<ListenAddress> ParseUnix(absl::string_view path) {
  if (absl::ConsumePrefix(&path, "//") && !absl::StartsWith(path, "/")) {
    return absl::InvalidArgumentError("after unix:// comes an absolute path, as in unix:///run/heed.sock");
  }
  if (path.empty()) return absl::InvalidArgumentError("names no path, as in unix:/run/heed.sock");
  if (path.size() > kMaxUnixPath) {
    return absl::InvalidArgumentError(
        absl::StrCat("the path of a Unix socket has at most ", kMaxUnixPath, " bytes, this one has ", path.size()));
  }
  ListenAddress address;
  address.unix_path = std::string(path);
  return address;
}

}  // namespace

absl::StatusOr<ListenAddress> ListenAddress::Parse(absl::string_view text) {
  if (absl::ConsumePrefix(&text, "unix:")) return ParseUnix(text);
  ListenAddress address;
  absl::string_view port;
  if (absl::StartsWith(text, "[")) {
    const size_t end = text.find(']');
    if (end == text.npos) return absl::InvalidArgumentError("\"[\" has no \"]\", as in [::1]:50051");
    if (end == 1) return absl::InvalidArgumentError("no address is in the brackets, as in [::1]:50051");
    address.host = std::string(text.substr(1, end - 1));
    port = text.substr(end + 1);
    if (!absl::ConsumePrefix(&port, ":")) {
      return absl::InvalidArgumentError("names no port after \"]\", as in [::1]:50051");
    }
  } else {
    const size_t colon = text.find(':');
    if (colon == text.npos) return absl::InvalidArgumentError("names no port, as in 127.0.0.1:50051");
    if (text.find(':', colon + 1) != text.npos) {
      return absl::InvalidArgumentError("has several colons; an IPv6 address stands in brackets, as in [::1]:50051");
    }
    address.host = std::string(text.substr(0, colon));
    port = text.substr(colon + 1);
  }
  if (port.empty()) return absl::InvalidArgumentError("names no port, as in 127.0.0.1:50051");
  int64_t number = 0;
  if (!absl::SimpleAtoi(port, &number) || number < 0 || number > std::numeric_limits<uint16_t>::max()) {
    return absl::InvalidArgumentError(absl::StrCat("the port must be a whole number from 0 to ",
                                                   std::numeric_limits<uint16_t>::max(), ", not \"",
                                                   Excerpt(port, kMaxEcho), "\""));
  }
  address.port = static_cast<uint16_t>(number);
  return address;
}

bool ListenAddress::IsLocal() const {
  return !unix_path.empty() || host == "localhost" || host == "::1" || absl::StartsWith(host, "127.");
}

}  // namespace heed
