// SPDX-License-Identifier: Apache-2.0
// heed_chaos_load: requests of every kind to a running server, each of which has to end once and right.
//
//   heed_chaos_load --server=HOST:PORT [--seed=N] [--doomed --sent_file=FILE]
//
// Takes commands from standard input, a line each, and answers each with a line of JSON when it is done:
//   learn              asks what is asked under load later, alone, and keeps the answers
//   start, stop        the load; stop waits for what is on its way
//   fault NAME on|off  session_place, graph_files, server: what may be UNAVAILABLE from now on
//   verify             on a quiet server: compares what it keeps with what it acknowledged
//   clear              closes the sessions and deletes the graphs
//   report             what was sent and what came of it
// Ends with the input. --doomed: begins at once, compares nothing, and is killed some time; FILE then begins with the
// number of requests that it had begun.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/lib/channel.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "nlohmann/json.hpp"
#include "tests/chaos/fixed_requests.h"
#include "tests/chaos/graph_worker.h"
#include "tests/chaos/ledger.h"
#include "tests/chaos/session_worker.h"
#include "tests/chaos/translation_workers.h"
#include "tests/chaos/worker.h"

namespace heed::chaos {
namespace {

constexpr int kConnections = 4;
constexpr std::chrono::milliseconds kHealthInterval(100);

class Load {
 public:
  Load(const std::string& address, uint64_t seed, const std::string& sent_file)
      : ledger_(sent_file), world_{address, {}, ledger_, faults_}, seed_(seed) {
    for (int i = 0; i < kConnections; ++i) world_.channels.push_back(client::MakeChannel(address, {}, true));
  }
  ~Load() { Stop(); }

  // Every worker has a seed of its own.
  void Employ(bool doomed) {
    const auto seed = [this] { return seed_ * 1000 + workers_.size(); };
    for (int i = 0; i < (doomed ? 2 : 8); ++i) Add<FixedWorker>(seed(), right_);
    for (int i = 0; i < (doomed ? 4 : 3); ++i) Add<StreamWorker>(seed(), doomed ? nullptr : &streams_);
    for (int i = 0; i < (doomed ? 1 : 2); ++i) Add<SlowReader>(seed());
    for (int i = 0; i < (doomed ? 2 : 4); ++i) Add<SessionWorker>(seed());
    if (doomed) return;
    Add<FixedWorker>(seed(), wrong_);
    Add<BurstWorker>(seed());
    Add<GraphWorker>(seed(), "chaos-precomputed", "gcn-cora", true);
    Add<GraphWorker>(seed(), "chaos", "gat-cora", false);
  }

  void Learn() {
    Connect();
    for (const auto& request : right_) {
      std::string second;
      for (std::string* answer : {&request->answer, &second}) {
        grpc::ClientContext context;
        ledger_.Begin(request->method());
        const grpc::Status status = request->Send(world_.channels[0], context, *answer);
        ledger_.End(request->method(), status.error_code(), std::chrono::nanoseconds(0));
        if (!status.ok()) {
          ledger_.Fail(
              absl::StrCat("alone, ", request->method(), " (", request->name, "): ", client::StatusText(status)));
        }
      }
      if (second != request->answer) {
        ledger_.Fail(absl::StrCat("alone, ", request->method(), " (", request->name, "): answered in two ways"));
      }
    }
    streams_ = LearnStreamAnswers(world_.channels[0], ledger_);
  }

