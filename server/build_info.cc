// SPDX-License-Identifier: Apache-2.0
#include "server/build_info.h"

#include <google/protobuf/stubs/common.h>

#include <nlohmann/json.hpp>

#include "base/version.h"
#include "engine/kernels/instruction_set.h"
#include "engine/linear/precision.h"
#include "engine/linear/tiled_product.h"
#include "grpcpp/grpcpp.h"
#include "openssl/crypto.h"
#include "server/http/http_server.h"
#include "server/registry/model_precisions.h"

namespace heed {

std::string BuildInfoJson() {
  nlohmann::ordered_json kernels;
  for (const std::string& name : PrecisionNames()) {
    const Precision asked = *PrecisionNamed(name), served = PrecisionHere(asked);
    kernels[name] = {{"precision", std::string(PrecisionName(served))}, {"kernel", std::string(KernelName(served))}};
  }
  const nlohmann::ordered_json info = {
      {"version", kHeedVersion},
      {"compiler", "g++ " __VERSION__},
      {"instruction_set", std::string(InstructionSetName(UsedInstructionSet()))},
      {"precisions", kernels},
      {"libraries",
       {{"gRPC", grpc::Version()},
        {"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)},
        {"oneDNN", OneDnnVersion()},
        {"OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING)},
        {"libmicrohttpd", HttpServer::LibraryVersion()}}},
  };
  return info.dump(2) + "\n";
}

}  // namespace heed
