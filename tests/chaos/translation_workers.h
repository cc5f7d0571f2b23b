// SPDX-License-Identifier: Apache-2.0
// Streams of translations, read as they should be, too slowly, or not at all; and bursts that no queue has room for.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "grpcpp/channel.h"
#include "heed/v1/translation.grpc.pb.h"
#include "tests/chaos/worker.h"

namespace heed::chaos {

// What each sentence's stream ends with, by its number and the beam size, as bytes.
using StreamAnswers = std::map<std::pair<int, int>, std::string>;
StreamAnswers LearnStreamAnswers(const std::shared_ptr<grpc::Channel>& channel, Ledger& ledger);

// Each sentence comes once, is the one that it is alone, and its parts make it up. Some streams are cancelled.
class StreamWorker : public Worker {
 public:
  // `known`: null: answers are not compared.
  StreamWorker(World& world, uint64_t seed, const StreamAnswers* known) : Worker(world, seed), known_(known) {}
  void Step(const std::stop_token& stop) override;

 private:
  const StreamAnswers* known_;
};

// Reads a long stream a message a second, or one message and then none for longer than the server is patient.
class SlowReader : public Worker {
 public:
  SlowReader(World& world, uint64_t seed);
  void Step(const std::stop_token& stop) override;

 private:
  const std::shared_ptr<grpc::Channel> channel_;  // whose window is small
};

// Many requests in one moment.
class BurstWorker : public Worker {
 public:
  using Worker::Worker;
  void Step(const std::stop_token& stop) override;
};

}  // namespace heed::chaos
