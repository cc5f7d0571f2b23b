// SPDX-License-Identifier: Apache-2.0
// How many of the boundaries of tests/models/sentences/gold.tsv are found, and how many are found where none is.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "models/sentences/sentences.h"

namespace heed {
namespace {

constexpr absl::string_view kMark = "‖";

struct Counts {
  int texts = 0, right_texts = 0;
  int boundaries = 0;  // in truth
  int found = 0;
  int right = 0;

  double precision() const { return found == 0 ? 1 : static_cast<double>(right) / found; }
  double recall() const { return boundaries == 0 ? 1 : static_cast<double>(right) / boundaries; }
};

std::map<std::string, Counts> Score() {
  std::ifstream file(std::string(HEED_SOURCE_DIR) + "/tests/models/sentences/gold.tsv");
  std::map<std::string, Counts> counts;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> columns = absl::StrSplit(line, absl::MaxSplits('\t', 1));
    if (columns.size() != 2) {
      ADD_FAILURE() << "no tab in: " << line;
      continue;
    }
    const std::string language = columns[0] == "-" ? "" : columns[0];
    const std::string marked = absl::StrReplaceAll(columns[1], {{"\\n", "\n"}, {"\\t", "\t"}});
    std::set<size_t> truth;
    std::string text;
    for (absl::string_view part : absl::StrSplit(marked, kMark)) {
      if (!text.empty()) {
        const size_t spaces = std::min(part.find_first_not_of(' '), part.size());
        truth.insert(text.size() + spaces);
      }
      absl::StrAppend(&text, part);
    }
    std::set<size_t> found;
    size_t at = 0;
    for (const SentenceSpan& span : SplitSentences(text, SentenceRules::For(language)).sentences) {
      at += span.separator.size();
      if (at > 0) found.insert(at);
      at += span.text.size();
    }
    std::vector<size_t> right;
    std::set_intersection(truth.begin(), truth.end(), found.begin(), found.end(), std::back_inserter(right));
    Counts& count = counts[columns[0]];
    ++count.texts;
    count.right_texts += truth == found;
    count.boundaries += static_cast<int>(truth.size());
    count.found += static_cast<int>(found.size());
    count.right += static_cast<int>(right.size());
    if (truth == found) continue;
    std::string cut = text;
    for (auto place = found.rbegin(); place != found.rend(); ++place) cut.insert(*place, std::string(kMark));
    std::printf("%s  right: %s\n    found: %s\n", columns[0].c_str(), marked.c_str(), cut.c_str());
  }
  return counts;
}

TEST(SentenceGold, EveryLanguageReachesItsFloor) {
  int texts = 0;
  for (const auto& [language, count] : Score()) {
    std::printf("%-2s  %3d texts, %3d as they should be; %3d boundaries, precision %5.1f %%, recall %5.1f %%\n",
                language.c_str(), count.texts, count.right_texts, count.boundaries, 100 * count.precision(),
                100 * count.recall());
    EXPECT_GE(count.precision(), 0.97) << language;
    EXPECT_GE(count.recall(), 0.97) << language;
    texts += count.texts;
  }
  EXPECT_GE(texts, 200);
}

}  // namespace
}  // namespace heed
