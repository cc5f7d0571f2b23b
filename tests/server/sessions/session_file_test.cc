// SPDX-License-Identifier: Apache-2.0
#include "server/sessions/session_file.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_question_answerer.h"
#include "xxhash.h"

namespace heed {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Session SmallSession() {
  Session session;
  session.id = "not kept";
  session.model_name = "qa";
  session.fingerprint = "print";
  session.version = 7;
  session.state = std::make_shared<FakeState>(std::vector<std::string>{"mary went home", "", "john has 2 apples"}, 5);
  session.records = {{"first", "answer\n1"}, {"second", ""}};
  return session;
}

std::string LittleEndian(uint64_t value, size_t bytes) {
  std::string result;
  for (size_t i = 0; i < bytes; ++i) result.push_back(static_cast<char>(value >> (8 * i)));
  return result;
}

// A session of this content, between the header and the checksum, with the right size and checksum.
std::string Sealed(const std::string& content) {
  std::string bytes = absl::StrCat("HEEDSESS", LittleEndian(1, 4), LittleEndian(28 + content.size(), 8), content);
  return bytes + LittleEndian(XXH3_64bits(bytes.data(), bytes.size()), 8);
}
std::string ContentOf(const std::string& bytes) { return bytes.substr(20, bytes.size() - 28); }

std::string MessageOf(const std::string& bytes, absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
  const auto content = ParseSession(bytes);
  EXPECT_EQ(content.status().code(), code) << content.status();
  return std::string(content.status().message());
}

TEST(SessionFileTest, ReadsWhatItWrote) {
  const std::string bytes = WriteSession(SmallSession(), true);
  auto content = ParseSession(bytes);
  ASSERT_TRUE(content.ok()) << content.status();
  const auto session = RestoreSession(*std::move(content), FakeQuestionAnswerer("qa", "print"));
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(session->id, "");
  EXPECT_EQ(session->model_name, "qa");
  EXPECT_EQ(session->fingerprint, "print");
  EXPECT_EQ(session->version, 7);
  EXPECT_EQ(session->state->Serialize(), SmallSession().state->Serialize());
  ASSERT_EQ(session->records.size(), 2u);
  EXPECT_EQ(session->records[0].request_id, "first");
  EXPECT_EQ(session->records[0].response, "answer\n1");
  EXPECT_EQ(session->records[1].request_id, "second");
  EXPECT_EQ(session->records[1].response, "");
}

TEST(SessionFileTest, LeavesRecordsOutOnRequest) {
  const std::string bytes = WriteSession(SmallSession(), false);
  const auto content = ParseSession(bytes);
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_TRUE(content->records.empty());
  EXPECT_EQ(content->units, 3);
  EXPECT_EQ(bytes.find("answer"), std::string::npos);
}

TEST(SessionFileTest, BytesThatAreNoSessionSaySo) {
  EXPECT_THAT(MessageOf("something else altogether, and long enough"),
              AllOf(HasSubstr("is no session"), HasSubstr("HEEDSESS")));
  EXPECT_THAT(MessageOf(""), HasSubstr("is truncated: has 0 bytes, needs 28 at least"));
}

TEST(SessionFileTest, OtherFormatVersionNamesBoth) {
  std::string bytes = WriteSession(SmallSession(), true);
  bytes[8] = 9;
  EXPECT_THAT(MessageOf(bytes, absl::StatusCode::kUnimplemented),
              HasSubstr("is of format version 9, this server reads 1"));
}

TEST(SessionFileTest, OtherWeightsNameBothFingerprints) {
  const std::string bytes = WriteSession(SmallSession(), true);
  const auto session = RestoreSession(*ParseSession(bytes), FakeQuestionAnswerer("qa", "other-print"));
  EXPECT_EQ(session.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(session.status().message()),
              AllOf(HasSubstr("fingerprint print,"), HasSubstr("\"qa\" now has other-print")));
}

// The same weights, but a state that was computed in another precision.
TEST(SessionFileTest, OtherPrecisionNamesBoth) {
  const std::string bytes = WriteSession(SmallSession(), true);
  const auto session = RestoreSession(*ParseSession(bytes), FakeQuestionAnswerer("qa", "print-int8"));
  EXPECT_EQ(session.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(session.status().message(),
            "was computed in f32, the model \"qa\" with the same weights now computes in int8");
}

TEST(SessionFileTest, EveryTruncationIsRefused) {
  const std::string bytes = WriteSession(SmallSession(), true);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THAT(MessageOf(bytes.substr(0, size)),
                HasSubstr(absl::StrCat("is truncated: has ", size, " bytes, needs ")));
  }
  EXPECT_THAT(MessageOf(bytes.substr(0, bytes.size() - 1)), HasSubstr(absl::StrCat("needs ", bytes.size())));
  EXPECT_THAT(MessageOf(bytes + "x"), HasSubstr(absl::StrCat("is too long: has ", bytes.size() + 1, " bytes")));
}

TEST(SessionFileTest, EveryFlippedBitIsNoticed) {
  const std::string bytes = WriteSession(SmallSession(), true);
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      EXPECT_FALSE(ParseSession(damaged).ok()) << "byte " << i << ", bit " << bit;
    }
  }
}

