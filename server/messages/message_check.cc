// SPDX-License-Identifier: Apache-2.0
#include "server/messages/message_check.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "base/utf8.h"

namespace heed {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using FieldSet = absl::flat_hash_set<const FieldDescriptor*>;

// By the full names of their messages and theirs.
constexpr absl::string_view kTextFields[] = {
    "heed.v1.AnswerFromTextRequest.context",
    "heed.v1.AnswerFromTextRequest.questions",
    "heed.v1.AnswerRequest.Question.text",
    "heed.v1.AnswerRequest.facts",
    "heed.v1.AskRequest.questions",
    "heed.v1.ChatRequest.fact",
    "heed.v1.ChatRequest.question",
    "heed.v1.ClassifyTextsRequest.Item.choices",
    "heed.v1.ClassifyTextsRequest.Item.pair",
    "heed.v1.ClassifyTextsRequest.Item.text",
    "heed.v1.DetectLanguageRequest.texts",
    "heed.v1.EmbedTextsRequest.texts",
    "heed.v1.FillInRequest.Gap.candidates",
    "heed.v1.FillInRequest.Text.candidates",
    "heed.v1.FillInRequest.Text.text",
    "heed.v1.FillInRequest.context",
    "heed.v1.GenerateRequest.prompt",
    "heed.v1.GenerateStreamRequest.prompt",
    "heed.v1.ReadTextRequest.text",
    "heed.v1.ReadTextStreamRequest.text",
    "heed.v1.ScoreRequest.Item.context",
    "heed.v1.ScoreRequest.Item.text",
    "heed.v1.ScoreRequest.Tokens.ids",
    "heed.v1.TagTextsRequest.texts",
    "heed.v1.TellRequest.facts",
    "heed.v1.TranslateRequest.texts",
    "heed.v1.TranslateStreamRequest.texts",
};
constexpr absl::string_view kModelFields[] = {
    "heed.v1.AnswerFromTextRequest.model",
    "heed.v1.AnswerRequest.model",
    "heed.v1.ClassifyEdgesRequest.model",
    "heed.v1.ClassifyGraphsRequest.model",
    "heed.v1.ClassifyNodesRequest.model",
    "heed.v1.ClassifyTextsRequest.model",
    "heed.v1.EmbedTextsRequest.model",
    "heed.v1.FillInRequest.model",
    "heed.v1.GenerateRequest.model",
    "heed.v1.GenerateStreamRequest.model",
    "heed.v1.ImportSessionRequest.model",
    "heed.v1.ImportTextSessionRequest.model",
    "heed.v1.ListModelStatisticsRequest.model",
    "heed.v1.LoadModelRequest.model",
    "heed.v1.OpenSessionRequest.model",
    "heed.v1.OpenTextSessionRequest.model",
    "heed.v1.PutGraphRequest.precompute",
    "heed.v1.RunSequenceRequest.model",
    "heed.v1.ScoreRequest.model",
    "heed.v1.TagTextsRequest.model",
    "heed.v1.TranslateRequest.model",
    "heed.v1.TranslateStreamRequest.model",
    "heed.v1.UnloadModelRequest.model",
    "inference.ModelConfigRequest.name",
    "inference.ModelInferRequest.model_name",
    "inference.ModelMetadataRequest.name",
    "inference.ModelReadyRequest.name",
    "inference.ModelStatisticsRequest.name",
    "inference.RepositoryModelLoadRequest.model_name",
    "inference.RepositoryModelUnloadRequest.model_name",
};

FieldSet FieldsOf(absl::Span<const absl::string_view> names) {
  FieldSet fields;
  for (const absl::string_view name : names) {
    // Null: the program, a test or a fuzz target, has no such service.
    const auto* field = google::protobuf::DescriptorPool::generated_pool()->FindFieldByName(std::string(name));
    if (field != nullptr) fields.insert(field);
  }
  return fields;
}

// protobuf's own limit of messages within messages.
constexpr int kMaxDepth = 100;
constexpr uint64_t kMaxLength = std::numeric_limits<int32_t>::max() - 16;

// An entry of a map takes about as long and as much as this many texts.
constexpr int64_t kMapEntryElements = 8;

enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kLength = 2, kGroup = 3, kGroupEnd = 4, kFixed32 = 5 };

// The bytes of a message, from front to back.
class Reader {
 public:
  explicit Reader(absl::string_view bytes) : rest_(bytes) {}

  bool done() const { return rest_.empty(); }
  size_t left() const { return rest_.size(); }

