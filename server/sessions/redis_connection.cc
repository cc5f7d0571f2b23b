// SPDX-License-Identifier: Apache-2.0
#include "server/sessions/redis_connection.h"

#include <array>
#include <chrono>
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
    return absl::InvalidArgumentError(
        absl::StrCat("is no redis[s]://[[USER]:PASSWORD@]HOST:PORT[/DATABASE]: ", reason));
  };
  RedisAddress address;
  absl::string_view rest = url;
  if (absl::ConsumePrefix(&rest, "rediss://")) {
    address.tls.emplace();
  } else if (!absl::ConsumePrefix(&rest, "redis://")) {
    return refused("does not begin with redis:// or rediss://");
  }
  if (const size_t at = rest.rfind('@'); at != absl::string_view::npos) {
    const absl::string_view credentials = rest.substr(0, at);
    const size_t colon = credentials.find(':');
    if (colon == absl::string_view::npos) return refused("what is before '@' has no ':'");
    address.user = std::string(credentials.substr(0, colon));
    address.password = std::string(credentials.substr(colon + 1));
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

void RedisConnection::FreeReader::operator()(redisReader* reader) const { redisReaderFree(reader); }

RedisConnection::RedisConnection(std::unique_ptr<DeadlineStream> stream)
    : stream_(std::move(stream)), reader_(redisReaderCreate()) {}

absl::StatusOr<std::unique_ptr<RedisConnection>> RedisConnection::Open(const RedisAddress& address,
                                                                       TimePoint deadline) {
  HEED_ASSIGN_OR_RETURN(
      std::unique_ptr<DeadlineStream> stream,
      DeadlineStream::Connect(address.host, address.port, address.tls ? &*address.tls : nullptr, deadline));
  std::unique_ptr<RedisConnection> connection(new RedisConnection(std::move(stream)));
  if (connection->reader_ == nullptr) return absl::UnavailableError("no memory");
  HEED_RETURN_IF_ERROR(connection->Introduce(address, deadline));
  return connection;
}

absl::Status RedisConnection::Introduce(const RedisAddress& address, TimePoint deadline) {
  if (!address.user.empty()) {
    HEED_RETURN_IF_ERROR(Call({"AUTH", address.user, address.password}, deadline).status());
  } else if (!address.password.empty()) {
    HEED_RETURN_IF_ERROR(Call({"AUTH", address.password}, deadline).status());
  }
  if (address.database != 0) {
    HEED_RETURN_IF_ERROR(Call({"SELECT", absl::StrCat(address.database)}, deadline).status());
  }
  HEED_ASSIGN_OR_RETURN(const RedisReply time, Call({"TIME"}, deadline));
  int64_t seconds = 0, micros = 0;
  if (time.texts.size() != 2 || !absl::SimpleAtoi(time.texts[0].value_or(""), &seconds) ||
      !absl::SimpleAtoi(time.texts[1].value_or(""), &micros)) {
    return Lost(absl::UnavailableError("TIME was not answered with a time"));
  }
  offset_micros_ = seconds * 1'000'000 + micros - Micros(Clock::now());
  return absl::OkStatus();
}

absl::StatusOr<RedisReply> RedisConnection::Call(absl::Span<const absl::string_view> command, TimePoint deadline) {
  std::string request = absl::StrCat("*", command.size(), "\r\n");
  for (const absl::string_view text : command) absl::StrAppend(&request, "$", text.size(), "\r\n", text, "\r\n");
  if (absl::Status status = stream_->Write(request, deadline); !status.ok()) return Lost(std::move(status));
  std::array<char, 16384> buffer;
  while (true) {
    void* reply = nullptr;
    if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) return Lost(absl::UnavailableError(reader_->errstr));
    if (const std::unique_ptr<redisReply, FreeReply> answer(static_cast<redisReply*>(reply)); answer != nullptr) {
      if (answer->type != REDIS_REPLY_ERROR) return Convert(*answer);
      return absl::UnavailableError(std::string(answer->str, answer->len));
    }
    const absl::StatusOr<size_t> received = stream_->Read(absl::MakeSpan(buffer), deadline);
    if (!received.ok()) return Lost(received.status());
    if (redisReaderFeed(reader_.get(), buffer.data(), *received) != REDIS_OK) {
      return Lost(absl::UnavailableError(reader_->errstr));
    }
  }
}

absl::Status RedisConnection::Lost(absl::Status status) {
  lost_ = true;
  return status;
}

int64_t RedisConnection::RedisMicros(TimePoint time) const { return Micros(time) + offset_micros_; }

}  // namespace heed
