// SPDX-License-Identifier: Apache-2.0
// Sockets that listen, the thread that accepts, the count of what is open.
#include "server/network/listener.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/network/descriptor_budget.h"
#include "server/network/open_connections.h"
#include "tests/support/tcp_connection.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

absl::StatusOr<ListeningSockets> Open(const std::string& address, Clock::duration user_timeout = {}) {
  return ListeningSockets::Open(*ListenAddress::Parse(address), user_timeout);
}

// A client's connection to a Unix socket; -1: refused.
int ConnectUnix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int client = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return client;
  close(client);
  return -1;
}

// A listener whose connections the test takes.
class TestListener {
 public:
  explicit TestListener(ListeningSockets sockets)
      : listener_(std::move(sockets), {[this](int, int connection, const SocketAddress& peer) {
                                         MutexLock lock(mutex_);
                                         connections_.emplace_back(connection, peer);
                                         changed_.NotifyAll();
                                       },
                                       [this](const absl::Status& status) {
                                         MutexLock lock(mutex_);
                                         status_ = status;
                                         changed_.NotifyAll();
                                       },
                                       [this](TimePoint) {
                                         MutexLock lock(mutex_);
                                         ++ticks_;
                                         changed_.NotifyAll();
                                       }}) {
    listener_.Start();
  }
  ~TestListener() {
    listener_.Stop();
    MutexLock lock(mutex_);
    for (const auto& [connection, peer] : connections_) close(connection);
  }

  std::pair<int, SocketAddress> Take() {
    MutexLock lock(mutex_);
    while (connections_.empty()) changed_.Wait(mutex_);
    const auto first = connections_.front();
    connections_.pop_front();
    return first;
  }
  // Waits until it can accept, or until it cannot.
  absl::Status WaitFor(bool accepting) {
    MutexLock lock(mutex_);
    while (status_.ok() != accepting) changed_.Wait(mutex_);
    return status_;
  }
  void WaitForTick() {
    MutexLock lock(mutex_);
    for (const int before = ticks_; ticks_ == before;) changed_.Wait(mutex_);
  }
  Listener& get() { return listener_; }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::pair<int, SocketAddress>> connections_ GUARDED_BY(mutex_);
  absl::Status status_ GUARDED_BY(mutex_);
  int ticks_ GUARDED_BY(mutex_) = 0;
  Listener listener_;
};

int Option(int socket, int level, int option) {
  int value = -1;
  socklen_t size = sizeof(value);
  EXPECT_EQ(getsockopt(socket, level, option, &value, &size), 0);
  return value;
}

TEST(ListeningSocketsTest, PortZeroPicksOneAndTheAddressNamesIt) {
  for (const char* host : {"127.0.0.1", "localhost", "0.0.0.0", ""}) {
    const auto sockets = Open(absl::StrCat(host, ":0"));
    ASSERT_TRUE(sockets.ok()) << host << ": " << sockets.status();
    EXPECT_GT(sockets->port(), 0) << host;
    EXPECT_THAT(sockets->address(), ::testing::EndsWith(absl::StrCat(":", sockets->port()))) << host;
    TcpConnection connects(sockets->port());
  }
}

TEST(ListeningSocketsTest, ATakenPortIsAnErrorWhateverTheOtherAddress) {
  const auto first = Open("127.0.0.1:0");
  for (const char* host : {"127.0.0.1", "localhost", "0.0.0.0", ""}) {
    const auto second = Open(absl::StrCat(host, ":", first->port()));
    EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable) << host;
    EXPECT_EQ(std::string(second.status().message()), "Address already in use") << host;
  }
}

TEST(ListeningSocketsTest, WhatCannotBeListenedOnIsSaid) {
  EXPECT_THAT(std::string(Open("no-such-host.invalid:1").status().message()),
              StartsWith("host \"no-such-host.invalid\": "));
  EXPECT_THAT(std::string(Open("192.0.2.1:0").status().message()), HasSubstr("the address is not this machine's"));
}

