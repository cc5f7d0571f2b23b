// SPDX-License-Identifier: Apache-2.0
#include "server/messages/message_check.h"

#include <memory>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/message.h"
#include "google/protobuf/stubs/logging.h"
#include "gtest/gtest.h"
#include "heed/v1/graphs.pb.h"
#include "heed/v1/questions.pb.h"
#include "heed/v1/translation.pb.h"
#include "inference.pb.h"

namespace heed {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Bytes(std::initializer_list<int> bytes) {
  std::string result;
  for (const int byte : bytes) result.push_back(static_cast<char>(byte));
  return result;
}

template <typename T>
std::string MessageOf(const std::string& bytes, const MessageLimits& limits = {}) {
  return std::string(CheckMessage(bytes, *T::descriptor(), limits).message());
}

TEST(MessageCheckTest, TakesMessagesAndWhatTheyDoNotKnow) {
  v1::TranslateRequest request;
  request.set_model("m");
  request.add_texts("Grüße, 你好, 😀");
  request.add_texts("");
  request.mutable_options()->set_beam_size(4);
  EXPECT_EQ(MessageOf<v1::TranslateRequest>(request.SerializeAsString()), "");
  EXPECT_EQ(MessageOf<v1::TranslateRequest>(""), "");
  // Fields of a newer client: a number, four bytes, a text that need not be UTF-8, a group.
  EXPECT_EQ(MessageOf<v1::TranslateRequest>(Bytes(
                {0xF8, 0x07, 1, 0xFD, 0x07, 1, 2, 3, 4, 0xFA, 0x07, 1, 0xFF, 0xFB, 0x07, 0xF8, 0x07, 1, 0xFC, 0x07})),
            "");
  // A tag of more than 32 bits, whose upper ones protobuf ignores.
  EXPECT_EQ(MessageOf<inference::ModelInferRequest>(Bytes({0x85, 0x8F, 0x9A, 0xB6, 0x3A, 2, 0xFF, 0, 1})), "");
  // A known field in another wire type is an unknown one.
  EXPECT_EQ(MessageOf<v1::TranslateRequest>(Bytes({0x10, 1})), "");
}

TEST(MessageCheckTest, NamesTheTextThatIsNotUtf8) {
  EXPECT_EQ(MessageOf<v1::TranslateRequest>("\x0a\x02"
                                            "en"
                                            "\x12\x03"
                                            "abc"
                                            "\x12\x06"
                                            "A caf\xe9"),
            "texts[1] is not UTF-8 at byte 5 of 6");
  EXPECT_EQ(MessageOf<v1::TranslateRequest>("\x0a\x01\xff"), "model is not UTF-8 at byte 0 of 1");
  const std::string question = "\x0a\x02\xc3\x28";
  EXPECT_EQ(MessageOf<v1::AnswerRequest>("\x12\x01z\x1a\x01\x0a"), "questions[0].text has no length");
  EXPECT_EQ(MessageOf<v1::AnswerRequest>(absl::StrCat("\x1a", std::string(1, '\0'), "\x1a\x04", question)),
            "questions[1].text is not UTF-8 at byte 0 of 2");
  // Surrogates, and what is longer than it need be, are not UTF-8 either.
  EXPECT_THAT(MessageOf<v1::TranslateRequest>("\x12\x03\xed\xa0\x80"), StartsWith("texts[0] is not UTF-8"));
  EXPECT_THAT(MessageOf<v1::TranslateRequest>("\x12\x02\xc0\x80"), StartsWith("texts[0] is not UTF-8"));
  v1::TranslateRequest request;
  request.add_texts(std::string(1001, 'a'));
  std::string bytes = request.SerializeAsString();
  bytes.back() = '\xff';
  EXPECT_EQ(MessageOf<v1::TranslateRequest>(bytes), "texts[0] is not UTF-8 at byte 1000 of 1001");
}

TEST(MessageCheckTest, NamesWhereBytesAreNoMessage) {
  EXPECT_EQ(MessageOf<v1::TranslateRequest>("\x12\x7fgarbage"), "texts[0] has a length of 127 bytes, but 7 are left");
  EXPECT_EQ(MessageOf<v1::TranslateRequest>(Bytes({0})),
            "the message: byte 0 begins no field of heed.v1.TranslateRequest");
  EXPECT_EQ(MessageOf<v1::TranslateRequest>(Bytes({0x12, 1, 'a', 0xFF})),
            "the message: byte 3 begins no field of heed.v1.TranslateRequest");
  EXPECT_THAT(MessageOf<v1::TranslateRequest>(Bytes({0x0F})), HasSubstr("wire type 7"));
  EXPECT_THAT(MessageOf<v1::TranslateRequest>(Bytes({0xFB, 0x07})), HasSubstr("group without an end"));
  EXPECT_THAT(MessageOf<v1::TranslateRequest>(Bytes({0xFC, 0x07})), HasSubstr("wire type 4"));
}

TEST(MessageCheckTest, RefusesAMessageOfMoreElementsThanItsBytesMayHold) {
  const MessageLimits limits = {.max_bytes = 800};
  std::string bytes;
  for (int i = 0; i < 100; ++i) absl::StrAppend(&bytes, "\x12", std::string(1, '\0'));
  EXPECT_EQ(MessageOf<v1::TranslateRequest>(bytes, limits), "");
  absl::StrAppend(&bytes, "\x12", std::string(1, '\0'));
  EXPECT_EQ(MessageOf<v1::TranslateRequest>(bytes, limits),
            "texts[100]: the message has more than 100 texts and messages in it up to here");
  const absl::Status too_long = CheckMessage(std::string(801, 'a'), *v1::TranslateRequest::descriptor(), limits);
  EXPECT_EQ(too_long.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(too_long.message(), HasSubstr("801 bytes, at most --max_message_bytes=800"));
}

TEST(MessageCheckTest, AnEntryOfAMapCountsAsSeveralElements) {
  inference::ModelInferRequest request;
  for (int i = 0; i < 10; ++i) (*request.mutable_parameters())[absl::StrCat(i)].set_bool_param(true);
  const std::string bytes = request.SerializeAsString();
  const auto message = [&](int64_t elements) { return MessageOf<inference::ModelInferRequest>(bytes, {8 * elements}); };
  EXPECT_EQ(message(100), "");  // an entry, its key and its value: ten of each
  EXPECT_THAT(message(99), HasSubstr("the message has more than 99 texts and messages"));
}

TEST(MessageCheckTest, RefusesMessagesWithinMessagesAsProtobufDoes) {
  // google.protobuf has none here that nests freely but groups of unknown fields.
  for (const int depth : {99, 100, 101, 5000}) {
    std::string bytes;
    for (int i = 0; i < depth; ++i) bytes += Bytes({0xFB, 0x07});
    for (int i = 0; i < depth; ++i) bytes += Bytes({0xFC, 0x07});
    v1::TranslateRequest request;
    EXPECT_EQ(CheckMessage(bytes, *v1::TranslateRequest::descriptor(), {}).ok(), request.ParseFromString(bytes))
        << depth;
  }
}

// The promise to protobuf: what is taken it parses, what is refused it would not have. Messages are changed at random.
TEST(MessageCheckTest, AgreesWithProtobuf) {
  google::protobuf::LogSilencer silence;
  std::mt19937 random(20261128);
  const auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  v1::TranslateRequest translate;
  translate.set_model("model");
  for (const char* text : {"one", "zwei ä", "", "三"}) translate.add_texts(text);
  translate.mutable_options()->set_n_best(3);
  translate.mutable_options()->mutable_sampling()->set_temperature(0.5f);
  v1::ClassifyNodesRequest nodes;
  auto& query = *nodes.add_queries();
  query.mutable_graph()->mutable_features()->add_values(1);
  query.mutable_graph()->mutable_features()->add_values(2);
  query.add_nodes(300);
  query.add_nodes(1);
  query.mutable_graph()->add_edge_sources(7);
  inference::ModelInferRequest infer;
  infer.set_id("x");
  (*infer.mutable_parameters())["key"].set_string_param("value");
  auto& input = *infer.add_inputs();
  input.set_name("text");
  input.add_shape(1);
  input.mutable_contents()->add_bytes_contents("\xff");
  input.mutable_contents()->add_fp32_contents(1);
  infer.add_raw_input_contents("\xfe");
  int refused = 0;
  for (const google::protobuf::Message* message :
       {static_cast<google::protobuf::Message*>(&translate), static_cast<google::protobuf::Message*>(&nodes),
        static_cast<google::protobuf::Message*>(&infer)}) {
    const std::unique_ptr<google::protobuf::Message> parsed(message->New());
    for (int i = 0; i < 20'000; ++i) {
      std::string bytes = message->SerializeAsString();
      for (size_t changes = below(4); changes > 0 && !bytes.empty(); --changes) {
        switch (below(4)) {
          case 0:
            bytes[below(bytes.size())] = static_cast<char>(below(256));
            break;
          case 1:
            bytes.insert(below(bytes.size()), 1, static_cast<char>(below(256)));
            break;
          case 2:
            bytes.erase(below(bytes.size()), 1 + below(3));
            break;
          default:
            bytes.resize(below(bytes.size()));
        }
      }
      const absl::Status status = CheckMessage(bytes, *message->GetDescriptor(), {});
      ASSERT_EQ(status.ok(), parsed->ParseFromString(bytes)) << status << "\n" << testing::PrintToString(bytes);
      refused += !status.ok();
    }
  }
  EXPECT_GT(refused, 10'000);
}

}  // namespace
}  // namespace heed
