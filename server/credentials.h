// The credentials of a gRPC port: plain text or TLS, and in front of every method the question whether it may be
// called.
#pragma once

#include <memory>

#include "grpcpp/security/server_credentials.h"
#include "server/authorization.h"
#include "server/certificates.h"

namespace heed {

// `certificates`: null: plain text. Both outlive the server that gets the result. Each handshake takes the newest
// certificates; connections that are there stay. A call is refused before its first message is read.
std::shared_ptr<grpc::ServerCredentials> MakeCredentials(const Authorization& authorization,
                                                         CertificateFiles* certificates);

}  // namespace heed
