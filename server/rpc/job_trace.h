// SPDX-License-Identifier: Apache-2.0
// A job's part of the trace of its request.
#pragma once

#include <vector>

#include "server/scheduling/job.h"
#include "server/telemetry/span.h"
#include "server/telemetry/tracer.h"

namespace heed {

// Adds the parts "wait", in the queue, and "steps", from the first step to the end, of a job that has ended. `work`:
// what there is to say of the steps' work.
void AddJobParts(const Job& job, const JobTimes& times, std::vector<SpanAttribute> work, RequestTrace& trace);

// A part of which there is nothing to say but the model; `model`: empty if none is known.
RequestPart PartOf(std::string_view name, TimePoint start, TimePoint end, std::string_view model = {});

}  // namespace heed
