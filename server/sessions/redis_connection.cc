#include "server/sessions/redis_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "hiredis/hiredis.h"

namespace heed {
namespace {

int64_t Micros(TimePoint time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

std::optional<std::string> Text(const redisReply& reply) {
  if (reply.type == REDIS_REPLY_INTEGER) return absl::StrCat(reply.integer);
  if (reply.type == REDIS_REPLY_STRING || reply.type == REDIS_REPLY_STATUS) return std::string(reply.str, reply.len);
  return std::nullopt;
}

RedisReply Convert(const redisReply& reply) {
  RedisReply result;
  if (reply.type == REDIS_REPLY_ARRAY) {
    for (size_t i = 0; i < reply.elements; ++i) result.texts.push_back(Text(*reply.element[i]));
  } else if (reply.type != REDIS_REPLY_NIL) {
    result.texts.push_back(Text(reply));
  }
  return result;
}

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};

}  // namespace

absl::StatusOr<RedisAddress> ParseRedisUrl(absl::string_view url) {
  // Nothing of it is repeated: what is misplaced may be the password.
  auto refused = [](absl::string_view reason) {
    return absl::InvalidArgumentError(absl::StrCat("is no redis://[:PASSWORD@]HOST:PORT[/DATABASE]: ", reason));
  };
  RedisAddress address;
  absl::string_view rest = url;
  if (!absl::ConsumePrefix(&rest, "redis://")) return refused("does not begin with redis://");
  if (const size_t at = rest.rfind('@'); at != absl::string_view::npos) {
    if (rest.front() != ':') return refused("what is before '@' does not begin with ':'");
    address.password = std::string(rest.substr(1, at - 1));
    rest.remove_prefix(at + 1);
  }
  if (const size_t slash = rest.find('/'); slash != absl::string_view::npos) {
    const absl::string_view database = rest.substr(slash + 1);
    if (!database.empty() && (!absl::SimpleAtoi(database, &address.database) || address.database < 0)) {
      return refused("the database is no number");
    }
    rest = rest.substr(0, slash);
  }
  const size_t colon = rest.rfind(':');
  if (colon == absl::string_view::npos) return refused("names no port");
  const absl::string_view port = rest.substr(colon + 1);
  if (!absl::SimpleAtoi(port, &address.port) || address.port < 1 || address.port > 65535) {
    return refused("the port is no number from 1 to 65535");
  }
  absl::string_view host = rest.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[") && !absl::ConsumeSuffix(&host, "]")) return refused("the host lacks a ']'");
  if (host.empty()) return refused("names no host");
  address.host = std::string(host);
  return address;
}

absl::StatusOr<std::unique_ptr<RedisConnection>> RedisConnection::Open(const RedisAddress& address,
                                                                       TimePoint deadline) {
  redisContext* context = redisConnectNonBlock(address.host.c_str(), address.port);
  if (context == nullptr) return absl::UnavailableError("no memory");
  std::unique_ptr<RedisConnection> connection(new RedisConnection(context));
  if (context->err != 0) return connection->Lost(context->errstr);
  HEED_RETURN_IF_ERROR(connection->Await(POLLOUT, deadline));
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(context->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) return connection->Lost(std::strerror(error));
  HEED_RETURN_IF_ERROR(connection->Introduce(address, deadline));
  return connection;
}

RedisConnection::~RedisConnection() { redisFree(context_); }

absl::Status RedisConnection::Introduce(const RedisAddress& address, TimePoint deadline) {
  if (!address.password.empty()) HEED_RETURN_IF_ERROR(Call({"AUTH", address.password}, deadline).status());
  if (address.database != 0) {
    HEED_RETURN_IF_ERROR(Call({"SELECT", absl::StrCat(address.database)}, deadline).status());
  }
  HEED_ASSIGN_OR_RETURN(const RedisReply time, Call({"TIME"}, deadline));
  int64_t seconds = 0, micros = 0;
  if (time.texts.size() != 2 || !absl::SimpleAtoi(time.texts[0].value_or(""), &seconds) ||
      !absl::SimpleAtoi(time.texts[1].value_or(""), &micros)) {
    return Lost("TIME was not answered with a time");
  }
  offset_micros_ = seconds * 1'000'000 + micros - Micros(Clock::now());
  return absl::OkStatus();
}

absl::StatusOr<RedisReply> RedisConnection::Call(absl::Span<const absl::string_view> command, TimePoint deadline) {
  std::vector<const char*> texts;
  std::vector<size_t> sizes;
  for (const absl::string_view text : command) {
    texts.push_back(text.data());
    sizes.push_back(text.size());
  }
  if (redisAppendCommandArgv(context_, static_cast<int>(texts.size()), texts.data(), sizes.data()) != REDIS_OK) {
    return Lost(context_->errstr);
  }
  for (int sent = 0; sent == 0;) {
    if (redisBufferWrite(context_, &sent) != REDIS_OK) return Lost(context_->errstr);
    if (sent == 0) HEED_RETURN_IF_ERROR(Await(POLLOUT, deadline));
  }
  while (true) {
    void* reply = nullptr;
    if (redisGetReplyFromReader(context_, &reply) != REDIS_OK) return Lost(context_->errstr);
    if (const std::unique_ptr<redisReply, FreeReply> answer(static_cast<redisReply*>(reply)); answer != nullptr) {
      if (answer->type != REDIS_REPLY_ERROR) return Convert(*answer);
      return absl::UnavailableError(std::string(answer->str, answer->len));
    }
    HEED_RETURN_IF_ERROR(Await(POLLIN, deadline));
    if (redisBufferRead(context_) != REDIS_OK) return Lost(context_->errstr);
  }
}

absl::Status RedisConnection::Await(short events, TimePoint deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd file{context_->fd, events, 0};
    const int ready = poll(&file, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    if (ready > 0) return absl::OkStatus();
    if (ready == 0) return Lost("does not answer in time");
    if (errno != EINTR) return Lost(std::strerror(errno));
  }
}

absl::Status RedisConnection::Lost(absl::string_view reason) {
  lost_ = true;
  return absl::UnavailableError(reason);
}

int64_t RedisConnection::RedisMicros(TimePoint time) const { return Micros(time) + offset_micros_; }

}  // namespace heed
