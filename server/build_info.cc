// SPDX-License-Identifier: Apache-2.0
#include "server/build_info.h"

#include <google/protobuf/stubs/common.h>

#include <nlohmann/json.hpp>

#include "base/version.h"
#include "engine/kernels/instruction_set.h"
#include "engine/linear/tiled_product.h"
#include "grpcpp/grpcpp.h"
#include "openssl/crypto.h"
#include "server/network/http_endpoint.h"

namespace heed {

std::string BuildInfoJson() {
  const nlohmann::ordered_json info = {
      {"version", kHeedVersion},
      {"compiler", "g++ " __VERSION__},
      {"instruction_set", std::string(InstructionSetName(UsedInstructionSet()))},
      {"libraries",
       {{"gRPC", grpc::Version()},
        {"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)},
        {"oneDNN", OneDnnVersion()},
        {"OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING)},
        {"libmicrohttpd", HttpEndpoint::LibraryVersion()}}},
  };
  return info.dump(2) + "\n";
}

}  // namespace heed
