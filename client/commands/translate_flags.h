// SPDX-License-Identifier: Apache-2.0
// heed.v1.TranslateOptions as flags.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/flags/flag_table.h"
#include "heed/v1/translation.pb.h"

namespace heed::client {

struct TranslateFlags {
  std::string from, to;
  std::optional<int> beam;
  std::optional<double> length_penalty;
  std::string early_stopping;
  std::optional<int> n_best;
  std::optional<int> min_tokens;
  std::optional<int> max_tokens;
  std::optional<int> no_repeat_ngram;
  std::string prefix;
  bool no_split = false;
  bool keep_loops = false;
  bool sample = false;
  std::optional<double> temperature;
  std::optional<int> top_k;
  std::optional<double> top_p;
  std::optional<uint64_t> seed;

  void AddTo(FlagTable& flags);
  // --from and --to.
  void AddLanguagesTo(FlagTable& flags);
  bool has_languages() const { return !from.empty() || !to.empty(); }
  // Sets the fields that were given. INVALID_ARGUMENT: flags that do not go together; ranges that depend on the model
  // are the server's to check.
  absl::Status Fill(v1::TranslateOptions& options) const;
};

}  // namespace heed::client
