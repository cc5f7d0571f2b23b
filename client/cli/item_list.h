// SPDX-License-Identifier: Apache-2.0
// Lists of nodes or edges in arguments and files.
#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "heed/v1/graphs.pb.h"

namespace heed::client {

// "0,5,9"; or "@FILE", a file of one id a line, "@-" for `in`. Blank lines do not count. INVALID_ARGUMENT: quotes what
// is no id, with its line; NOT_FOUND: the file cannot be opened; DATA_LOSS: it cannot be read to its end.
absl::StatusOr<std::vector<int64_t>> ReadNodeList(const std::string& text, std::istream& in);

// The same of "3:7": source and target.
absl::StatusOr<std::vector<v1::GraphEdgeId>> ReadEdgeList(const std::string& text, std::istream& in);

// "3:7"
std::string EdgeName(const v1::GraphEdgeId& edge);

}  // namespace heed::client
