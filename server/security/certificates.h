// SPDX-License-Identifier: Apache-2.0
// The files that TLS needs: read together, checked together, read again when they may have changed.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace heed {

struct CertificatePaths {
  std::string certificate;  // PEM: the server's, then those between it and its authority
  std::string key;          // PEM
  std::string client_ca;    // PEM: who signs clients' certificates; empty: clients show none
};

// PEM texts that were found to belong together.
struct Certificates {
  std::string certificate;
  std::string key;
  std::string client_ca;
  bool operator==(const Certificates&) const = default;
};

// NOT_FOUND, INVALID_ARGUMENT: the message names the flag, its file and why: it cannot be read, holds no certificate or
// no key, or the key is another certificate's. Never what a file holds.
absl::StatusOr<Certificates> ReadCertificates(const CertificatePaths& paths);

// Thread-safe.
class CertificateFiles {
 public:
  // As ReadCertificates. The files are looked at again after `interval` and later, when somebody asks.
  static absl::StatusOr<std::unique_ptr<CertificateFiles>> Open(CertificatePaths paths, Clock::duration interval,
                                                                TimePoint now);

  bool asks_clients() const { return !paths_.client_ca.empty(); }
  // What the files hold; the same object until they have changed. Files that are wrong change nothing and are logged
  // once.
  std::shared_ptr<const Certificates> Get(TimePoint now) EXCLUDES(mutex_);
  // The same for gRPC: a copy, if that was not handed out before: the first time always; null: nothing new.
  std::unique_ptr<Certificates> TakeNew(TimePoint now) EXCLUDES(mutex_);

 private:
  CertificateFiles(CertificatePaths paths, Clock::duration interval) : paths_(std::move(paths)), interval_(interval) {}

  const CertificatePaths paths_;
  const Clock::duration interval_;

  Mutex mutex_;
  std::shared_ptr<const Certificates> present_ GUARDED_BY(mutex_);
  std::shared_ptr<const Certificates> handed_out_ GUARDED_BY(mutex_);  // by TakeNew
  std::string problem_ GUARDED_BY(mutex_);                             // of the last look; empty: none
  TimePoint next_look_ GUARDED_BY(mutex_);
};

}  // namespace heed
