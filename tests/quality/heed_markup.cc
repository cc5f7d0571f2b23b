// SPDX-License-Identifier: Apache-2.0
// Takes documents apart and puts them together again in languages of its own (tests/support/markup_checks.h), and
// checks that every tag comes back. The other side of tests/quality/markup_documents.py.
//
//   heed-markup [--xml] check FILE...            a line of JSON for each file; exits 1 if a tag is lost or nested
//   otherwise heed-markup [--xml] units FILE               its units heed-markup [--xml] compare SOURCE RESULT checks
//   RESULT as SOURCE in another language heed-markup [--xml] capitals|backward|unaligned|chance|lost FILE    prints it
//   in that language
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>

#include "nlohmann/json.hpp"
#include "tests/support/markup_checks.h"

namespace heed {
namespace {

std::string ReadFile(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "heed-markup: %s: cannot be read\n", path);
    std::exit(2);
  }
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Of the processor, since the process began.
double Milliseconds() { return static_cast<double>(std::clock()) * 1e3 / CLOCKS_PER_SEC; }

MarkupDocument Parse(const std::string& source, MarkupKind kind, const char* path) {
  absl::StatusOr<MarkupDocument> document = MarkupDocument::Parse(source, kind, MarkupRules());
  if (!document.ok()) {
    std::fprintf(stderr, "heed-markup: %s: %s\n", path, std::string(document.status().message()).c_str());
    std::exit(1);
  }
  return *std::move(document);
}

nlohmann::json Facts(const std::string& source, MarkupKind kind) {
  const MarkupTags tags = TagsOf(source, kind);
  return {{"bytes", source.size()}, {"tags", tags.tags.size()}, {"well_formed", tags.well_formed}};
}

bool Check(const char* path, MarkupKind kind) {
  const std::string source = ReadFile(path);
  nlohmann::json facts = Facts(source, kind);
  const double start = Milliseconds();
  const MarkupDocument document = Parse(source, kind, path);
  facts["file"] = path;
  facts["units"] = document.units().size();
  facts["parse_ms"] = Milliseconds() - start;
  std::string problem;
  double render_ms = 0;
  for (const FakeLanguage language : kFakeLanguages) {
    std::minstd_rand random(1);
    std::vector<TranslatedUnit> translations;
    for (const MarkupUnit& unit : document.units()) translations.push_back(FakeTranslation(unit, language, random));
    const double begin = Milliseconds();
    const std::string translated = document.Render(translations);
    render_ms = std::max(render_ms, Milliseconds() - begin);
    const std::string difference = DifferenceOfTags(source, translated, kind);
    if (problem.empty() && !difference.empty())
      problem = absl::StrCat("language ", static_cast<int>(language), ": ", difference);
  }
  facts["render_ms"] = render_ms;  // of the slowest language
  facts["problem"] = problem;
  std::cout << facts.dump() << "\n";
  return problem.empty();
}

int Main(int argc, char** argv) {
  MarkupKind kind = MarkupKind::kHtml;
  std::vector<const char*> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && absl::string_view(arguments[0]) == "--xml") {
    kind = MarkupKind::kXml;
    arguments.erase(arguments.begin());
  }
  const absl::string_view command = arguments.empty() ? "" : arguments[0];
  if (command == "check") {
    bool good = true;
    for (size_t i = 1; i < arguments.size(); ++i) good = Check(arguments[i], kind) && good;
    return good ? 0 : 1;
  }
  if (command == "compare" && arguments.size() == 3) {
    const std::string source = ReadFile(arguments[1]);
    nlohmann::json facts = Facts(source, kind);
    facts["problem"] = DifferenceOfTags(source, ReadFile(arguments[2]), kind);
    std::cout << facts.dump() << "\n";
    return facts["problem"] == "" ? 0 : 1;
  }
  if (command == "units" && arguments.size() == 2) {
    const std::string source = ReadFile(arguments[1]);
    const MarkupDocument document = Parse(source, kind, arguments[1]);
    for (const MarkupUnit& unit : document.units()) {
      std::string text = unit.text;
      for (auto kept = unit.kept.rbegin(); kept != unit.kept.rend(); ++kept) {
        text.insert(kept->end, "\xc2\xbb");
        text.insert(kept->begin, "\xc2\xab");
      }
      std::cout << text << "\n";
    }
    return 0;
  }
  constexpr const char* kNames[] = {"capitals", "backward", "unaligned", "chance", "lost"};
  for (size_t i = 0; i < std::size(kNames) && arguments.size() == 2; ++i) {
    if (command != kNames[i]) continue;
    const std::string source = ReadFile(arguments[1]);
    std::cout << RenderInFakeLanguage(Parse(source, kind, arguments[1]), kFakeLanguages[i]);
    return 0;
  }
  std::fprintf(stderr,
               "usage: heed-markup [--xml] check FILE... | units FILE | compare SOURCE RESULT | LANGUAGE FILE\n");
  return 2;
}

}  // namespace
}  // namespace heed

int main(int argc, char** argv) { return heed::Main(argc, argv); }
