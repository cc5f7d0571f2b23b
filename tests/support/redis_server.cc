// SPDX-License-Identifier: Apache-2.0
#include "tests/support/redis_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

extern char** environ;

namespace heed {
namespace {

constexpr char kProgram[] = "/usr/bin/redis-server";

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A socket on a free port of the loopback interface, and the port.
std::pair<int, int> BindFreePort() {
  const int bound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(bound, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(bound, reinterpret_cast<sockaddr*>(&address), &size), 0);
  return {bound, ntohs(address.sin_port)};
}

}  // namespace

bool RedisServer::Installed() { return access(kProgram, X_OK) == 0; }

RedisServer::RedisServer(Options options) : options_(std::move(options)) {
  const auto [bound, port] = BindFreePort();
  port_ = port;
  close(bound);
  Start();
}

RedisServer::~RedisServer() { Kill(); }

void RedisServer::Start() {
  std::vector<std::string> words = {kProgram,
                                    "--bind",
                                    "127.0.0.1",
                                    "--dir",
                                    directory_.path().string(),
                                    "--save",
                                    "",
                                    "--appendonly",
                                    "yes",
                                    "--appendfsync",
                                    "always",
                                    "--daemonize",
                                    "no"};
  if (options_.tls_certificate.empty()) {
    words.insert(words.end(), {"--port", absl::StrCat(port_)});
  } else {
    words.insert(words.end(),
                 {"--port", "0", "--tls-port", absl::StrCat(port_), "--tls-auth-clients", "no", "--tls-cert-file",
                  options_.tls_certificate, "--tls-key-file", options_.tls_key, "--tls-ca-cert-file", options_.tls_ca});
  }
  if (!options_.user.empty()) {
    words.insert(words.end(), {"--user", options_.user, "on", absl::StrCat(">", options_.password), "~*", "&*", "+@all",
                               "--user", "default", "off"});
  } else if (!options_.password.empty()) {
    words.insert(words.end(), {"--requirepass", options_.password});
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  ASSERT_EQ(posix_spawn(&pid_, kProgram, &actions, nullptr, arguments.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  output_ = fdopen(ends[0], "r");
  char line[4096];
  while (fgets(line, sizeof(line), output_) != nullptr) {
    if (absl::StrContains(line, "Ready to accept connections")) return;
  }
  ADD_FAILURE() << "redis-server has not started";
}

void RedisServer::Kill() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = 0;
  fclose(output_);
}

void RedisServer::Hang() {
  kill(pid_, SIGSTOP);
  int status = 0;
  waitpid(pid_, &status, WUNTRACED);  // until it has stopped
}

void RedisServer::Continue() { kill(pid_, SIGCONT); }

std::string RedisServer::url() const { return absl::StrCat("redis://127.0.0.1:", port_); }

LosingProxy::LosingProxy(int server_port) : server_port_(server_port) {
  const auto [bound, port] = BindFreePort();
  listening_ = bound;
  port_ = port;
  EXPECT_EQ(listen(listening_, 16), 0);
  EXPECT_EQ(pipe2(stop_, O_CLOEXEC), 0);
  thread_ = std::thread([this] { Run(); });
}

LosingProxy::~LosingProxy() {
  close(stop_[1]);
  thread_.join();
  close(stop_[0]);
  close(listening_);
}

void LosingProxy::Run() {
  std::vector<Connection> connections;
  while (true) {
    std::vector<pollfd> files = {{stop_[0], POLLIN, 0}, {listening_, POLLIN, 0}};
    for (const Connection& one : connections) {
      files.push_back({one.client, POLLIN, 0});
      files.push_back({one.server, POLLIN, 0});
    }
    poll(files.data(), files.size(), -1);
    if (files[0].revents != 0) break;
    std::vector<Connection> left;
    for (size_t i = 0; i < connections.size(); ++i) {
      const Connection& one = connections[i];
      const bool goes_on = (files[2 + 2 * i].revents == 0 || Forward(one.client, one.server, false)) &&
                           (files[3 + 2 * i].revents == 0 || Forward(one.server, one.client, true));
      if (goes_on) {
        left.push_back(one);
      } else {
        close(one.client);
        close(one.server);
      }
    }
    connections = left;
    if (files[1].revents == 0) continue;
    const sockaddr_in address = Loopback(server_port_);
    Connection& one = connections.emplace_back();
    one.client = accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
    one.server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(one.server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  for (const Connection& one : connections) {
    close(one.client);
    close(one.server);
  }
}

bool LosingProxy::Forward(int from, int to, bool answer) {
  char buffer[1 << 16];
  const ssize_t n = read(from, buffer, sizeof(buffer));
  if (n <= 0 || (answer && losing_.exchange(false))) return false;
  return send(to, buffer, static_cast<size_t>(n), MSG_NOSIGNAL) == n;
}

}  // namespace heed
