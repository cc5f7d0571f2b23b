// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/job_trace.h"

#include <cstdint>
#include <string>
#include <utility>

namespace heed {

RequestPart PartOf(std::string_view name, TimePoint start, TimePoint end, std::string_view model) {
  RequestPart part{.name = name, .start = start, .end = end, .attributes = {}, .events = {}};
  part.attributes.reserve(8);
  if (!model.empty()) part.attributes.emplace_back("heed.model", std::string(model));
  return part;
}

void AddJobParts(const Job& job, const JobTimes& times, std::vector<SpanAttribute> work, RequestTrace& trace) {
  const std::string& model = job.model->spec().name;
  const TimePoint done = times.done.value_or(Clock::now());
  RequestPart wait = PartOf("wait", times.submitted, times.started.value_or(done), model);
  wait.attributes.emplace_back("heed.wait_for", std::string("the model's queue"));
  trace.Add(std::move(wait));
  if (!times.started) return;
  RequestPart steps = PartOf("steps", *times.started, done, model);
  steps.attributes.emplace_back("heed.tasks", static_cast<int64_t>(job.tasks.size()));
  steps.attributes.emplace_back("heed.steps", times.steps);
  if (times.steps > 0) {
    const double rows = static_cast<double>(times.step_rows) / static_cast<double>(times.steps);
    steps.attributes.emplace_back("heed.mean_batch_rows", rows);
  }
  for (SpanAttribute& attribute : work) steps.attributes.push_back(std::move(attribute));
  if (times.first_output) steps.events.push_back({"first output", *times.first_output});
  trace.Add(std::move(steps));
}

}  // namespace heed