  void Start() {
    if (running()) return;
    Connect();
    stop_ = std::stop_source();
    for (const auto& worker : workers_) {
      threads_.emplace_back([&worker = *worker, stop = stop_.get_token()] {
        while (!stop.stop_requested()) worker.Step(stop);
      });
    }
    threads_.emplace_back([this, stop = stop_.get_token()] { WatchHealth(stop); });
  }
  void Stop() {
    stop_.request_stop();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  bool running() const { return !threads_.empty(); }
  void Verify() {
    for (const auto& worker : workers_) worker->Verify();
  }
  void Clear() {
    for (const auto& worker : workers_) worker->Clear();
  }
  // False: there is no such fault.
  bool SetFault(absl::string_view name, bool there) {
    if (name == "session_place") {
      faults_.Set(Fault::kSessionPlace, there);
    } else if (name == "graph_files") {
      faults_.Set(Fault::kGraphFiles, there);
    } else if (name == "server") {
      // It is there again when every channel has found that out.
      if (!there) Connect();
      faults_.Set(Fault::kServer, there);
    } else {
      return false;
    }
    return true;
  }
  nlohmann::json Report() const { return ledger_.Report(); }

 private:
  template <typename T, typename... Arguments>
  void Add(uint64_t seed, Arguments&&... arguments) {
    workers_.push_back(std::make_unique<T>(world_, seed, std::forward<Arguments>(arguments)...));
  }

  // Connects the channels that are not connected yet. gRPC 1.51 reads errno too late after connect(), so that a first
  // attempt can fail with the error of another call ("No such file or directory"); the next attempt gets through.
  void Connect() {
    const auto patience = std::chrono::system_clock::now() + kLost;
    for (const auto& channel : world_.channels) {
      if (!channel->WaitForConnected(patience)) ledger_.Fail(absl::StrCat("no connection to ", world_.address));
    }
  }

  void WatchHealth(const std::stop_token& stop) {
    const auto channel = client::MakeChannel(world_.address, {}, true);
    const auto stub = grpc::health::v1::Health::NewStub(channel);
    while (!stop.stop_requested()) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + kLost);
      context.set_wait_for_ready(true);  // as balancers do: a connection that is lost is made anew
      const std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
      grpc::health::v1::HealthCheckResponse response;
      const Faults::Moment begun = faults_.Now();
      const auto start = std::chrono::steady_clock::now();
      const grpc::Status status = stub->Check(&context, {}, &response);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      if (stop.stop_requested()) return;
      if (!faults_.Overlaps(Fault::kServer, begun)) {
        ledger_.Count("health checks");
        ledger_.Most("health check, s", took.count());
        if (!status.ok() || response.status() != grpc::health::v1::HealthCheckResponse::SERVING) {
          ledger_.Fail(absl::StrCat("health: ", status.ok() ? "not SERVING" : client::StatusText(status)));
        }
      }
      Pause(stop, kHealthInterval);
    }
  }

  Ledger ledger_;
  Faults faults_;
  World world_;
  const uint64_t seed_;
  const FixedRequests right_ = RightRequests();
  const FixedRequests wrong_ = WrongRequests();
  StreamAnswers streams_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::stop_source stop_;
  std::vector<std::thread> threads_;
};

nlohmann::json CarryOut(Load& load, const std::vector<std::string>& words) {
  const std::string& command = words[0];
  if (words.size() == 3 && command == "fault" && (words[2] == "on" || words[2] == "off")) {
    if (load.SetFault(words[1], words[2] == "on")) return {{"done", command}};
  } else if (words.size() == 1) {
    if (command == "report") return load.Report();
    if (command == "start") {
      load.Start();
      return {{"done", command}};
    }
    if (command == "stop") {
      load.Stop();
      return {{"done", command}};
    }
    if (load.running()) return {{"error", absl::StrCat(command, ": not while the load runs")}};
    if (command == "learn" || command == "verify" || command == "clear") {
      if (command == "learn") load.Learn();
      if (command == "verify") load.Verify();
      if (command == "clear") load.Clear();
      return {{"done", command}};
    }
  }
  return {{"error", absl::StrCat("no such command: ", absl::StrJoin(words, " "))}};
}

int Run(int argc, char** argv) {
  std::string address;
  std::string sent_file;
  uint64_t seed = 1;
  bool doomed = false;
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (absl::ConsumePrefix(&argument, "--server=")) {
      address = std::string(argument);
    } else if (absl::ConsumePrefix(&argument, "--sent_file=")) {
      sent_file = std::string(argument);
    } else if (argument == "--doomed") {
      doomed = true;
    } else if (!absl::ConsumePrefix(&argument, "--seed=") || !absl::SimpleAtoi(argument, &seed)) {
      std::fprintf(stderr, "heed_chaos_load: %s: there is no such flag\n", argv[i]);
      return 2;
    }
  }
  if (address.empty()) {
    std::fprintf(stderr, "heed_chaos_load: --server=HOST:PORT has to be given\n");
    return 2;
  }
  Load load(address, seed, sent_file);
  load.Employ(doomed);
  if (doomed) load.Start();
  for (std::string line; std::getline(std::cin, line);) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (!words.empty()) std::cout << CarryOut(load, words).dump() << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace heed::chaos

int main(int argc, char** argv) { return heed::chaos::Run(argc, argv); }
