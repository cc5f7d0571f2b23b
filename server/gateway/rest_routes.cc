// SPDX-License-Identifier: Apache-2.0
#include "server/gateway/rest_routes.h"

#include "absl/strings/str_cat.h"

namespace heed {

std::vector<RestRoute> RestRoutes(const std::vector<std::string>& services) {
  std::vector<RestRoute> routes;
  for (const std::string& name : services) {
    const auto& service = *google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    for (int i = 0; i < service.method_count(); ++i) {
      routes.push_back({absl::StrCat("/", name, "/", service.method(i)->name()), service.method(i)});
    }
  }
  return routes;
}

}  // namespace heed
