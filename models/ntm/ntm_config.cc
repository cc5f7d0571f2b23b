// SPDX-License-Identifier: Apache-2.0
#include "models/ntm/ntm_config.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

constexpr int64_t kMaxWidth = 1 << 16;
constexpr int64_t kMaxSlots = 1 << 20;
constexpr int64_t kMaxNumbers = 1 << 26;  // of one memory: 256 MiB
constexpr size_t kMaxHeads = 64;
constexpr int64_t kMaxLayers = 64;
constexpr int64_t kMaxThinkingSteps = 1024;
constexpr double kLargest = 1e6;

constexpr Choice<NtmTask> kTasks[] = {{"sequences", NtmTask::kSequences}, {"questions", NtmTask::kQuestions}};
constexpr Choice<HeadOrder> kOrders[] = {{"reads-first", HeadOrder::kReadsFirst},
                                         {"writes-first", HeadOrder::kWritesFirst},
                                         {"interleaved", HeadOrder::kInterleaved}};
constexpr Choice<bool> kSquashes[] = {{"none", false}, {"tanh", true}};
constexpr Choice<CosineForm> kForms[] = {{"added", CosineForm::kAdded}, {"clamped", CosineForm::kClamped}};
constexpr Choice<bool> kControllers[] = {{"lstm", true}, {"feed-forward", false}};
constexpr Choice<Activation> kControllerActivations[] = {{"relu", Activation::kRelu}, {"tanh", Activation::kTanh}};
constexpr Choice<OutputReads> kReads[] = {
    {"new", OutputReads::kNew}, {"previous", OutputReads::kPrevious}, {"none", OutputReads::kNone}};
constexpr Choice<Activation> kOutputActivations[] = {{"none", Activation::kNone}, {"sigmoid", Activation::kSigmoid}};
constexpr Choice<FrameTask> kFrames[] = {
    {"copy", FrameTask::kCopy}, {"repeat-copy", FrameTask::kRepeatCopy}, {"recall", FrameTask::kRecall}};

// Takes an inner object's error for its own.
void Close(const JsonFields& inner, absl::Status& status) {
  if (status.ok()) status = inner.status();
}

std::vector<HeadKind> ReadHeads(JsonFields& fields) {
  std::vector<HeadKind> heads;
  const nlohmann::json& list = fields.Value("heads");
  if (list.is_null()) {
    fields.Missing("heads");
    return heads;
  }
  for (const nlohmann::json& item : list) {
    if (item == "read") {
      heads.push_back(HeadKind::kRead);
    } else if (item == "write") {
      heads.push_back(HeadKind::kWrite);
    } else {
      fields.Wrong("heads", "which is not a list of \"read\" and \"write\"");
      return heads;
    }
  }
  const auto count = [&](HeadKind kind) { return std::count(heads.begin(), heads.end(), kind); };
  if (!list.is_array() || count(HeadKind::kRead) == 0 || count(HeadKind::kWrite) == 0) {
    fields.Wrong("heads", "which is not a list with at least one \"read\" and one \"write\"");
  } else if (heads.size() > kMaxHeads) {
    fields.Wrong("heads", absl::StrCat("which are ", heads.size(), " heads, but at most ", kMaxHeads, " are served"));
  }
  return heads;
}

std::vector<int> ReadShifts(JsonFields& fields, int64_t slots) {
  const nlohmann::json& list = fields.Value("shifts");
  if (list.is_null()) return slots > 1 ? std::vector<int>{-1, 0, 1} : std::vector<int>{0};
  std::vector<int> shifts;
  std::set<int64_t> seen;
  const bool numbers = list.is_array() && !list.empty() && std::all_of(list.begin(), list.end(), [&](const auto& item) {
                         if (!item.is_number_integer()) return false;
                         const int64_t shift = item.template get<int64_t>();
                         return -slots < shift && shift < slots && seen.insert(shift).second;
                       });
  if (!numbers) {
    fields.Wrong("shifts", absl::StrCat("which is not a list of different whole numbers between -", slots, " and ",
                                        slots, ", both excluded"));
    return {0};
  }
  for (const nlohmann::json& item : list) shifts.push_back(item.get<int>());
  return shifts;
}

AddressingConventions ReadConventions(JsonFields& fields, int64_t slots, absl::Status& status) {
  AddressingConventions conventions;
  conventions.shifts = ReadShifts(fields, slots);
  conventions.order = fields.OneOf("order", kOrders, "reads-first");
  conventions.tanh_keys = fields.OneOf("key_activation", kSquashes, "tanh");
  conventions.tanh_adds = fields.OneOf("add_activation", kSquashes, "tanh");
  if (fields.Has("cosine")) {
    JsonFields cosine = fields.Inner("cosine");
    cosine.Only({"form", "epsilon"});
    conventions.cosine = cosine.OneOf("form", kForms, "added");
    conventions.cosine_epsilon = static_cast<float>(cosine.Number("epsilon", 1e-8, 1e-30, 100));
    Close(cosine, status);
  }
  if (fields.Has("sharpening")) {
    JsonFields sharpening = fields.Inner("sharpening");
    sharpening.Only({"base_epsilon", "sum_epsilon"});
    conventions.base_epsilon = static_cast<float>(sharpening.Number("base_epsilon", 0, 0, 1));
    conventions.sum_epsilon = static_cast<float>(sharpening.Number("sum_epsilon", 0, 0, 1));
    Close(sharpening, status);
  }
  if (fields.Has("clip")) conventions.clip = static_cast<float>(fields.Number("clip", 0, 1e-6, kLargest));
  return conventions;
}

