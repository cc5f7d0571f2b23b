// SPDX-License-Identifier: Apache-2.0
// tests/client/rest_clients_test.py has a public validator look at the whole, and compares it with real answers.
#include "server/gateway/openapi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "heed/v1/language_modeling.pb.h"
#include "heed/v1/translation.pb.h"
#include "inference.pb.h"
#include "server/gateway/accepted_encoding.h"
#include "server/gateway/proto_comments.h"

namespace heed {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const OpenApiJson& Document() {
  static const auto& document =
      *new OpenApiJson(OpenApi({"heed.v1.TranslationService", "heed.v1.LanguageModelingService"}));
  return document;
}

const OpenApiJson& Schema(const std::string& name) { return Document()["components"]["schemas"][name]; }

void FindReferences(const OpenApiJson& json, std::set<std::string>& references) {
  if (json.is_object() && json.contains("$ref")) references.insert(json["$ref"].get<std::string>());
  if (!json.is_structured()) return;
  for (const OpenApiJson& inner : json) FindReferences(inner, references);
}

TEST(OpenApi, EveryReferenceIsToSomething) {
  std::set<std::string> references;
  FindReferences(Document(), references);
  EXPECT_GT(references.size(), 30u);
  for (const std::string& reference : references) {
    ASSERT_EQ(reference[0], '#');
    EXPECT_TRUE(Document().contains(nlohmann::json::json_pointer(reference.substr(1)))) << reference;
  }
}

TEST(OpenApi, MethodsHaveTheirCommentsRightsAndForms) {
  const OpenApiJson& translate = Document()["paths"]["/heed.v1.TranslationService/Translate"]["post"];
  EXPECT_EQ(translate["summary"], "Translates every text.");
  EXPECT_EQ(translate["description"], "Translates every text. Answers once all are done.");
  EXPECT_EQ(translate["x-heed-right"], "infer");
  EXPECT_EQ(translate["security"], OpenApiJson::parse(R"([{"token":[]}])"));
  EXPECT_EQ(translate["requestBody"]["content"]["application/json"]["schema"]["$ref"],
            "#/components/schemas/heed.v1.TranslateRequest");
  const OpenApiJson& stream = Document()["paths"]["/heed.v1.TranslationService/TranslateStream"]["post"];
  EXPECT_TRUE(stream["responses"]["200"]["content"].contains("text/event-stream"));
  const OpenApiJson& both = Document()["paths"]["/heed.v1.LanguageModelingService/ReadTextStream"]["post"];
  EXPECT_EQ(both["requestBody"]["content"]["application/json"]["schema"]["type"], "array");
  const OpenApiJson& ready = Document()["paths"]["/v2/models/{model}/ready"]["get"];
  EXPECT_THAT(ready["security"], IsEmpty());
  EXPECT_FALSE(Document()["paths"].contains("/v2/logging"));
}

TEST(OpenApi, SchemasAreAsTheJsonIs) {
  const OpenApiJson& request = Schema("heed.v1.TranslateRequest")["properties"];
  EXPECT_EQ(request["texts"]["items"]["type"], "string");
  EXPECT_THAT(request["texts"]["description"].get<std::string>(), HasSubstr("UTF-8"));
  EXPECT_EQ(request["modelVersion"]["type"], "string");
  EXPECT_EQ(request["options"]["$ref"], "#/components/schemas/heed.v1.TranslateOptions");
  EXPECT_EQ(request["format"]["allOf"][0]["$ref"], "#/components/schemas/heed.v1.TextFormat");
  EXPECT_EQ(Schema("heed.v1.TranslateOptions")["properties"]["beamSize"]["format"], "int32");
  EXPECT_EQ(Schema("heed.v1.TextFormat")["enum"][2], "TEXT_FORMAT_HTML");
  EXPECT_THAT(Schema("heed.v1.TextFormat")["description"].get<std::string>(),
              HasSubstr("TEXT_FORMAT_PLAIN: Nothing but"));
  EXPECT_THAT(Schema("heed.v1.TranslateStreamResponse")["description"].get<std::string>(),
              HasSubstr("At most one of delta, sentence is there."));
  // Of inference.proto, which has another form.
  EXPECT_EQ(Schema("inference.ModelStatistics")["properties"]["last_inference"]["type"], "integer");
  EXPECT_EQ(Schema("inference.ModelMetadataResponse")["properties"]["properties"]["additionalProperties"]["type"],
            "string");
}

TEST(ProtoComments, AreThere) {
  EXPECT_EQ(ProtoCommentOf("heed.v1.TranslateStreamResponse.sentence_index"), "Within the text.");
  EXPECT_EQ(ProtoCommentOf("inference.ModelReadyRequest.version"), "empty: the highest that is ready");
  EXPECT_THAT(std::string(ProtoCommentOf("heed.v1.TranslationService")), HasSubstr("\n\nA caller names a model"));
  EXPECT_THAT(std::string(ProtoCommentOf("heed.v1.Nothing")), IsEmpty());
}

TEST(AcceptedEncoding, IsTheFirstThatIsNotExcluded) {
  const auto accepted = [](const std::string& header) {
    HttpRequest request;
    request.headers["accept-encoding"] = header;
    return AcceptedEncoding(request);
  };
  EXPECT_EQ(accepted("gzip, deflate"), MessageCompression::kGzip);
  EXPECT_EQ(accepted("br;q=1.0, Deflate ; q=0.5"), MessageCompression::kDeflate);
  EXPECT_EQ(accepted("gzip;q=0, deflate"), MessageCompression::kDeflate);
  EXPECT_EQ(accepted("gzip;q=none"), std::nullopt);
  EXPECT_EQ(accepted("identity"), std::nullopt);
  EXPECT_EQ(accepted(""), std::nullopt);
}

TEST(AcceptedEncoding, SmallAndLargeAnswersStayAsTheyAre) {
  HttpRequest request;
  request.headers["accept-encoding"] = "gzip";
  for (const size_t size : {size_t{10}, size_t{2000}, size_t{2} << 20}) {
    HttpAnswer answer;
    answer.body = std::string(size, 'x');
    CompressAnswer(request, answer);
    EXPECT_EQ(answer.headers.empty(), size != 2000) << size;
    EXPECT_EQ(answer.body.size() == size, size != 2000);
  }
}

}  // namespace
}  // namespace heed
