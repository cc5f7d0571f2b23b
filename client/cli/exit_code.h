// SPDX-License-Identifier: Apache-2.0
// How a command ends, for scripts.
#pragma once

namespace heed::client {

enum ExitCode : int {
  kExitOk = 0,
  // A part of the work failed: a line, a request; the server refused all of it, for a reason that is not below; it is
  // not serving.
  kExitFailed = 1,
  // Wrong flags, an unreadable file, several models to choose from; what the server says is invalid (INVALID_ARGUMENT)
  // or not there (NOT_FOUND), or that it wants a token (UNAUTHENTICATED).
  kExitUsage = 2,
  kExitUnavailable = 3,  // no server, or no model that serves
  kExitInterrupted = 130,
  kExitOutputClosed = 141,  // nobody reads the output any more: what the shell shows for a program that SIGPIPE ended
};

}  // namespace heed::client
