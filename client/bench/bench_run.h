// SPDX-License-Identifier: Apache-2.0
// What the bench commands do alike: the flags of a load, and its rows as a table or as JSON.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/flags/flag_table.h"
#include "client/bench/load_generator.h"
#include "client/cli/command_line.h"
#include "client/cli/console.h"
#include "grpcpp/channel.h"

namespace heed::client {

struct LoadFlags {
  int connections = 1;
  std::string mode = "closed";
  std::vector<int> concurrency;
  std::optional<double> rate;
  std::optional<uint64_t> load_seed;
  double duration_seconds = 10;
  double warmup_seconds = 2;

  void AddTo(FlagTable& flags);
  // An exit code, after a message, if flags do not go together. Otherwise `concurrency` has its default.
  std::optional<int> Check(Console& console);
  bool closed() const { return mode == "closed"; }
};

// A throughput: how much of something the answers held, per second.
struct BenchRate {
  std::string title;      // "nodes/s"
  std::string json_name;  // "nodes_per_second"
  int columns = 9;
  int decimals = 0;
  int64_t (*count)(const LoadReport& report) = nullptr;
};

struct BenchRun {
  std::string model;
  std::string asked;  // what of it, in a few words: "greedy"
  std::string input;  // what is sent: "40 texts"
  std::vector<BenchRate> rates;
  int latency_decimals = 1;
  bool json = false;  // an object for each row, instead of a table
};

// Runs the load of each row, with `send` over `channels`, and prints it. Returns the exit code.
int RunBench(const BenchRun& run, const LoadFlags& flags, const ServerFlags& server,
             const std::vector<std::shared_ptr<grpc::Channel>>& channels, const SendCall& send, Console& console);

}  // namespace heed::client
