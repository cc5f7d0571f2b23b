// SPDX-License-Identifier: Apache-2.0
#include "client/documents/document.h"

#include <utility>

namespace heed::client {

DocumentPart KeptPart(std::string bytes) {
  return {.render = [bytes = std::move(bytes)](Translations) { return bytes; }};
}

}  // namespace heed::client
