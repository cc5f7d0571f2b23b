// SPDX-License-Identifier: Apache-2.0
#include "server/translation_api/request_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::string_view kJson = "application/json";
constexpr absl::string_view kForm = "application/x-www-form-urlencoded";

RequestFields Fields(absl::string_view type, absl::string_view body,
                     const std::vector<std::pair<std::string, std::string>>& query = {}) {
  absl::StatusOr<RequestFields> fields = RequestFields::Read(type, body, query);
  EXPECT_TRUE(fields.ok()) << fields.status();
  return fields.ok() ? *std::move(fields) : RequestFields();
}

std::string BodyErrorOf(absl::string_view type, absl::string_view body) {
  const absl::StatusOr<RequestFields> fields = RequestFields::Read(type, body, {});
  EXPECT_EQ(fields.status().code(), absl::StatusCode::kInvalidArgument) << body;
  return std::string(fields.status().message());
}

TEST(RequestFields, ReadsJson) {
  const RequestFields fields = Fields(kJson, R"({"q": ["one", "zwei\u00e4"], "source": "en", "n": 3, "on": true,
                                                 "none": null, "deep": {"q": ["no"], "x": 1}, "f": 1.50})");
  EXPECT_THAT(*fields.Texts("q"), ElementsAre("one", "zweiä"));
  EXPECT_TRUE(fields.IsList("q"));
  EXPECT_EQ(*fields.Text("source"), "en");
  EXPECT_FALSE(fields.IsList("source"));
  EXPECT_EQ(*fields.Number("n", 0, 0, 9), 3);
  EXPECT_TRUE(*fields.Flag("on", false));
  EXPECT_EQ(*fields.Text("f"), "1.50");
  EXPECT_FALSE(fields.Has("none"));
  EXPECT_TRUE(fields.Has("deep"));
  EXPECT_FALSE(fields.Text("deep").ok());
  EXPECT_FALSE(fields.Has("absent"));
  EXPECT_EQ(*fields.Text("absent"), "");
}

TEST(RequestFields, AListOfOneIsStillAList) {
  const RequestFields fields = Fields(kJson, R"({"q": ["one"], "none": []})");
  EXPECT_TRUE(fields.IsList("q"));
  EXPECT_EQ(*fields.Text("q"), "one");
  EXPECT_TRUE(fields.IsList("none"));
  EXPECT_THAT(*fields.Texts("none"), IsEmpty());
  EXPECT_FALSE(fields.Text("none").ok());
}

TEST(RequestFields, TheLastOfEqualNamesCountsInJson) {
  const RequestFields fields = Fields(kJson, R"({"q": ["a", "b"], "q": "c"})");
  EXPECT_THAT(*fields.Texts("q"), ElementsAre("c"));
  EXPECT_FALSE(fields.IsList("q"));
}

TEST(RequestFields, NamesWhatIsWrongWithJson) {
  EXPECT_THAT(BodyErrorOf(kJson, R"({"q": )"), HasSubstr("not valid JSON, at byte 7"));
  EXPECT_THAT(BodyErrorOf(kJson, R"(["q"])"), HasSubstr("must be a JSON object, is a list"));
  EXPECT_THAT(BodyErrorOf(kJson, "7"), HasSubstr("is a single value"));
  EXPECT_THAT(BodyErrorOf(kJson, "{\"q\": \"\xff\"}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(BodyErrorOf(kJson, absl::StrCat("{\"q\": ", std::string(100, '['))), HasSubstr("64 levels"));
  const RequestFields fields = Fields(kJson, R"({"q": ["a", null]})");
  EXPECT_FALSE(fields.Texts("q").ok());
}

TEST(RequestFields, ReadsForms) {
  const RequestFields fields = Fields(kForm, "text=two+words&text=%C3%A4%2B&tags[]=x&empty=&flag&half=%4&&=odd");
  EXPECT_THAT(*fields.Texts("text"), ElementsAre("two words", "ä+"));
  EXPECT_TRUE(fields.IsList("text"));
  EXPECT_TRUE(fields.IsList("tags"));
  EXPECT_TRUE(fields.Has("empty"));
  EXPECT_EQ(*fields.Text("empty"), "");
  EXPECT_EQ(*fields.Text("flag"), "");
  EXPECT_EQ(*fields.Text("half"), "%4");
  EXPECT_THAT(BodyErrorOf(kForm, "q=a%FFb"), HasSubstr("q: is not UTF-8 at byte 1"));
}

