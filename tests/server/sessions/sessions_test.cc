// SPDX-License-Identifier: Apache-2.0
// The store's promises in memory alone and with a directory; session_redis_test.cc has those with Redis.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/sessions/session_store.h"
#include "tests/support/session_calls.h"

namespace heed {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SessionStoreTest : public ::testing::Test {
 protected:
  SessionStoreTest() {
    models_.Load();
    options_.now = [this] { return now_.load(); };
  }

  void Open() { Open(models_); }
  void Open(const FakeModels& models) {
    Stop();
    auto store = SessionStore::Open(options_, models.registry(), metrics_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    calls_ = std::make_unique<SessionCalls>(*store_);
  }
  void Stop() {
    calls_.reset();
    store_.reset();
  }
  void KeepFiles() { options_.place = root_.File("sessions"); }
  std::string FileOf(const std::string& id) const { return absl::StrCat("sessions/", id, ".session"); }

  std::string Create(std::vector<std::string> facts = {}) {
    const auto session = calls_->Create(models_, std::move(facts));
    EXPECT_TRUE(session.ok()) << session.status();
    return session.ok() ? (*session)->id : "";
  }
  std::vector<std::string> FactsOf(const std::string& id) {
    const auto session = calls_->Find(id);
    EXPECT_TRUE(session.ok()) << session.status();
    return session.ok() ? Facts(**session) : std::vector<std::string>{"?"};
  }
  template <typename Result>
  static std::string MessageOf(const Result& result, absl::StatusCode code) {
    EXPECT_EQ(result.status().code(), code) << result.status();
    return std::string(result.status().message());
  }
  static std::string MessageOf(const absl::Status& status, absl::StatusCode code) {
    EXPECT_EQ(status.code(), code) << status;
    return std::string(status.message());
  }
  void Advance(Clock::duration time) { now_ = now_.load() + time; }

  TemporaryDirectory root_;
  FakeModels models_;
  Metrics metrics_;
  std::atomic<TimePoint> now_ = Clock::now();
  SessionOptions options_;
  std::unique_ptr<SessionStore> store_;
  std::unique_ptr<SessionCalls> calls_;
};

TEST_F(SessionStoreTest, NewSessionHasANameThatNobodyCanGuess) {
  Open();
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) {
    const auto session = calls_->Create(models_, {"mary went home"});
    ASSERT_TRUE(session.ok()) << session.status();
    EXPECT_THAT((*session)->id, ::testing::MatchesRegex("[0-9a-f]{32}"));
    EXPECT_TRUE(ids.insert((*session)->id).second);
    EXPECT_EQ((*session)->version, 1);
    EXPECT_EQ((*session)->model_name, "fake-qa");
    EXPECT_EQ((*session)->fingerprint, "print");
  }
}

TEST_F(SessionStoreTest, ChangesMakeVersionsAndLeaveTheOldOnesAsTheyWere) {
  Open();
  const std::string id = Create({"one"});
  const auto before = calls_->Find(id);
  ASSERT_TRUE(before.ok());
  const auto after = calls_->Tell(id, "two");
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ((*after)->version, 2);
  EXPECT_THAT(Facts(**after), ElementsAre("one", "two"));
  EXPECT_THAT(FactsOf(id), ElementsAre("one", "two"));
  EXPECT_EQ((*before)->version, 1);
  EXPECT_THAT(Facts(**before), ElementsAre("one"));
}

TEST_F(SessionStoreTest, LeasesExcludeEachOtherAndChangeNothingUnlessCommitted) {
  Open();
  const std::string id = Create({"one"}), other = Create();
  auto lease = calls_->Take(id);
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_EQ((*lease)->session().version, 1);
  EXPECT_THAT(MessageOf(calls_->Take(id), absl::StatusCode::kAborted), HasSubstr("another request is changing it"));
  EXPECT_THAT(FactsOf(id), ElementsAre("one"));
  EXPECT_TRUE(calls_->Take(other).ok());
  lease->reset();
  EXPECT_THAT(FactsOf(id), ElementsAre("one"));
  EXPECT_TRUE(calls_->Tell(id, "two").ok());
}

TEST_F(SessionStoreTest, OtherVersionThanExpectedIsAborted) {
  Open();
  const std::string id = Create();
  ASSERT_TRUE(calls_->Tell(id, "one", "request").ok());
  EXPECT_TRUE(calls_->Find(id, 2).ok());
  EXPECT_THAT(MessageOf(calls_->Find(id, 1), absl::StatusCode::kAborted),
              HasSubstr("expected_version: 1, the session has version 2"));
  EXPECT_THAT(MessageOf(calls_->Take(id, 3), absl::StatusCode::kAborted), HasSubstr("version 2"));
  EXPECT_TRUE(calls_->Take(id, 2).ok());
  // The first answer to a request is given again, whatever has changed since then.
  const auto lease = calls_->Take(id, 1, "request");
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_EQ((*lease)->session().FindRecord("request")->response, "version 2");
}

TEST_F(SessionStoreTest, RemembersTheLastRequests) {
  Open();
  const std::string id = Create();
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(calls_->Tell(id, "fact", absl::StrCat("request ", i)).ok());
  ASSERT_TRUE(calls_->Tell(id, "fact").ok());  // without a name
  const auto session = calls_->Find(id);
  ASSERT_TRUE(session.ok());
  ASSERT_EQ((*session)->records.size(), kMaxRequestRecords);
  EXPECT_EQ((*session)->records.front().request_id, "request 8");
  EXPECT_EQ((*session)->records.back().request_id, "request 39");
  EXPECT_EQ((*session)->records.back().response, "version 41");
  ASSERT_TRUE(calls_->Tell(id, "again", "request 39").ok());
  EXPECT_EQ(FactsOf(id).size(), 41u);
}

TEST_F(SessionStoreTest, ClosedSessionIsGoneAndItsLeaseIsWorthNothing) {
  for (const bool files : {false, true}) {
    if (files) KeepFiles();
    Open();
    const std::string id = Create();
    auto lease = calls_->Take(id);
    ASSERT_TRUE(lease.ok());
    EXPECT_TRUE(calls_->Close(id).ok());
    EXPECT_THAT(MessageOf(calls_->Find(id), absl::StatusCode::kNotFound), HasSubstr("it was closed"));
    EXPECT_THAT(MessageOf(calls_->Commit(*std::move(lease), {"late"}), absl::StatusCode::kNotFound),
                HasSubstr("it was closed"));
    EXPECT_THAT(MessageOf(calls_->Close(id), absl::StatusCode::kNotFound), HasSubstr("it was closed"));
    EXPECT_THAT(MessageOf(calls_->Take(id), absl::StatusCode::kNotFound), HasSubstr("it was closed"));
    EXPECT_FALSE(std::filesystem::exists(root_.path() / FileOf(id)));
  }
}

TEST_F(SessionStoreTest, NamesThatAreNoneAreNotLookedFor) {
  KeepFiles();
  Open();
  const std::string id = Create();
  std::string upper = id;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::filesystem::copy(root_.path() / FileOf(id), root_.path() / "outside.session");
  for (const std::string& name : {std::string(), std::string("../outside"), id + "0", id.substr(1), upper + "X",
                                  "/" + id.substr(1), id.substr(1) + std::string(1, '\0')}) {
    EXPECT_THAT(MessageOf(calls_->Find(name), absl::StatusCode::kNotFound), HasSubstr("there is none of this name"));
    EXPECT_THAT(MessageOf(calls_->Close(name), absl::StatusCode::kNotFound), HasSubstr("there is none of this name"));
  }
  EXPECT_TRUE(calls_->Find(id).ok());
}

TEST_F(SessionStoreTest, IdleSessionsAreClosedUnlessTheyAreUsed) {
  options_.idle_limit = std::chrono::minutes(10);
  for (const bool files : {false, true}) {
    if (files) KeepFiles();
    Open();
    const std::string idle = Create(), used = Create(), leased = Create();
    auto lease = calls_->Take(leased);
    ASSERT_TRUE(lease.ok());
    Advance(std::chrono::minutes(6));
    EXPECT_TRUE(calls_->Find(used).ok());
    Advance(std::chrono::minutes(6));
    EXPECT_THAT(MessageOf(calls_->Find(idle), absl::StatusCode::kNotFound),
                HasSubstr("it was closed, as it was not used for more than 600 s"));
    EXPECT_TRUE(calls_->Find(used).ok());
    EXPECT_TRUE(calls_->Find(leased).ok());
    EXPECT_TRUE(calls_->Commit(*std::move(lease), {"told"}).ok());
    Advance(std::chrono::minutes(11));
    store_->CloseIdle();
    Stop();  // with what it has to remove
    EXPECT_FALSE(std::filesystem::exists(root_.path() / FileOf(used)));
    EXPECT_FALSE(std::filesystem::exists(root_.path() / FileOf(leased)));
  }
  EXPECT_THAT(metrics_.Text(), HasSubstr("heed_session_events_total{event=\"expired\"} 6"));
}

TEST_F(SessionStoreTest, ManySessionsThatExpireTogetherLeaveNoFile) {
  KeepFiles();
  std::filesystem::create_directory(root_.path() / "sessions");
  constexpr int kSessions = 6000;  // more than the place's queue takes
  const auto long_ago = std::filesystem::file_time_type::clock::now() - std::chrono::hours(48);
  for (int i = 0; i < kSessions; ++i) {
    const std::string file = FileOf(absl::StrFormat("%032x", i));
    root_.Write(file, "x");
    std::filesystem::last_write_time(root_.path() / file, long_ago);
  }
  Open();
  // One that is asked for is gone, whether its turn has come or not.
  EXPECT_THAT(MessageOf(calls_->Find(absl::StrFormat("%032x", kSessions - 1)), absl::StatusCode::kNotFound),
              HasSubstr("it was closed, as it was not used"));
  const auto left = [&] {
    std::error_code gone;
    int64_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(root_.path() / "sessions", gone)) {
      files += entry.path().extension() == ".session";
    }
    return files;
  };
  for (const TimePoint limit = Clock::now() + std::chrono::seconds(60); left() > 0;) {
    ASSERT_LT(Clock::now(), limit) << left() << " files are left";
    store_->CloseIdle();
    std::this_thread::yield();
  }
}

