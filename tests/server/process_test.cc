// SPDX-License-Identifier: Apache-2.0
// The real program with tiny real models: what it says, how it ends.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "heed/v1/graphs.grpc.pb.h"
#include "heed/v1/models.grpc.pb.h"
#include "heed/v1/translation.grpc.pb.h"
#include "nlohmann/json.hpp"
#include "server/options/flags.h"
#include "tests/support/tcp_connection.h"
#include "tests/support/temporary_directory.h"

extern char** environ;

namespace heed {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A running heed-server; what it writes to standard output and standard error can be read.
class Process {
 public:
  // `prefix`: words before the program.
  explicit Process(const std::vector<std::string>& flags, std::vector<std::string> prefix = {}) {
    std::vector<std::string> words = std::move(prefix);
    words.push_back(absl::StrCat(HEED_BINARY_DIR, "/bin/heed-server"));
    words.insert(words.end(), flags.begin(), flags.end());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    EXPECT_EQ(posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ), 0) << arguments[0];
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    output_ = fdopen(ends[0], "r");
  }
  ~Process() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      Wait();
    }
    fclose(output_);
  }

  // Reads until a line holds `text`; what stands behind it in that line. Empty at the end of the output.
  std::string ReadUntil(const std::string& text) {
    char line[4096];
    while (fgets(line, sizeof(line), output_) != nullptr) {
      read_ += line;
      const std::string all = line;
      const size_t place = all.find(text);
      if (place != std::string::npos)
        return all.substr(place + text.size(), all.find_last_not_of('\n') + 1 - place - text.size());
    }
    return "";
  }
  // All of the output, once it has ended.
  std::string Output() {
    ReadUntil("\n\n never written");
    return read_;
  }
  void Signal(int number) { kill(pid_, number); }
  // The exit code; minus the signal that ended it.
  int Wait() {
    int status = 0;
    waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = 0;
  FILE* output_ = nullptr;
  std::string read_;
};

const std::string kFixtures = absl::StrCat(HEED_SOURCE_DIR, "/tests/fixtures");

std::vector<std::string> Flags(const std::string& listen = "127.0.0.1:0") {
  return {absl::StrCat("--models=", kFixtures), absl::StrCat("--listen=", listen), "--metrics_listen="};
}

TEST(ProcessTest, ServesRealModelsAndExitsWithZeroOnSigterm) {
  Process server(Flags());
  const std::string address = server.ReadUntil("listening address=");
  ASSERT_NE(address, "");
  EXPECT_THAT(server.ReadUntil("ready models="), HasSubstr("unavailable=0"));
  auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  v1::ListModelsResponse models;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(v1::ModelService::NewStub(channel)->ListModels(&context, {}, &models).ok());
  }
  ASSERT_GT(models.models_size(), 0);
  auto translation = v1::TranslationService::NewStub(channel);
  for (const v1::ModelInfo& model : models.models()) {
    EXPECT_EQ(model.state(), v1::MODEL_STATE_READY) << model.reason();
    if (model.kind() != v1::MODEL_KIND_TRANSLATOR) continue;
    grpc::ClientContext context;
    v1::TranslateRequest request;
    v1::TranslateResponse response;
    request.set_model(model.name());
    request.add_texts("a dog runs.");
    const grpc::Status status = translation->Translate(&context, request, &response);
    ASSERT_TRUE(status.ok()) << model.name() << ": " << status.error_message();
    EXPECT_EQ(response.translations_size(), 1);
    EXPECT_GT(response.translations(0).source_token_count(), 1);
  }
  server.Signal(SIGTERM);
  EXPECT_NE(server.ReadUntil("stopped cut_off=0"), "");
  EXPECT_EQ(server.Wait(), 0);
}

