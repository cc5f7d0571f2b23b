// SPDX-License-Identifier: Apache-2.0
// Several session stores on one Redis: what one has answered the others know, whatever becomes of Redis meanwhile.
#include <atomic>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/sessions/redis_connection.h"
#include "server/sessions/session_store.h"
#include "tests/support/certificate_authority.h"
#include "tests/support/redis_server.h"
#include "tests/support/session_calls.h"

namespace heed {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// A server, as far as its sessions go.
class Node {
 public:
  Node(const FakeModels& models, const SessionOptions& options) {
    auto opened = SessionStore::Open(options, models.registry(), metrics_);
    EXPECT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  SessionCalls calls() { return SessionCalls(*store_); }
  SessionCalls* operator->() { return &calls_.emplace(*store_); }
  SessionStore& store() { return *store_; }
  std::string metrics() const { return metrics_.Text(); }

 private:
  Metrics metrics_;
  std::unique_ptr<SessionStore> store_;
  std::optional<SessionCalls> calls_;
};

class SessionRedisTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!RedisServer::Installed()) GTEST_SKIP() << "redis-server is not installed: sessions in Redis are NOT tested";
    models_.Load();
    redis_ = std::make_unique<RedisServer>();
    options_.place = redis_->url();
  }

  // What Redis answers to a command of the test's own.
  RedisReply Ask(std::vector<std::string> command) {
    const TimePoint deadline = Clock::now() + std::chrono::seconds(60);
    RedisAddress address;
    address.host = "127.0.0.1";
    address.port = redis_->port();
    auto connection = RedisConnection::Open(address, deadline);
    EXPECT_TRUE(connection.ok()) << connection.status();
    auto reply = (*connection)->Call(std::vector<absl::string_view>(command.begin(), command.end()), deadline);
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.ok() ? *reply : RedisReply();
  }
  std::string Create(Node& node, std::vector<std::string> facts = {}) {
    const auto session = node->Create(models_, std::move(facts));
    EXPECT_TRUE(session.ok()) << session.status();
    return session.ok() ? (*session)->id : "";
  }
  static std::vector<std::string> FactsOf(Node& node, const std::string& id) {
    const auto session = node->Find(id);
    EXPECT_TRUE(session.ok()) << session.status();
    return session.ok() ? Facts(**session) : std::vector<std::string>{"?"};
  }
  template <typename Result>
  static std::string MessageOf(const Result& result, absl::StatusCode code) {
    absl::Status status;
    if constexpr (std::is_same_v<Result, absl::Status>) {
      status = result;
    } else {
      status = result.status();
    }
    EXPECT_EQ(status.code(), code) << status;
    return std::string(status.message());
  }
  // Threads on two nodes tell facts to two sessions; each change is tried until it is answered, under one request id.
  // `meanwhile` runs beside them. Every fact is told once.
  template <typename Meanwhile>
  void ChangeTogether(int facts_each, const Meanwhile& meanwhile) {
    Node first(models_, options_), second(models_, options_);
    const std::vector<std::string> ids = {Create(first), Create(first)};
    constexpr int kThreads = 4;
    std::atomic<int> running = kThreads;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        SessionCalls calls = (thread % 2 == 0 ? first : second).calls();
        for (int fact = 0; fact < facts_each; ++fact) {
          const std::string name = absl::StrCat(thread, " ", fact);
          const std::string& id = ids[static_cast<size_t>(thread / 2)];
          while (true) {
            const auto told = calls.Tell(id, name, name);
            if (told.ok()) break;
            EXPECT_TRUE(absl::IsAborted(told.status()) || absl::IsUnavailable(told.status())) << told.status();
            if (absl::IsNotFound(told.status())) break;
            std::this_thread::yield();
          }
        }
        --running;
      });
    }
    meanwhile(running);
    for (std::thread& thread : threads) thread.join();
    for (Node* node : {&first, &second}) {
      for (const std::string& id : ids) {
        const std::vector<std::string> facts = FactsOf(*node, id);
        EXPECT_EQ(facts.size(), static_cast<size_t>(2 * facts_each));
        EXPECT_EQ(std::set<std::string>(facts.begin(), facts.end()).size(), facts.size());
      }
    }
  }

  FakeModels models_;
  std::unique_ptr<RedisServer> redis_;
  SessionOptions options_;
};

