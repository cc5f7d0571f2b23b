// SPDX-License-Identifier: Apache-2.0
// heed translate of a document: the document with its texts translated.
#pragma once

#include <memory>

#include "client/cli/command_input.h"
#include "client/cli/console.h"
#include "client/commands/translate_settings.h"
#include "grpcpp/channel.h"
#include "heed/v1/translation.pb.h"

namespace heed::client {

// Translates the document in the input as the prototype says, and writes it. Returns the exit code.
int TranslateDocument(const TranslateSettings& settings, const v1::TranslateRequest& prototype, DocumentFormat format,
                      const std::shared_ptr<grpc::Channel>& channel, CommandInput& input, Console& console);

}  // namespace heed::client
