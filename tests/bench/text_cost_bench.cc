// SPDX-License-Identifier: Apache-2.0
// What a text costs before the first step, for each MB: splitting it into sentences; splitting and tokenizing it, as
// Translator::Start does; and with markup, taking a document apart and putting it together again.
//
//   text_cost_bench MODEL_DIR TEXT_FILE HTML_FILE
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "models/architectures.h"
#include "models/kinds/translator.h"
#include "models/markup/markup_document.h"
#include "models/sentences/sentences.h"
#include "tests/bench/measure.h"

namespace heed {
namespace {

std::string ReadAll(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

int Run(const char* model_directory, const char* text_file, const char* html_file) {
  const absl::StatusOr<std::shared_ptr<const Model>> model = LoadModel(model_directory, "bench");
  if (!model.ok()) {
    std::cerr << model.status() << "\n";
    return 2;
  }
  const auto& translator = ModelAs<Translator>(**model);
  const std::string text = ReadAll(text_file), html = ReadAll(html_file);
  if (text.empty() || html.empty()) {
    std::cerr << "nothing in " << (text.empty() ? text_file : html_file) << "\n";
    return 2;
  }
  if (const auto parsed = MarkupDocument::Parse(html, MarkupKind::kHtml, {}); !parsed.ok()) {
    std::cerr << html_file << " " << parsed.status().message() << "\n";
    return 2;
  }
  const SentenceRules rules = SentenceRules::For("en");
  const auto parse = [&html] { return *MarkupDocument::Parse(html, MarkupKind::kHtml, {}); };
  const MarkupDocument document = parse();
  std::vector<TranslatedUnit> units;  // each word is another: nothing comes back as it was
  for (const MarkupUnit& unit : document.units()) {
    TranslatedUnit& translated = units.emplace_back();
    for (size_t begin = 0; begin < unit.text.size();) {
      const size_t end = std::min(unit.text.find(' ', begin), unit.text.size());
      const size_t at = translated.text.size();
      translated.text += unit.text.substr(begin, end - begin) + "x";
      translated.alignment.push_back({{at, translated.text.size()}, {begin, end}});
      translated.text += ' ';
      begin = end + 1;
    }
  }
  const std::vector<double> seconds = bench::TakeTurns(
      {[&] { SplitSentences(text, rules); }, [&] { (void)translator.Start({text}, translator.default_options()); },
       [&] { parse(); }, [&] { document.Render(units); }},
      5, 0.5);
  const char* const names[] = {"split into sentences", "split and tokenize", "parse HTML", "render HTML"};
  for (size_t i = 0; i < seconds.size(); ++i) {
    const double megabytes = static_cast<double>((i < 2 ? text : html).size()) / 1e6;
    std::cout << names[i] << ": " << 1e3 * seconds[i] / megabytes << " ms/MB\n";
  }
  return 0;
}

}  // namespace
}  // namespace heed

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: text_cost_bench MODEL_DIR TEXT_FILE HTML_FILE\n";
    return 2;
  }
  return heed::Run(argv[1], argv[2], argv[3]);
}