// One directory under two names, and one of a model that has only f32; by name, as they are loaded. The kernels are
// those that every machine has.
TEST(ProcessTest, LogTellsPrecisionKernelAndWhatTheWeightsLost) {
  const TemporaryDirectory models;
  for (const auto& [name, fixture] :
       {std::pair("a-exact", "marian-relu"), {"b-graph", "pyg-gat"}, {"c", "marian-relu"}}) {
    std::filesystem::create_directory_symlink(absl::StrCat(kFixtures, "/", fixture), models.path() / name);
  }
  Process server({absl::StrCat("--models=", models.path().string()), "--listen=127.0.0.1:0",
                  "--metrics_listen=", "--precision=int8", "--model_precision=a-exact=f32"},
                 {"/usr/bin/env", "HEED_INSTRUCTION_SET=portable"});
  EXPECT_THAT(server.ReadUntil("info model name=a-exact version=1 state=ready"),
              HasSubstr("precision=f32 kernel=portable"));
  EXPECT_EQ(server.ReadUntil("warning model name=b-graph version=1 warning="),
            "\"int8 was asked for; a graph network is computed in f32\"");
  EXPECT_THAT(server.ReadUntil("info model name=b-graph version=1 state=ready"),
              HasSubstr("precision=f32 kernel=portable"));
  EXPECT_THAT(server.ReadUntil("info model name=c version=1 state=ready"), HasSubstr("precision=int8 kernel=portable"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(server.ReadUntil("info quantization name=c version=1 weight=model."), HasSubstr("relative_error=0.0"));
  }
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
  EXPECT_THAT(server.Output(), Not(HasSubstr("quantization name=a-exact")));
}

TEST(ProcessTest, SigtermUnderLoadLosesNothing) {
  auto flags = Flags();
  flags.push_back("--drain_timeout_s=100000");  // however slow this machine
  Process server(flags);
  const std::string address = server.ReadUntil("listening address=");
  ASSERT_NE(server.ReadUntil("ready models="), "");
  auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  auto translation = v1::TranslationService::NewStub(channel);
  constexpr int kThreads = 8;
  std::vector<std::thread> threads;
  std::vector<int> answered(kThreads);
  std::vector<grpc::Status> last(kThreads);
  std::atomic<int> first_answers{0};
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      v1::TranslateRequest request;
      request.set_model("marian-swish");
      for (int k = 0; k < 20; ++k) request.add_texts("a dog runs.");
      while (true) {
        grpc::ClientContext context;
        v1::TranslateResponse response;
        last[i] = translation->Translate(&context, request, &response);
        if (!last[i].ok()) return;
        EXPECT_EQ(response.translations_size(), 20);
        if (++answered[i] == 1) ++first_answers;
      }
    });
  }
  while (first_answers < kThreads) std::this_thread::yield();
  server.Signal(SIGTERM);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server.Wait(), 0);
  // Each was answered until it was refused: none was accepted and then lost.
  for (const grpc::Status& status : last) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
  }
  EXPECT_THAT(server.Output(), HasSubstr("stopped cut_off=0"));
}

