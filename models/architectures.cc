// SPDX-License-Identifier: Apache-2.0
#include "models/architectures.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json_fields.h"
#include "base/status_macros.h"
#include "models/graph/graph_network.h"
#include "models/ntm/ntm.h"
#include "models/transformer_xl/transformer_xl.h"
#include "models/translation/marian.h"
#include "models/translation/rnn_translator.h"
#include "models/xlnet_tasks/xlnet.h"

namespace heed {
namespace {

struct Architecture {
  const char* model_type;
  absl::StatusOr<std::shared_ptr<const Model>> (*load)(const std::string& path, const std::string& name);
};

using Loaded = absl::StatusOr<std::shared_ptr<const Model>>;

constexpr Architecture kArchitectures[] = {
    {"gat", [](const std::string& path, const std::string& name) -> Loaded { return LoadGraphNetwork(path, name); }},
    {"gatv2", [](const std::string& path, const std::string& name) -> Loaded { return LoadGraphNetwork(path, name); }},
    {"gcn", [](const std::string& path, const std::string& name) -> Loaded { return LoadGraphNetwork(path, name); }},
    {"marian", [](const std::string& path, const std::string& name) -> Loaded { return LoadMarian(path, name); }},
    {"ntm", LoadNtm},
    {"rnn-seq2seq",
     [](const std::string& path, const std::string& name) -> Loaded { return LoadRnnTranslator(path, name); }},
    {"transfo-xl",
     [](const std::string& path, const std::string& name) -> Loaded { return LoadTransformerXl(path, name); }},
    {"xlnet", [](const std::string& path, const std::string& name) -> Loaded { return LoadXlnet(path, name); }},
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Model>> LoadModel(const std::string& path, const std::string& name) {
  // "models/name/" names the same directory as "models/name".
  std::filesystem::path directory = std::filesystem::path(path).lexically_normal();
  if (!directory.has_filename()) directory = directory.parent_path();
  const std::string config_path = (directory / "config.json").string();
  HEED_ASSIGN_OR_RETURN(JsonFields config, JsonFields::Read(config_path));
  if (!config.Has("model_type"))
    return absl::InvalidArgumentError(absl::StrCat(config_path, ": model_type is missing"));
  const std::string model_type = config.String("model_type", "");
  HEED_RETURN_IF_ERROR(config.status());
  for (const Architecture& architecture : kArchitectures) {
    if (model_type != architecture.model_type) continue;
    return architecture.load(directory.string(), name.empty() ? directory.filename().string() : name);
  }
  return absl::UnimplementedError(absl::StrCat(config_path, ": model_type is \"", model_type, "\", but served are ",
                                               absl::StrJoin(ServedArchitectures(), ", ")));
}

std::vector<std::string> ServedArchitectures() {
  std::vector<std::string> names;
  for (const Architecture& architecture : kArchitectures) names.emplace_back(architecture.model_type);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace heed
