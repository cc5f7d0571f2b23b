// SPDX-License-Identifier: Apache-2.0
// What all messages of language models share: options of texts, attention, and which field an error is about.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "heed/v1/language_modeling.pb.h"
#include "models/kinds/language_model.h"

namespace heed {

// INVALID_ARGUMENT names a field of the options, within `field`: "options.text.tokenization".
absl::StatusOr<TextOptions> ToTextOptions(absl::string_view field, const v1::TextOptions& options);
// What stands for UNSPECIFIED is `by_default`.
absl::StatusOr<Overlong> ToOverlong(absl::string_view field, v1::OverlongText overlong, Overlong by_default);

// INVALID_ARGUMENT: `value` of `field` is not `least` to `most`.
absl::Status CheckRange(absl::string_view field, int64_t value, int64_t least, int64_t most);
// INVALID_ARGUMENT: a message has none of its texts, or more than `most`.
absl::Status CheckTextCount(absl::string_view field, int64_t count, int64_t most);

// Fields of a model's request that are not its message's own: the end of a path, and what stands in its place.
using ItemFieldNames = std::initializer_list<std::pair<absl::string_view, absl::string_view>>;

// `status`, about a field of the request that a model was given for one item of a message, as one about the message. A
// field whose name begins with one of `common` is the message's own. Any other is renamed, if `names` has it ("text",
// "": the item is the text), and lies within `item` ("items[3]"). Codes other than INVALID_ARGUMENT stay as they are.
absl::Status AboutItem(const absl::Status& status, absl::string_view item,
                       std::initializer_list<absl::string_view> common, ItemFieldNames names = {});

// `columns`: the tokens of its columns but the first; empty: they are not known.
void FillAttention(const TextAttention& attention, const std::vector<std::string>& columns, v1::TextAttention& to);

}  // namespace heed
