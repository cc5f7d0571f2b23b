// SPDX-License-Identifier: Apache-2.0
#include "server/messages/message_inflation.h"

#include <zlib.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heed {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kLimit = 1 << 20;

std::string Deflate(const std::string& text, bool gzip) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, gzip ? 15 + 16 : 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string result(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

class MessageInflationTest : public testing::TestWithParam<MessageCompression> {
 protected:
  static std::string Compressed(const std::string& text) {
    return Deflate(text, GetParam() == MessageCompression::kGzip);
  }
  static absl::StatusOr<std::string> Inflate(const std::string& bytes, int64_t limit = kLimit) {
    return InflateMessage(bytes, GetParam(), limit);
  }
};

TEST_P(MessageInflationTest, GivesBackWhatWasCompressed) {
  for (const size_t size : {0, 1, 1000, 16 << 10, (16 << 10) + 1, 1 << 20}) {
    std::string text(size, 'a');
    for (size_t i = 0; i < size; i += 7) text[i] = static_cast<char>(i * 31);
    EXPECT_EQ(*Inflate(Compressed(text)), text) << size;
  }
}

TEST_P(MessageInflationTest, WhatWasDeflatedIsInflatedAgain) {
  for (const size_t size : {0, 1, 1000, 100'000}) {
    std::string text;
    for (size_t i = 0; i < size; ++i) text += static_cast<char>(i * i % 251);
    EXPECT_EQ(*Inflate(DeflateMessage(text, GetParam())), text) << size;
  }
}

TEST_P(MessageInflationTest, StopsAtTheLimit) {
  EXPECT_TRUE(Inflate(Compressed(std::string(kLimit, '\0'))).ok());
  for (const int64_t size : {kLimit + 1, 2 * kLimit, 200 * kLimit}) {
    const absl::Status status = Inflate(Compressed(std::string(static_cast<size_t>(size), '\0'))).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << size;
    EXPECT_THAT(status.message(), HasSubstr("--max_message_bytes=1048576")) << size;
  }
}

TEST_P(MessageInflationTest, RefusesWhatIsNotWholeOrNotOfItsFormat) {
  const std::string good = Compressed("a text that is long enough to be cut at many places, and then some");
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(Inflate(good.substr(0, size)).status().code(), absl::StatusCode::kInvalidArgument) << size;
  }
  EXPECT_EQ(Inflate(good + "x").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Inflate("plain text").status().code(), absl::StatusCode::kInvalidArgument);
  std::string damaged = good;
  damaged[damaged.size() - 2] ^= 0x55;  // of the checksum
  EXPECT_EQ(Inflate(damaged).status().code(), absl::StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Formats, MessageInflationTest,
                         testing::Values(MessageCompression::kDeflate, MessageCompression::kGzip));

}  // namespace
}  // namespace heed
