// SPDX-License-Identifier: Apache-2.0
#include "models/markup/placeholders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace heed {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Texts(const std::vector<TextRange>& ranges, const std::string& text) {
  std::vector<std::string> texts;
  for (const TextRange& range : ranges) texts.push_back(text.substr(range.begin, range.end - range.begin));
  return texts;
}
std::vector<std::string> Placeholders(const std::string& text) { return Texts(FindPlaceholders(text), text); }
std::vector<std::string> Addresses(const std::string& text) { return Texts(FindAddresses(text), text); }

TEST(PlaceholdersTest, BracesHoldNamesAndNumbers) {
  EXPECT_THAT(Placeholders("{name} has {0} of {user.files[2]}, {price:.2f} {}."),
              ElementsAre("{name}", "{0}", "{user.files[2]}", "{price:.2f}", "{}"));
  EXPECT_THAT(Placeholders("{{ user.name | upper }} {{{raw}}} {% if x %}"),
              ElementsAre("{{ user.name | upper }}", "{{{raw}}}", "{% if x %}"));
  EXPECT_THAT(Placeholders("{n, plural, one {# file} other {# files}} left"),
              ElementsAre("{n, plural, one {# file} other {# files}}"));
  EXPECT_THAT(Placeholders("{see below} { a, b } {n, that} {"), IsEmpty());
}

TEST(PlaceholdersTest, DollarsAndTheLikeTakeBraces) {
  EXPECT_THAT(Placeholders("${name} #{count} %{who} $(HOME)"), ElementsAre("${name}", "#{count}", "%{who}", "$(HOME)"));
  EXPECT_THAT(Placeholders("It costs $5 (#1)."), IsEmpty());
}

TEST(PlaceholdersTest, PercentSignsConvert) {
  EXPECT_THAT(Placeholders("%s and %d, %1$s, %(name)d, %-5.2f, %ld, %@"),
              ElementsAre("%s", "%d", "%1$s", "%(name)d", "%-5.2f", "%ld", "%@"));
  EXPECT_THAT(Placeholders("%name% waits %ds for %1"), ElementsAre("%name%", "%d", "%1"));
  EXPECT_THAT(Placeholders("50% discount, 100%sure, 5 % of all, %increase, 20%"), IsEmpty());
}

TEST(PlaceholdersTest, BracketsAndTagsAreFound) {
  EXPECT_THAT(Placeholders("[[page]] <x id=\"1\"/> <g id='2'>a</g> <br/>"),
              ElementsAre("[[page]]", "<x id=\"1\"/>", "<g id='2'>", "</g>", "<br/>"));
  EXPECT_THAT(Placeholders("a < b and c > d, <3, <b and c>, [a] [[]]"), IsEmpty());
}

TEST(PlaceholdersTest, HostileTextsTakeLinearTime) {
  for (const char* piece :
       {"{", "{a", "{a,plural,{", "%", "%(", "[[", "<a b=\"", "${", "{{a", "<a ", "@", "www.a)", "http://"}) {
    std::string text;
    while (text.size() < 1 << 18) text += piece;
    FindPlaceholders(text);
    FindAddresses(text);
  }
}

TEST(AddressesTest, UrlsEndBeforeTheSentenceDoes) {
  EXPECT_THAT(Addresses("See https://example.com/a?b=1&c=(2), www.example.org. (http://x.de/)"),
              ElementsAre("https://example.com/a?b=1&c=(2)", "www.example.org", "http://x.de/"));
  EXPECT_THAT(Addresses("\xe8\xa6\x8bhttps://example.com/\xe3\x80\x82"), ElementsAre("https://example.com/"));
  EXPECT_THAT(Addresses("xhttps://example.com swww.example.org www. http://"), IsEmpty());
  EXPECT_THAT(Addresses("(https://example.com/\xc3\xa4)\xe3\x80\x82"), ElementsAre("https://example.com/\xc3\xa4"));
}

TEST(AddressesTest, MailboxesAndNamesAreFound) {
  EXPECT_THAT(Addresses("Write to a.b+c@example.com, or @gargron@mastodon.social. @you"),
              ElementsAre("a.b+c@example.com", "@gargron@mastodon.social", "@you"));
  EXPECT_THAT(Addresses("5 @ 3, a@b, @"), IsEmpty());
}

}  // namespace
}  // namespace heed
