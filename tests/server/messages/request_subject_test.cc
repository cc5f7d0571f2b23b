// SPDX-License-Identifier: Apache-2.0
// What a message counts for the limits of a token.
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"
#include "heed/v1/graphs.pb.h"
#include "heed/v1/language_modeling.pb.h"
#include "heed/v1/models.pb.h"
#include "heed/v1/questions.pb.h"
#include "heed/v1/sequences.pb.h"
#include "heed/v1/translation.pb.h"
#include "inference.pb.h"
#include "server/messages/message_check.h"

namespace heed {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

RequestSubject SubjectOf(const google::protobuf::Message& message) {
  const NamePatterns allowed = *NamePatterns::Parse("another");
  RequestSubject subject{.allowed_models = &allowed};
  const absl::Status status = CheckMessage(message.SerializeAsString(), *message.GetDescriptor(), {}, &subject);
  EXPECT_TRUE(status.ok()) << status;
  subject.allowed_models = nullptr;
  return subject;
}

TEST(RequestSubjectTest, TextsCountTheirCodePoints) {
  v1::TranslateRequest request;
  request.add_texts("Straße");
  request.add_texts("日本語\xF0\x9F\x90\x95");
  request.set_model("en-de");
  request.set_source_language("english");
  request.add_glossary()->set_source("a phrase");
  const RequestSubject subject = SubjectOf(request);
  EXPECT_EQ(subject.characters, 6 + 4);
  EXPECT_EQ(subject.other_model, "en-de");
}

TEST(RequestSubjectTest, TextsAndModelsWithinOtherMessagesCount) {
  v1::ScoreRequest score;
  score.add_items()->set_text("abc");
  score.mutable_items(0)->set_context("de");
  for (const int id : {1, 300, 70'000}) score.add_items()->mutable_tokens()->add_ids(id);
  EXPECT_EQ(SubjectOf(score).characters, 3 + 2 + 3) << "ids of tokens count one each";
  v1::ChatRequest chat;
  chat.mutable_open_session()->set_model("stories");
  EXPECT_EQ(SubjectOf(chat).other_model, "stories");
  // As old encoders write it: each id with a tag of its own.
  RequestSubject subject;
  ASSERT_TRUE(CheckMessage("\x08\x01\x08\x02", *v1::ScoreRequest::Tokens::descriptor(), {}, &subject).ok());
  EXPECT_EQ(subject.characters, 2);
}

TEST(RequestSubjectTest, GraphsAndSequencesCountNothing) {
  v1::ClassifyNodesRequest graph;
  graph.set_model("gat");
  graph.add_queries()->mutable_graph()->mutable_features()->mutable_values()->Resize(1000, 1);
  EXPECT_EQ(SubjectOf(graph).characters, 0);
  EXPECT_EQ(SubjectOf(graph).other_model, "gat");
  EXPECT_EQ(SubjectOf(v1::RunSequenceRequest()).other_model, std::nullopt);
}

// A field that is to be there once may be there a million times: the last one counts, and each is looked at.
TEST(RequestSubjectTest, OfManyModelsTheFirstThatIsNotAllowedIsKept) {
  std::string bytes;
  for (const char* name : {"en-de", "", "en-fr", "fr-de", "en-ru"}) {
    v1::TranslateRequest request;
    request.set_model(name);
    bytes += request.SerializeAsString();
  }
  const auto other_of = [&bytes](const NamePatterns* allowed) {
    RequestSubject subject{.allowed_models = allowed};
    EXPECT_TRUE(CheckMessage(bytes, *v1::TranslateRequest::descriptor(), {}, &subject).ok());
    return subject.other_model;
  };
  const NamePatterns english = *NamePatterns::Parse("en-*");
  EXPECT_EQ(other_of(&english), "fr-de");
  const NamePatterns all = *NamePatterns::Parse("en-*,fr-*");
  EXPECT_EQ(other_of(&all), std::nullopt);
  EXPECT_EQ(other_of(nullptr), std::nullopt);
}

// All fields of texts and names that are in a method's requests, at any depth.
void Visit(const Descriptor& type, std::set<const Descriptor*>& seen, std::set<const FieldDescriptor*>& fields) {
  if (!seen.insert(&type).second) return;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.type() == FieldDescriptor::TYPE_STRING) fields.insert(&field);
    if (field.message_type() != nullptr) Visit(*field.message_type(), seen, fields);
  }
}

// A field that a later version adds is counted, or is named here.
TEST(RequestSubjectTest, EveryTextOfARequestCountsOrIsKnownNotTo) {
  const std::set<std::string> others = {
      "heed.v1.AskRequest.request_id",
      "heed.v1.AskRequest.session",
      "heed.v1.ChatRequest.session",
      "heed.v1.CloseSessionRequest.session",
      "heed.v1.CloseTextSessionRequest.session",
      "heed.v1.DeleteGraphRequest.name",
      "heed.v1.DetectLanguageRequest.languages",
      "heed.v1.DoNotTranslate.phrases",
      "heed.v1.ExportSessionRequest.session",
      "heed.v1.ExportTextSessionRequest.session",
      "heed.v1.FillInRequest.marker",
      "heed.v1.ForkSessionRequest.session",
      "heed.v1.ForkTextSessionRequest.session",
      "heed.v1.GenerateOptions.stop",
      "heed.v1.GenerateRequest.request_id",
      "heed.v1.GenerateRequest.session",
      "heed.v1.GenerateStreamRequest.session",
      "heed.v1.GetGraphRequest.name",
      "heed.v1.GlossaryEntry.source",
      "heed.v1.GlossaryEntry.target",
      "heed.v1.ListGraphsRequest.page_token",
      "heed.v1.ListModelsRequest.page_token",
      "heed.v1.MarkupOptions.ignored_elements",
      "heed.v1.MarkupOptions.inline_elements",
      "heed.v1.MarkupOptions.splitting_elements",
      "heed.v1.PutGraphRequest.name",
      "heed.v1.ReadTextRequest.request_id",
      "heed.v1.ReadTextRequest.session",
      "heed.v1.ReadTextStreamRequest.session",
      "heed.v1.ScoreRequest.session",
      "heed.v1.StoredGraph.name",
      "heed.v1.TellRequest.request_id",
      "heed.v1.TellRequest.session",
      "heed.v1.TranslateOptions.target_prefix",
      "heed.v1.TranslateRequest.source_language",
      "heed.v1.TranslateRequest.target_language",
      "heed.v1.TranslateStreamRequest.source_language",
      "heed.v1.TranslateStreamRequest.target_language",
      "heed.v1.UpdateGraphRequest.name",
  };
  std::set<const Descriptor*> seen;
  std::set<const FieldDescriptor*> fields;
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  for (const char* file : {"heed/v1/translation.proto", "heed/v1/language_modeling.proto", "heed/v1/questions.proto",
                           "heed/v1/graphs.proto", "heed/v1/sequences.proto", "heed/v1/models.proto"}) {
    const auto* descriptor = pool->FindFileByName(file);
    ASSERT_NE(descriptor, nullptr) << file;
    for (int i = 0; i < descriptor->service_count(); ++i) {
      for (int j = 0; j < descriptor->service(i)->method_count(); ++j) {
        Visit(*descriptor->service(i)->method(j)->input_type(), seen, fields);
      }
    }
  }
  std::set<std::string> found;
  for (const FieldDescriptor* field : fields) {
    if (CountsAsCharacters(*field) || NamesModel(*field)) continue;
    EXPECT_TRUE(others.contains(field->full_name())) << field->full_name();
    found.insert(field->full_name());
  }
  EXPECT_EQ(found.size(), others.size()) << "a name here is no field";
}

}  // namespace
}  // namespace heed
