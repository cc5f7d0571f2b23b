// SPDX-License-Identifier: Apache-2.0
// Which models and versions lie below --models. Looks again each time; keeps nothing.
//
// DIR is a model itself if it holds config.json, or if it is a model of Hugging Face's cache. Then it serves only that
// model, under the directory's name or the name that is asked for. Otherwise each of these is a model:
//
//   DIR/NAME/config.json               NAME, version 1
//   DIR/NAME/VERSION/config.json       NAME, each version
//   DIR/models--ORG--NAME/refs/main    NAME (ORG--NAME if there are several), version 1, in
//                                      snapshots/REV/config.json of the revision REV that refs/main names
//
// Names that begin with a dot, and lost+found, are ignored.
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
using FoundModels = std::map<std::string, FoundVersions, std::less<>>;

class ModelDirectory {
 public:
  // `name`: of the model that the directory is itself; empty: the directory's.
  explicit ModelDirectory(std::string path, std::string name = "");

  // Every model, by name. NOT_FOUND: there is no such directory. INVALID_ARGUMENT: it is no directory, or cannot be
  // read, or it is no model itself, but has a name as one.
  absl::StatusOr<FoundModels> Find() const;
  // Of a directory without models: what was looked for, and where there seem to be some.
  std::string WhyNone() const;

 private:
  const std::string path_;
  const std::string name_;
};

// True if this can be one name below the models' directory, so that what a caller sends leads nowhere else.
bool IsModelName(absl::string_view name);

}  // namespace heed
