// SPDX-License-Identifier: Apache-2.0
// Certificates for tests, made in memory: an authority and what it signs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace heed {

struct TestCertificate {
  std::string certificate;  // PEM
  std::string key;          // PEM
};

class CertificateAuthority {
 public:
  struct Request {
    std::string host = "127.0.0.1";  // an IP address or a name
    int64_t valid_from_s = -3600;    // from now
    int64_t valid_to_s = 3600;
  };

  explicit CertificateAuthority(const std::string& name);
  ~CertificateAuthority();

  std::string certificate() const;  // PEM
  TestCertificate Issue(const Request& request) const;
  TestCertificate Issue() const { return Issue(Request()); }

 private:
  struct Identity;
  std::unique_ptr<Identity> identity_;
};

}  // namespace heed
