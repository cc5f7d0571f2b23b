// SPDX-License-Identifier: Apache-2.0
#include "models/markup/markup_tokens.h"

namespace heed {

bool AttributeReader::Next(MarkupAttribute& attribute) {
  bool slash = false;  // directly before
  for (; at_ < source_.size() && (IsMarkupSpace(source_[at_]) || source_[at_] == '/'); ++at_)
    slash = source_[at_] == '/';
  if (at_ == source_.size()) return false;
  if (source_[at_] == '>') {
    ++at_;
    ended_ = true;
    self_closing_ = slash;
    return false;
  }
  const size_t name = at_++;  // which may begin with "="
  while (at_ < source_.size() && !IsMarkupSpace(source_[at_]) && source_[at_] != '/' && source_[at_] != '>' &&
         source_[at_] != '=') {
    ++at_;
  }
  attribute = {source_.substr(name, at_ - name)};
  size_t next = at_;
  while (next < source_.size() && IsMarkupSpace(source_[next])) ++next;
  if (next == source_.size() || source_[next] != '=') return true;
  at_ = next + 1;
  while (at_ < source_.size() && IsMarkupSpace(source_[at_])) ++at_;
  if (at_ == source_.size() || source_[at_] == '>') return true;
  attribute.has_value = true;
  if (source_[at_] == '"' || source_[at_] == '\'') {
    attribute.quote = source_[at_++];
    attribute.value_begin = at_;
    attribute.value_end = source_.find(attribute.quote, at_);
    if (attribute.value_end == absl::string_view::npos) {
      at_ = attribute.value_end = source_.size();
    } else {
      at_ = attribute.value_end + 1;
    }
    return true;
  }
  attribute.value_begin = at_;
  while (at_ < source_.size() && !IsMarkupSpace(source_[at_]) && source_[at_] != '>') ++at_;
  attribute.value_end = at_;
  return true;
}

}  // namespace heed
