// SPDX-License-Identifier: Apache-2.0
// heed translate of lines: a translation of each, in order.
#pragma once

#include <memory>

#include "client/cli/command_input.h"
#include "client/cli/console.h"
#include "client/commands/translate_settings.h"
#include "grpcpp/channel.h"
#include "heed/v1/translation.pb.h"

namespace heed::client {

// Translates each line of the input as the prototype says, and prints it. Returns the exit code.
int TranslateLines(const TranslateSettings& settings, const v1::TranslateRequest& prototype,
                   const std::shared_ptr<grpc::Channel>& channel, CommandInput& input, Console& console);

}  // namespace heed::client