TEST(SessionFileTest, RandomBytesAreRefused) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string content(random() % 200, '\0');
    for (char& byte : content) byte = static_cast<char>(random());
    EXPECT_FALSE(ParseSession(content).ok());
    EXPECT_FALSE(ParseSession("HEEDSESS" + content).ok());
    EXPECT_THAT(MessageOf(Sealed(content)), HasSubstr("its content is not that of a session"));
  }
}

// Whoever makes such bytes knows how to make the checksum, too.
TEST(SessionFileTest, ContentIsNotTrustedForItsChecksum) {
  const FakeQuestionAnswerer model("qa", "print");
  const std::string content = ContentOf(WriteSession(SmallSession(), true));
  ASSERT_TRUE(ParseSession(Sealed(content)).ok());
  int refused = 0;
  for (size_t i = 0; i < content.size(); ++i) {
    for (const uint64_t value :
         {uint64_t{0}, uint64_t{1} << 31, uint64_t{1} << 63, ~uint64_t{0}, uint64_t{content.size()}}) {
      for (const size_t width : {size_t{1}, size_t{4}, size_t{8}}) {
        std::string hostile = content;
        hostile.replace(i, width, LittleEndian(value, width), 0, std::min(width, content.size() - i));
        const std::string sealed = Sealed(hostile);
        absl::StatusOr<SessionContent> parsed = ParseSession(sealed);
        const bool restored = parsed.ok() && RestoreSession(*std::move(parsed), model).ok();
        refused += !restored;
      }
    }
  }
  EXPECT_GT(refused, 0);
  for (size_t size = 0; size < content.size(); ++size) EXPECT_FALSE(ParseSession(Sealed(content.substr(0, size))).ok());
  EXPECT_FALSE(ParseSession(Sealed(content + "x")).ok());
}

TEST(SessionFileTest, NumbersOutOfRangeAreRefused) {
  Session session = SmallSession();
  session.version = 0;
  EXPECT_THAT(MessageOf(WriteSession(session, true)), HasSubstr("its content is not that of a session"));
  session.version = 1;
  session.records.resize(kMaxRequestRecords + 1);
  EXPECT_THAT(MessageOf(WriteSession(session, true)), HasSubstr("its content is not that of a session"));
}

TEST(SessionFileTest, NumberOfFactsMustBeTheStates) {
  std::string content = ContentOf(WriteSession(SmallSession(), false));
  content.replace(8 + 2 + 8 + 5 + 8, 8, LittleEndian(4, 8));
  const std::string bytes = Sealed(content);
  const auto session = RestoreSession(*ParseSession(bytes), FakeQuestionAnswerer("qa", "print"));
  EXPECT_EQ(session.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(session.status().message()),
              HasSubstr("says that 4 facts or tokens were read, its state says 3"));
}

}  // namespace
}  // namespace heed
