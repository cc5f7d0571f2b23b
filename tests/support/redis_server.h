// SPDX-License-Identifier: Apache-2.0
// Debian's redis-server as a test needs it: on a port of its own, with a directory of its own, started, hung, killed
// and started again; and a proxy before it that loses answers.
#pragma once

#include <atomic>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/temporary_directory.h"

namespace heed {

// Writes every change to disk before it answers, so that being killed loses nothing.
class RedisServer {
 public:
  static bool Installed();

  struct Options {
    std::string password;
    std::string user;  // whose password it is; empty: the default user's
    // Files; with a certificate it speaks only TLS.
    std::string tls_certificate, tls_key, tls_ca;
  };
  RedisServer() : RedisServer(Options()) {}
  explicit RedisServer(const std::string& password) : RedisServer(Options{password}) {}
  explicit RedisServer(Options options);
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  // Returns when it is ready. The port stays the same.
  void Start();
  void Kill();
  // It keeps its connections and answers nothing, until Continue.
  void Hang();
  void Continue();

  int port() const { return port_; }
  std::string url() const;  // without a password

 private:
  const Options options_;
  TemporaryDirectory directory_;
  int port_ = 0;
  int pid_ = 0;
  FILE* output_ = nullptr;
};

// Stands between a client and a server on this machine.
class LosingProxy {
 public:
  explicit LosingProxy(int server_port);
  ~LosingProxy();
  LosingProxy(const LosingProxy&) = delete;
  LosingProxy& operator=(const LosingProxy&) = delete;

  int port() const { return port_; }
  // The next answer is not delivered; its connection is closed instead.
  void LoseNextAnswer() { losing_ = true; }
  bool losing() const { return losing_; }  // it has not come yet

 private:
  struct Connection {
    int client = -1;
    int server = -1;
  };
  void Run();
  // False: it is over.
  bool Forward(int from, int to, bool answer);

  const int server_port_;
  int port_ = 0;
  int listening_ = -1;
  int stop_[2] = {-1, -1};  // a pipe
  std::atomic<bool> losing_ = false;
  std::thread thread_;
};

}  // namespace heed