  // Of at most `max_bytes` bytes; nothing: it has no end.
  std::optional<uint64_t> Varint(size_t max_bytes = 10) {
    uint64_t value = 0;
    for (size_t i = 0; i < max_bytes && i < rest_.size(); ++i) {
      const auto byte = static_cast<uint8_t>(rest_[i]);
      value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        rest_.remove_prefix(i + 1);
        return value;
      }
    }
    return std::nullopt;
  }
  // A field's number and wire type; nothing: these are none. Bits beyond the 32nd do not count, as protobuf has it.
  std::optional<uint32_t> Tag() {
    const std::optional<uint64_t> value = Varint(5);
    if (!value || static_cast<uint32_t>(*value) >> 3 == 0) return std::nullopt;
    return static_cast<uint32_t>(*value);
  }
  // Nothing: there are fewer.
  std::optional<absl::string_view> Bytes(size_t count) {
    if (count > rest_.size()) return std::nullopt;
    const absl::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }

 private:
  absl::string_view rest_;
};

absl::Status CheckPacked(absl::string_view bytes, const FieldDescriptor& field) {
  size_t width = 0;
  switch (field.type()) {
    case FieldDescriptor::TYPE_FLOAT:
    case FieldDescriptor::TYPE_FIXED32:
    case FieldDescriptor::TYPE_SFIXED32:
      width = 4;
      break;
    case FieldDescriptor::TYPE_DOUBLE:
    case FieldDescriptor::TYPE_FIXED64:
    case FieldDescriptor::TYPE_SFIXED64:
      width = 8;
      break;
    default:
      break;
  }
  if (width > 0) {
    if (bytes.size() % width == 0) return absl::OkStatus();
    return InvalidArgument(" holds ", bytes.size(), " bytes, which are no whole values of ", width);
  }
  for (Reader reader(bytes); !reader.done();) {
    if (!reader.Varint()) return InvalidArgument(" ends within a number");
  }
  return absl::OkStatus();
}

class Checker {
 public:
  Checker(const MessageLimits& limits, RequestSubject* subject)
      : max_elements_(limits.max_elements()), subject_(subject) {}

  // Errors begin with the field's path, as "queries[2].graph".
  absl::Status Check(absl::string_view bytes, const Descriptor& type, int depth) {
    Reader reader(bytes);
    while (!reader.done()) {
      const size_t begin = bytes.size() - reader.left();
      const std::optional<uint32_t> tag = reader.Tag();
      if (!tag) {
        return InvalidArgument(": byte ", begin, " begins no field of ", type.full_name());
      }
      const auto number = static_cast<int>(*tag >> 3);
      const FieldDescriptor* field = type.FindFieldByNumber(number);
      const absl::Status status = CheckField(reader, *tag & 7, number, field, depth);
      if (status.ok()) continue;
      if (field == nullptr) return InvalidArgument(": field ", number, " of ", type.full_name(), status.message());
      const std::string name = NameOf(*field, bytes.substr(0, begin));
      const std::string inner = FieldOf(status);
      return WithField(InvalidArgument(name, status.message()), inner.empty() ? name : absl::StrCat(name, ".", inner));
    }
    return absl::OkStatus();
  }

 private:
  // "name", or "name[2]" behind two others in `before`, which is well-formed.
  static std::string NameOf(const FieldDescriptor& field, absl::string_view before) {
    if (!field.is_repeated()) return field.name();
    int64_t index = 0;
    for (Reader reader(before); !reader.done();) {
      const uint32_t tag = *reader.Tag();
      index += static_cast<int>(tag >> 3) == field.number();
      Skip(reader, tag & 7, static_cast<int>(tag >> 3), kMaxDepth).IgnoreError();
    }
    return absl::StrCat(field.name(), "[", index, "]");
  }

