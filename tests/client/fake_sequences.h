// SPDX-License-Identifier: Apache-2.0
// heed.v1.SequenceService without models, for the client's tests: gives the rows back in reverse order, as often as the
// request repeats; a sequence whose first number is 9 is refused.
#pragma once

#include <mutex>
#include <vector>

#include "heed/v1/sequences.grpc.pb.h"

namespace heed::client {

class FakeSequences : public v1::SequenceService::Service {
 public:
  grpc::Status failure = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "values[0] is 9");

  std::vector<v1::RunSequenceRequest> requests;  // that came. Call between requests alone.

  grpc::Status RunSequence(grpc::ServerContext*, const v1::RunSequenceRequest* request,
                           v1::RunSequenceResponse* response) override {
    {
      const std::lock_guard lock(mutex_);
      requests.push_back(*request);
    }
    if (request->values(0) == 9) return failure;
    const int width = static_cast<int>(request->width());
    response->set_width(width);
    response->set_model(request->model());
    for (int repeat = 0; repeat < (request->has_repeat_count() ? request->repeat_count() : 1); ++repeat) {
      for (int row = request->values_size() - width; row >= 0; row -= width) {
        for (int column = 0; column < width; ++column) response->add_values(request->values(row + column));
      }
    }
    return grpc::Status::OK;
  }

 private:
  std::mutex mutex_;
};

}  // namespace heed::client
