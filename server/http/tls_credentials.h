// SPDX-License-Identifier: Apache-2.0
// TLS of the HTTP server: each handshake takes the newest certificates.
//
// GnuTLS, which libmicrohttpd speaks TLS with, is known to tls_credentials.cc alone.
#pragma once

#include <memory>

#include "base/mutex.h"
#include "server/security/certificates.h"

namespace heed {

// TLS 1.2 and 1.3, without anything older.
inline constexpr char kTlsPriorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

// Thread-safe.
class TlsCredentials {
 public:
  // `files` outlives it.
  explicit TlsCredentials(CertificateFiles& files) : files_(files) {}

  // What a connection whose handshake begins now speaks by: the files' newest, and the demand for a certificate of the
  // client's if they name authorities. `session`: a gnutls_session_t. The result lives as long as the session. Null:
  // GnuTLS refuses the certificates, and the handshake will fail.
  std::shared_ptr<void> Apply(void* session) EXCLUDES(mutex_);

 private:
  CertificateFiles& files_;

  Mutex mutex_;
  std::shared_ptr<const Certificates> made_of_ GUARDED_BY(mutex_);
  std::shared_ptr<void> credentials_ GUARDED_BY(mutex_);  // of made_of_
};

}  // namespace heed
