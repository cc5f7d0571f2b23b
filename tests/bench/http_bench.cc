// SPDX-License-Identifier: Apache-2.0
// What REST costs beside gRPC, and what slow HTTP connections cost the others: one server in this process, over
// loopback, whose translator does next to nothing.
//
//   http_bench [SECONDS [ROUNDS [SLOW]]]
//
// gRPC and REST take turns with the same request for SECONDS each (default 2) in each of ROUNDS rounds (default 5).
// Prints the median of p50 and p99 at one request in flight, of the throughput at 64, and of the CPU time that this
// process takes for each request then, client and server together: what a busy machine does not change. Then the same
// with SLOW (default 1000) other HTTP connections, each of which sends a byte of a request every 0.1 s.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/bench/load_generator.h"
#include "client/lib/channel.h"
#include "heed/v1/translation.grpc.pb.h"
#include "server/server.h"
#include "server/telemetry/log.h"
#include "tests/bench/measure.h"
#include "tests/support/fake_translator.h"
#include "tests/support/temporary_directory.h"

namespace heed::bench {
namespace {

constexpr char kText[] = "snow";

int Connect(int port) {
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    std::perror("http_bench: connect");
    std::exit(1);
  }
  const int on = 1;
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return connection;
}

std::string RestRequest() {
  const std::string body = absl::StrCat("{\"texts\":[\"", kText, "\"]}");
  return absl::StrCat("POST /heed.v1.TranslationService/Translate HTTP/1.1\r\nHost: a\r\n",
                      "Content-Type: application/json\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
}

struct Load {
  double p50_us = 0, p99_us = 0, per_second = 0;
  int64_t errors = 0;
};

Load LoadOf(std::vector<double> latencies_ms, int64_t errors, double seconds) {
  std::sort(latencies_ms.begin(), latencies_ms.end());
  return {1000 * client::Percentile(latencies_ms, 50), 1000 * client::Percentile(latencies_ms, 99),
          static_cast<double>(latencies_ms.size()) / seconds, errors};
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// A closed loop on kept connections, of one thread.
Load RunRest(int port, double seconds, int in_flight) {
  struct Client {
    int connection = 0;
    std::string answer;
    double sent = 0;
  };
  const std::string request = RestRequest();
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<Client> clients(static_cast<size_t>(in_flight));
  const auto send_next = [&](Client& one) {
    one.answer.clear();
    one.sent = SecondsNow();
    if (send(one.connection, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
      std::exit(1);
    }
  };
  for (Client& one : clients) {
    one.connection = Connect(port);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &one;
    epoll_ctl(epoll, EPOLL_CTL_ADD, one.connection, &event);
    send_next(one);
  }
  std::vector<double> latencies_ms;
  int64_t errors = 0;
  const double begin = SecondsNow() + seconds / 10;
  const double end = begin + seconds;
  std::vector<epoll_event> events(64);
  for (double now = 0; now < end;) {
    const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 100);
    now = SecondsNow();
    for (int i = 0; i < count; ++i) {
      auto& one = *static_cast<Client*>(events[static_cast<size_t>(i)].data.ptr);
      char bytes[4096];
      const ssize_t n = read(one.connection, bytes, sizeof(bytes));
      if (n <= 0) std::exit(1);
      one.answer.append(bytes, static_cast<size_t>(n));
      const size_t body = one.answer.find("\r\n\r\n");
      const size_t length = one.answer.find("Content-Length: ");
      if (body == std::string::npos || length == std::string::npos) continue;
      if (one.answer.size() < body + 4 + std::strtoul(one.answer.c_str() + length + 16, nullptr, 10)) continue;
      if (now >= begin && now < end) {
        latencies_ms.push_back(1000 * (now - one.sent));
        errors += absl::StartsWith(one.answer, "HTTP/1.1 200") ? 0 : 1;
      }
      send_next(one);
    }
  }
  for (const Client& one : clients) close(one.connection);
  close(epoll);
  return LoadOf(std::move(latencies_ms), errors, seconds);
}

Load RunGrpc(const std::vector<std::shared_ptr<grpc::Channel>>& channels, double seconds, int in_flight) {
  v1::TranslateRequest request;
  request.add_texts(kText);
  client::LoadOptions options;
  options.channels = channels;
  options.send = client::SendUnaryCalls<v1::TranslateRequest>(
      channels, [request](size_t) { return request; },
      [](const v1::TranslateResponse&) { return client::AnswerCounts(); });
  options.duration = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
  options.warmup = options.duration / 10;
  client::LoadReport report = client::RunClosedLoop(options, in_flight);
  return LoadOf(std::move(report.latencies_ms), report.errors, report.seconds);
}

// Connections that begin a request and go on with a byte now and then. Those that are closed are opened again.
class SlowConnections {
 public:
  SlowConnections(int port, int count) : port_(port) {
    for (int i = 0; i < count; ++i) connections_.push_back(Begin());
    thread_ = std::thread([this] { Run(); });
  }
  ~SlowConnections() {
    stop_ = true;
    thread_.join();
    for (const int connection : connections_) close(connection);
  }
  int64_t closed() const { return closed_; }

 private:
  int Begin() const {
    const int connection = Connect(port_);
    constexpr char kBegin[] = "POST /heed.v1.TranslationService/Translate HTTP/1.1\r\nHost: a\r\nX: ";
    (void)send(connection, kBegin, sizeof(kBegin) - 1, MSG_NOSIGNAL);
    return connection;
  }
  void Run() {
    while (!stop_) {
      for (int& connection : connections_) {
        if (send(connection, "x", 1, MSG_NOSIGNAL) == 1) continue;
        ++closed_;
        close(connection);
        connection = Begin();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }

  const int port_;
  std::vector<int> connections_;
  std::atomic<bool> stop_ = false;
  std::atomic<int64_t> closed_ = 0;
  std::thread thread_;
};

std::string CpuName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (absl::StartsWith(line, "model name")) return line.substr(line.find(": ") + 2);
  }
  return "unknown";
}

struct Rival {
  const char* name;
  std::function<Load(double seconds, int in_flight)> run;
  std::vector<double> p50_us, p99_us, per_second, many_p99_us, cpu_us;
  int64_t errors = 0;
};

void Measure(std::vector<Rival>& rivals, double seconds, int rounds) {
  for (Rival& rival : rivals) rival = {rival.name, rival.run, {}, {}, {}, {}, {}};
  for (int round = 0; round < rounds; ++round) {
    for (Rival& rival : rivals) {
      const Load one = rival.run(seconds, 1);
      const double cpu = CpuSeconds();
      const Load many = rival.run(seconds, 64);
      // A tenth of the time is before the first request that counts.
      rival.cpu_us.push_back(1e6 * (CpuSeconds() - cpu) / (1.1 * seconds * many.per_second));
      rival.p50_us.push_back(one.p50_us);
      rival.p99_us.push_back(one.p99_us);
      rival.per_second.push_back(many.per_second);
      rival.many_p99_us.push_back(many.p99_us);
      rival.errors += one.errors + many.errors;
    }
  }
  std::printf("%-6s  %10s  %10s  %14s  %12s  %12s  %6s\n", "", "p50 us, 1", "p99 us, 1", "requests/s, 64", "p99 us, 64",
              "CPU us, 64", "errors");
  for (const Rival& rival : rivals) {
    std::printf("%-6s  %10.1f  %10.1f  %14.0f  %12.0f  %12.1f  %6ld\n", rival.name, Median(rival.p50_us),
                Median(rival.p99_us), Median(rival.per_second), Median(rival.many_p99_us), Median(rival.cpu_us),
                static_cast<long>(rival.errors));
  }
}

int Run(double seconds, int rounds, int slow) {
  StartLog(LogLevel::kWarn, LogFormat::kLogfmt);
  rlimit limits{};
  getrlimit(RLIMIT_NOFILE, &limits);
  limits.rlim_cur = limits.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limits);
  TemporaryDirectory models;
  std::filesystem::create_directories(models.path() / "fake");
  models.Write("fake/config.json", "{}");
  ServerOptions options;
  options.models = models.path().string();
  options.listen = "127.0.0.1:0";
  options.http_listen = "127.0.0.1:0";
  options.metrics_listen = "";
  auto started = Server::Start(
      options, [](const std::string&, const std::string&, Precision) { return std::make_shared<FakeTranslator>(); });
  if (!started.ok()) {
    std::fprintf(stderr, "http_bench: %s\n", std::string(started.status().message()).c_str());
    return 1;
  }
  const std::unique_ptr<Server> server = *std::move(started);
  server->WaitUntilLoaded();
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < 2; ++i) {
    channels.push_back(client::MakeChannel(absl::StrCat("127.0.0.1:", server->port()), {}, true));
  }
  std::vector<Rival> rivals = {
      {"gRPC", [&](double time, int in_flight) { return RunGrpc(channels, time, in_flight); }},
      {"REST", [&](double time, int in_flight) { return RunRest(server->http_port(), time, in_flight); }}};
  std::printf("%s, %u cores\n\n", CpuName().c_str(), std::thread::hardware_concurrency());
  Measure(rivals, seconds, rounds);
  std::printf("REST: %+.1f us, %.1f %% of gRPC's throughput\n\n", Median(rivals[1].p50_us) - Median(rivals[0].p50_us),
              100 * Median(rivals[1].per_second) / Median(rivals[0].per_second));
  {
    const SlowConnections connections(server->http_port(), slow);
    std::printf("with %d slow connections:\n", slow);
    Measure(rivals, seconds, rounds);
    std::printf("%ld of the slow connections were closed by the server\n", static_cast<long>(connections.closed()));
  }
  server->Shutdown();
  return 0;
}

}  // namespace
}  // namespace heed::bench

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 2;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  const int slow = argc > 3 ? std::atoi(argv[3]) : 1000;
  if (argc > 4 || seconds <= 0 || rounds < 1 || slow < 0) {
    std::fprintf(stderr, "usage: http_bench [SECONDS [ROUNDS [SLOW]]]\n");
    return 2;
  }
  return heed::bench::Run(seconds, rounds, slow);
}
