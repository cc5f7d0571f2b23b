// SPDX-License-Identifier: Apache-2.0
// Bodies of the Open Inference Protocol's REST requests: JSON, and bytes of tensors behind it. What was read of the
// JSON is written as an answer, and read again.
//
// Input: the length of the JSON, as two bytes (0: it is everything); then the body.
#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "server/oip/rest_answer.h"
#include "server/oip/rest_request.h"
#include "tests/fuzz/fuzz_target.h"

namespace heed {
namespace {

constexpr RestRequestLimits kLimits = {.max_bytes = 4096, .max_tensors = 16, .max_parameters = 32};

// `request`: as it was read. Its inputs come back as an answer's outputs.
void CheckWrittenElements(const inference::ModelInferRequest& request) {
  inference::ModelInferResponse response;
  for (int i = 0; i < request.inputs_size(); ++i) {
    const auto& input = request.inputs(i);
    if (input.parameters().contains("binary_data_size") || input.parameters().contains("shared_memory_region"))
      continue;
    auto& output = *response.add_outputs();
    output.set_name(input.name());
    output.set_datatype(input.datatype());
    *output.mutable_shape() = input.shape();
    response.add_raw_output_contents(request.raw_input_contents(i));
  }
  const absl::StatusOr<RestAnswer> json = WriteRestAnswer(response, {});
  HEED_FUZZ_EXPECT(json.ok() && !json->json_bytes, "elements that came as JSON go as JSON");
  const std::string again = absl::StrCat("{\"inputs\":", nlohmann::json::parse(json->body).at("outputs").dump(), "}");
  const absl::StatusOr<RestRequest> read = ReadRestRequest(again, std::nullopt, kLimits);
  HEED_FUZZ_EXPECT(read.ok(), read.status().ToString().c_str());
  HEED_FUZZ_EXPECT(std::equal(response.raw_output_contents().begin(), response.raw_output_contents().end(),
                              read->message.raw_input_contents().begin(), read->message.raw_input_contents().end()),
                   "elements that were written are read again");
  const absl::StatusOr<RestAnswer> binary = WriteRestAnswer(response, {.binary = true, .each = {}});
  HEED_FUZZ_EXPECT(binary.ok() && binary->json_bytes.has_value() == (response.outputs_size() > 0), "bytes have a form");
}

void Run(absl::string_view input) {
  uint16_t length = 0;
  if (input.size() < sizeof(length)) return;
  std::memcpy(&length, input.data(), sizeof(length));
  input.remove_prefix(sizeof(length));
  const auto json_bytes = length == 0 ? std::nullopt : std::optional<int64_t>(length);
  const absl::StatusOr<RestRequest> request = ReadRestRequest(input, json_bytes, kLimits);
  if (!request.ok()) {
    HEED_FUZZ_EXPECT(request.status().code() == absl::StatusCode::kInvalidArgument ||
                         request.status().code() == absl::StatusCode::kResourceExhausted,
                     request.status().ToString().c_str());
    return;
  }
  const inference::ModelInferRequest& message = request->message;
  HEED_FUZZ_EXPECT(message.inputs_size() == message.raw_input_contents_size(), "every input has elements");
  size_t bytes = 0;
  for (const std::string& raw : message.raw_input_contents()) bytes += raw.size();
  HEED_FUZZ_EXPECT(bytes <= static_cast<size_t>(kLimits.max_bytes), "the elements are within the limit");
  CheckWrittenElements(message);
}

}  // namespace

HEED_FUZZ_TARGET(rest_request, Run, nullptr)

}  // namespace heed