  absl::Status CheckField(Reader& reader, uint32_t wire_type, int number, const FieldDescriptor* field, int depth) {
    if (wire_type != kLength || field == nullptr) {
      const bool is_id = wire_type == kVarint && subject_ != nullptr && field != nullptr;
      if (is_id && CountsAsCharacters(*field)) ++subject_->characters;
      return Skip(reader, wire_type, number, depth);
    }
    absl::string_view content;
    HEED_RETURN_IF_ERROR(Take(reader, content));
    switch (field->type()) {
      case FieldDescriptor::TYPE_MESSAGE: {
        HEED_RETURN_IF_ERROR(Count(field->is_map() ? kMapEntryElements : 1));
        if (depth == 0) return InvalidArgument(" is a message within ", kMaxDepth, " others");
        absl::Status status = Check(content, *field->message_type(), depth - 1);
        if (status.ok() || absl::StartsWith(status.message(), ":")) return status;
        return WithField(InvalidArgument(".", status.message()), FieldOf(status));
      }
      case FieldDescriptor::TYPE_STRING: {
        HEED_RETURN_IF_ERROR(Count());
        const std::optional<size_t> wrong = FirstInvalidUtf8(content);
        if (wrong) return InvalidArgument(" is not UTF-8 at byte ", *wrong, " of ", content.size());
        NoteText(*field, content);
        return absl::OkStatus();
      }
      case FieldDescriptor::TYPE_BYTES:
        return Count();
      default:
        if (!field->is_repeated()) return absl::OkStatus();
        HEED_RETURN_IF_ERROR(CheckPacked(content, *field));
        if (subject_ != nullptr && CountsAsCharacters(*field)) {
          // Each id has one last byte.
          subject_->characters +=
              std::count_if(content.begin(), content.end(), [](char byte) { return (byte & 0x80) == 0; });
        }
        return absl::OkStatus();
    }
  }

  void NoteText(const FieldDescriptor& field, absl::string_view text) {
    if (subject_ == nullptr) return;
    if (CountsAsCharacters(field)) subject_->characters += static_cast<int64_t>(CharacterCount(text));
    if (subject_->allowed_models == nullptr || subject_->other_model || text.empty() || !NamesModel(field)) return;
    if (!subject_->allowed_models->Match(text)) subject_->other_model = std::string(text);
  }

  absl::Status Count(int64_t elements = 1) {
    elements_ += elements;
    if (elements_ <= max_elements_) return absl::OkStatus();
    return InvalidArgument(": the message has more than ", max_elements_, " texts and messages in it up to here");
  }

  // The content of a field that has a length.
  static absl::Status Take(Reader& reader, absl::string_view& content) {
    const std::optional<uint64_t> length = reader.Varint(5);
    if (!length || *length > kMaxLength) return InvalidArgument(" has no length");
    const std::optional<absl::string_view> bytes = reader.Bytes(*length);
    if (!bytes) return InvalidArgument(" has a length of ", *length, " bytes, but ", reader.left(), " are left");
    content = *bytes;
    return absl::OkStatus();
  }

  static absl::Status Skip(Reader& reader, uint32_t wire_type, int number, int depth) {
    switch (wire_type) {
      case kVarint:
        return reader.Varint() ? absl::OkStatus() : InvalidArgument(" ends within a number");
      case kFixed64:
        return reader.Bytes(8) ? absl::OkStatus() : InvalidArgument(" ends within a number");
      case kFixed32:
        return reader.Bytes(4) ? absl::OkStatus() : InvalidArgument(" ends within a number");
      case kLength: {
        absl::string_view content;
        return Take(reader, content);
      }
      case kGroup:
        return SkipGroup(reader, number, depth);
      default:
        return InvalidArgument(" has wire type ", wire_type, ", which begins no value");
    }
  }

  static absl::Status SkipGroup(Reader& reader, int number, int depth) {
    if (depth == 0) return InvalidArgument(" is a group within ", kMaxDepth, " others");
    while (!reader.done()) {
      const std::optional<uint32_t> tag = reader.Tag();
      if (!tag) break;
      const auto inner = static_cast<int>(*tag >> 3);
      if ((*tag & 7) == kGroupEnd) {
        return inner == number ? absl::OkStatus() : InvalidArgument(" is a group that ends as another");
      }
      HEED_RETURN_IF_ERROR(Skip(reader, *tag & 7, inner, depth - 1));
    }
    return InvalidArgument(" is a group without an end");
  }

  const int64_t max_elements_;
  RequestSubject* const subject_;
  int64_t elements_ = 0;
};

}  // namespace

bool CountsAsCharacters(const FieldDescriptor& field) {
  static const FieldSet& fields = *new FieldSet(FieldsOf(kTextFields));
  return fields.contains(&field);
}

bool NamesModel(const FieldDescriptor& field) {
  static const FieldSet& fields = *new FieldSet(FieldsOf(kModelFields));
  return fields.contains(&field);
}

absl::Status CheckMessage(absl::string_view bytes, const google::protobuf::Descriptor& type,
                          const MessageLimits& limits, RequestSubject* subject) {
  if (static_cast<int64_t>(bytes.size()) > limits.max_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the message has ", bytes.size(), " bytes, at most --max_message_bytes=", limits.max_bytes));
  }
  absl::Status status = Checker(limits, subject).Check(bytes, type, kMaxDepth);
  if (status.ok() || !absl::StartsWith(status.message(), ":")) return status;
  return InvalidArgument("the message", status.message());
}

}  // namespace heed
