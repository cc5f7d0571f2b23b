// SPDX-License-Identifier: Apache-2.0
#include "server/gateway/json_messages.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "google/protobuf/util/json_util.h"

namespace heed {
namespace {

constexpr absl::string_view kSpace = " \t\r\n";

// Where the brackets and texts of JSON begin and end, whatever else it holds.
class JsonScanner {
 public:
  JsonScanner(absl::string_view text, const JsonLimits& limits) : text_(text), limits_(limits) {}

  // The value that begins at `begin`, which is no space: its end. Of what has no bracket and is no text, up to the next
  // comma, bracket or space.
  absl::StatusOr<size_t> EndOfValue(size_t begin) {
    size_t at = begin;
    int depth = 0;
    do {
      if (at == text_.size()) return InvalidArgument("the JSON ends within an object or array");
      const char next = text_[at];
      if (next == '"') {
        HEED_RETURN_IF_ERROR(Count());
        HEED_ASSIGN_OR_RETURN(at, EndOfText(at));
        continue;
      }
      if (next == '{' || next == '[') {
        HEED_RETURN_IF_ERROR(Count());
        if (++depth > limits_.max_depth) {
          return InvalidArgument("the JSON has objects and arrays in each other to a depth of more than ",
                                 limits_.max_depth);
        }
      } else if (next == '}' || next == ']') {
        if (--depth < 0) return InvalidArgument("the JSON has \"", text_.substr(at, 1), "\" where a value is expected");
      } else if (depth == 0) {
        const size_t end = std::min(text_.find_first_of(" \t\r\n,[]{}\"", at), text_.size());
        if (end == at) return InvalidArgument("the JSON has \"", text_.substr(at, 1), "\" where a value is expected");
        return end;
      }
      ++at;
    } while (depth > 0);
    return at;
  }

  size_t SkipSpace(size_t at) const { return std::min(text_.find_first_not_of(kSpace, at), text_.size()); }

 private:
  absl::StatusOr<size_t> EndOfText(size_t quote) const {
    size_t at = quote + 1;
    while (true) {
      at = text_.find_first_of("\"\\", at);
      if (at == text_.npos) return InvalidArgument("the JSON ends within a text");
      if (text_[at] == '"') return at + 1;
      at = std::min(at + 2, text_.size());
    }
  }

  absl::Status Count() {
    if (++elements_ <= limits_.max_elements) return absl::OkStatus();
    return InvalidArgument("the JSON has more than ", limits_.max_elements, " texts, objects and arrays");
  }

  const absl::string_view text_;
  const JsonLimits limits_;
  int64_t elements_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<absl::string_view>> SplitJson(absl::string_view text, const JsonLimits& limits) {
  JsonScanner scanner(text, limits);
  std::vector<absl::string_view> values;
  size_t at = scanner.SkipSpace(0);
  const bool is_array = at < text.size() && text[at] == '[';
  if (is_array) at = scanner.SkipSpace(at + 1);
  while (at < text.size()) {
    if (is_array && text[at] == ']') {
      if (scanner.SkipSpace(at + 1) < text.size()) return InvalidArgument("the JSON goes on behind its array");
      return values;
    }
    if (static_cast<int64_t>(values.size()) == limits.max_elements) {
      return InvalidArgument("the JSON has more than ", limits.max_elements, " values");
    }
    HEED_ASSIGN_OR_RETURN(const size_t end, scanner.EndOfValue(at));
    values.push_back(text.substr(at, end - at));
    at = scanner.SkipSpace(end);
    if (!is_array || at == text.size()) continue;
    if (text[at] == ',') {
      at = scanner.SkipSpace(at + 1);
      if (at < text.size() && text[at] == ']') return InvalidArgument("the JSON has \"]\" where a value is expected");
    } else if (text[at] != ']') {
      return InvalidArgument("the JSON has \"", text.substr(at, 1), "\" where a comma is expected");
    }
  }
  if (is_array) return InvalidArgument("the JSON ends within an array");
  return values;
}

absl::Status ReadJson(absl::string_view text, const JsonLimits& limits, google::protobuf::Message& message) {
  JsonScanner scanner(text, limits);
  const size_t begin = scanner.SkipSpace(0);
  if (begin == text.size()) return InvalidArgument("there is no JSON object");
  if (text[begin] != '{') return InvalidArgument("\"", text.substr(begin, 1), "\" does not begin a JSON object");
  HEED_ASSIGN_OR_RETURN(const size_t end, scanner.EndOfValue(begin));
  if (scanner.SkipSpace(end) < text.size()) return InvalidArgument("the JSON goes on behind its object");
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = false;
  const auto status = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(text.data() + begin, end - begin), &message, options);
  if (status.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::string_view(status.message().data(), status.message().size()));
}

absl::StatusOr<std::string> WriteJson(const google::protobuf::Message& message) {
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json);
  if (status.ok()) return json;
  return absl::InternalError(absl::StrCat("the answer cannot be written as JSON: ",
                                          absl::string_view(status.message().data(), status.message().size())));
}

}  // namespace heed
