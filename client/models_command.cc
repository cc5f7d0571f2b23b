#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/command_line.h"
#include "client/commands.h"
#include "client/exit_code.h"
#include "client/model_choice.h"
#include "client/text_table.h"
#include "client/translation_client.h"

namespace heed::client {
namespace {

CommandHelp Help() {
  return {"heed models [flags]", "Lists every model directory of the server, also those that failed to load and why.",
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

std::string Languages(const v1::ModelInfo& model) {
  if (model.source_language().empty() && model.target_language().empty()) return "-";
  return absl::StrCat(model.source_language(), " > ", model.target_language());
}

std::string Weights(int64_t count) {
  if (count == 0) return "-";
  return count < 1000000 ? absl::StrFormat("%.0f k", static_cast<double>(count) / 1e3)
                         : absl::StrFormat("%.1f M", static_cast<double>(count) / 1e6);
}

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

std::string Table(const v1::ListModelsResponse& models) {
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "KIND", "ARCHITECTURE", "LANGUAGES", "STATE", "WEIGHTS", "MEMORY", "LOADED IN", "REASON"}};
  for (const v1::ModelInfo& model : models.models()) {
    rows.push_back({model.name(), OrDash(model.kind()), OrDash(model.architecture()), Languages(model),
                    StateName(model.state()), Weights(model.weights()), MemoryText(model.resident_bytes()),
                    model.load_seconds() > 0 ? absl::StrFormat("%.2f s", model.load_seconds()) : "-", model.reason()});
  }
  return TextTable(rows, {5, 6, 7});
}

std::string Json(const v1::ListModelsResponse& models) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const v1::ModelInfo& model : models.models()) {
    list.push_back({{"name", model.name()},
                    {"kind", model.kind()},
                    {"architecture", model.architecture()},
                    {"source_language", model.source_language()},
                    {"target_language", model.target_language()},
                    {"state", StateName(model.state())},
                    {"reason", model.reason()},
                    {"weights", model.weights()},
                    {"resident_bytes", model.resident_bytes()},
                    {"load_seconds", model.load_seconds()},
                    {"fingerprint", model.fingerprint()}});
  }
  return list.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

int ModelsCommand(const std::vector<std::string>& arguments, Console& console) {
  ServerFlags server{.deadline_seconds = 10};
  bool json = false;
  FlagTable flags;
  server.AddTo(flags, "Most seconds to wait for the answer; 0: no limit.");
  flags.AddBool("json", &json, "A JSON array of objects.");
  std::vector<std::string> others;
  if (const auto code = ParseCommand(Help(), flags, arguments, 0, others, console)) return *code;

  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = Connect(server, channel, console)) return *code;
  const TranslationClient client(channel, {.deadline = server.deadline(), .stop = console.stop});
  v1::ListModelsResponse models;
  const grpc::Status status = client.ListModels(models);
  if (!status.ok()) return FailCall(console, server.address, *channel, status);
  if (!json && models.models_size() == 0) return Fail(console, kExitOk, "the server has no models");
  console.out << (json ? Json(models) : Table(models)) << std::flush;
  return kExitOk;
}

}  // namespace heed::client
