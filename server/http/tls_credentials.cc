// SPDX-License-Identifier: Apache-2.0
#include "server/http/tls_credentials.h"

#include <gnutls/gnutls.h>

#include <string>

#include "server/telemetry/log.h"

namespace heed {
namespace {

gnutls_datum_t Datum(const std::string& text) {
  return {reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())), static_cast<unsigned>(text.size())};
}

std::shared_ptr<void> Make(const Certificates& certificates) {
  gnutls_certificate_credentials_t raw = nullptr;
  if (gnutls_certificate_allocate_credentials(&raw) != GNUTLS_E_SUCCESS) return nullptr;
  std::shared_ptr<void> credentials(raw, [](void* made) {
    gnutls_certificate_free_credentials(static_cast<gnutls_certificate_credentials_t>(made));
  });
  const gnutls_datum_t certificate = Datum(certificates.certificate);
  const gnutls_datum_t key = Datum(certificates.key);
  int result = gnutls_certificate_set_x509_key_mem(raw, &certificate, &key, GNUTLS_X509_FMT_PEM);
  if (result >= 0 && !certificates.client_ca.empty()) {
    const gnutls_datum_t authorities = Datum(certificates.client_ca);
    result = gnutls_certificate_set_x509_trust_mem(raw, &authorities, GNUTLS_X509_FMT_PEM);
  }
  if (result >= 0) return credentials;
  LogError("tls", {{"reason", gnutls_strerror(result)}, {"kept", "the certificates that HTTP had before"}});
  return nullptr;
}

}  // namespace

std::shared_ptr<void> TlsCredentials::Apply(void* session) {
  std::shared_ptr<void> credentials;
  bool asks_clients = false;
  {
    const std::shared_ptr<const Certificates> newest = files_.Get(Clock::now());
    MutexLock lock(mutex_);
    if (newest != made_of_) {
      made_of_ = newest;
      if (std::shared_ptr<void> made = Make(*newest)) credentials_ = std::move(made);
    }
    credentials = credentials_;
    asks_clients = !newest->client_ca.empty();
  }
  if (credentials == nullptr) return nullptr;
  auto* const tls = static_cast<gnutls_session_t>(session);
  gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, credentials.get());
  if (asks_clients) {
    gnutls_certificate_server_set_request(tls, GNUTLS_CERT_REQUIRE);
    gnutls_session_set_verify_cert(tls, nullptr, 0);  // in the handshake
  }
  return credentials;
}

}  // namespace heed
