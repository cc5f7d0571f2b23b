// Which models and versions lie below --models. Looks again each time; keeps nothing.
//
// In this order DIR is
//   a model itself, if it holds config.json, or the snapshot of one in Hugging Face's cache: it serves that model
//   alone; otherwise each of these is a model:
//     DIR/NAME/config.json                    NAME, version 1
//     DIR/NAME/VERSION/config.json            NAME, each version
//     DIR/models--ORG--NAME/refs/main         NAME, version 1: snapshots/REV/config.json, REV as refs/main says
//     (Hugging
//                                             Face's cache); where NAME is not the only one, ORG--NAME
// Names that begin with a dot, and lost+found, are passed over.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed {

struct FoundVersion {
  std::string path;     // holds config.json
  absl::Status status;  // not OK: it cannot be loaded, and why
};
using FoundVersions = std::map<int64_t, FoundVersion>;  // at least one

class ModelDirectory {
 public:
  explicit ModelDirectory(std::string path);

  // Every model, by name. NOT_FOUND: there is no such directory. INVALID_ARGUMENT: it is no directory, or cannot be
  // read.
  absl::StatusOr<std::map<std::string, FoundVersions, std::less<>>> Find() const;
  // Of a directory without models: what was looked for, and where there seem to be some.
  std::string WhyNone() const;

 private:
  const std::string path_;
};

// True if this can be one name below the models' directory, so that what a caller sends leads nowhere else.
bool IsModelName(absl::string_view name);

}  // namespace heed
