// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/visible_text.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/model_choice.h"
#include "client/lib/duration.h"
#include "client/lib/model_kind.h"
#include "client/lib/translation_client.h"
#include "client/render/text_table.h"

namespace heed::client {
namespace {

CommandHelp ModelsHelp() {
  return {"heed models [flags]",
          "Lists every model of the server and its versions, including those that failed to load, with the reason.\n"
          "Requests go to the version with a star.",
          "Exit codes:\n"
          "  0    the list is printed\n"
          "  2    wrong flags\n"
          "  3    no server\n"
          "  130  interrupted\n"
          "\n"
          "Examples:\n"
          "  heed models\n"
          "  heed models --json | jq -r '.[] | select(.state == \"ready\") | .name'\n"};
}

CommandHelp LoadHelp() {
  return {"heed models load NAME [flags]",
          "Makes the server read the model's directory again and load what it should serve: a new version, or the\n"
          "files again. The present version serves until the new one has loaded and answered a first input, and stays\n"
          "if that fails. Prints the model's versions. To return to an old version, name it with --versions.",
          "Exit codes:\n"
          "  0    it serves\n"
          "  1    it could not be loaded, and why; what served before goes on\n"
          "  2    wrong flags, or no such model or version\n"
          "  3    no server\n"
          "  130  interrupted; the server still loads it\n"
          "\n"
          "Examples:\n"
          "  heed models load translator-en-de\n"
          "  heed models load translator-en-de --versions=3\n"};
}

CommandHelp UnloadHelp() {
  return {"heed models unload NAME [flags]",
          "Takes a model out of service. It finishes the requests that it has. `heed models load` brings it back.",
          "Exit codes:\n"
          "  0    it is unloaded\n"
          "  2    wrong flags, or no such model\n"
          "  3    no server\n"
          "  130  interrupted\n"
          "\n"
          "Examples:\n"
          "  heed models unload ntm-copy\n"};
}

std::string Languages(const v1::ModelInfo& model) {
  if (model.source_language().empty() && model.target_language().empty()) return "-";
  return absl::StrCat(model.source_language(), " > ", model.target_language());
}

std::string Weights(int64_t count) {
  if (count == 0) return "-";
  if (count < 1000) return absl::StrCat(count);
  return count < 1000000 ? absl::StrFormat("%.0f k", static_cast<double>(count) / 1e3)
                         : absl::StrFormat("%.1f M", static_cast<double>(count) / 1e6);
}

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

using ModelInfos = google::protobuf::RepeatedPtrField<v1::ModelInfo>;

std::string Table(const ModelInfos& models) {
  std::vector<std::vector<std::string>> rows = {{"NAME", "VERSION", "KIND", "ARCHITECTURE", "LANGUAGES", "STATE",
                                                 "WEIGHTS", "MEMORY", "PRECISION", "KERNEL", "LOADED IN", "REASON"}};
  for (const v1::ModelInfo& model : models) {
    rows.push_back({model.name(), absl::StrCat(model.version(), model.is_default() ? "*" : " "),
                    OrDash(KindName(model.kind())), OrDash(model.architecture()), Languages(model),
                    StateName(model.state()), Weights(model.weight_count()), MemoryText(model.resident_bytes()),
                    OrDash(PrecisionName(model.precision())), OrDash(model.kernel()),
                    model.has_load_duration() ? absl::StrFormat("%.2f s", ToSeconds(model.load_duration())) : "-",
                    model.reason()});
  }
  return TextTable(rows, {1, 6, 7, 10});
}

std::string Json(const ModelInfos& models) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const v1::ModelInfo& model : models) {
    list.push_back({{"name", model.name()},
                    {"version", model.version()},
                    {"is_default", model.is_default()},
                    {"kind", KindName(model.kind())},
                    {"architecture", model.architecture()},
                    {"source_language", model.source_language()},
                    {"target_language", model.target_language()},
                    {"state", StateName(model.state())},
                    {"reason", model.reason()},
                    {"weights", model.weight_count()},
                    {"resident_bytes", model.resident_bytes()},
                    {"load_seconds", ToSeconds(model.load_duration())},
                    {"fingerprint", model.fingerprint()},
                    {"precision", PrecisionName(model.precision())},
                    {"kernel", model.kernel()}});
  }
  return JsonText(list, 2) + "\n";
}

}  // namespace

int ModelsCommand(const std::vector<std::string>& arguments, Console& console) {
  ServerFlags server{.deadline_seconds = 10};
  bool json = false;
  FlagTable flags;
  server.AddTo(flags, "Maximum time to wait for the answer. 0 means no limit.");
  flags.AddBool("json", &json, "Print a JSON array of objects.");
  std::vector<std::string> others;
  if (const auto code = ParseCommand(ModelsHelp(), flags, arguments, 0, others, console)) return *code;

  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = Connect(server, channel, console)) return *code;
  const TranslationClient client(channel, {.deadline = server.deadline(), .stop = console.stop});
  v1::ListModelsResponse models;
  const grpc::Status status = client.ListModels(models);
  if (!status.ok()) return FailCall(console, server, *channel, status);
  if (!json && models.models_size() == 0) return Fail(console, kExitOk, "the server has no models");
  console.out << (json ? Json(models.models()) : Table(models.models())) << std::flush;
  return kExitOk;
}

int ModelsLoadCommand(const std::vector<std::string>& arguments, Console& console) {
  ServerFlags server{.deadline_seconds = 600};
  std::vector<int> versions;
  bool json = false;
  FlagTable flags;
  server.AddTo(flags, "Most seconds to wait until the model serves; 0: no limit.");
  flags.AddIntList("versions", &versions, 1, std::numeric_limits<int>::max(),
                   "Versions to serve. Defaults to what the server's --model_versions says.");
  flags.AddBool("json", &json, "Print a JSON array of objects.");
  std::vector<std::string> names;
  if (const auto code = ParseCommand(LoadHelp(), flags, arguments, 1, names, console)) return *code;
  if (names.empty()) return Fail(console, kExitUsage, "heed models load needs the name of a model");

  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = Connect(server, channel, console)) return *code;
  const TranslationClient client(channel, {.deadline = server.deadline(), .stop = console.stop});
  v1::LoadModelRequest request;
  request.set_model(names[0]);
  request.mutable_versions()->Assign(versions.begin(), versions.end());
  v1::LoadModelResponse loaded;
  const grpc::Status status = client.LoadModel(request, loaded);
  if (!status.ok()) return FailCall(console, server, *channel, status);
  console.out << (json ? Json(loaded.versions()) : Table(loaded.versions())) << std::flush;
  return kExitOk;
}

int ModelsUnloadCommand(const std::vector<std::string>& arguments, Console& console) {
  ServerFlags server{.deadline_seconds = 60};
  FlagTable flags;
  server.AddTo(flags, "Maximum time to wait for the answer. 0 means no limit.");
  std::vector<std::string> names;
  if (const auto code = ParseCommand(UnloadHelp(), flags, arguments, 1, names, console)) return *code;
  if (names.empty()) return Fail(console, kExitUsage, "heed models unload needs the name of a model");

  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = Connect(server, channel, console)) return *code;
  const TranslationClient client(channel, {.deadline = server.deadline(), .stop = console.stop});
  const grpc::Status status = client.UnloadModel(names[0]);
  if (!status.ok()) return FailCall(console, server, *channel, status);
  console.out << VisibleLine(names[0]) << " is unloaded\n" << std::flush;
  return kExitOk;
}

}  // namespace heed::client
