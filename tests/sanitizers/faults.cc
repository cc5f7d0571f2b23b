// SPDX-License-Identifier: Apache-2.0
// A fault of each kind that the sanitizer presets are there for, on purpose: ctest holds that each is still reported,
// with the suppressions of the suite, and that what gRPC does put in order is not.
//
//   heed_sanitizer_faults FAULT
#include <grpcpp/grpcpp.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "grpc/health/v1/health.grpc.pb.h"

namespace heed {
namespace {

// The compiler does not know what comes out, so that it neither removes nor foretells a fault.
template <typename T>
T Unknown(T value) {
  volatile T hidden = value;
  return hidden;
}

// Answers every call after it ran `handle` on a thread of gRPC's.
class Server : public grpc::health::v1::Health::CallbackService {
 public:
  explicit Server(std::function<void()> handle) : handle_(std::move(handle)) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    stub_ = grpc::health::v1::Health::NewStub(
        grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
  }

  // Returns when the answer is there.
  void Call() {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckResponse response;
    const grpc::Status status = stub_->Check(&context, grpc::health::v1::HealthCheckRequest(), &response);
    if (!status.ok()) std::fprintf(stderr, "the call failed: %s\n", status.error_message().c_str());
  }

  // The same with the answer on a thread of gRPC's.
  void CallBack() {
    std::promise<grpc::Status> promise;
    grpc::ClientContext context;
    const grpc::health::v1::HealthCheckRequest request;
    grpc::health::v1::HealthCheckResponse response;
    stub_->async()->Check(&context, &request, &response, [&](grpc::Status status) { promise.set_value(status); });
    const grpc::Status status = promise.get_future().get();
    if (!status.ok()) std::fprintf(stderr, "the call failed: %s\n", status.error_message().c_str());
  }

 private:
  class Reactor : public grpc::ServerUnaryReactor {
   public:
    explicit Reactor(const std::function<void()>& handle) {
      handle();
      Finish(grpc::Status::OK);
    }
    void OnDone() override { delete this; }
  };
  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext*, const grpc::health::v1::HealthCheckRequest*,
                                  grpc::health::v1::HealthCheckResponse*) override {
    return new Reactor(handle_);
  }

  const std::function<void()> handle_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<grpc::health::v1::Health::Stub> stub_;
};

void RaceOfOurThreads() {
  int shared = 0;
  std::thread other([&] { ++shared; });
  ++shared;
  other.join();
}

void RaceWithAThreadOfGrpcs() {
  int shared = 0;
  Server server([&] { ++shared; });
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) ++shared;
  });
  server.Call();
  other.join();
}

// Two threads of ours while gRPC works beside them, as in a server.
void RaceBesideGrpc() {
  int shared = 0;
  Server server([] {});
  server.Call();
  std::thread other([&] {
    ++shared;
    server.Call();
  });
  ++shared;
  server.Call();
  other.join();
}

// No fault: the value goes to gRPC's thread with the call, and comes back with the answer.
void OrderThroughGrpc() {
  int shared = 0;
  Server server([&] { ++shared; });
  for (int i = 0; i < 100; ++i) {
    ++shared;
    server.Call();
    ++shared;
    server.CallBack();
  }
  if (shared != 400) std::abort();
  std::puts("in order");
}

void UseAfterFree() {
  std::vector<int> values(Unknown(10));
  const int* const first = values.data();
  values.resize(Unknown(100000));
  std::printf("%d\n", *first);
}

void ReadBeyondTheEnd() {
  const std::unique_ptr<char[]> text(new char[static_cast<size_t>(Unknown(10))]());
  std::printf("%d\n", text[static_cast<size_t>(Unknown(10))]);
}

void IndexBeyondTheEnd() {
  std::signal(SIGABRT,
              [](int) { std::_Exit(1); });  // to ctest whoever is ended by a signal has failed, whatever was said
  const std::vector<int> values(Unknown(10));
  std::printf("%d\n", values[static_cast<size_t>(Unknown(10))]);
}

void Leak() { std::printf("%p\n", static_cast<void*>(new int[100])); }

void SignedOverflow() { std::printf("%d\n", Unknown(std::numeric_limits<int>::max()) + Unknown(1)); }

void FloatBeyondInteger() { std::printf("%d\n", static_cast<int>(Unknown(1e30F))); }

struct Fault {
  const char* name;
  void (*run)();
};
constexpr Fault kFaults[] = {
    {"race_of_our_threads", RaceOfOurThreads},
    {"race_with_a_thread_of_grpcs", RaceWithAThreadOfGrpcs},
    {"race_beside_grpc", RaceBesideGrpc},
    {"order_through_grpc", OrderThroughGrpc},
    {"use_after_free", UseAfterFree},
    {"read_beyond_the_end", ReadBeyondTheEnd},
    {"index_beyond_the_end", IndexBeyondTheEnd},
    {"leak", Leak},
    {"signed_overflow", SignedOverflow},
    {"float_beyond_integer", FloatBeyondInteger},
};

}  // namespace
}  // namespace heed

int main(int argc, char** argv) {
  for (const heed::Fault& fault : heed::kFaults) {
    if (argc != 2 || std::strcmp(argv[1], fault.name) != 0) continue;
    fault.run();
    return 0;
  }
  std::fprintf(stderr, "usage: heed_sanitizer_faults FAULT, one of:\n");
  for (const heed::Fault& fault : heed::kFaults) std::fprintf(stderr, "  %s\n", fault.name);
  return 2;
}
