// SPDX-License-Identifier: Apache-2.0
// A network and what transformers computed with it: tests/fixtures/xlnet-*.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "files/checkpoint.h"
#include "models/xlnet/xlnet_network.h"
#include "models/xlnet/xlnet_reader.h"
#include "nlohmann/json.hpp"

namespace heed {

using nlohmann::json;

// Log-probabilities and hidden states, of float sums in another order.
constexpr float kParity = 1e-4f;

inline std::string XlnetFixturePath(const std::string& name) {
  return std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + name;
}

struct XlnetFixture {
  explicit XlnetFixture(const std::string& name) {
    const std::string directory = XlnetFixturePath(name);
    std::ifstream file(directory + "/expectations.json");
    expectations = json::parse(file);
    auto fields = JsonFields::Read(directory + "/config.json");
    auto read = ReadXlnetConfig(*fields);
    EXPECT_TRUE(read.ok()) << read.status();
    config = *read;
    auto opened = Checkpoint::Open(directory);
    EXPECT_TRUE(opened.ok()) << opened.status();
    const WeightReader reader(*opened);
    auto loaded = XlnetNetwork::Load(reader, config);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    network = std::move(*loaded);
    if (network->predicts()) reader_ = std::make_unique<XlnetReader>(network, 1, 1);
  }
  const XlnetReader& reader() const { return *reader_; }
  std::vector<json> Cases(const std::string& kind) const {
    std::vector<json> found;
    for (const json& one : expectations["cases"]) {
      if (one["kind"] == kind) found.push_back(one);
    }
    return found;
  }

  json expectations;
  XlnetConfig config;
  std::shared_ptr<const XlnetNetwork> network;
  std::unique_ptr<const XlnetReader> reader_;
};

inline std::vector<int32_t> IdsOf(const json& ids) { return ids.get<std::vector<int32_t>>(); }

// All rows see all of them, or with attn_type "uni" those before and themselves. `sights` holds what they see.
inline XlnetPass EncodingOf(const XlnetConfig& config, const std::vector<int32_t>& ids, const std::vector<int>& types,
                            std::vector<KeyRange>& sights) {
  XlnetPass pass;
  pass.has_types = !types.empty();
  const int64_t count = static_cast<int64_t>(ids.size());
  for (int64_t i = 0; i < count; ++i) {
    sights.push_back({config.same_length ? i : 0, config.causal ? i + 1 : count});
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    XlnetRow& row = pass.rows.emplace_back();
    row.token = ids[i];
    row.position = static_cast<int64_t>(i);
    if (pass.has_types) row.type = static_cast<uint8_t>(types[i]);
    row.is_output = true;
    row.sees = absl::MakeConstSpan(&sights[sights.size() - ids.size() + i], 1);
  }
  return pass;
}

}  // namespace heed