TEST_F(SessionRedisTest, AnyServerCarriesASessionOn) {
  Node first(models_, options_), second(models_, options_);
  const std::string id = Create(first, {"one"});
  EXPECT_THAT(FactsOf(second, id), ElementsAre("one"));
  const auto told = second->Tell(id, "two", "request");
  ASSERT_TRUE(told.ok()) << told.status();
  EXPECT_EQ((*told)->version, 2);
  const auto found = first->Find(id, 2);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(Facts(**found), ElementsAre("one", "two"));
  EXPECT_EQ((*found)->FindRecord("request")->response, "version 2");
  EXPECT_EQ((*first->Find(id)).get(), found->get());  // not sent again
  MessageOf(first->Find(id, 1), absl::StatusCode::kAborted);

  ASSERT_TRUE(first->Close(id).ok());
  EXPECT_THAT(MessageOf(first->Find(id), absl::StatusCode::kNotFound), HasSubstr("it was closed"));
  EXPECT_THAT(MessageOf(second->Find(id), absl::StatusCode::kNotFound), HasSubstr("it was closed"));
  MessageOf(second->Close(id), absl::StatusCode::kNotFound);
  EXPECT_THAT(
      MessageOf(second->Find(std::string(32, '0')), absl::StatusCode::kNotFound),
      HasSubstr("there is none of this name in Redis, or none any more: sessions are closed when they are not"));
}

TEST_F(SessionRedisTest, ChangeOfAVersionThatAnotherServerReplacedIsAborted) {
  Node first(models_, options_), second(models_, options_);
  const std::string id = Create(first);
  auto lease = first->Take(id);
  ASSERT_TRUE(lease.ok());
  ASSERT_TRUE(second->Tell(id, "second").ok());
  EXPECT_THAT(FactsOf(first, id), ElementsAre("second"));
  EXPECT_THAT(MessageOf(first->Commit(*std::move(lease), {"first"}), absl::StatusCode::kAborted),
              HasSubstr("another server changed it"));
  EXPECT_THAT(FactsOf(first, id), ElementsAre("second"));
  lease = first->Take(id);
  ASSERT_TRUE(lease.ok()) << lease.status();
  ASSERT_TRUE(second->Close(id).ok());
  MessageOf(first->Commit(*std::move(lease), {"first"}), absl::StatusCode::kNotFound);
  MessageOf(second->Find(id), absl::StatusCode::kNotFound);
}

TEST_F(SessionRedisTest, SessionsThatLeaveMemoryComeBack) {
  options_.max_sessions = 1;
  Node node(models_, options_);
  const std::string first = Create(node, {"first"}), second = Create(node, {"second"});
  EXPECT_THAT(FactsOf(node, first), ElementsAre("first"));
  EXPECT_THAT(FactsOf(node, second), ElementsAre("second"));
  EXPECT_THAT(node.metrics(), AllOf(HasSubstr("heed_sessions 1"), HasSubstr("{event=\"restored\"} 2"),
                                    HasSubstr("heed_session_place_seconds_count{operation=\"read\"} 2")));
}