TEST(ListeningSocketsTest, AStaleUnixSocketIsReplacedAndTheFileRemovedAtTheEnd) {
  const TemporaryDirectory root;
  const std::string path = root.File("s");
  {
    // As a server that was killed leaves it behind.
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    const int killed = socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(bind(killed, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    close(killed);
    ASSERT_EQ(ConnectUnix(path), -1);
  }
  {
    const auto sockets = Open("unix:" + path);
    ASSERT_TRUE(sockets.ok()) << sockets.status();
    EXPECT_EQ(sockets->address(), "unix:" + path);
    const int client = ConnectUnix(path);
    EXPECT_GE(client, 0);
    close(client);
    EXPECT_EQ(std::string(Open("unix:" + path).status().message()), "another server listens on this socket");
    EXPECT_NE(access(path.c_str(), F_OK), -1) << "the first one's is still there";
  }
  EXPECT_EQ(access(path.c_str(), F_OK), -1);
}

TEST(ListeningSocketsTest, AFileInTheWayStays) {
  const TemporaryDirectory root;
  root.Write("file", "text");
  EXPECT_EQ(std::string(Open("unix:" + root.File("file")).status().message()), "the file exists and is no socket");
  EXPECT_EQ(root.Read("file"), "text");
  EXPECT_THAT(std::string(Open("unix:" + root.File("none/s")).status().message()),
              HasSubstr("No such file or directory"));
}

TEST(ListenerTest, ConnectionsComeWithTheirPeerAndTheirOptions) {
  TestListener listener(*Open("127.0.0.1:0", std::chrono::seconds(20)));
  const TcpConnection client(listener.get().sockets().port());
  const auto [connection, peer] = listener.Take();
  EXPECT_TRUE(peer.IsLoopback());
  EXPECT_THAT(peer.Text(), StartsWith("127.0.0.1:"));
  EXPECT_NE(fcntl(connection, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(connection, F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(Option(connection, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(Option(connection, IPPROTO_TCP, TCP_USER_TIMEOUT), 20'000);
  close(connection);
}

TEST(ListenerTest, UnixSocketsAreAcceptedFrom) {
  const TemporaryDirectory root;
  TestListener listener(*Open("unix:" + root.File("s")));
  const int client = ConnectUnix(root.File("s"));
  const auto [connection, peer] = listener.Take();
  EXPECT_TRUE(peer.is_unix());
  EXPECT_FALSE(peer.IsLoopback());
  close(connection);
  close(client);
}

TEST(ListenerTest, TicksComeWhileNothingHappens) {
  TestListener listener(*Open("127.0.0.1:0"));
  listener.WaitForTick();
  listener.WaitForTick();
}

// Sets this process' soft limit so that no descriptor is to be had, as long as it lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit none = before_;
    none.rlim_cur = 3;  // all of them are taken
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST(ListenerTest, ItGoesOnOnceThereAreDescriptorsAgain) {
  TestListener listener(*Open("127.0.0.1:0"));
  const TcpConnection before(listener.get().sockets().port());
  close(listener.Take().first);
  {
    const NoDescriptors none;
    EXPECT_THAT(std::string(listener.WaitFor(false).message()), HasSubstr("Too many open files"))
        << "although nobody connects";
  }
  EXPECT_TRUE(listener.WaitFor(true).ok());
  const TcpConnection after(listener.get().sockets().port());
  close(listener.Take().first);
}

TEST(ListenerTest, StopClosesThePort) {
  TestListener listener(*Open("127.0.0.1:0"));
  const int port = listener.get().sockets().port();
  listener.get().Stop();
  const auto again = Open(absl::StrCat("127.0.0.1:", port));
  EXPECT_TRUE(again.ok()) << again.status();
}

SocketAddress Peer(const char* text) {
  auto sockets = Open(text);
  EXPECT_TRUE(sockets.ok()) << sockets.status();
  return SocketAddress::OfSocket(sockets->descriptors()[0]);
}

SocketAddress Ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(uint32_t{a} << 24 | uint32_t{b} << 16 | uint32_t{c} << 8 | d);
  return SocketAddress::Of(reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

SocketAddress Ipv6(std::initializer_list<uint8_t> first, uint8_t last) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  std::copy(first.begin(), first.end(), address.sin6_addr.s6_addr);
  address.sin6_addr.s6_addr[15] = last;
  return SocketAddress::Of(reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

TEST(SocketAddressTest, AnOriginIsAnIpv4AddressOrAnIpv6Network) {
  EXPECT_EQ(Ipv4(192, 0, 2, 1).Origin(), Ipv4(192, 0, 2, 1).Origin());
  EXPECT_NE(Ipv4(192, 0, 2, 1).Origin(), Ipv4(192, 0, 2, 2).Origin());
  const std::initializer_list<uint8_t> network = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1};
  const std::initializer_list<uint8_t> other = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 2};
  EXPECT_EQ(Ipv6(network, 1).Origin(), Ipv6(network, 2).Origin());
  EXPECT_NE(Ipv6(network, 1).Origin(), Ipv6(other, 1).Origin());
  const SocketAddress mapped = Ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2}, 1);
  EXPECT_EQ(mapped.Origin(), Ipv4(192, 0, 2, 1).Origin());
  EXPECT_EQ(mapped.Text(), "192.0.2.1:0");
  EXPECT_TRUE(Ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0}, 1).IsLoopback());
  EXPECT_TRUE(Ipv6({}, 1).IsLoopback());
  EXPECT_FALSE(Ipv4(192, 0, 2, 1).IsLoopback());
  EXPECT_EQ(Ipv6(network, 1).Text(), "[2001:db8:0:1::1]:0");
}

// Connections that this test opens and closes.
class OpenConnectionsTest : public ::testing::Test {
 protected:
  ~OpenConnectionsTest() override {
    for (const int descriptor : open_) close(descriptor);
  }
  int Connect() {
    open_.push_back(socket(AF_INET, SOCK_STREAM, 0));
    return open_.back();
  }
  void Close(int descriptor) {
    open_.erase(std::find(open_.begin(), open_.end(), descriptor));
    close(descriptor);
  }

  using Verdict = OpenConnections::Verdict;
  const TimePoint now_{std::chrono::hours(1)};
  const SocketAddress a_ = Ipv4(192, 0, 2, 1), b_ = Ipv4(192, 0, 2, 2), local_ = Ipv4(127, 0, 0, 1);
  std::vector<int> open_;
};

TEST_F(OpenConnectionsTest, BeyondTheLimitNobodyIsAdmittedUntilOneHasClosed) {
  OpenConnections connections({.max_connections = 3});
  const int first = Connect();
  EXPECT_EQ(connections.Admit(first, a_, now_), Verdict::kAdmitted);
  EXPECT_EQ(connections.Admit(Connect(), a_, now_), Verdict::kAdmitted);
  EXPECT_EQ(connections.Admit(Connect(), b_, now_), Verdict::kAdmitted);
  EXPECT_TRUE(connections.IsFull());
  const TimePoint later = now_ + std::chrono::seconds(1);
  EXPECT_EQ(connections.Admit(Connect(), local_, later), Verdict::kTooMany);
  Close(first);
  const int next = Connect();
  EXPECT_EQ(next, first) << "the kernel gives the lowest descriptor, and this test needs it";
  EXPECT_EQ(connections.Admit(next, b_, later), Verdict::kAdmitted) << "the descriptor is another connection's now";
  EXPECT_EQ(connections.size(), 3u);
}

TEST_F(OpenConnectionsTest, ADescriptorThatHasBecomeAFileIsNoConnection) {
  OpenConnections connections({.max_connections = 1});
  const int first = Connect();
  ASSERT_EQ(connections.Admit(first, a_, now_), Verdict::kAdmitted);
  Close(first);
  const int file = open("/dev/null", O_RDONLY);
  EXPECT_EQ(file, first);
  connections.Sweep();
  EXPECT_EQ(connections.size(), 0u);
  EXPECT_EQ(connections.Admit(Connect(), a_, now_), Verdict::kAdmitted);
  close(file);
}

TEST_F(OpenConnectionsTest, AnAddressHasALimitOfItsOwn) {
  OpenConnections connections({.max_connections = 10, .max_per_address = 2});
  const int first = Connect();
  EXPECT_EQ(connections.Admit(first, a_, now_), Verdict::kAdmitted);
  EXPECT_EQ(connections.Admit(Connect(), a_, now_), Verdict::kAdmitted);
  EXPECT_EQ(connections.Admit(Connect(), a_, now_), Verdict::kTooManyOfAddress);
  EXPECT_EQ(connections.Admit(Connect(), b_, now_), Verdict::kAdmitted);
  Close(first);
  EXPECT_EQ(connections.Admit(Connect(), a_, now_ + std::chrono::seconds(1)), Verdict::kAdmitted);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(connections.Admit(Connect(), local_, now_), Verdict::kAdmitted);
  EXPECT_EQ(connections.Admit(Connect(), local_, now_), Verdict::kTooManyOfAddress);
}

TEST_F(OpenConnectionsTest, UnixSocketsAndIfWantedLoopbackHaveNoLimitOfTheirOwn) {
  const TemporaryDirectory root;
  const SocketAddress unix_peer = Peer(absl::StrCat("unix:", root.File("s")).c_str());
  OpenConnections connections({.max_connections = 8, .max_per_address = 1, .limit_loopback = false});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(connections.Admit(Connect(), local_, now_), Verdict::kAdmitted);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(connections.Admit(Connect(), unix_peer, now_), Verdict::kAdmitted);
  EXPECT_EQ(connections.Admit(Connect(), a_, now_), Verdict::kAdmitted);
  EXPECT_EQ(connections.Admit(Connect(), a_, now_), Verdict::kTooManyOfAddress);
}

// A flood at the limit would otherwise cost a system call for each connection and each one that is refused.
TEST_F(OpenConnectionsTest, AFullTableIsNotLookedThroughForEveryRefusal) {
  OpenConnections connections({.max_connections = 2});
  const int first = Connect();
  ASSERT_EQ(connections.Admit(first, a_, now_), Verdict::kAdmitted);
  ASSERT_EQ(connections.Admit(Connect(), a_, now_), Verdict::kAdmitted);
  Close(first);
  const int file = open("/dev/null", O_RDONLY);  // keeps the descriptor from being given to the next
  EXPECT_EQ(connections.Admit(Connect(), a_, now_ + std::chrono::microseconds(1)), Verdict::kTooMany);
  EXPECT_EQ(connections.Admit(Connect(), a_, now_ + std::chrono::milliseconds(1)), Verdict::kAdmitted);
  close(file);
}

TEST(DescriptorBudgetTest, ConnectionsLeaveRoomForEverythingElse) {
  EXPECT_EQ(ShareDescriptors(1'000'000, 0).max_connections, 10'000);
  EXPECT_EQ(ShareDescriptors(1'000'000, 50'000).max_connections, 50'000);
  EXPECT_EQ(ShareDescriptors(20'000, 50'000).max_connections, 20'000 - 256);
  EXPECT_EQ(ShareDescriptors(1024, 0).max_connections, 768);
  EXPECT_EQ(ShareDescriptors(1024, 100).max_connections, 100);
  EXPECT_EQ(ShareDescriptors(300, 0).max_connections, 150);
  EXPECT_EQ(ShareDescriptors(300, 0).max_http_connections, 75);
  EXPECT_EQ(ShareDescriptors(1'000'000, 0).max_http_connections, 128);
  EXPECT_EQ(ShareDescriptors(1, 0).max_connections, 1);
  EXPECT_EQ(ShareDescriptors(1'000'000, 0).max_front_connections, 0) << "HTTP is off";
  EXPECT_EQ(ShareDescriptors(1'000'000, 0, 0).max_front_connections, 10'000);
  EXPECT_EQ(ShareDescriptors(1256, 3'000, 1'000).max_connections, 750);
  EXPECT_EQ(ShareDescriptors(1256, 3'000, 1'000).max_front_connections, 250);
}

}  // namespace
}  // namespace heed
