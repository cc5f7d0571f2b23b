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

using Loaded = absl::StatusOr<std::shared_ptr<const Model>>;

struct Architecture {
  const char* model_type;
  Loaded (*load)(const std::string& path, const std::string& name, Precision precision);
};

// A loader whose result is a kind of model.
template <auto loader>
Loaded Load(const std::string& path, const std::string& name, Precision precision) {
  return loader(path, name, precision);
}

constexpr Architecture kArchitectures[] = {
    {"gat", Load<LoadGraphNetwork>},
    {"gatv2", Load<LoadGraphNetwork>},
    {"gcn", Load<LoadGraphNetwork>},
    {"marian", Load<LoadMarian>},
    {"ntm", LoadNtm},
    {"rnn-seq2seq", Load<LoadRnnTranslator>},
    {"transfo-xl", Load<LoadTransformerXl>},
    {"xlnet", Load<LoadXlnet>},
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Model>> LoadModel(const std::string& path, const std::string& name,
                                                       Precision precision) {
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
    return architecture.load(directory.string(), name.empty() ? directory.filename().string() : name, precision);
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
