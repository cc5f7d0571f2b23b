// SPDX-License-Identifier: Apache-2.0
#include "server/translation_api/glossary_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Pair;

Glossary Named(const std::string& name, const std::string& owner = "", int second = 0) {
  Glossary glossary;
  glossary.name = name;
  glossary.owner = owner;
  glossary.created = absl::FromUnixSeconds(second);
  glossary.entries = {{"house", "Haus"}};
  return glossary;
}

std::string GlossaryErrorOf(absl::string_view format, absl::string_view text) {
  const absl::Status status = ParseGlossary(format, text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(ParseGlossary, ReadsTabsAndCommas) {
  EXPECT_THAT(*ParseGlossary("tsv", "house\tHaus\r\n\n new york \tNew York\tignored"),
              ElementsAre(Pair("house", "Haus"), Pair("new york", "New York")));
  EXPECT_THAT(*ParseGlossary("csv", "house,Haus,en,de\r\n\"a, \"\"b\"\"\" , \"c\"\n"),
              ElementsAre(Pair("house", "Haus"), Pair("a, \"b\"", "c")));
  EXPECT_THAT(*ParseGlossary("tsv", "\n\n"), IsEmpty());
}

TEST(ParseGlossary, NamesTheLineThatIsWrong) {
  EXPECT_EQ(GlossaryErrorOf("tsv", "a\tb\nc"), "entries: line 2 has no source phrase, or no target phrase");
  EXPECT_EQ(GlossaryErrorOf("tsv", "a\t "), "entries: line 1 has no source phrase, or no target phrase");
  EXPECT_EQ(GlossaryErrorOf("tsv", "a\tb\n\na\tc"), "entries: line 3 has the source phrase \"a\" again");
  EXPECT_EQ(GlossaryErrorOf("csv", "a,b\n\"c,d"), "entries: line 2 has a quotation mark that is not closed");
  EXPECT_EQ(GlossaryErrorOf("csv", "a,\"b\nc\""), "entries: line 1 has a control character");
  EXPECT_EQ(GlossaryErrorOf("xlsx", ""), "entries_format: \"xlsx\", must be \"tsv\" or \"csv\"");
  std::string many;
  for (size_t i = 0; i <= GlossaryStore::kMaxEntries; ++i) absl::StrAppend(&many, i, "\tb\n");
  EXPECT_THAT(GlossaryErrorOf("tsv", many), HasSubstr("more than 10000 entries"));
}

TEST(GlossaryStore, KeepsWhatIsAddedUntilItIsDeleted) {
  GlossaryStore store;
  const auto later = *store.Add(Named("later", "", 2));
  const auto first = *store.Add(Named("first", "", 1));
  EXPECT_THAT(first->id, MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"));
  EXPECT_EQ((*store.Find("", first->id))->name, "first");
  EXPECT_EQ(GlossaryAsTsv(*first), "house\tHaus\n");
  EXPECT_THAT(store.List(""), ElementsAre(first, later));
  EXPECT_TRUE(store.Delete("", first->id).ok());
  EXPECT_EQ(store.Delete("", first->id).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store.Find("", first->id).status().code(), absl::StatusCode::kNotFound);
}

TEST(GlossaryStore, NobodySeesWhatOthersStored) {
  GlossaryStore store;
  const auto glossary = *store.Add(Named("g", "ann"));
  EXPECT_THAT(store.List("bob"), IsEmpty());
  EXPECT_EQ(store.Find("bob", glossary->id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store.Delete("bob", glossary->id).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(store.Find("ann", glossary->id).ok());
}

TEST(GlossaryStore, IsBounded) {
  GlossaryStore store;
  EXPECT_EQ(store.Add(Named("")).status().message(), "name: is not specified");
  Glossary empty = Named("a");
  empty.entries.clear();
  EXPECT_EQ(store.Add(empty).status().message(), "entries: has no entries");
  Glossary large = Named("large");
  large.entries[0].second = std::string(GlossaryStore::kMaxBytes / 2, 'x');
  EXPECT_TRUE(store.Add(large).ok());
  EXPECT_EQ(store.Add(large).status().code(), absl::StatusCode::kResourceExhausted);
  for (size_t i = 1; i < GlossaryStore::kMaxGlossaries; ++i) ASSERT_TRUE(store.Add(Named("g")).ok());
  EXPECT_THAT(store.Add(Named("g")).status().message(), HasSubstr("has 1000 glossaries"));
}

}  // namespace
}  // namespace heed