TEST_F(SessionStoreTest, SessionsInADirectoryAreLimited) {
  KeepFiles();
  options_.max_sessions = 1;
  options_.max_stored_sessions = 2;
  Open();
  const std::string first = Create();
  Create();
  EXPECT_EQ(MessageOf(calls_->Create(models_), absl::StatusCode::kResourceExhausted),
            "sessions: there are 2, at most --max_stored_sessions=2");
  EXPECT_TRUE(calls_->Close(first).ok());
  Create();
}

TEST_F(SessionStoreTest, LimitOfZeroKeepsIdleSessions) {
  options_.idle_limit = Clock::duration::zero();
  Open();
  const std::string id = Create();
  Advance(std::chrono::hours(10'000));
  EXPECT_TRUE(calls_->Find(id).ok());
}

TEST_F(SessionStoreTest, LeastRecentlyUsedSessionMakesRoomAndIsGone) {
  options_.max_sessions = 3;
  Open();
  const std::string leased = Create();
  auto lease = calls_->Take(leased);
  std::vector<std::string> ids;
  for (int i = 0; i < 2; ++i) {
    Advance(std::chrono::seconds(1));
    ids.push_back(Create());
  }
  Advance(std::chrono::seconds(1));
  EXPECT_TRUE(calls_->Find(ids[0]).ok());
  Advance(std::chrono::seconds(1));
  ids.push_back(Create());
  EXPECT_THAT(MessageOf(calls_->Find(ids[1]), absl::StatusCode::kNotFound),
              HasSubstr("it made room for others, at the limit of 3 sessions"));
  EXPECT_TRUE(calls_->Find(ids[0]).ok());
  EXPECT_TRUE(calls_->Find(ids[2]).ok());
  EXPECT_TRUE(calls_->Commit(*std::move(lease), {"told"}).ok());
  EXPECT_THAT(metrics_.Text(), AllOf(HasSubstr("heed_sessions 3"), HasSubstr("{event=\"evicted\"} 1"),
                                     HasSubstr("{event=\"opened\"} 4")));
}

TEST_F(SessionStoreTest, NoSessionIsOpenedWhileAllAreBeingChanged) {
  options_.max_sessions = 1;
  Open();
  auto lease = calls_->Take(Create());
  ASSERT_TRUE(lease.ok());
  EXPECT_THAT(MessageOf(calls_->Create(models_), absl::StatusCode::kResourceExhausted), HasSubstr("try again later"));
  lease->reset();
  EXPECT_TRUE(calls_->Create(models_).ok());
}

TEST_F(SessionStoreTest, BytesAreLimited) {
  Open();
  const std::string fact(1000, 'x');
  const std::string measured = Create({fact});
  options_.max_bytes = 2 * (*calls_->Find(measured))->bytes() + 500;
  Open();
  const std::string first = Create({fact});
  Advance(std::chrono::seconds(1));
  const std::string second = Create({fact});
  EXPECT_TRUE(calls_->Find(first).ok());
  Advance(std::chrono::seconds(1));
  ASSERT_TRUE(calls_->Tell(second, fact).ok());
  EXPECT_THAT(MessageOf(calls_->Find(first), absl::StatusCode::kNotFound),
              HasSubstr(absl::StrCat("at the limit of ", options_.max_bytes, " bytes")));
  // One that is larger than all of the memory is served nevertheless, as long as nobody needs another.
  ASSERT_TRUE(calls_->Tell(second, std::string(5000, 'y')).ok());
  EXPECT_EQ(FactsOf(second).size(), 3u);
}

TEST_F(SessionStoreTest, ReasonsAreForgottenAfterManyMore) {
  Open();
  const std::string first = Create();
  ASSERT_TRUE(calls_->Close(first).ok());
  std::string last;
  for (int i = 0; i < 10'000; ++i) {
    last = Create();
    ASSERT_TRUE(calls_->Close(last).ok());
  }
  EXPECT_THAT(MessageOf(calls_->Find(first), absl::StatusCode::kNotFound), HasSubstr("there is none of this name"));
  EXPECT_THAT(MessageOf(calls_->Find(last), absl::StatusCode::kNotFound), HasSubstr("it was closed"));
}

TEST_F(SessionStoreTest, ExportIsImportedAsANewSession) {
  Open();
  const std::string id = Create({"one"});
  ASSERT_TRUE(calls_->Tell(id, "two", "request").ok());
  const std::string data = store_->Export(**calls_->Find(id));
  const auto imported = calls_->Import(data);
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_NE((*imported)->id, id);
  EXPECT_EQ((*imported)->version, 1);
  EXPECT_THAT((*imported)->records, IsEmpty());
  EXPECT_THAT(FactsOf((*imported)->id), ElementsAre("one", "two"));
  ASSERT_TRUE(calls_->Tell((*imported)->id, "three").ok());
  EXPECT_THAT(FactsOf(id), ElementsAre("one", "two"));

  EXPECT_TRUE(calls_->Import(data, "fake-qa").ok());
  EXPECT_THAT(MessageOf(calls_->Import(data, "other"), absl::StatusCode::kNotFound), HasSubstr("\"other\""));
  EXPECT_THAT(MessageOf(calls_->Import("no export"), absl::StatusCode::kInvalidArgument),
              HasSubstr("data: is no session"));
  EXPECT_THAT(MessageOf(calls_->Import(data.substr(0, 50)), absl::StatusCode::kInvalidArgument),
              HasSubstr("data: is truncated"));
  std::string newer = data;
  newer[8] = 2;
  EXPECT_THAT(MessageOf(calls_->Import(newer), absl::StatusCode::kInvalidArgument),
              HasSubstr("data: is of format version 2"));
  options_.max_facts = 1;
  Open();
  EXPECT_THAT(MessageOf(calls_->Import(data), absl::StatusCode::kResourceExhausted),
              HasSubstr("data: the session would hold 2 facts, at most --session_facts=1"));
  FakeModels others("other-print");
  Open(others.Load());
  options_.max_facts = 1000;
  Open(others);
  EXPECT_THAT(MessageOf(calls_->Import(data), absl::StatusCode::kFailedPrecondition),
              AllOf(HasSubstr("data: is of weights with the fingerprint print"), HasSubstr("other-print")));
}

TEST_F(SessionStoreTest, StoppedStoreIsUnavailable) {
  for (const bool files : {false, true}) {
    if (files) KeepFiles();
    Open();
    const std::string id = Create();
    auto lease = calls_->Take(id);
    ASSERT_TRUE(lease.ok());
    store_->Stop();
    MessageOf(calls_->Create(models_), absl::StatusCode::kUnavailable);
    MessageOf(calls_->Find(id), absl::StatusCode::kUnavailable);
    MessageOf(calls_->Take(id), absl::StatusCode::kAborted);
    MessageOf(calls_->Commit(*std::move(lease), {"late"}), absl::StatusCode::kUnavailable);
    MessageOf(calls_->Take(id), absl::StatusCode::kUnavailable);
    MessageOf(calls_->Close(id), absl::StatusCode::kUnavailable);
  }
}

// Tells facts from several threads to a few sessions, each of which finds every fact of its own in the order told.
TEST_F(SessionStoreTest, ManyThreadsChangeSessionsBesideEachOther) {
  for (const bool files : {false, true}) {
    if (files) {
      KeepFiles();
      options_.max_sessions = 2;  // they come and go
    }
    Open();
    const std::vector<std::string> ids = {Create(), Create(), Create(), Create()};
    constexpr int kThreads = 3, kFacts = 20;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int fact = 0; fact < kFacts; ++fact) {
          for (const std::string& id : ids) {
            while (true) {
              const auto told = calls_->Tell(id, absl::StrCat(thread, " ", fact));
              if (told.ok()) break;
              EXPECT_TRUE(absl::IsAborted(told.status()) || absl::IsResourceExhausted(told.status())) << told.status();
              std::this_thread::yield();
            }
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    if (files) Open();
    for (const std::string& id : ids) {
      const std::vector<std::string> facts = FactsOf(id);
      EXPECT_EQ(facts.size(), static_cast<size_t>(kThreads * kFacts));
      EXPECT_EQ(std::set<std::string>(facts.begin(), facts.end()).size(), facts.size());
    }
  }
}

TEST_F(SessionStoreTest, RestartFindsTheSessionsAgain) {
  KeepFiles();
  Open();
  const std::string id = Create({"one"}), closed = Create();
  ASSERT_TRUE(calls_->Tell(id, "two", "request").ok());
  ASSERT_TRUE(calls_->Close(closed).ok());
  Open();
  const auto session = calls_->Find(id);
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ((*session)->id, id);
  EXPECT_EQ((*session)->version, 2);
  EXPECT_THAT(Facts(**session), ElementsAre("one", "two"));
  EXPECT_EQ((*session)->FindRecord("request")->response, "version 2");
  EXPECT_THAT(MessageOf(calls_->Find(closed), absl::StatusCode::kNotFound), HasSubstr("there is none of this name"));
  EXPECT_TRUE(calls_->Tell(id, "three").ok());
}

TEST_F(SessionStoreTest, SessionsThatLeaveMemoryComeBackFromTheirFiles) {
  KeepFiles();
  options_.max_sessions = 2;
  Open();
  std::vector<std::string> ids;
  for (int i = 0; i < 6; ++i) {
    Advance(std::chrono::seconds(1));
    ids.push_back(Create({absl::StrCat("fact ", i)}));
  }
  EXPECT_THAT(metrics_.Text(), AllOf(HasSubstr("heed_sessions 2"), HasSubstr("{event=\"evicted\"} 4")));
  for (int i = 0; i < 6; ++i) EXPECT_THAT(FactsOf(ids[static_cast<size_t>(i)]), ElementsAre(absl::StrCat("fact ", i)));
  EXPECT_TRUE(calls_->Tell(ids[0], "more").ok());
  EXPECT_THAT(metrics_.Text(), AllOf(HasSubstr("heed_sessions 2"), HasSubstr("{event=\"restored\"}")));
}

TEST_F(SessionStoreTest, IdleLimitGoesOnWhileNoServerRuns) {
  KeepFiles();
  options_.idle_limit = std::chrono::minutes(10);
  Open();
  const std::string idle = Create(), used = Create();
  Stop();
  const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::minutes(11);
  std::filesystem::last_write_time(root_.path() / FileOf(idle), old);
  Open();
  EXPECT_THAT(MessageOf(calls_->Find(idle), absl::StatusCode::kNotFound), HasSubstr("not used for more than 600 s"));
  EXPECT_TRUE(calls_->Find(used).ok());
  Stop();
  EXPECT_FALSE(std::filesystem::exists(root_.path() / FileOf(idle)));
}

TEST_F(SessionStoreTest, UseIsNotedInTheFilesTime) {
  KeepFiles();
  Open();
  const std::string id = Create();
  const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::minutes(50);
  std::filesystem::last_write_time(root_.path() / FileOf(id), old);
  EXPECT_TRUE(calls_->Find(id).ok());
  Stop();
  EXPECT_GT(std::filesystem::last_write_time(root_.path() / FileOf(id)), old + std::chrono::minutes(40));
}

TEST_F(SessionStoreTest, DamagedFileIsKeptAside) {
  KeepFiles();
  Open();
  const std::string good = Create({"good"}), damaged = Create({"bad"}), newer = Create(), lost = Create();
  Stop();
  std::string bytes = root_.Read(FileOf(damaged));
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  root_.Write(FileOf(damaged), bytes);
  std::string other_format = root_.Read(FileOf(newer));
  other_format[8] = 2;
  root_.Write(FileOf(newer), other_format);
  root_.Write(FileOf(good) + ".partial", "half of a fi");
  root_.Write("sessions/not a name.session", "");
  Open();
  std::filesystem::remove(root_.path() / FileOf(lost));
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(
        MessageOf(calls_->Find(damaged), absl::StatusCode::kFailedPrecondition),
        AllOf(HasSubstr("is damaged: its checksum"), HasSubstr("kept beside the others, as *.session.damaged")));
    EXPECT_THAT(MessageOf(calls_->Take(newer), absl::StatusCode::kFailedPrecondition),
                HasSubstr("is of format version 2, this server reads 1"));
  }
  EXPECT_EQ(root_.Read(FileOf(damaged) + ".damaged"), bytes);
  EXPECT_EQ(root_.Read(FileOf(newer)), other_format);
  EXPECT_FALSE(std::filesystem::exists(root_.path() / FileOf(damaged)));
  EXPECT_FALSE(std::filesystem::exists(root_.path() / (FileOf(good) + ".partial")));
  EXPECT_TRUE(std::filesystem::exists(root_.path() / "sessions/not a name.session"));
  MessageOf(calls_->Find(lost), absl::StatusCode::kNotFound);
  EXPECT_THAT(FactsOf(good), ElementsAre("good"));
}

TEST_F(SessionStoreTest, DiskThatFailsChangesNothing) {
  KeepFiles();
  Open();
  const std::string id = Create({"one"});
  const std::filesystem::path obstacle = root_.path() / (FileOf(id) + ".partial");  // where writers begin
  std::filesystem::create_directory(obstacle);
  EXPECT_THAT(MessageOf(calls_->Tell(id, "two", "request"), absl::StatusCode::kUnavailable),
              HasSubstr("its file could not be written: "));
  EXPECT_THAT(FactsOf(id), ElementsAre("one"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("heed_session_place_failures_total{operation=\"write\"} 1"));
  std::filesystem::remove(obstacle);
  EXPECT_TRUE(calls_->Tell(id, "two", "request").ok());
  EXPECT_THAT(FactsOf(id), ElementsAre("one", "two"));
  Stop();
  std::filesystem::remove(root_.path() / FileOf(id));
  std::filesystem::create_directory(root_.path() / FileOf(id));
  Open();
  EXPECT_THAT(MessageOf(calls_->Find(id), absl::StatusCode::kUnavailable), HasSubstr("its file could not be read: "));
  EXPECT_THAT(MessageOf(calls_->Close(id), absl::StatusCode::kUnavailable),
              HasSubstr("its file could not be removed: "));
}

TEST_F(SessionStoreTest, OneStoreAtATimeHasADirectory) {
  KeepFiles();
  Open();
  const auto second = SessionStore::Open(options_, models_.registry(), metrics_);
  EXPECT_THAT(MessageOf(second, absl::StatusCode::kInvalidArgument),
              AllOf(HasSubstr("--sessions="), HasSubstr("another server uses it")));
  options_.place = "/dev/null/sessions";
  EXPECT_THAT(MessageOf(SessionStore::Open(options_, models_.registry(), metrics_), absl::StatusCode::kInvalidArgument),
              HasSubstr("--sessions=/dev/null/sessions: "));
}

TEST_F(SessionStoreTest, SessionNeedsTheWeightsThatItIsOf) {
  KeepFiles();
  Open();
  const std::string id = Create({"one"});
  FakeModels others("other-print"), none("print", {"another"}), loading;
  Open(others.Load());
  EXPECT_THAT(MessageOf(calls_->Find(id), absl::StatusCode::kFailedPrecondition),
              AllOf(HasSubstr("fingerprint print"), HasSubstr("other-print")));
  Open(none.Load());
  EXPECT_THAT(MessageOf(calls_->Take(id), absl::StatusCode::kFailedPrecondition), HasSubstr("\"fake-qa\""));
  Open(loading);
  EXPECT_THAT(MessageOf(calls_->Find(id), absl::StatusCode::kUnavailable), HasSubstr("is loading"));
  loading.Load();
  EXPECT_THAT(FactsOf(id), ElementsAre("one"));
}

// A server that is killed at any moment has every change that it answered, and at most the one under way besides.
TEST_F(SessionStoreTest, KilledServerLosesNothingThatItAnswered) {
  KeepFiles();
  std::mt19937 random(7);
  for (int round = 0; round < 5; ++round) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = fork();
    if (child == 0) {
      Open();
      const std::string id = Create();
      bool heard = write(ends[1], id.data(), id.size()) == static_cast<ssize_t>(id.size());
      for (int fact = 0; heard; ++fact) {
        heard = calls_->Tell(id, absl::StrCat(fact)).ok() && write(ends[1], "+", 1) == 1;
      }
      _exit(1);
    }
    close(ends[1]);
    std::string told;
    auto read_one = [&] {
      char byte = 0;
      if (read(ends[0], &byte, 1) != 1) return false;
      told += byte;
      return true;
    };
    const size_t enough = 32 + random() % 20;
    while (told.size() < enough && read_one()) {
    }
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    while (read_one()) {
    }
    close(ends[0]);
    ASSERT_GE(told.size(), enough);
    Open();
    const std::vector<std::string> facts = FactsOf(told.substr(0, 32));
    const size_t answered = told.size() - 32;
    EXPECT_GE(facts.size(), answered);
    EXPECT_LE(facts.size(), answered + 1);
    for (size_t i = 0; i < facts.size(); ++i) EXPECT_EQ(facts[i], absl::StrCat(i));
    Stop();
  }
}

}  // namespace
}  // namespace heed
