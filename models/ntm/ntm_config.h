// SPDX-License-Identifier: Apache-2.0
// The configuration of a Neural Turing Machine: docs/ntm-config.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json_fields.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/memory_addressing.h"

namespace heed {

enum class NtmTask { kSequences, kQuestions };

struct NtmControllerConfig {
  bool lstm = false;  // otherwise feed-forward
  int64_t width = 0;  // H
  int64_t layers = 1;
  Activation activation = Activation::kRelu;
  bool residual = false;
  bool input_norm = false;
  bool output_norm = false;
};

// The machine itself, whatever it is for.
struct NtmMachineConfig {
  int64_t input_width = 0;
  MemoryShape memory;
  std::vector<HeadKind> heads;
  AddressingConventions conventions;
  NtmControllerConfig controller;
};

enum class OutputReads { kNew, kPrevious, kNone };

struct NtmOutputConfig {
  int64_t width = 0;
  OutputReads reads = OutputReads::kNew;
  Activation activation = Activation::kNone;
};

// How a task of the paper frames its data.
enum class FrameTask { kNone, kCopy, kRepeatCopy, kRecall };

struct NtmFrameConfig {
  FrameTask task = FrameTask::kNone;
  int64_t data_width = 0;
  int64_t max_repeats = 0;  // repeat-copy
  int64_t item_rows = 0;    // recall
};

struct NtmQuestionsConfig {
  int64_t thinking_steps = 1;
  int64_t max_words = 0;
  int64_t max_times = 0;
  int64_t answer_width = 0;
  std::vector<std::string> answers;
};

struct NtmConfig {
  std::string path;  // of the file, for messages
  NtmTask task = NtmTask::kSequences;
  NtmMachineConfig machine;
  NtmOutputConfig output;        // sequences
  NtmFrameConfig frame;          // sequences
  NtmQuestionsConfig questions;  // questions
};

// INVALID_ARGUMENT names the file and the field.
absl::StatusOr<NtmConfig> ParseNtmConfig(JsonFields fields);

}  // namespace heed