TEST(RequestFields, ReadsMultipartBodiesAndLeavesFilesOut) {
  const std::string body =
      "words before\r\n--b\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\none\r\ntwo\r\n"
      "--b\r\ncontent-type: text/plain\r\nCONTENT-DISPOSITION: form-data; name=source\r\n\r\nen\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a;b.txt\"\r\n\r\n\xff\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--b--\r\nwords behind";
  const RequestFields fields = Fields("multipart/form-data; charset=utf-8; boundary=\"b\"", body);
  EXPECT_EQ(*fields.Text("q"), "one\r\ntwo");
  EXPECT_EQ(*fields.Text("source"), "en");
  EXPECT_FALSE(fields.Has("file"));
  EXPECT_TRUE(fields.Has("empty"));
}

TEST(RequestFields, NamesWhatIsWrongWithMultipartBodies) {
  const auto error = [](absl::string_view body) { return BodyErrorOf("multipart/form-data; boundary=b", body); };
  EXPECT_THAT(BodyErrorOf("multipart/form-data", "--b--"), HasSubstr("without a boundary"));
  EXPECT_THAT(BodyErrorOf(absl::StrCat("multipart/form-data; boundary=", std::string(71, 'b')), "--b--"),
              HasSubstr("71 characters, more than 70"));
  EXPECT_THAT(error("no boundary"), HasSubstr("does not end with the boundary \"--b\""));
  EXPECT_THAT(error("--b\r\nContent-Disposition: form-data; name=q\r\n\r\nx"), HasSubstr("does not end"));
  EXPECT_THAT(error("--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"), HasSubstr("has no name"));
  EXPECT_THAT(error("--b\r\nnonsense\r\n\r\nx\r\n--b--"), HasSubstr("has no colon"));
  EXPECT_THAT(error("--b\r\n\r\nx\r\n--b--"), HasSubstr("without a name"));
  EXPECT_THAT(error("--b\r\n--b--"), HasSubstr("headers do not end"));
  EXPECT_THAT(error("--bx\r\n\r\n"), HasSubstr("behind a boundary"));
}

TEST(RequestFields, AnUnknownTypeIsReadAsWhatItLooksLike) {
  EXPECT_EQ(*Fields("", R"( {"q": "a"})").Text("q"), "a");
  EXPECT_EQ(*Fields("text/plain", R"({"q": "a"})").Text("q"), "a");
  EXPECT_EQ(*Fields("text/plain", "q=a").Text("q"), "a");
  EXPECT_EQ(*Fields("Application/JSON; charset=UTF-8", R"({"q": "a"})").Text("q"), "a");
}

TEST(RequestFields, TheBodyComesBeforeTheQuery) {
  const RequestFields fields = Fields(kForm, "type=target", {{"type", "source"}, {"q", "x"}});
  EXPECT_EQ(*fields.Text("type"), "target");
  EXPECT_EQ(*fields.Text("q"), "x");
  EXPECT_EQ(*Fields(kJson, "", {{"type", "source"}}).Text("type"), "source");
}

TEST(RequestFields, BoundsTheNumberOfValues) {
  std::string form, list;
  for (size_t i = 0; i < kMaxFieldValues; ++i) {
    form += "a&";
    list += "0,";
  }
  EXPECT_THAT(*Fields(kForm, form).Texts("a"), ::testing::SizeIs(kMaxFieldValues));
  EXPECT_THAT(BodyErrorOf(kForm, form + "a"), HasSubstr("more than 10000 values"));
  EXPECT_THAT(BodyErrorOf(kJson, absl::StrCat("{\"q\": [", list, "0]}")), HasSubstr("more than 10000 values"));
  std::string names;
  for (size_t i = 0; i <= kMaxFieldValues; ++i) absl::StrAppend(&names, "\"", i, "\":{},");
  EXPECT_THAT(BodyErrorOf(kJson, absl::StrCat("{", names, "\"a\":{}}")), HasSubstr("more than 10000 fields"));
}

TEST(RequestFields, NamesTheFieldAndTheValueThatIsWrong) {
  const RequestFields fields = Fields(kForm, "n=12&flag=maybe&two=a&two=b&tags=a,+b,,&tags=c");
  EXPECT_EQ(fields.Number("n", 0, 0, 9).status().message(), "n: \"12\", must be a whole number from 0 to 9");
  EXPECT_EQ(fields.Flag("flag", false).status().message(), "flag: \"maybe\", must be 0 or 1");
  EXPECT_EQ(fields.Text("two").status().message(), "two: is a list of 2 values, must be one text");
  EXPECT_THAT(*fields.Names("tags"), ElementsAre("a", "b", "c"));
}

}  // namespace
}  // namespace heed
