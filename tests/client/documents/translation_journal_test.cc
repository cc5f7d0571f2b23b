// SPDX-License-Identifier: Apache-2.0
#include "client/documents/translation_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "client/documents/output_file.h"

namespace heed::client {
namespace {

using testing::HasSubstr;

class JournalTest : public testing::Test {
 protected:
  ~JournalTest() override { std::filesystem::remove(path_); }
  const std::string path_ = absl::StrCat(testing::TempDir(), "heed-journal-", getpid());
};

TEST_F(JournalTest, RemembersAcrossRuns) {
  {
    auto journal = *TranslationJournal::Open(path_, false);
    EXPECT_TRUE(journal->Add("key", "one").ok());
    EXPECT_TRUE(journal->Add("key", "two").ok());
    EXPECT_TRUE(journal->Add("", std::string(100000, 'x')).ok());
    EXPECT_EQ(journal->Find("key"), "two");
    EXPECT_EQ(journal->Find("ke"), std::nullopt);
  }
  auto journal = *TranslationJournal::Open(path_, false);
  EXPECT_EQ(journal->size(), 3);
  EXPECT_EQ(journal->Find("key"), "two");
  EXPECT_EQ(journal->Find(""), std::string(100000, 'x'));
}

TEST_F(JournalTest, ARecordThatWasCutOffDoesNotCount) {
  {
    auto journal = *TranslationJournal::Open(path_, false);
    EXPECT_TRUE(journal->Add("a", "one").ok());
    EXPECT_TRUE(journal->Add("b", "two").ok());
  }
  const auto size = std::filesystem::file_size(path_);
  for (size_t cut = 1; cut <= 28; ++cut) {
    std::filesystem::resize_file(path_, size - cut);
    auto journal = *TranslationJournal::Open(path_, false);
    EXPECT_EQ(journal->Find("a"), "one");
    EXPECT_EQ(journal->Find("b"), std::nullopt);
    EXPECT_TRUE(journal->Add("b", "two").ok());
  }
}

TEST_F(JournalTest, ADamagedRecordDoesNotCount) {
  {
    auto journal = *TranslationJournal::Open(path_, false);
    EXPECT_TRUE(journal->Add("a", "one").ok());
    EXPECT_TRUE(journal->Add("b", "two").ok());
  }
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('x');
  }
  auto journal = *TranslationJournal::Open(path_, false);
  EXPECT_EQ(journal->size(), 1);
  EXPECT_EQ(journal->Find("b"), std::nullopt);
}

TEST_F(JournalTest, IsOfOneRunAtATime) {
  auto journal = *TranslationJournal::Open(path_, false);
  const auto second = TranslationJournal::Open(path_, false);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("another heed writes the same output"));
}

TEST_F(JournalTest, RestartForgetsAndOtherFilesAreRefused) {
  {
    auto journal = *TranslationJournal::Open(path_, false);
    EXPECT_TRUE(journal->Add("a", "one").ok());
  }
  EXPECT_EQ((*TranslationJournal::Open(path_, true))->Find("a"), std::nullopt);
  std::ofstream(path_) << "something else entirely";
  EXPECT_EQ(TranslationJournal::Open(path_, false).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(JournalTest, AnOutputFileIsThereAsAWholeOrNotAtAll) {
  {
    auto file = *OutputFile::Open(path_);
    EXPECT_TRUE(file->Write("half").ok());
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_FALSE(std::filesystem::exists(path_ + ".partial"));
  auto file = *OutputFile::Open(path_);
  EXPECT_TRUE(file->Write("whole").ok());
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_TRUE(file->Commit().ok());
  EXPECT_EQ(std::filesystem::file_size(path_), 5u);
  EXPECT_FALSE(OutputFile::Open("/no/such/folder/x").ok());
}

}  // namespace
}  // namespace heed::client
