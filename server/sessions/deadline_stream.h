// SPDX-License-Identifier: Apache-2.0
// A TCP connection, plain or with TLS, whose every step ends by its deadline, the look-up of the host's name too.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"

struct ssl_st;
struct ssl_ctx_st;

namespace heed {

// The peer's certificate must be valid for the host and signed by an authority of `ca_file`.
struct StreamTls {
  std::string ca_file;           // PEM; empty: the system's authorities
  std::string certificate_file;  // our own, PEM, and its key; empty: none
  std::string key_file;
};

// Not thread-safe. Errors are UNAVAILABLE and say why; after one the connection is of no use.
class DeadlineStream {
 public:
  // `tls`: null: plain text. Tries the addresses of the host in order. INVALID_ARGUMENT: a file of `tls` cannot be
  // used.
  static absl::StatusOr<std::unique_ptr<DeadlineStream>> Connect(const std::string& host, int port,
                                                                 const StreamTls* tls, TimePoint deadline);
  ~DeadlineStream();
  DeadlineStream(const DeadlineStream&) = delete;
  DeadlineStream& operator=(const DeadlineStream&) = delete;

  // Sends all of it.
  absl::Status Write(absl::string_view bytes, TimePoint deadline);
  // Waits for at least one byte; how many came.
  absl::StatusOr<size_t> Read(absl::Span<char> buffer, TimePoint deadline);

 private:
  struct FreeContext {
    void operator()(ssl_ctx_st* context) const;
  };
  struct FreeSsl {
    void operator()(ssl_st* ssl) const;
  };

  explicit DeadlineStream(int socket) : socket_(socket) {}
  absl::Status ShakeHands(const std::string& host, const StreamTls& tls, TimePoint deadline);
  // What SSL_read and its like have returned, if it was no success: waits until they may go on.
  absl::Status AwaitTls(int result, TimePoint deadline);

  const int socket_;
  std::unique_ptr<ssl_ctx_st, FreeContext> context_;
  std::unique_ptr<ssl_st, FreeSsl> ssl_;  // null: plain text
};

}  // namespace heed
