// SPDX-License-Identifier: Apache-2.0
// One client that sends requests, one after the other, until it is told to stop.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/status.h"
#include "tests/chaos/ledger.h"

namespace heed::chaos {

// The translator that is asked, reloaded and damaged; the server has others, too.
inline constexpr char kTranslator[] = "translator-en-de";

// What all workers share. Outlives them.
struct World {
  std::string address;
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  Ledger& ledger;
  Faults& faults;
};

// How long an accepted request may take at all: one that ends because of this was not answered.
inline constexpr std::chrono::seconds kLost(90);

// What one kind of request may end with, besides OK.
struct Expected {
  std::set<grpc::StatusCode> codes;  // at any time
  std::optional<Fault> fault;        // UNAVAILABLE while it is there; while the server is away all are
  bool may_be_full = true;           // RESOURCE_EXHAUSTED, with a hint when to try again
  bool may_expire = true;            // some get a deadline of 1 to 50 ms
};

// Of one thread at a time.
class Worker {
 public:
  Worker(World& world, uint64_t seed);
  virtual ~Worker() = default;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // One request, or a few that belong together. May take as long as they do; `stop` ends pauses.
  virtual void Step(const std::stop_token& stop) = 0;
  // On a quiet server: what it has of this worker is what it acknowledged.
  virtual void Verify() {}
  // Removes what the server keeps of this worker.
  virtual void Clear() {}

 protected:
  // Sends a request by `run`, and notes its end; what must not be is a failure of the test. `run` gives the status, and
  // sets `cancelled` if it cancelled the call.
  grpc::Status Call(absl::string_view method, const Expected& expected,
                    absl::FunctionRef<grpc::Status(grpc::ClientContext& context, bool& cancelled)> run);
  grpc::Status Call(absl::string_view method, const Expected& expected,
                    absl::FunctionRef<grpc::Status(grpc::ClientContext& context)> run);

  // The part of Call that judges. Without a deadline of its own, and not cancelled.
  void Judge(absl::string_view method, const Expected& expected, const Faults::Moment& begun,
             const grpc::ClientContext& context, const grpc::Status& status, bool expires = false,
             bool cancelled = false);

  void Check(bool right, absl::FunctionRef<std::string()> what) {
    if (!right) world_.ledger.Fail(what());
  }
  bool Chance(double share) { return std::bernoulli_distribution(share)(random_); }
  int Draw(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_); }
  const std::shared_ptr<grpc::Channel>& AnyChannel() {
    return world_.channels[static_cast<size_t>(Draw(0, static_cast<int>(world_.channels.size()) - 1))];
  }

  World& world_;
  std::mt19937_64 random_;
};

// Nobody knows what became of a change that ended so.
bool IsUncertain(const grpc::Status& status);
// Waits, at most so long.
void Pause(const std::stop_token& stop, std::chrono::milliseconds time);

}  // namespace heed::chaos
