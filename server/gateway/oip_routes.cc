// SPDX-License-Identifier: Apache-2.0
#include "server/gateway/oip_routes.h"

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace heed {
namespace {

constexpr OipRoute kRoutes[] = {
    {"GET", "/v2", "ServerMetadata", OipBody::kNothing, OipBody::kMessage, "What the server is."},
    {"GET", "/v2/health/live", "ServerLive", OipBody::kNothing, OipBody::kLive, "Whether the process answers."},
    {"GET", "/v2/health/ready", "ServerReady", OipBody::kNothing, OipBody::kServerReady,
     "Whether every model was tried, and the server is not shutting down."},
    {"GET", "/v2/models", "RepositoryIndex", OipBody::kNothing, OipBody::kModelNames, "The models that are ready."},
    {"GET", "/v2/models/stats", "ModelStatistics", OipBody::kNothing, OipBody::kMessage, "Statistics of all models."},
    {"GET", "/v2/models/{model}", "ModelMetadata", OipBody::kNothing, OipBody::kMessage,
     "The tensors that a model takes and gives."},
    {"GET", "/v2/models/{model}/versions/{version}", "ModelMetadata", OipBody::kNothing, OipBody::kMessage,
     "The tensors that a version of a model takes and gives."},
    {"GET", "/v2/models/{model}/ready", "ModelReady", OipBody::kNothing, OipBody::kModelReady,
     "Whether a model takes requests."},
    {"GET", "/v2/models/{model}/versions/{version}/ready", "ModelReady", OipBody::kNothing, OipBody::kModelReady,
     "Whether a version of a model takes requests."},
    {"GET", "/v2/models/{model}/config", "ModelConfig", OipBody::kNothing, OipBody::kConfig,
     "A model's configuration."},
    {"GET", "/v2/models/{model}/versions/{version}/config", "ModelConfig", OipBody::kNothing, OipBody::kConfig,
     "The configuration of a version of a model."},
    {"GET", "/v2/models/{model}/stats", "ModelStatistics", OipBody::kNothing, OipBody::kMessage,
     "Statistics of a model."},
    {"GET", "/v2/models/{model}/versions/{version}/stats", "ModelStatistics", OipBody::kNothing, OipBody::kMessage,
     "Statistics of a version of a model."},
    {"POST", "/v2/models/{model}/infer", "ModelInfer", OipBody::kInfer, OipBody::kInfer, "Computes a model's outputs."},
    {"POST", "/v2/models/{model}/versions/{version}/infer", "ModelInfer", OipBody::kInfer, OipBody::kInfer,
     "Computes the outputs of a version of a model."},
    {"POST", "/v2/repository/index", "RepositoryIndex", OipBody::kIndexFilter, OipBody::kIndex,
     "The models that there are, and their states."},
    {"POST", "/v2/repository/{repository}/index", "RepositoryIndex", OipBody::kIndexFilter, OipBody::kIndex,
     "The same, of a repository. Heed has one, without a name."},
    {"POST", "/v2/repository/models/{model}/load", "RepositoryModelLoad", OipBody::kParameters, OipBody::kNothing,
     "Loads a model, or loads it again."},
    {"POST", "/v2/repository/{repository}/models/{model}/load", "RepositoryModelLoad", OipBody::kParameters,
     OipBody::kNothing, "The same, of a repository. Heed has one, without a name."},
    {"POST", "/v2/repository/models/{model}/unload", "RepositoryModelUnload", OipBody::kParameters, OipBody::kNothing,
     "Unloads a model."},
    {"POST", "/v2/repository/{repository}/models/{model}/unload", "RepositoryModelUnload", OipBody::kParameters,
     OipBody::kNothing, "The same, of a repository. Heed has one, without a name."},
    // What Triton's clients also call.
    {"GET", "/v2/systemsharedmemory/status", "SystemSharedMemoryStatus", OipBody::kNothing, OipBody::kMessage, "",
     false},
    {"GET", "/v2/systemsharedmemory/region/{name}/status", "SystemSharedMemoryStatus", OipBody::kNothing,
     OipBody::kMessage, "", false},
    {"POST", "/v2/systemsharedmemory/region/{name}/register", "SystemSharedMemoryRegister", OipBody::kNothing,
     OipBody::kNothing, "", false},
    {"POST", "/v2/systemsharedmemory/unregister", "SystemSharedMemoryUnregister", OipBody::kNothing, OipBody::kNothing,
     "", false},
    {"POST", "/v2/systemsharedmemory/region/{name}/unregister", "SystemSharedMemoryUnregister", OipBody::kNothing,
     OipBody::kNothing, "", false},
    {"GET", "/v2/cudasharedmemory/status", "CudaSharedMemoryStatus", OipBody::kNothing, OipBody::kMessage, "", false},
    {"GET", "/v2/cudasharedmemory/region/{name}/status", "CudaSharedMemoryStatus", OipBody::kNothing, OipBody::kMessage,
     "", false},
    {"POST", "/v2/cudasharedmemory/region/{name}/register", "CudaSharedMemoryRegister", OipBody::kNothing,
     OipBody::kNothing, "", false},
    {"POST", "/v2/cudasharedmemory/unregister", "CudaSharedMemoryUnregister", OipBody::kNothing, OipBody::kNothing, "",
     false},
    {"POST", "/v2/cudasharedmemory/region/{name}/unregister", "CudaSharedMemoryUnregister", OipBody::kNothing,
     OipBody::kNothing, "", false},
    {"GET", "/v2/trace/setting", "TraceSetting", OipBody::kNothing, OipBody::kMessage, "", false},
    {"POST", "/v2/trace/setting", "TraceSetting", OipBody::kNothing, OipBody::kMessage, "", false},
    {"GET", "/v2/models/{model}/trace/setting", "TraceSetting", OipBody::kNothing, OipBody::kMessage, "", false},
    {"POST", "/v2/models/{model}/trace/setting", "TraceSetting", OipBody::kNothing, OipBody::kMessage, "", false},
    {"GET", "/v2/logging", "LogSettings", OipBody::kNothing, OipBody::kMessage, "", false},
    {"POST", "/v2/logging", "LogSettings", OipBody::kNothing, OipBody::kMessage, "", false},
};

}  // namespace

absl::Span<const OipRoute> OipRoutes() { return kRoutes; }

bool Fits(const OipRoute& route, absl::string_view path, OipNames& names) {
  names.clear();
  absl::ConsumeSuffix(&path, "/");
  absl::string_view pattern = route.path;
  while (absl::ConsumePrefix(&pattern, "/")) {
    if (!absl::ConsumePrefix(&path, "/")) return false;
    const absl::string_view wanted = pattern.substr(0, pattern.find('/'));
    const absl::string_view segment = path.substr(0, path.find('/'));
    pattern.remove_prefix(wanted.size());
    path.remove_prefix(segment.size());
    if (!absl::StartsWith(wanted, "{")) {
      if (segment != wanted) return false;
    } else if (segment.empty()) {
      return false;
    } else {
      names.emplace(wanted.substr(1, wanted.size() - 2), segment);
    }
  }
  return path.empty();
}

}  // namespace heed
