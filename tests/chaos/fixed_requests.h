// SPDX-License-Identifier: Apache-2.0
// Requests whose answers never differ, to the bit: alone, in a crowd, after a reload. And requests that are wrong.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/chaos/worker.h"

namespace heed::chaos {

// Thread-safe once its answer is known.
class FixedRequest {
 public:
  virtual ~FixedRequest() = default;
  virtual absl::string_view method() const = 0;
  // `bytes`: of the answer, without what may differ.
  virtual grpc::Status Send(const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext& context,
                            std::string& bytes) const = 0;

  std::string name;                              // for the report
  grpc::StatusCode code = grpc::StatusCode::OK;  // what it always ends with
  std::string answer;                            // if that is OK
};

using FixedRequests = std::vector<std::unique_ptr<FixedRequest>>;

// To every model that ships, by the typed services and by the Open Inference Protocol.
FixedRequests RightRequests();
// With the status that each has to get.
FixedRequests WrongRequests();

class FixedWorker : public Worker {
 public:
  FixedWorker(World& world, uint64_t seed, const FixedRequests& requests) : Worker(world, seed), requests_(requests) {}
  void Step(const std::stop_token& stop) override;

 private:
  const FixedRequests& requests_;
};

}  // namespace heed::chaos