NtmControllerConfig ReadController(JsonFields& fields, absl::Status& status) {
  NtmControllerConfig config;
  if (!fields.Has("controller")) {
    fields.Missing("controller");
    return config;
  }
  JsonFields controller = fields.Inner("controller");
  controller.Only({"type", "width", "layers", "activation", "residual", "input_norm", "output_norm"});
  config.lstm = controller.OneOf("type", kControllers, "");
  config.width = controller.RequiredInt("width", 1, kMaxWidth);
  config.layers = controller.Int("layers", 1, 1, kMaxLayers);
  config.activation = controller.OneOf("activation", kControllerActivations, "relu");
  config.residual = controller.Bool("residual", false);
  config.input_norm = controller.Bool("input_norm", false);
  config.output_norm = controller.Bool("output_norm", false);
  Close(controller, status);
  return config;
}

NtmOutputConfig ReadOutput(JsonFields& fields, absl::Status& status) {
  NtmOutputConfig config;
  if (!fields.Has("output")) {
    fields.Missing("output");
    return config;
  }
  JsonFields output = fields.Inner("output");
  output.Only({"width", "reads", "activation"});
  config.width = output.RequiredInt("width", 1, kMaxWidth);
  config.reads = output.OneOf("reads", kReads, "new");
  config.activation = output.OneOf("activation", kOutputActivations, "none");
  Close(output, status);
  return config;
}

NtmFrameConfig ReadFrame(JsonFields& fields, int64_t input_width, absl::Status& status) {
  NtmFrameConfig config;
  if (!fields.Has("frame")) return config;
  JsonFields frame = fields.Inner("frame");
  frame.Only({"task", "data_width", "max_repeats", "item_rows"});
  config.task = frame.OneOf("task", kFrames, "");
  config.data_width = frame.RequiredInt("data_width", 1, kMaxWidth);
  const int64_t markers = config.task == FrameTask::kRecall ? 2 : 1;
  if (frame.status().ok() && config.data_width + markers != input_width) {
    frame.Wrong("data_width",
                absl::StrCat("which with ", markers, " more for marks is not input_width, ", input_width));
  }
  if (config.task == FrameTask::kRepeatCopy) config.max_repeats = frame.RequiredInt("max_repeats", 1, kMaxWidth);
  if (config.task == FrameTask::kRecall) config.item_rows = frame.RequiredInt("item_rows", 1, kMaxWidth);
  Close(frame, status);
  return config;
}

NtmQuestionsConfig ReadQuestions(JsonFields& fields, absl::Status& status) {
  NtmQuestionsConfig config;
  if (!fields.Has("questions")) {
    fields.Missing("questions");
    return config;
  }
  JsonFields questions = fields.Inner("questions");
  questions.Only({"thinking_steps", "max_words", "max_times", "answer_width", "answers"});
  config.thinking_steps = questions.RequiredInt("thinking_steps", 1, kMaxThinkingSteps);
  config.max_words = questions.RequiredInt("max_words", 1, kMaxWidth);
  config.max_times = questions.RequiredInt("max_times", 1, kMaxSlots);
  config.answer_width = questions.RequiredInt("answer_width", 1, kMaxWidth);
  const nlohmann::json& answers = questions.Value("answers");
  std::set<std::string> seen;
  const bool good = answers.is_array() && !answers.empty() && std::all_of(answers.begin(), answers.end(), [&](auto& a) {
                      return a.is_string() && seen.insert(a.template get<std::string>()).second;
                    });
  if (good) {
    config.answers = answers.get<std::vector<std::string>>();
  } else {
    questions.Wrong("answers", "which is not a list of different strings");
  }
  Close(questions, status);
  return config;
}

}  // namespace

absl::StatusOr<NtmConfig> ParseNtmConfig(JsonFields fields) {
  NtmConfig config;
  config.path = fields.path();
  absl::Status status;
  config.task = fields.OneOf("task", kTasks, "");
  NtmMachineConfig& machine = config.machine;
  machine.input_width = fields.RequiredInt("input_width", 1, kMaxWidth);
  machine.memory.slots = fields.RequiredInt("slots", 1, kMaxSlots);
  machine.memory.width = fields.RequiredInt("slot_width", 1, kMaxWidth);
  if (machine.memory.slots * machine.memory.width > kMaxNumbers) {
    fields.Wrong("slots", absl::StrCat("which with slot_width ", machine.memory.width, " makes a memory of more than ",
                                       kMaxNumbers, " numbers"));
  }
  machine.heads = ReadHeads(fields);
  machine.conventions = ReadConventions(fields, machine.memory.slots, status);
  machine.controller = ReadController(fields, status);
  if (config.task == NtmTask::kSequences) {
    config.output = ReadOutput(fields, status);
    config.frame = ReadFrame(fields, machine.input_width, status);
  } else {
    config.questions = ReadQuestions(fields, status);
  }
  if (!fields.status().ok()) return fields.status();
  if (!status.ok()) return status;
  return config;
}

}  // namespace heed
