// SPDX-License-Identifier: Apache-2.0
// Where gRPC asks Authorization: the credentials of its port, plain text or TLS; and the methods that nobody may call.
#pragma once

#include <memory>

#include "grpcpp/impl/service_type.h"
#include "grpcpp/security/server_credentials.h"
#include "server/security/authorization.h"
#include "server/security/certificates.h"

namespace heed {

// `certificates`: null: plain text. Both outlive the server that gets the result. Each handshake takes the newest
// certificates; connections that are there stay. Where there are tokens, every call is asked for one before its first
// message is read, whichever service it is of; that costs about 10 us.
std::shared_ptr<grpc::ServerCredentials> MakeCredentials(const Authorization& authorization,
                                                         CertificateFiles* certificates);

// To be called with each service before it is registered, by its full name ("heed.v1.GraphService"). Where there are no
// tokens to ask for, its methods that manage, and that nobody may call, are refused at no cost for the others.
// `authorization` outlives the service's calls.
void RefuseManagement(const Authorization& authorization, const char* name, grpc::Service& service);

}  // namespace heed
