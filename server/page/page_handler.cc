// SPDX-License-Identifier: Apache-2.0
#include "server/page/page_handler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"
#include "server/gateway/accepted_encoding.h"
#include "server/messages/message_inflation.h"
#include "server/page/page_files.h"

namespace heed {
namespace {

constexpr char kIndex[] = "index.html";
constexpr char kFolder[] = "/page/";

// Nothing from elsewhere, nothing that is written into the markup, and no other page's frame. Pictures may be data:
// drawings that a person saves are.
constexpr char kContentSecurityPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string ContentTypeOf(absl::string_view name) {
  if (absl::EndsWith(name, ".html")) return "text/html; charset=utf-8";
  if (absl::EndsWith(name, ".css")) return "text/css; charset=utf-8";
  if (absl::EndsWith(name, ".js")) return "text/javascript; charset=utf-8";
  if (absl::EndsWith(name, ".svg")) return "image/svg+xml";
  if (absl::EndsWith(name, ".json")) return "application/json";
  return "application/octet-stream";
}

// Whether the reader has the file already: RFC 9110, section 13.1.2, with the weak comparison.
bool IsKnown(absl::string_view if_none_match, absl::string_view tag) {
  const std::vector<absl::string_view> known = absl::StrSplit(if_none_match, ',');
  return !tag.empty() && std::any_of(known.begin(), known.end(), [&](absl::string_view one) {
    one = absl::StripAsciiWhitespace(one);
    return one == "*" || one == tag || absl::StrCat("W/", one) == tag;
  });
}

std::string JsonOf(const PageServer& server) {
  return nlohmann::json{{"version", server.version},
                        {"grpcPort", server.grpc_port},
                        {"tls", server.tls},
                        {"tokens", server.tokens},
                        {"management", server.management}}
      .dump();
}

}  // namespace

PageHandler::PageHandler(const PageServer& server) {
  // A weak tag: it is the same for every encoding of the file.
  for (const PageFile& file : PageFiles()) Add(file.name, file.bytes, absl::StrCat("W/\"", file.hash, "\""));
  Add("server.json", JsonOf(server), "");
}

void PageHandler::Add(absl::string_view name, absl::string_view bytes, std::string tag) {
  File file{std::string(bytes), DeflateMessage(bytes, MessageCompression::kGzip, CompressionEffort::kSmallest),
            ContentTypeOf(name), std::move(tag)};
  files_.emplace(name == kIndex ? "/" : absl::StrCat(kFolder, name), std::move(file));
}

std::vector<std::string> PageHandler::MethodsOf(absl::string_view path) const {
  if (files_.count(std::string(path)) > 0) return {"GET"};
  return {};
}

std::vector<std::string> PageHandler::Paths() const { return {"/", "/page/{file}"}; }

void PageHandler::Serve(std::shared_ptr<HttpExchange> exchange) {
  const File& file = files_.at(exchange->request().path);
  HttpAnswer answer;
  answer.headers = {{"Vary", "Accept-Encoding"},
                    {"Content-Security-Policy", kContentSecurityPolicy},
                    {"X-Content-Type-Options", "nosniff"},
                    {"Referrer-Policy", "no-referrer"},
                    {"Cross-Origin-Opener-Policy", "same-origin"}};
  if (file.tag.empty()) {
    answer.headers.emplace_back("Cache-Control", "no-store");
  } else {
    answer.headers.emplace_back("ETag", file.tag);
    answer.headers.emplace_back("Cache-Control", "no-cache");
  }
  if (IsKnown(exchange->request().Header("if-none-match"), file.tag)) {
    answer.status = 304;
    answer.content_type.clear();
    return exchange->Answer(std::move(answer));
  }
  answer.content_type = file.content_type;
  if (AcceptedEncoding(exchange->request()) == MessageCompression::kGzip) {
    answer.headers.emplace_back("Content-Encoding", "gzip");
    answer.body = file.gzip;
  } else {
    answer.body = file.bytes;
  }
  exchange->Answer(std::move(answer));
}

}  // namespace heed
