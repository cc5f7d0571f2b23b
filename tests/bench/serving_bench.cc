// SPDX-License-Identifier: Apache-2.0
// What the server adds to gRPC: a model that gives back what it gets, through registry, tensors and scheduler, and
// ServerLive, against services that do nothing but answer; and what its metrics add to it: the same model in a server
// that records none. All in one process, over loopback, built with the same flags.
//
//   serving_bench [SECONDS [ROUNDS]]
//
// Rivals take turns for SECONDS each (default 2) in each of ROUNDS rounds (default 5). Prints, for each, the median of
// its p50 at one request in flight and of its throughput at 64, the shares of the bare service's throughput, and of the
// server's without metrics.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/bench/load_generator.h"
#include "client/lib/channel.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "inference.grpc.pb.h"
#include "models/kinds/sequence_model.h"
#include "server/server.h"
#include "server/telemetry/log.h"
#include "tests/bench/measure.h"
#include "tests/support/temporary_directory.h"

namespace heed::client {

template <>
struct UnaryCall<inference::ModelInferRequest> {
  using Response = inference::ModelInferResponse;
  using Stub = inference::GRPCInferenceService::Stub;
  static constexpr auto kAsyncCall = &Stub::AsyncModelInfer;
};

template <>
struct UnaryCall<inference::ServerLiveRequest> {
  using Response = inference::ServerLiveResponse;
  using Stub = inference::GRPCInferenceService::Stub;
  static constexpr auto kAsyncCall = &Stub::AsyncServerLive;
};

}  // namespace heed::client

namespace heed::bench {
namespace {

// Gives its input back, in one step.
class Identity : public SequenceModel {
 public:
  Identity() {
    spec_.name = "identity";
    spec_.architecture = "identity";
  }
  const ModelSpec& spec() const override { return spec_; }
  int64_t input_width() const override { return 4; }
  int64_t output_width() const override { return 4; }
  int64_t data_width() const override { return 0; }
  absl::StatusOr<std::unique_ptr<SequenceTask>> Start(SequenceRequest request) const override {
    return std::make_unique<Echo>(std::move(request));
  }
  void Step(absl::Span<Task* const> tasks, Context&) const override {
    for (Task* task : tasks) static_cast<Echo*>(task)->End();
  }

 private:
  class Echo : public SequenceTask {
   public:
    explicit Echo(SequenceRequest request) {
      result_.width = request.width;
      result_.values = std::move(request.values);
    }
    int64_t next_rows() const override { return 1; }
    int64_t peak_bytes() const override { return 64; }
    bool has_output() const override { return finished(); }
    const SequenceResult& result() const override { return result_; }
    void End() { Finish(); }

   private:
    SequenceResult result_;
  };

  ModelSpec spec_;
};

// The bare service: answers on gRPC's thread with what came.
class BareService : public inference::GRPCInferenceService::CallbackService {
 public:
  grpc::ServerUnaryReactor* ServerLive(grpc::CallbackServerContext* context, const inference::ServerLiveRequest*,
                                       inference::ServerLiveResponse* response) override {
    response->set_live(true);
    return Finish(*context);
  }
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) override {
    response->set_model_name(request->model_name());
    response->set_model_version("1");
    auto& output = *response->add_outputs();
    output.set_name("output");
    output.set_datatype(request->inputs(0).datatype());
    *output.mutable_shape() = request->inputs(0).shape();
    *response->add_raw_output_contents() = request->raw_input_contents(0);
    return Finish(*context);
  }

