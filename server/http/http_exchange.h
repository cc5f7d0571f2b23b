// SPDX-License-Identifier: Apache-2.0
// One request over HTTP/1.1 and its answer, as those see it who answer.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace heed {

struct HttpRequest {
  std::string method;  // "POST"; "GET" also for HEAD, whose answer loses its body on the way
  std::string path;    // decoded, without the query
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order; "?a" has an empty value
  std::map<std::string, std::string> headers;              // by lower-case name; of several, the values joined by ", "
  std::string body;                                        // whole, inflated
  std::string peer;                                        // as in the log's lines: "ipv4:127.0.0.1:34512", "unix:"
  bool encrypted = false;

  // The header's value; empty: it is not there. `name` in lower case.
  absl::string_view Header(absl::string_view name) const;
  // The value of the first such pair in the query; null: there is none.
  const std::string* Query(absl::string_view name) const;
  // The media type of the body, in lower case, without parameters: "application/json"; empty: none is named.
  std::string ContentType() const;
};

struct HttpAnswer {
  unsigned status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";  // empty: no such header
  std::vector<std::pair<std::string, std::string>> headers;
};

// One request and its one answer: either Answer, or BeginStream, Send any number of times and End. Whoever serves it
// holds it by a shared_ptr for as long as the answer takes, on any thread; it outlives its connection. An exchange that
// is let go without an answer is answered with 500. Thread-safe. No method blocks. Callbacks come from the server's
// threads, without a lock, and must not block either; only OnGone may call back at once.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;

  // Constant but for its body, which TakeBody empties.
  const HttpRequest& request() const { return request_; }
  // The body, whose memory no longer counts as the server's. Once, by the thread that Serve was called on or one that
  // took over from it.
  virtual std::string TakeBody() = 0;

  // The whole answer, with Content-Length. Later calls change nothing.
  virtual void Answer(HttpAnswer answer) = 0;

  // The head of an answer whose body comes in pieces (chunked); `head.body` is the first of them.
  virtual void BeginStream(HttpAnswer head) = 0;
  // The next piece. `taken` is called once when the connection has taken it, which is the time to send more; it is
  // never called where the client has gone. False: nobody reads any more, or what waits for the client is more than it
  // may be (HttpServerOptions::max_waiting_bytes): the answer is cut off, so that it is not taken for a whole one.
  virtual bool Send(std::string piece, std::function<void()> taken = nullptr) = 0;
  // The stream is whole.
  virtual void End() = 0;
  // Ends a stream that cannot be made whole: the connection is closed, so that the client notices.
  virtual void Abort() = 0;

  // `gone` is called once if the client leaves, or is cut off, before it has the whole answer; at once if it has left.
  // It is called at most once more after the answer was made, and let go without a call once the client has it.
  virtual void OnGone(std::function<void()> gone) = 0;
  // Whether OnGone would be called at once.
  virtual bool gone() const = 0;

 protected:
  explicit HttpExchange(HttpRequest request) : request_(std::move(request)) {}

  HttpRequest request_;
};

// {"code":CODE,"message":MESSAGE,"error":MESSAGE}: the form of every error that HTTP itself brings about; `error` is
// for clients of LibreTranslate. `code` as in the Connect protocol: "invalid_argument".
HttpAnswer JsonError(unsigned status, absl::string_view code, absl::string_view message);

}  // namespace heed
