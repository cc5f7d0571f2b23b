// Tables for people.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace heed::client {

// Rows of equally many cells, the first one the titles, in columns as wide as their widest cell; those of `numbers` are
// aligned to the right.
std::string TextTable(const std::vector<std::vector<std::string>>& rows, const std::set<size_t>& numbers);

// Text between tabs on one line: tabs and ends of lines become blanks.
std::string PlainColumn(const std::string& text);

// "12.3 MiB", below 1 MiB "12.3 KiB", from 1 GiB on "12.3 GiB", or "-" for 0.
std::string MemoryText(int64_t bytes);

}  // namespace heed::client