// Reads a watch of the server's health until that is no longer SERVING.
void AwaitEndOfServing(grpc::ClientReader<grpc::health::v1::HealthCheckResponse>& watch) {
  grpc::health::v1::HealthCheckResponse state;
  do {
    ASSERT_TRUE(watch.Read(&state)) << "the watch ended first";
  } while (state.status() == grpc::health::v1::HealthCheckResponse::SERVING);
  EXPECT_EQ(state.status(), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
}

grpc::Status TranslateOnce(v1::TranslationService::Stub& translation) {
  grpc::ClientContext context;
  v1::TranslateRequest request;
  v1::TranslateResponse response;
  request.set_model("marian-swish");
  request.add_texts("a dog runs.");
  return translation.Translate(&context, request, &response);
}

// The member of the JSON object that the line is, written back as JSON.
std::string Member(const std::string& line, const char* name) {
  const auto object = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  return object.is_object() && object.contains(name) ? object[name].dump() : "";
}

TEST(ProcessTest, SlowRequestsAreLoggedWithTheNamesThatTheirCallersGaveThem) {
  std::vector<std::string> flags = Flags();
  flags.push_back("--slow_request_ms=0.001");
  flags.push_back("--log_format=json");
  Process server(flags);
  const std::string address = Member("{" + server.ReadUntil("\"event\":\"listening\","), "address");
  ASSERT_NE(server.ReadUntil("\"event\":\"ready\""), "");
  auto translation = v1::TranslationService::NewStub(
      grpc::CreateChannel(address.substr(1, address.size() - 2), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", "order-66");
  context.AddMetadata("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  v1::TranslateRequest request;
  v1::TranslateResponse response;
  request.set_model("marian-swish");
  request.add_texts("a dog runs.");
  request.add_texts("a cat.");
  ASSERT_TRUE(translation->Translate(&context, request, &response).ok());
  const std::string line = "{" + server.ReadUntil("\"event\":\"slow_request\",");
  EXPECT_EQ(Member(line, "method"), "\"heed.v1.TranslationService/Translate\"");
  EXPECT_EQ(Member(line, "model"), "\"marian-swish\"");
  EXPECT_EQ(Member(line, "code"), "\"OK\"");
  EXPECT_EQ(Member(line, "tasks"), "2");
  EXPECT_EQ(Member(line, "request_id"), "\"order-66\"");
  EXPECT_EQ(Member(line, "trace_id"), "\"4bf92f3577b34da6a3ce929d0e0e4736\"");
  EXPECT_EQ(Member(line, "parent_id"), "\"00f067aa0ba902b7\"");
  const double queue = std::stod(Member(line, "queue_seconds")), work = std::stod(Member(line, "work_seconds"));
  EXPECT_GT(work, 0);
  EXPECT_GE(std::stod(Member(line, "seconds")), 0.999 * (queue + work));
  EXPECT_THAT(line, Not(HasSubstr("dog"))) << "texts are nobody's business";

  request.set_model("none");
  grpc::ClientContext another;
  EXPECT_FALSE(translation->Translate(&another, request, &response).ok());
  const std::string failed = "{" + server.ReadUntil("\"event\":\"slow_request\",");
  EXPECT_EQ(Member(failed, "code"), "\"NOT_FOUND\"");
  EXPECT_THAT(Member(failed, "message"), HasSubstr("none"));
  EXPECT_EQ(Member(failed, "request_id"), "");
}

TEST(ProcessTest, LameDuckServesWhileItsHealthIsNotServingAndASecondSigtermEndsIt) {
  std::vector<std::string> flags = Flags();
  flags.push_back("--lame_duck_s=100000");
  Process server(flags);
  const std::string address = server.ReadUntil("listening address=");
  ASSERT_NE(server.ReadUntil("ready models="), "");
  auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  auto translation = v1::TranslationService::NewStub(channel);
  auto health = grpc::health::v1::Health::NewStub(channel);
  grpc::ClientContext context;
  const auto watch = health->Watch(&context, {});
  server.Signal(SIGTERM);
  AwaitEndOfServing(*watch);
  for (int i = 0; i < 20; ++i) {
    const grpc::Status status = TranslateOnce(*translation);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  const auto late = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  EXPECT_TRUE(TranslateOnce(*v1::TranslationService::NewStub(late)).ok()) << "whoever comes now is served, too";
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), -SIGTERM);
  EXPECT_FALSE(watch->Finish().ok());
}

TEST(ProcessTest, ASecondSigtermEndsTheDrain) {
  std::vector<std::string> flags = Flags();
  flags.push_back("--drain_timeout_s=100000");
  Process server(flags);
  const std::string address = server.ReadUntil("listening address=");
  ASSERT_NE(server.ReadUntil("ready models="), "");
  auto translation = v1::TranslationService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  v1::TranslateStreamRequest
      request;  // of more answers than gRPC's windows take: it does not end while nobody reads them
  request.set_model("marian-swish");
  for (int i = 0; i < 100'000; ++i) request.add_texts("a dog runs.");
  grpc::ClientContext context;
  const auto reader = translation->TranslateStream(&context, request);
  v1::TranslateStreamResponse event;
  ASSERT_TRUE(reader->Read(&event));
  server.Signal(SIGTERM);
  ASSERT_NE(server.ReadUntil("draining limit_s="), "");
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), -SIGTERM);
  while (reader->Read(&event)) {
  }
  EXPECT_FALSE(reader->Finish().ok());
}

TEST(ProcessTest, AfterTheLameDuckComesTheShutdown) {
  std::vector<std::string> flags = Flags();
  flags.push_back("--lame_duck_s=0.3");
  Process server(flags);
  const std::string address = server.ReadUntil("listening address=");
  ASSERT_NE(server.ReadUntil("ready models="), "");
  auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  auto translation = v1::TranslationService::NewStub(channel);
  grpc::ClientContext context;
  const auto watch = grpc::health::v1::Health::NewStub(channel)->Watch(&context, {});
  server.Signal(SIGTERM);
  AwaitEndOfServing(*watch);
  grpc::Status last;
  do {
    last = TranslateOnce(*translation);
  } while (last.ok());
  EXPECT_EQ(last.error_code(), grpc::StatusCode::UNAVAILABLE) << last.error_message();
  EXPECT_EQ(server.Wait(), 0);
  EXPECT_THAT(server.Output(), AllOf(HasSubstr("lame_duck"), HasSubstr("stopped cut_off=0")));
}

// One client puts and updates a graph while the server is killed; the next server goes on with what is in the file.
TEST(ProcessTest, StoredGraphSurvivesBeingKilledAtAnyMoment) {
  constexpr int kKills = 8;
  constexpr int kFirstNodes = 500;
  constexpr int kUpdatesOfAPut = 5;  // then it is put anew
  const TemporaryDirectory root;
  std::filesystem::create_directory(root.path() / "models");
  int64_t saved = 0;     // the latest version that an answer called saved
  int64_t accepted = 0;  // the latest version that was answered
  for (int round = 0; round < kKills; ++round) {
    Process server({absl::StrCat("--models=", root.File("models")), absl::StrCat("--graphs=", root.File("graphs")),
                    "--listen=127.0.0.1:0", "--metrics_listen=", "--graph_save_interval_s=0", "--management"});
    const std::string address = server.ReadUntil("listening address=");
    ASSERT_NE(server.ReadUntil("ready models="), "");
    auto graphs = v1::GraphService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
    v1::GraphInfo info;
    if (round > 0) {
      grpc::ClientContext context;
      v1::GetGraphRequest request;
      v1::GetGraphResponse response;
      request.set_name("g");
      const grpc::Status status = graphs->GetGraph(&context, request, &response);
      ASSERT_TRUE(status.ok()) << "after kill " << round << ": " << status.error_message();
      info = response.graph();
      EXPECT_GE(info.version(), saved);
      EXPECT_LE(info.version(), accepted + 1) << "a change that was not answered may be there";
      EXPECT_EQ(info.version(), info.saved_version());
      EXPECT_EQ(info.node_count(), kFirstNodes + (info.version() - 1) % (kUpdatesOfAPut + 1));
    }
    // Version 1 is a put, then come the updates, each of which adds a node, then the next put.
    std::atomic<int> begun{0}, answers{0};
    std::atomic<bool> killed{false}, ended{false};
    grpc::Status last;
    std::thread client([&] {
      for (int64_t next = info.version() + 1;; ++next) {
        grpc::ClientContext context;
        grpc::Status status;
        ++begun;
        const int64_t node = (next - 1) % (kUpdatesOfAPut + 1);
        if (node == 0) {
          v1::PutGraphRequest message;
          message.set_name("g");
          message.mutable_part()->mutable_features()->set_width(4);
          for (int i = 0; i < 4 * kFirstNodes; ++i) message.mutable_part()->mutable_features()->add_values(1);
          v1::PutGraphResponse response;
          auto writer = graphs->PutGraph(&context, &response);
          writer->Write(message);
          writer->WritesDone();
          status = writer->Finish();
          if (status.ok()) info = response.graph();
        } else {
          v1::UpdateGraphRequest request;
          request.set_name("g");
          request.mutable_update()->add_add_nodes(kFirstNodes + node);
          request.mutable_update()->mutable_add_features()->set_width(4);
          for (int i = 0; i < 4; ++i) request.mutable_update()->mutable_add_features()->add_values(2);
          v1::UpdateGraphResponse response;
          status = graphs->UpdateGraph(&context, request, &response);
          if (status.ok()) info = response.graph();
        }
        if (!status.ok()) {
          EXPECT_TRUE(killed) << "change " << next << " of round " << round << ": " << status.error_message();
          last = status;
          ended = true;
          return;
        }
        EXPECT_EQ(info.version(), next);
        accepted = next;
        saved = info.saved_version();
        ++answers;
      }
    });
    // Every second time right after an answer; otherwise some time after a change has been sent.
    const int changes = 3 + 7 * round;
    while (!ended && (round % 2 == 0 ? answers : begun) < changes) std::this_thread::yield();
    const auto moment = std::chrono::steady_clock::now() + std::chrono::microseconds(round % 2 * 150 * round);
    while (!ended && std::chrono::steady_clock::now() < moment) std::this_thread::yield();
    killed = true;
    server.Signal(SIGKILL);
    client.join();
    EXPECT_EQ(server.Wait(), -SIGKILL);
    if (HasFailure()) return;
    EXPECT_EQ(last.error_code(), grpc::StatusCode::UNAVAILABLE) << last.error_message();
  }
}

std::string ReadinessOf(const std::string& metrics_address) {
  TcpConnection connection(std::stoi(metrics_address.substr(metrics_address.rfind(':') + 1)));
  connection.Write("GET /readyz HTTP/1.0\r\n\r\n");
  return connection.Read();
}

// Idle connections, more than the process has descriptors. `limit` is ulimit's argument.
void SurviveIdleConnections(const std::string& limit, bool fits) {
  std::vector<std::string> flags = Flags();
  flags.back() = "--metrics_listen=127.0.0.1:0";
  Process server(flags, {"/bin/sh", "-c", absl::StrCat("ulimit ", limit, " && exec \"$@\""), "sh"});
  const std::string metrics = server.ReadUntil("metrics address=");
  const std::string address = server.ReadUntil("listening address=");
  ASSERT_NE(server.ReadUntil("ready models="), "");
  ASSERT_THAT(ReadinessOf(metrics), HasSubstr(" 200 OK"));
  {
    std::vector<std::unique_ptr<TcpConnection>> idle;
    const int port = std::stoi(address.substr(address.rfind(':') + 1));
    for (int i = 0; i < 320; ++i) idle.push_back(std::make_unique<TcpConnection>(port));
    if (!fits) {
      ASSERT_NE(server.ReadUntil("not_ready"), "");
      EXPECT_THAT(ReadinessOf(metrics), AllOf(HasSubstr(" 503 "), HasSubstr("(--max_connections) are taken")));
    }
  }
  auto translation = v1::TranslationService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::Status status;
  do {
    status = TranslateOnce(*translation);
  } while (status.error_code() == grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(status.ok()) << status.error_message();
  while (ReadinessOf(metrics).find(" 200 OK") == std::string::npos) std::this_thread::yield();
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
}

TEST(ProcessTest, TheSoftLimitOfDescriptorsIsRaised) { SurviveIdleConnections("-Sn 300", /*fits=*/true); }

TEST(ProcessTest, MoreConnectionsThanDescriptorsDoNotMakeItDeaf) { SurviveIdleConnections("-n 300", /*fits=*/false); }

TEST(ProcessTest, WrongAddressesAreClearErrors) {
  Process port({"--listen=127.0.0.1:99999"});
  EXPECT_EQ(port.Wait(), 2);
  EXPECT_THAT(port.Output(), HasSubstr("--listen=127.0.0.1:99999: the port must be a whole number from 0 to 65535"));
  Process metrics({"--metrics_listen=8002"});
  EXPECT_EQ(metrics.Wait(), 2);
  EXPECT_THAT(metrics.Output(), HasSubstr("--metrics_listen=8002: names no port"));
  Process host(Flags("no-such-host.invalid:1"));
  EXPECT_EQ(host.Wait(), 1);
  EXPECT_THAT(host.Output(), HasSubstr("cannot listen on no-such-host.invalid:1 (--listen): host "));
}

TEST(ProcessTest, TakenPortIsAClearErrorAndExitCodeOne) {
  Process first(Flags());
  const std::string address = first.ReadUntil("listening address=");
  Process second(Flags(address));
  EXPECT_EQ(second.Wait(), 1);
  EXPECT_THAT(second.Output(), HasSubstr(absl::StrCat("cannot listen on ", address)));
}

TEST(ProcessTest, MissingModelsDirectoryIsAClearErrorAndExitCodeOne) {
  Process server({"--models=/nowhere/at/all"});
  EXPECT_EQ(server.Wait(), 1);
  EXPECT_THAT(server.Output(), HasSubstr("--models=/nowhere/at/all: no such directory"));
}

TEST(ProcessTest, WrongFlagIsAClearErrorAndExitCodeTwo) {
  Process server({"--port=1"});
  EXPECT_EQ(server.Wait(), 2);
  EXPECT_THAT(server.Output(), HasSubstr("unknown flag --port"));
}

TEST(ProcessTest, HelpIsTheTableOfFlags) {
  Process server({"--help"});
  EXPECT_EQ(server.Wait(), 0);
  EXPECT_EQ(server.Output(), HelpText());
}

}  // namespace
}  // namespace heed
