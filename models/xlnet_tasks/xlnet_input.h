// SPDX-License-Identifier: Apache-2.0
// What an XLNet's heads read: "A <sep> <cls>" or "A <sep> B <sep> <cls>", in one piece or in windows that overlap.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/kinds/language_model.h"
#include "models/language_text/xlnet_tokenizer.h"
#include "models/xlnet/xlnet_config.h"
#include "models/xlnet/xlnet_pass.h"

namespace heed {

struct XlnetInput {
  std::vector<TextToken> tokens;  // special ones have start = end
  std::vector<uint8_t> types;     // A and its separator 0, B and its separator 1, <cls> 2
  int64_t first_end = 0;          // A's tokens are [0, first_end)
  int64_t first_skipped = 0;      // tokens of A before this window
  int64_t second_begin = 0, second_end = 0;

  int64_t size() const { return static_cast<int64_t>(tokens.size()); }
};

struct XlnetInputs {
  std::vector<XlnetInput> windows;  // at least one
  bool truncated = false;
};

struct XlnetInputOptions {
  XlnetTokens special;
  int64_t max_tokens = 0;  // of an input
  Overlong overlong = Overlong::kRefuse;
  // Tokens that two windows have in common, at most half of what fits; the windows are of A, or of B if that is
  // longer and `windows_of_first` is false.
  int64_t overlap = 128;
  bool windows_of_first = false;
};

// `second` may be null. Without `first`'s or `second`'s tokens their separators are there all the same.
// INVALID_ARGUMENT is about `field`: there are too many tokens, and `overlong` does not allow to leave some out.
absl::StatusOr<XlnetInputs> MakeXlnetInputs(absl::string_view field, const std::vector<TextToken>& first,
                                            const std::vector<TextToken>* second, const XlnetInputOptions& options);

// All rows see all of them, or with attn_type "uni" those before and themselves. `sights`, which the pass points into,
// is cleared first.
XlnetPass EncodingPass(const XlnetConfig& config, const XlnetInput& input, std::vector<KeyRange>& sights);

}  // namespace heed