 private:
  static grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext& context) {
    grpc::ServerUnaryReactor* reactor = context.DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

inference::ModelInferRequest MakeRequest() {
  inference::ModelInferRequest request;
  request.set_model_name("identity");
  auto& input = *request.add_inputs();
  input.set_name("input");
  input.set_datatype("FP32");
  input.add_shape(1);
  input.add_shape(4);
  request.add_raw_input_contents(std::string(16, '\0'));
  return request;
}

template <typename Request>
client::SendCall Send(const std::vector<std::shared_ptr<grpc::Channel>>& channels, const Request& request) {
  return client::SendUnaryCalls<Request>(
      channels, [request](size_t) { return request; },
      [](const typename client::UnaryCall<Request>::Response&) { return client::AnswerCounts(); });
}

struct Rival {
  const char* name;
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  client::SendCall send;
  std::vector<double> p50_us, per_second;
};

client::LoadReport RunLoad(const Rival& rival, double seconds, int in_flight) {
  client::LoadOptions options;
  options.channels = rival.channels;
  options.send = rival.send;
  options.duration = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
  options.warmup = options.duration / 10;
  return client::RunClosedLoop(options, in_flight);
}

void Measure(Rival& rival, double seconds) {
  const client::LoadReport one = RunLoad(rival, seconds, 1);
  const client::LoadReport many = RunLoad(rival, seconds, 64);
  if (one.errors + many.errors > 0)
    std::printf("%s: %ld errors\n", rival.name, static_cast<long>(one.errors + many.errors));
  rival.p50_us.push_back(1000 * client::Percentile(one.latencies_ms, 50));
  rival.per_second.push_back(static_cast<double>(many.requests) / many.seconds);
}

int Run(double seconds, int rounds) {
  StartLog(LogLevel::kWarn, LogFormat::kLogfmt);
  TemporaryDirectory models;
  std::filesystem::create_directories(models.path() / "identity");
  models.Write("identity/config.json", "{}");
  ServerOptions options;
  options.models = models.path().string();
  options.listen = "127.0.0.1:0";
  options.metrics_listen = "";
  std::unique_ptr<Server> server, without_metrics;
  for (const bool record : {true, false}) {
    options.record_metrics = record;
    auto started = Server::Start(
        options, [](const std::string&, const std::string&, Precision) { return std::make_shared<Identity>(); });
    if (!started.ok()) {
      std::fprintf(stderr, "serving_bench: %s\n", std::string(started.status().message()).c_str());
      return 1;
    }
    (*started)->WaitUntilLoaded();
    (record ? server : without_metrics) = *std::move(started);
  }

  BareService bare;
  int bare_port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &bare_port);
  builder.RegisterService(&bare);
  const std::unique_ptr<grpc::Server> bare_server = builder.BuildAndStart();

  const auto channels_to = [](int port) {
    std::vector<std::shared_ptr<grpc::Channel>> channels;
    for (int i = 0; i < 2; ++i) channels.push_back(client::MakeChannel(absl::StrCat("127.0.0.1:", port), {}, true));
    return channels;
  };
  const auto heed_channels = channels_to(server->port());
  const auto without_metrics_channels = channels_to(without_metrics->port());
  const auto bare_channels = channels_to(bare_port);
  const inference::ModelInferRequest infer = MakeRequest();
  const inference::ServerLiveRequest live;
  std::vector<Rival> rivals = {
      {"bare ServerLive", bare_channels, Send(bare_channels, live), {}, {}},
      {"Heed ServerLive", heed_channels, Send(heed_channels, live), {}, {}},
      {"bare ModelInfer", bare_channels, Send(bare_channels, infer), {}, {}},
      {"Heed ModelInfer", heed_channels, Send(heed_channels, infer), {}, {}},
      {"without metrics", without_metrics_channels, Send(without_metrics_channels, infer), {}, {}}};
  std::vector<double> live_shares, infer_shares, metrics_shares;
  for (int round = 0; round < rounds; ++round) {
    for (Rival& rival : rivals) Measure(rival, seconds);
    live_shares.push_back(rivals[1].per_second.back() / rivals[0].per_second.back());
    infer_shares.push_back(rivals[3].per_second.back() / rivals[2].per_second.back());
    // A small difference: four short turns, so that what drifts in the machine weighs on both alike.
    double requests[2] = {0, 0};
    for (const int without : {0, 1, 1, 0}) {
      requests[without] += static_cast<double>(RunLoad(rivals[3 + without], seconds / 2, 64).requests);
    }
    metrics_shares.push_back(requests[0] / requests[1]);
  }
  std::printf("%-16s  %10s  %14s\n", "", "p50 us, 1", "requests/s, 64");
  for (const Rival& rival : rivals) {
    std::printf("%-16s  %10.1f  %14.0f\n", rival.name, Median(rival.p50_us), Median(rival.per_second));
  }
  std::printf("ServerLive: %+.1f us, %.1f %% of the bare service's throughput (median of rounds)\n",
              Median(rivals[1].p50_us) - Median(rivals[0].p50_us), 100 * Median(live_shares));
  std::printf("identity model: %+.1f us, %.1f %%\n", Median(rivals[3].p50_us) - Median(rivals[2].p50_us),
              100 * Median(infer_shares));
  std::printf("metrics: %+.1f us, %.1f %% of the throughput without them (rounds:",
              Median(rivals[3].p50_us) - Median(rivals[4].p50_us), 100 * Median(metrics_shares));
  for (const double share : metrics_shares) std::printf(" %.1f", 100 * share);
  std::printf(")\n");
  server->Shutdown();
  without_metrics->Shutdown();
  return 0;
}

}  // namespace
}  // namespace heed::bench

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 2;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  if (argc > 3 || seconds <= 0 || rounds < 1) {
    std::fprintf(stderr, "usage: serving_bench [SECONDS [ROUNDS]]\n");
    return 2;
  }
  return heed::bench::Run(seconds, rounds);
}
