// SPDX-License-Identifier: Apache-2.0
#include "server/oip/infer_front.h"

#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/invalid_argument.h"
#include "base/utf8.h"
#include "google/protobuf/util/json_util.h"

namespace heed {

absl::Status Renamed(const absl::Status& error, const FieldNames& fields, absl::string_view otherwise) {
  const std::string path = FieldOf(error);
  for (const auto& [field, name] : fields) {
    absl::string_view rest_of_path = path, rest = error.message();
    if (!absl::ConsumePrefix(&rest_of_path, field) || !absl::ConsumePrefix(&rest, field)) continue;
    const bool is_whole_name = rest_of_path.empty() || rest_of_path[0] == '[' || rest_of_path[0] == '.';
    if (!is_whole_name && !absl::EndsWith(field, ".")) continue;
    return WithField(absl::Status(error.code(), absl::StrCat(name, rest)), absl::StrCat(name, rest_of_path));
  }
  return absl::Status(error.code(), absl::StrCat(otherwise, error.message()));
}

absl::Status CheckUtf8(absl::string_view input, const std::vector<std::string>& texts) {
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::optional<size_t> wrong = FirstInvalidUtf8(texts[i]);
    if (!wrong) continue;
    return InvalidField(absl::StrCat("inputs \"", input, "\""), "element ", i, " is not UTF-8 from its byte ", *wrong,
                        " on");
  }
  return absl::OkStatus();
}

absl::Status CheckCount(absl::string_view input, int64_t count, int64_t max) {
  if (count <= max) return absl::OkStatus();
  return InvalidField(absl::StrCat("inputs \"", input, "\""), "has ", count, " elements, at most ", max);
}

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  // Fails only for messages of unknown types.
  (void)google::protobuf::util::MessageToJsonString(message, &json, options);
  return json;
}

}  // namespace heed