TEST_F(SessionRedisTest, RedisForgetsSessionsThatNobodyUses) {
  options_.idle_limit = std::chrono::minutes(10);
  Node node(models_, options_);
  const std::string id = Create(node), key = absl::StrCat("heed:session:", id);
  auto millis_left = [&] { return std::stoll(*Ask({"PTTL", key}).texts.at(0)); };
  EXPECT_GT(millis_left(), 60'000);
  EXPECT_LE(millis_left(), 600'000);
  Ask({"PEXPIRE", key, "50000"});
  EXPECT_TRUE(node->Find(id).ok());  // counts as use
  EXPECT_GT(millis_left(), 60'000);
  Ask({"PEXPIRE", key, "50000"});
  EXPECT_TRUE(node->Tell(id, "one").ok());
  EXPECT_GT(millis_left(), 60'000);
  Ask({"DEL", key});  // as when it expires
  MessageOf(node->Find(id), absl::StatusCode::kNotFound);
  EXPECT_THAT(node.metrics(), HasSubstr("heed_sessions 0"));
}

TEST_F(SessionRedisTest, ServersThatChangeTheSameSessionsLoseAndDoubleNothing) {
  ChangeTogether(30, [](std::atomic<int>&) {});
}

TEST_F(SessionRedisTest, RedisThatIsKilledAndStartedAgainLosesAndDoublesNothing) {
  ChangeTogether(150, [&](std::atomic<int>& running) {
    for (int i = 0; i < 3 && running > 0; ++i) {
      redis_->Kill();
      redis_->Start();
    }
  });
}

TEST_F(SessionRedisTest, LostAnswerOfAWriteIsAskedForAgainAndTheWriteNotDoubled) {
  LosingProxy proxy(redis_->port());
  options_.place = absl::StrCat("redis://127.0.0.1:", proxy.port());
  Node node(models_, options_);
  const std::string id = Create(node, {"one"});
  for (int i = 0; i < 5; ++i) {
    auto lease = node->Take(id);
    ASSERT_TRUE(lease.ok()) << lease.status();
    std::vector<std::string> facts = Facts((*lease)->session());
    facts.push_back("more");
    proxy.LoseNextAnswer();
    const auto told = node->Commit(*std::move(lease), facts);
    ASSERT_TRUE(told.ok()) << told.status();
    EXPECT_FALSE(proxy.losing());
    EXPECT_EQ((*told)->version, i + 2);
  }
  EXPECT_EQ(FactsOf(node, id).size(), 6u);
  proxy.LoseNextAnswer();
  EXPECT_EQ(FactsOf(node, id).size(), 6u);
  proxy.LoseNextAnswer();
  EXPECT_TRUE(node->Close(id).ok());
  MessageOf(node->Find(id), absl::StatusCode::kNotFound);
}

TEST_F(SessionRedisTest, RedisThatHangsMakesSessionsUnavailableAndChangesNothingLater) {
  Node node(models_, options_);
  const std::string id = Create(node, {"one"}), other = Create(node);
  auto lease = node->Take(id);
  ASSERT_TRUE(lease.ok());
  redis_->Hang();
  EXPECT_THAT(MessageOf(node->Commit(*std::move(lease), {"late"}), absl::StatusCode::kUnavailable),
              AllOf(HasSubstr("does not answer in time"), HasSubstr("whether the change was made is not known")));
  MessageOf(node->Find(id), absl::StatusCode::kUnavailable);
  MessageOf(node->Take(other), absl::StatusCode::kUnavailable);
  EXPECT_THAT(node.metrics(), HasSubstr("heed_session_place_failures_total{operation=\"write\"} 1"));
  redis_->Continue();
  auto found = node->Find(id);
  while (absl::IsUnavailable(found.status())) found = node->Find(id);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)->version, 1);  // the change came too late
  EXPECT_TRUE(node->Tell(id, "two").ok());
  EXPECT_THAT(FactsOf(node, id), ElementsAre("one", "two"));
}

TEST_F(SessionRedisTest, StopEndsAlthoughRedisHangs) {
  Node node(models_, options_);
  const std::string id = Create(node);
  redis_->Hang();
  std::atomic<int> answered = 0;
  for (int i = 0; i < 20; ++i) {
    node.store().Find(
        id, ModelKind::kQuestionAnswerer, std::nullopt,
        [&](const absl::StatusOr<SessionStore::Found>& found) { answered += absl::IsUnavailable(found.status()); });
  }
  node.store().Stop();
  EXPECT_EQ(answered, 20);
  redis_->Continue();
}

TEST_F(SessionRedisTest, RedisThatIsNotThereYetIsWaitedFor) {
  redis_->Kill();
  Node node(models_, options_);
  EXPECT_THAT(MessageOf(node->Create(models_), absl::StatusCode::kUnavailable),
              HasSubstr(absl::StrCat("Redis at 127.0.0.1:", redis_->port(), ": ")));
  redis_->Start();
  auto created = node->Create(models_);
  while (absl::IsUnavailable(created.status())) created = node->Create(models_);
  EXPECT_TRUE(created.ok()) << created.status();
}

TEST_F(SessionRedisTest, PasswordIsSentAndNeverShown) {
  redis_ = std::make_unique<RedisServer>("se:c@r/et");
  options_.place = absl::StrCat("redis://:se:c@r/et@127.0.0.1:", redis_->port(), "/3");
  Node right(models_, options_);
  EXPECT_FALSE(Create(right).empty());
  options_.place = absl::StrCat("redis://:wrong-word@127.0.0.1:", redis_->port());
  Node wrong(models_, options_);
  EXPECT_THAT(MessageOf(wrong->Create(models_), absl::StatusCode::kUnavailable), Not(HasSubstr("wrong-word")));
}

TEST_F(SessionRedisTest, MistypedUrlIsRefusedAndMakesNoDirectoryOfItsPassword) {
  Metrics metrics;
  for (const std::string place : {"redis:secret@127.0.0.1:6379", "redis//:secret@127.0.0.1:6379",
                                  "redis:/:secret@127.0.0.1:6379", "redisx://:secret@127.0.0.1:6379"}) {
    options_.place = place;
    const auto store = SessionStore::Open(options_, models_.registry(), metrics);
    EXPECT_THAT(MessageOf(store, absl::StatusCode::kInvalidArgument), Not(HasSubstr("secret"))) << place;
    EXPECT_FALSE(std::filesystem::exists(place)) << place;
  }
}

TEST_F(SessionRedisTest, DamagedDataIsRefusedAndLeftAlone) {
  Node first(models_, options_), second(models_, options_);
  const std::string id = Create(first), key = absl::StrCat("heed:session:", id);
  Ask({"HSET", key, "data", "HEEDSESS damaged"});
  EXPECT_THAT(MessageOf(second->Find(id), absl::StatusCode::kFailedPrecondition), HasSubstr("is truncated"));
  EXPECT_EQ(Ask({"HGET", key, "data"}).texts.at(0), "HEEDSESS damaged");
  Ask({"HDEL", key, "data"});
  MessageOf(second->Find(id), absl::StatusCode::kFailedPrecondition);
  Ask({"DEL", key});
  Ask({"SET", key, "no hash"});
  EXPECT_THAT(MessageOf(second->Find(id), absl::StatusCode::kUnavailable), HasSubstr("WRONGTYPE"));
  EXPECT_FALSE(Create(second).empty());  // the connection is as good as before
}

TEST_F(SessionRedisTest, ThePasswordIsTheUrlsOrElseTheOptions) {
  const RedisServer redis("p@ssword");
  options_.place = redis.url();
  options_.redis_password = "p@ssword";
  Node by_option(models_, options_);
  EXPECT_FALSE(Create(by_option).empty());
  options_.place = absl::StrCat("redis://:p@ssword@127.0.0.1:", redis.port());
  options_.redis_password = "another";
  Node by_url(models_, options_);
  EXPECT_FALSE(Create(by_url).empty());
  options_.place = redis.url();
  Node wrong(models_, options_);
  EXPECT_THAT(MessageOf(wrong->Create(models_), absl::StatusCode::kUnavailable),
              AllOf(HasSubstr("WRONGPASS"), Not(HasSubstr("another"))));
}

TEST_F(SessionRedisTest, TlsAUserAndANameOfTheHost) {
  const CertificateAuthority authority("authority"), stranger("stranger");
  const TestCertificate own = authority.Issue({.host = "localhost"});
  const TemporaryDirectory files;
  const auto file = [&](const char* name, const std::string& content) {
    files.Write(name, content);
    return files.File(name);
  };
  const RedisServer redis({.password = "secret",
                           .user = "heed",
                           .tls_certificate = file("cert.pem", own.certificate),
                           .tls_key = file("key.pem", own.key),
                           .tls_ca = file("ca.pem", authority.certificate())});
  options_.redis_tls.ca_file = files.File("ca.pem");
  options_.place = absl::StrCat("rediss://heed:secret@localhost:", redis.port());
  Node right(models_, options_);
  const std::string id = Create(right);
  Node other(models_, options_);
  EXPECT_TRUE(other->Find(id).ok());

  options_.place = absl::StrCat("rediss://nobody:secret@localhost:", redis.port());
  Node user(models_, options_);
  EXPECT_THAT(MessageOf(user->Create(models_), absl::StatusCode::kUnavailable), HasSubstr("WRONGPASS"));
  options_.place = absl::StrCat("rediss://heed:secret@127.0.0.1:", redis.port());
  Node host(models_, options_);
  EXPECT_THAT(MessageOf(host->Create(models_), absl::StatusCode::kUnavailable), HasSubstr("certificate: IP address"));
  options_.place = absl::StrCat("rediss://heed:secret@localhost:", redis.port());
  options_.redis_tls.ca_file = file("stranger.pem", stranger.certificate());
  Node distrusts(models_, options_);
  EXPECT_THAT(MessageOf(distrusts->Create(models_), absl::StatusCode::kUnavailable), HasSubstr("TLS: the server's"));
  options_.redis_tls.ca_file = files.File("nothing.pem");
  Node none(models_, options_);
  EXPECT_THAT(MessageOf(none->Create(models_), absl::StatusCode::kUnavailable), HasSubstr("nothing.pem"));
  options_.place = absl::StrCat("redis://heed:secret@localhost:", redis.port());
  Node plain(models_, options_);
  MessageOf(plain->Create(models_), absl::StatusCode::kUnavailable);
}

TEST(RedisUrlTest, UrlsSayWhereRedisIs) {
  const auto plain = ParseRedisUrl("redis://redis:6380");
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->host, "redis");
  EXPECT_EQ(plain->port, 6380);
  EXPECT_EQ(plain->password, "");
  EXPECT_EQ(plain->database, 0);
  const auto full = ParseRedisUrl("redis://:p@ss:word/@[::1]:1/15");
  ASSERT_TRUE(full.ok()) << full.status();
  EXPECT_EQ(full->host, "::1");
  EXPECT_EQ(full->port, 1);
  EXPECT_EQ(full->password, "p@ss:word/");
  EXPECT_EQ(full->database, 15);
  EXPECT_EQ(full->user, "");
  EXPECT_FALSE(full->tls.has_value());
  const auto secure = ParseRedisUrl("rediss://me:a:b@host:6379");
  ASSERT_TRUE(secure.ok()) << secure.status();
  EXPECT_EQ(secure->user, "me");
  EXPECT_EQ(secure->password, "a:b");
  EXPECT_TRUE(secure->tls.has_value());
}

TEST(RedisUrlTest, OtherUrlsAreRefusedWithoutTheirPassword) {
  for (const char* url :
       {"", "redis://", "http://:secret@host:1", "redis://secret@host:1", "redis://:secret@host", "redis://:secret@:1",
        "redis://:secret@host:0", "redis://:secret@host:65536", "redis://:secret@host:1/x", "redis://:secret@host:1/-1",
        "redis://:secret@[::1:1", "redis://:secret"}) {
    const auto address = ParseRedisUrl(url);
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(std::string(address.status().message()), Not(HasSubstr("secret"))) << url;
  }
  const FakeModels models;
  Metrics metrics;
  SessionOptions options;
  options.place = "redisx://:secret@host:1";
  const auto store = SessionStore::Open(options, models.registry(), metrics);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(store.status().message()), AllOf(HasSubstr("--sessions: "), Not(HasSubstr("secret"))));
}

}  // namespace
}  // namespace heed
