// SPDX-License-Identifier: Apache-2.0
#include "server/gateway/oip_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "google/protobuf/descriptor.h"
#include "inference.pb.h"

namespace heed {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

const OipRoute* Find(absl::string_view http_method, absl::string_view path, OipNames& names) {
  for (const OipRoute& route : OipRoutes()) {
    if (route.http_method == http_method && Fits(route, path, names)) return &route;
  }
  return nullptr;
}

std::string MethodAt(absl::string_view http_method, absl::string_view path) {
  OipNames names;
  const OipRoute* route = Find(http_method, path, names);
  return route == nullptr ? "" : std::string(route->method);
}

TEST(OipRoutes, PathsAreOfTheirMethods) {
  EXPECT_EQ(MethodAt("GET", "/v2"), "ServerMetadata");
  EXPECT_EQ(MethodAt("GET", "/v2/"), "ServerMetadata");
  EXPECT_EQ(MethodAt("GET", "/v2/health/live"), "ServerLive");
  EXPECT_EQ(MethodAt("GET", "/v2/models/m"), "ModelMetadata");
  EXPECT_EQ(MethodAt("GET", "/v2/models/m/versions/3"), "ModelMetadata");
  EXPECT_EQ(MethodAt("GET", "/v2/models/m/versions/3/ready"), "ModelReady");
  EXPECT_EQ(MethodAt("POST", "/v2/models/m/versions/3/infer"), "ModelInfer");
  EXPECT_EQ(MethodAt("GET", "/v2/models/stats"), "ModelStatistics");
  EXPECT_EQ(MethodAt("GET", "/v2/models/stats/stats"), "ModelStatistics");
  EXPECT_EQ(MethodAt("POST", "/v2/repository/index"), "RepositoryIndex");
  EXPECT_EQ(MethodAt("POST", "/v2/repository/models/m/load"), "RepositoryModelLoad");
  EXPECT_EQ(MethodAt("GET", "/v2/cudasharedmemory/region/a/status"), "CudaSharedMemoryStatus");
}

TEST(OipRoutes, OtherPathsAreNobodys) {
  for (const char* path : {"", "/", "/v1", "/v2x", "/v2//", "/v2/models//infer", "/v2/models/m/infer/x",
                           "/v2/translate", "/v2/models/m/versions", "/v2/health", "v2"}) {
    EXPECT_THAT(MethodAt("GET", path) + MethodAt("POST", path), IsEmpty()) << path;
  }
  EXPECT_THAT(MethodAt("GET", "/v2/models/m/infer"), IsEmpty());
}

TEST(OipRoutes, NamesAreWhatStandsInTheirPlace) {
  OipNames names;
  ASSERT_NE(Find("POST", "/v2/models/a{b}.c/versions/12/infer/", names), nullptr);
  EXPECT_THAT(names, ElementsAre(Pair("model", "a{b}.c"), Pair("version", "12")));
  ASSERT_NE(Find("POST", "/v2/repository/r/models/m/unload", names), nullptr);
  EXPECT_THAT(names, ElementsAre(Pair("model", "m"), Pair("repository", "r")));
}

TEST(OipRoutes, EveryMethodOfTheServiceHasOneButStreams) {
  const auto* service =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName("inference.GRPCInferenceService");
  ASSERT_NE(service, nullptr);
  for (const OipRoute& route : OipRoutes()) {
    EXPECT_NE(service->FindMethodByName(std::string(route.method)), nullptr) << route.path;
  }
  for (int i = 0; i < service->method_count(); ++i) {
    bool found = false;
    for (const OipRoute& route : OipRoutes()) found = found || route.method == service->method(i)->name();
    EXPECT_EQ(found, !service->method(i)->server_streaming()) << service->method(i)->name();
  }
}

}  // namespace
}  // namespace heed
