// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/in_process_peer.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace heed {
namespace {

const std::string& SecretOfProcess() {
  static const auto& secret = *new std::string([] {
    std::random_device random;
    std::string text;
    for (int i = 0; i < 4; ++i) absl::StrAppend(&text, absl::Hex(random(), absl::kZeroPad8));
    return text + " ";
  }());
  return secret;
}

}  // namespace

std::string SignPeer(absl::string_view peer) { return absl::StrCat(SecretOfProcess(), peer); }

absl::string_view SignedPeer(absl::string_view value) {
  return absl::ConsumePrefix(&value, SecretOfProcess()) ? value : absl::string_view();
}

}  // namespace heed
