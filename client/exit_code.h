// How a command ends, for scripts.
#pragma once

namespace heed::client {

enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,       // a part of the work failed: a line, a request; a server that is not serving
  kExitUsage = 2,        // wrong flags, an unreadable file, an unknown model or graph, or several models to choose from
  kExitUnavailable = 3,  // no server, or no model that serves
  kExitInterrupted = 130,
};

}  // namespace heed::client
