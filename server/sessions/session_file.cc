// SPDX-License-Identifier: Apache-2.0
#include "server/sessions/session_file.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/little_endian.h"
#include "base/status_macros.h"
#include "models/kinds/served_precision.h"
#include "xxhash.h"

namespace heed {
namespace {

constexpr absl::string_view kMagic("HEEDSESS", 8);
constexpr size_t kSizeAt = kMagic.size() + sizeof(uint32_t);
constexpr size_t kHeaderBytes = kSizeAt + sizeof(uint64_t);
constexpr size_t kLeastBytes = kHeaderBytes + sizeof(uint64_t);

uint64_t Checksum(absl::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

// Between the header and the checksum.
bool TakeContent(absl::string_view bytes, SessionContent& content) {
  uint32_t records = 0;
  if (!TakeText(bytes, content.model_name) || !TakeText(bytes, content.fingerprint) ||
      !TakeNumber(bytes, content.version) || !TakeNumber(bytes, content.units) || !TakeNumber(bytes, records) ||
      records > kMaxRequestRecords) {
    return false;
  }
  for (content.records.resize(records); RequestRecord & record : content.records) {
    if (!TakeText(bytes, record.request_id) || !TakeText(bytes, record.response)) return false;
  }
  return TakeText(bytes, content.state) && bytes.empty() && content.version >= 1 && content.units >= 0;
}

}  // namespace

std::string WriteSession(const Session& session, bool with_records) {
  std::string bytes(kMagic);
  PutNumber<uint32_t>(bytes, kSessionFormat);
  PutNumber<uint64_t>(bytes, 0);  // the size, set below
  PutText(bytes, session.model_name);
  PutText(bytes, session.fingerprint);
  PutNumber<int64_t>(bytes, session.version);
  PutNumber<int64_t>(bytes, session.state->units());
  PutNumber<uint32_t>(bytes, with_records ? static_cast<uint32_t>(session.records.size()) : 0);
  if (with_records) {
    for (const RequestRecord& record : session.records) {
      PutText(bytes, record.request_id);
      PutText(bytes, record.response);
    }
  }
  PutText(bytes, session.state->Serialize());
  std::string size;
  PutNumber<uint64_t>(size, bytes.size() + sizeof(uint64_t));
  bytes.replace(kSizeAt, size.size(), size);
  PutNumber<uint64_t>(bytes, Checksum(bytes));
  return bytes;
}

absl::StatusOr<SessionContent> ParseSession(absl::string_view bytes) {
  auto damaged = [](const auto&... what) { return absl::InvalidArgumentError(absl::StrCat(what...)); };
  if (!absl::StartsWith(bytes, kMagic)) {
    if (!absl::StartsWith(kMagic, bytes)) return damaged("is no session: does not begin with \"", kMagic, "\"");
    return damaged("is truncated: has ", bytes.size(), " bytes, needs ", kLeastBytes, " at least");
  }
  if (bytes.size() < kLeastBytes) {
    return damaged("is truncated: has ", bytes.size(), " bytes, needs ", kLeastBytes, " at least");
  }
  absl::string_view rest = bytes.substr(kMagic.size());
  uint32_t format = 0;
  uint64_t size = 0;
  TakeNumber(rest, format);
  TakeNumber(rest, size);
  if (format != kSessionFormat) {
    return absl::UnimplementedError(
        absl::StrCat("is of format version ", format, ", this server reads ", kSessionFormat));
  }
  if (size != bytes.size()) {
    return damaged(size > bytes.size() ? "is truncated" : "is too long", ": has ", bytes.size(), " bytes, needs ",
                   size);
  }
  rest.remove_suffix(sizeof(uint64_t));
  absl::string_view end = bytes.substr(bytes.size() - sizeof(uint64_t));
  uint64_t checksum = 0;
  TakeNumber(end, checksum);
  if (checksum != Checksum(bytes.substr(0, bytes.size() - sizeof(uint64_t)))) {
    return damaged("is damaged: its checksum does not match");
  }
  SessionContent content;
  if (!TakeContent(rest, content)) return damaged("is damaged: its content is not that of a session");
  return content;
}

absl::StatusOr<Session> RestoreSession(SessionContent content, const StatefulModel& model) {
  HEED_RETURN_IF_ERROR(CheckFingerprint(model, content.fingerprint));
  Session session;
  HEED_ASSIGN_OR_RETURN(session.state, model.ParseState(content.state));
  if (session.state->units() != content.units) {
    return absl::InvalidArgumentError(absl::StrCat("is damaged: says that ", content.units,
                                                   " facts or tokens were read, its state says ",
                                                   session.state->units()));
  }
  session.model_name = std::move(content.model_name);
  session.fingerprint = std::move(content.fingerprint);
  session.version = content.version;
  session.records = std::move(content.records);
  return session;
}

absl::Status CheckFingerprint(const StatefulModel& model, absl::string_view fingerprint) {
  const std::string& own = model.spec().fingerprint;
  if (own == fingerprint) return absl::OkStatus();
  const FingerprintParts parts(fingerprint), own_parts(own);
  if (parts.weights == own_parts.weights) {
    return absl::FailedPreconditionError(absl::StrCat("was computed in ", parts.precision, ", the model \"",
                                                      model.spec().name, "\" with the same weights now computes in ",
                                                      own_parts.precision));
  }
  return absl::FailedPreconditionError(absl::StrCat("is of weights with the fingerprint ", fingerprint,
                                                    ", the model \"", model.spec().name, "\" now has ", own));
}

}  // namespace heed
