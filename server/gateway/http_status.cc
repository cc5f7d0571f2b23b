// SPDX-License-Identifier: Apache-2.0
#include "server/gateway/http_status.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/util/json_util.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/gateway/method_calls.h"
#include "server/rpc/status.h"

namespace heed {
namespace {

using OrderedJson = nlohmann::ordered_json;

// google.protobuf.Any as the Connect protocol writes it.
OrderedJson DetailJson(const google::protobuf::Any& detail) {
  const absl::string_view url = detail.type_url();
  OrderedJson json = {{"type", std::string(url.substr(url.rfind('/') + 1))}};
  std::string value;
  absl::Base64Escape(detail.value(), &value);
  value.erase(value.find_last_not_of('=') + 1);  // without padding
  json["value"] = value;
  std::string debug;
  if (google::protobuf::util::MessageToJsonString(detail, &debug).ok()) {
    OrderedJson parsed = OrderedJson::parse(debug, nullptr, /*allow_exceptions=*/false);
    parsed.erase("@type");
    json["debug"] = std::move(parsed);
  }
  return json;
}

}  // namespace

unsigned HttpStatusOf(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::OK:
      return 200;
    case grpc::StatusCode::CANCELLED:
      return 499;
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::OUT_OF_RANGE:
      return 400;
    case grpc::StatusCode::UNAUTHENTICATED:
      return 401;
    case grpc::StatusCode::PERMISSION_DENIED:
      return 403;
    case grpc::StatusCode::NOT_FOUND:
      return 404;
    case grpc::StatusCode::ALREADY_EXISTS:
    case grpc::StatusCode::ABORTED:
      return 409;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return 429;
    case grpc::StatusCode::UNIMPLEMENTED:
      return 501;
    case grpc::StatusCode::UNAVAILABLE:
      return 503;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return 504;
    default:
      return 500;
  }
}

std::string ConnectCodeOf(grpc::StatusCode code) {
  if (code == grpc::StatusCode::CANCELLED) return "canceled";
  return absl::AsciiStrToLower(absl::string_view(CodeName(code).data(), CodeName(code).size()));
}

std::string ErrorJson(const grpc::Status& status) {
  OrderedJson error = {{"code", ConnectCodeOf(status.error_code())}, {"message", status.error_message()}};
  google::rpc::Status details;
  if (!status.error_details().empty() && details.ParseFromString(status.error_details())) {
    for (const google::protobuf::Any& detail : details.details()) error["details"].push_back(DetailJson(detail));
  }
  return error.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

void AddErrorHeaders(const grpc::Status& status, HttpAnswer& answer) {
  if (status.error_code() == grpc::StatusCode::UNAUTHENTICATED) {
    answer.headers.emplace_back("WWW-Authenticate", "Bearer");
  }
  const std::chrono::milliseconds delay = RetryDelayOf(status);
  if (delay.count() > 0) {
    answer.headers.emplace_back("Retry-After", absl::StrCat(std::max<int64_t>(1, (delay.count() + 999) / 1000)));
  }
}

HttpAnswer ErrorAnswer(const grpc::Status& status) {
  HttpAnswer answer{HttpStatusOf(status.error_code()), ErrorJson(status), "application/json"};
  AddErrorHeaders(status, answer);
  return answer;
}

}  // namespace heed
