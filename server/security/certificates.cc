// SPDX-License-Identifier: Apache-2.0
#include "server/security/certificates.h"

#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "openssl/err.h"
#include "openssl/pem.h"
#include "openssl/ssl.h"
#include "server/telemetry/log.h"

namespace heed {
namespace {

template <auto Free>
struct FreeBy {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, FreeBy<BIO_free>>;
using Certificate = std::unique_ptr<X509, FreeBy<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, FreeBy<EVP_PKEY_free>>;
using SslContext = std::unique_ptr<SSL_CTX, FreeBy<SSL_CTX_free>>;

// A flag, its file and what that holds.
struct PemFile {
  std::string flag;
  std::string path;
  std::string text;

  absl::Status Wrong(absl::string_view reason) const {
    return absl::InvalidArgumentError(absl::StrCat("--", flag, "=", path, ": ", reason));
  }
  // With OpenSSL's own reason.
  absl::Status Refused(absl::string_view what) const {
    const char* reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return Wrong(reason == nullptr ? std::string(what) : absl::StrCat(what, ": ", reason));
  }
  Bio Open() const { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }
};

absl::StatusOr<PemFile> Read(std::string flag, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  PemFile result{std::move(flag), path, {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()}};
  if (!file.is_open() || file.bad()) {
    return absl::NotFoundError(absl::StrCat("--", result.flag, "=", path, ": cannot be read"));
  }
  return result;
}

// A key that takes a password is no key: nobody is asked for it.
int NoPassword(char*, int, int, void*) { return -1; }

absl::StatusOr<std::vector<Certificate>> CertificatesOf(const PemFile& file) {
  const Bio bio = file.Open();
  std::vector<Certificate> certificates;
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr)) {
    certificates.emplace_back(certificate);
  }
  const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (certificates.empty() && ended) {
    ERR_clear_error();
    return file.Wrong("holds no certificate in PEM");
  }
  if (!ended) return file.Refused(absl::StrCat("certificate ", certificates.size() + 1, " cannot be read"));
  ERR_clear_error();
  return certificates;
}

// As the handshakes will do it, so that what passes here serves.
absl::Status CheckTogether(const PemFile& certificate_file, const PemFile& key_file) {
  HEED_ASSIGN_OR_RETURN(const std::vector<Certificate> chain, CertificatesOf(certificate_file));
  const Key key(PEM_read_bio_PrivateKey(key_file.Open().get(), nullptr, NoPassword, nullptr));
  if (key == nullptr) return key_file.Refused("holds no private key in PEM, or one with a password");
  const SslContext context(SSL_CTX_new(TLS_server_method()));
  if (SSL_CTX_use_certificate(context.get(), chain.front().get()) != 1) {
    return certificate_file.Refused("the certificate cannot be used");
  }
  if (SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1 || SSL_CTX_check_private_key(context.get()) != 1) {
    return key_file.Refused(absl::StrCat("is not the key of the certificate in --tls_cert=", certificate_file.path));
  }
  return absl::OkStatus();
}

void WarnIfExpired(const Certificates& certificates, const std::string& path) {
  const Bio bio(BIO_new_mem_buf(certificates.certificate.data(), static_cast<int>(certificates.certificate.size())));
  const Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr));
  if (X509_cmp_current_time(X509_get0_notAfter(certificate.get())) < 0) {
    LogWarn("tls", {{"file", path}, {"problem", "the certificate has expired: clients will refuse it"}});
  } else if (X509_cmp_current_time(X509_get0_notBefore(certificate.get())) > 0) {
    LogWarn("tls", {{"file", path}, {"problem", "the certificate is not valid yet: clients will refuse it"}});
  }
}

}  // namespace

absl::StatusOr<Certificates> ReadCertificates(const CertificatePaths& paths) {
  HEED_ASSIGN_OR_RETURN(PemFile certificate, Read("tls_cert", paths.certificate));
  HEED_ASSIGN_OR_RETURN(PemFile key, Read("tls_key", paths.key));
  HEED_RETURN_IF_ERROR(CheckTogether(certificate, key));
  Certificates result{std::move(certificate.text), std::move(key.text), ""};
  if (!paths.client_ca.empty()) {
    HEED_ASSIGN_OR_RETURN(PemFile client_ca, Read("tls_client_ca", paths.client_ca));
    HEED_RETURN_IF_ERROR(CertificatesOf(client_ca).status());
    result.client_ca = std::move(client_ca.text);
  }
  return result;
}

absl::StatusOr<std::unique_ptr<CertificateFiles>> CertificateFiles::Open(CertificatePaths paths,
                                                                         Clock::duration interval, TimePoint now) {
  std::unique_ptr<CertificateFiles> files(new CertificateFiles(std::move(paths), interval));
  HEED_ASSIGN_OR_RETURN(Certificates certificates, ReadCertificates(files->paths_));
  WarnIfExpired(certificates, files->paths_.certificate);
  MutexLock lock(files->mutex_);
  files->present_ = std::make_shared<const Certificates>(std::move(certificates));
  files->next_look_ = now + interval;
  return files;
}

std::shared_ptr<const Certificates> CertificateFiles::Get(TimePoint now) {
  // Held while the files are read: they are small, and only handshakes ask.
  MutexLock lock(mutex_);
  if (now >= next_look_) {
    next_look_ = now + interval_;
    absl::StatusOr<Certificates> certificates = ReadCertificates(paths_);
    const std::string problem(certificates.status().message());
    if (!problem.empty() && problem != problem_) {
      LogError("tls", {{"reason", problem}, {"kept", "the certificates that were read before"}});
    }
    problem_ = problem;
    if (certificates.ok() && *certificates != *present_) {
      WarnIfExpired(*certificates, paths_.certificate);
      LogInfo("tls", {{"file", paths_.certificate}, {"state", "reloaded"}});
      present_ = std::make_shared<const Certificates>(*std::move(certificates));
    }
  }
  return present_;
}

std::unique_ptr<Certificates> CertificateFiles::TakeNew(TimePoint now) {
  std::shared_ptr<const Certificates> present = Get(now);
  MutexLock lock(mutex_);
  if (std::exchange(handed_out_, present) == present) return nullptr;
  return std::make_unique<Certificates>(*present);
}

}  // namespace heed
