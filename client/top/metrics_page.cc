// SPDX-License-Identifier: Apache-2.0
#include "client/top/metrics_page.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"

namespace heed::client {
namespace {

// One line, read from its left. Errors do not name the line.
class LineReader {
 public:
  explicit LineReader(absl::string_view line) : rest_(line) {}

  void SkipBlanks() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\t')) rest_.remove_prefix(1);
  }
  bool Skip(char wanted) {
    if (rest_.empty() || rest_[0] != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool done() const { return rest_.empty(); }

  // A metric's or a label's name; only the former has colons. Empty: there is none.
  std::string Name(bool colons) {
    size_t length = 0;
    while (length < rest_.size() && IsOfName(rest_[length], length == 0, colons)) ++length;
    return Take(length);
  }

  // Up to the next blank.
  std::string Word() { return Take(std::min(rest_.find_first_of(" \t"), rest_.size())); }

  // {name="value",...}, where it begins with a brace; a comma may follow the last one.
  absl::StatusOr<MetricLabels> Labels() {
    MetricLabels labels;
    if (!Skip('{')) return labels;
    while (true) {
      SkipBlanks();
      if (Skip('}')) return labels;
      const std::string name = Name(/*colons=*/false);
      if (name.empty()) return absl::InvalidArgumentError("a label's name is missing");
      SkipBlanks();
      if (!Skip('=')) return absl::InvalidArgumentError(absl::StrCat("label ", name, " has no value"));
      SkipBlanks();
      HEED_ASSIGN_OR_RETURN(std::string value, Quoted());
      if (!labels.emplace(name, std::move(value)).second) {
        return absl::InvalidArgumentError(absl::StrCat("label ", name, " is there twice"));
      }
      SkipBlanks();
      if (Skip(',')) continue;
      if (Skip('}')) return labels;
      return absl::InvalidArgumentError("the labels do not end");
    }
  }

 private:
  static bool IsOfName(char letter, bool first, bool colons) {
    return absl::ascii_isalpha(static_cast<unsigned char>(letter)) || letter == '_' || (colons && letter == ':') ||
           (!first && absl::ascii_isdigit(static_cast<unsigned char>(letter)));
  }

  std::string Take(size_t length) {
    std::string taken(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return taken;
  }

  absl::StatusOr<std::string> Quoted() {
    if (!Skip('"')) return absl::InvalidArgumentError("a label's value is not in quotes");
    std::string value;
    while (!rest_.empty()) {
      const char letter = rest_[0];
      rest_.remove_prefix(1);
      if (letter == '"') return value;
      if (letter != '\\') {
        value.push_back(letter);
        continue;
      }
      if (Skip('n')) {
        value.push_back('\n');
      } else if (Skip('"')) {
        value.push_back('"');
      } else if (Skip('\\')) {
        value.push_back('\\');
      } else {
        return absl::InvalidArgumentError("a label's value has an unknown escape");
      }
    }
    return absl::InvalidArgumentError("a label's value does not end");
  }

  absl::string_view rest_;
};

struct Sample {
  std::string name;
  MetricLabels labels;
  double value = 0;
};

absl::StatusOr<Sample> ParseSample(absl::string_view line) {
  LineReader reader(line);
  Sample sample;
  reader.SkipBlanks();
  sample.name = reader.Name(/*colons=*/true);
  if (sample.name.empty()) return absl::InvalidArgumentError("a metric's name is missing");
  reader.SkipBlanks();
  HEED_ASSIGN_OR_RETURN(sample.labels, reader.Labels());
  reader.SkipBlanks();
  const std::string value = reader.Word();
  if (!absl::SimpleAtod(value, &sample.value)) {
    return absl::InvalidArgumentError(absl::StrCat("'", value, "' is no number"));
  }
  reader.SkipBlanks();
  const std::string time = reader.Word();
  int64_t milliseconds = 0;
  if (!time.empty() && !absl::SimpleAtoi(time, &milliseconds)) {
    return absl::InvalidArgumentError(absl::StrCat("'", time, "' is no time in milliseconds"));
  }
  reader.SkipBlanks();
  if (!reader.done()) return absl::InvalidArgumentError("more follows the time");
  return sample;
}

}  // namespace

absl::StatusOr<MetricsPage> MetricsPage::Parse(absl::string_view text) {
  MetricsPage page;
  int64_t number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::string_view content = absl::StripLeadingAsciiWhitespace(line);
    if (content.empty() || content[0] == '#') continue;
    absl::StatusOr<Sample> sample = ParseSample(line);
    absl::Status problem = sample.status();
    if (sample.ok() && !page.series_[sample->name].emplace(std::move(sample->labels), sample->value).second) {
      problem = absl::InvalidArgumentError(absl::StrCat("a series of ", sample->name, " that is there already"));
    }
    if (!problem.ok()) return absl::InvalidArgumentError(absl::StrCat("line ", number, ": ", problem.message()));
  }
  return page;
}

const MetricsPage::Series& MetricsPage::Of(const std::string& name) const {
  static const Series kNone;
  const auto found = series_.find(name);
  return found == series_.end() ? kNone : found->second;
}

std::optional<double> MetricsPage::Sum(const std::string& name, const MetricLabels& labels) const {
  std::optional<double> sum;
  for (const auto& [series, value] : Of(name)) {
    if (HasLabels(series, labels)) sum = sum.value_or(0) + value;
  }
  return sum;
}

std::set<std::string> MetricsPage::LabelValues(const std::string& name, const std::string& label) const {
  std::set<std::string> values;
  for (const auto& [series, value] : Of(name)) {
    if (const auto found = series.find(label); found != series.end()) values.insert(found->second);
  }
  return values;
}

bool HasLabels(const MetricLabels& labels, const MetricLabels& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) {
    const auto found = labels.find(label.first);
    return found != labels.end() && found->second == label.second;
  });
}

}  // namespace heed::client
