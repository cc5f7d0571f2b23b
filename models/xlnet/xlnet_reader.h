// SPDX-License-Identifier: Apache-2.0
// An XLNet as a network that reads from left to right: the content row of a token sees those before it and itself, and
// the query row of the token that follows sees those read.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "models/language/causal_network.h"
#include "models/xlnet/xlnet_memory.h"
#include "models/xlnet/xlnet_network.h"

namespace heed {

// Immutable, thread-safe.
class XlnetReader : public CausalNetwork {
 public:
  // `network` predicts.
  explicit XlnetReader(std::shared_ptr<const XlnetNetwork> network, int64_t weights, int64_t resident_bytes);

  int64_t vocabulary() const override { return config().vocabulary; }
  int64_t weights() const override { return weights_; }
  int64_t resident_bytes() const override { return resident_bytes_; }
  bool has_segments() const override { return XlnetMemory::HasSegments(config()); }
  // transformers' generate drops tokens at random places with reuse_len, and with same_length its prompt sees nothing.
  bool has_hugging_face_mode() const override { return config().reuse_len == 0 && !config().same_length; }
  std::unique_ptr<TextMemory> NewMemory(const MemoryOptions& options) const override;
  absl::StatusOr<std::unique_ptr<TextMemory>> ParseMemory(absl::string_view bytes) const override;
  int64_t MemoryBytes(int64_t tokens_before, int64_t tokens) const override;
  void Read(absl::Span<const Reading> readings, Context& context) const override;

 private:
  class Stream;

  const XlnetConfig& config() const { return network_->config(); }

  const std::shared_ptr<const XlnetNetwork> network_;
  const int64_t weights_, resident_bytes_;
};

}  // namespace heed
