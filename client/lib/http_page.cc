// SPDX-License-Identifier: Apache-2.0
#include "client/lib/http_page.h"

#include <httplib.h>

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace heed::client {
namespace {

constexpr size_t kMaxBytes = size_t{64} << 20;

std::string Reason(httplib::Error error) {
  switch (error) {
    case httplib::Error::Connection:
      return "the connection was refused, or the host is unknown";
    case httplib::Error::ConnectionTimeout:
      return "no connection in time";
    case httplib::Error::Read:
      return "the connection ended, or nothing came in time";
    case httplib::Error::Write:
      return "the request could not be sent";
    default:
      return httplib::to_string(error);
  }
}

}  // namespace

absl::StatusOr<HttpAddress> ParseHttpAddress(const std::string& text) {
  const size_t colon = text.rfind(':');
  HttpAddress address;
  const bool split = colon != std::string::npos && colon > 0 && absl::SimpleAtoi(text.substr(colon + 1), &address.port);
  if (split) {
    address.host = text.substr(0, colon);
    const bool bracketed = address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']';
    if (bracketed) address.host = address.host.substr(1, address.host.size() - 2);
    const bool plain = address.host.find_first_of("/[]@ ") == std::string::npos;
    const bool one_colon = bracketed || address.host.find(':') == std::string::npos;
    if (plain && one_colon && address.port >= 1 && address.port <= 65535) return address;
  }
  return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no HOST:PORT"));
}

absl::StatusOr<std::string> GetHttpPage(const HttpAddress& address, const std::string& path,
                                        std::chrono::milliseconds limit, std::stop_token stop) {
  httplib::Client client(address.host, address.port);
  client.set_connection_timeout(limit);
  client.set_read_timeout(limit);
  client.set_write_timeout(limit);
  std::string body;
  bool too_large = false;
  int status = 0;
  const std::stop_callback end(stop, [&client] { client.stop(); });
  const httplib::Result result = client.Get(
      path,
      [&status](const httplib::Response& response) {
        status = response.status;
        return true;
      },
      [&](const char* data, size_t size) {
        too_large = body.size() + size > kMaxBytes;
        if (too_large || stop.stop_requested()) return false;
        body.append(data, size);
        return true;
      });
  if (stop.stop_requested()) return absl::CancelledError("interrupted");
  if (too_large) return absl::FailedPreconditionError(absl::StrCat("the page has more than ", kMaxBytes, " bytes"));
  if (!result) return absl::UnavailableError(Reason(result.error()));
  if (status != 200) return absl::FailedPreconditionError(absl::StrCat("GET ", path, " is answered with ", status));
  return body;
}

}  // namespace heed::client
