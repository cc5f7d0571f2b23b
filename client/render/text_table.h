// SPDX-License-Identifier: Apache-2.0
// Tables for people.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace heed::client {

// Rows of equally many cells, the first one the titles, in columns as wide as their widest cell; those of `numbers` are
// aligned to the right. Cells are shown as VisibleLine shows them.
std::string TextTable(std::vector<std::vector<std::string>> rows, const std::set<size_t>& numbers);

// "12.3 MiB", below 1 MiB "12.3 KiB", from 1 GiB on "12.3 GiB", or "-" for 0.
std::string MemoryText(int64_t bytes);

}  // namespace heed::client
