// SPDX-License-Identifier: Apache-2.0
// tests/page/ opens the page in a browser.
#include "server/page/page_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "server/messages/message_inflation.h"
#include "server/page/page_files.h"
#include "tests/support/fake_http_exchange.h"

namespace heed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string FileOfTree(const std::string& name) {
  std::ifstream file(absl::StrCat(HEED_SOURCE_DIR, "/page/", name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string HeaderOf(const HttpAnswer& answer, absl::string_view name) {
  for (const auto& [key, value] : answer.headers) {
    if (key == name) return value;
  }
  return "";
}

class PageHandlerTest : public ::testing::Test {
 protected:
  HttpAnswer Get(const std::string& path, std::map<std::string, std::string> headers = {}) {
    HttpRequest request;
    request.method = "GET";
    request.path = path;
    request.headers = std::move(headers);
    auto exchange = std::make_shared<FakeHttpExchange>(std::move(request));
    handler_.Serve(exchange);
    return exchange->WaitForAnswer();
  }

  PageHandler handler_{PageServer{"1.2.3", 50051, true, false, true}};
};

TEST_F(PageHandlerTest, FilesAreThoseOfTheTreeByteForByte) {
  for (const PageFile& file : PageFiles()) {
    const std::string name(file.name);
    const std::string path = name == "index.html" ? "/" : absl::StrCat("/page/", name);
    EXPECT_THAT(handler_.MethodsOf(path), ElementsAre("GET")) << name;
    EXPECT_EQ(Get(path).body, FileOfTree(name)) << name;
  }
  EXPECT_EQ(Get("/").content_type, "text/html; charset=utf-8");
  EXPECT_EQ(Get("/page/style.css").content_type, "text/css; charset=utf-8");
  EXPECT_EQ(Get("/page/main.js").content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(Get("/page/icon.svg").content_type, "image/svg+xml");
}

TEST_F(PageHandlerTest, OtherPathsAreNotItsOwn) {
  for (const char* path :
       {"", "/index.html", "/page", "/page/", "/page/index.html", "/page/../page/main.js", "/metrics"}) {
    EXPECT_THAT(handler_.MethodsOf(path), IsEmpty()) << path;
  }
}

TEST_F(PageHandlerTest, CompressedForThoseWhoTakeIt) {
  const HttpAnswer plain = Get("/page/main.js");
  const HttpAnswer answer = Get("/page/main.js", {{"accept-encoding", "gzip, br"}});
  EXPECT_EQ(HeaderOf(answer, "Content-Encoding"), "gzip");
  EXPECT_EQ(HeaderOf(answer, "Vary"), "Accept-Encoding");
  EXPECT_LT(answer.body.size(), plain.body.size() / 2);
  const auto inflated = InflateMessage(answer.body, MessageCompression::kGzip, 1 << 20);
  ASSERT_TRUE(inflated.ok()) << inflated.status();
  EXPECT_EQ(*inflated, plain.body);
  EXPECT_EQ(HeaderOf(plain, "Content-Encoding"), "");
}

TEST_F(PageHandlerTest, KnownFilesAreNotSentAgain) {
  const std::string tag = HeaderOf(Get("/page/main.js"), "ETag");
  EXPECT_THAT(tag, HasSubstr("W/\""));
  EXPECT_NE(tag, HeaderOf(Get("/page/style.css"), "ETag"));
  for (const std::string& known : {tag, absl::StrCat("\"other\" , ", tag), tag.substr(2), std::string("*")}) {
    const HttpAnswer answer = Get("/page/main.js", {{"if-none-match", known}, {"accept-encoding", "gzip"}});
    EXPECT_EQ(answer.status, 304u) << known;
    EXPECT_EQ(answer.body, "");
    EXPECT_EQ(HeaderOf(answer, "ETag"), tag);
    EXPECT_EQ(HeaderOf(answer, "Content-Encoding"), "");
  }
  EXPECT_EQ(Get("/page/main.js", {{"if-none-match", "W/\"other\""}}).status, 200u);
}

TEST_F(PageHandlerTest, NothingComesFromElsewhere) {
  const HttpAnswer answer = Get("/");
  EXPECT_THAT(HeaderOf(answer, "Content-Security-Policy"), HasSubstr("default-src 'none'; script-src 'self'"));
  EXPECT_THAT(HeaderOf(answer, "Content-Security-Policy"), Not(HasSubstr("unsafe")));
  EXPECT_EQ(HeaderOf(answer, "X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(HeaderOf(answer, "Referrer-Policy"), "no-referrer");
}

TEST_F(PageHandlerTest, SaysWhatThePageCannotAskFor) {
  const HttpAnswer answer = Get("/page/server.json", {{"if-none-match", "*"}});
  EXPECT_EQ(
      nlohmann::json::parse(answer.body),
      nlohmann::json::parse(R"({"version":"1.2.3","grpcPort":50051,"tls":true,"tokens":false,"management":true})"));
  EXPECT_EQ(HeaderOf(answer, "Cache-Control"), "no-store");
}

}  // namespace
}  // namespace heed
