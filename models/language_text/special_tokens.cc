// SPDX-License-Identifier: Apache-2.0
#include "models/language_text/special_tokens.h"

#include <cstddef>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace heed {
namespace {

constexpr char kAdditional[] = "additional_special_tokens";

absl::StatusOr<JsonFields> ReadOrEmpty(const std::string& path) {
  absl::StatusOr<JsonFields> fields = JsonFields::Read(path);
  if (absl::IsNotFound(fields.status())) return JsonFields();
  return fields;
}

// Finds tokens in a text.
class Finder {
 public:
  explicit Finder(absl::Span<const SpecialToken> tokens) : tokens_(tokens) {
    for (const SpecialToken& token : tokens) {
      spellings_.push_back(AlignedText(token.content).characters());
      by_first_[spellings_.back()[0]].push_back(spellings_.size() - 1);
    }
  }

  // The longest token at `at`, whose length it sets; null if there is none.
  const SpecialToken* At(const AlignedText& text, size_t at, size_t& length) const {
    const SpecialToken* found = nullptr;
    length = 0;
    const auto candidates = by_first_.find(text[at]);
    if (candidates == by_first_.end()) return nullptr;
    for (const size_t i : candidates->second) {
      const std::u32string& spelling = spellings_[i];
      if (spelling.size() <= length) continue;
      if (text.characters().compare(at, spelling.size(), spelling) != 0) continue;
      found = &tokens_[i];
      length = spelling.size();
    }
    return found;
  }

 private:
  absl::Span<const SpecialToken> tokens_;
  std::vector<std::u32string> spellings_;
  absl::flat_hash_map<char32_t, std::vector<size_t>> by_first_;  // indices of the tokens that begin with a character
};

std::vector<TextPart> Split(const AlignedText& text, absl::Span<const SpecialToken> tokens) {
  const Finder finder(tokens);
  std::vector<TextPart> parts;
  size_t begin = 0;
  const auto add_text = [&](size_t end) {
    if (begin < end) parts.push_back({text.Part(begin, end)});
  };
  for (size_t i = 0; i < text.size();) {
    size_t length = 0;
    const SpecialToken* token = finder.At(text, i, length);
    if (token == nullptr) {
      ++i;
      continue;
    }
    add_text(i);
    parts.push_back({text.Part(i, i + length), token});
    begin = i += length;
  }
  add_text(text.size());
  return parts;
}

}  // namespace

absl::StatusOr<TokenizerFiles> TokenizerFiles::Read(const std::string& directory, absl::string_view tokenizer_class) {
  TokenizerFiles files;
  HEED_ASSIGN_OR_RETURN(files.config_, ReadOrEmpty(directory + "/tokenizer_config.json"));
  HEED_ASSIGN_OR_RETURN(files.map_, ReadOrEmpty(directory + "/special_tokens_map.json"));
  const std::string given = files.config_.String("tokenizer_class", std::string(tokenizer_class));
  if (absl::StripSuffix(given, "Fast") != tokenizer_class) {
    files.config_.Wrong("tokenizer_class", absl::StrCat("but only ", tokenizer_class, " is served"));
  }
  HEED_RETURN_IF_ERROR(files.config_.status());
  return files;
}

const nlohmann::json& TokenizerFiles::Value(absl::string_view field) const {
  return config_.Has(field) ? config_.Value(field) : map_.Value(field);
}

SpecialToken TokenizerFiles::Parse(absl::string_view field, const nlohmann::json& value) {
  SpecialToken token;
  if (value.is_string()) {
    // A token without attributes takes the white space on both sides, as transformers 4.30.2 does it.
    token = {value.get<std::string>(), true, true};
  } else if (value.is_object()) {
    const auto flag = [&](const char* name) {
      const auto found = value.find(name);
      return found != value.end() && found->is_boolean() && found->get<bool>();
    };
    const auto content = value.find("content");
    if (content != value.end() && content->is_string()) token.content = content->get<std::string>();
    token.lstrip = flag("lstrip");
    token.rstrip = flag("rstrip");
  }
  if (token.content.empty()) config_.Wrong(field, "which is not a token");
  return token;
}

SpecialToken TokenizerFiles::Token(absl::string_view field, const SpecialToken& fallback) {
  const nlohmann::json& value = Value(field);
  return value.is_null() ? fallback : Parse(field, value);
}

std::vector<SpecialToken> TokenizerFiles::Additional(const std::vector<SpecialToken>& fallback) {
  const nlohmann::json& list = Value(kAdditional);
  if (list.is_null()) return fallback;
  std::vector<SpecialToken> tokens;
  if (!list.is_array()) config_.Wrong(kAdditional, "which is not a list");
  for (const nlohmann::json& value : list) tokens.push_back(Parse(kAdditional, value));
  return tokens;
}

std::vector<TextPart> SplitAtSpecialTokens(const AlignedText& text, absl::Span<const SpecialToken> tokens) {
  std::vector<TextPart> parts = Split(text, tokens);
  for (size_t i = 0; i < parts.size(); ++i) {
    const SpecialToken* token = parts[i].token;
    if (token == nullptr) continue;
    if (token->lstrip && i > 0 && parts[i - 1].token == nullptr) parts[i - 1].text.StripRight();
    if (token->rstrip && i + 1 < parts.size() && parts[i + 1].token == nullptr) parts[i + 1].text.StripLeft();
  }
  return parts;
}

void LowerCaseBetween(absl::Span<const SpecialToken> tokens, AlignedText& text) {
  AlignedText result;
  for (TextPart& part : Split(text, tokens)) {
    if (part.token == nullptr) part.text.LowerCaseEach();
    result.Append(part.text, 0, part.text.size());
  }
  text = std::move(result);
}

}  // namespace heed
