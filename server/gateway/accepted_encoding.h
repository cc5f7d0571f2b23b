// SPDX-License-Identifier: Apache-2.0
// Whether an answer may be compressed.
#pragma once

#include <optional>

#include "server/http/http_exchange.h"
#include "server/messages/message_inflation.h"

namespace heed {

// The first of the encodings that Accept-Encoding names ("gzip, deflate;q=0.5", in that order) and that we have, too;
// q=0 excludes one. Nothing: there is none.
std::optional<MessageCompression> AcceptedEncoding(const HttpRequest& request);

// Compresses an answer of 1 KiB to 1 MiB, if the client takes that: smaller ones gain nothing, and larger ones would
// keep a thread of gRPC's for long.
void CompressAnswer(const HttpRequest& request, HttpAnswer& answer);

}  // namespace heed
