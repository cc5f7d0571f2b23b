// SPDX-License-Identifier: Apache-2.0
#include "models/text/added_tokens.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/json_fields.h"
#include "base/status_macros.h"

namespace heed {
namespace {

// The attributes of a tokenizer that name special tokens.
constexpr const char* kSpecialAttributes[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                              "pad_token", "cls_token", "mask_token"};
constexpr char kAdditional[] = "additional_special_tokens";

absl::StatusOr<JsonFields> ReadOrEmpty(const std::string& path) {
  absl::StatusOr<JsonFields> fields = JsonFields::Read(path);
  if (absl::IsNotFound(fields.status())) return JsonFields();
  return fields;
}

// A token as such files write it: its text, or an object that holds it.
std::string ContentOf(const nlohmann::json& token) {
  if (token.is_string()) return token.get<std::string>();
  if (!token.is_object()) return "";
  const auto content = token.find("content");
  return content != token.end() && content->is_string() ? content->get<std::string>() : "";
}

std::set<std::string> AdditionalSpecials(const JsonFields& fields) {
  std::set<std::string> specials;
  const nlohmann::json& list = fields.Value(kAdditional);
  if (!list.is_array()) return specials;
  for (const nlohmann::json& token : list) specials.insert(ContentOf(token));
  specials.erase("");
  return specials;
}

// added_tokens_decoder: {"58101": {"content": "<ph>", "special": false, "lstrip": false, ...}, ...}
absl::Status ReadDecoder(const JsonFields& fields, std::vector<AddedToken>& tokens) {
  JsonFields decoder = fields.Inner("added_tokens_decoder");
  if (!decoder.object().is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(decoder.path(), ": is no object"));
  }
  for (const auto& [id, value] : decoder.object().items()) {
    JsonFields entry = decoder.Inner(id);
    AddedToken token;
    const bool is_id = id.find_first_not_of("0123456789") == id.npos && absl::SimpleAtoi(id, &token.id);
    if (!is_id) return absl::InvalidArgumentError(absl::StrCat(entry.path(), ": is no id"));
    if (!value.is_object()) return absl::InvalidArgumentError(absl::StrCat(entry.path(), ": is no object"));
    token.content = entry.String("content", "");
    token.lstrip = entry.Bool("lstrip", false);
    token.rstrip = entry.Bool("rstrip", false);
    token.single_word = entry.Bool("single_word", false);
    HEED_RETURN_IF_ERROR(entry.status());
    if (token.content.empty()) return absl::InvalidArgumentError(absl::StrCat(entry.path(), ": has no content"));
    tokens.push_back(std::move(token));
  }
  return absl::OkStatus();
}

// added_tokens.json: {"<ph>": 58101, ...}
absl::Status ReadIds(const JsonFields& fields, std::vector<AddedToken>& tokens) {
  if (!fields.object().is_object()) return absl::OkStatus();
  for (const auto& [content, id] : fields.object().items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX || content.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(fields.path(), ": token '", content, "' has an id that is not a whole number, or is empty"));
    }
    tokens.push_back({content, id.get<int64_t>()});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AddedTokens> AddedTokens::Read(const std::string& directory, const std::vector<absl::string_view>& but,
                                              const absl::flat_hash_map<std::string, int32_t>& vocabulary) {
  HEED_ASSIGN_OR_RETURN(const JsonFields config, ReadOrEmpty(directory + "/tokenizer_config.json"));
  HEED_ASSIGN_OR_RETURN(const JsonFields special_map, ReadOrEmpty(directory + "/special_tokens_map.json"));
  std::set<std::string> additional = AdditionalSpecials(config);
  if (!config.Has(kAdditional)) additional = AdditionalSpecials(special_map);

  std::vector<AddedToken> read;
  if (config.Has("added_tokens_decoder")) {
    HEED_RETURN_IF_ERROR(ReadDecoder(config, read));
  } else {
    HEED_ASSIGN_OR_RETURN(const JsonFields ids, ReadOrEmpty(directory + "/added_tokens.json"));
    HEED_RETURN_IF_ERROR(ReadIds(ids, read));
  }
  // What the attributes name is special, whatever a token's own field `special` says.
  std::set<std::string> specials = additional;
  for (const char* attribute : kSpecialAttributes) specials.insert(ContentOf(config.Value(attribute)));
  AddedTokens added;
  const auto add = [&](AddedToken token) {
    if (std::find(but.begin(), but.end(), token.content) != but.end()) return;
    token.special = specials.contains(token.content);
    const std::string content = token.content;
    added.tokens_.try_emplace(content, std::move(token));
  };
  for (AddedToken& token : read) add(std::move(token));
  for (const std::string& content : additional) {
    const auto id = vocabulary.find(content);
    if (id != vocabulary.end()) add({content, id->second});
  }
  std::set<size_t, std::greater<>> lengths;
  for (const auto& [content, token] : added.tokens_) lengths.insert(content.size());
  added.lengths_.assign(lengths.begin(), lengths.end());
  return added;
}

std::vector<AddedTokens::Part> AddedTokens::Split(absl::string_view text) const {
  std::vector<Part> parts;
  size_t begin = 0;  // of the text that is no token
  const auto add_text = [&](size_t end) {
    if (end > begin) parts.push_back({std::string(text.substr(begin, end - begin))});
  };
  for (size_t at = 0; at < text.size();) {
    const AddedToken* token = nullptr;
    for (const size_t length : lengths_) {
      if (length > text.size() - at) continue;
      const auto found = tokens_.find(text.substr(at, length));
      if (found == tokens_.end()) continue;
      token = &found->second;
      break;
    }
    if (token == nullptr) {
      ++at;
      continue;
    }
    add_text(at);
    parts.push_back({token->content, token});
    at += token->content.size();
    begin = at;
  }
  add_text(text.size());

  // As transformers' tokenize: a token strips the spaces next to it, or joins its neighbors.
  for (size_t i = 0; i < parts.size(); ++i) {
    const AddedToken* const token = parts[i].token;
    if (token == nullptr) continue;
    Part* const left = i > 0 ? &parts[i - 1] : nullptr;
    Part* const right = i + 1 < parts.size() ? &parts[i + 1] : nullptr;
    const std::string before = left != nullptr ? left->text : "", behind = right != nullptr ? right->text : "";
    if (token->rstrip && right != nullptr) right->text = std::string(absl::StripLeadingAsciiWhitespace(behind));
    if (token->lstrip && left != nullptr) left->text = std::string(absl::StripTrailingAsciiWhitespace(before));
    if (!token->single_word) continue;
    if (!before.empty() && before.back() != ' ') {
      left->text += token->content;
      left->token = nullptr;
    } else if (!behind.empty() && behind.front() != ' ') {
      right->text = token->content + right->text;
      right->token = nullptr;
    } else {
      continue;
    }
    parts[i] = {};
  }
  std::erase_if(parts, [](const Part& part) { return part.text.empty(); });
  return parts;
}

}  // namespace heed
