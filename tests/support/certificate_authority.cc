// SPDX-License-Identifier: Apache-2.0
#include "tests/support/certificate_authority.h"

#include <cctype>
#include <cstdlib>

#include "openssl/evp.h"
#include "openssl/pem.h"
#include "openssl/rand.h"
#include "openssl/x509v3.h"

namespace heed {
namespace {

void Require(bool done) {
  if (!done) std::abort();
}

std::string PemOf(X509* certificate) {
  BIO* bio = BIO_new(BIO_s_mem());
  Require(PEM_write_bio_X509(bio, certificate) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

std::string PemOf(EVP_PKEY* key) {
  BIO* bio = BIO_new(BIO_s_mem());
  Require(PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

void AddExtension(X509* certificate, X509* issuer, int name, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, name, value.c_str());
  Require(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

// Without extensions and signature. Its serial number is random, so that no two are alike.
X509* Draft(const std::string& name, EVP_PKEY* key, int64_t valid_from_s, int64_t valid_to_s) {
  X509* certificate = X509_new();
  Require(X509_set_version(certificate, 2) == 1);
  int32_t serial = 0;
  Require(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial)) == 1);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial & 0x7fffffff);
  X509_gmtime_adj(X509_getm_notBefore(certificate), valid_from_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate), valid_to_s);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return certificate;
}

}  // namespace

struct CertificateAuthority::Identity {
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
};

CertificateAuthority::CertificateAuthority(const std::string& name) : identity_(std::make_unique<Identity>()) {
  identity_->key = EVP_EC_gen("P-256");
  identity_->certificate = Draft(name, identity_->key, -86400, 86400);
  X509* certificate = identity_->certificate;
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  AddExtension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  Require(X509_sign(certificate, identity_->key, EVP_sha256()) > 0);
}

CertificateAuthority::~CertificateAuthority() {
  X509_free(identity_->certificate);
  EVP_PKEY_free(identity_->key);
}

std::string CertificateAuthority::certificate() const { return PemOf(identity_->certificate); }

TestCertificate CertificateAuthority::Issue(const Request& request) const {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = Draft(request.host, key, request.valid_from_s, request.valid_to_s);
  X509_set_issuer_name(certificate, X509_get_subject_name(identity_->certificate));
  const bool is_address = std::isdigit(static_cast<unsigned char>(request.host.front())) != 0;
  AddExtension(certificate, identity_->certificate, NID_subject_alt_name, (is_address ? "IP:" : "DNS:") + request.host);
  Require(X509_sign(certificate, identity_->key, EVP_sha256()) > 0);
  TestCertificate result{PemOf(certificate), PemOf(key)};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return result;
}

}  // namespace heed
